//! Host patterns of Ansible: `web*:&prod:!~db[0-9]+`, over a small fleet.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::Diagnostics;
use switchback::intake::{Inventory, read_inventory_bytes};

static FLEET: LazyLock<Inventory> = LazyLock::new(|| {
    let hosts = b"[web]\nweb[1:20].example.com\n[db]\ndb[01:09]\n[all-prod:children]\nweb\ndb\n[v6]\n2001:db8::1\n".to_vec();
    read_inventory_bytes(Path::new("hosts"), hosts, None, &mut Diagnostics::default()).expect("it is an inventory")
});

fuzz_target!(|pattern: &str| {
    let _ = FLEET.select(pattern);
});

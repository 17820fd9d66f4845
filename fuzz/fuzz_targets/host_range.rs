//! Host entries of Ansible inventories: `web[01:10:2].example.com:2222`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::intake::expand_host_entry;

fuzz_target!(|entry: &str| {
    for line in entry.lines().take(4) {
        let _ = expand_host_entry(line);
    }
});

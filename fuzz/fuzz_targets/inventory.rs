//! Inventories: INI, YAML and JSON, told by name and by content, and what inventory programs print.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::Diagnostics;
use switchback::intake::read_inventory_bytes;

fuzz_target!(|data: &[u8]| {
    for name in ["hosts", "hosts.ini", "hosts.yaml", "program"] {
        let answer = |_: &Path, _: &[&str]| Ok(data.to_vec());
        let bytes = if name == "program" { b"#!/bin/sh\n".to_vec() } else { data.to_vec() };
        let mut diagnostics = Diagnostics::default();
        if let Some(inventory) = read_inventory_bytes(Path::new(name), bytes, Some(&answer), &mut diagnostics) {
            let _ = (inventory.ansible_list(), inventory.select("all:!web"));
        }
        let _ = diagnostics.sorted();
    }
});

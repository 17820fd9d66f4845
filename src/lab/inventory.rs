//! The lab's inventory and known host keys, written for Switchback and for ssh.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::LabError;
use super::state::{Folder, State, replace};

/// Racks take turns, so that failure domains exist.
const RACKS: [&str; 3] = ["a", "b", "c"];

/// Writes `inventory.yaml` and `known_hosts`.
pub(crate) fn write(folder: &Folder, state: &State, host_keys: &BTreeMap<String, String>) -> Result<(), LabError> {
    replace(&folder.file("known_hosts"), known_hosts(state, host_keys).as_bytes())?;
    replace(&folder.file("inventory.yaml"), inventory(folder, state, host_keys).as_bytes())
}

fn known_hosts(state: &State, host_keys: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (host, address) in state.in_order() {
        if let Some(key) = host_keys.get(host) {
            text.push_str(&format!("{host},{address} {key}\n"));
        }
    }
    text
}

fn inventory(folder: &Folder, state: &State, host_keys: &BTreeMap<String, String>) -> String {
    let mut text = String::from("# Written by `switchback lab up`.\nversion: 1\nhosts:\n");
    let identity = quoted(&folder.file("id_ed25519").to_string_lossy());
    let known_hosts = quoted(&folder.file("known_hosts").to_string_lossy());
    for (number, (host, address)) in state.in_order().into_iter().enumerate() {
        let rack = RACKS[number % RACKS.len()];
        let container = state.prefix.container(host);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  {host}:\n    address: {address}\n    groups: [web]\n    labels: {{service: shop, env: prod, rack: {rack}}}\n    \
             ssh:\n      user: ops\n      port: 22\n      identity: {identity}\n      known_hosts: {known_hosts}\n"
        );
        if let Some(key) = host_keys.get(host) {
            let _ = writeln!(text, "      host_key: {}", quoted(key));
        }
        let _ = writeln!(
            text,
            "    become: sudo\n    provider: {{kind: podman, name: {container}, clone_network: {}}}",
            state.prefix.clone_network()
        );
    }
    text
}

/// A YAML string: JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_inventory_is_in_the_native_form() -> Result<(), LabError> {
        let mut state = State::new("t".parse()?, "10.77.9.0/24".parse()?);
        for number in [1, 2] {
            state.hosts.insert(format!("web-{number}"), state.subnet.host(number)?);
        }
        let keys = BTreeMap::from([("web-1".to_owned(), "ssh-ed25519 AAAA".to_owned())]);
        let folder = Folder::new(Path::new("/a \"lab\""))?;
        insta::assert_snapshot!(inventory(&folder, &state, &keys), @r#"
        # Written by `switchback lab up`.
        version: 1
        hosts:
          web-1:
            address: 10.77.9.11
            groups: [web]
            labels: {service: shop, env: prod, rack: a}
            ssh:
              user: ops
              port: 22
              identity: "/a \"lab\"/id_ed25519"
              known_hosts: "/a \"lab\"/known_hosts"
              host_key: "ssh-ed25519 AAAA"
            become: sudo
            provider: {kind: podman, name: t-web-1, clone_network: t-clones}
          web-2:
            address: 10.77.9.12
            groups: [web]
            labels: {service: shop, env: prod, rack: b}
            ssh:
              user: ops
              port: 22
              identity: "/a \"lab\"/id_ed25519"
              known_hosts: "/a \"lab\"/known_hosts"
            become: sudo
            provider: {kind: podman, name: t-web-2, clone_network: t-clones}
        "#);
        insta::assert_snapshot!(known_hosts(&state, &keys), @"web-1,10.77.9.11 ssh-ed25519 AAAA");
        Ok(())
    }
}

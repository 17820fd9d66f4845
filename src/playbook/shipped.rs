//! The playbooks and scripts that come with the program.

use crate::model::Digest;

use super::Playbook;

/// Every playbook that comes with the program.
pub fn shipped() -> Vec<Playbook> {
    Vec::new()
}

/// The text of a built-in script.
pub fn builtin(_name: &str) -> Option<&'static str> {
    None
}

/// One digest of these playbooks and of the scripts they name, whatever their order.
pub fn digest(playbooks: &[Playbook]) -> Digest {
    let mut lines: Vec<String> = playbooks.iter().map(|p| format!("{} {}\n", p.digest(), p.name())).collect();
    lines.sort();
    Digest::of(lines.concat().as_bytes())
}

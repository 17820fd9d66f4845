//! The playbooks and scripts that come with the program.

use crate::diagnostic::{Diagnostics, Source};
use crate::model::Digest;

use super::{Playbook, applications};

pub(super) const PLAYBOOKS: [(&str, &str); 5] = [
    ("playbooks/linux-apt.yaml", include_str!("../../playbooks/linux-apt.yaml")),
    ("playbooks/npm.yaml", include_str!("../../playbooks/npm.yaml")),
    ("playbooks/pip.yaml", include_str!("../../playbooks/pip.yaml")),
    ("playbooks/windows-update.yaml", include_str!("../../playbooks/windows-update.yaml")),
    ("playbooks/wordpress.yaml", include_str!("../../playbooks/wordpress.yaml")),
];

/// A script of `playbooks/linux-apt/` behind what all of them share.
macro_rules! linux_apt {
    ($name:literal) => {
        (
            concat!("linux-apt/", $name),
            concat!(
                include_str!("../../playbooks/linux-apt/lib.sh"),
                include_str!(concat!("../../playbooks/linux-apt/", $name, ".sh"))
            ),
        )
    };
}

const BUILTINS: [(&str, &str); 7] = [
    linux_apt!("preflight"),
    linux_apt!("fix"),
    linux_apt!("restart"),
    linux_apt!("reboot-required"),
    linux_apt!("reboot"),
    linux_apt!("verify"),
    linux_apt!("verify-restored"),
];

/// Every playbook that comes with the program.
pub fn shipped() -> Vec<Playbook> {
    let mut diagnostics = Diagnostics::default();
    // A test holds that none of them has a problem.
    PLAYBOOKS.iter().filter_map(|(name, text)| Playbook::load(&Source::new(*name, *text), &mut diagnostics)).collect()
}

/// The text of a built-in script.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTINS.iter().chain(&applications::SCRIPTS).find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The names of all built-in scripts.
pub(super) fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().chain(&applications::SCRIPTS).map(|(name, _)| *name)
}

/// One digest of these playbooks and of the scripts they name, whatever their order.
pub fn digest(playbooks: &[Playbook]) -> Digest {
    let mut lines: Vec<String> = playbooks.iter().map(|p| format!("{} {}\n", p.digest(), p.name())).collect();
    lines.sort();
    Digest::of(lines.concat().as_bytes())
}

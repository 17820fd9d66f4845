//! The playbooks and scripts that come with the program.

use crate::diagnostic::{Diagnostics, Source};
use crate::model::Digest;

use super::Playbook;

pub(super) const PLAYBOOKS: [(&str, &str); 4] = [
    ("playbooks/linux-apk.yaml", include_str!("../../playbooks/linux-apk.yaml")),
    ("playbooks/linux-apt.yaml", include_str!("../../playbooks/linux-apt.yaml")),
    ("playbooks/linux-dnf.yaml", include_str!("../../playbooks/linux-dnf.yaml")),
    ("playbooks/linux-zypper.yaml", include_str!("../../playbooks/linux-zypper.yaml")),
];

/// The text of a script.
macro_rules! text {
    ($path:literal) => {
        include_str!(concat!("../../playbooks/", $path, ".sh"))
    };
}

/// Scripts of `playbooks/$folder/` by the names that playbooks give them, each behind the text that it rests on.
macro_rules! scripts {
    ($name:literal, $folder:literal, $rests_on:expr, [$($script:literal),+]) => {
        &[$((
            concat!($name, "/", $script),
            concat!($rests_on, include_str!(concat!("../../playbooks/", $folder, "/", $script, ".sh"))),
        )),+]
    };
}

/// The scripts for Linux, which are the same for every package manager but for its own part.
macro_rules! linux {
    ($name:literal, $manager:expr) => {
        scripts!(
            $name,
            "linux",
            concat!(text!("linux/common"), $manager),
            ["preflight", "fix", "restart", "reboot-required", "reboot", "verify", "verify-restored"]
        )
    };
}

const BUILTINS: [&[(&str, &str)]; 6] = [
    linux!("linux-apk", text!("linux/apk")),
    linux!("linux-apt", text!("linux/apt")),
    linux!("linux-dnf", concat!(text!("linux/rpm"), text!("linux/dnf"))),
    linux!("linux-zypper", concat!(text!("linux/rpm"), text!("linux/zypper"))),
    scripts!(
        "jar",
        "jar",
        concat!(text!("linux/common"), text!("jar/lib")),
        ["preflight", "fix", "restart", "verify", "verify-restored"]
    ),
    scripts!(
        "mitigation",
        "mitigation",
        concat!(text!("linux/common"), text!("mitigation/lib")),
        ["preflight", "fix", "restart", "verify", "verify-restored"]
    ),
];

/// Every playbook that comes with the program.
pub fn shipped() -> Vec<Playbook> {
    let mut diagnostics = Diagnostics::default();
    // A test holds that none of them has a problem.
    PLAYBOOKS.iter().filter_map(|(name, text)| Playbook::load(&Source::new(*name, *text), &mut diagnostics)).collect()
}

/// The text of a built-in script.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTINS.iter().copied().flatten().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// The names of all built-in scripts.
pub(super) fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().copied().flatten().map(|(name, _)| *name)
}

/// One digest of these playbooks and of the scripts they name, whatever their order.
pub fn digest(playbooks: &[Playbook]) -> Digest {
    let mut lines: Vec<String> = playbooks.iter().map(|p| format!("{} {}\n", p.digest(), p.name())).collect();
    lines.sort();
    Digest::of(lines.concat().as_bytes())
}

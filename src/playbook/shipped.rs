//! The playbooks and scripts that come with the program.

use crate::diagnostic::{Diagnostics, Source};
use crate::model::Digest;

use super::Playbook;

pub(super) const PLAYBOOKS: [(&str, &str); 8] = [
    ("playbooks/linux-apk.yaml", include_str!("../../playbooks/linux-apk.yaml")),
    ("playbooks/linux-apt.yaml", include_str!("../../playbooks/linux-apt.yaml")),
    ("playbooks/linux-dnf.yaml", include_str!("../../playbooks/linux-dnf.yaml")),
    ("playbooks/linux-zypper.yaml", include_str!("../../playbooks/linux-zypper.yaml")),
    ("playbooks/npm.yaml", include_str!("../../playbooks/npm.yaml")),
    ("playbooks/pip.yaml", include_str!("../../playbooks/pip.yaml")),
    ("playbooks/windows-update.yaml", include_str!("../../playbooks/windows-update.yaml")),
    ("playbooks/wordpress.yaml", include_str!("../../playbooks/wordpress.yaml")),
];

/// The text of a script, by the parts of its path.
macro_rules! text {
    ($($path:literal),+) => {
        include_str!(concat!("../../playbooks/", $($path),+))
    };
}

/// Scripts of folders by the names that playbooks give them, each behind the text that it rests on.
macro_rules! scripts {
    ($name:literal, $rests_on:expr, $($folder:literal: [$($script:literal),+]),+) => {
        &[$($((
            concat!($name, "/", $script),
            concat!($rests_on, text!($folder, "/", $script, ".sh")),
        )),+),+]
    };
}

/// The scripts for Linux, which are the same for every package manager but for its own part.
macro_rules! linux {
    ($name:literal, $manager:expr) => {
        scripts!(
            $name,
            concat!(text!("linux/common.sh"), $manager),
            "linux": ["preflight", "state", "fix", "restart", "reboot-required", "reboot", "verify", "verify-restored"]
        )
    };
}

/// The scripts of a recipe for one thing of a host.
macro_rules! recipe {
    ($name:literal) => {
        scripts!(
            $name,
            concat!(text!("linux/common.sh"), text!($name, "/lib.sh")),
            $name: ["preflight", "fix", "restart", "verify", "verify-restored"]
        )
    };
}

/// The scripts for an application in a folder, which restart services and look at what was restored in the same way.
macro_rules! application {
    ($name:literal) => {
        scripts!(
            $name,
            concat!(text!("linux/common.sh"), text!("application/lib.sh"), text!($name, "/lib.sh")),
            $name: ["preflight", "fix", "verify"],
            "application": ["verify-restored"]
        )
    };
}

/// The scripts for Windows, whose names say that they are of PowerShell.
macro_rules! windows {
    ($name:literal, [$($script:literal),+]) => {
        &[$((
            concat!($name, "/", $script),
            concat!(text!($name, "/lib.ps1"), text!($name, "/", $script)),
        )),+]
    };
}

const BUILTINS: [&[(&str, &str)]; 11] = [
    linux!("linux-apk", text!("linux/apk.sh")),
    linux!("linux-apt", text!("linux/apt.sh")),
    linux!("linux-dnf", concat!(text!("linux/rpm.sh"), text!("linux/dnf.sh"))),
    linux!("linux-zypper", concat!(text!("linux/rpm.sh"), text!("linux/zypper.sh"))),
    recipe!("jar"),
    recipe!("mitigation"),
    scripts!("application", text!("linux/common.sh"), "application": ["restart"]),
    application!("npm"),
    application!("pip"),
    application!("wordpress"),
    windows!(
        "windows-update",
        ["preflight.ps1", "fix.ps1", "reboot-required.ps1", "reboot.ps1", "verify.ps1", "verify-restored.ps1"]
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

//! The scripts of applications, and those of Windows, that come with the program.

/// A script of a playbook behind what all scripts share, what those of applications share, and what its siblings share.
macro_rules! application {
    ($playbook:literal, $script:literal, $file:literal) => {
        (
            concat!($playbook, "/", $script),
            concat!(
                include_str!("../../playbooks/linux-apt/lib.sh"),
                include_str!("../../playbooks/application/lib.sh"),
                include_str!(concat!("../../playbooks/", $playbook, "/lib.sh")),
                include_str!(concat!("../../playbooks/", $file, ".sh"))
            ),
        )
    };
}

/// A script of `playbooks/windows-update/` behind what all of them share.
macro_rules! windows_update {
    ($name:literal) => {
        (
            concat!("windows-update/", $name),
            concat!(
                include_str!("../../playbooks/windows-update/lib.ps1"),
                include_str!(concat!("../../playbooks/windows-update/", $name))
            ),
        )
    };
}

pub(super) const SCRIPTS: [(&str, &str); 19] = [
    (
        "application/restart",
        concat!(
            include_str!("../../playbooks/linux-apt/lib.sh"),
            include_str!("../../playbooks/application/restart.sh")
        ),
    ),
    application!("pip", "preflight", "pip/preflight"),
    application!("pip", "fix", "pip/fix"),
    application!("pip", "verify", "pip/verify"),
    application!("pip", "verify-restored", "application/verify-restored"),
    application!("npm", "preflight", "npm/preflight"),
    application!("npm", "fix", "npm/fix"),
    application!("npm", "verify", "npm/verify"),
    application!("npm", "verify-restored", "application/verify-restored"),
    application!("wordpress", "preflight", "wordpress/preflight"),
    application!("wordpress", "fix", "wordpress/fix"),
    application!("wordpress", "verify", "wordpress/verify"),
    application!("wordpress", "verify-restored", "application/verify-restored"),
    windows_update!("preflight.ps1"),
    windows_update!("fix.ps1"),
    windows_update!("reboot-required.ps1"),
    windows_update!("reboot.ps1"),
    windows_update!("verify.ps1"),
    windows_update!("verify-restored.ps1"),
];

//! The scripts of applications that come with the program.

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

pub(super) const SCRIPTS: [(&str, &str); 13] = [
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
];

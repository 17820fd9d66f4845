//! The ssh_config of one host: our settings for it first, then the user's own.
//!
//! ssh takes the first value it finds, so ours hold for this host and the user's files still say everything else (jump
//! hosts, agents, certificates, ciphers). Everything that comes from an inventory is checked before it is written.

use std::path::Path;

use crate::model::{Host, printable};

/// A host as ssh is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshTarget {
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) identity: Option<String>,
    pub(super) jump: Option<String>,
    /// Text of the ssh_config file.
    pub(super) config: String,
    /// Text of the known_hosts file that holds the pinned key.
    pub(super) known_hosts: Option<String>,
}

/// Longest value that is passed to ssh.
const MAX_VALUE: usize = 4096;

impl SshTarget {
    /// Checks what the inventory says and writes it down for ssh. `known_hosts_file` is where the pinned key will be.
    pub(super) fn of(host: &Host, known_hosts_file: &Path) -> Result<Self, String> {
        let ssh = &host.ssh;
        let plain = |what: &str, value: &str, extra: &str| -> Result<String, String> {
            let fine = !value.is_empty()
                && value.len() <= MAX_VALUE
                && !value.starts_with('-')
                && value.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
            if fine { Ok(value.to_owned()) } else { Err(format!("{:?} is not a valid {what}", printable(value, 80))) }
        };
        let path = |what: &str, value: &str| -> Result<String, String> {
            let fine = !value.is_empty()
                && value.len() <= MAX_VALUE
                && !value.starts_with('-')
                && !value.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '*' | '?' | '[' | '%' | '$'));
            if fine { Ok(value.to_owned()) } else { Err(format!("{:?} is not a valid {what}", printable(value, 80))) }
        };
        let address = plain("address", host.address(), "._-:")?;
        let user = ssh.user.as_deref().map(|user| plain("user", user, "._-@+")).transpose()?;
        let jump = ssh.jump.as_deref().map(|jump| plain("jump host", jump, "._-:@[],")).transpose()?;
        let identity = ssh.identity.as_deref().map(|file| path("identity file", file)).transpose()?;
        let own_config = ssh.config.as_deref().map(|file| path("ssh_config file", file)).transpose()?;
        let own_known_hosts = ssh.known_hosts.as_deref().map(|file| path("known_hosts file", file)).transpose()?;
        if let Some(file) = &own_config
            && !file.starts_with("~/")
            && !Path::new(file).is_file()
        {
            // ssh would silently do without it.
            return Err(format!("ssh_config file {file} does not exist"));
        }

        let mut ours = format!("Host {address}\n");
        let mut known_hosts = None;
        if let Some(key) = &ssh.host_key {
            let (kind, base64) = pinned_key(key)?;
            // Under an alias of our own the key is found whatever address, port or HostName ssh ends up with, and no
            // other file can lend its authority to another key.
            ours.push_str(&format!(
                "HostKeyAlias {name}\nUserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\nUpdateHostKeys no\n",
                known_hosts_file.display(),
                name = host.name
            ));
            known_hosts = Some(format!("{} {kind} {base64}\n", host.name));
        } else if let Some(file) = own_known_hosts {
            ours.push_str(&format!(
                "UserKnownHostsFile \"{file}\"\nGlobalKnownHostsFile /dev/null\nUpdateHostKeys no\n"
            ));
        }
        // A user's settings for their own terminal must not change what a step does.
        ours.push_str(
            "ServerAliveCountMax 3\nForwardAgent no\nForwardX11 no\nClearAllForwardings yes\nPermitLocalCommand no\n\
             RemoteCommand none\nRequestTTY no\nLogLevel INFO\nMatch all\n",
        );
        match own_config {
            Some(file) => ours.push_str(&format!("Include \"{file}\"\n")),
            None => ours.push_str("Include ~/.ssh/config\nMatch all\nInclude /etc/ssh/ssh_config\n"),
        }
        Ok(Self { address, user, port: ssh.port, identity, jump, config: ours, known_hosts })
    }
}

/// `TYPE BASE64`, a comment behind it ignored.
fn pinned_key(text: &str) -> Result<(&str, &str), String> {
    let invalid = || format!("{:?} is not a host key: write TYPE BASE64", printable(text, 80));
    let mut words = text.split_ascii_whitespace();
    let (kind, base64) = words.next().zip(words.next()).ok_or_else(invalid)?;
    let fine_kind = kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.'));
    let fine_key = base64.len() >= 16
        && base64.len() <= MAX_VALUE
        && base64.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if text.lines().count() == 1 && fine_kind && fine_key { Ok((kind, base64)) } else { Err(invalid()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use crate::model::HostName;

    use super::*;

    fn target(change: impl FnOnce(&mut Host)) -> Result<SshTarget, String> {
        let mut host = Host::named(HostName::new("web-1").unwrap());
        change(&mut host);
        SshTarget::of(&host, Path::new("/run/x/known"))
    }

    #[test]
    fn values_that_ssh_could_take_for_something_else_are_refused() {
        for bad in ["-oProxyCommand=id", "a b", "a\nHost *", "a*", "$(id)", "a;id", "a/b", "u@h", "", "a%h", "a\u{1b}"]
        {
            assert!(target(|h| h.address = Some(bad.into())).is_err(), "address {bad:?}");
        }
        for bad in ["-oProxyCommand=id", "a b", "a\nb", "$(id)", ""] {
            assert!(target(|h| h.ssh.user = Some(bad.into())).is_err(), "user {bad:?}");
            assert!(target(|h| h.ssh.jump = Some(bad.into())).is_err(), "jump {bad:?}");
        }
        for bad in ["-F", "a\"b", "a\nProxyCommand id", "/nonexistent/config", ""] {
            assert!(target(|h| h.ssh.config = Some(bad.into())).is_err(), "config {bad:?}");
        }
        for bad in ["ssh-ed25519", "ssh-ed25519 AAAA\nevil ssh-rsa AAAA", "a b c", "ssh-ed25519 $(id)AAAAAAAAAAAAAAAA"]
        {
            assert!(target(|h| h.ssh.host_key = Some(bad.into())).is_err(), "key {bad:?}");
        }
    }

    #[test]
    fn a_pinned_key_is_the_only_one() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ comment";
        let target = target(|h| h.ssh.host_key = Some(key.into())).unwrap();
        assert_eq!(target.known_hosts.unwrap(), "web-1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\n");
        assert!(target.config.contains("HostKeyAlias web-1\n"));
        assert!(target.config.contains("GlobalKnownHostsFile /dev/null\n"));
    }

    #[test]
    fn ipv6_addresses_are_taken() {
        assert_eq!(target(|h| h.address = Some("fd00::17".into())).unwrap().address, "fd00::17");
    }
}

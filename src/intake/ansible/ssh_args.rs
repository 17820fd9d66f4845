//! What is taken from ssh's own options in Ansible's variables: a jump host, files, user and port.

use super::ini::split_words;
use crate::model::printable;

/// The first value of each option, as ssh keeps it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) jump: Option<String>,
    pub(super) config: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) known_hosts: Option<String>,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
}

/// Options that change nothing in who is reached, or are up to the ssh configuration.
const HARMLESS: [&str; 18] = [
    "addkeystoagent",
    "batchmode",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "forwardagent",
    "identitiesonly",
    "kbdinteractiveauthentication",
    "loglevel",
    "passwordauthentication",
    "preferredauthentications",
    "pubkeyauthentication",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
];

/// Flags of ssh with a value behind them.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOopQRSWw";

impl Taken {
    /// Takes what is known; the rest is named.
    pub(super) fn read(&mut self, args: &str) -> Result<Vec<String>, &'static str> {
        let mut left_out = Vec::new();
        for (flag, value) in flags(args)? {
            let (option, value) = match flag {
                'J' => ("proxyjump".to_owned(), value),
                'F' => ("-f".to_owned(), value),
                'i' => ("identityfile".to_owned(), value),
                'l' => ("user".to_owned(), value),
                'p' => ("port".to_owned(), value),
                'o' => {
                    let (key, value) = value.split_once(['=', ' ']).unwrap_or((&value, ""));
                    (key.trim().to_ascii_lowercase(), value.trim().to_owned())
                }
                'C' | 'q' | 'v' | 'T' | 't' | 'x' | 'a' | 'A' | '4' | '6' => continue,
                '\0' => {
                    left_out.push(format!("`{}`", printable(&value, 60)));
                    continue;
                }
                flag => {
                    left_out.push(format!("`{}`", printable(format!("-{flag} {value}").trim_end(), 60)));
                    continue;
                }
            };
            let field = match option.as_str() {
                "proxyjump" if value == "none" => continue,
                "proxyjump" => &mut self.jump,
                "proxycommand" => match jump_of(&value) {
                    Some(jump) => {
                        self.jump.get_or_insert(jump);
                        continue;
                    }
                    None => {
                        left_out.push("a `ProxyCommand` that is more than `ssh -W %h:%p HOST`".to_owned());
                        continue;
                    }
                },
                "-f" => &mut self.config,
                "identityfile" => &mut self.identity,
                "userknownhostsfile" if value != "/dev/null" => &mut self.known_hosts,
                "user" => &mut self.user,
                "port" => {
                    match value.parse().ok().filter(|port| *port > 0) {
                        Some(port) => drop(self.port.get_or_insert(port)),
                        None => return Err("has a port that is none"),
                    }
                    continue;
                }
                // Host keys are checked all the same.
                "stricthostkeychecking" | "userknownhostsfile" => continue,
                option if HARMLESS.contains(&option) => continue,
                option => {
                    left_out.push(format!("`-o {}`", printable(option, 60)));
                    continue;
                }
            };
            field.get_or_insert(value);
        }
        Ok(left_out)
    }
}

/// Flags with their values; words that are none have the flag `\0`.
fn flags(args: &str) -> Result<Vec<(char, String)>, &'static str> {
    let mut flags = Vec::new();
    let mut words = split_words(args).map_err(|_| "has an open quote")?.into_iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            flags.push(('\0', word));
            continue;
        };
        // `-qC` are two, and the last of several may have its value behind it: `-qi file`, `-ifile`.
        for (at, letter) in letters.char_indices() {
            if !WITH_VALUE.contains(letter) {
                flags.push((letter, String::new()));
                continue;
            }
            let rest = &letters[at + letter.len_utf8()..];
            let value = if rest.is_empty() { words.next().unwrap_or_default() } else { rest.to_owned() };
            flags.push((letter, value));
            break;
        }
    }
    Ok(flags)
}

/// The jump host of a `ProxyCommand` that is one: `ssh -W %h:%p [-q] [-p PORT] [USER@]HOST`.
fn jump_of(command: &str) -> Option<String> {
    let program = command.split_whitespace().next()?;
    if program.rsplit('/').next() != Some("ssh") {
        return None;
    }
    let (mut forward, mut host, mut user, mut port) = (false, None, None, None);
    for (flag, value) in flags(command.trim_start().strip_prefix(program)?).ok()? {
        match flag {
            'W' => forward = matches!(value.as_str(), "%h:%p" | "[%h]:%p"),
            'p' => port = Some(value),
            'l' => user = Some(value),
            'q' | 'A' | 'C' | 'T' | 'x' | 'a' | 'v' => {}
            'o' => {
                let key = value.split(['=', ' ']).next().unwrap_or_default().to_ascii_lowercase();
                let about_keys = ["stricthostkeychecking", "userknownhostsfile"].contains(&key.as_str());
                if !about_keys && !HARMLESS.contains(&key.as_str()) {
                    return None;
                }
            }
            '\0' if host.is_none() && !value.contains("://") => host = Some(value),
            _ => return None,
        }
    }
    let host = host.filter(|_| forward)?;
    let user = user.map_or(String::new(), |user| format!("{user}@"));
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{user}{host}{port}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    fn taken(args: &str) -> (Taken, Vec<String>) {
        let mut taken = Taken::default();
        let left_out = taken.read(args).unwrap();
        (taken, left_out)
    }

    #[test]
    fn jump_hosts_are_found_in_every_spelling() {
        for (args, jump) in [
            ("-J bastion", "bastion"),
            ("-Jops@bastion:2222", "ops@bastion:2222"),
            ("-o ProxyJump=a,b", "a,b"),
            ("-oProxyJump=a -J b", "a"),
            ("-o 'ProxyJump bastion'", "bastion"),
            ("-o ProxyCommand=\"ssh -W %h:%p -q ubuntu@bastion\"", "ubuntu@bastion"),
            (
                "-o ProxyCommand='/usr/bin/ssh -q -p 2222 -l ops -o StrictHostKeyChecking=no -W %h:%p bastion'",
                "ops@bastion:2222",
            ),
            ("-C -o ControlMaster=auto -o ControlPersist=60s -qJ bastion", "bastion"),
        ] {
            let (found, left_out) = taken(args);
            assert_eq!((found.jump.as_deref(), left_out), (Some(jump), Vec::new()), "{args}");
        }
    }

    #[test]
    fn what_is_not_taken_is_named() {
        for (args, named) in [
            ("-o ProxyCommand='nc -x proxy %h %p'", "a `ProxyCommand` that is more than `ssh -W %h:%p HOST`"),
            ("-o ProxyCommand='ssh -i key -W %h:%p bastion'", "a `ProxyCommand` that is more than `ssh -W %h:%p HOST`"),
            ("-o ProxyCommand='ssh bastion nc %h %p'", "a `ProxyCommand` that is more than `ssh -W %h:%p HOST`"),
            ("-L 1:a:2", "`-L 1:a:2`"),
            ("-o LocalForward=1:a:2", "`-o localforward`"),
            ("word", "`word`"),
        ] {
            let (found, left_out) = taken(args);
            assert_eq!((found, left_out), (Taken::default(), vec![named.to_owned()]), "{args}");
        }
        assert!(Taken::default().read("-o 'open").is_err() && Taken::default().read("-p x").is_err());
        let (found, _) =
            taken("-i ~/.ssh/a -i b -F conf -l ops -p 2222 -o UserKnownHostsFile=/dev/null -o UserKnownHostsFile=kh");
        assert_eq!(found.identity.as_deref(), Some("~/.ssh/a"));
        assert_eq!((found.user.as_deref(), found.port), (Some("ops"), Some(2222)));
        assert_eq!((found.config.as_deref(), found.known_hosts.as_deref()), (Some("conf"), Some("kh")));
    }

    proptest! {
        #[test]
        fn no_options_panic(args in "[-oJiFWpq =a%h:'\"\\\\é]{0,30}") {
            let _ = Taken::default().read(&args);
        }
    }
}

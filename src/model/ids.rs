//! Names and ids as newtypes, each with a character set that holds from intake on.
//!
//! A value of these types is safe to show on a terminal and cannot be taken for an option
//! (no leading `-`); the quoting renderer still quotes it on its way to a shell.

use std::fmt;

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a valid {kind}: {rule}")]
pub struct InvalidName {
    /// What it was meant to be.
    pub kind: &'static str,
    /// The text, shortened and without control characters.
    pub shown: String,
    /// What would be right.
    pub rule: &'static str,
}

/// Text for people from an untrusted source: control characters replaced, length bounded.
pub fn printable(text: &str, max_chars: usize) -> String {
    let mut out: String =
        text.chars().take(max_chars).map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        out.push('…');
    }
    out
}

/// Control characters, line separators and characters that reorder or hide text.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $rule:literal, |$c:ident, $first:ident| $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the text against the character set.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                let invalid = || InvalidName { kind: $kind, shown: printable(text, 80), rule: $rule };
                if text.is_empty() || text.len() > $max {
                    return Err(invalid());
                }
                let fine = text.chars().enumerate().all(|(i, $c)| { let $first = i == 0; $ok });
                if fine { Ok(Self(text.into())) } else { Err(invalid()) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }
    };
}

text_id!(
    /// The name of a host in the inventory.
    HostName, "host name", 253,
    "letters, digits and . _ - : only, starting with a letter or digit, at most 253",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | ':'))
);
text_id!(
    /// What a scanner called the thing it looked at: free text for people, never a shell's.
    AssetName, "asset name", 1024,
    "printable text of at most 1024 bytes",
    |c, _first| !is_unprintable(c)
);
text_id!(
    /// A group of hosts in the inventory.
    GroupName, "group name", 253,
    "letters, digits and . _ - : only, starting with a letter, digit or _",
    |c, first| c.is_ascii_alphanumeric() || c == '_' || (!first && matches!(c, '.' | '-' | ':'))
);
text_id!(
    /// A CVE, DSA, GHSA or other advisory id.
    VulnerabilityId, "vulnerability id", 128,
    "letters, digits and . _ - : only, starting with a letter or digit, at most 128",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | ':'))
);
text_id!(
    /// The name of a package in its own ecosystem (deb, npm with its scope, Maven `group:artifact`, ...).
    PackageName, "package name", 256,
    "letters, digits and + . _ - : / @ ~ only, starting with a letter, digit, @ or _",
    |c, first| c.is_ascii_alphanumeric() || (first && matches!(c, '@' | '_')) || (!first && matches!(c, '+' | '.' | '_' | '-' | ':' | '/' | '@' | '~'))
);
text_id!(
    /// A version as its ecosystem writes it.
    PackageVersion, "package version", 256,
    "letters, digits and + . _ - : ~ ^ ! only, starting with a letter or digit",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '+' | '.' | '_' | '-' | ':' | '~' | '^' | '!'))
);
text_id!(
    /// The name of a systemd unit.
    UnitName, "unit name", 256,
    "letters, digits and . _ - : @ \\ only, starting with a letter or digit",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | ':' | '@' | '\\'))
);
text_id!(
    /// A finding: one vulnerability of one package at one place of one asset.
    FindingId, "finding id", 2048,
    "printable text of at most 2048 bytes",
    |c, _first| !is_unprintable(c)
);
text_id!(
    /// A step of a plan, `HOST/STEP`.
    StepId, "step id", 320,
    "HOST/STEP in letters, digits and . _ - : /",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | ':' | '/'))
);
text_id!(
    /// A campaign: one plan being run.
    CampaignId, "campaign id", 64,
    "letters, digits and - only",
    |c, first| c.is_ascii_alphanumeric() || (!first && c == '-')
);
text_id!(
    /// An item of work for people.
    ManualId, "item id", 64,
    "letters, digits and - only",
    |c, first| c.is_ascii_alphanumeric() || (!first && c == '-')
);
text_id!(
    /// The name of something in a policy, playbook or plan: a rule, window, wave, budget group.
    RuleName, "name", 256,
    "printable text of at most 256 bytes",
    |c, _first| !is_unprintable(c)
);

text_id!(
    /// A change request in a ticket system.
    Ticket, "ticket", 128,
    "letters, digits and . _ - / # : only, starting with a letter or digit, at most 128",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | '/' | '#' | ':'))
);
text_id!(
    /// Who signs, as `allowed_signers` names people.
    Principal, "principal", 256,
    "letters, digits and . _ - + @ only, starting with a letter or digit, at most 256",
    |c, first| c.is_ascii_alphanumeric() || (!first && matches!(c, '.' | '_' | '-' | '+' | '@'))
);

impl StepId {
    /// The id of the step `step` of `host`.
    pub fn of(host: &HostName, step: &str) -> Self {
        debug_assert!(step.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        Self(format!("{host}/{step}").into())
    }

    /// The part before the step; host names hold no `/`.
    pub fn host(&self) -> &str {
        self.as_str().rsplit_once('/').map_or("", |(host, _)| host)
    }

    /// The part behind the host.
    pub fn step(&self) -> &str {
        self.as_str().rsplit_once('/').map_or(self.as_str(), |(_, step)| step)
    }
}

/// One try of one step: `campaign/host/step/generation`. The generation changes only when an operator asks for a retry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct AttemptId {
    /// The campaign.
    pub campaign: CampaignId,
    /// The step.
    pub step: StepId,
    /// Counts operator retries, from 1.
    pub generation: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.campaign, self.step, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for text in ["", "a; reboot", "$(id)", "`x`", "a\nb", "\u{1b}[31m", "-rf", "a b", "a'b"] {
            assert!(HostName::new(text).is_err(), "{text:?}");
            assert!(PackageName::new(text).is_err(), "{text:?}");
            assert!(PackageVersion::new(text).is_err(), "{text:?}");
            assert!(VulnerabilityId::new(text).is_err(), "{text:?}");
            assert!(UnitName::new(text).is_err(), "{text:?}");
        }
        assert!(PackageName::new(&"a".repeat(10 << 20)).is_err());
    }

    #[test]
    fn real_names_are_taken() {
        for text in
            ["libstdc++6", "@babel/core", "_NIODataStructures", "org.apache:log4j", "linux-image-6.1.0-13-amd64"]
        {
            assert!(PackageName::new(text).is_ok(), "{text}");
        }
        for text in ["1:9.2p1-2+deb12u3", "2.36-9+deb12u7~bpo1", "v1.2.3", "1!2.0"] {
            assert!(PackageVersion::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn printable_text_has_no_terminal_escapes() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}", 80), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable("abcdef", 3), "abc…");
    }
}

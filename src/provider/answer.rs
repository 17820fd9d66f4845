//! What providers and the machines behind them answer, checked: all of it may be hostile.

/// Longest reference or key.
const MAX_REF: usize = 256;
/// Longest address: a host name.
const MAX_ADDRESS: usize = 253;
/// Longest host key: RSA of 16384 bits has less than 3000 characters.
const MAX_HOST_KEY: usize = 8192;

/// A reference or a key that cannot be taken for an option or for anything but one word.
pub(super) fn reference(text: &str) -> Option<&str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@' | '+' | '=');
    let valid = !text.is_empty() && text.len() <= MAX_REF && !text.starts_with('-') && text.chars().all(fine);
    valid.then_some(text)
}

/// Where to connect: a host name or an address.
pub(super) fn address(text: &str) -> Option<&str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':');
    (starts && text.len() <= MAX_ADDRESS && text.chars().all(fine)).then_some(text)
}

/// `TYPE BASE64`, as in known_hosts.
pub(super) fn host_key(text: &str) -> Option<&str> {
    let (kind, key) = text.split_once(' ')?;
    let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| kind.starts_with(prefix));
    let is_kind = known && kind.len() <= 64 && kind.chars().all(|c| c.is_ascii_alphanumeric() || "-@.".contains(c));
    let is_key = key.len() >= 16 && key.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    (is_kind && is_key && text.len() <= MAX_HOST_KEY).then_some(text)
}

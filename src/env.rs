//! The only reader of clock, randomness, environment variables and home directory.
//!
//! Everything else gets these values as arguments, so that a plan or a trace can be repeated.
#![expect(clippy::disallowed_methods, reason = "this is the one room that may ask the machine")]

use std::path::PathBuf;

use jiff::Timestamp;

/// The time now.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// An environment variable, if it is set to valid text.
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// Eight random bytes from the kernel, as hexadecimal text (campaign ids, temporary names).
pub fn random_hex() -> std::io::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Who runs this program: `$SUDO_USER`, else `$USER`, else `$LOGNAME`.
pub fn operator() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| var(name).filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

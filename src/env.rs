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

/// The file of this program, to start it again.
pub fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// How many processors this process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// The folder for temporary files.
pub fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// Eight random bytes from the kernel, as hexadecimal text (campaign ids, temporary names).
pub fn random_hex() -> std::io::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Who runs this program: `$SUDO_USER`, else the name of the user whose process it is, else the user's number.
pub fn operator() -> String {
    if let Some(user) = var("SUDO_USER").filter(|user| !user.is_empty()) {
        return crate::model::printable(&user, 64);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next().map(str::to_owned));
    let Some(uid) = uid else {
        return var("USER").filter(|user| !user.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    });
    name.unwrap_or(format!("uid {uid}"))
}

//! The plan file: canonical JSON, named by its digest; a file that differs in one byte is refused.
//!
//! ```text
//! {"switchback_plan":1,"digest":"SHA-256 of the plan's bytes","plan":{...}}\n
//! ```

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::{PLAN_FORMAT, Plan};
use crate::model::{Digest, printable};

/// The digest of a plan's canonical JSON: its name.
pub type PlanId = Digest;

/// No plan file is larger; ten times what ten thousand hosts with a hundred findings each need.
pub const MAX_PLAN_BYTES: u64 = 2 << 30;

/// The fields in front of the plan; the length of the format's digits varies.
const HEAD: &str = "{\"switchback_plan\":";
const DIGEST: &str = ",\"digest\":\"";
const PLAN: &str = "\",\"plan\":";
const TAIL: &str = "}\n";
const DIGEST_LENGTH: usize = 64;

/// Why a plan file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The bytes could not be read or written.
    #[error("plan file could not be read or written")]
    Io(#[from] io::Error),
    /// Larger than any plan.
    #[error("plan file is larger than {} bytes", MAX_PLAN_BYTES)]
    TooLarge,
    /// Something else.
    #[error("file is not a plan: it does not start with `{HEAD}...`")]
    NotAPlan,
    /// Made by a program that writes another format.
    #[error("plan file has format {found}, this program reads format {}", PLAN_FORMAT)]
    Format {
        /// The format it has.
        found: String,
    },
    /// The end is missing.
    #[error("plan file ends before its plan does")]
    Truncated,
    /// There is more behind the plan.
    #[error("plan file goes on behind its plan")]
    TrailingData,
    /// The content is not what its digest names.
    #[error("plan file was changed after it was made: it names {named}, its content {actual}")]
    Changed {
        /// As written in the file.
        named: String,
        /// Of what the file holds.
        actual: String,
    },
    /// Its digest is right, and yet it is not a plan of this format.
    #[error("plan file holds no valid plan: {0}")]
    Invalid(String),
}

impl PlanFileError {
    /// The kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "plan-io",
            Self::TooLarge => "plan-too-large",
            Self::NotAPlan => "not-a-plan",
            Self::Format { .. } => "plan-format",
            Self::Truncated => "plan-truncated",
            Self::TrailingData => "plan-trailing-data",
            Self::Changed { .. } => "plan-changed",
            Self::Invalid(_) => "plan-invalid",
        }
    }

    /// What helps.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Io(_) => "check the path and its permissions",
            Self::TooLarge | Self::NotAPlan => "give the file that `switchback plan -o` wrote",
            Self::Format { .. } => "make the plan again with this version of the program",
            Self::Truncated => "copy the file again, or make the plan again",
            Self::TrailingData | Self::Changed { .. } | Self::Invalid(_) => {
                "plans are not edited: change the policy or the inventory and make the plan again"
            }
        }
    }
}

/// The digest that names the plan.
pub fn plan_id(plan: &Plan) -> Result<PlanId, PlanFileError> {
    let mut hash = Hash::default();
    serde_json::to_writer(&mut hash, plan).map_err(io::Error::from)?;
    Ok(hash.finish())
}

/// Writes the file and returns the plan's name.
pub fn write_plan(plan: &Plan, mut out: impl Write) -> Result<PlanId, PlanFileError> {
    let id = plan_id(plan)?;
    write!(out, "{HEAD}{PLAN_FORMAT}{DIGEST}{id}{PLAN}")?;
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    serde_json::to_writer(&mut out, plan).map_err(io::Error::from)?;
    out.write_all(TAIL.as_bytes())?;
    out.flush()?;
    Ok(id)
}

/// The file of a plan whose canonical JSON is at hand.
pub fn plan_file(canonical: &[u8]) -> Vec<u8> {
    let head = format!("{HEAD}{PLAN_FORMAT}{DIGEST}{}{PLAN}", Digest::of(canonical));
    [head.as_bytes(), canonical, TAIL.as_bytes()].concat()
}

/// Reads a file that [`write_plan`] wrote, and refuses every other.
pub fn read_plan(input: impl Read) -> Result<(PlanId, Plan), PlanFileError> {
    read_limited(input, MAX_PLAN_BYTES)
}

fn read_limited(input: impl Read, limit: u64) -> Result<(PlanId, Plan), PlanFileError> {
    let mut bytes = Vec::new();
    input.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(PlanFileError::TooLarge);
    }
    let (named, body) = frame(&bytes)?;
    let actual = Digest::of(body);
    if actual.to_string() != named {
        return Err(why_changed(&bytes, named, &actual));
    }
    let plan: Plan =
        serde_json::from_slice(body).map_err(|e| PlanFileError::Invalid(printable(&e.to_string(), 300)))?;
    if plan.format != PLAN_FORMAT {
        return Err(PlanFileError::Format { found: plan.format.to_string() });
    }
    // The same plan has one spelling only: what was read must be what would be written.
    let mut same = SameAs { rest: body };
    if serde_json::to_writer(&mut same, &plan).is_err() || !same.rest.is_empty() {
        return Err(PlanFileError::Invalid("it is not in canonical form".to_owned()));
    }
    Ok((actual, plan))
}

/// The digest as written, and the bytes of the plan.
fn frame(bytes: &[u8]) -> Result<(&str, &[u8]), PlanFileError> {
    let cut =
        |rest: &[u8], part: &str| if part.as_bytes().starts_with(rest) { Some(PlanFileError::Truncated) } else { None };
    let changed = || PlanFileError::Changed { named: "another plan".to_owned(), actual: "is damaged".to_owned() };
    let Some(rest) = bytes.strip_prefix(HEAD.as_bytes()) else {
        return Err(cut(bytes, HEAD).unwrap_or(PlanFileError::NotAPlan));
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (format, rest) = rest.split_at(digits);
    if format != PLAN_FORMAT.to_string().as_bytes() || rest.first().is_some_and(|&b| b != b',') {
        if rest.is_empty() && digits == 0 {
            return Err(PlanFileError::Truncated);
        }
        let found = &bytes[HEAD.len()..bytes.len().min(HEAD.len() + digits.clamp(1, 20))];
        return Err(PlanFileError::Format { found: printable(&String::from_utf8_lossy(found), 20) });
    }
    let Some(rest) = rest.strip_prefix(DIGEST.as_bytes()) else {
        return Err(cut(rest, DIGEST).unwrap_or_else(changed));
    };
    let Some((named, rest)) = rest.split_at_checked(DIGEST_LENGTH) else { return Err(PlanFileError::Truncated) };
    let named = std::str::from_utf8(named).map_err(|_| changed())?;
    let Some(rest) = rest.strip_prefix(PLAN.as_bytes()) else {
        return Err(cut(rest, PLAN).unwrap_or_else(changed));
    };
    match rest.strip_suffix(TAIL.as_bytes()) {
        Some(body) => Ok((named, body)),
        None => Err(why_changed(bytes, named, &Digest::of(rest))),
    }
}

/// Tells a file that is cut off or goes on from one that was edited.
fn why_changed(bytes: &[u8], named: &str, actual: &Digest) -> PlanFileError {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        // What is cut off inside a number or a word is no end of file for the parser, but an error at its last byte.
        Some(Err(error)) if error.is_eof() || error.column() >= bytes.len() => PlanFileError::Truncated,
        Some(Ok(_)) if bytes.get(values.byte_offset()..) == Some(b"") => PlanFileError::Truncated,
        Some(Ok(_)) if bytes.get(values.byte_offset()..) != Some(b"\n") => PlanFileError::TrailingData,
        _ => PlanFileError::Changed { named: printable(named, DIGEST_LENGTH), actual: actual.to_string() },
    }
}

/// Hashes what is written to it.
#[derive(Default)]
struct Hash(Sha256);

impl Hash {
    fn finish(self) -> Digest {
        Digest::from(<[u8; 32]>::from(self.0.finalize()))
    }
}

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compares what is written to it with what is there already.
struct SameAs<'a> {
    rest: &'a [u8],
}

impl Write for SameAs<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest = self.rest.strip_prefix(bytes).ok_or_else(|| io::Error::other("differs"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

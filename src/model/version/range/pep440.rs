//! PEP 440's specifiers: `>=1.2,!=1.3.*,~=1.2.1`. Pre-releases are in wherever the order says so.

use crate::model::version::number::Number;
use crate::model::version::pep440::{self, Pep440};

/// One specifier; its version was read once already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Specifier {
    operator: Operator,
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Identical,
    Compatible,
    Equal,
    EqualPrefix,
    Unequal,
    UnequalPrefix,
    AtMost,
    AtLeast,
    Less,
    Greater,
}

/// Longer ones first.
const OPERATORS: [(&str, Operator); 8] = [
    ("===", Operator::Identical),
    ("~=", Operator::Compatible),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

pub(super) fn parse(text: &str) -> Result<Vec<Specifier>, &'static str> {
    text.split(',').map(str::trim_ascii).filter(|text| !text.is_empty()).map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Specifier, &'static str> {
    let found = OPERATORS.iter().find_map(|&(sign, operator)| Some((operator, text.strip_prefix(sign)?.trim_ascii())));
    let (mut operator, mut version) = found.ok_or("a specifier starts with ===, ~=, ==, !=, <=, >=, < or >")?;
    if operator == Operator::Identical {
        let fine = !version.is_empty() && !version.contains(|c: char| c.is_whitespace() || c == ';' || c == ')');
        return if fine { Ok(Specifier { operator, version: version.to_owned() }) } else { Err("=== needs one word") };
    }
    if let Some(prefix) = version.strip_suffix(".*") {
        operator = match operator {
            Operator::Equal => Operator::EqualPrefix,
            Operator::Unequal => Operator::UnequalPrefix,
            _ => return Err("only == and != take a prefix (.*)"),
        };
        version = prefix;
        let (_, rest) = pep440::start(version)?;
        if !rest.is_empty() {
            return Err("only numbers may stand before .*");
        }
    }
    let parsed = pep440::parse(version)?;
    if parsed.local.is_some() && !matches!(operator, Operator::Equal | Operator::Unequal) {
        return Err("only ==, != and === take a local part");
    }
    if operator == Operator::Compatible && pep440::start(version)?.0.1.len() < 2 {
        return Err("~= needs two numbers at least");
    }
    Ok(Specifier { operator, version: version.to_owned() })
}

pub(super) fn contains(specifiers: &[Specifier], version: &str) -> Result<bool, &'static str> {
    for specifier in specifiers {
        if !specifier.contains(version)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Specifier {
    fn contains(&self, text: &str) -> Result<bool, &'static str> {
        if self.operator == Operator::Identical {
            return Ok(text.trim_ascii().to_lowercase() == self.version.to_lowercase());
        }
        let (version, wanted) = (pep440::parse(text)?, pep440::parse(&self.version)?);
        let ((epoch, numbers), _) = pep440::start(&self.version)?;
        Ok(match self.operator {
            Operator::EqualPrefix => version.has_prefix(epoch, &numbers),
            Operator::UnequalPrefix => !version.has_prefix(epoch, &numbers),
            Operator::Equal => equal(version, &wanted),
            Operator::Unequal => !equal(version, &wanted),
            Operator::Compatible => compatible(version.public(), epoch, &numbers, &wanted),
            Operator::AtMost => version.public() <= wanted,
            Operator::AtLeast => version.public() >= wanted,
            // `<2` means before anything of 2, its pre-releases too; `>2` likewise its post-releases.
            Operator::Less => {
                version < wanted
                    && (wanted.is_pre_release() || !version.is_pre_release() || !version.same_release(&wanted))
            }
            Operator::Greater => {
                let version = version.public();
                version > wanted && (wanted.post.is_some() || version.post.is_none() || !version.same_release(&wanted))
            }
            Operator::Identical => false,
        })
    }
}

/// The local part counts only where it is asked for.
fn equal(version: Pep440<'_>, wanted: &Pep440<'_>) -> bool {
    if wanted.local.is_some() { version == *wanted } else { version.public() == *wanted }
}

fn compatible(version: Pep440<'_>, epoch: Number<'_>, numbers: &[Number<'_>], wanted: &Pep440<'_>) -> bool {
    version >= *wanted && version.has_prefix(epoch, &numbers[..numbers.len().saturating_sub(1)])
}

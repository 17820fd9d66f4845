//! Semantic Versioning's order, for any count of numbers and of any length; `v` before and build metadata behind say nothing.

use super::number::{Number, without_zeroes};

/// What decides the order, in the order of its weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Semver<'t> {
    numbers: Vec<Number<'t>>,
    stage: Stage<'t>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage<'t> {
    Pre(Vec<Identifier<'t>>),
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier<'t> {
    Number(Number<'t>),
    Text(&'t str),
}

/// The texts of the numbers and of the stage; without build metadata.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let text = text.trim_ascii();
    let text = text.trim_start_matches('=').trim_ascii_start();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    if build.is_some_and(|build| identifiers(build).is_none()) {
        return Err("the build metadata has a character other than letters, digits, `-` and `.`");
    }
    Ok(text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre))))
}

/// Dot-separated identifiers, none of them empty.
pub(super) fn identifiers(text: &str) -> Option<Vec<Identifier<'_>>> {
    let identifier = |part| match part {
        "" => None,
        part => match Number::new(part) {
            Some(number) => Some(Identifier::Number(number)),
            None if part.bytes().all(|b: u8| b.is_ascii_alphanumeric() || b == b'-') => Some(Identifier::Text(part)),
            None => None,
        },
    };
    text.split('.').map(identifier).collect()
}

pub(super) fn parse(text: &str) -> Result<Semver<'_>, &'static str> {
    let (numbers, pre) = split(text)?;
    let numbers: Option<Vec<_>> = numbers.split('.').map(Number::new).collect();
    let numbers = without_zeroes(numbers.ok_or("numbers with dots between them must come first")?);
    let stage = match pre {
        Some(pre) => Stage::Pre(
            identifiers(pre).ok_or("the pre-release must be letters, digits and `-` with dots between, none empty")?,
        ),
        None => Stage::Release,
    };
    Ok(Semver { numbers, stage })
}

/// What a reader to the letter would say of a version with at most this many numbers.
pub(super) fn warning(text: &str, most: usize) -> Option<&'static str> {
    let (numbers, pre) = split(text).ok()?;
    let leading_zero = |part: &str| part.len() > 1 && part.starts_with('0') && Number::new(part).is_some();
    if numbers.split('.').count() > most {
        Some("it has more numbers than its ecosystem knows")
    } else if numbers.split('.').chain(pre.unwrap_or_default().split('.')).any(leading_zero) {
        Some("a number has a leading zero")
    } else {
        None
    }
}

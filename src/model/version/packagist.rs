//! Composer's version order: PHP's `version_compare`, with what is not written counting as zero.

use super::number::{Number, split_run};

/// Composer pads to this many numbers.
const NUMBERS: usize = 4;
const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// The parts that decide, least first where they differ in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part<'t> {
    /// Words that PHP does not know, branches among them; all alike.
    Unknown,
    Dev,
    Alpha,
    Beta,
    Rc,
    End,
    Number(Number<'t>),
    Patch,
}

pub(super) type Composer<'t> = Vec<Part<'t>>;

pub(super) fn parse(text: &str) -> Result<Composer<'_>, &'static str> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err("it is empty");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+#~@/".contains(&b)) {
        return Err("it has a character other than letters, digits and . _ - + # ~ @ /");
    }
    let (text, _) = text.split_once('+').unwrap_or((text, ""));
    let mut rest = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (digits, behind) = split_run(rest, u8::is_ascii_digit);
        if let Some(number) = Number::new(digits) {
            parts.push(Part::Number(number));
            rest = behind;
            continue;
        }
        let (word, behind) = split_run(rest, |b| !b.is_ascii_digit() && !SEPARATORS.contains(&char::from(*b)));
        match word {
            "" => {
                rest = &rest[1..];
                continue;
            }
            // PHP's sign for any number: before a word it adds nothing, elsewhere it reads as one.
            "#" => {
                let word_follows = behind.trim_start_matches(SEPARATORS).starts_with(|c: char| c.is_ascii_alphabetic());
                parts.extend((!word_follows).then_some(Part::Number(Number::ONE)));
            }
            // Says what is so without it.
            "stable" => {}
            // A branch counts above its releases.
            "x" => parts.extend(Number::new("9999999").map(Part::Number)),
            word => parts.push(known(word)),
        }
        rest = behind;
    }
    let numbers = parts.iter().take_while(|part| matches!(part, Part::Number(_))).count();
    if numbers > 0 {
        parts.splice(numbers..numbers, (numbers..NUMBERS).map(|_| Part::Number(Number::ZERO)));
    }
    if parts.is_empty() {
        return Err("it says nothing");
    }
    parts.push(Part::End);
    Ok(parts)
}

fn known(word: &str) -> Part<'static> {
    const WORDS: [(&str, Part<'static>); 5] =
        [("dev", Part::Dev), ("a", Part::Alpha), ("b", Part::Beta), ("rc", Part::Rc), ("p", Part::Patch)];
    let word = word.to_ascii_lowercase();
    WORDS.iter().find(|(start, _)| word.starts_with(start)).map_or(Part::Unknown, |&(_, part)| part)
}

/// What Composer would not take.
pub(super) fn warning(text: &str) -> Option<&'static str> {
    text.contains('#').then_some("`#` stands for any number and is none")
}

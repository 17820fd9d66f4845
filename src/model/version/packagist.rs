//! Composer's version order: PHP's `version_compare`, with what is not written counting as zero.

use super::number::{Number, split_run};

/// Composer pads to this many numbers.
const NUMBERS: usize = 4;

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
    let mut parts = Vec::new();
    let mut rest = text.strip_prefix(['v', 'V']).unwrap_or(text);
    while !rest.is_empty() {
        let (digits, behind) = split_run(rest, u8::is_ascii_digit);
        if let Some(number) = Number::new(digits) {
            parts.push(Some(Part::Number(number)));
            rest = behind;
            continue;
        }
        let (word, behind) = split_run(rest, |b| !b.is_ascii_digit() && !b"._-+".contains(b));
        if word.is_empty() {
            rest = &rest[1..];
            continue;
        }
        match word {
            "#" => parts.push(None),
            // Says what is so without it.
            "stable" => {}
            // A branch counts above its releases.
            "x" => parts.push(Number::new("9999999").map(Part::Number)),
            word => parts.push(Some(known(word))),
        }
        rest = behind;
    }
    Ok(complete(parts))
}

/// Numbers first, padded; then the rest, closed by the end. `#` is PHP's sign for any number: before a word it adds
/// nothing, elsewhere it reads as one.
fn complete(parts: Vec<Option<Part<'_>>>) -> Composer<'_> {
    let one = Number::new("1").map_or(Part::End, Part::Number);
    let mut complete: Vec<Part<'_>> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match (part, parts.get(index + 1)) {
            (Some(part), _) => complete.push(*part),
            (None, Some(Some(Part::Number(_)) | None) | None) => complete.push(one),
            (None, Some(Some(_))) => {}
        }
    }
    let numbers = complete.iter().take_while(|part| matches!(part, Part::Number(_))).count();
    if numbers > 0 {
        complete.splice(numbers..numbers, (numbers..NUMBERS).map(|_| Part::Number(Number::ZERO)));
    }
    complete.push(Part::End);
    complete
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

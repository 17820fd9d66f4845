//! The quoting renderer: the only place where a value becomes shell text.

use super::RenderError;

/// No value is longer than this: the kernel takes at most 128 KiB in one argument.
const MAX_VALUE: usize = 120 * 1024;

/// One POSIX shell word that stands for exactly this value. It is always quoted: there is no list of "safe"
/// characters to get wrong, and `''` stands for the empty value.
pub fn quote(value: &str) -> Result<String, RenderError> {
    check_value(value)?;
    let mut word = String::with_capacity(value.len() + 2);
    word.push('\'');
    for c in value.chars() {
        if c == '\'' {
            word.push_str(r"'\''");
        } else {
            word.push(c);
        }
    }
    word.push('\'');
    Ok(word)
}

/// These values as shell words with a space between. An empty list is an error: `rm -rf {{ nothing }}/x` must not
/// become `rm -rf /x`.
pub fn quote_words<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<String, RenderError> {
    let words = values.into_iter().map(quote).collect::<Result<Vec<_>, _>>()?;
    if words.is_empty() { Err(RenderError::EmptyList) } else { Ok(words.join(" ")) }
}

/// One PowerShell word that stands for exactly this value: PowerShell takes any of five characters for a single quote, and
/// two in a row for one that does not end the word.
pub fn quote_powershell(value: &str) -> Result<String, RenderError> {
    check_value(value)?;
    let mut word = String::with_capacity(value.len() + 2);
    word.push('\'');
    for c in value.chars() {
        word.push(c);
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            word.push(c);
        }
    }
    word.push('\'');
    Ok(word)
}

/// Refuses what no argument or variable of a command may hold.
pub(super) fn check_value(value: &str) -> Result<(), RenderError> {
    if value.len() > MAX_VALUE {
        return Err(RenderError::TooLong { length: value.len(), limit: MAX_VALUE });
    }
    if value.chars().any(char::is_control) {
        return Err(RenderError::ControlCharacter { shown: crate::model::printable(value, 80) });
    }
    Ok(())
}

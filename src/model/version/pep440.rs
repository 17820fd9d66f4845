//! PEP 440's version order: `1!2.0a1.post2.dev3+local.4`.

use super::number::{Number, split_run, without_zeroes};

/// What decides the order, in the order of its weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pep440<'t> {
    pub(super) epoch: Number<'t>,
    /// Without zeroes at the end.
    pub(super) release: Vec<Number<'t>>,
    pre: Pre<'t>,
    pub(super) post: Option<Number<'t>>,
    dev: Dev<'t>,
    pub(super) local: Option<Vec<Local<'t>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre<'t> {
    /// A development release of the release itself is before all its pre-releases.
    Dev,
    A(Number<'t>),
    B(Number<'t>),
    Rc(Number<'t>),
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dev<'t> {
    Number(Number<'t>),
    Release,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Local<'t> {
    Text(String),
    Number(Number<'t>),
}

impl<'t> Pep440<'t> {
    pub(super) fn is_pre_release(&self) -> bool {
        self.pre != Pre::Release || self.dev != Dev::Release
    }

    /// Without the local part.
    pub(super) fn public(self) -> Self {
        Self { local: None, ..self }
    }

    pub(super) fn same_release(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.release == other.release
    }

    /// Whether the first numbers of the release are these, zeroes being what is not written.
    pub(super) fn has_prefix(&self, epoch: Number<'t>, prefix: &[Number<'t>]) -> bool {
        let padded = self.release.iter().chain(std::iter::repeat(&Number::ZERO));
        self.epoch == epoch && padded.zip(prefix).all(|(a, b)| a == b)
    }
}

/// The version's beginning: the epoch, and the numbers of the release as written.
pub(super) type Start<'t> = (Number<'t>, Vec<Number<'t>>);

/// The beginning and what follows it.
pub(super) fn start(text: &str) -> Result<(Start<'_>, &str), &'static str> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (epoch, text) = match text.split_once('!') {
        Some((epoch, rest)) => (Number::new(epoch).ok_or("the epoch is not a number")?, rest),
        None => (Number::ZERO, text),
    };
    let (digits, mut rest) = split_run(text, u8::is_ascii_digit);
    let mut release = vec![Number::new(digits).ok_or("it does not start with a digit")?];
    while let Some((digits, behind)) = rest.strip_prefix('.').map(|rest| split_run(rest, u8::is_ascii_digit)) {
        let Some(number) = Number::new(digits) else { break };
        release.push(number);
        rest = behind;
    }
    Ok(((epoch, release), rest))
}

pub(super) fn parse(text: &str) -> Result<Pep440<'_>, &'static str> {
    let ((epoch, release), rest) = start(text)?;
    let (mut rest, local) = match rest.split_once('+') {
        Some((rest, local)) => (rest, Some(parse_local(local)?)),
        None => (rest, None),
    };
    let letter = take(&mut rest, &PRE);
    let post = match take_implicit_post(&mut rest) {
        Some(number) => Some(number),
        None => take(&mut rest, &POST).map(|(_, number)| number),
    };
    let dev = take(&mut rest, &DEV);
    if !rest.is_empty() {
        return Err("something follows that is no pre, post or dev release and no local part");
    }
    let pre = match letter {
        Some(('a', number)) => Pre::A(number),
        Some(('b', number)) => Pre::B(number),
        Some((_, number)) => Pre::Rc(number),
        None if post.is_none() && dev.is_some() => Pre::Dev,
        None => Pre::Release,
    };
    let dev = dev.map_or(Dev::Release, |(_, number)| Dev::Number(number));
    Ok(Pep440 { epoch, release: without_zeroes(release), pre, post, dev, local })
}

/// Spellings, longer ones first, and what they mean.
const PRE: [(&str, char); 8] =
    [("alpha", 'a'), ("beta", 'b'), ("preview", 'c'), ("pre", 'c'), ("rc", 'c'), ("a", 'a'), ("b", 'b'), ("c", 'c')];
const POST: [(&str, char); 3] = [("post", 'p'), ("rev", 'p'), ("r", 'p')];
const DEV: [(&str, char); 1] = [("dev", 'd')];

/// `[-_.]NAME[-_.]NUMBER`, everything but the name being optional.
fn take<'t>(rest: &mut &'t str, names: &[(&str, char)]) -> Option<(char, Number<'t>)> {
    let separators = ['-', '_', '.'];
    let whole: &'t str = rest;
    let text = whole.strip_prefix(separators).unwrap_or(whole);
    let starts = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let &(name, meaning) = names.iter().find(|(name, _)| starts(name))?;
    let behind = &text[name.len()..];
    let (digits, after) = split_run(behind.strip_prefix(separators).unwrap_or(behind), u8::is_ascii_digit);
    *rest = after;
    Some((meaning, Number::new(digits).unwrap_or_default()))
}

/// `1.0-1` is `1.0.post1`.
fn take_implicit_post<'t>(rest: &mut &'t str) -> Option<Number<'t>> {
    let (digits, after) = split_run(rest.strip_prefix('-')?, u8::is_ascii_digit);
    let number = Number::new(digits)?;
    *rest = after;
    Some(number)
}

fn parse_local(text: &str) -> Result<Vec<Local<'_>>, &'static str> {
    let part = |part| match Number::new(part) {
        Some(number) => Some(Local::Number(number)),
        None if !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Some(Local::Text(part.to_ascii_lowercase()))
        }
        None => None,
    };
    let parts: Option<Vec<_>> = text.split(['-', '_', '.']).map(part).collect();
    parts.ok_or("the local part must be letters and digits with `.`, `-` or `_` between")
}

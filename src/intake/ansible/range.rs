//! Host entries of Ansible inventories: `web[01:10:2].example.com`, `10.0.0.[1:4]`, `db[a:c]`, `host:2222`.

use super::address;
use crate::model::printable;

/// No inventory names more hosts than this.
pub(super) const MAX_HOSTS: usize = 1_000_000;
/// What is told then.
pub(super) const TOO_MANY_HOSTS: &str = "the inventory names 1000000 hosts or more, or hosts ten times as often";
/// Nor more groups.
pub(super) const MAX_GROUPS: usize = 100_000;
/// Every host of a range has its own copy of the variables behind it: together no more than this many bytes.
pub(super) const MAX_SHARED: usize = 512 << 20;

/// All names of one entry have no more bytes.
const MAX_NAMES: usize = 256 << 20;

/// The hosts that an entry names, and the port it gives them.
pub fn expand_host_entry(entry: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = split_port(entry)?;
    Ok((expand(pattern)?, port))
}

/// `HOST:PORT` and `[ADDRESS]:PORT`; what is no address is all name.
fn split_port(entry: &str) -> Result<(&str, Option<u16>), String> {
    if entry.ends_with(':') {
        return Err("the port is missing behind `:`".to_owned());
    }
    let (host, port) = address::parse(entry).unwrap_or((entry, None));
    let number = |port: &str| {
        port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{}` is no port", printable(port, 40)))
    };
    Ok((host, port.map(number).transpose()?))
}

/// Every combination of the ranges, the last one turning fastest. How many and how long they are is known before the
/// first is made: an entry of a few bytes may name more than any memory holds.
fn expand(pattern: &str) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut tail = pattern;
    while let Some((head, rest)) = tail.split_once('[') {
        if head.contains(']') {
            return Err("a `]` has no `[` before it".to_owned());
        }
        let (range, behind) = rest.split_once(']').ok_or("a range has no closing `]`")?;
        parts.push((head, Range::parse(range)?));
        tail = behind;
    }
    let count = parts.iter().fold(1, |count: usize, (_, range)| count.saturating_mul(range.count));
    if count > MAX_HOSTS {
        return Err(format!("more than {MAX_HOSTS} hosts"));
    }
    let longest = tail.len() + parts.iter().map(|(head, range)| head.len() + range.longest()).sum::<usize>();
    if count > 1 && count.saturating_mul(longest) > MAX_NAMES {
        return Err(format!("the names of {count} hosts take more than {} MiB", MAX_NAMES >> 20));
    }
    let mut turns = vec![0; parts.len()];
    let mut hosts = Vec::with_capacity(count);
    for _ in 0..count {
        let mut host = String::new();
        for ((head, range), turn) in parts.iter().zip(&turns) {
            host.push_str(head);
            range.push(*turn, &mut host);
        }
        host.push_str(tail);
        hosts.push(host);
        for ((_, range), turn) in parts.iter().zip(&mut turns).rev() {
            *turn += 1;
            if *turn < range.count {
                break;
            }
            *turn = 0;
        }
    }
    Ok(hosts)
}

/// `begin:end:step` of numbers or letters.
struct Range {
    first: usize,
    step: usize,
    count: usize,
    /// Of numbers, with zeros in front; none for letters.
    width: Option<usize>,
}

impl Range {
    fn parse(range: &str) -> Result<Self, String> {
        let shown = || printable(range, 80);
        let bounds: Vec<&str> = range.split(':').collect();
        let (begin, end, step) = match bounds[..] {
            [begin, end] => (begin, end, "1"),
            [begin, end, step] => (begin, end, step),
            _ => return Err(format!("a range is `begin:end` or `begin:end:step`, not `{}`", shown())),
        };
        let begin = if begin.is_empty() { "0" } else { begin };
        if end.is_empty() {
            return Err(format!("the range `{}` has no end", shown()));
        }
        let whole = step.parse().ok().filter(|step: &usize| *step > 0);
        let step = whole.ok_or_else(|| format!("`{}` is no step", printable(step, 80)))?;
        let width = if begin.len() > 1 && begin.starts_with('0') { begin.len() } else { 0 };
        if width > 0 && width != end.len() {
            return Err(format!("begin and end of `{}` differ in length", shown()));
        }
        if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
            if first > last {
                return Err(format!("the range `{}` ends before it begins", shown()));
            }
            return Ok(Self { first, step, count: (last - first) / step + 1, width: None });
        }
        let number = |text: &str| {
            let number = text.parse::<u32>().map(|number| number as usize);
            number.map_err(|_| format!("`{}` in the range `{}` is no number", printable(text, 80), shown()))
        };
        let (first, last) = (number(begin)?, number(end)?);
        // One that ends before it begins is empty, as Python's is.
        let count = last.checked_sub(first).map_or(0, |span| span / step + 1);
        if count > MAX_HOSTS {
            return Err(format!("the range `{}` names more than {MAX_HOSTS} hosts", shown()));
        }
        Ok(Self { first, step, count, width: Some(width) })
    }

    /// How many bytes its longest value has, or more.
    fn longest(&self) -> usize {
        // A number is at most 4294967295.
        self.width.map_or(1, |width| width.max(10))
    }

    /// Appends its value at a place, from 0.
    fn push(&self, at: usize, out: &mut String) {
        let value = self.first + at * self.step;
        match self.width {
            Some(width) => {
                let digits = value.to_string();
                out.extend(std::iter::repeat_n('0', width.saturating_sub(digits.len())));
                out.push_str(&digits);
            }
            None => out.extend(LETTERS.get(value).map(|&letter| char::from(letter))),
        }
    }
}

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn letter(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [byte] => LETTERS.iter().position(|letter| letter == byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    fn hosts(entry: &str) -> Vec<String> {
        expand_host_entry(entry).unwrap().0
    }

    #[test]
    fn ranges_expand() {
        assert_eq!(hosts("web[01:10:4]"), ["web01", "web05", "web09"]);
        assert_eq!(hosts("10.0.[0:1].[1:2]"), ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"]);
        assert_eq!(hosts("db[y:B]"), ["dby", "dbz", "dbA", "dbB"]);
        assert_eq!(hosts("n[3:1]"), [""; 0]);
        assert_eq!(expand_host_entry("web[1:2]:2222").unwrap(), (vec!["web1".into(), "web2".into()], Some(2222)));
        assert_eq!(expand_host_entry("[2001:db8::1]:22").unwrap(), (vec!["2001:db8::1".into()], Some(22)));
        assert_eq!(expand_host_entry("2001:db8::1").unwrap(), (vec!["2001:db8::1".into()], None));
        for bad in ["w[1:]", "w[a:3]", "w[1]", "w[01:5]", "w[1:3", "w[1:2:0]", "w:", "w:0", "w:99999", "w[c:a]"] {
            assert!(expand_host_entry(bad).is_err(), "{bad}");
        }
        assert!(expand_host_entry("w[0:4294967295]").is_err());
        assert!(expand_host_entry("w[1:9999].[1:9999]").is_err());
        assert_eq!(hosts("[0:999][0:999][0:999][0:999][5:3]"), Vec::<String>::new());
        let long = format!("{}[0:999999]", "a".repeat(1 << 16));
        assert!(expand_host_entry(&long).unwrap_err().contains("take more than 256 MiB"));
        let digits = "0".repeat(1 << 17);
        assert_eq!(hosts(&format!("[{digits}:{digits}]")), [digits]);
        assert_eq!(hosts(&"[0:0]".repeat(100_000)), ["0".repeat(100_000)]);
    }

    proptest! {
        #[test]
        fn no_entry_panics(entry in "[a-c0-3:\\[\\].-]{0,20}") {
            let _ = expand_host_entry(&entry);
        }
    }
}

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

/// The hosts that an entry names, and the port it gives them.
pub fn expand_host_entry(entry: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = split_port(entry)?;
    let mut hosts = Vec::new();
    expand(pattern, &mut hosts)?;
    Ok((hosts, port))
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

/// Expands the first range and then, for every host of it, those behind it.
fn expand(pattern: &str, hosts: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = pattern.split_once('[') else {
        if hosts.len() >= MAX_HOSTS {
            return Err(format!("more than {MAX_HOSTS} hosts"));
        }
        hosts.push(pattern.to_owned());
        return Ok(());
    };
    if head.contains(']') {
        return Err("a `]` has no `[` before it".to_owned());
    }
    let (range, tail) = rest.split_once(']').ok_or("a range has no closing `]`")?;
    for value in range_values(range)? {
        expand(&format!("{head}{value}{tail}"), hosts)?;
    }
    Ok(())
}

fn range_values(range: &str) -> Result<Vec<String>, String> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, "1"),
        [begin, end, step] => (begin, end, step),
        _ => return Err(format!("a range is `begin:end` or `begin:end:step`, not `{range}`")),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(format!("the range `{range}` has no end"));
    }
    let step: usize = step.parse().ok().filter(|step| *step > 0).ok_or_else(|| format!("`{step}` is no step"))?;
    let width = if begin.len() > 1 && begin.starts_with('0') { begin.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err(format!("begin and end of `{range}` differ in length"));
    }
    if let (Some(first), Some(last)) = (letter(begin), letter(end)) {
        if first > last {
            return Err(format!("the range `{range}` ends before it begins"));
        }
        return Ok(LETTERS[first..=last].iter().step_by(step).map(|&b| char::from(b).to_string()).collect());
    }
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` in the range `{range}` is no number"));
    let (first, last) = (number(begin)?, number(end)?);
    if last.checked_sub(first).is_some_and(|count| count as usize / step >= MAX_HOSTS) {
        return Err(format!("the range `{range}` names more than {MAX_HOSTS} hosts"));
    }
    Ok((first..=last).step_by(step).map(|n| format!("{n:0width$}")).collect())
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
    }

    proptest! {
        #[test]
        fn no_entry_panics(entry in "[a-c0-3:\\[\\].-]{0,20}") {
            let _ = expand_host_entry(&entry);
        }
    }
}

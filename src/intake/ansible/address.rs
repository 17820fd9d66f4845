//! What Ansible takes for the address of a host, with ranges in it: it decides whether `a:b` is one host or two patterns.

/// The host and the digits of the port, if a text is a host name, an IPv4 or an IPv6 address, any with ranges.
pub(super) fn parse(text: &str) -> Option<(&str, Option<&str>)> {
    let (mut host, mut port) = (text, None);
    // A port behind brackets, and then one behind a host: Ansible looks for both.
    if let Some((inside, digits)) = host.rsplit_once(':').filter(|(_, port)| digits(port))
        && let Some(inside) = inside.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && !inside.is_empty()
    {
        (host, port) = (inside, Some(digits));
    }
    if let Some((before, digits)) = host.rsplit_once(':').filter(|(_, port)| digits(port))
        && !colon_outside(before)
    {
        (host, port) = (before, Some(digits));
    }
    (is_host_name(host) || is_ipv6(host)).then_some((host, port))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a colon or a bracket is outside of complete brackets.
fn colon_outside(text: &str) -> bool {
    let mut inside = false;
    for c in text.chars() {
        match (c, inside) {
            ('[', false) => inside = true,
            (']', true) => inside = false,
            (']' | ':', false) => return true,
            _ => {}
        }
    }
    inside
}

/// Labels of word characters, `-` and ranges; none starts with `-` or ends with `-` or `_`.
fn is_host_name(text: &str) -> bool {
    let mut rest = text;
    // What a label may end with, and whether one has begun.
    let (mut begun, mut ends) = (false, false);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '.' if begun && ends => {
                (begun, ends) = (false, false);
                rest = &rest[1..];
                continue;
            }
            '[' => match range(rest, alphanumeric) {
                Some(length) => length,
                None => return false,
            },
            '-' if begun => 1,
            c if c.is_alphanumeric() || c == '_' => c.len_utf8(),
            _ => return false,
        };
        (begun, ends) = (true, !matches!(c, '-' | '_'));
        rest = &rest[length..];
    }
    begun && ends
}

fn alphanumeric(begin: &str, end: &str) -> bool {
    let letter = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_alphabetic());
    (letter(begin) && letter(end)) || (digits(begin) && digits(end))
}

fn hexadecimal(begin: &str, end: &str) -> bool {
    [begin, end].iter().all(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The length of `[begin:end]` or `[begin:end:step]` at the start of a text.
fn range(text: &str, bounds: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let inside = text.strip_prefix('[')?.split_once(']')?.0;
    let mut parts = inside.split(':');
    let (begin, end, step) = (parts.next()?, parts.next()?, parts.next());
    let fine = bounds(begin, end) && step.is_none_or(digits) && parts.next().is_none();
    fine.then_some(inside.len() + 2)
}

/// Groups of hexadecimal digits or ranges, with at most one `::`, or with an IPv4 address at the end.
fn is_ipv6(text: &str) -> bool {
    let mut groups = 0usize;
    let mut gap = None;
    let mut rest = text;
    loop {
        if let Some(behind) = rest.strip_prefix("::") {
            if gap.replace(groups).is_some() {
                return false;
            }
            rest = behind;
        } else if groups > 0 {
            match rest.strip_prefix(':') {
                Some(behind) => rest = behind,
                None => return rest.is_empty() && (groups == 8 || (gap.is_some() && groups <= 7)),
            }
        }
        if rest.is_empty() {
            return gap == Some(groups) && groups <= 7;
        }
        if rest.contains('.') && rest.split('.').count() == 4 && !rest.contains(':') {
            let mapped = rest.split('.').all(|part| hexadecimal(part, part) && part.len() <= 4);
            return mapped && (groups == 6 || gap == Some(0) && groups <= 1);
        }
        let length = match rest.strip_prefix('[') {
            Some(_) => range(rest, hexadecimal),
            None => Some(rest.bytes().take_while(u8::is_ascii_hexdigit).count()).filter(|n| (1..=4).contains(n)),
        };
        match length {
            Some(length) => rest = &rest[length..],
            None => return false,
        }
        groups += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ports_are_behind() {
        for (text, host, port) in [
            ("a:22", "a", Some("22")),
            ("[a]:22", "a", Some("22")),
            ("[::1]:22", "::1", Some("22")),
            ("web[1:3]:22", "web[1:3]", Some("22")),
            ("fe80::1:22", "fe80::1:22", None),
            ("web[1:3]", "web[1:3]", None),
        ] {
            assert_eq!(parse(text), Some((host, port)), "{text}");
        }
    }

    #[test]
    fn addresses_are_what_ansible_takes_for_them() {
        for text in [
            "web",
            "web-1",
            "_a",
            "a.b.c",
            "web:22",
            "web[1:3]",
            "web[a:c].x",
            "web[01:10:2]:22",
            "10.0.0.1",
            "10.0.0.[1:4]:22",
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "[2001:db8::1]:22",
            "2001:db8::[1:f]",
            "1:2:3:4:5:6:7:8",
            "::ffff:192.0.2.1",
            "é",
            "fe80::1",
            "[web]:22",
            "a:1",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "a:b",
            "a:&b",
            "a:!b",
            "web*",
            "-a",
            "a-",
            "a_",
            "a..b",
            ".a",
            "a.",
            "web[1]",
            "web[1:a]",
            "web[1:2",
            "a,b",
            "~x",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            "12345::",
            "[::1]",
            "a b",
            "web[0]:db[0]",
            ":",
            "a:",
            "web[aa:bb]",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-c0-3:\\[\\].é-]{0,20}") {
            let _ = parse(&text);
        }
    }
}

//! Package URLs: one text that names a package of any ecosystem.

use std::collections::BTreeMap;

/// A package URL, `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`, decoded; its subpath is not kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purl {
    /// `deb`, `rpm`, `npm`, ... in lower case.
    pub kind: String,
    /// Whose it is: a distribution, a scope, a group; none where the type has none.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// The version; none means any.
    pub version: Option<String>,
    /// `arch`, `distro`, `repository_url`, ... by name in lower case.
    pub qualifiers: BTreeMap<String, String>,
}

/// No package URL of a real package is longer.
const MAX_BYTES: usize = 2048;
/// ... or has more qualifiers.
const MAX_QUALIFIERS: usize = 16;

impl Purl {
    /// Reads a package URL; none where the text is not one, or names no package.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("pkg:").filter(|_| text.len() <= MAX_BYTES)?;
        let rest = rest.trim_start_matches('/');
        let rest = rest.split_once('#').map_or(rest, |(rest, _subpath)| rest);
        let (rest, written) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        let is_type = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        if kind.is_empty() || !kind.chars().all(is_type) {
            return None;
        }
        let kind = kind.to_ascii_lowercase();
        let rest = rest.trim_matches('/');
        // The `@` of a scope stands in front of a `/`: a version has none unless it is encoded.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !version.contains('/') && !path.ends_with('/') => {
                (path, Some(decode(version)?).filter(|version| !version.is_empty()))
            }
            _ => (rest, None),
        };
        let parts = path.split('/').filter(|part| !part.is_empty()).map(decode).collect::<Option<Vec<_>>>()?;
        let (name, namespace) = parts.split_last()?;
        // `pkg:maven/@1.3.4` has a version and no name.
        if name.is_empty() || (name.starts_with('@') && namespace.is_empty()) {
            return None;
        }
        let mut qualifiers = BTreeMap::new();
        for (key, value) in written.split('&').filter_map(|pair| pair.split_once('=')).take(MAX_QUALIFIERS) {
            qualifiers.insert(key.to_ascii_lowercase(), decode(value)?);
        }
        Some(Self {
            namespace: (!namespace.is_empty()).then(|| namespace.join("/")),
            name: name.clone(),
            version,
            qualifiers,
            kind,
        })
    }

    /// The package as its own ecosystem names it.
    pub fn package_name(&self) -> String {
        match (self.kind.as_str(), &self.namespace) {
            // The namespace is the distribution, not a part of the name.
            ("deb" | "rpm" | "apk" | "alpm", _) | (_, None) => self.name.clone(),
            ("maven", Some(group)) => format!("{group}:{}", self.name),
            (_, Some(namespace)) => format!("{namespace}/{}", self.name),
        }
    }

    /// Its name in the form of [`package_key`].
    pub fn package_key(&self) -> String {
        package_key(&self.kind, &self.package_name())
    }

    /// Whether the type is a distribution's, so that the namespace says which one.
    pub fn is_of_distribution(&self) -> bool {
        matches!(self.kind.as_str(), "deb" | "rpm" | "apk" | "alpm")
    }
}

/// A package name in the form in which two names of one package are equal.
pub fn package_key(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        "pypi" => {
            let mut key = String::with_capacity(name.len());
            for c in name.chars() {
                match c {
                    '-' | '_' | '.' if key.ends_with('-') => {}
                    '-' | '_' | '.' => key.push('-'),
                    c => key.extend(c.to_lowercase()),
                }
            }
            key
        }
        "npm" | "golang" | "composer" | "deb" | "apk" | "alpm" | "nuget" => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// Percent-decodes; none where it would not be text.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, String, Option<String>) {
        let purl = Purl::parse(text).unwrap();
        (purl.kind, purl.namespace, purl.name, purl.version)
    }

    #[test]
    fn package_urls_are_taken_apart() {
        let of = |kind: &str, ns: &str, name: &str, version: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (kind.to_owned(), some(ns), name.to_owned(), some(version))
        };
        assert_eq!(parts("pkg:apk/wolfi/git@2.39.0-r1?arch=armv7"), of("apk", "wolfi", "git", "2.39.0-r1"));
        assert_eq!(parts("pkg:npm/%40babel/core@7.0.0"), of("npm", "@babel", "core", "7.0.0"));
        assert_eq!(parts("pkg:npm/@babel/core"), of("npm", "@babel", "core", ""));
        assert_eq!(parts("pkg:deb/debian/openssl@1%3A1.1~x%2B1"), of("deb", "debian", "openssl", "1:1.1~x+1"));
        assert_eq!(parts("pkg:PyPI/Typing_Extensions@4"), of("pypi", "", "Typing_Extensions", "4"));
        assert_eq!(parts("pkg:golang/helm.sh/helm/v3#cmd"), of("golang", "helm.sh/helm", "v3", ""));
        let oci = Purl::parse("pkg:oci/trivy@sha256%3Aabc?repository_url=ghcr.io%2Faquasecurity/trivy").unwrap();
        assert_eq!(oci.qualifiers["repository_url"], "ghcr.io/aquasecurity/trivy");
        assert_eq!(oci.version.as_deref(), Some("sha256:abc"));
        for wrong in ["", "pkg:", "pkg:npm", "pkg:npm/", "pkg:maven/@1.3.4", "cpe:/o:x:y", "pkg:a b/c", "pkg:deb/%ff"] {
            assert_eq!(Purl::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Purl::parse(&format!("pkg:npm/{}", "a".repeat(1 << 20))), None);
    }

    #[test]
    fn names_are_those_of_the_ecosystem() {
        let key = |text: &str| Purl::parse(text).unwrap().package_key();
        assert_eq!(key("pkg:maven/org.apache.logging.log4j/log4j-core@2"), "org.apache.logging.log4j:log4j-core");
        assert_eq!(key("pkg:rpm/redhat/kernel?arch=src"), "kernel");
        assert_eq!(key("pkg:golang/github.com/Rancher/rancher"), "github.com/rancher/rancher");
        assert_eq!(package_key("pypi", "Typing.Extensions__x"), key("pkg:pypi/typing-extensions_x"));
        assert_eq!(Purl::parse("pkg:golang/github.com/Rancher/x").unwrap().package_name(), "github.com/Rancher/x");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "pkg:[a-z/@%?#&=0-9é]{0,40}") {
            let _ = Purl::parse(&text);
        }
    }
}

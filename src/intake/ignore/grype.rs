//! The `ignore` rules of Grype's configuration: all that a rule says must hold.

use serde::Deserialize;

use super::comments;
use super::read::{IgnoreRule, IgnoredPackage, Read, reason};
use crate::diagnostic::Diagnostics;
use crate::model::printable;
use crate::yaml::{self, Size, Spanned};

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFile {
    ignore: Option<Vec<Spanned<RawRule>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RawRule {
    vulnerability: Option<String>,
    reason: Option<String>,
    namespace: Option<String>,
    fix_state: Option<String>,
    package: Option<RawPackage>,
    vex_status: Option<String>,
    vex_justification: Option<String>,
    match_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct RawPackage {
    name: Option<String>,
    version: Option<String>,
    language: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    location: Option<String>,
    upstream_name: Option<String>,
}

/// Package types of Grype by the type of the package URL.
pub(super) const TYPES: &[(&str, &str)] = &[
    ("apk", "apk"),
    ("deb", "deb"),
    ("rpm", "rpm"),
    ("alpm", "alpm"),
    ("npm", "npm"),
    ("python", "pypi"),
    ("gem", "gem"),
    ("go-module", "golang"),
    ("java-archive", "maven"),
    ("rust-crate", "cargo"),
    ("php-composer", "composer"),
    ("dotnet", "nuget"),
    ("conan", "conan"),
    ("pod", "cocoapods"),
    ("swift", "swift"),
    ("dart-pub", "pub"),
    ("hex", "hex"),
    ("conda", "conda"),
    ("github-action", "github"),
    ("bitnami", "bitnami"),
];

/// The package type of Grype for the type of a package URL.
pub fn grype_type(ecosystem: &str) -> Option<&'static str> {
    TYPES.iter().find(|(_, kind)| *kind == ecosystem).map(|(name, _)| *name)
}

pub(super) fn read(read: &mut Read<'_>, diagnostics: &mut Diagnostics) -> &'static str {
    const FORMAT: &str = "grype";
    let Some(Some(file)) = yaml::parse::<Option<RawFile>>(read.source, Size::Small, diagnostics) else { return FORMAT };
    let heading = comments::heading(&read.source.text, "ignore");
    for raw in file.ignore.unwrap_or_default() {
        match rule(raw.value) {
            Ok(found) => {
                if let Some(id) = &found.vulnerability
                    && read.id(raw.offset, id).is_none()
                {
                    continue;
                }
                read.rule(raw.offset, IgnoreRule { heading: heading.clone(), ..found });
            }
            Err((what, why)) => read.leave_out(raw.offset, &what, why),
        }
    }
    FORMAT
}

/// What a rule says, or what it is and why that cannot be said here.
fn rule(raw: RawRule) -> Result<IgnoreRule, (String, String)> {
    let some = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let package = raw.package.unwrap_or_default();
    let (vulnerability, name) = (some(raw.vulnerability), some(package.name));
    let location = some(package.location);
    let what = vulnerability.clone().or_else(|| name.clone()).or_else(|| location.clone());
    let what = what.unwrap_or_else(|| "a rule".to_owned());
    let refuse = |why: String| Err((what.clone(), why));
    if location.is_some() {
        return refuse("it holds for some `location` only, and an exception cannot ask for a path".to_owned());
    }
    if some(raw.vex_status).is_some() || some(raw.vex_justification).is_some() {
        return refuse("it is about statements of VEX: name the documents in `vex:`".to_owned());
    }
    for (key, value) in
        [("namespace", raw.namespace), ("match-type", raw.match_type), ("package.upstream-name", package.upstream_name)]
    {
        if some(value).is_some() {
            return refuse(format!("an exception cannot ask for `{key}`"));
        }
    }
    let ecosystem = match some(package.kind) {
        None => None,
        Some(kind) => match TYPES.iter().find(|(known, _)| *known == kind) {
            Some((_, ecosystem)) => Some((*ecosystem).to_owned()),
            None => return refuse(format!("the package type `{}` is not known", printable(&kind, 40))),
        },
    };
    let ecosystem = match (ecosystem, some(package.language)) {
        (ecosystem @ Some(_), _) | (ecosystem, None) => ecosystem,
        (None, Some(language)) => {
            const LANGUAGES: [(&str, &str); 8] = [
                ("go", "golang"),
                ("java", "maven"),
                ("javascript", "npm"),
                ("python", "pypi"),
                ("ruby", "gem"),
                ("rust", "cargo"),
                ("php", "composer"),
                ("dotnet", "nuget"),
            ];
            match LANGUAGES.iter().find(|(known, _)| *known == language) {
                Some((_, ecosystem)) => Some((*ecosystem).to_owned()),
                None => return refuse(format!("the language `{}` is not known", printable(&language, 40))),
            }
        }
    };
    let name = match name.as_deref().map(glob) {
        None => None,
        Some(Some(glob)) => Some(glob),
        Some(None) => {
            return refuse("the name of its package is a regular expression that `*` cannot express".to_owned());
        }
    };
    let fix_available = match some(raw.fix_state).as_deref() {
        None => None,
        Some("fixed") => Some(true),
        Some("not-fixed" | "wont-fix" | "unknown") if vulnerability.is_some() || name.is_some() => Some(false),
        Some("not-fixed" | "wont-fix" | "unknown") => {
            return refuse("what has no fix opens no work, without any exception".to_owned());
        }
        Some(other) => return refuse(format!("the fix state `{}` is not known", printable(other, 40))),
    };
    let package = IgnoredPackage { name, ecosystem, os: None, installed: some(package.version) };
    let packages = if package == IgnoredPackage::default() { Vec::new() } else { vec![package] };
    if vulnerability.is_none() && packages.iter().all(|package| package.name.is_none()) {
        return refuse("it names neither a vulnerability nor a package".to_owned());
    }
    let own = raw.reason.as_deref().and_then(reason);
    Ok(IgnoreRule { vulnerability, packages, fix_available, reason: own, ..IgnoreRule::default() })
}

/// A regular expression for a whole name as a pattern with `*`, where it says nothing else.
fn glob(regex: &str) -> Option<String> {
    let regex = regex.strip_prefix('^').unwrap_or(regex);
    let regex = regex.strip_suffix('$').unwrap_or(regex);
    let mut glob = String::new();
    let mut chars = regex.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '.' if chars.peek() == Some(&'*') => {
                chars.next();
                glob.push('*');
            }
            // Any one character, which in names is meant to be this one.
            '.' => glob.push('.'),
            '\\' => glob.push(chars.next().filter(|c| !c.is_alphanumeric() && !matches!(c, '*' | '?'))?),
            '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            c => glob.push(c),
        }
    }
    (!glob.is_empty() && glob != "*").then_some(glob)
}

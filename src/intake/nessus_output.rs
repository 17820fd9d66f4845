//! What a plugin of Nessus or OpenVAS found, in its own words: `Remote package installed : x-1.2`, `Fixed version: 1.3`.

use super::prose;
use crate::model::{PackageName, PackageVersion, VulnerabilityId};

/// No output names more packages or places.
const MAX_PLACES: usize = 500;

/// One vulnerable thing that an output names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) package: Option<PackageName>,
    pub(super) installed: Option<PackageVersion>,
    pub(super) fixed: Vec<PackageVersion>,
    pub(super) path: Option<String>,
}

/// What an output says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) places: Vec<Place>,
    pub(super) kbs: Vec<VulnerabilityId>,
}

/// Takes an output apart; `ecosystem` says how a package is written together with its version.
pub(super) fn read(output: &str, ecosystem: &str) -> Output {
    let mut found = Output { kbs: prose::kbs(output), ..Output::default() };
    let mut place = Place::default();
    for line in output.lines() {
        let Some((key, value)) = line.split_once(" :").or_else(|| line.split_once(": ")) else { continue };
        let key = key.trim_matches([' ', '\t', '-', '*', '\'']).to_ascii_lowercase();
        let value = value.trim_matches([' ', '\t', ':']);
        match key.as_str() {
            "remote package installed" | "installed package" | "package installed" => {
                let (package, version) = package(value, ecosystem);
                found.keep(std::mem::take(&mut place));
                place = Place { package, installed: version, ..Place::default() };
            }
            "vulnerable package" => {
                found.keep(std::mem::take(&mut place));
                place.package = PackageName::new(value).ok();
            }
            "fixed package" | "should be" => {
                let name = place.package.as_ref().map_or("", PackageName::as_str);
                place.fixed.extend(fixed(value, name, ecosystem));
            }
            "installed version" | "remote version" | "file version" | "reported version" => {
                if place.installed.is_some() {
                    found.keep(std::mem::take(&mut place));
                }
                place.installed = first_version(without_name(value, &place));
            }
            "fixed version" | "fixed versions" | "fix" => {
                let versions = prose::versions(without_name(value, &place));
                place.fixed.extend(versions);
            }
            "path / port" => place.path = Some(value.to_owned()).filter(|path| !path.is_empty()),
            "path" | "file" | "install path" | "url" => {
                if place != Place::default() {
                    found.keep(std::mem::take(&mut place));
                }
                // `http://host/ (8.2.18 under X-Powered-By: PHP/8.2.18)`
                let path = if key == "url" { value.split(" (").next().unwrap_or_default() } else { value };
                place.path = Some(path.to_owned()).filter(|path| !path.is_empty());
            }
            "kb" => found.kbs.extend(prose::kbs(&format!("KB{}", value.trim_start_matches("KB")))),
            _ => {}
        }
    }
    found.keep(place);
    found
}

impl Output {
    /// A place that names no version says nothing of a package; twice the same is once.
    fn keep(&mut self, mut place: Place) {
        place.fixed.dedup();
        let says = place.package.is_some() || place.installed.is_some();
        if says && self.places.len() < MAX_PLACES && !self.places.contains(&place) {
            self.places.push(place);
        }
    }
}

/// OpenVAS writes `openssl-1.0.1e-2` and `>=openssl-1.0.1e-3`.
fn without_name<'v>(value: &'v str, place: &Place) -> &'v str {
    let bare = value.trim_start_matches(['>', '<', '=']).trim_start();
    let name = place.package.as_ref().map_or("", PackageName::as_str);
    let rest = bare.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    rest.filter(|_| !name.is_empty()).unwrap_or(value)
}

fn first_version(text: &str) -> Option<PackageVersion> {
    prose::versions(text).into_iter().next()
}

/// `NAME_VERSION` of deb, `NAME-VERSION-RELEASE` of the others.
fn package(text: &str, ecosystem: &str) -> (Option<PackageName>, Option<PackageVersion>) {
    let text = text.split_whitespace().next().unwrap_or_default();
    let dashed = || {
        let (rest, release) = text.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        Some((name, format!("{version}-{release}")))
    };
    let underscored = || text.split_once('_').map(|(name, version)| (name, version.to_owned()));
    let parts = match ecosystem {
        "deb" => underscored(),
        "unknown" => {
            underscored().filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit())).or_else(dashed)
        }
        _ => dashed(),
    };
    match parts {
        Some((name, version)) => (PackageName::new(name).ok(), PackageVersion::new(&version).ok()),
        None => (PackageName::new(text).ok(), None),
    }
}

/// The version of a fixed package; its name may differ (`linux-image-5.4.0-<ANY>-generic_5.4.0-1077.80`).
fn fixed(text: &str, name: &str, ecosystem: &str) -> Option<PackageVersion> {
    let text = text.split_whitespace().next().unwrap_or_default();
    let rest = text.strip_prefix(name).filter(|_| !name.is_empty());
    let rest = rest.and_then(|rest| rest.strip_prefix(if ecosystem == "deb" { '_' } else { '-' }));
    match rest {
        Some(version) => PackageVersion::new(version).ok(),
        None if ecosystem == "deb" => {
            PackageVersion::new(text.rsplit_once('_').map_or(text, |(_, version)| version)).ok()
        }
        None if name.is_empty() => PackageVersion::new(text).ok(),
        None => package(text, ecosystem).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: &str, ecosystem: &str) -> Vec<String> {
        let show = |place: &Place| {
            let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let fixed: Vec<_> = place.fixed.iter().map(ToString::to_string).collect();
            let package = text(place.package.as_ref().map(ToString::to_string));
            let installed = text(place.installed.as_ref().map(ToString::to_string));
            format!("{package} {installed} -> {} at {}", fixed.join(","), text(place.path.clone()))
        };
        read(output, ecosystem).places.iter().map(show).collect()
    }

    #[test]
    fn packages_are_named_as_each_distribution_does() {
        let rpm = "'\nRemote package installed : glibc-common-2.17-292.el7\nShould be                : glibc-common-2.17-317.el7\n\n\
                   Remote package installed : dnsmasq-2.76-10.el7_7.1\nShould be                : dnsmasq-2.76-16.el7_9.1\n";
        assert_eq!(
            shown(rpm, "rpm"),
            ["glibc-common 2.17-292.el7 -> 2.17-317.el7 at -", "dnsmasq 2.76-10.el7_7.1 -> 2.76-16.el7_9.1 at -"]
        );
        let deb = "\n  - Installed package : libcurl4_7.58.0-2ubuntu3.18\n    Fixed package     : libcurl4_7.58.0-2ubuntu3.20\n\n  \
                   - Installed package : linux-azure-5.4-tools-5.4.0-1063_5.4.0-1063.66~18.04.1\n    Fixed package     : \
                   linux-azure-5.4-tools-5.4.0-<ANY>_5.4.0-1077.80~18.04.1\n";
        assert_eq!(
            shown(deb, "deb"),
            [
                "libcurl4 7.58.0-2ubuntu3.18 -> 7.58.0-2ubuntu3.20 at -",
                "linux-azure-5.4-tools-5.4.0-1063 5.4.0-1063.66~18.04.1 -> 5.4.0-1077.80~18.04.1 at -"
            ]
        );
        assert_eq!(
            shown("  Installed package : musl-1.2.3-r4\n  Fixed package : musl-1.2.3-r6", "apk"),
            ["musl 1.2.3-r4 -> 1.2.3-r6 at -"]
        );
    }

    #[test]
    fn programs_have_places_and_versions() {
        let output = "\n  Path              : C:\\Program Files\\A\\\n  Installed version : 6.1.36\n  Fixed version     : 6.1.42 / 7.0.6\n\n  \
                      Path              : D:\\A\n  Installed version : 6.1.35\n  Fixed version     : 6.1.42\n";
        assert_eq!(
            shown(output, "unknown"),
            ["- 6.1.36 -> 6.1.42,7.0.6 at C:\\Program Files\\A\\", "- 6.1.35 -> 6.1.42 at D:\\A"]
        );
        let openvas = "Vulnerable package: libc6\nInstalled version:  libc6-2.19-18\nFixed version:    >=libc6-2.19-18+deb8u1\n\nVulnerable \
                       package: x\nInstalled version:  x-1\nFixed version:    >=x-2";
        assert_eq!(shown(openvas, "deb"), ["libc6 2.19-18 -> 2.19-18+deb8u1 at -", "x 1 -> 2 at -"]);
        let openvas = "Installed version: 1.2.3\nFixed version:     1.2.4\nInstallation\npath / port:       /usr/x";
        assert_eq!(shown(openvas, "unknown"), ["- 1.2.3 -> 1.2.4 at /usr/x"]);
        let url = "URL : http://h:8080/ (8.2.18 under X-Powered-By: PHP/8.2.18)\n  Installed version : 8.2.18\n  Fixed version : 8.2.20";
        assert_eq!(shown(url, "unknown"), ["- 8.2.18 -> 8.2.20 at http://h:8080/"]);
    }

    #[test]
    fn what_says_nothing_names_no_place() {
        for output in [
            "",
            "The remote web server type is :\n\nCowboy",
            "Path : /x",
            "Installed version : $(id)",
            "Fixed version : 1",
        ] {
            assert_eq!(shown(output, "unknown"), Vec::<String>::new(), "{output}");
        }
        let many: String = (0..10_000).map(|i| format!("Installed package : p{i}_1\n")).collect();
        assert_eq!(shown(&many, "deb").len(), MAX_PLACES);
        let kbs = read("KB : 5003197\nmissing KB5003171", "unknown").kbs;
        assert_eq!(kbs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["KB5003171", "KB5003197"]);
    }
}

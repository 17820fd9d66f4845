//! Whether a product of a VEX document is a host known here: by its name, its image or its operating system.

use crate::model::{Finding, Host, ProductName, Purl, VulnerabilityType};

/// Distributions by the names that they have in package URLs, CPEs, reports and os-release.
const DISTRIBUTIONS: &[(&str, &[&str])] = &[
    ("rhel", &["redhat", "red hat", "red hat enterprise linux", "redhat:enterprise_linux"]),
    ("debian", &["debian:debian_linux"]),
    ("ubuntu", &["canonical:ubuntu_linux"]),
    ("alpine", &["alpinelinux", "alpinelinux:alpine_linux"]),
    ("rocky", &["rockylinux", "rocky:rocky", "resf:rocky_linux"]),
    ("almalinux", &["alma", "almalinux:almalinux"]),
    ("ol", &["oracle", "oraclelinux", "oracle:linux"]),
    ("amzn", &["amazon", "amazonlinux"]),
    ("centos", &["centos:centos"]),
    ("fedora", &["fedoraproject:fedora"]),
    ("sles", &["suse", "suse linux enterprise server", "suse:sles", "suse:suse_linux_enterprise_server"]),
    ("opensuse", &["opensuse-leap", "opensuse.leap", "opensuse:leap"]),
];

/// Releases that are known by a word.
const CODENAMES: &[(&str, &str, &str)] = &[
    ("buster", "debian", "10"),
    ("bullseye", "debian", "11"),
    ("bookworm", "debian", "12"),
    ("trixie", "debian", "13"),
    ("forky", "debian", "14"),
    ("trusty", "ubuntu", "14.04"),
    ("xenial", "ubuntu", "16.04"),
    ("bionic", "ubuntu", "18.04"),
    ("focal", "ubuntu", "20.04"),
    ("jammy", "ubuntu", "22.04"),
    ("noble", "ubuntu", "24.04"),
    ("plucky", "ubuntu", "25.04"),
    ("questing", "ubuntu", "25.10"),
    ("resolute", "ubuntu", "26.04"),
];

fn distribution(name: &str) -> String {
    let name = name.to_lowercase();
    let known = DISTRIBUTIONS.iter().find(|(known, others)| *known == name || others.contains(&name.as_str()));
    known.map_or(name, |(known, _)| (*known).to_owned())
}

/// Whether the namespace of a package URL is the distribution of a host. One that is not known is none.
pub(super) fn distribution_fits(vendor: &str, host: &Host) -> bool {
    host.os.as_ref().is_some_and(|os| distribution(&os.name) == distribution(vendor))
}

/// Whether the `distro` of a package URL (`debian-12`, `bookworm`, `el8`) is the release of a host.
pub(super) fn release_fits(release: &str, host: &Host) -> bool {
    let release = release.to_lowercase();
    let word = release.rsplit(['-', '/']).next().unwrap_or(&release);
    if let Some((_, name, version)) = CODENAMES.iter().find(|(code, ..)| *code == word) {
        return distribution_fits(name, host) && version_fits(version, host);
    }
    let Some((name, version)) = release.rsplit_once(['-', '/']) else { return false };
    let numeric = version.starts_with(|c: char| c.is_ascii_digit());
    numeric && distribution_fits(name, host) && version_fits(version, host)
}

/// Whether one of two releases is the other, or a minor one of it.
fn version_fits(version: &str, host: &Host) -> bool {
    let minor = |of: &str, one: &str| one.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let own = host.os.as_ref().and_then(|os| os.version.as_deref());
    own.is_some_and(|own| minor(own, version) || minor(version, own))
}

/// Whether a name is that of the host or image that a finding is about.
pub(super) fn names_asset(name: &ProductName, finding: &Finding, host: &Host) -> bool {
    let aliases = host.aliases.iter().map(String::as_str);
    let mut known = [finding.asset.as_str(), host.name.as_str(), host.address()].into_iter().chain(aliases);
    match name {
        ProductName::Text(text) => {
            let image = Image::parse(text);
            known.any(|asset| asset == text || image.as_ref().is_some_and(|image| image.is(&Image::parse(asset))))
        }
        ProductName::Digest(digest) => {
            known.any(|asset| Image::parse(asset).is_some_and(|image| image.digest.as_ref() == Some(digest)))
        }
        ProductName::Purl(purl) if matches!(purl.kind.as_str(), "oci" | "docker") => {
            known.any(|asset| Image::parse(asset).is_some_and(|image| image.is_purl(purl)))
        }
        // The name of a program as the name of what was scanned; which version of it that is, is not known.
        ProductName::Purl(purl) => {
            let key = purl.package_key();
            purl.version.is_none()
                && !purl.is_of_distribution()
                && known.any(|asset| asset.strip_prefix("https://").unwrap_or(asset) == key)
        }
        ProductName::Cpe(cpe) => finding.kind == VulnerabilityType::Linux && is_system(cpe, host),
    }
}

/// Whether a CPE, of either version, is the operating system of a host.
fn is_system(cpe: &str, host: &Host) -> bool {
    let Some(rest) = cpe.strip_prefix("cpe:2.3:").or_else(|| cpe.strip_prefix("cpe:/")) else { return false };
    let parts: Vec<&str> = rest.split(':').collect();
    let part = |index: usize| parts.get(index).copied().filter(|text| !matches!(*text, "" | "*"));
    let (Some("o" | "a"), Some(vendor), Some(product)) = (part(0), part(1), part(2)) else { return false };
    // An update or service pack is a system of its own, which os-release does not tell.
    if part(4).is_some_and(|update| update != "-") {
        return false;
    }
    let minor = |version: &str, own: &str| {
        own.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let own = host.os.as_ref().and_then(|os| os.version.as_deref());
    distribution_fits(&format!("{vendor}:{product}"), host)
        && part(3).is_none_or(|version| own.is_some_and(|own| minor(version, own)))
}

/// The name of a container image.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    /// With its registry.
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Image {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("https://").unwrap_or(text);
        if text.is_empty() || text.contains(char::is_whitespace) {
            return None;
        }
        let (text, digest) = match text.split_once('@') {
            Some((text, digest)) => (text, Some(digest.to_ascii_lowercase())),
            None if text.starts_with("sha256:") => ("", Some(text.to_ascii_lowercase())),
            None => (text, None),
        };
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
            _ => (text, None),
        };
        Some(Self { repository: repository(path), tag, digest })
    }

    /// Whether what is said of this image is said of the other.
    fn is(&self, other: &Option<Self>) -> bool {
        other.as_ref().is_some_and(|other| {
            self.repository == other.repository
                && (self.tag.is_none() || self.tag == other.tag)
                && (self.digest.is_none() || self.digest == other.digest)
        })
    }

    fn is_purl(&self, purl: &Purl) -> bool {
        let name = purl.name.to_lowercase();
        let place = match (purl.kind.as_str(), purl.qualifiers.get("repository_url")) {
            ("docker", None) => {
                let namespace = purl.namespace.as_deref().unwrap_or("library").to_lowercase();
                self.repository == format!("docker.io/{namespace}/{name}")
            }
            // Some give the repository with the name of the image, some without.
            (_, Some(url)) => {
                let url = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/').to_lowercase();
                self.repository == repository(&url) || self.repository == repository(&format!("{url}/{name}"))
            }
            (_, None) => self.repository.rsplit('/').next() == Some(name.as_str()),
        };
        let version = match purl.version.as_deref() {
            None => true,
            // The digest alone is enough: no other image has it.
            Some(digest) if digest.starts_with("sha256:") => {
                return self.digest.as_deref() == Some(digest) && (place || self.repository.is_empty());
            }
            Some(tag) => self.tag.as_deref() == Some(tag),
        };
        place && version && purl.qualifiers.get("tag").is_none_or(|tag| self.tag.as_ref() == Some(tag))
    }
}

/// A repository with the registry that is meant where none is named.
fn repository(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let path = path.to_lowercase();
    let path =
        path.strip_prefix("index.docker.io/").or_else(|| path.strip_prefix("registry-1.docker.io/")).unwrap_or(&path);
    let path = path.strip_prefix("docker.io/").unwrap_or(path);
    match path.split_once('/') {
        None => format!("docker.io/library/{path}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => path.to_owned(),
        Some(_) => format!("docker.io/{path}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::{HostName, Os};

    fn host(name: &str, version: &str) -> Host {
        let os = Os { family: "x".into(), name: name.into(), version: Some(version.into()) };
        Host { os: Some(os), ..Host::named(HostName::new("web-1").unwrap()) }
    }

    #[test]
    fn releases_are_those_of_the_host() {
        let debian = host("debian", "12");
        for fits in ["debian-12", "debian-12.5", "bookworm", "debian/bookworm"] {
            assert!(release_fits(fits, &debian), "{fits}");
        }
        for other in ["debian-1", "debian-11", "ubuntu-12", "bullseye", "12", "debian", "sid", "el8"] {
            assert!(!release_fits(other, &debian), "{other}");
        }
        assert!(release_fits("alpine-3.10.9", &host("alpine", "3.10.9")));
        assert!(distribution_fits("redhat", &host("rhel", "8")) && !distribution_fits("redhat", &host("rocky", "8")));
        assert!(!distribution_fits("debian", &Host::named(HostName::new("x").unwrap())));
    }

    #[test]
    fn systems_are_known_by_their_cpe() {
        let rhel = host("redhat", "8.9");
        for fits in ["cpe:/o:redhat:enterprise_linux:8", "cpe:/a:redhat:enterprise_linux:8::appstream"] {
            assert!(is_system(fits, &rhel), "{fits}");
        }
        assert!(is_system("cpe:2.3:o:redhat:enterprise_linux:8.9:*:*:*:*:*:*:*", &rhel));
        for other in [
            "cpe:/o:redhat:enterprise_linux:9",
            "cpe:/o:redhat:enterprise_linux:8.1",
            "cpe:/o:redhat:rhel_eus:8.1",
            "cpe:/o:redhat",
            "cpe:/o:debian:debian_linux:8",
            "cpe:/o:redhat:enterprise_linux:8:update1",
        ] {
            assert!(!is_system(other, &rhel), "{other}");
        }
    }

    #[test]
    fn images_are_known_by_repository_tag_and_digest() {
        let is = |purl: &str, asset: &str| Image::parse(asset).unwrap().is_purl(&Purl::parse(purl).unwrap());
        assert!(is("pkg:oci/trivy?repository_url=index.docker.io%2Faquasec%2Ftrivy", "aquasec/trivy:0.50"));
        assert!(is("pkg:oci/trivy?repository_url=ghcr.io/aquasecurity/trivy", "ghcr.io/aquasecurity/trivy"));
        assert!(is(
            "pkg:oci/kube-apiserver?repository_url=registry.k8s.io&tag=v1",
            "registry.k8s.io/kube-apiserver:v1"
        ));
        assert!(!is(
            "pkg:oci/kube-apiserver?repository_url=registry.k8s.io&tag=v1",
            "registry.k8s.io/kube-apiserver:v2"
        ));
        assert!(!is("pkg:oci/trivy?repository_url=ghcr.io/aquasecurity/trivy", "ghcr.io/other/trivy"));
        assert!(is("pkg:oci/alpine@sha256%3Aab", "alpine@sha256:ab"));
        assert!(is("pkg:oci/alpine@sha256%3Aab", "sha256:ab"));
        assert!(!is("pkg:oci/alpine@sha256%3Aab", "alpine@sha256:cd") && !is("pkg:oci/alpine@sha256%3Aab", "alpine:3"));
        assert!(
            is("pkg:docker/nginx@1.25", "docker.io/library/nginx:1.25") && !is("pkg:docker/nginx@1.25", "nginx:1.2")
        );
        let text = |product: &str, asset: &str| Image::parse(product).unwrap().is(&Image::parse(asset));
        assert!(
            text("nginx", "docker.io/library/nginx:1.25") && !text("nginx:1", "nginx:2") && !text("nginx", "my/nginx")
        );
    }
}

//! What this machine offers: whether the lab can run here, with which runtime, and where its packages come from.

use std::fs;
use std::path::{Path, PathBuf};

use super::LabError;
use super::tool::Tool;

/// What would make the lab possible on a Debian machine.
const INSTALL: &str = "apt-get install --yes podman runc containernetworking-plugins mmdebstrap gpg openssh-client iproute2 iptables nftables";
/// The bit of CAP_SYS_RESOURCE in the capability sets of /proc/self/status.
const CAP_SYS_RESOURCE: u32 = 24;

/// Why the lab cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lab cannot run here: {what}")]
pub struct MissingRequirement {
    /// What is missing.
    pub what: String,
    /// What would help.
    pub help: String,
}

impl MissingRequirement {
    fn program(name: &str) -> Self {
        Self { what: format!("program {name} is not installed"), help: INSTALL.to_owned() }
    }
}

/// Whether the lab can run here.
pub(crate) fn requirements() -> Result<(), MissingRequirement> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if field(&status, "Uid:").and_then(|ids| ids.split_whitespace().nth(1)) != Some("0") {
        return Err(MissingRequirement {
            what: "it needs root, for its network and its images".to_owned(),
            help: "run the same command with sudo".to_owned(),
        });
    }
    for name in ["podman", "mmdebstrap", "apt-get", "apt-config", "ssh-keygen", "ip", "iptables", "nft", "nsenter"] {
        if program(name).is_none() {
            return Err(MissingRequirement::program(name));
        }
    }
    if program("runc").is_none() && (hybrid_cgroups() || program("crun").is_none()) {
        return Err(MissingRequirement::program("runc"));
    }
    let backend = Tool::new("podman", "asking whether it works")
        .args(["info", "--format", "{{.Host.NetworkBackend}}"])
        .run()
        .map_err(|error| MissingRequirement {
            what: format!("podman does not work: {error}"),
            help: INSTALL.to_owned(),
        })?;
    let plugins = ["/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"];
    if backend.trim() == "cni" && !plugins.iter().any(|dir| Path::new(dir).join("bridge").exists()) {
        return Err(MissingRequirement::program("containernetworking-plugins"));
    }
    Ok(())
}

/// The path of a program.
fn program(name: &str) -> Option<PathBuf> {
    let path = crate::env::var("PATH").unwrap_or_default();
    // Root's own programs are not on everybody's PATH.
    path.split(':').chain(["/usr/sbin", "/sbin"]).map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// crun refuses to work where both cgroup versions are mounted.
fn hybrid_cgroups() -> bool {
    Path::new("/sys/fs/cgroup/unified/cgroup.controllers").exists()
}

/// Whether this process may raise the limits podman asks for.
fn may_set_limits(status: &str) -> bool {
    field(status, "CapEff:")
        .and_then(|set| u64::from_str_radix(set, 16).ok())
        .is_some_and(|set| set >> CAP_SYS_RESOURCE & 1 == 1)
}

/// The OCI runtime to give podman, where its own choice would not work: a wrapper written to the cache.
///
/// podman keeps the path in the container, so it is named by its text: a newer lab never changes it under a running host.
pub(crate) fn runtime(cache: &Path) -> Result<Option<PathBuf>, LabError> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(LabError::io(Path::new("/proc/self/status"), "read"))?;
    let limits = may_set_limits(&status);
    if limits && !hybrid_cgroups() {
        return Ok(None);
    }
    let names: &[&str] = if hybrid_cgroups() { &["runc"] } else { &["crun", "runc"] };
    let runtime = names.iter().find_map(|name| program(name)).ok_or_else(|| MissingRequirement::program("runc"))?;
    if limits {
        return Ok(Some(runtime));
    }
    let text = include_str!("files/oci-runtime").replace("@RUNTIME@", &runtime.to_string_lossy());
    let digest = crate::model::Digest::of(text.as_bytes()).short();
    let path = cache.join(format!("oci-runtime-{digest}"));
    if !path.exists() {
        executable(&path, &text)?;
    }
    Ok(Some(path))
}

/// Writes a program.
pub(crate) fn executable(path: &Path, text: &str) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt as _;
    super::state::replace(path, text.as_bytes())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(LabError::io(path, "made executable"))
}

/// Where this machine's packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    /// `bookworm`.
    pub(crate) codename: String,
    /// `deb URI bookworm main`.
    pub(crate) base: String,
    /// `deb URI bookworm-security main`.
    pub(crate) security: String,
    /// Settings of apt without which the archive is not reached or not believed.
    pub(crate) settings: String,
}

/// Reads it from apt itself, which understands every form its configuration may have.
pub(crate) fn archive() -> Result<Archive, LabError> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let targets = Tool::new("apt-get", "asking for the machine's package sources")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
        .run()?;
    let dump = Tool::new("apt-config", "asking for apt's settings").args(["dump"]).run()?;
    let proxy = ["http_proxy", "https_proxy"].map(|name| (name, crate::env::var(name)));
    archive_of(&release, &targets, &dump, &proxy).map_err(LabError::from)
}

fn archive_of(
    release: &str,
    targets: &str,
    dump: &str,
    proxies: &[(&str, Option<String>)],
) -> Result<Archive, MissingRequirement> {
    let missing = |what: String| MissingRequirement { what, help: "run the lab on a Debian machine".to_owned() };
    let value = |name: &str| field(release, name).map(|v| v.trim_matches('"').to_owned());
    let codename = match (value("ID="), value("VERSION_CODENAME=")) {
        (Some(id), Some(codename)) if id == "debian" => codename,
        _ => return Err(missing("this machine is not a Debian release".to_owned())),
    };
    let source = |suite: &str| {
        let mut uri = None;
        let mut components: Vec<&str> = Vec::new();
        for line in targets.lines() {
            let mut words = line.split_whitespace();
            if let (Some(u), Some(s), Some(component), None) = (words.next(), words.next(), words.next(), words.next())
                && s == suite
                && *uri.get_or_insert(u) == u
                && !components.contains(&component)
            {
                components.push(component);
            }
        }
        let uri = uri.ok_or_else(|| missing(format!("apt knows no source of {suite}")))?;
        Ok(format!("deb {uri} {suite} {}", components.join(" ")))
    };
    let mut settings: String = dump
        .lines()
        .filter(|line| {
            [
                "Acquire::Check-Valid-Until ",
                "Acquire::Check-Date ",
                "Acquire::Retries ",
                "Acquire::http::Proxy",
                "Acquire::https::Proxy",
            ]
            .iter()
            .any(|name| line.starts_with(name))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    for (name, value) in proxies {
        let key = format!("Acquire::{}::Proxy", name.trim_end_matches("_proxy"));
        if let Some(value) = value.as_deref().filter(|v| !v.is_empty() && !v.contains(['"', '\n']))
            && !settings.contains(&format!("{key} "))
        {
            settings.push_str(&format!("{key} \"{value}\";\n"));
        }
    }
    Ok(Archive { base: source(&codename)?, security: source(&format!("{codename}-security"))?, settings, codename })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";
    const TARGETS: &str = "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm contrib\n\
        http://mirror/debian/ bookworm-updates main\nhttp://mirror/debian-security/ bookworm-security main\n\
        http://other/ bookworm main\n";

    #[test]
    fn the_base_suite_and_its_security_suite_are_taken_alone() {
        let dump = "Acquire::http \"\";\nAcquire::Check-Date \"false\";\nAcquire::http::Proxy \"http://p:3128\";\n";
        let proxies = [("http_proxy", Some("http://other".to_owned())), ("https_proxy", Some("http://s".to_owned()))];
        let archive = archive_of(RELEASE, TARGETS, dump, &proxies).expect("an archive");
        assert_eq!(archive.base, "deb http://mirror/debian/ bookworm main contrib");
        assert_eq!(archive.security, "deb http://mirror/debian-security/ bookworm-security main");
        assert_eq!(
            archive.settings,
            "Acquire::Check-Date \"false\";\nAcquire::http::Proxy \"http://p:3128\";\nAcquire::https::Proxy \"http://s\";\n"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let none: [(&str, Option<String>); 0] = [];
        let error = archive_of("ID=fedora\n", TARGETS, "", &none).expect_err("not Debian");
        assert_eq!(error.what, "this machine is not a Debian release");
        let error = archive_of(RELEASE, "http://mirror/debian/ bookworm main\n", "", &none).expect_err("no security");
        assert_eq!(error.to_string(), "the lab cannot run here: apt knows no source of bookworm-security");
    }

    #[test]
    fn capabilities_are_read_from_the_effective_set() {
        assert!(!may_set_limits("CapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\n"));
        assert!(may_set_limits("CapEff:\t000001ffffffffff\n"));
        assert!(!may_set_limits(""));
    }
}

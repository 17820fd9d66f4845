//! One lab host as a podman container: made, started, prepared, looked at.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::LabError;
use super::state::{Folder, LABEL, State};
use super::tool::Tool;

/// The script inside every host.
pub(crate) const SCRIPT: &str = "/usr/local/lib/switchback-lab/host";

/// What podman knows of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) running: bool,
    /// When it was last started, as podman writes it.
    pub(crate) started: String,
    /// The number of its first process here; 0 if it does not run.
    pub(crate) pid: u32,
    labels: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    name: String,
    state: InspectedState,
    config: InspectedConfig,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    running: bool,
    started_at: String,
    pid: u32,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Looks at these containers; those that do not exist are not in the answer.
pub(crate) fn inspect(names: &[String]) -> Result<BTreeMap<String, Container>, LabError> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let purpose = "looking at hosts";
    let answer = Tool::new("podman", purpose).args(["container", "inspect"]).args(names).ask()?;
    // Its exit status says only that some do not exist; those that do are printed all the same.
    let text = if answer.stdout.trim().is_empty() { "[]" } else { answer.stdout.as_str() };
    let found: Vec<Inspected> = serde_json::from_str(text).map_err(|error| LabError::Answer {
        program: "podman".to_owned(),
        purpose: purpose.to_owned(),
        why: format!("{error}: {}", crate::model::printable(&answer.stderr, 200)),
    })?;
    Ok(found
        .into_iter()
        .map(|c| {
            let container = Container {
                running: c.state.running,
                started: c.state.started_at,
                pid: c.state.pid,
                labels: c.config.labels.unwrap_or_default(),
            };
            (c.name, container)
        })
        .collect())
}

/// The arguments of podman that make a host.
fn run_args(
    state: &State,
    folder: &Folder,
    host: &str,
    address: Ipv4Addr,
    image: &str,
    runtime: Option<&Path>,
) -> Vec<String> {
    let mut args = Vec::new();
    if let Some(runtime) = runtime {
        args.extend(["--runtime".to_owned(), runtime.display().to_string()]);
    }
    let fixed = [
        "run",
        "--detach",
        // A reboot ends the container: this is what powers it on again.
        "--restart=always",
        "--systemd=always",
        // So that a fault can take the host's own link down; it reaches no other network than its own.
        "--cap-add=NET_ADMIN",
        // As on any machine root may look at every process: which files its services still map.
        "--cap-add=SYS_PTRACE",
    ];
    args.extend(fixed.map(str::to_owned));
    args.extend([
        format!("--name={}", state.prefix.container(host)),
        format!("--hostname={host}"),
        format!("--network={}", state.prefix),
        format!("--ip={address}"),
        format!("--label={}", state.prefix.label()),
        // Evidence of faults must outlive the restore that undoes them.
        format!("--volume={}:/var/lib/switchback-lab", folder.evidence(host).display()),
        image.to_owned(),
        "/sbin/init".to_owned(),
    ]);
    args
}

/// Makes sure that all hosts exist and run.
pub(crate) fn ensure(
    state: &State,
    folder: &Folder,
    image: &str,
    runtime: Option<&Path>,
    say: &dyn Fn(&str),
) -> Result<(), LabError> {
    let hosts = state.in_order();
    let names: Vec<String> = hosts.iter().map(|(host, _)| state.prefix.container(host)).collect();
    let there = inspect(&names)?;
    for ((host, address), name) in hosts.into_iter().zip(names) {
        match there.get(&name) {
            Some(container) if container.labels.get(LABEL).map(String::as_str) != Some(state.prefix.as_str()) => {
                return Err(LabError::Foreign { what: "container", name });
            }
            Some(container) if container.running => {}
            Some(_) => {
                say(&format!("starting {host}"));
                Tool::new("podman", format!("starting host {host}")).args(["start", &name]).run()?;
            }
            None => {
                say(&format!("making {host} at {address}"));
                let evidence = folder.evidence(host);
                fs::create_dir_all(&evidence).map_err(LabError::io(&evidence, "made"))?;
                let args = run_args(state, folder, host, address, image, runtime);
                Tool::new("podman", format!("making host {host}")).args(args).run()?;
            }
        }
    }
    Ok(())
}

/// Lets our key in and answers the host key, once the host has booted.
pub(crate) fn welcome(container: &str, public_key: &str) -> Result<String, LabError> {
    let purpose = format!("waiting for {container} to boot");
    let said = Tool::new("podman", purpose.as_str())
        .args(["exec", "--interactive", container, SCRIPT, "welcome"])
        .input(public_key)
        // The script's own waits are shorter together.
        .limit(240)
        .run()?;
    let key = said.trim();
    match key.split_once(' ') {
        Some((kind, rest)) if kind.starts_with("ssh-") && !rest.contains(char::is_whitespace) => Ok(key.to_owned()),
        _ => Err(LabError::Answer {
            program: "podman".to_owned(),
            purpose,
            why: format!("{:?} is no host key", crate::model::printable(key, 80)),
        }),
    }
}

/// Runs the hosts' own script in one of them.
pub(crate) fn script(container: &str, args: &[&str], limit: u64) -> Result<String, LabError> {
    Tool::new("podman", format!("doing {:?} in {container}", args.join(" ")))
        .args(["exec", container, SCRIPT])
        .args(args)
        .limit(limit)
        .run()
}

/// Brings the hosts' own script up to date: the image may be older than this program.
pub(crate) fn refresh_script(container: &str) -> Result<(), LabError> {
    Tool::new("podman", format!("writing the script of {container}"))
        .args([
            "exec",
            "--interactive",
            container,
            "/bin/sh",
            "-c",
            "cat > \"$0.new\" && chmod 755 \"$0.new\" && mv \"$0.new\" \"$0\"",
            SCRIPT,
        ])
        .input(include_str!("files/host"))
        .run()
        .map(drop)
}

/// Fetches the package lists, as a host's own timers would.
pub(crate) fn refresh_lists(container: &str) -> Result<(), LabError> {
    Tool::new("podman", format!("fetching the package lists of {container}"))
        .args(["exec", container, "apt-get", "-qq", "update"])
        .limit(300)
        .run()
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_made_with_its_own_name_address_and_label() -> Result<(), LabError> {
        let state = State::new("t-1".parse()?, "10.77.9.0/24".parse()?);
        let folder = Folder::new(Path::new("/lab"))?;
        let address = state.subnet.host(1)?;
        let args = run_args(&state, &folder, "web-1", address, "image", Some(Path::new("/cache/runtime")));
        assert_eq!(args[..3], ["--runtime", "/cache/runtime", "run"]);
        assert_eq!(args[args.len() - 2..], ["image", "/sbin/init"]);
        for wanted in ["--name=t-1-web-1", "--ip=10.77.9.11", "--label=io.switchback.lab=t-1", "--hostname=web-1"] {
            assert!(args.iter().any(|arg| arg == wanted), "{wanted} in {args:?}");
        }
        assert_eq!(run_args(&state, &folder, "web-1", address, "image", None)[0], "run");
        Ok(())
    }
}

//! How a container is made again: the command that made it, with another image.

use std::collections::BTreeMap;

use super::clones::PROMOTED;
use super::{RESTORE, docker};

/// What podman and docker tell of a container.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    #[serde(default)]
    pub(super) name: String,
    image: String,
    #[serde(default)]
    image_name: String,
    pub(super) state: ContainerState,
    pub(super) config: ContainerConfig,
    pub(super) host_config: HostConfig,
    pub(super) network_settings: NetworkSettings,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContainerState {
    pub(super) running: bool,
    #[serde(default)]
    pub(super) paused: bool,
    #[serde(default)]
    status: String,
}

impl ContainerState {
    /// Whether it ran at any time; it is called created until then.
    pub(super) fn was_started(&self) -> bool {
        !matches!(self.status.as_str(), "created" | "configured" | "initialized" | "")
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContainerConfig {
    pub(super) hostname: String,
    #[serde(default)]
    pub(super) labels: Option<BTreeMap<String, String>>,
    /// Podman only.
    #[serde(default)]
    create_command: Option<Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HostConfig {
    pub(super) auto_remove: bool,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NetworkSettings {
    #[serde(default)]
    pub(super) networks: Option<BTreeMap<String, Network>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Network {
    #[serde(rename = "IPAddress", default)]
    pub(super) ip_address: String,
    #[serde(default)]
    mac_address: String,
}

/// How a container is made again.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Recreate {
    /// By podman.
    Command(CommandLine),
    /// By docker.
    Body(docker::Body),
}

impl Recreate {
    pub(super) fn to_label(&self) -> String {
        // Strings and lists and maps of them: this cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        json.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn from_label(text: &str) -> Option<Self> {
        let bytes: Option<Vec<u8>> = (0..text.len())
            .step_by(2)
            .map(|at| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
            .collect();
        serde_json::from_slice(&bytes?).ok()
    }
}

/// The command that made a container: everything in front of the image and everything behind it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct CommandLine {
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

impl CommandLine {
    /// From the command that made the container. What podman chose for itself then (address, host name) is written
    /// down now, or the host would come back as somebody else.
    pub(super) fn of(container: &Container) -> Result<Self, String> {
        let command = container.config.create_command.as_deref().unwrap_or_default();
        let verb = command.iter().position(|word| word == "run" || word == "create");
        let (Some(verb), false) = (verb, container.host_config.auto_remove) else {
            return Err(if container.host_config.auto_remove {
                "it was made with --rm: stopping it would delete it".to_owned()
            } else {
                "podman does not know the command that made it".to_owned()
            });
        };
        let image = command
            .iter()
            .skip(verb + 1)
            .position(|word| names(word, container))
            .map(|at| verb + 1 + at)
            .ok_or("its image is not to be found in the command that made it")?;
        // The first word is podman itself; labels of an earlier restore or promotion go, its own is added later.
        let mut before: Vec<String> = Vec::new();
        let mut words = command[1..image].iter().peekable();
        while let Some(word) = words.next() {
            let earlier = |text: &str| text.starts_with(RESTORE) || text.starts_with(PROMOTED);
            if word == "--label" && words.peek().is_some_and(|next| earlier(next)) {
                words.next();
            } else if word.strip_prefix("--label=").is_some_and(earlier) || word == "--replace" {
                // `--replace` would remove what stands in the way: here that is an error to be seen.
            } else {
                before.push(word.clone());
            }
        }
        let verb = verb - 1;
        if before[verb] == "run" && !before.iter().any(|word| word == "--detach" || word == "-d") {
            before.insert(verb + 1, "--detach".to_owned());
        }
        let has = |before: &[String], long: &str, short: Option<&str>| {
            before
                .iter()
                .skip(verb)
                .any(|word| word == long || word.starts_with(&format!("{long}=")) || Some(word.as_str()) == short)
        };
        if !has(&before, "--hostname", Some("-h")) && !container.config.hostname.is_empty() {
            before.push(format!("--hostname={}", container.config.hostname));
        }
        let networks = container.network_settings.networks.as_ref();
        let addresses: Vec<&str> = networks
            .into_iter()
            .flatten()
            .map(|(_, network)| network.ip_address.as_str())
            .filter(|a| !a.is_empty())
            .collect();
        let fixed = has(&before, "--ip", None) || before.iter().any(|word| word.contains(":ip="));
        match (fixed, addresses.as_slice()) {
            (true, _) | (false, []) => {}
            (false, [address]) => before.push(format!("--ip={address}")),
            (false, _) => return Err("it has several addresses that were not fixed when it was made".to_owned()),
        }
        // Neighbours know the host by it, and may go on asking the old one for longer than anybody waits.
        let mut hardware = networks.into_iter().flatten().map(|(_, network)| network.mac_address.as_str());
        if let (Some(address), None) = (hardware.next(), hardware.next())
            && !address.is_empty()
            && !has(&before, "--mac-address", None)
            && !before.iter().any(|word| word.contains(":mac="))
        {
            before.push(format!("--mac-address={address}"));
        }
        Ok(Self { before, after: command[image + 1..].to_vec() })
    }

    /// The arguments that make a clone from this image, not started: under another name, in another network, without the
    /// ports and the address of its host. What the host's volumes hold is seen by the clone and not changed by it.
    pub(super) fn clone_args(
        &self,
        image: &str,
        name: &str,
        network: &str,
        labels: &[(&str, &str)],
    ) -> Result<Vec<String>, String> {
        /// Options that would make the clone somebody else's; each with a value.
        const OWN: [&str; 14] = [
            "--name",
            "--hostname",
            "-h",
            "--network",
            "--net",
            "--ip",
            "--ip6",
            "--mac-address",
            "--network-alias",
            "--publish",
            "-p",
            "--cidfile",
            "--pod",
            "--restart",
        ];
        let mut args: Vec<String> = Vec::new();
        let mut words = self.before.iter();
        while let Some(word) = words.next() {
            let (option, inline) =
                word.split_once('=').map_or((word.as_str(), None), |(option, value)| (option, Some(value)));
            match option {
                option if OWN.contains(&option) => {
                    if inline.is_none() {
                        words.next();
                    }
                }
                "--publish-all" | "-P" | "--detach" | "-d" => {}
                "--volume" | "-v" => {
                    let value = inline.map(str::to_owned).or_else(|| words.next().cloned()).unwrap_or_default();
                    let mut parts = value.split(':');
                    match (parts.next(), parts.next()) {
                        (Some(from), Some(to)) if !from.is_empty() => args.push(format!("--volume={from}:{to}:O")),
                        // An anonymous volume: the clone gets one of its own.
                        _ => args.push(format!("--volume={value}")),
                    }
                }
                "--mount" | "--volumes-from" => {
                    return Err(format!("it was made with {option}: its clone would write to its data"));
                }
                "run" => args.push("create".to_owned()),
                _ => args.push(word.clone()),
            }
        }
        args.extend([format!("--name={name}"), format!("--network={network}")]);
        let hostname = self.before.iter().find_map(|word| word.strip_prefix("--hostname="));
        // A label of a name has at most 63 characters.
        args.extend(hostname.map(|name| format!("--hostname={:.57}-clone", name)));
        // A reboot ends the container: this is what powers it on again.
        args.push("--restart=always".to_owned());
        args.extend(labels.iter().map(|(label, value)| format!("--label={label}={value}")));
        args.push(image.to_owned());
        args.extend(self.after.iter().cloned());
        Ok(args)
    }

    /// The arguments that make the container from this image, with this label.
    pub(super) fn args_with(&self, image: &str, label: &str, value: &str) -> Vec<String> {
        let label = format!("--label={label}={value}");
        self.before.iter().cloned().chain([label, image.to_owned()]).chain(self.after.iter().cloned()).collect()
    }
}

/// Whether the word of the command line names the container's image: podman writes names in full, people do not.
fn names(word: &str, container: &Container) -> bool {
    let name = container.image_name.as_str();
    let short = name.strip_suffix(":latest").unwrap_or(name);
    let is = |full: &str| full == word || full.strip_suffix(word).is_some_and(|front| front.ends_with('/'));
    !word.starts_with('-') && !word.is_empty() && (is(name) || is(short))
        || (word.len() >= 12 && container.image.starts_with(word.trim_start_matches("sha256:")))
}

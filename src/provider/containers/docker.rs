//! How docker makes a container again: it does not keep the command that made it, but takes what it tells of a container
//! for the order to make another. Its program has no words for that order, so it goes to the daemon itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::OWN_LABELS;
use crate::model::{TimeSpan, printable};

/// The daemon's answer is an id, or a sentence.
const MAX_ANSWER: u64 = 64 * 1024;

/// What docker tells of a container, as far as it is needed to make another.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    id: String,
    config: Map<String, Value>,
    host_config: Map<String, Value>,
    network_settings: Networks,
    #[serde(default)]
    mounts: Vec<Mount>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Networks {
    #[serde(default)]
    networks: BTreeMap<String, Map<String, Value>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    r#type: String,
    #[serde(default)]
    name: String,
    destination: String,
}

/// The order to make a container.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Body {
    body: Map<String, Value>,
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn has_any(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

impl Body {
    /// From what docker tells of the container. What could come back as something else is refused now, not then.
    pub(super) fn of(container: Described) -> Result<Self, String> {
        let Described { id, mut config, mut host_config, network_settings, mounts } = container;
        if host_config.get("AutoRemove").and_then(Value::as_bool).unwrap_or(false) {
            return Err("it was made with --rm: stopping it would delete it".to_owned());
        }
        if has_any(&host_config, "Links") {
            return Err("it was made with --link: put it into a network with those that it talks to".to_owned());
        }
        let mode = text(&host_config, "NetworkMode").to_owned();
        if mode.starts_with("container:") {
            return Err("it shares the network of another container".to_owned());
        }
        // Docker tells the labels of the image among the container's own.
        if let Some(Value::Object(labels)) = config.get_mut("Labels") {
            labels.retain(|label, _| !OWN_LABELS.iter().any(|own| label.starts_with(own)));
        }
        if text(&host_config, "UTSMode") == "host" {
            config.remove("Hostname");
        }
        let mut networks = network_settings.networks.into_iter();
        let endpoints = match (networks.next(), networks.next()) {
            (None, _) => json!({}),
            (Some((name, _)), None) if ["host", "none"].contains(&name.as_str()) => json!({}),
            (Some((name, endpoint)), None) => {
                let fixed = endpoint.get("IPAMConfig").and_then(Value::as_object);
                if fixed.is_none_or(|fixed| text(fixed, "IPv4Address").is_empty()) {
                    let why = "docker chose its address in network";
                    return Err(format!("{why} {name} and may choose another: make it with --network and --ip"));
                }
                let mut kept = Map::new();
                for key in ["IPAMConfig", "Aliases", "DriverOpts", "MacAddress"] {
                    kept.extend(endpoint.get(key).map(|value| (key.to_owned(), value.clone())));
                }
                if let Some(Value::Array(aliases)) = kept.get_mut("Aliases") {
                    // Its id is one of them.
                    aliases.retain(|alias| !alias.as_str().is_some_and(|alias| id.starts_with(alias)));
                }
                // Neighbours know the host by it. Older daemons take it from the one place, newer ones from the other.
                let hardware = text(&endpoint, "MacAddress");
                if !hardware.is_empty() {
                    config.insert("MacAddress".to_owned(), hardware.into());
                }
                json!({ name: kept })
            }
            _ => return Err("it is in several networks, and docker makes a container in one".to_owned()),
        };
        // A volume without a name is found again by the one that docker gave it.
        let mut binds: Vec<Value> = host_config.get("Binds").and_then(Value::as_array).cloned().unwrap_or_default();
        let mounted = |to: &str| {
            let bound = binds.iter().filter_map(|bind| bind.as_str()?.split(':').nth(1));
            let mounts = host_config.get("Mounts").and_then(Value::as_array).into_iter().flatten();
            bound.chain(mounts.filter_map(|mount| mount.get("Target")?.as_str())).any(|there| there == to)
        };
        let nameless: Vec<Value> = mounts
            .iter()
            .filter(|mount| mount.r#type == "volume" && !mount.name.is_empty() && !mounted(&mount.destination))
            .map(|mount| format!("{}:{}", mount.name, mount.destination).into())
            .collect();
        binds.extend(nameless);
        host_config.insert("Binds".to_owned(), binds.into());
        let mut body = config;
        body.insert("HostConfig".to_owned(), host_config.into());
        body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": endpoints}));
        Ok(Self { body })
    }

    /// The order, from this image and with this label.
    pub(super) fn with(&self, image: &str, label: (&str, &str)) -> Value {
        order(self.body.clone(), image, &[label])
    }

    /// The order for a clone: in another network, without the ports and the address of its host. What the host's volumes
    /// hold is seen by the clone and not changed by it.
    pub(super) fn clone_of(&self, image: &str, network: &str, labels: &[(&str, &str)]) -> Result<Value, String> {
        let mut body = self.body.clone();
        let mut host_config = body.get("HostConfig").and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, option) in [("Mounts", "--mount"), ("VolumesFrom", "--volumes-from")] {
            if has_any(&host_config, key) {
                return Err(format!("it was made with {option}: its clone would write to its data"));
            }
        }
        let binds = host_config.get("Binds").and_then(Value::as_array).into_iter().flatten();
        let binds: Vec<Value> = binds.filter_map(Value::as_str).map(|bind| read_only(bind).into()).collect();
        let hostname = text(&body, "Hostname").to_owned();
        // A label of a name has at most 63 characters.
        body.insert("Hostname".to_owned(), format!("{hostname:.57}-clone").into());
        body.remove("MacAddress");
        body.insert("NetworkingConfig".to_owned(), json!({"EndpointsConfig": {network: {}}}));
        for (key, value) in [
            ("Binds", json!(binds)),
            ("NetworkMode", json!(network)),
            ("PortBindings", json!({})),
            ("PublishAllPorts", json!(false)),
            ("UTSMode", json!("")),
            ("ContainerIDFile", json!("")),
            // A reboot ends the container: this is what powers it on again.
            ("RestartPolicy", json!({"Name": "always"})),
        ] {
            host_config.insert(key.to_owned(), value);
        }
        body.insert("HostConfig".to_owned(), host_config.into());
        Ok(order(body, image, labels))
    }
}

fn order(mut body: Map<String, Value>, image: &str, labels: &[(&str, &str)]) -> Value {
    body.insert("Image".to_owned(), image.into());
    let mut all = body.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).into())));
    body.insert("Labels".to_owned(), all.into());
    Value::Object(body)
}

/// `FROM:TO:OPTIONS` that cannot be written to; control groups are the clone's own.
fn read_only(bind: &str) -> String {
    let mut parts = bind.splitn(3, ':');
    let (from, to, options) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    match (from, to) {
        (Some(from), Some(to)) if to != "/sys/fs/cgroup" => {
            let kept = options.split(',').filter(|option| !matches!(*option, "" | "rw" | "ro"));
            let options: Vec<&str> = kept.chain(["ro"]).collect();
            format!("{from}:{to}:{}", options.join(","))
        }
        _ => bind.to_owned(),
    }
}

/// Orders a container of this name; it is not started.
pub(super) async fn create(socket: &str, name: &str, body: &Value, limit: TimeSpan) -> Result<(), String> {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err(format!("{:?} is no name of a container", printable(name, 80)));
    }
    let body = body.to_string();
    let head = format!(
        "POST /containers/create?name={name} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(limit.to_std(), exchange)
        .await
        .map_err(|_| format!("docker did not answer within {limit}"))?
        .map_err(|error| format!("docker at {socket}: {error}"))?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.split_whitespace().nth(1) == Some("201") {
        return Ok(());
    }
    let said = answer.find('{').zip(answer.rfind('}')).and_then(|(from, to)| answer.get(from..=to));
    let said = said.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let said = said.as_ref().and_then(|said| said.get("message")?.as_str()).unwrap_or(&answer);
    Err(printable(said.trim(), 600))
}

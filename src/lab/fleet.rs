//! The lab: brought up, looked at and taken down, each as often as one likes.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::state::{Folder, LABEL, Prefix, State};
use super::tool::Tool;
use super::{LabError, MissingRequirement, Subnet, fault, hosts, image, inventory, machine, network};

/// How many hosts are prepared at once: what they do is mostly waiting, but booting costs a core each.
const AT_ONCE: usize = 4;

/// How often the removal of hosts is tried.
const REMOVAL_TRIES: u32 = 5;

/// What to bring up.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// How many hosts.
    pub hosts: u32,
    /// What their containers, their network and their labels are named by.
    pub prefix: Prefix,
    /// Their network; a free one where absent.
    pub subnet: Option<Subnet>,
    /// Whether the hosts fetch their package lists, as their timers would have done.
    pub refresh: bool,
}

/// A host of the lab.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LabHost {
    /// Its name in the inventory.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its container.
    pub container: String,
    /// What it is doing.
    pub state: HostState,
    /// When it last booted, as podman writes it; empty if it never did.
    pub booted: String,
}

/// What a host is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// It runs and its sshd can be reached.
    Up,
    /// It runs and its sshd cannot be reached.
    Unreachable,
    /// It does not run.
    Stopped,
    /// It does not exist.
    Missing,
}

/// A lab in a folder of its own.
#[derive(Clone, Debug)]
pub struct Lab {
    folder: Folder,
    cache: PathBuf,
}

/// Where images are kept between labs: `$SWITCHBACK_LAB_CACHE`, or a folder for all users of root's labs.
pub fn default_cache() -> PathBuf {
    crate::env::var("SWITCHBACK_LAB_CACHE")
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from("/var/cache/switchback-lab"), PathBuf::from)
}

impl Lab {
    /// The lab in this folder, up or not; images are shared through the cache folder.
    pub fn open(folder: &Path, cache: &Path) -> Result<Self, LabError> {
        Ok(Self {
            folder: Folder::new(folder)?,
            cache: std::path::absolute(cache).map_err(LabError::io(cache, "found"))?,
        })
    }

    /// Whether a lab can run on this machine.
    pub fn requirements() -> Result<(), MissingRequirement> {
        machine::requirements()
    }

    /// Brings the lab up: what is there stays as it is, what is missing is made.
    pub fn up(&self, options: &UpOptions, say: &dyn Fn(&str)) -> Result<Vec<LabHost>, LabError> {
        Self::requirements()?;
        if options.hosts == 0 || options.hosts > network::MAX_HOSTS {
            return Err(LabError::Hosts(options.hosts));
        }
        let _lock = self.folder.lock()?;
        fs::create_dir_all(&self.cache).map_err(LabError::io(&self.cache, "made"))?;
        // The image belongs to all labs; this one begins with its state.
        let recipe = image::Recipe::new(&machine::archive()?);
        recipe.ensure(&self.cache, say)?;
        let key = self.login_key()?;
        let state = {
            // Two labs that come up together must not choose the same network.
            let path = self.cache.join("network.lock");
            let lock = fs::File::create(&path).map_err(LabError::io(&path, "opened"))?;
            lock.lock().map_err(LabError::io(&path, "locked"))?;
            let state = self.plan(options)?;
            // From here on, whatever is made is known by the state.
            self.folder.save(&state)?;
            network::ensure(&state.prefix, state.subnet)?;
            state
        };
        let runtime = machine::runtime(&self.cache)?;
        hosts::ensure(&state, &self.folder, &recipe.name(), runtime.as_deref(), say)?;
        let host_keys = self.prepare(&state, &key, options.refresh, say)?;
        inventory::write(&self.folder, &state, &host_keys)?;
        self.status()
    }

    /// The state as it shall be; hosts are only ever added.
    fn plan(&self, options: &UpOptions) -> Result<State, LabError> {
        let mut state = match self.folder.load()? {
            Some(state) => state,
            None => State::new(options.prefix.clone(), options.subnet.map_or_else(network::choose, Ok)?),
        };
        let differs = |what, there: String, asked: String| {
            Err(LabError::Differs { folder: self.folder.path().to_owned(), what, there, asked })
        };
        if state.prefix != options.prefix {
            return differs("the prefix", state.prefix.to_string(), options.prefix.to_string());
        }
        if let Some(subnet) = options.subnet.filter(|subnet| *subnet != state.subnet) {
            return differs("the network", state.subnet.to_string(), subnet.to_string());
        }
        for number in 1..=options.hosts {
            state.hosts.insert(format!("web-{number}"), state.subnet.host(number)?);
        }
        Ok(state)
    }

    /// The public half of the lab's own login key, made at first.
    fn login_key(&self) -> Result<String, LabError> {
        let private = self.folder.file("id_ed25519");
        let public = self.folder.file("id_ed25519.pub");
        if !public.exists() {
            match fs::remove_file(&private) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LabError::io(&private, "replaced")(error));
                }
                _ => {}
            }
            Tool::new("ssh-keygen", "making the login key")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "switchback-lab", "-f"])
                .args([&private])
                .run()?;
        }
        fs::read_to_string(&public).map_err(LabError::io(&public, "read"))
    }

    /// Waits until all hosts have booted; answers their host keys.
    fn prepare(
        &self,
        state: &State,
        key: &str,
        refresh: bool,
        say: &dyn Fn(&str),
    ) -> Result<BTreeMap<String, String>, LabError> {
        say("waiting for the hosts to boot");
        let hosts = state.in_order();
        let one = |host: &str| {
            let container = state.prefix.container(host);
            let host_key = hosts::welcome(&container, key)?;
            if refresh {
                hosts::refresh_lists(&container)?;
            }
            Ok((host.to_owned(), host_key))
        };
        let mut keys = BTreeMap::new();
        for chunk in hosts.chunks(AT_ONCE) {
            let results: Vec<Result<(String, String), LabError>> = std::thread::scope(|scope| {
                let threads: Vec<_> = chunk.iter().map(|&(host, _)| scope.spawn(move || one(host))).collect();
                threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
            });
            for result in results {
                let (host, host_key) = result?;
                keys.insert(host, host_key);
            }
        }
        Ok(keys)
    }

    /// The hosts as they are now; none if the lab is not up.
    pub fn status(&self) -> Result<Vec<LabHost>, LabError> {
        let Some(state) = self.folder.load()? else { return Ok(Vec::new()) };
        let names: Vec<String> = state.hosts.keys().map(|host| state.prefix.container(host)).collect();
        let there = hosts::inspect(&names)?;
        let hosts = state.in_order().into_iter().map(|(name, address)| {
            let container = state.prefix.container(name);
            let found = there.get(&container);
            let host_state = match found {
                None => HostState::Missing,
                Some(found) if !found.running => HostState::Stopped,
                Some(_) if reachable(address) => HostState::Up,
                Some(_) => HostState::Unreachable,
            };
            let booted = found.map(|found| found.started.clone()).unwrap_or_default();
            LabHost { name: name.to_owned(), address, container, state: host_state, booted }
        });
        Ok(hosts.collect())
    }

    /// Takes the lab down: everything that carries its label, also what a crash or a restore left; the image stays.
    /// Answers whether anything was there.
    pub fn down(&self) -> Result<bool, LabError> {
        if !self.folder.path().exists() {
            return Ok(false);
        }
        let _lock = self.folder.lock()?;
        let Some(state) = self.folder.load()? else {
            self.folder.clear()?;
            return Ok(false);
        };
        // A container cannot even be removed without the runtime it was made with.
        fs::create_dir_all(&self.cache).map_err(LabError::io(&self.cache, "made"))?;
        machine::runtime(&self.cache)?;
        Self::sweep(&state.prefix)?;
        self.folder.clear()?;
        Ok(true)
    }

    /// Removes everything that carries this prefix, also where the lab's folder is lost.
    pub fn sweep(prefix: &Prefix) -> Result<(), LabError> {
        let filter = format!("label={LABEL}={prefix}");
        let list = |what: &[&str]| {
            Tool::new("podman", "listing what belongs to the lab").args(what).args(["--filter", &filter]).run()
        };
        for tries in 1..=REMOVAL_TRIES {
            let containers = list(&["ps", "--all", "--quiet", "--no-trunc"])?;
            let containers: Vec<&str> = containers.split_whitespace().collect();
            if containers.is_empty() {
                break;
            }
            let removed = Tool::new("podman", "removing the lab's hosts")
                .args(["rm", "--force", "--time=2"])
                .args(&containers)
                .limit(600)
                .run();
            // A host that ends while it is being ended confuses podman; what is left is tried again.
            if tries == REMOVAL_TRIES {
                removed?;
            }
        }
        // Backups of its hosts are images made of them: they carry its label too.
        let images = list(&["images", "--quiet", "--no-trunc"])?;
        for id in images.split_whitespace() {
            // A backup of a restored host is built on another: forced, because podman keeps parents with names.
            let removed = Tool::new("podman", "removing a backup").args(["rmi", "--force", id]).ask()?;
            let exists = Tool::new("podman", "looking for a backup").args(["image", "exists", id]).ask()?;
            if exists.status.success() {
                return Err(LabError::Failed {
                    program: "podman".to_owned(),
                    purpose: "removing a backup".to_owned(),
                    stderr: crate::model::printable(removed.stderr.trim(), 200),
                });
            }
        }
        let networks = list(&["network", "ls", "--quiet"])?;
        for name in networks.split_whitespace() {
            Tool::new("podman", "removing the lab's network").args(["network", "rm", "--force", name]).run()?;
        }
        fault::remove_table(prefix)
    }

    /// Removes the images of all labs and the cache, so that the next lab is built anew.
    pub fn purge(&self) -> Result<(), LabError> {
        image::purge(&self.cache)
    }

    /// The inventory of the lab as it was last brought up.
    pub fn inventory_yaml(&self) -> Result<String, LabError> {
        let path = self.inventory_path();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LabError::NotUp(self.folder.path().to_owned()))
            }
            result => result.map_err(LabError::io(&path, "read")),
        }
    }

    /// Where the inventory lies.
    pub fn inventory_path(&self) -> PathBuf {
        self.folder.file("inventory.yaml")
    }

    /// Where the private half of the login key lies.
    pub fn identity_path(&self) -> PathBuf {
        self.folder.file("id_ed25519")
    }

    /// Where the host keys lie.
    pub fn known_hosts_path(&self) -> PathBuf {
        self.folder.file("known_hosts")
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The state of a lab that is up, and the address of one of its hosts.
    pub(crate) fn host(&self, host: &str) -> Result<(State, Ipv4Addr), LabError> {
        let state = self.folder.load()?.ok_or_else(|| LabError::NotUp(self.folder.path().to_owned()))?;
        let address = *state.hosts.get(host).ok_or_else(|| LabError::UnknownHost(crate::model::printable(host, 80)))?;
        Ok((state, address))
    }
}

/// Whether sshd accepts a connection; on the lab's own bridge a second is long.
fn reachable(address: Ipv4Addr) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((address, 22)), Duration::from_secs(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    fn options(hosts: u32, prefix: &str, subnet: &str) -> Result<UpOptions, LabError> {
        Ok(UpOptions { hosts, prefix: prefix.parse()?, subnet: Some(subnet.parse()?), refresh: false })
    }

    #[test]
    fn a_lab_grows_and_never_changes_its_name_or_network() -> Fallible {
        let dir = tempfile::tempdir()?;
        let lab = Lab::open(dir.path(), dir.path())?;
        let state = lab.plan(&options(2, "t", "10.77.9.0/24")?)?;
        lab.folder.save(&state)?;
        assert_eq!(lab.plan(&options(1, "t", "10.77.9.0/24")?)?, state);
        assert_eq!(lab.plan(&options(3, "t", "10.77.9.0/24")?)?.hosts.len(), 3);
        assert!(matches!(lab.plan(&options(2, "u", "10.77.9.0/24")?), Err(LabError::Differs { .. })));
        assert!(matches!(lab.plan(&options(2, "t", "10.77.8.0/24")?), Err(LabError::Differs { .. })));
        Ok(())
    }

    #[test]
    fn a_lab_that_was_never_up_is_empty_and_down() -> Fallible {
        let dir = tempfile::tempdir()?;
        let lab = Lab::open(&dir.path().join("lab"), dir.path())?;
        assert!(lab.status()?.is_empty());
        assert!(!lab.down()?);
        assert!(matches!(lab.inventory_yaml(), Err(LabError::NotUp(_))));
        assert!(matches!(lab.host("web-1"), Err(LabError::NotUp(_))));
        Ok(())
    }
}

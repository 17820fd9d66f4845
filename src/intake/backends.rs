//! Provider and switch of a host as inventories write them, checked.

mod switch;

pub(super) use switch::RawSwitch;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    Become, BtrfsProvider, ExecProvider, Freeze, LibvirtProvider, LvmProvider, ProviderSettings, ResticProvider, Ssh,
    TimeSpan, Via, is_unprintable, printable,
};

use super::settings::{
    Keys, Wrong, check_absolute, check_address, check_argv, check_host_key, check_jump, check_path, check_timeout,
    check_user, plain, wrong,
};

/// A backup provider, `kind` told apart by hand: tagged enums lose the places of errors.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    /// `podman`, `docker`, `btrfs`, `lvm`, `libvirt`, `restic`, `exec` or `simulated`.
    #[schemars(extend("enum" = ["podman", "docker", "btrfs", "lvm", "libvirt", "restic", "exec", "simulated"]))]
    kind: String,
    /// podman, docker: the container's name.
    name: Option<String>,
    /// podman: a `CONTAINERS_CONF` to call it with.
    containers_conf: Option<String>,
    /// docker: the daemon's socket, where it is not `/var/run/docker.sock`.
    socket: Option<String>,
    /// podman, docker: the network for clones, which the service's clients must not reach; without it none are made.
    clone_network: Option<String>,
    /// exec: a command that prints the reference of the backup it made as its last line.
    backup: Option<Vec<String>>,
    /// exec: a command that puts the host back.
    restore: Option<Vec<String>>,
    /// exec: a command that succeeds if the backup is whole.
    verify_backup: Option<Vec<String>>,
    /// exec: a command that deletes the backup.
    delete: Option<Vec<String>>,
    /// exec: a command that makes a clone from a backup; its last line is `REF ADDRESS KEYTYPE BASE64`.
    clone: Option<Vec<String>>,
    /// exec: a command that destroys a clone, or an original that was kept.
    destroy: Option<Vec<String>>,
    /// exec: a command that lets a clone take the place of its host; its last line is the reference of the original.
    promote: Option<Vec<String>>,
    /// exec: a command that lists what there is of ours for the host, a line each: `backup|clone|original KEY REF`.
    list: Option<Vec<String>>,
    /// exec: clones work on the data volumes of their host.
    shares_data: Option<bool>,
    /// btrfs: the path of the subvolume that is the host's root.
    subvolume: Option<String>,
    /// btrfs: a folder in the same mounted file system for what is kept.
    snapshots: Option<String>,
    /// btrfs, lvm: a command that stops the host.
    stop: Option<Vec<String>>,
    /// btrfs, lvm: a command that starts the host.
    start: Option<Vec<String>>,
    /// btrfs: a command that starts the clone `{clone}` with the root `{path}` and prints its address as its last line.
    start_clone: Option<Vec<String>>,
    /// btrfs: a command that stops the clone `{clone}`.
    stop_clone: Option<Vec<String>>,
    /// btrfs, lvm, libvirt: a command on the host that makes its services hold still for a snapshot.
    freeze: Option<Vec<String>>,
    /// btrfs, lvm, libvirt: a command on the host that lets them go on.
    thaw: Option<Vec<String>>,
    /// btrfs, lvm, libvirt: the machine that holds the host's disk, where it is not this one.
    via: Option<RawVia>,
    /// lvm: the volume group.
    group: Option<String>,
    /// lvm: the thin volume that is the host's disk.
    volume: Option<String>,
    /// libvirt: the domain.
    domain: Option<String>,
    /// libvirt: where it is, as virsh takes it; `qemu:///system` if nothing is said.
    uri: Option<String>,
    /// libvirt: a folder on its machine for what is kept.
    backups: Option<String>,
    /// restic: the repository, without a password in it.
    repository: Option<String>,
    /// restic: a file on the host with the password of the repository.
    password_file: Option<String>,
    /// restic: a file on the host with `NAME=VALUE` lines for restic.
    environment_file: Option<String>,
    /// restic: what is backed up and put back.
    paths: Option<Vec<String>>,
    /// restic: patterns of what is left out.
    exclude: Option<Vec<String>>,
    /// restic: a command on the host that runs when files have been put back.
    after_restore: Option<Vec<String>>,
    /// exec, btrfs, lvm, restic: how long each command may take, such as `10m`. libvirt: how long the host may take to shut
    /// down.
    timeout: Option<TimeSpan>,
}

/// Another machine on which a backend's commands run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVia {
    /// Where to connect.
    address: String,
    /// Login user.
    user: Option<String>,
    /// Port.
    port: Option<u16>,
    /// Private key file.
    identity: Option<String>,
    /// Jump host.
    jump: Option<String>,
    /// A known_hosts file of its own.
    known_hosts: Option<String>,
    /// The pinned host key, `TYPE BASE64`.
    host_key: Option<String>,
    /// `sudo`, or nothing.
    #[serde(rename = "become")]
    becomes: Option<Become>,
}

impl RawVia {
    fn check(self) -> Result<Via, Wrong> {
        check_address("`address`", &self.address)?;
        self.user.as_ref().map_or(Ok(()), |user| check_user("`user`", user))?;
        self.jump.as_ref().map_or(Ok(()), |jump| check_jump("`jump`", jump))?;
        self.identity.as_ref().map_or(Ok(()), |path| check_path("`identity`", path))?;
        self.known_hosts.as_ref().map_or(Ok(()), |path| check_path("`known_hosts`", path))?;
        self.host_key.as_ref().map_or(Ok(()), |key| check_host_key(key))?;
        let ssh = Ssh {
            user: self.user,
            port: self.port,
            identity: self.identity,
            jump: self.jump,
            config: None,
            known_hosts: self.known_hosts,
            host_key: self.host_key,
        };
        Ok(Via { address: self.address, ssh, becomes: self.becomes.unwrap_or_default() })
    }
}

/// The keys of each kind of provider, beside `kind`.
const PROVIDERS: [(&str, &[&str]); 8] = [
    ("podman", &["name", "containers_conf", "clone_network"]),
    ("docker", &["name", "socket", "clone_network"]),
    (
        "exec",
        &[
            "backup",
            "restore",
            "verify_backup",
            "delete",
            "clone",
            "destroy",
            "promote",
            "list",
            "shares_data",
            "timeout",
        ],
    ),
    (
        "btrfs",
        &["subvolume", "snapshots", "stop", "start", "start_clone", "stop_clone", "freeze", "thaw", "via", "timeout"],
    ),
    ("lvm", &["group", "volume", "stop", "start", "freeze", "thaw", "via", "timeout"]),
    ("libvirt", &["domain", "uri", "backups", "freeze", "thaw", "via", "timeout"]),
    ("restic", &["repository", "password_file", "environment_file", "paths", "exclude", "after_restore", "timeout"]),
    ("simulated", &[]),
];

impl RawProvider {
    /// The keys that are there, beside `kind`.
    fn present(&self) -> Vec<&'static str> {
        let present = [
            ("name", self.name.is_some()),
            ("containers_conf", self.containers_conf.is_some()),
            ("socket", self.socket.is_some()),
            ("clone_network", self.clone_network.is_some()),
            ("shares_data", self.shares_data.is_some()),
            ("subvolume", self.subvolume.is_some()),
            ("snapshots", self.snapshots.is_some()),
            ("group", self.group.is_some()),
            ("volume", self.volume.is_some()),
            ("domain", self.domain.is_some()),
            ("uri", self.uri.is_some()),
            ("backups", self.backups.is_some()),
            ("via", self.via.is_some()),
            ("repository", self.repository.is_some()),
            ("password_file", self.password_file.is_some()),
            ("environment_file", self.environment_file.is_some()),
            ("paths", self.paths.is_some()),
            ("exclude", self.exclude.is_some()),
            ("timeout", self.timeout.is_some()),
        ];
        let commands = self.commands().into_iter().filter(|(_, argv)| argv.is_some()).map(|(key, _)| key);
        present.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).chain(commands).collect()
    }

    fn commands(&self) -> [(&'static str, &Option<Vec<String>>); 15] {
        [
            ("backup", &self.backup),
            ("restore", &self.restore),
            ("verify_backup", &self.verify_backup),
            ("delete", &self.delete),
            ("clone", &self.clone),
            ("destroy", &self.destroy),
            ("promote", &self.promote),
            ("list", &self.list),
            ("stop", &self.stop),
            ("start", &self.start),
            ("start_clone", &self.start_clone),
            ("stop_clone", &self.stop_clone),
            ("freeze", &self.freeze),
            ("thaw", &self.thaw),
            ("after_restore", &self.after_restore),
        ]
    }

    pub(super) fn check(self) -> Result<ProviderSettings, Wrong> {
        let keys = Keys { what: "provider", kind: &printable(&self.kind, 40) };
        keys.known(&PROVIDERS.map(|(kind, _)| kind))?;
        let own = PROVIDERS.iter().find(|(kind, _)| *kind == self.kind).map_or(&[][..], |(_, own)| own);
        self.present().into_iter().filter(|key| !own.contains(key)).try_for_each(|key| keys.none(key, &Some(())))?;
        for (key, command) in self.commands() {
            command.as_ref().map_or(Ok(()), |argv| check_argv(key, argv))?;
            // Others travel through a shell elsewhere, whose words take no line ends.
            if self.kind != "exec" && command.iter().flatten().any(|word| word.contains(is_unprintable)) {
                return wrong(
                    format!("the command `{key}` has control characters inside"),
                    "put the script into a file and name that",
                );
            }
        }
        let timeout = check_timeout(self.timeout)?;
        match self.kind.as_str() {
            "podman" | "docker" => {
                let name = keys.need("name", self.name)?;
                plain("the container's `name`", &name, |c| c.is_ascii_alphanumeric() || "._-".contains(c))?;
                if let Some(path) = &self.containers_conf {
                    check_path("`containers_conf`", path)?;
                }
                if let Some(network) = &self.clone_network {
                    plain("`clone_network`", network, |c| c.is_ascii_alphanumeric() || "._-".contains(c))?;
                }
                if let Some(socket) = &self.socket {
                    check_absolute("`socket`", socket)?;
                }
                let (containers_conf, socket, clone_network) = (self.containers_conf, self.socket, self.clone_network);
                Ok(if self.kind == "docker" {
                    ProviderSettings::Docker { name, socket, clone_network }
                } else {
                    ProviderSettings::Podman { name, containers_conf, clone_network }
                })
            }
            "exec" => Ok(ProviderSettings::Exec(ExecProvider {
                backup: keys.need("backup", self.backup)?,
                restore: keys.need("restore", self.restore)?,
                verify_backup: self.verify_backup,
                delete: self.delete,
                clone: self.clone,
                destroy: self.destroy,
                promote: self.promote,
                list: self.list,
                shares_data: self.shares_data.unwrap_or(false),
                timeout,
            })),
            "btrfs" => self.btrfs(&keys, timeout),
            "lvm" => self.lvm(&keys, timeout),
            "libvirt" => self.libvirt(&keys, timeout),
            "restic" => self.restic(&keys, timeout),
            _ => Ok(ProviderSettings::Simulated),
        }
    }

    fn btrfs(self, keys: &Keys<'_>, timeout: Option<TimeSpan>) -> Result<ProviderSettings, Wrong> {
        let (subvolume, snapshots) = (keys.need("subvolume", self.subvolume)?, keys.need("snapshots", self.snapshots)?);
        check_absolute("`subvolume`", &subvolume)?;
        check_absolute("`snapshots`", &snapshots)?;
        let below = |folder: &str, path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        if subvolume == snapshots || below(&subvolume, &snapshots) {
            return wrong(
                "`snapshots` is inside the `subvolume`, which is moved away when the host is put back",
                "name a folder beside it",
            );
        }
        let freeze = freezing(self.freeze, self.thaw)?;
        if self.start_clone.is_some() != self.stop_clone.is_some() {
            let missing = if self.start_clone.is_some() { "stop_clone" } else { "start_clone" };
            return wrong("`start_clone` and `stop_clone` go together", format!("add `{missing}:`"));
        }
        Ok(ProviderSettings::Btrfs(BtrfsProvider {
            subvolume,
            snapshots,
            stop: keys.need("stop", self.stop)?,
            start: keys.need("start", self.start)?,
            start_clone: self.start_clone,
            stop_clone: self.stop_clone,
            freeze,
            via: self.via.map(RawVia::check).transpose()?,
            timeout,
        }))
    }

    fn lvm(self, keys: &Keys<'_>, timeout: Option<TimeSpan>) -> Result<ProviderSettings, Wrong> {
        let (group, volume) = (keys.need("group", self.group)?, keys.need("volume", self.volume)?);
        for (what, name) in [("`group`", &group), ("`volume`", &volume)] {
            plain(what, name, |c| c.is_ascii_alphanumeric() || "+_.-".contains(c))?;
        }
        Ok(ProviderSettings::Lvm(LvmProvider {
            group,
            volume,
            stop: keys.need("stop", self.stop)?,
            start: keys.need("start", self.start)?,
            freeze: freezing(self.freeze, self.thaw)?,
            via: self.via.map(RawVia::check).transpose()?,
            timeout,
        }))
    }

    fn libvirt(self, keys: &Keys<'_>, timeout: Option<TimeSpan>) -> Result<ProviderSettings, Wrong> {
        let (domain, backups) = (keys.need("domain", self.domain)?, keys.need("backups", self.backups)?);
        plain("`domain`", &domain, |c| c.is_ascii_alphanumeric() || "+_.-".contains(c))?;
        if domain.bytes().all(|b| b.is_ascii_digit()) {
            return wrong(
                format!("`domain` `{domain}` is a number, as those that run have"),
                "rename it, or name it by its UUID",
            );
        }
        check_absolute("`backups`", &backups)?;
        // It goes into an order of libvirt's, which is XML.
        plain("`backups`", &backups, |c| c.is_ascii_alphanumeric() || "/+_.- ".contains(c))?;
        if let Some(uri) = &self.uri {
            plain("`uri`", uri, |c| c.is_ascii_alphanumeric() || "/+_.-:?=&@%[]".contains(c))?;
            if !uri.starts_with("qemu") {
                return wrong("`uri` is not one of QEMU's", "write one such as `qemu:///system`");
            }
        }
        Ok(ProviderSettings::Libvirt(LibvirtProvider {
            domain,
            uri: self.uri,
            backups,
            freeze: freezing(self.freeze, self.thaw)?,
            via: self.via.map(RawVia::check).transpose()?,
            timeout,
        }))
    }

    fn restic(self, keys: &Keys<'_>, timeout: Option<TimeSpan>) -> Result<ProviderSettings, Wrong> {
        let repository = keys.need("repository", self.repository)?;
        check_path("`repository`", &repository)?;
        // `rest:https://USER:PASSWORD@HOST/`: plans and inventories are shown to people.
        let authority = repository.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
        if authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':')) {
            return wrong(
                "the `repository` has a password in it",
                "put RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD into a file on the host and name it as \
                 `environment_file`",
            );
        }
        let password_file = keys.need("password_file", self.password_file)?;
        check_absolute("`password_file`", &password_file)?;
        self.environment_file.as_ref().map_or(Ok(()), |path| check_absolute("`environment_file`", path))?;
        let paths = keys.need("paths", self.paths)?;
        if paths.is_empty() {
            return wrong("`paths` is empty: nothing would be backed up", "name folders such as `/etc`");
        }
        paths.iter().try_for_each(|path| check_absolute("a path in `paths`", path))?;
        let exclude = self.exclude.unwrap_or_default();
        exclude.iter().try_for_each(|pattern| check_path("a pattern in `exclude`", pattern))?;
        Ok(ProviderSettings::Restic(ResticProvider {
            repository,
            password_file,
            environment_file: self.environment_file,
            paths,
            exclude,
            after_restore: self.after_restore,
            timeout,
        }))
    }
}

fn freezing(freeze: Option<Vec<String>>, thaw: Option<Vec<String>>) -> Result<Option<Freeze>, Wrong> {
    match (freeze, thaw) {
        (Some(freeze), Some(thaw)) => Ok(Some(Freeze { freeze, thaw })),
        (None, None) => Ok(None),
        (freeze, _) => {
            let missing = if freeze.is_some() { "thaw" } else { "freeze" };
            wrong("`freeze` and `thaw` go together", format!("add `{missing}:`"))
        }
    }
}

#[cfg(test)]
mod tests;

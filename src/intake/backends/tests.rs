//! Keys of each kind of provider: what is read, what is refused and with which words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

fn check(value: &Value) -> Result<ProviderSettings, String> {
    let raw: RawProvider = serde_json::from_value(value.clone()).unwrap();
    raw.check().map_err(|wrong| format!("{} ({})", wrong.message, wrong.help))
}

fn with(base: &Value, key: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[key] = value;
    changed
}

fn without(base: &Value, key: &str) -> Value {
    let mut changed = base.clone();
    changed.as_object_mut().unwrap().remove(key);
    changed
}

fn btrfs() -> Value {
    json!({
        "kind": "btrfs", "subvolume": "/m/web-1", "snapshots": "/m/kept", "stop": ["s"], "start": ["s"],
        "start_clone": ["c", "{clone}", "{path}"], "stop_clone": ["c"], "freeze": ["f"], "thaw": ["t"],
        "via": {"address": "hypervisor-1", "user": "ops", "become": "sudo"}, "timeout": "2m",
    })
}

fn lvm() -> Value {
    json!({"kind": "lvm", "group": "vg0", "volume": "web-1", "stop": ["s"], "start": ["s"]})
}

fn libvirt() -> Value {
    json!({"kind": "libvirt", "domain": "web-1", "uri": "qemu:///system", "backups": "/srv/backups", "timeout": "2m"})
}

fn docker() -> Value {
    json!({"kind": "docker", "name": "web-1", "socket": "/run/docker.sock", "clone_network": "lab"})
}

fn restic() -> Value {
    json!({
        "kind": "restic", "repository": "s3:https://s3.example.com/backups", "password_file": "/etc/restic/password",
        "environment_file": "/etc/restic/environment", "paths": ["/etc"], "exclude": ["*.cache"],
        "after_restore": ["systemctl", "reboot"],
    })
}

#[test]
fn settings_tell_what_a_provider_can_do() {
    let can = |value: &Value| check(value).unwrap().capabilities();
    let full = can(&btrfs());
    assert!(full.kind == "btrfs" && full.clones && full.promotes && !full.restores_on_host);
    assert_eq!(full.consistency, crate::model::Consistency::Application);
    let bare = without(&without(&without(&without(&btrfs(), "start_clone"), "stop_clone"), "freeze"), "thaw");
    assert!(!can(&bare).clones && !can(&bare).promotes);
    assert_eq!(can(&bare).consistency, crate::model::Consistency::Crash);
    assert!(can(&lvm()).kind == "lvm" && !can(&lvm()).clones);
    assert!(can(&libvirt()).kind == "libvirt" && !can(&libvirt()).clones);
    assert!(can(&docker()).kind == "docker" && can(&docker()).clones && can(&docker()).promotes);
    assert!(!can(&without(&docker(), "clone_network")).clones);
    assert!(can(&restic()).kind == "restic" && !can(&restic()).clones && can(&restic()).restores_on_host);
    let exec =
        can(&json!({"kind": "exec", "backup": ["b", "{key}"], "restore": ["r", "{ref}"], "timeout": "1m"})).takes;
    let usual = [exec.backup, exec.restore, exec.clone, exec.promote];
    assert!(usual.iter().all(|takes| *takes <= exec.limit), "a command that took its limit was cut off: {exec:?}");
    // What is read comes back from a plan as it was.
    for value in [btrfs(), lvm(), libvirt(), docker(), restic()] {
        let settings = check(&value).unwrap();
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<ProviderSettings>(&text).unwrap(), settings);
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (value, words) in [
        (json!({"kind": "btrf"}), "did you mean `btrfs`?"),
        (without(&btrfs(), "subvolume"), "needs `subvolume`"),
        (without(&btrfs(), "stop"), "needs `stop`"),
        (without(&btrfs(), "thaw"), "add `thaw:`"),
        (without(&btrfs(), "start_clone"), "add `start_clone:`"),
        (with(&btrfs(), "snapshots", json!("/m/web-1/kept")), "inside the `subvolume`"),
        (with(&btrfs(), "snapshots", json!("/m/web-1")), "inside the `subvolume`"),
        (with(&btrfs(), "subvolume", json!("m/web-1")), "not an absolute path"),
        (with(&btrfs(), "subvolume", json!("/m/../web-1")), "not an absolute path"),
        (with(&btrfs(), "stop", json!([])), "`stop` is empty"),
        (with(&btrfs(), "stop", json!(["sh", "-c", "a\nb"])), "control characters"),
        (with(&btrfs(), "timeout", json!("0s")), "`timeout` of nothing"),
        (with(&btrfs(), "via", json!({"address": "-oProxyCommand=x"})), "no host name"),
        (with(&btrfs(), "name", json!("x")), "`name` says nothing in a provider of kind `btrfs`"),
        (with(&btrfs(), "restore", json!(["x"])), "`restore` says nothing in a provider of kind `btrfs`"),
        (with(&lvm(), "volume", json!("vg0/web-1")), "`volume`"),
        (with(&lvm(), "group", json!("--all")), "`group`"),
        (with(&lvm(), "start_clone", json!(["x"])), "says nothing in a provider of kind `lvm`"),
        (with(&libvirt(), "domain", json!("7")), "is a number"),
        (with(&libvirt(), "domain", json!("--all")), "`domain`"),
        (with(&libvirt(), "uri", json!("xen:///")), "not one of QEMU's"),
        (with(&libvirt(), "backups", json!("backups")), "not an absolute path"),
        (with(&libvirt(), "backups", json!("/a'b")), "`backups`"),
        (with(&libvirt(), "freeze", json!(["x"])), "add `thaw:`"),
        (with(&libvirt(), "stop", json!(["x"])), "says nothing in a provider of kind `libvirt`"),
        (with(&docker(), "socket", json!("docker.sock")), "not an absolute path"),
        (with(&docker(), "containers_conf", json!("/x")), "says nothing in a provider of kind `docker`"),
        (without(&restic(), "password_file"), "needs `password_file`"),
        (with(&restic(), "repository", json!("rest:https://me:hunter2@h/")), "has a password in it"),
        (with(&restic(), "repository", json!("--password-command=x")), "is no path"),
        (with(&restic(), "paths", json!([])), "`paths` is empty"),
        (with(&restic(), "paths", json!(["etc"])), "not an absolute path"),
        (with(&restic(), "exclude", json!(["--files-from=x"])), "is no path"),
        (json!({"kind": "podman", "name": "a", "timeout": "1m"}), "`timeout` says nothing"),
        (json!({"kind": "simulated", "via": {"address": "a"}}), "`via` says nothing"),
    ] {
        let error = check(&value).unwrap_err();
        assert!(error.contains(words), "{value}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(check(&with(&restic(), "repository", json!("sftp:ops@h:/backups"))).is_ok());
    assert!(check(&with(&restic(), "repository", json!("rest:https://ops@h/"))).is_ok());
}

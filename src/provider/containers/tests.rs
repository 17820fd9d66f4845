//! Tests of the containers' provider that need neither podman nor docker; the contract is held on real ones in `tests`.

use super::*;
use crate::model::HostName;

type Fallible = Result<(), Box<dyn std::error::Error>>;

fn described(command: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "Image": "6f0c1d2e3b4a5968",
        "ImageName": "docker.io/library/debian:12",
        "State": {"Running": true},
        "Config": {"Hostname": "c532f8e17359", "CreateCommand": command, "Labels": null},
        "HostConfig": {"AutoRemove": false},
        "NetworkSettings": {"Networks": {"podman": {"IPAddress": "10.88.0.7"}}},
    })
}

fn container(command: &[&str]) -> Container {
    serde_json::from_value(described(command)).expect("as podman writes it")
}

fn args(command: &[&str]) -> Result<Vec<String>, String> {
    CommandLine::of(&container(command)).map(|line| line.args_with("backup", RESTORE, "mark"))
}

#[test]
fn a_host_is_made_again_by_the_command_that_made_it() {
    let made = args(&[
        "podman",
        "--runtime",
        "/r",
        "run",
        "-d",
        "--name=a",
        "-v",
        "x:/y",
        "--ip=10.88.0.9",
        "-h",
        "a",
        "debian:12",
        "/sbin/init",
        "-x",
    ]);
    let wanted = "--runtime /r run -d --name=a -v x:/y --ip=10.88.0.9 -h a --label=io.switchback.restore=mark backup /sbin/init -x";
    assert_eq!(made.map(|args| args.join(" ")), Ok(wanted.to_owned()));
}

#[test]
fn what_podman_chose_for_the_host_stays_with_it() {
    let made = args(&["podman", "run", "-it", "--name=a", "docker.io/library/debian:12"]);
    let wanted =
        "run --detach -it --name=a --hostname=c532f8e17359 --ip=10.88.0.7 --label=io.switchback.restore=mark backup";
    assert_eq!(made.map(|args| args.join(" ")), Ok(wanted.to_owned()));
}

#[test]
fn an_earlier_restore_leaves_no_trace() {
    let made = args(&[
        "podman",
        "run",
        "-d",
        "--label",
        "io.switchback.restore=1",
        "--label=io.switchback.restore=2",
        "--label",
        "mine=1",
        "--ip=1.2.3.4",
        "--hostname=a",
        "6f0c1d2e3b4a",
        "init",
    ]);
    let wanted = "run -d --label mine=1 --ip=1.2.3.4 --hostname=a --label=io.switchback.restore=mark backup init";
    assert_eq!(made.map(|args| args.join(" ")), Ok(wanted.to_owned()));
}

#[test]
fn what_could_not_be_restored_is_not_backed_up() {
    assert!(args(&[]).is_err());
    assert!(args(&["podman", "run", "-d", "other:1"]).is_err());
    let mut fleeting = container(&["podman", "run", "--rm", "debian:12"]);
    fleeting.host_config.auto_remove = true;
    assert!(CommandLine::of(&fleeting).is_err());
}

#[test]
fn the_command_survives_its_label() {
    let recreate = Recreate::Command(CommandLine {
        before: vec!["run".to_owned(), "--label=a=\"ü\" $x".to_owned()],
        after: vec!["sh".to_owned(), "-c".to_owned(), "a\nb".to_owned()],
    });
    let label = recreate.to_label();
    assert!(label.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(Recreate::from_label(&label), Some(recreate));
    for bad in ["", "7", "zz", "7b7d"] {
        assert_eq!(Recreate::from_label(bad), None, "{bad:?}");
    }
}

/// As docker 20.10 tells of it, less what says nothing.
fn told(change: impl FnOnce(&mut serde_json::Value)) -> Result<docker::Body, String> {
    let mut told = serde_json::json!({
        "Id": "7d77f2edc3ab1d5b5b8f0c9d2a1e", "Name": "/web-1", "Mounts": [
            {"Type": "volume", "Name": "9f0c", "Destination": "/anonymous"},
            {"Type": "volume", "Name": "data", "Destination": "/data"},
        ],
        "Config": {"Hostname": "web-1", "Image": "debian:12", "Cmd": ["init"], "Labels": {
            "mine": "1", "io.switchback.backup.recreate": "7b7d", "io.switchback.restore": "1", "io.switchback.lab": "2",
        }},
        "HostConfig": {
            "Binds": ["data:/data:rw,z", "/sys/fs/cgroup:/sys/fs/cgroup:rw"], "NetworkMode": "front", "AutoRemove": false,
            "Links": null, "VolumesFrom": null, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "Memory": 7,
        },
        "NetworkSettings": {"Networks": {"front": {
            "IPAMConfig": {"IPv4Address": "10.0.0.7"}, "Aliases": ["7d77f2edc3ab", "shop"], "MacAddress": "02:42:0a:00:00:07",
            "IPAddress": "10.0.0.7", "NetworkID": "5",
        }}},
    });
    change(&mut told);
    docker::Body::of(serde_json::from_value(told).expect("as docker writes it"))
}

#[test]
fn what_docker_tells_is_the_order_to_make_it_again() {
    let body = told(|_| ()).expect("it can be made again");
    let again = body.with("backup", (RESTORE, "mark"));
    assert_eq!(again["Labels"], serde_json::json!({"mine": "1", "io.switchback.lab": "2", RESTORE: "mark"}));
    assert_eq!(
        (&again["Image"], &again["Hostname"], &again["Cmd"][0]),
        (&"backup".into(), &"web-1".into(), &"init".into())
    );
    assert_eq!(
        (&again["HostConfig"]["Memory"], &again["HostConfig"]["Binds"][2]),
        (&7.into(), &"9f0c:/anonymous".into())
    );
    let front = &again["NetworkingConfig"]["EndpointsConfig"]["front"];
    assert_eq!(front["Aliases"], serde_json::json!(["shop"]));
    assert_eq!((&front["IPAMConfig"]["IPv4Address"], &front["MacAddress"]), (&"10.0.0.7".into(), &again["MacAddress"]));
    assert_eq!(Recreate::from_label(&Recreate::Body(body.clone()).to_label()), Some(Recreate::Body(body.clone())));

    let clone = body.clone_of("backup", "lab", &[("a", "b"), ("c", "d")]).expect("it can be cloned");
    assert_eq!((&clone["Hostname"], clone.get("MacAddress")), (&"web-1-clone".into(), None));
    let binds = ["data:/data:z,ro", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "9f0c:/anonymous:ro"];
    assert_eq!(clone["HostConfig"]["Binds"], serde_json::json!(binds));
    assert_eq!(
        (&clone["HostConfig"]["PortBindings"], &clone["HostConfig"]["NetworkMode"]),
        (&serde_json::json!({}), &"lab".into())
    );
    assert_eq!(clone["NetworkingConfig"], serde_json::json!({"EndpointsConfig": {"lab": {}}}));
    assert_eq!(clone["Labels"], serde_json::json!({"mine": "1", "io.switchback.lab": "2", "a": "b", "c": "d"}));
}

#[test]
fn what_docker_could_make_otherwise_is_refused() {
    let set = |pointer: &str, value: serde_json::Value| {
        told(|told| *told.pointer_mut(pointer).expect("it is there") = value).err().unwrap_or_default()
    };
    let network = "/NetworkSettings/Networks";
    for (why, words) in [
        (set("/HostConfig/AutoRemove", true.into()), "--rm"),
        (set("/HostConfig/Links", serde_json::json!(["/db:/web-1/db"])), "--link"),
        (set("/HostConfig/NetworkMode", "container:7".into()), "another container"),
        (set(&format!("{network}/front/IPAMConfig"), serde_json::Value::Null), "--ip"),
        (set(network, serde_json::json!({"a": {}, "b": {}})), "several networks"),
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    let host = told(|told| told["NetworkSettings"]["Networks"] = serde_json::json!({"host": {}}));
    assert!(host.is_ok(), "{host:?}");
    let mounted =
        told(|told| told["HostConfig"]["Mounts"] = serde_json::json!([{"Target": "/x"}])).expect("it comes back");
    assert!(mounted.clone_of("backup", "lab", &[]).is_err());
}

#[test]
fn keys_become_names_that_differ() {
    let (one, two) = (EffectKey("c/web-1/backup/1".to_owned()), EffectKey("c/web-1/backup/2".to_owned()));
    assert_ne!(reference("a", &one), reference("a", &two));
    assert_ne!(replaced("a", &one), replaced("a", &two));
    assert!(reference("A", &one).starts_with("localhost/switchback-backup/a:"));
}

/// A podman that answers every call with these lines of shell.
fn fake(dir: &tempfile::TempDir, script: &str) -> std::io::Result<Containers> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.path().join("podman");
    std::fs::write(&path, format!("#!/bin/sh\necho \"$*\" >> {}/calls\n{script}\n", dir.path().display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(Containers::with_program(path))
}

/// Calls for one key exclude each other on the whole machine: every test has a key of its own.
fn key() -> EffectKey {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    EffectKey(format!("test/{}/{number}", std::process::id()))
}

fn host() -> Result<Host, Box<dyn std::error::Error>> {
    let mut host = Host::named(HostName::new("web-1")?);
    host.provider = Some(ProviderSettings::Podman { name: "a".to_owned(), containers_conf: None, clone_network: None });
    Ok(host)
}

#[tokio::test]
async fn a_podman_that_is_not_there_has_changed_nothing() -> Fallible {
    let podman = Containers::with_program("/nonexistent/podman");
    let (host, key) = (host()?, key());
    let backup = BackupRef("localhost/switchback-backup/a:1".to_owned());
    assert!(matches!(podman.backup(&host, &key).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(podman.restore(&host, &backup, &key).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(podman.delete_backup(&host, &backup).await, Err(ProviderError::NoEffect(_))));
    Ok(())
}

#[tokio::test]
async fn a_backup_of_another_host_is_neither_restored_nor_deleted() -> Fallible {
    let dir = tempfile::tempdir()?;
    let podman = fake(
        &dir,
        r#"case $2 in inspect) echo '[{"Config":{"Labels":{"io.switchback.backup.container":"b"}}}]' ;; exists) ;; *) exit 9 ;; esac"#,
    )?;
    let (host, key) = (host()?, key());
    let backup = BackupRef("localhost/switchback-backup/b:1".to_owned());
    assert!(matches!(podman.restore(&host, &backup, &key).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(podman.delete_backup(&host, &backup).await, Err(ProviderError::NoEffect(_))));
    let calls = std::fs::read_to_string(dir.path().join("calls"))?;
    assert!(calls.lines().all(|call| call.starts_with("image exists") || call.starts_with("image inspect")), "{calls}");
    Ok(())
}

#[tokio::test]
async fn a_podman_that_cannot_say_is_not_taken_for_a_no() -> Fallible {
    let dir = tempfile::tempdir()?;
    let podman = fake(&dir, "echo 'database is locked' >&2; exit 125")?;
    let (host, key) = (host()?, key());
    let failed = podman.backup(&host, &key).await;
    let Err(ProviderError::NoEffect(why)) = failed else { panic!("{failed:?}") };
    assert_eq!(why, "database is locked");
    Ok(())
}

/// A podman with one host and no backup, whose commits fail with these words, each once.
fn failing(dir: &tempfile::TempDir, words: &[&str]) -> std::io::Result<Containers> {
    let host = serde_json::json!([described(&["podman", "run", "--detach", "debian:12", "init"])]);
    std::fs::write(dir.path().join("host"), host.to_string())?;
    std::fs::write(dir.path().join("words"), words.join("\n"))?;
    fake(
        dir,
        &r#"case $1-$2 in
            container-exists) ;;
            container-inspect) cat DIR/host ;;
            image-exists) exit 1 ;;
            commit-*)
                said=$(head -n 1 DIR/words)
                sed -i 1d DIR/words
                [ -z "$said" ] || { echo "$said" >&2; exit 125; } ;;
            *) exit 9 ;;
        esac"#
            .replace("DIR", &dir.path().display().to_string()),
    )
}

fn commits(dir: &tempfile::TempDir) -> std::io::Result<usize> {
    let calls = std::fs::read_to_string(dir.path().join("calls"))?;
    Ok(calls.lines().filter(|call| call.starts_with("commit ")).count())
}

#[tokio::test]
async fn a_host_that_could_not_be_frozen_is_tried_again() -> Fallible {
    let dir = tempfile::tempdir()?;
    let podman = failing(&dir, &["Error: pausing container \"a\" to commit: exit status 1"])?;
    let (host, key) = (host()?, key());
    let backup = podman.backup(&host, &key).await.map_err(|error| format!("{error:?}"))?;
    assert_eq!((backup.0, commits(&dir)?), (reference("a", &key), 2));
    Ok(())
}

#[tokio::test]
async fn a_commit_that_fails_otherwise_is_not_tried_again() -> Fallible {
    let dir = tempfile::tempdir()?;
    let podman = failing(&dir, &["Error: no space left on device", "Error: never said"])?;
    let (host, key) = (host()?, key());
    let failed = podman.backup(&host, &key).await;
    let Err(ProviderError::NoEffect(why)) = failed else { panic!("{failed:?}") };
    assert!(why.contains("no space left"), "{why}");
    assert_eq!(commits(&dir)?, 1);
    Ok(())
}

#[tokio::test]
async fn hosts_of_other_providers_are_refused() -> Fallible {
    let podman = Containers::default();
    let mut host = host()?;
    host.provider = Some(ProviderSettings::Simulated);
    assert!(matches!(podman.list(&host).await, Err(ProviderError::NoEffect(_))));
    host.provider =
        Some(ProviderSettings::Podman { name: "--all".to_owned(), containers_conf: None, clone_network: None });
    assert!(matches!(podman.list(&host).await, Err(ProviderError::NoEffect(_))));
    Ok(())
}

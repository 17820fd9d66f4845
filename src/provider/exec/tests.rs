//! The user's own commands as provider, tried with shells that keep copies of a file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use crate::model::HostName;

use super::*;

fn host() -> Host {
    Host::named(HostName::new("web-1").unwrap())
}

fn key(text: &str) -> EffectKey {
    EffectKey(text.to_owned())
}

fn sh(script: &str, arguments: &[&str]) -> Vec<String> {
    let words = [&["/bin/sh", "-c", script, "sh"], arguments].concat();
    words.into_iter().map(str::to_owned).collect()
}

/// "Backs up" a file: one copy a key, as the contract asks.
fn provider(dir: &Path) -> ExecCommands {
    let dir = dir.to_str().unwrap();
    ExecCommands::new(ExecProvider {
        backup: sh(
            r#"cd "$1" || exit 75; name=b-$(echo "$3" | tr / _); [ -e "$name" ] || { cp data "$name"; echo made >>log; }; echo "of $2"; echo "$name""#,
            &[dir, "{host}", "{key}"],
        ),
        restore: sh(r#"cd "$1" && [ -e "$2" ] || exit 75; cp "$2" data"#, &[dir, "{ref}"]),
        verify_backup: Some(sh(r#"[ -s "$1/$2" ]"#, &[dir, "{ref}"])),
        delete: Some(sh(r#"rm -f "$1/$2""#, &[dir, "{ref}"])),
        timeout: Some(TimeSpan::seconds(5)),
        ..ExecProvider::default()
    })
}

#[tokio::test]
async fn a_backup_is_made_once_a_key_and_puts_back_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::write(&data, "before").unwrap();
    let provider = provider(dir.path());
    let first = provider.backup(&host(), &key("c1/web-1/backup/1")).await.unwrap();
    assert_eq!(first, BackupRef("b-c1_web-1_backup_1".into()));
    std::fs::write(&data, "after").unwrap();
    assert_eq!(provider.backup(&host(), &key("c1/web-1/backup/1")).await.unwrap(), first);
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "made\n");
    provider.verify_backup(&host(), &first).await.unwrap();
    for _ in 0..2 {
        provider.restore(&host(), &first, &key("c1/web-1/restore/1")).await.unwrap();
        assert_eq!(std::fs::read_to_string(&data).unwrap(), "before");
    }
    for _ in 0..2 {
        provider.delete_backup(&host(), &first).await.unwrap();
    }
    assert!(provider.verify_backup(&host(), &first).await.is_err());
    let gone = provider.restore(&host(), &first, &key("k")).await;
    assert!(matches!(gone, Err(ProviderError::NoEffect(_))), "75 says that nothing was done: {gone:?}");
}

#[tokio::test]
async fn a_call_that_outlived_its_caller_is_not_joined_by_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut commands = provider(dir.path()).commands;
    commands.restore = sh(r#"echo begun >>"$1/log"; sleep 1; echo ended >>"$1/log""#, &[dir.path().to_str().unwrap()]);
    let provider = ExecCommands::new(commands);
    let (host, backup, key) = (host(), BackupRef("b".into()), key(dir.path().to_str().unwrap()));
    let restore = || provider.restore(&host, &backup, &key);
    let cut_off = tokio::time::timeout(std::time::Duration::from_millis(300), restore()).await;
    assert!(cut_off.is_err());
    let second = restore().await;
    assert!(matches!(second, Err(ProviderError::Unclear(_))), "{second:?}");
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    restore().await.unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "begun\nended\nbegun\nended\n");
}

#[tokio::test]
async fn failures_say_whether_something_may_have_been_done() {
    let with = |backup: Vec<String>| {
        ExecCommands::new(ExecProvider { backup, timeout: Some(TimeSpan::seconds(1)), ..ExecProvider::default() })
    };
    for (argv, no_effect) in [
        (sh("exit 75", &[]), true),
        (vec!["/nonexistent".to_owned()], true),
        (sh("true", &["{typo}"]), true),
        (Vec::new(), true),
        (sh("exit 1", &[]), false),
        (sh("kill -9 $$", &[]), false),
        (sh("sleep 5", &[]), false),
        (sh("true", &[]), false),
        (sh("echo '--all'", &[]), false),
        (sh("echo 'a b'", &[]), false),
        (sh("printf 'a\\033[2J\\n'", &[]), false),
        (sh("head -c 1000 /dev/zero | tr '\\0' a", &[]), false),
    ] {
        let error = with(argv.clone()).backup(&host(), &key("k")).await.unwrap_err();
        assert_eq!(matches!(error, ProviderError::NoEffect(_)), no_effect, "{argv:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_reference_from_elsewhere_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let error = provider(dir.path()).restore(&host(), &BackupRef("--all".into()), &key("k")).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)));
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNsb25l";

#[tokio::test]
async fn clones_are_made_listed_promoted_and_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let mut commands = provider(dir.path()).commands;
    let path = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join("data"), "v1").unwrap();
    commands.clone = Some(sh(
        r#"cd "$1" || exit 75; [ -e "$2" ] || exit 75; name=c-$(echo "$3" | tr / _); [ -e "$name" ] || cp "$2" "$name"
           echo "$3" >"$name.key"; echo "starts $name"; echo "$name 10.0.0.9 $4""#,
        &[path, "{ref}", "{key}", KEY],
    ));
    commands.destroy = Some(sh(r#"cd "$1" && rm -f "$2" "$2.key""#, &[path, "{ref}"]));
    commands.promote = Some(sh(
        r#"cd "$1"; [ -e original ] || { mv data original; echo "$3" >original.key; mv "$2" data; rm "$2.key"; }; echo original"#,
        &[path, "{ref}", "{key}"],
    ));
    commands.list = Some(sh(
        r#"cd "$1"; for c in c-*.key; do [ -e "$c" ] && echo "clone $(cat "$c") ${c%.key}"; done
           [ -e original ] && echo "original $(cat original.key) original"; echo"#,
        &[path],
    ));
    let provider = ExecCommands::new(commands);
    let (backup_key, clone_key, promote_key) =
        (key("c1/web-1/backup/1"), key("c1/web-1/clone/1"), key("c1/web-1/promote/1"));
    let backup = provider.backup(&host(), &backup_key).await.unwrap();
    let clone = provider.clone_host(&host(), &backup, &clone_key).await.unwrap();
    assert_eq!((clone.address.as_str(), clone.host_key.as_str()), ("10.0.0.9", KEY));
    assert_eq!(provider.clone_host(&host(), &backup, &clone_key).await.unwrap(), clone);
    let reference = clone.reference;
    assert_eq!(provider.list(&host()).await.unwrap(), [(clone_key, Held::Clone(reference.clone()))]);
    std::fs::write(dir.path().join(&reference.0), "v2").unwrap();
    for _ in 0..2 {
        let original = provider.promote(&host(), &reference, &promote_key).await.unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("data")).unwrap(), "v2");
        assert_eq!(provider.list(&host()).await.unwrap(), [(promote_key.clone(), Held::Original(original.clone()))]);
    }
    for _ in 0..2 {
        provider.destroy(&host(), &reference).await.unwrap();
        provider.release(&host(), &OriginalRef("original".into())).await.unwrap();
    }
    assert_eq!(provider.list(&host()).await.unwrap(), []);
    let gone = provider.clone_host(&host(), &BackupRef("b-none".into()), &key("c1/web-1/clone/2")).await;
    assert!(matches!(gone, Err(ProviderError::NoEffect(_))), "{gone:?}");
}

#[tokio::test]
async fn what_a_command_prints_of_clones_is_checked() {
    let with = |line: &str| {
        ExecCommands::new(ExecProvider {
            clone: Some(sh(r#"printf '%s\n' "$1""#, &[line])),
            destroy: Some(sh("true", &[])),
            list: Some(sh(r#"printf '%s\n' "$1""#, &[line])),
            timeout: Some(TimeSpan::seconds(5)),
            ..ExecProvider::default()
        })
    };
    let backup = BackupRef("b".into());
    for line in [
        "",
        "c1",
        "c1 10.0.0.9",
        "c1 10.0.0.9 ssh-ed25519",
        "c1 10.0.0.9 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 comment",
        "c1 -oProxyCommand=x ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "c1 a;b ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "c1 10.0.0.9 @cert-authority AAAAC3NzaC1lZDI1NTE5",
        "--all 10.0.0.9 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
    ] {
        let error = with(line).clone_host(&host(), &backup, &key("c1/web-1/clone/3")).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unclear(_)), "{line:?}: {error:?}");
    }
    for line in ["backup k", "volume k r", "backup k r more", "clone k --all", "clone \u{1b}[2J r"] {
        let error = with(line).list(&host()).await.unwrap_err();
        assert!(matches!(error, ProviderError::NoEffect(_)), "{line:?}: {error:?}");
    }
    let mut no_destroy = with("c1 10.0.0.9 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5").commands;
    no_destroy.destroy = None;
    let error = ExecCommands::new(no_destroy).clone_host(&host(), &backup, &key("c1/web-1/clone/4")).await;
    assert!(matches!(error, Err(ProviderError::NoEffect(_))), "what cannot be destroyed must not be made");
}

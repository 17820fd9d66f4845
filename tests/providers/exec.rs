//! The user's own commands: shells that keep copies of a folder.

use std::path::Path;
use std::sync::Arc;

use switchback::model::{ExecProvider, ProviderSettings};
use switchback::provider::{BackupRef, for_host};
use switchback::transport::{LocalTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::{host, sh};

/// `$1` is the folder, `$2` a reference, `$3` a key.
fn script(body: &str, dir: &str, values: &[&str]) -> Vec<String> {
    sh(&format!("cd \"$1\" || exit 75\n{body}"), &[&[dir], values].concat())
}

fn commands(dir: &str) -> ExecProvider {
    ExecProvider {
        backup: script(
            "b=b-$(echo \"$2\" | tr / _); [ -e $b ] || { cp -a host $b; echo \"$2\" >$b.key; }; echo $b",
            dir,
            &["{key}"],
        ),
        restore: script("[ -e \"$2\" ] || exit 75; rm -rf host; cp -a \"$2\" host", dir, &["{ref}"]),
        verify_backup: Some(script("[ -e \"$2/machine-id\" ]", dir, &["{ref}"])),
        delete: Some(script("rm -rf \"$2\" \"$2.key\"", dir, &["{ref}"])),
        clone: Some(script(
            "[ -e \"$2\" ] || exit 75; c=c-$(echo \"$3\" | tr / _)\n\
             if [ ! -e $c ]; then cp -a \"$2\" $c; echo \"$3\" >$c.key; echo clone >$c/name; echo $$ >$c/machine-id\n\
             echo ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA$$ >$c/key; fi\n\
             echo $c 10.0.0.9 $(cat $c/key)",
            dir,
            &["{ref}", "{key}"],
        )),
        destroy: Some(script("rm -rf \"$2\" \"$2.key\"", dir, &["{ref}"])),
        promote: Some(script(
            "o=o-$(echo \"$3\" | tr / _); [ -e $o ] || {\n\
             for f in name machine-id key; do cp host/$f \"$2/$f\"; done\n\
             mv host $o; mv \"$2\" host; rm \"$2.key\"; echo \"$3\" >$o.key; }; echo $o",
            dir,
            &["{ref}", "{key}"],
        )),
        list: Some(script(
            "for k in *.key; do [ -e \"$k\" ] || continue\n\
             case $k in b-*) kind=backup ;; c-*) kind=clone ;; *) kind=original ;; esac\n\
             echo $kind $(cat $k) ${k%.key}; done",
            dir,
            &[],
        )),
        ..ExecProvider::default()
    }
}

fn identity(root: &Path) -> Identity {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap().trim().to_owned();
    Identity { machine_id: read("machine-id"), host_key: read("key"), name: read("name") }
}

#[tokio::test]
async fn commands_that_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    std::fs::create_dir(&root).unwrap();
    for (name, text) in [("machine-id", "m1"), ("key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"), ("name", "web-1")] {
        std::fs::write(root.join(name), text).unwrap();
    }
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport);
    let host = host("web-1", ProviderSettings::Exec(commands(dir.path().to_str().unwrap())));
    hold(&Subject {
        kind: "exec",
        tried_as: "exec",
        on: "shell scripts that keep copies of a folder".to_owned(),
        provider: for_host(&host, &transport).unwrap(),
        host,
        write: Box::new(|text| std::fs::write(root.join("data"), text).unwrap()),
        read: Box::new(|| std::fs::read_to_string(root.join("data")).unwrap()),
        identity: Box::new(|clone| match clone {
            Some(clone) => identity(&dir.path().join(&clone.reference.0)),
            None => identity(&root),
        }),
        unknown: BackupRef("b-none".to_owned()),
    })
    .await;
}

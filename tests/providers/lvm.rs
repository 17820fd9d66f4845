//! Disks of hosts on a real LVM with a thin pool, in the virtual machine that `scripts/lvm-vm` boots.

use std::process::{Command, Stdio};
use std::sync::Arc;

use switchback::model::{LvmProvider, ProviderSettings, Ssh, Via};
use switchback::provider::{BackupRef, EffectKey, ProviderError, for_host};
use switchback::transport::{SshLimits, SshTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::{host, sh, testing};

/// A root login on the machine.
struct Machine {
    port: u16,
    identity: String,
    host_key: String,
    known: tempfile::NamedTempFile,
}

impl Machine {
    fn here() -> Option<Self> {
        let Some(text) = switchback::env::var("SWITCHBACK_LVM") else {
            testing::skip("needs the machine of scripts/lvm-vm");
            return None;
        };
        let mut words = text.splitn(3, ' ');
        let (port, identity, host_key) = (words.next()?, words.next()?, words.next()?);
        let known = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(known.path(), format!("[127.0.0.1]:{port} {host_key}\n")).unwrap();
        Some(Self { port: port.parse().unwrap(), identity: identity.into(), host_key: host_key.into(), known })
    }

    fn run(&self, script: &str) -> String {
        let output = Command::new("ssh")
            .args(["-n", "-F", "/dev/null", "-i", &self.identity, "-p", &self.port.to_string()])
            .args(["-o", &format!("UserKnownHostsFile={}", self.known.path().display()), "root@127.0.0.1", script])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn settings(&self, volume: &str) -> LvmProvider {
        let ssh = Ssh {
            user: Some("root".into()),
            port: Some(self.port),
            identity: Some(self.identity.clone()),
            host_key: Some(self.host_key.clone()),
            ..Ssh::default()
        };
        LvmProvider {
            group: "pool".into(),
            volume: volume.into(),
            stop: sh("echo stop \"$1\" >>/log", &["{host}"]),
            start: sh("echo start \"$1\" >>/log", &["{host}"]),
            freeze: None,
            via: Some(Via { address: "127.0.0.1".into(), ssh, becomes: Default::default() }),
            timeout: None,
        }
    }
}

fn key(step: &str) -> EffectKey {
    EffectKey(format!("c{}-lvm/web-1/{step}/1", std::process::id()))
}

#[tokio::test]
async fn thin_volumes_keep_the_contract() {
    let Some(machine) = Machine::here() else { return };
    let transport: Arc<dyn Transport> = Arc::new(SshTransport::new(SshLimits::default()).unwrap());
    let web = host("web-1", ProviderSettings::Lvm(machine.settings("web-1")));
    let provider = for_host(&web, &transport).unwrap();
    let version = machine.run("lvs --version | head -n 1");
    let version =
        version.split_whitespace().nth(2).unwrap_or_default().split('(').next().unwrap_or_default().to_owned();
    machine.run("echo who >/text; dd if=/text of=/dev/pool/web-1 bs=512 seek=64 conv=notrunc,fsync 2>/dev/null");
    hold(&Subject {
        kind: "lvm",
        tried_as: "lvm",
        on: format!("LVM {version} with a thin pool, in a virtual machine, over OpenSSH; a disk of bytes as host"),
        provider: Arc::clone(&provider),
        host: web.clone(),
        write: Box::new(|text| {
            machine.run(&format!(
                "echo {text} >/text; dd if=/text of=/dev/pool/web-1 bs=512 conv=notrunc,fsync 2>/dev/null"
            ));
        }),
        read: Box::new(|| machine.run("head -n 1 /dev/pool/web-1")),
        identity: Box::new(|_| {
            let text = machine.run("dd if=/dev/pool/web-1 bs=512 skip=64 count=1 2>/dev/null | head -n 1");
            Identity { machine_id: text.clone(), host_key: text.clone(), name: text }
        }),
        unknown: BackupRef(format!("{}:wW4WqU-3Zo1-Vv9k-0tXx-3gqj-Ew1m-5iDq5H", "0".repeat(32))),
    })
    .await;
    assert_eq!(machine.run("lvs --noheadings -o lv_name pool | sort | xargs"), "thick thin web-1");

    // Cut off between the two moves; a volume that is in use; one that is not thin.
    machine.run("echo before >/text; dd if=/text of=/dev/pool/web-1 bs=512 conv=notrunc,fsync 2>/dev/null");
    let backup = provider.backup(&web, &key("cut")).await.unwrap();
    let by = switchback::model::Digest::of(key("cut-restore").0.as_bytes()).to_string()[..32].to_owned();
    machine.run(&format!("echo after >/text; dd if=/text of=/dev/pool/web-1 bs=512 conv=notrunc,fsync 2>/dev/null
        lvcreate -q -s -prw -kn --addtag switchback.restored={by} -n switchback_new_{by} pool/switchback_backup_{} && lvrename -q pool web-1 switchback_old_{by}; : >/log", backup.0.split(':').next().unwrap()));
    provider.restore(&web, &backup, &key("cut-restore")).await.unwrap();
    assert_eq!(machine.run("head -n 1 /dev/pool/web-1; cat /log"), "before\nstart web-1");
    machine.run("sleep 30 </dev/pool/web-1 >/dev/null 2>&1 & echo $! >/pid");
    let error = provider.restore(&web, &backup, &key("used")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Unclear(why) if why.contains("in use")), "{error:?}");
    machine.run("kill $(cat /pid)");
    provider.restore(&web, &backup, &key("used")).await.unwrap();
    provider.delete_backup(&web, &backup).await.unwrap();
    let thick = host("thick-1", ProviderSettings::Lvm(machine.settings("thick")));
    let error = for_host(&thick, &transport).unwrap().backup(&thick, &key("thick")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("thin")), "{error:?}");
    assert_eq!(machine.run("lvs --noheadings -o lv_name pool | sort | xargs"), "thick thin web-1");
}

//! Domains of a real libvirtd of the test's own, with disks of bytes: nothing boots from them, but QEMU runs.

use std::path::PathBuf;
use std::sync::Arc;

use switchback::model::{Digest, Freeze, Host, LibvirtProvider, ProviderSettings, Ssh, TimeSpan, Via};
use switchback::provider::{BackupRef, EffectKey, Provider, ProviderError, for_host};
use switchback::transport::{LocalTransport, SshLimits, SshTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::daemon::Daemon;
use crate::{has_daemon, host, run, sh, testing};

/// Everything that libvirt keeps is in memory; it must not see a `/dev/kvm` that may not work.
const LINE: &str = r#"
for part in /etc/libvirt /var/lib/libvirt /run/libvirt /var/log/libvirt /var/cache/libvirt; do
  mkdir -p $part
  mount -t tmpfs tmpfs $part
done
[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
{ grep -v '^libvirt-qemu:' /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/:/bin/false'; } >passwd
{ grep -v '^libvirt-qemu:' /etc/group; echo 'libvirt-qemu:x:64055:'; } >group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
printf 'unix_sock_dir = "%s"\nauth_unix_rw = "none"\n' "$PWD/run" >/etc/libvirt/libvirtd.conf
printf '%s\n' 'security_driver = "none"' 'stdio_handler = "file"' 'cgroup_controllers = []' 'namespaces = []' \
  >/etc/libvirt/qemu.conf
ip link set lo up
libvirtd --pid-file "$PWD/pid" & wait $!
"#;

struct Libvirt {
    _daemon: Daemon,
    dir: tempfile::TempDir,
}

impl Libvirt {
    /// With one domain that runs: a disk in qcow2, a raw one, and a drive that is empty.
    fn start() -> Option<Self> {
        let needed = ["libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "qemu-io", "unshare", "flock"];
        if !has_daemon(&needed) {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("sb-libvirt").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        // QEMU runs as a user of its own.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let socket = dir.path().join("run/libvirt-sock");
        let libvirt = Self { _daemon: Daemon::start(dir.path(), LINE, || socket.exists()), dir };
        run("qemu-img", &["create", "-q", "-f", "qcow2", &libvirt.disk(), "64M"]);
        std::fs::File::create(libvirt.path("data.raw")).unwrap().set_len(8 << 20).unwrap();
        std::fs::write(libvirt.path("domain.xml"), libvirt.definition()).unwrap();
        libvirt.virsh(&["define", libvirt.path("domain.xml").to_str().unwrap()]);
        libvirt.virsh(&["start", "web-1"]);
        Some(libvirt)
    }

    fn definition(&self) -> String {
        format!(
            "<domain type='qemu'><name>web-1</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>\
             <features><acpi/></features><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>\
             <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>\
             <target dev='vda' bus='virtio'/></disk>\
             <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>\
             <target dev='vdb' bus='virtio'/></disk>\
             <disk type='file' device='cdrom'><target dev='hda' bus='ide'/><readonly/></disk>\
             <interface type='user'><mac address='52:54:00:01:02:03'/></interface><memballoon model='none'/>\
             <graphics type='vnc' passwd='hunter2' port='-1' listen='127.0.0.1'/></devices></domain>",
            self.disk(),
            self.path("data.raw").display(),
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn disk(&self) -> String {
        self.path("it is a disk.qcow2").display().to_string()
    }

    fn uri(&self) -> String {
        format!("qemu:///system?socket={}", self.path("run/libvirt-sock").display())
    }

    fn virsh(&self, args: &[&str]) -> String {
        run("virsh", &[&["-q", "-c", self.uri().as_str()], args].concat())
    }

    fn settings(&self) -> LibvirtProvider {
        LibvirtProvider {
            domain: "web-1".into(),
            uri: Some(self.uri()),
            backups: self.path("kept").display().to_string(),
            freeze: None,
            via: None,
            timeout: Some(TimeSpan::seconds(1)),
        }
    }

    fn host(&self, settings: LibvirtProvider) -> (Host, Arc<dyn Provider>) {
        let host = host("web-1", ProviderSettings::Libvirt(settings));
        let transport: Arc<dyn Transport> = Arc::new(LocalTransport);
        let provider = for_host(&host, &transport).unwrap();
        (host, provider)
    }

    /// What a program of the host would write to both disks, through the QEMU that runs.
    fn write(&self, text: &str) {
        for disk in 0..2 {
            for command in [format!("write -P {} 0 512", text.as_bytes()[0]), "flush".into()] {
                let line = format!("qemu-io -d /machine/peripheral/virtio-disk{disk}/virtio-backend \"{command}\"");
                let said = self.virsh(&["qemu-monitor-command", "web-1", "--hmp", &line]);
                assert!(!said.to_lowercase().contains("error"), "{said}");
            }
        }
    }

    /// What both disks hold.
    fn read(&self) -> String {
        let first = |format: &str, file: &str| {
            run("qemu-io", &["-U", "-r", "-f", format, "-c", "read -v 0 1", file]).get(11..13).map(str::to_owned)
        };
        let both = [first("qcow2", &self.disk()), first("raw", self.path("data.raw").to_str().unwrap())];
        assert_eq!(both[0], both[1]);
        let byte = u8::from_str_radix(both[0].as_deref().unwrap(), 16).unwrap();
        ["before", "after", "newer"].into_iter().find(|text| text.as_bytes()[0] == byte).unwrap_or("nothing").to_owned()
    }

    /// Who the domain is, and that it runs.
    fn identity(&self) -> Identity {
        let xml = self.virsh(&["dumpxml", "--security-info", "web-1"]);
        let line = |word: &str| xml.lines().find(|line| line.contains(word)).unwrap().trim().to_owned();
        assert!(xml.contains("hunter2") && self.virsh(&["domstate", "web-1"]) == "running");
        Identity { machine_id: line("<uuid>"), host_key: line("<mac "), name: line("<name>") }
    }

    fn subject(&self, host: Host, provider: Arc<dyn Provider>) -> Subject<'_> {
        let version = run("libvirtd", &["--version"]);
        let qemu = run("qemu-system-x86_64", &["--version"]);
        let number = |text: &str, at: usize| text.split_whitespace().nth(at).unwrap_or_default().to_owned();
        Subject {
            kind: "libvirt",
            tried_as: "libvirt",
            on: format!(
                "libvirt {} with QEMU {}, software emulation; a domain that runs without a system, with a qcow2 and a raw \
                 disk of bytes, on this machine and over OpenSSH",
                number(&version, 2),
                number(&qemu, 3)
            ),
            provider,
            host,
            write: Box::new(|text| self.write(text)),
            read: Box::new(|| self.read()),
            identity: Box::new(|_| self.identity()),
            unknown: BackupRef(format!("{}:8f1c5c91-e805-3947-83ee-f8fdea233a98", "0".repeat(32))),
        }
    }

    fn kept(&self) -> String {
        run("ls", &[self.path("kept/web-1").to_str().unwrap()]).replace('\n', " ")
    }

    /// Files beside the disks.
    fn beside(&self) -> String {
        run("sh", &["-c", "cd \"$1\" && ls | grep switchback- | xargs", "sh", self.dir.path().to_str().unwrap()])
    }
}

fn key(step: &str) -> EffectKey {
    EffectKey(format!("c{}-libvirt/web-1/{step}/1", std::process::id()))
}

fn mark(key: &EffectKey) -> String {
    Digest::of(key.0.as_bytes()).to_string()[..32].to_owned()
}

#[tokio::test]
async fn domains_keep_the_contract_here_and_over_ssh() {
    let Some(libvirt) = Libvirt::start() else { return };
    let (here, provider) = libvirt.host(libvirt.settings());
    hold(&libvirt.subject(here, provider)).await;
    assert_eq!((libvirt.kept().as_str(), libvirt.beside().as_str()), ("lock", ""), "nothing of ours is left");

    let Some(sshd) = testing::Sshd::start() else { return };
    let ssh = Ssh {
        user: Some("root".into()),
        port: Some(sshd.port),
        identity: Some(sshd.file("user_key").display().to_string()),
        host_key: Some(sshd.public_key("host_key.pub")),
        ..Ssh::default()
    };
    let via = Via { address: "127.0.0.1".into(), ssh, becomes: Default::default() };
    let there = host("web-1", ProviderSettings::Libvirt(LibvirtProvider { via: Some(via), ..libvirt.settings() }));
    let transport: Arc<dyn Transport> = Arc::new(SshTransport::new(SshLimits::default()).unwrap());
    let provider = for_host(&there, &transport).unwrap();
    hold(&libvirt.subject(there, provider)).await;
}

#[tokio::test]
async fn what_was_cut_off_is_completed_and_what_is_half_is_no_backup() {
    let Some(libvirt) = Libvirt::start() else { return };
    let (host, provider) = libvirt.host(libvirt.settings());
    libvirt.write("before");
    let backup = provider.backup(&host, &key("cut")).await.unwrap();
    let mv = |from: &str, to: &str| std::fs::rename(from, to).unwrap();

    // Cut off after the copies were made; between the two moves of a disk; after the first disk; with the domain gone.
    for cut in 0..4 {
        libvirt.write("after");
        let by = mark(&key(&format!("cut-{cut}")));
        let here = libvirt.path(&format!("kept/web-1/restore-{by}"));
        std::fs::create_dir(&here).unwrap();
        std::fs::write(here.join("of"), format!("{}\n", mark(&key("cut")))).unwrap();
        std::fs::write(here.join("copied"), "").unwrap();
        let raw = libvirt.path("data.raw").display().to_string();
        for (disk, format, target) in [(libvirt.disk(), "qcow2", "vda"), (raw, "raw", "vdb")] {
            let from = libvirt.path(&format!("kept/web-1/backup-{}/{target}", mark(&key("cut"))));
            let to = format!("{disk}.switchback-new-{by}");
            run("qemu-img", &["convert", "-f", "qcow2", "-O", format, from.to_str().unwrap(), &to]);
        }
        if cut > 0 {
            libvirt.virsh(&["destroy", "web-1"]);
            mv(&libvirt.disk(), &format!("{}.switchback-old-{by}", libvirt.disk()));
        }
        if cut > 1 {
            mv(&format!("{}.switchback-new-{by}", libvirt.disk()), &libvirt.disk());
        }
        if cut > 2 {
            libvirt.virsh(&["undefine", "web-1"]);
        }
        provider.restore(&host, &backup, &key(&format!("cut-{cut}"))).await.unwrap();
        assert_eq!((libvirt.read().as_str(), libvirt.beside().as_str()), ("before", ""), "{cut}");
        libvirt.identity();
    }

    // A copy that was begun and not finished is made again, also while it still goes on.
    libvirt.write("after");
    for going_on in [false, true] {
        let half = key(&format!("half-{going_on}"));
        let folder = libvirt.path(&format!("kept/web-1/backup-{}", mark(&half)));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("key"), format!("{}\n", half.0)).unwrap();
        std::fs::write(folder.join("uuid"), "8f1c5c91-e805-3947-83ee-f8fdea233a98\n").unwrap();
        if going_on {
            let order = format!(
                "<domainbackup mode='push'><disks><disk name='vda' backup='yes' type='file'><driver type='qcow2'/>\
                 <target file='{0}/vda'/></disk><disk name='vdb' backup='no'/><disk name='hda' backup='no'/></disks></domainbackup>",
                folder.display()
            );
            std::fs::write(folder.join("order.xml"), order).unwrap();
            libvirt.virsh(&["qemu-monitor-command", "web-1", "--hmp", "stop"]);
            libvirt.virsh(&["backup-begin", "web-1", folder.join("order.xml").to_str().unwrap()]);
        }
        let reference = BackupRef(format!("{}:8f1c5c91-e805-3947-83ee-f8fdea233a98", mark(&half)));
        assert!(matches!(provider.verify_backup(&host, &reference).await, Err(ProviderError::NoEffect(_))));
        assert!(matches!(provider.restore(&host, &reference, &half).await, Err(ProviderError::NoEffect(_))));
        let made = provider.backup(&host, &half).await.unwrap();
        assert_ne!(made, reference);
        provider.verify_backup(&host, &made).await.unwrap();
        provider.delete_backup(&host, &made).await.unwrap();
    }

    // A host that is off is backed up and comes back; a damaged copy is told.
    libvirt.virsh(&["destroy", "web-1"]);
    let off = provider.backup(&host, &key("off")).await.unwrap();
    provider.restore(&host, &off, &key("off-restore")).await.unwrap();
    assert_eq!(libvirt.read(), "after");
    libvirt.identity();
    let copy = libvirt.path(&format!("kept/web-1/backup-{}/vda", mark(&key("off"))));
    std::fs::OpenOptions::new().write(true).open(copy).unwrap().set_len(70_000).unwrap();
    let error = provider.verify_backup(&host, &off).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("vda")), "{error:?}");

    // Where libvirt does not answer, nothing is moved.
    let deaf = libvirt.path("run/libvirt-sock");
    std::fs::rename(&deaf, libvirt.path("run/away")).unwrap();
    let error = provider.restore(&host, &backup, &key("deaf")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Unclear(why) if why.contains("connect")), "{error:?}");
    std::fs::rename(libvirt.path("run/away"), &deaf).unwrap();
    assert_eq!(libvirt.read(), "after");
    provider.restore(&host, &backup, &key("deaf")).await.unwrap();
    assert_eq!((libvirt.read().as_str(), libvirt.beside().as_str()), ("before", ""));

    // What a restore would break, and what is not there.
    let diskspec = ["--disk-only", "--diskspec", "vdb,snapshot=no"];
    libvirt.virsh(&[&["snapshot-create-as", "web-1", "own"], &diskspec[..]].concat());
    let error = provider.backup(&host, &key("snapshots")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("snapshots")), "{error:?}");
    let odd = LibvirtProvider { domain: "web-2".into(), ..libvirt.settings() };
    let (none, gone) = libvirt.host(odd);
    let error = gone.backup(&none, &key("gone")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("no domain web-2")), "{error:?}");
    assert_eq!(provider.list(&host).await.unwrap().len(), 2);
}

#[tokio::test]
async fn services_hold_still_until_the_copy_has_begun() {
    let Some(libvirt) = Libvirt::start() else { return };
    let write = |text: &str| {
        let line = "qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend";
        let io = format!(
            "virsh -q -c \"$1\" qemu-monitor-command web-1 --hmp \"{line} \\\"write -P {} 0 512\\\"\"",
            text.as_bytes()[0]
        );
        let both = format!("{io}; {}", io.replace("disk0", "disk1"));
        sh(&both, &[&libvirt.uri()])
    };
    let freeze = Some(Freeze { freeze: write("before"), thaw: write("after") });
    let (host, provider) = libvirt.host(LibvirtProvider { freeze, ..libvirt.settings() });
    assert_eq!(host.provider.as_ref().unwrap().capabilities().consistency, switchback::model::Consistency::Application);
    libvirt.write("newer");
    let backup = provider.backup(&host, &key("still")).await.unwrap();
    assert_eq!(provider.backup(&host, &key("still")).await.unwrap(), backup);
    provider.restore(&host, &backup, &key("still-restore")).await.unwrap();
    assert_eq!(libvirt.read(), "before");

    // What holds only half of the disks when the hypervisor stops is no backup.
    let stops = sh("virsh -q -c \"$1\" destroy web-1 >/dev/null 2>&1; true", &[&libvirt.uri()]);
    let freeze = Some(Freeze { freeze: sh("true", &[]), thaw: stops });
    let (host, provider) = libvirt.host(LibvirtProvider { freeze, ..libvirt.settings() });
    // Where the copy was done before, it is whole.
    let whole = match provider.backup(&host, &key("half")).await {
        Ok(backup) => {
            provider.verify_backup(&host, &backup).await.unwrap();
            1
        }
        Err(error) => {
            assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("its end")), "{error:?}");
            0
        }
    };
    libvirt.virsh(&["start", "web-1"]);

    let refuses = Some(Freeze { freeze: sh("exit 1", &[]), thaw: sh("true", &[]) });
    let (host, provider) = libvirt.host(LibvirtProvider { freeze: refuses, ..libvirt.settings() });
    let error = provider.backup(&host, &key("not-still")).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    assert_eq!(provider.list(&host).await.unwrap().len(), 1 + whole);
}

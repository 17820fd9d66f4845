//! What a machine says of its domains is not believed; the contract is held on a real libvirt in `tests/providers`.

use super::*;

const UUID: &str = "8f1c5c91-e805-3947-83ee-f8fdea233a98";

fn definition(disks: &str) -> String {
    format!(
        "<domain type='kvm'><name>web-1</name><metadata><devices><disk/></devices></metadata><devices>\
         <emulator>/usr/bin/kvm</emulator>{disks}<interface type='network'><source file='/x'/></interface></devices></domain>"
    )
}

fn disk(more: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/libvirt/images/a b&amp;c.qcow2'/>\
         <target dev='vda' bus='virtio'/>{more}</disk>"
    )
}

#[test]
fn disks_are_told_from_what_is_not_written_to() {
    let cdrom =
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda'/><readonly/></disk>";
    let data = "<disk type='file'><driver type='raw'/><source file='/d'/><target dev='vdb'/></disk>";
    let seed = "<disk type='network' device='disk'><target dev='vdc'/><readonly/></disk>";
    let domain = Domain::read(&definition(&[&disk("<backingStore/>"), cdrom, data, seed].concat()));
    let domain = domain.map(|domain| (domain.disks(), domain.others()));
    let disks = "vda qcow2 /var/lib/libvirt/images/a b&c.qcow2|vdb raw /d";
    assert_eq!(domain, Ok((disks.to_owned(), "sda vdc".to_owned())));
}

#[test]
fn what_could_not_be_put_back_is_refused() {
    for (disks, why) in [
        (String::new(), "no disks"),
        (disk("<shareable/>"), "shared"),
        (disk("<transient/>"), "forgets"),
        (disk("<backingStore type='file'><source file='/base'/></backingStore>"), "below it"),
        (disk("").replace("'qcow2'", "'vmdk'"), "neither"),
        (disk("").replace("type='file'", "type='block'"), "not a file"),
        (disk("").replace("device='disk'", "device='lun'"), "not a file"),
        (disk("").replace("a b", "a|b"), "path"),
        (disk("").replace("a b", "a&#10;b"), "path"),
        (disk("").replace("/var", "var"), "path"),
        (disk("").replace("'vda'", "'../x'"), "called"),
        (disk("") + "<disk", "not understood"),
    ] {
        let read = Domain::read(&definition(&disks));
        assert!(matches!(&read, Err(told) if told.contains(why)), "{disks}: {read:?}");
    }
    assert!(Domain::read("<domain><devices>").is_err());
}

#[test]
fn only_what_our_key_names_is_listed() {
    let key = EffectKey("c1/web-1/backup/1".to_owned());
    let held = Held::Backup(BackupRef(format!("{}:{UUID}", mark(&key))));
    assert_eq!(listed(&format!("{}:{UUID} {}", mark(&key), key.0)), Some((key.clone(), held)));
    let other = mark(&EffectKey("c1/web-1/backup/2".to_owned()));
    for bad in [format!("{other}:{UUID} {}", key.0), format!("{}:x {}", mark(&key), key.0), format!("{other}:{UUID}")] {
        assert_eq!(listed(&bad), None, "{bad}");
    }
    for bad in ["", "root", "../x:y", &format!("{}:{UUID}", "g".repeat(32)), &format!("{}:a b", "a".repeat(32))] {
        assert!(Libvirt::parts(&BackupRef(bad.to_owned())).is_err(), "{bad}");
    }
}

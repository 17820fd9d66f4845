//! What a machine says of its subvolumes is not believed; the contract is tried on a real btrfs in `tests/providers`.

use super::*;

const UUID: &str = "8f1c5c91-e805-3947-83ee-f8fdea233a98";

#[test]
fn only_what_our_key_names_is_listed() {
    let key = EffectKey("c1/web-1/backup/1".to_owned());
    let name = mark(&key);
    let line = format!("backup {name}:{UUID} {}", key.0);
    assert_eq!(listed(&line), Some((key.clone(), Held::Backup(BackupRef(format!("{name}:{UUID}"))))));
    assert_eq!(listed(&format!("clone {name} {}", key.0)), Some((key.clone(), Held::Clone(CloneRef(name.clone())))));
    for line in [
        String::new(),
        format!("backup {name}:{UUID} c1/web-2/backup/1"),
        format!("backup {name} {}", key.0),
        format!("backup {name}:{} {}", &UUID[1..], key.0),
        format!("root {name} {}", key.0),
        format!("clone ../{name} {}", key.0),
        format!("clone {name} {} more", key.0),
    ] {
        assert_eq!(listed(&line), None, "{line}");
    }
}

#[test]
fn references_cannot_lead_elsewhere() {
    for bad in ["", "../../etc", "x:y", &format!("{}:{UUID}", "g".repeat(32)), &format!("{}:{UUID}x", "a".repeat(32))] {
        assert!(Btrfs::parts(&BackupRef(bad.to_owned())).is_err(), "{bad}");
        assert!(checked(bad).is_err(), "{bad}");
    }
}

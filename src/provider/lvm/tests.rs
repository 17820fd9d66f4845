//! What a machine says of its volumes is not believed; the contract is tried on a real LVM in `scripts/lvm-vm`.

use super::*;

const UUID: &str = "wW4WqU-3Zo1-Vv9k-0tXx-3gqj-Ew1m-5iDq5H";

#[test]
fn only_what_our_key_names_is_listed() {
    let key = EffectKey("c1/web-1/backup/1".to_owned());
    let volume = format!("switchback_backup_{}", mark(&key));
    let line = |tags: &str| format!("  {volume}|{UUID}|{tags}  ");
    let held = Held::Backup(BackupRef(format!("{}:{UUID}", mark(&key))));
    let ours = "switchback.host=web-1,switchback.key=c1/web-1/backup/1,switchback.whole";
    assert_eq!(listed(&line(ours), "web-1"), Some(Some((key, held))));
    assert_eq!(listed(&line(ours), "web-2"), Some(None));
    assert_eq!(listed(&format!("  root|{UUID}|"), "web-1"), Some(None));
    assert_eq!(listed(&line(""), "web-1"), Some(None));
    for bad in ["switchback.host=web-1", "switchback.host=web-1,switchback.key=c1/web-2/backup/1"] {
        assert_eq!(listed(&line(bad), "web-1"), None, "{bad}");
    }
    assert_eq!(listed("  WARNING: something", "web-1"), None);
}

#[test]
fn references_cannot_lead_elsewhere() {
    for bad in ["", "root", "../x:y", &format!("{}:{UUID}", "g".repeat(32)), &format!("{}:a b", "a".repeat(32))] {
        assert!(Lvm::parts(&BackupRef(bad.to_owned())).is_err(), "{bad}");
    }
}

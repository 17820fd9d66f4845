//! What restic says is not believed; the contract is tried on a real repository in `tests/providers`.

use super::*;

const ID: &str = "154abc0e7860e317142dab4606207dd485af2aaa94348800353cd72f1094754e";

fn snapshot(host: &str, tag: &str, id: &str) -> String {
    format!(
        r#"{{"time":"2026-11-26T01:47:41Z","hostname":"{host}","tags":["{tag}"],"id":"{id}","short_id":"154abc0e"}}"#
    )
}

#[test]
fn only_whole_backups_of_this_host_are_listed() {
    let list = format!(
        "[{},{},{},{}]",
        snapshot("web-1", "switchback-key=c1/web-1/backup/1", ID),
        snapshot("web-2", "switchback-key=c1/web-2/backup/1", ID),
        snapshot("web-1", "switchback-half=c1/web-1/backup/2", ID),
        snapshot("web-1", "nightly", "not ours to check"),
    );
    let ours = (EffectKey("c1/web-1/backup/1".to_owned()), Held::Backup(BackupRef(ID.to_owned())));
    assert_eq!(listed(&list, "web-1"), Some(vec![ours]));
    // What an empty repository, and one of an older restic, answers.
    assert_eq!(listed("[]", "web-1"), Some(vec![]));
    assert_eq!(listed("null", "web-1"), Some(vec![]));
    for bad in [
        "".to_owned(),
        "Fatal: wrong password".to_owned(),
        format!("[{}]", snapshot("web-1", "switchback-key=--all", ID)),
        format!("[{}]", snapshot("web-1", "switchback-key=c1/web-1/backup/1", "latest")),
    ] {
        assert_eq!(listed(&bad, "web-1"), None, "{bad}");
    }
}

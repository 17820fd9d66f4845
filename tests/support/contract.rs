//! The contract of a provider, the same for every kind; what it was tried on is kept for the docs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchback::model::{Host, TimeSpan};
use switchback::provider::{Ask, BackupRef, CloneHost, CloneRef, EffectKey, Held, Provider, ProviderError, Watch};

/// What tells one host from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) machine_id: String,
    pub(crate) host_key: String,
    pub(crate) name: String,
}

/// Looks who the host is, or a clone of it.
type Look<'a> = dyn Fn(Option<&CloneHost>) -> Identity + 'a;

/// A host of some kind, and how to look at it without its provider.
pub(crate) struct Subject<'a> {
    /// The kind.
    pub(crate) kind: &'static str,
    /// Its name in the docs' table.
    pub(crate) tried_as: &'static str,
    /// What it was tried on, for the docs.
    pub(crate) on: String,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) host: Host,
    /// Writes the text of a file of the host.
    pub(crate) write: Box<dyn Fn(&str) + 'a>,
    /// Reads it.
    pub(crate) read: Box<dyn Fn() -> String + 'a>,
    /// Reads who the host is, or a clone of it.
    pub(crate) identity: Box<Look<'a>>,
    /// A reference to a backup of this kind that does not exist.
    pub(crate) unknown: BackupRef,
}

/// Holds the subject to the contract, and the docs to what was tried.
pub(crate) async fn hold(subject: &Subject<'_>) {
    let Subject { provider, host, write, read, identity, .. } = subject;
    let can = host.provider.as_ref().unwrap().capabilities();
    assert_eq!(can.kind, subject.kind);
    // A key locks the whole machine: the kinds are held side by side.
    let key = |step: &str| EffectKey(format!("c{}-{}/{}/{step}/1", std::process::id(), subject.kind, host.name));
    let mut tried = Vec::new();
    let mut step = |name: &str| tried.push(name.to_owned());

    assert_eq!(provider.list(host).await.unwrap(), []);
    let was = identity(None);
    write("before");
    let backup = provider.backup(host, &key("backup")).await.unwrap();
    step("backup");
    write("after");
    assert_eq!(provider.backup(host, &key("backup")).await.unwrap(), backup, "made twice for one key");
    step("found by its key");
    provider.verify_backup(host, &backup).await.unwrap();
    assert_eq!(read(), "after", "a backup and its verification change nothing");
    step("verify");
    provider.restore(host, &backup, &key("restore")).await.unwrap();
    assert_eq!((read().as_str(), identity(None)), ("before", was.clone()));
    step("restore");
    provider.restore(host, &backup, &key("restore")).await.unwrap();
    assert_eq!((read().as_str(), identity(None)), ("before", was.clone()));
    write("after");
    provider.restore(host, &backup, &key("again")).await.unwrap();
    assert_eq!(read(), "before", "a backup serves more than once");
    step("restore again");
    let listed = (key("backup"), Held::Backup(backup.clone()));
    assert_eq!(provider.list(host).await.unwrap(), std::slice::from_ref(&listed));
    step("list");

    if can.goes_back_alone {
        write("after");
        // What a watch leaves stays on this machine: a name that no other run has.
        let once = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let (by, after) = (key(&format!("arm-{once}")), TimeSpan::seconds(6));
        let arm = |after| Ask::Arm { backup: &backup, after };
        for _ in 0..2 {
            assert_eq!(provider.watch(host, &by, arm(after)).await, Ok(Watch::Armed));
        }
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(provider.watch(host, &by, Ask::Renew { after }).await, Ok(Watch::Armed), "renewed in time");
        }
        for ask in [Ask::Disarm, Ask::Disarm, arm(after), Ask::Renew { after }] {
            assert_eq!(provider.watch(host, &by, ask).await, Ok(Watch::Disarmed), "for good: {ask:?}");
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(read(), "after", "what was disarmed never goes back");
        step("watch");
        let by = key(&format!("arm-again-{once}"));
        let at_once = TimeSpan::seconds(1);
        assert_eq!(provider.watch(host, &by, arm(at_once)).await, Ok(Watch::Armed));
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut told = provider.watch(host, &by, Ask::Disarm).await.unwrap();
        for _ in 0..120 {
            if told != Watch::GoesBack {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            told = provider.watch(host, &by, Ask::Renew { after }).await.unwrap();
        }
        assert_eq!((told, read().as_str(), identity(None)), (Watch::WentBack, "before", was.clone()));
        for ask in [Ask::Disarm, arm(at_once), Ask::Renew { after }] {
            assert_eq!(provider.watch(host, &by, ask).await, Ok(Watch::WentBack), "for good: {ask:?}");
        }
        let unknown = provider.watch(host, &key("none"), Ask::Renew { after }).await;
        assert!(matches!(unknown, Err(ProviderError::NoEffect(_))), "{unknown:?}");
        step("go back by itself");
    } else {
        let ask = Ask::Arm { backup: &backup, after: TimeSpan::minutes(2) };
        let refused = provider.watch(host, &key("arm"), ask).await;
        assert!(matches!(refused, Err(ProviderError::NoEffect(_))), "{refused:?}");
    }

    if can.clones {
        write("newer");
        let clone = provider.clone_host(host, &backup, &key("clone")).await.unwrap();
        assert_eq!(provider.clone_host(host, &backup, &key("clone")).await.unwrap(), clone);
        let is = identity(Some(&clone));
        assert_eq!(is.host_key, clone.host_key, "the clone answers with the key that its provider told");
        assert!(
            is.machine_id != was.machine_id && is.host_key != was.host_key && is.name != was.name,
            "{is:?} can be taken for {was:?}"
        );
        assert_eq!((read().as_str(), identity(None)), ("newer", was.clone()), "the original is not touched");
        let held = Held::Clone(clone.reference.clone());
        assert!(provider.list(host).await.unwrap().contains(&(key("clone"), held)));
        step("clone");
        for _ in 0..2 {
            provider.destroy(host, &clone.reference).await.unwrap();
            assert_eq!(provider.list(host).await.unwrap(), std::slice::from_ref(&listed));
        }
        step("destroy");
    }
    if can.promotes {
        let clone = provider.clone_host(host, &backup, &key("successor")).await.unwrap();
        let mut original = None;
        for _ in 0..2 {
            let kept = provider.promote(host, &clone.reference, &key("promote")).await.unwrap();
            assert_eq!((read().as_str(), identity(None)), ("before", was.clone()), "the clone has become the host");
            let list = provider.list(host).await.unwrap();
            assert!(list.contains(&(key("promote"), Held::Original(kept.clone()))), "{list:?}");
            assert!(!list.iter().any(|(_, held)| matches!(held, Held::Clone(_))), "{list:?}");
            original = Some(kept);
        }
        step("promote");
        provider.restore(host, &backup, &key("back")).await.unwrap();
        assert_eq!((read().as_str(), identity(None)), ("before", was.clone()));
        for _ in 0..2 {
            provider.release(host, original.as_ref().unwrap()).await.unwrap();
            assert_eq!(provider.list(host).await.unwrap(), std::slice::from_ref(&listed));
        }
        provider.destroy(host, &CloneRef(clone.reference.0)).await.unwrap();
        step("release");
    }

    for _ in 0..2 {
        provider.delete_backup(host, &backup).await.unwrap();
        assert_eq!(provider.list(host).await.unwrap(), []);
    }
    step("delete");
    for gone in [&backup, &subject.unknown, &BackupRef("--all".to_owned())] {
        let restored = provider.restore(host, gone, &key("none")).await;
        assert!(matches!(restored, Err(ProviderError::NoEffect(_))), "{gone:?}: {restored:?}");
        assert!(provider.verify_backup(host, gone).await.is_err(), "{gone:?}");
    }
    assert_eq!((read().as_str(), identity(None)), ("before", was));
    step("unknown reference");
    record(subject.tried_as, &subject.on, tried);
}

/// What was tried of a kind.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Tried {
    on: String,
    steps: Vec<String>,
}

const BEGIN: &str = "<!-- tried: written by the contract test -->\n";
const END: &str = "<!-- end -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name)
}

fn results() -> BTreeMap<String, Tried> {
    serde_json::from_str(&std::fs::read_to_string(docs("providers.json")).unwrap()).unwrap()
}

fn table(results: &BTreeMap<String, Tried>) -> String {
    let mut text = String::from("| kind | tried on | what held |\n|---|---|---|\n");
    for (kind, Tried { on, steps }) in results {
        let steps = if steps.is_empty() { "nothing".to_owned() } else { steps.join(", ") };
        text.push_str(&format!("| {kind} | {on} | {steps} |\n"));
    }
    text
}

/// The page with this table in it.
fn page(table: &str) -> String {
    let page = std::fs::read_to_string(docs("providers.md")).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    [before, BEGIN, table, END, after].concat()
}

fn blessing() -> bool {
    switchback::env::var("SWITCHBACK_BLESS").is_some()
}

fn record(kind: &str, on: &str, steps: Vec<String>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut results = results();
    if blessing() {
        results.insert(kind.to_owned(), Tried { on: on.to_owned(), steps });
        std::fs::write(docs("providers.json"), serde_json::to_string_pretty(&results).unwrap() + "\n").unwrap();
        std::fs::write(docs("providers.md"), page(&table(&results))).unwrap();
    } else {
        let told = results.get(kind).map(|tried| &tried.steps);
        assert_eq!(told, Some(&steps), "SWITCHBACK_BLESS=1 writes docs/reference/providers.json anew");
    }
}

/// Holds the page to the results.
pub(crate) fn the_page_tells_what_was_tried() {
    if !blessing() {
        let is = std::fs::read_to_string(docs("providers.md")).unwrap();
        assert_eq!(is, page(&table(&results())), "SWITCHBACK_BLESS=1 writes docs/reference/providers.md anew");
    }
}

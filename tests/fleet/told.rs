//! What real faults came to, as a table: printed by the tests, kept for the docs, and held to them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One fault that happened for real.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Told {
    /// What proves that it happened.
    pub(crate) proof: String,
    /// Where its host ends as the docs say, and by which reason.
    pub(crate) ends: String,
    /// What was seen when the page was last written; differs from run to run.
    pub(crate) seen: String,
}

const BEGIN: &str = "<!-- told: written by the tests of real faults -->\n";
const END: &str = "<!-- end -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name)
}

fn all() -> BTreeMap<String, Told> {
    serde_json::from_str(&std::fs::read_to_string(docs("faults.json")).unwrap()).unwrap()
}

/// The page with all of these in it.
fn page(all: &BTreeMap<String, Told>) -> String {
    let mut table = String::from("| fault | what proves it | the host ends as | last seen |\n|---|---|---|---|\n");
    for (fault, Told { proof, ends, seen }) in all {
        table.push_str(&format!("| {fault} | {proof} | {ends} | {seen} |\n"));
    }
    let page = std::fs::read_to_string(docs("faults.md")).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    [before, BEGIN, table.as_str(), END, after].concat()
}

/// Tells of a fault whose end was seen to be the documented one; the docs must tell the same.
pub(crate) fn tell(fault: &str, proof: &str, ends: &str, seen: &str, took: Duration) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = format!("{seen} after {} s", took.as_secs());
    // On the real stderr, which the test harness does not capture.
    let _ = writeln!(std::io::stderr(), "FAULT {fault} | {proof} | {ends} | {seen}");
    let mut all = all();
    if switchback::env::var("SWITCHBACK_BLESS").is_some() {
        all.insert(fault.to_owned(), Told { proof: proof.to_owned(), ends: ends.to_owned(), seen });
        std::fs::write(docs("faults.json"), serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
        std::fs::write(docs("faults.md"), page(&all)).unwrap();
    } else {
        let told = all.get(fault).map(|told| (told.proof.as_str(), told.ends.as_str()));
        assert_eq!(told, Some((proof, ends)), "{fault}: SWITCHBACK_BLESS=1 writes docs/reference/faults.json anew");
    }
}

#[test]
fn the_page_tells_what_was_seen() {
    if switchback::env::var("SWITCHBACK_BLESS").is_none() {
        let is = std::fs::read_to_string(docs("faults.md")).unwrap();
        assert_eq!(is, page(&all()), "SWITCHBACK_BLESS=1 writes docs/reference/faults.md anew");
    }
}

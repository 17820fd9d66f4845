//! Tables and files of others for tests: visibly skipped where their folder (`SWITCHBACK_CORPUS`, else
//! `../shared/corpus`) is not there.

use std::path::{Path, PathBuf};

/// The folder, if it is there.
#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
pub(super) fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("SWITCHBACK_CORPUS").map_or_else(beside, PathBuf::from);
    if folder.join("README.md").is_file() {
        return Some(folder);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    {
        eprintln!("skipped: no corpus at {}", folder.display());
    }
    None
}

/// The rows of a table of others' vectors, without its header.
pub(super) fn vectors(name: &str) -> Option<Vec<Vec<String>>> {
    #[expect(clippy::unwrap_used, reason = "a corpus without its tables is no corpus")]
    let text = std::fs::read_to_string(corpus()?.join("vectors").join(name)).unwrap();
    Some(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

//! The rule files that a policy names.

use std::sync::Arc;

use super::input::Paths;
use super::scan::{Facts, judge, scan};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};

/// No policy has more rule files...
const MAX_FILES: usize = 200;
/// ... or more text in them.
const MAX_TOTAL: usize = 4 << 20;

/// Rules of the user's own, and their tests.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub(super) files: Vec<RuleFile>,
    pub(super) tests: Vec<RuleFile>,
}

/// A file with what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct RuleFile {
    pub source: Arc<Source>,
    pub facts: Facts,
}

/// Whether a file holds tests of rules: they say nothing of findings and are no part of a policy.
pub(in crate::policy) fn is_rego_test(source: &Source) -> bool {
    source.name.ends_with("_test.rego")
}

impl RuleSet {
    /// Reads rule files (`*_test.rego` are tests) without evaluating them; every problem becomes a diagnostic.
    pub fn read(sources: impl IntoIterator<Item = Arc<Source>>, diagnostics: &mut Diagnostics) -> Self {
        let mut set = Self::default();
        let mut sources: Vec<Arc<Source>> = sources.into_iter().collect();
        sources.sort_by(|a, b| (&a.name, &a.text).cmp(&(&b.name, &b.text)));
        sources.dedup_by(|a, b| a.name == b.name);
        let total: usize = sources.iter().map(|source| source.text.len()).sum();
        if let Some(first) = sources.first()
            && (sources.len() > MAX_FILES || total > MAX_TOTAL)
        {
            let message = format!(
                "{} rule files with {total} bytes: at most {MAX_FILES} with {MAX_TOTAL} are read",
                sources.len()
            );
            let at = Span { source: Arc::clone(first), offset: 0, length: 0 };
            diagnostics.push(Diagnostic::error("rego-too-large", message).at(at));
            return set;
        }
        let mut found = Diagnostics::default();
        for source in sources {
            let is_test = is_rego_test(&source);
            let facts = scan(&source, is_test, &mut found);
            let list = if is_test { &mut set.tests } else { &mut set.files };
            list.push(RuleFile { source, facts });
        }
        // What a file that could not be read defines is not known.
        let unread = ["rego-nesting", "rego-too-large", "invalid-rego"];
        if !found.iter().any(|problem| unread.contains(&problem.code)) {
            let all: Vec<_> = set.all().map(|file| (Arc::clone(&file.source), &file.facts)).collect();
            judge(&all, set.files.len(), &mut found);
        }
        diagnostics.extend(found);
        set
    }

    /// Whether there is neither a rule nor a test.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.tests.is_empty()
    }

    /// The rule files, without tests.
    pub fn files(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.files.iter().map(|file| &file.source)
    }

    /// The files of tests.
    pub fn tests(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.tests.iter().map(|file| &file.source)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &RuleFile> {
        self.files.iter().chain(&self.tests)
    }

    /// Where a rule of a package is first defined; none where no file does.
    pub(super) fn head(&self, package: &str, rule: &str) -> Option<Span> {
        self.all().filter(|file| file.facts.package == package).find_map(|file| {
            let &(offset, length) = file.facts.heads.get(rule)?;
            Some(Span { source: Arc::clone(&file.source), offset, length })
        })
    }

    /// The parts of the input that a package may look at: what its files name, and the files of helper packages.
    pub(super) fn paths(&self, package: &str) -> Paths {
        let decides = |file: &RuleFile| file.facts.package.starts_with("switchback.");
        let near = |file: &&RuleFile| file.facts.package == package || !decides(file);
        let wide = self.files.iter().filter(near).any(|file| file.facts.wide);
        let mut paths = Paths::default();
        for file in self.files.iter().filter(|file| wide || near(file)) {
            paths.merge(&file.facts.paths);
        }
        paths
    }
}

//! Ignore files of scanners, imported: what is written for them must be a policy without an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::intake::read_ignore;
use switchback::policy::{ExceptionKind, ImportOptions, Policy, import_exceptions};

fuzz_target!(|text: &str| {
    for name in [".trivyignore", "ignore.yaml", "osv-scanner.toml", "audit.toml"] {
        let Ok(file) = read_ignore(&Source::new(name, text)) else { continue };
        let time = |text: &str| text.parse().expect("it is a time");
        let options = ImportOptions {
            owner: "sre".to_owned(),
            expires: time("2026-09-01T00:00:00Z"),
            reason: Some("imported".to_owned()),
            kind: ExceptionKind::Ignore,
            as_of: time("2026-03-01T00:00:00Z"),
        };
        let imported = import_exceptions(&[file], &options);
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(vec![Source::new("imported.yaml", imported.policy.clone())], &mut diagnostics);
        assert!(policy.is_some(), "{:?}\n{}", diagnostics.sorted(), imported.policy);
    }
});

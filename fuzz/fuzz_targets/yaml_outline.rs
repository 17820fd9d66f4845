//! The outline of YAML documents: every place lies in the text, and taking any value out leaves text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::Source;
use switchback::yaml::outline;

fuzz_target!(|text: &str| {
    for item in outline(&Source::new("a.yaml", text)).iter().take(200) {
        assert!(text.get(item.start..item.end).is_some(), "{item:?}");
        let (start, end) = item.removal(text);
        assert!(text.get(start..end).is_some(), "{item:?} {start}..{end}");
        let _ = item.name();
    }
});

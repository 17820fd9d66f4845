//! The JSON Schema of playbooks, made from the types that read them.

use super::raw::RawPlaybook;

/// The JSON Schema by which editors complete and check playbooks.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(RawPlaybook);
    schema.insert("title".to_owned(), "Switchback playbook".into());
    schema.to_value()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and ask the environment")]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/playbook.json");
        let made = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
        if std::env::var_os("SWITCHBACK_BLESS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == made, "run the test with SWITCHBACK_BLESS=1");
        assert!(made.contains("verify_restored"));
    }
}

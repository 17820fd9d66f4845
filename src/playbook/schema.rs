//! The JSON Schema of playbooks, made from the types that read them.

use super::raw::RawPlaybook;

/// The JSON Schema by which editors complete and check playbooks.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(RawPlaybook);
    schema.insert("title".to_owned(), "Switchback playbook".into());
    crate::yaml::with_plain_texts(schema.to_value())
}

//! The JSON Schema of policy files, made from the types that read them.

use super::raw::PolicyRaw;

/// The JSON Schema by which editors complete and check policy files.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(PolicyRaw);
    schema.insert("title".to_owned(), "Switchback policy".into());
    crate::yaml::with_plain_texts(schema.to_value())
}

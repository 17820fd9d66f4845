//! JSON Schemas of files that people write, as generous as the reader is.

use serde_json::{Map, Value};

/// Where a text may stand, a number or truth value may stand without quotes: it is taken as it is written. Texts of a
/// known shape stay texts.
pub fn with_plain_texts(mut schema: Value) -> Value {
    loosen(&mut schema);
    schema
}

fn loosen(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(loosen),
        Value::Object(object) => {
            if !["enum", "const", "pattern", "format"].iter().any(|key| object.contains_key(*key)) {
                widen(object);
            }
            for (key, value) in object {
                // Values of the format, not schemas.
                if !matches!(key.as_str(), "default" | "examples" | "enum" | "const" | "required") {
                    loosen(value);
                }
            }
        }
        _ => {}
    }
}

fn widen(object: &mut Map<String, Value>) {
    let Some(kind) = object.get_mut("type") else { return };
    let plain = ["string", "number", "boolean"];
    if kind == "string" {
        *kind = plain.into();
    } else if let Value::Array(kinds) = kind
        && kinds.len() == 2
        && kinds.contains(&"string".into())
        && kinds.contains(&"null".into())
    {
        *kind = [plain.as_slice(), &["null"]].concat().into();
    }
}

//! Whether JSON is what a committed schema says: as much of JSON Schema as the schemas use.

use std::path::Path;

use serde_json::{Map, Value};

/// The keywords that are checked, and those that only describe.
const KNOWN: &[&str] = &[
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "deprecated",
    "description",
    "enum",
    "examples",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "title",
    "type",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
];

/// Panics with the place where `value` is not what `schemas/NAME.schema.json` says.
pub fn conforms(name: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let root: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    if let Err(why) = check(&root, &root, value, name) {
        panic!("{why}");
    }
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(schema) => schema,
        _ => return Err(format!("{at}: nothing is allowed here")),
    };
    for keyword in schema.keys() {
        assert!(KNOWN.contains(&keyword.as_str()), "{at}: this check does not know `{keyword}`");
    }
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let target = root.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        check(root, target, value, at)?;
    }
    let fail =
        |what: String| Err(format!("{at}: {what}, not {}", value.to_string().chars().take(200).collect::<String>()));
    match schema.get("type") {
        Some(Value::String(one)) if !is(one, value) => return fail(format!("expected {one}")),
        Some(Value::Array(any)) if !any.iter().any(|one| is(one.as_str().unwrap(), value)) => {
            return fail(format!("expected one of {any:?}"));
        }
        _ => {}
    }
    if schema.get("const").is_some_and(|wanted| wanted != value) {
        return fail(format!("expected {}", schema["const"]));
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        return fail(format!("expected one of {allowed:?}"));
    }
    let matching = |list: &Value| {
        let results = list.as_array().unwrap().iter().map(|one| check(root, one, value, at));
        let (fine, wrong): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
        (fine.len(), wrong.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; "))
    };
    if let Some(all) = schema.get("allOf")
        && let (_, why) = matching(all)
        && !why.is_empty()
    {
        return Err(why);
    }
    for (keyword, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
        if let Some(list) = schema.get(keyword) {
            let (fine, why) = matching(list);
            if fine == 0 || fine > most {
                return fail(format!("{fine} of {keyword} fit ({why})"));
            }
        }
    }
    match value {
        Value::Object(object) => check_object(root, schema, object, at),
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(i, item)| check(root, schema, item, &format!("{at}[{i}]")))
        }
        _ => Ok(()),
    }
}

fn check_object(
    root: &Value,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !object.contains_key(key.as_str().unwrap()) {
            return Err(format!("{at}: {key} is missing"));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (key, value) in object {
        let of_key = known.and_then(|known| known.get(key)).or_else(|| schema.get("additionalProperties"));
        if let Some(of_key) = of_key {
            check(root, of_key, value, &format!("{at}.{key}"))?;
        }
    }
    Ok(())
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is called {other}"),
    }
}

#[test]
fn what_does_not_conform_is_told() {
    let fine =
        serde_json::json!({"campaign": "c-1", "outcomes": {"a": "fixed"}, "findings_before": 2, "findings_after": 1});
    conforms("demo", &fine);
    for (key, wrong) in
        [("campaign", Value::Null), ("outcomes", serde_json::json!({"a": "mended"})), ("findings_before", "2".into())]
    {
        let mut value = fine.clone();
        value[key] = wrong;
        assert!(std::panic::catch_unwind(|| conforms("demo", &value)).is_err(), "{key}");
    }
    let mut value = fine;
    value.as_object_mut().unwrap().remove("outcomes");
    assert!(std::panic::catch_unwind(|| conforms("demo", &value)).is_err());
}

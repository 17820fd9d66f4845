//! OpenVEX: statements about products, which may inherit from the document.

use std::sync::Arc;

use serde_json::Value;

use super::super::error::IntakeError;
use super::read::{Budget, Document, VexDocument, first, ids, list, names, status, text, time};
use crate::model::{ProductName, VexProduct, VexStatement, printable};

/// Versions of the format that are known, as they stand in `@context` behind the name of the format.
const VERSIONS: [&str; 6] = ["", "/v0.0.0", "/v0.0.1", "/v0.0.2", "/v0.2.0", "/v0.2.1"];

pub(super) fn read(document: &Document<'_>) -> Result<VexDocument, IntakeError> {
    let root = document.root;
    let context = text(root, "@context");
    let version = context.strip_prefix("https://openvex.dev/ns").unwrap_or_default().trim_end_matches('/');
    if !VERSIONS.contains(&version) {
        let message =
            format!("OpenVEX {} is not read: known are up to v0.2.1", printable(version.trim_matches('/'), 40));
        return Err(document.wrong("unsupported-version", message, None));
    }
    let author =
        first([text(root, "author"), text(root, "supplier")]).unwrap_or_else(|| "an unnamed author".to_owned());
    let mut statements = Vec::new();
    let mut budget = Budget::default();
    for (index, (raw, place)) in document.elements("statements")?.into_iter().enumerate() {
        let wrong = |message: String| document.wrong("invalid-report", message, Some(place));
        let inherited = |key: &str| raw.get(key).or_else(|| root.get(key)).unwrap_or(&Value::Null);
        let said = match text(raw, "status") {
            "" => text(root, "status"),
            said => said,
        };
        let status =
            status(said).ok_or_else(|| wrong(format!("`{}` is not a status of OpenVEX", printable(said, 40))))?;
        let vulnerability = inherited("vulnerability");
        let vulnerabilities = match vulnerability {
            Value::String(name) => ids([name.as_str()]),
            object => {
                let aliases = list(object, "aliases").iter().filter_map(Value::as_str);
                let mut found = ids([text(object, "name")].into_iter().chain(aliases));
                if found.is_empty() {
                    found = ids(text(object, "@id").rsplit('/').take(1));
                }
                found
            }
        };
        // Before 0.2.0 parts were told once for all products.
        let parts = identities(inherited("subcomponents"));
        let products = inherited("products").as_array().map_or(&[][..], Vec::as_slice);
        let mut read = Vec::new();
        for raw in products {
            let own = identities(raw.get("subcomponents").unwrap_or(&Value::Null));
            let parts = if own.is_empty() { parts.clone() } else { own };
            budget.spend(1 + parts.len(), document)?;
            read.push(Arc::new(VexProduct { names: identity(raw), parts, versions: None }));
        }
        statements.push(VexStatement {
            id: first([text(raw, "@id")]).unwrap_or_else(|| format!("statements/{}", index + 1)),
            place,
            author: first([text(raw, "supplier")]).unwrap_or_else(|| author.clone()),
            status,
            justification: first([text(raw, "justification")]),
            impact: first([text(raw, "impact_statement"), text(raw, "statement"), text(raw, "status_notes")]),
            vulnerabilities,
            products: read,
            timestamp: time(raw, &["last_updated", "timestamp"]).or_else(|| time(root, &["timestamp", "last_updated"])),
        });
    }
    Ok(VexDocument { format: "openvex", id: printable(text(root, "@id"), 300), author, statements })
}

/// The names of each product of a list. One whose names cannot be names stays, without any: were it left out, a
/// statement about one part would seem to be about the whole.
fn identities(raw: &Value) -> Vec<Arc<[ProductName]>> {
    raw.as_array().map_or(&[][..], Vec::as_slice).iter().map(identity).collect()
}

/// The names of one product: a text, or an object with `@id`, `identifiers` and `hashes`.
fn identity(raw: &Value) -> Arc<[ProductName]> {
    if let Some(name) = raw.as_str() {
        return names([name]);
    }
    let identifiers = raw.get("identifiers").unwrap_or(&Value::Null);
    let found = names([
        text(raw, "@id"),
        text(identifiers, "purl"),
        text(identifiers, "cpe23"),
        text(identifiers, "cpe22"),
        text(raw, "purl"),
    ]);
    if let Some(digest) = raw.get("hashes").map(|hashes| text(hashes, "sha-256")).filter(|digest| !digest.is_empty()) {
        let digest = ProductName::of(&format!("sha256:{digest}"));
        return found.iter().cloned().chain(digest).collect();
    }
    found
}

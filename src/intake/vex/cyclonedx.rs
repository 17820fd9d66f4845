//! CycloneDX: the `analysis` of vulnerabilities, and the components they affect.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::error::IntakeError;
use super::read::{Document, VexDocument, first, ids, list, names, text, text_at, time};
use crate::model::{ProductName, Purl, VexProduct, VexStatement, VexStatus, VexVersion, printable};

pub(super) fn read(document: &Document<'_>) -> Result<VexDocument, IntakeError> {
    let root = document.root;
    let version = text(root, "specVersion");
    if !version.starts_with("1.") {
        let message = format!("CycloneDX {} is not read: known are versions 1.x", printable(version, 40));
        return Err(document.wrong("unsupported-version", message, None));
    }
    let metadata = root.get("metadata").unwrap_or(&Value::Null);
    let persons = list(metadata, "authors").iter().map(|author| text(author, "name"));
    let firms = ["supplier", "manufacturer", "manufacture"].map(|key| text_at(metadata, &[key, "name"]));
    let author = first(persons.chain(firms)).unwrap_or_else(|| "an unnamed author".to_owned());
    let said_at = time(metadata, &["timestamp"]);
    let components = components(root, metadata);
    let serial = text(root, "serialNumber").strip_prefix("urn:uuid:").unwrap_or_default();
    let mut statements = Vec::new();
    for (index, (raw, place)) in document.elements("vulnerabilities")?.into_iter().enumerate() {
        // Without an analysis an entry reports a vulnerability and judges nothing.
        let Some(analysis) = raw.get("analysis").filter(|analysis| analysis.is_object()) else { continue };
        let status = match text(analysis, "state") {
            "not_affected" | "false_positive" => VexStatus::NotAffected,
            "resolved" | "resolved_with_pedigree" => VexStatus::Fixed,
            "exploitable" => VexStatus::Affected,
            "in_triage" | "" => VexStatus::UnderInvestigation,
            other => {
                let message = format!("`{}` is not a state of an analysis", printable(other, 40));
                return Err(document.wrong("invalid-report", message, Some(place)));
            }
        };
        let references = list(raw, "references").iter().map(|reference| text(reference, "id"));
        let products = list(raw, "affects").iter().map(|affected| {
            let names = resolve(text(affected, "ref"), serial, &components);
            Arc::new(VexProduct { names, parts: Vec::new(), versions: versions(affected, status) })
        });
        statements.push(VexStatement {
            id: first([text(raw, "bom-ref")]).unwrap_or_else(|| format!("vulnerabilities/{}", index + 1)),
            place,
            author: author.clone(),
            status,
            justification: first([text(analysis, "justification")]),
            impact: first([text(analysis, "detail")]),
            vulnerabilities: ids([text(raw, "id")].into_iter().chain(references)),
            products: products.collect(),
            timestamp: time(analysis, &["lastUpdated", "firstIssued"]).or_else(|| time(raw, &["updated"])).or(said_at),
        });
    }
    Ok(VexDocument { format: "cyclonedx", id: printable(text(root, "serialNumber"), 300), author, statements })
}

/// The names of every component, by its reference.
fn components<'v>(root: &'v Value, metadata: &'v Value) -> BTreeMap<&'v str, Arc<[ProductName]>> {
    let mut by_ref: BTreeMap<&str, Arc<[ProductName]>> = BTreeMap::new();
    let mut open: Vec<&Value> = list(root, "components").iter().collect();
    open.extend(metadata.get("component"));
    while let Some(component) = open.pop() {
        let reference = text(component, "bom-ref");
        if !reference.is_empty() {
            let mut found = names([text(component, "purl"), text(component, "cpe")]);
            if found.is_empty() {
                let named = match text(component, "version") {
                    "" => text(component, "name").to_owned(),
                    version => format!("{}:{version}", text(component, "name")),
                };
                // A library without a package URL has a name that others may have as well.
                if matches!(text(component, "type"), "container" | "device" | "operating-system" | "application") {
                    found = names([named.as_str(), text(component, "name")]);
                }
            }
            by_ref.insert(reference, found);
        }
        open.extend(list(component, "components"));
    }
    by_ref
}

/// The names behind a reference: of a component here, or of one in another document (`urn:cdx:SERIAL/VERSION#REF`),
/// of which only a package URL that is its reference is known.
fn resolve(reference: &str, serial: &str, components: &BTreeMap<&str, Arc<[ProductName]>>) -> Arc<[ProductName]> {
    if let Some(names) = components.get(reference) {
        return names.clone();
    }
    let purl = |text: &str| Purl::parse(text).map(ProductName::Purl).into_iter().collect::<Arc<[_]>>();
    let Some((document, fragment)) = reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#')) else {
        return purl(reference);
    };
    // Some writers encode the reference, as they should, and others do not.
    let decoded = decode(fragment);
    let own = document.split('/').next().is_some_and(|link| !serial.is_empty() && link.eq_ignore_ascii_case(serial));
    let here = components.get(fragment).or_else(|| components.get(decoded.as_str())).filter(|_| own);
    here.cloned().unwrap_or_else(|| if fragment.starts_with("pkg:") { purl(fragment) } else { purl(&decoded) })
}

fn decode(text: &str) -> String {
    // A package URL has escapes of its own: only those of the reference around it are undone.
    let pairs = [("%3A", ":"), ("%2F", "/"), ("%40", "@"), ("%3F", "?"), ("%3D", "="), ("%26", "&"), ("%23", "#")];
    let mut decoded = text.to_owned();
    for (escape, plain) in pairs {
        decoded = decoded.replace(escape, plain).replace(&escape.to_lowercase(), plain);
    }
    decoded.replace("%25", "%")
}

/// The versions for which the statement holds; what a version is said to be otherwise does not count.
fn versions(affected: &Value, status: VexStatus) -> Option<Vec<VexVersion>> {
    let raw = affected.get("versions").and_then(Value::as_array).filter(|versions| !versions.is_empty())?;
    let holds = |version: &&Value| match text(version, "status") {
        "affected" | "" => !matches!(status, VexStatus::NotAffected | VexStatus::Fixed),
        "unaffected" => matches!(status, VexStatus::NotAffected | VexStatus::Fixed),
        _ => status == VexStatus::UnderInvestigation,
    };
    let read = |version: &Value| match (text(version, "version"), text(version, "range")) {
        ("", "") => None,
        ("", range) => Some(VexVersion::Vers(range.to_owned())),
        (version, _) => Some(VexVersion::Is(version.to_owned())),
    };
    Some(raw.iter().filter(holds).filter_map(read).collect())
}

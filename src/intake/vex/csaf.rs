//! CSAF 2.0 and 2.1: products in a tree, and for every vulnerability the status of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::error::IntakeError;
use super::read::{Budget, Document, VexDocument, first, ids, list, names, text, text_at, time};
use crate::model::{ProductName, VexProduct, VexStatement, VexStatus, printable};

/// The lists of `product_status`. What is `recommended` says nothing of being affected.
pub(super) const STATUSES: [(&str, VexStatus); 8] = [
    ("known_not_affected", VexStatus::NotAffected),
    ("fixed", VexStatus::Fixed),
    ("first_fixed", VexStatus::Fixed),
    ("known_affected", VexStatus::Affected),
    ("first_affected", VexStatus::Affected),
    ("last_affected", VexStatus::Affected),
    ("under_investigation", VexStatus::UnderInvestigation),
    ("unknown", VexStatus::UnderInvestigation),
];

pub(super) fn read(document: &Document<'_>) -> Result<VexDocument, IntakeError> {
    let root = document.root;
    let version = text_at(root, &["document", "csaf_version"]);
    if !matches!(version, "2.0" | "2.1") {
        let message = match version {
            "" => "the document does not say which version of CSAF it is (`document.csaf_version`)".to_owned(),
            other => format!("CSAF {} is not read: known are 2.0 and 2.1", printable(other, 40)),
        };
        return Err(document.wrong("unsupported-version", message, None));
    }
    let author = first([text_at(root, &["document", "publisher", "name"])]);
    let author = author.unwrap_or_else(|| "an unnamed publisher".to_owned());
    let released = root.get("document").and_then(|document| document.get("tracking"));
    let released = released.and_then(|tracking| time(tracking, &["current_release_date", "initial_release_date"]));
    let mut tree = Tree::default();
    if let Some(raw) = root.get("product_tree") {
        tree.read(raw);
    }
    let mut statements = Vec::new();
    let mut budget = Budget::default();
    for (index, (raw, place)) in document.elements("vulnerabilities")?.into_iter().enumerate() {
        let texts = list(raw, "ids").iter().map(|id| text(id, "text"));
        let vulnerabilities = ids([text(raw, "cve")].into_iter().chain(texts));
        let name = match text(raw, "cve") {
            "" => format!("vulnerabilities/{}", index + 1),
            cve => printable(cve, 60),
        };
        let flags =
            tree.by_product(list(raw, "flags").iter().map(|flag| (flag, text(flag, "label"))), document, &mut budget)?;
        let impacts = list(raw, "threats").iter().filter(|threat| text(threat, "category") == "impact");
        let impacts =
            tree.by_product(impacts.map(|threat| (threat, text(threat, "details"))), document, &mut budget)?;
        let statuses = raw.get("product_status").unwrap_or(&Value::Null);
        for (key, status) in STATUSES {
            // Products for which the same is said for the same reason are one statement.
            let mut groups: BTreeMap<(&str, &str), Vec<Arc<VexProduct>>> = BTreeMap::new();
            for id in list(statuses, key).iter().filter_map(Value::as_str) {
                budget.spend(1, document)?;
                groups.entry((flags.of(id), impacts.of(id))).or_default().push(tree.product(id));
            }
            for (number, ((flag, impact), products)) in groups.into_iter().enumerate() {
                let more = if number == 0 { String::new() } else { format!("/{}", number + 1) };
                statements.push(VexStatement {
                    id: format!("{name}/{key}{more}"),
                    place,
                    author: author.clone(),
                    status,
                    justification: first([flag]),
                    impact: first([impact]),
                    vulnerabilities: vulnerabilities.clone(),
                    products,
                    timestamp: released,
                });
            }
        }
    }
    // Two entries about one vulnerability would have statements of one name.
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for statement in &mut statements {
        let count = seen.entry(statement.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            statement.id = format!("{} ({count})", statement.id);
        }
    }
    let id = printable(text_at(root, &["document", "tracking", "id"]), 300);
    Ok(VexDocument { format: "csaf", id, author, statements })
}

/// What is said of products.
struct Said<'v> {
    products: BTreeMap<&'v str, &'v str>,
    /// Said of no product in particular.
    all: Option<&'v str>,
}

impl<'v> Said<'v> {
    fn of(&self, product: &str) -> &'v str {
        self.products.get(product).copied().or(self.all).unwrap_or_default()
    }
}

/// All products of a document.
#[derive(Default)]
struct Tree<'v> {
    products: BTreeMap<&'v str, Arc<[ProductName]>>,
    /// Components: by the id of the whole, the id of the part and of what it is a part of.
    relations: BTreeMap<&'v str, (&'v str, &'v str)>,
    groups: BTreeMap<&'v str, Vec<&'v str>>,
    made: BTreeMap<&'v str, Arc<VexProduct>>,
}

impl<'v> Tree<'v> {
    fn read(&mut self, raw: &'v Value) {
        // The depth of the document is bounded, the number of branches by its size.
        let mut open: Vec<&Value> = list(raw, "branches").iter().rev().collect();
        while let Some(branch) = open.pop() {
            if let Some(product) = branch.get("product") {
                self.define(product);
            }
            open.extend(list(branch, "branches").iter().rev());
        }
        list(raw, "full_product_names").iter().for_each(|product| self.define(product));
        for relation in list(raw, "relationships") {
            let whole = relation.get("full_product_name").unwrap_or(&Value::Null);
            self.define(whole);
            let ends = (text(relation, "product_reference"), text(relation, "relates_to_product_reference"));
            self.relations.insert(text(whole, "product_id"), ends);
        }
        for group in list(raw, "product_groups") {
            let members = list(group, "product_ids").iter().filter_map(Value::as_str);
            self.groups.insert(text(group, "group_id"), members.collect());
        }
    }

    fn define(&mut self, product: &'v Value) {
        let helper = product.get("product_identification_helper").unwrap_or(&Value::Null);
        let many = list(helper, "purls").iter().filter_map(Value::as_str);
        let found =
            names([text(helper, "purl"), text(helper, "cpe")].into_iter().chain(many).chain([text(product, "name")]));
        let hashes = list(helper, "hashes").iter().flat_map(|hash| list(hash, "file_hashes"));
        let hashes = hashes.filter(|hash| text(hash, "algorithm") == "sha256").take(8);
        let digests = hashes.filter_map(|hash| ProductName::of(&format!("sha256:{}", text(hash, "value"))));
        let found = found.iter().cloned().chain(digests).collect();
        self.products.insert(text(product, "product_id"), found);
    }

    /// What is meant by an id. One that is not defined means a product without names.
    fn product(&mut self, id: &'v str) -> Arc<VexProduct> {
        if let Some(made) = self.made.get(id) {
            return Arc::clone(made);
        }
        let own = self.products.get(id).cloned().unwrap_or_default();
        let product = match self.relations.get(id) {
            None => VexProduct { names: own, ..VexProduct::default() },
            // Part of a part: a package of one stream of a module, say. What the middle means cannot be told here,
            // and without it the statement would say more than its author did.
            Some((part, whole)) if self.relations.contains_key(part) || self.relations.contains_key(whole) => {
                VexProduct { parts: vec![Arc::default()], ..VexProduct::default() }
            }
            Some((part, whole)) => {
                let names = |id: &str| self.products.get(id).cloned().unwrap_or_default();
                VexProduct { names: names(whole), parts: vec![names(part)], versions: None }
            }
        };
        let product = Arc::new(product);
        self.made.insert(id, Arc::clone(&product));
        product
    }

    fn by_product(
        &self,
        said: impl Iterator<Item = (&'v Value, &'v str)>,
        document: &Document<'_>,
        budget: &mut Budget,
    ) -> Result<Said<'v>, IntakeError> {
        let mut by = Said { products: BTreeMap::new(), all: None };
        for (raw, what) in said {
            let groups = list(raw, "group_ids").iter().filter_map(Value::as_str);
            let members = groups.filter_map(|group| self.groups.get(group)).flatten().copied();
            let direct = list(raw, "product_ids").iter().filter_map(Value::as_str);
            let mut any = false;
            for id in direct.chain(members) {
                budget.spend(1, document)?;
                by.products.entry(id).or_insert(what);
                any = true;
            }
            let named = raw.get("product_ids").is_some() || raw.get("group_ids").is_some();
            if !any && !named {
                by.all.get_or_insert(what);
            }
        }
        Ok(by)
    }
}

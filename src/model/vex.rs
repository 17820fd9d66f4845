//! What a VEX document states: which products a vulnerability does and does not affect, by whom and why.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Purl, VulnerabilityId};

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VexStatus {
    /// The products have the vulnerability.
    Affected,
    /// Nobody knows yet.
    UnderInvestigation,
    /// The products contain the fix.
    Fixed,
    /// The vulnerability is none in these products.
    NotAffected,
}

impl VexStatus {
    /// The name as OpenVEX writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Affected => "affected",
            Self::UnderInvestigation => "under_investigation",
            Self::Fixed => "fixed",
            Self::NotAffected => "not_affected",
        }
    }
}

/// Why something is not affected, as OpenVEX and CSAF (the first five) and CycloneDX write it.
pub const JUSTIFICATIONS: [&str; 14] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
];

/// One statement of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexStatement {
    /// The document's name for it, unique in the document.
    pub id: String,
    /// Line and column in the document, from 1.
    pub place: (u32, u32),
    /// Who says so.
    pub author: String,
    /// What it says.
    pub status: VexStatus,
    /// Why, by one of the [`JUSTIFICATIONS`] as a rule.
    pub justification: Option<String>,
    /// Why, in words.
    pub impact: Option<String>,
    /// The vulnerability by all its ids.
    pub vulnerabilities: BTreeSet<VulnerabilityId>,
    /// What it is about.
    pub products: Vec<Arc<VexProduct>>,
    /// When it was said; none is older than any.
    pub timestamp: Option<Timestamp>,
}

/// A product that a statement is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VexProduct {
    /// Its names, any of which may be known here; shared by all products that have them.
    pub names: Arc<[ProductName]>,
    /// The parts of it that are meant, each by its names; none means the product itself.
    pub parts: Vec<Arc<[ProductName]>>,
    /// The versions that are meant; none means those of the names.
    pub versions: Option<Vec<VexVersion>>,
}

/// One name of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductName {
    /// A package URL.
    Purl(Purl),
    /// A CPE.
    Cpe(String),
    /// A digest, such as `sha256:...`.
    Digest(String),
    /// Anything else: a host, an image, free text.
    Text(String),
}

/// Versions of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VexVersion {
    /// This one.
    Is(String),
    /// Those that a `vers:` text means.
    Vers(String),
}

/// No name of a product is longer.
const MAX_NAME: usize = 2048;

impl ProductName {
    /// What kind of name a text is; none for a text that cannot be a name.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_NAME {
            return None;
        }
        Some(match Purl::parse(text) {
            Some(purl) => Self::Purl(purl),
            None if text.starts_with("cpe:") => Self::Cpe(text.to_owned()),
            None if text.starts_with("sha256:") => Self::Digest(text.to_ascii_lowercase()),
            None => Self::Text(text.to_owned()),
        })
    }
}

//! Text to raw types, with problems as diagnostics.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};

pub use serde_yaml::Spanned;

/// How large a document may be, in nodes.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// Policies and playbooks.
    Small,
    /// Inventories.
    Large,
}

/// Reads one document. Every problem becomes a diagnostic; none is returned if there was an error.
pub fn parse<T: DeserializeOwned>(source: &Arc<Source>, size: Size, diagnostics: &mut Diagnostics) -> Option<T> {
    let (max_nodes, max_events) = match size {
        Size::Small => (100_000, 200_000),
        Size::Large => (20_000_000, 40_000_000),
    };
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        budget: serde_yaml::budget! { max_nodes: max_nodes, max_events: max_events },
    };
    match serde_yaml::from_str_with_options::<T>(&source.text, options) {
        Ok(value) => Some(value),
        Err(error) => {
            let mut diagnostic = Diagnostic::error("invalid-yaml", error.to_string());
            if let Some(location) = error.location() {
                diagnostic = diagnostic.at(span_of(source, &location));
            }
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// The span of a value in its source.
pub fn span<T>(source: &Arc<Source>, spanned: &Spanned<T>) -> Span {
    span_of(source, &spanned.referenced)
}

fn span_of(source: &Arc<Source>, location: &serde_yaml::Location) -> Span {
    let span = location.span();
    let number = |n: Option<_>| n.and_then(|n: u64| usize::try_from(n).ok());
    Span {
        source: Arc::clone(source),
        offset: number(span.byte_offset().map(u64::from)).unwrap_or(0),
        length: number(span.byte_len().map(u64::from)).unwrap_or(0),
    }
}

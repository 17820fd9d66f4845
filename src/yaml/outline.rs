//! What stands where in a document: for those who change a text at one place and leave the rest as it is.

use std::sync::Arc;

use super::parse::{Size, options};
use super::tree::{self, Kind, Node};
use crate::diagnostic::Source;

/// A part of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The key of a mapping.
    Key(String),
    /// The place in a list, from 0.
    Index(usize),
}

/// A value of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The way to it from the root.
    pub path: Vec<Part>,
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset behind its last byte.
    pub end: usize,
    /// The text of a scalar as it is meant; none for lists and mappings.
    pub scalar: Option<String>,
    /// Where its key or the dash in front of it begins; its own start where there is neither.
    pub entry: usize,
    /// Whether it lies in brackets, with commas around it.
    pub in_flow: bool,
    /// How many siblings it has, itself included.
    pub siblings: usize,
}

impl Item {
    /// The way as text, such as `priority.overrides[0].match`.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for part in &self.path {
            match part {
                Part::Key(key) if name.is_empty() => name.push_str(key),
                Part::Key(key) => {
                    name.push('.');
                    name.push_str(key);
                }
                Part::Index(index) => name.push_str(&format!("[{index}]")),
            }
        }
        name
    }

    /// The bytes that must go so that the value is gone with its key or dash and its comma.
    pub fn removal(&self, text: &str) -> (usize, usize) {
        let bytes = text.as_bytes();
        let blank = |&&i: &&usize| matches!(bytes[i], b' ' | b'\t' | b'\n' | b'\r');
        if self.in_flow {
            let behind: Vec<usize> = (self.end..bytes.len()).collect();
            let comma = behind.iter().take_while(blank).count() + self.end;
            if bytes.get(comma) == Some(&b',') {
                let spaces = (comma + 1..bytes.len()).take_while(|&i| bytes[i] == b' ').count();
                return (self.entry, comma + 1 + spaces);
            }
            let before: Vec<usize> = (0..self.entry).rev().collect();
            let blanks = before.iter().take_while(blank).count();
            let comma = (self.entry - blanks).checked_sub(1).filter(|&i| bytes[i] == b',');
            return (comma.unwrap_or(self.entry), self.end);
        }
        // In a block the rest of the line is white space or a comment.
        let line_end = text[self.end..].find('\n').map_or(text.len(), |i| self.end + i + 1);
        let line_start = text[..self.entry].rfind('\n').map_or(0, |i| i + 1);
        let alone = text[line_start..self.entry].bytes().all(|b| b == b' ');
        if alone { (line_start, line_end) } else { (self.entry, line_end) }
    }
}

/// Every value of a document, in order of writing; nothing for what is no document.
pub fn outline(source: &Arc<Source>) -> Vec<Item> {
    let Ok((root, _)) = tree::read(&source.text, options(Size::Small)) else { return Vec::new() };
    let mut items = Vec::new();
    visit(&root, &mut Vec::new(), root.offset, false, 1, &source.text, &mut items);
    items
}

fn visit(
    node: &Node,
    path: &mut Vec<Part>,
    entry: usize,
    in_flow: bool,
    siblings: usize,
    text: &str,
    items: &mut Vec<Item>,
) -> usize {
    let index = items.len();
    let scalar = match &node.kind {
        Kind::Scalar { text, .. } => Some(text.clone()),
        Kind::Seq(_) | Kind::Map(_) => None,
    };
    items.push(Item { path: path.clone(), start: node.offset, end: node.offset, scalar, entry, in_flow, siblings });
    let flow = matches!(text.as_bytes().get(node.offset), Some(b'{' | b'['));
    let mut end = node.offset;
    match &node.kind {
        Kind::Scalar { .. } => end = node.offset + node.length,
        Kind::Seq(children) => {
            for (i, child) in children.iter().enumerate() {
                path.push(Part::Index(i));
                let dash = if flow { child.offset } else { dash_before(text, child.offset) };
                end = end.max(visit(child, path, dash, flow, children.len(), text, items));
                path.pop();
            }
        }
        Kind::Map(entries) => {
            for (key, value) in entries {
                let Kind::Scalar { text: name, .. } = &key.kind else { continue };
                path.push(Part::Key(name.clone()));
                end = end.max(visit(value, path, key.offset, flow, entries.len(), text, items));
                path.pop();
            }
        }
    }
    if flow {
        end = closing(text, node.offset).unwrap_or(end);
    }
    items[index].end = end.min(text.len());
    end
}

/// The dash in front of an item of a block list.
fn dash_before(text: &str, offset: usize) -> usize {
    let before = text[..offset].trim_end();
    if before.ends_with('-') { before.len() - 1 } else { offset }
}

/// Behind the bracket that closes the one at an offset; quotes and comments are respected.
fn closing(text: &str, offset: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut i) = (0usize, offset);
    while i < bytes.len() {
        match bytes[i] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            b'"' => {
                i += 1;
                while i < bytes.len() && bytes[i] != b'"' {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            // An apostrophe inside of a word is none.
            b'\'' if matches!(bytes[..i].last(), Some(b' ' | b',' | b'[' | b'{' | b':' | b'\n')) => {
                i += 1;
                while i < bytes.len() && (bytes[i] != b'\'' || bytes.get(i + 1) == Some(&b'\'')) {
                    i += if bytes[i] == b'\'' { 2 } else { 1 };
                }
            }
            b'#' if matches!(bytes[..i].last(), Some(b' ' | b'\n')) => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            _ => {}
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "version: 1\nscope: {fix: [critical, \"hi]gh\"], x: {y: 1}}  # comment\nlist:\n  # first\n  - name: a   # a\n    match: all\n  - {name: 'it''s }', n: 2}\n  - name: c\nlast: x\n";

    fn at<'a>(items: &'a [Item], name: &str) -> &'a Item {
        items.iter().find(|item| item.name() == name).unwrap_or_else(|| panic!("no {name} in {items:#?}"))
    }

    #[test]
    fn every_value_is_where_it_stands() {
        let source = Source::new("a.yaml", TEXT);
        let items = outline(&source);
        let text = |name: &str| &TEXT[at(&items, name).start..at(&items, name).end];
        assert_eq!(text("scope"), "{fix: [critical, \"hi]gh\"], x: {y: 1}}");
        assert_eq!(text("scope.fix"), "[critical, \"hi]gh\"]");
        assert_eq!(text("scope.x.y"), "1");
        assert_eq!(text("list[0]"), "name: a   # a\n    match: all");
        assert_eq!(text("list[1]"), "{name: 'it''s }', n: 2}");
        assert_eq!(text("list[2].name"), "c");
        assert_eq!(at(&items, "scope.fix[1]").scalar.as_deref(), Some("hi]gh"));
    }

    #[test]
    fn what_is_removed_leaves_the_rest() {
        let source = Source::new("a.yaml", TEXT);
        let items = outline(&source);
        for (name, gone) in [
            ("scope.fix[0]", "critical, "),
            ("scope.fix[1]", ", \"hi]gh\""),
            ("scope.x", ", x: {y: 1}"),
            ("scope.fix", "fix: [critical, \"hi]gh\"], "),
            ("list[0]", "  - name: a   # a\n    match: all\n"),
            ("list[0].match", "    match: all\n"),
            ("list[1]", "  - {name: 'it''s }', n: 2}\n"),
            ("list[1].n", ", n: 2"),
            ("last", "last: x\n"),
        ] {
            let (start, end) = at(&items, name).removal(TEXT);
            assert_eq!(&TEXT[start..end], gone, "{name}");
            let left = Source::new("b.yaml", format!("{}{}", &TEXT[..start], &TEXT[end..]));
            assert!(outline(&left).len() < items.len(), "{name}: {}", left.text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_outlined_within_its_bounds(text in "[a-c:{}\\[\\],'\"#\\- \n]{0,60}") {
            let source = Source::new("a.yaml", text.as_str());
            for item in outline(&source) {
                let (start, end) = item.removal(&text);
                prop_assert!(item.start <= item.end && item.end <= text.len() && start <= end && end <= text.len());
                prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
            }
        }
    }
}

//! XML from outside: a walk over its elements within bounds, one record at a time in memory.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::error::IntakeError;
use super::format::Input;
use super::json;
use crate::model::printable;

/// Elements do not nest deeper.
const MAX_DEPTH: usize = 128;
/// So much of the text of one element is kept: plugin outputs are smaller, attachments are not wanted.
const MAX_TEXT: usize = 1 << 20;
/// So much of the value of one attribute.
const MAX_VALUE: usize = 64 << 10;
/// No element has more attributes.
const MAX_ATTRIBUTES: usize = 256;
/// No name is longer.
const MAX_NAME: usize = 256;
/// No record has more elements.
const MAX_ELEMENTS: usize = 200_000;
/// Nor more text in all.
const MAX_RECORD: usize = 64 << 20;

/// An XML file as text, whatever its encoding was.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    name: &'a str,
    text: Cow<'a, str>,
}

/// An element that has just been opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Without its prefix.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

/// An element with everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    head: Head,
    text: String,
    children: Vec<Tree>,
}

/// A walk over the elements of a file, in their order.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    source: &'s Source<'s>,
    reader: Reader<&'s [u8]>,
    /// The names of the elements that are open.
    open: Vec<String>,
    /// Whether the root has been closed.
    done: bool,
}

impl<'a> Source<'a> {
    /// The text of an XML file, decoded from the encoding that its declaration names.
    pub(super) fn of(input: &Input<'a>) -> Result<Self, IntakeError> {
        let Input { name, bytes, .. } = *input;
        let declared = declared_encoding(bytes);
        let text = match declared.as_str() {
            "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(error) => {
                    let (line, column) = json::place(bytes, error.valid_up_to());
                    let error = IntakeError::new("invalid-xml", name, "bytes that are not UTF-8").at(line, column);
                    return Err(error.help("say the encoding in the XML declaration, or save the file as UTF-8"));
                }
            },
            // What calls itself Latin-1 is Windows-1252 in practice: they differ in control characters only.
            "iso-8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252" => Cow::Owned(windows_1252(bytes)),
            other => {
                let message = format!("the encoding `{}` is not read", printable(other, 40));
                let error = IntakeError::new("unsupported-encoding", name, message).at(1, 1);
                return Err(error.help("UTF-8, ISO-8859-1 and Windows-1252 are; save the file as UTF-8"));
            }
        };
        Ok(Self { name, text })
    }

    /// A walk from the beginning.
    pub(super) fn walk(&self) -> Walk<'_> {
        let mut reader = Reader::from_str(&self.text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        Walk { source: self, reader, open: Vec::new(), done: false }
    }
}

/// The encoding of the XML declaration, in lower case; empty where there is none.
fn declared_encoding(bytes: &[u8]) -> String {
    let head = bytes.trim_ascii_start();
    let head = String::from_utf8_lossy(&head[..head.len().min(256)]).into_owned();
    let Some(declaration) = head.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next()) else {
        return String::new();
    };
    let Some((_, rest)) = declaration.split_once("encoding") else { return String::new() };
    let rest = rest.trim_start().trim_start_matches('=').trim_start();
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return String::new() };
    rest[1..].split(quote).next().unwrap_or_default().to_ascii_lowercase()
}

/// Every byte is a character in Windows-1252; the five that mean nothing are shown as such.
pub(super) fn windows_1252(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}',
        '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž', 'Ÿ',
    ];
    bytes
        .iter()
        .map(|&byte| match byte {
            0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
            other => char::from(other),
        })
        .collect()
}

/// What the walk meets.
enum Step {
    Open(Head),
    Text(String),
    Close,
    End,
}

impl Walk<'_> {
    /// The next element that opens, wherever it is; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Head>, IntakeError> {
        loop {
            match self.step()? {
                Step::Open(head) => return Ok(Some(head)),
                Step::End => return Ok(None),
                Step::Text(_) | Step::Close => {}
            }
        }
    }

    /// The name of the element around the one that was opened last.
    pub(super) fn parent(&self) -> &str {
        self.open.len().checked_sub(2).map_or("", |index| &self.open[index])
    }

    /// Whether an element of this name is around the one that was opened last.
    pub(super) fn within(&self, name: &str) -> bool {
        self.open[..self.open.len().saturating_sub(1)].iter().any(|open| open == name)
    }

    /// Everything in the element that was opened last.
    pub(super) fn tree(&mut self, head: Head) -> Result<Tree, IntakeError> {
        let mut around: Vec<Tree> = Vec::new();
        let mut tree = Tree { head, ..Tree::default() };
        let (mut elements, mut size) = (0, 0);
        loop {
            match self.step()? {
                Step::Open(head) => {
                    elements += 1;
                    size += head.attributes.iter().map(|(_, value)| value.len()).sum::<usize>();
                    around.push(std::mem::replace(&mut tree, Tree { head, ..Tree::default() }));
                }
                Step::Text(text) => {
                    let kept = beginning(&text, MAX_TEXT.saturating_sub(tree.text.len()));
                    size += kept.len();
                    tree.text.push_str(kept);
                }
                Step::Close => {
                    tree.trim();
                    match around.pop() {
                        Some(parent) => {
                            let child = std::mem::replace(&mut tree, parent);
                            tree.children.push(child);
                        }
                        None => return Ok(tree),
                    }
                }
                Step::End => return Err(self.cut_off()),
            }
            if elements > MAX_ELEMENTS || size > MAX_RECORD {
                let limit = format!("{MAX_ELEMENTS} elements or {} MiB of text", MAX_RECORD >> 20);
                let outer = around.first().unwrap_or(&tree);
                let message = format!("one <{}> has more than {limit}", printable(&outer.head.name, 60));
                return Err(self.error("record-too-large", &message).help("no scanner writes such a record"));
            }
        }
    }

    fn step(&mut self) -> Result<Step, IntakeError> {
        loop {
            let event = self.reader.read_event().map_err(|error| self.broken(&error))?;
            match event {
                Event::Start(start) | Event::Empty(start) => return self.open(&start).map(Step::Open),
                Event::End(_) => {
                    self.open.pop();
                    self.done |= self.open.is_empty();
                    return Ok(Step::Close);
                }
                Event::Text(text) if !self.open.is_empty() => {
                    return Ok(Step::Text(beginning(&text, MAX_TEXT).to_owned()));
                }
                Event::CData(text) if !self.open.is_empty() => {
                    return Ok(Step::Text(beginning(&text, MAX_TEXT).to_owned()));
                }
                Event::GeneralRef(reference) => return self.reference(&reference).map(Step::Text),
                Event::DocType(declaration) if declaration.contains('[') => {
                    let message = "a document type with declarations of its own (`<!DOCTYPE … [`) is not read";
                    return Err(self.error("invalid-xml", message).help("scanners need none; export the report again"));
                }
                Event::Text(text) if !text.trim().is_empty() => {
                    return Err(self.error("invalid-xml", "text outside of the root element"));
                }
                Event::Eof if self.done && self.open.is_empty() => return Ok(Step::End),
                Event::Eof => return Err(self.cut_off()),
                // A reference to a document type elsewhere says nothing that is needed; it is never fetched.
                Event::Text(_)
                | Event::CData(_)
                | Event::DocType(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_) => {}
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<Head, IntakeError> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} elements");
            return Err(self.error("nesting-too-deep", &message).help("no scanner writes such a file"));
        }
        if self.done {
            return Err(self.error("invalid-xml", "a second root element"));
        }
        let name = beginning(start.local_name().into_inner(), MAX_NAME).to_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| {
                let message = format!("an attribute of <{}>: {error}", printable(&name, 60));
                self.error("invalid-xml", &message)
            })?;
            if attributes.len() == MAX_ATTRIBUTES {
                let message = format!("<{}> has more than {MAX_ATTRIBUTES} attributes", printable(&name, 60));
                return Err(self.error("record-too-large", &message).help("no scanner writes such an element"));
            }
            let value = self.unescape(beginning(&attribute.value, MAX_VALUE))?;
            let key = attribute.key.local_name();
            attributes.push((beginning(key.into_inner(), MAX_NAME).to_owned(), value));
        }
        self.open.push(name.clone());
        Ok(Head { name, attributes })
    }

    /// The value of an attribute, which ends in the middle of a reference where it was cut.
    fn unescape(&self, raw: &str) -> Result<String, IntakeError> {
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('&') {
            text.push_str(before);
            match after.split_once(';') {
                Some((name, behind)) => {
                    text.push_str(&self.reference(name)?);
                    rest = behind;
                }
                None if raw.len() + MAX_NAME > MAX_VALUE => return Ok(text),
                None => return Err(self.error("invalid-xml", "an `&` that begins no reference; it is written `&amp;`")),
            }
        }
        text.push_str(rest);
        Ok(text)
    }

    /// What `&name;` stands for. A character that there is not is shown as such.
    fn reference(&self, name: &str) -> Result<String, IntakeError> {
        if let Some(number) = name.strip_prefix('#') {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            let character = code.ok().filter(|&code| code > 0).and_then(char::from_u32);
            return Ok(character.unwrap_or('\u{fffd}').to_string());
        }
        match quick_xml::escape::resolve_predefined_entity(name) {
            Some(text) => Ok(text.to_owned()),
            None => {
                let message = format!("the entity `&{};` is not one of XML's own", printable(name, 40));
                Err(self.error("invalid-xml", &message).help("entities that a file defines for itself are refused"))
            }
        }
    }

    /// An error at the place that has been read last.
    fn error(&self, code: &'static str, message: &str) -> IntakeError {
        self.error_at(code, message, self.reader.buffer_position())
    }

    fn error_at(&self, code: &'static str, message: &str, offset: u64) -> IntakeError {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let (line, column) = json::place(self.source.text.as_bytes(), offset);
        IntakeError::new(code, self.source.name, message).at(line, column)
    }

    fn cut_off(&self) -> IntakeError {
        let open = self
            .open
            .last()
            .map_or("before its root element".to_owned(), |name| format!("in the middle of <{}>", printable(name, 60)));
        self.error("invalid-xml", &format!("the file ends {open}")).help("was its writing interrupted?")
    }

    fn broken(&self, error: &quick_xml::Error) -> IntakeError {
        let message = error.to_string();
        let message = message.trim_start_matches("syntax error: ").trim_start_matches("ill-formed document: ");
        let error = self.error_at("invalid-xml", message, self.reader.error_position());
        error.help("was the file changed by hand, or its writing interrupted?")
    }
}

/// At most so many bytes of a text.
fn beginning(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

impl Head {
    /// The value of an attribute; empty where it is not there.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }
}

impl Tree {
    fn trim(&mut self) {
        let trimmed = self.text.trim();
        if trimmed.len() != self.text.len() {
            self.text = trimmed.to_owned();
        }
    }

    /// Without its prefix.
    pub(super) fn name(&self) -> &str {
        &self.head.name
    }

    /// Its own text, without white space around it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The value of an attribute; empty where it is not there.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.head.attribute(name)
    }

    /// All elements directly in it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        self.children.iter()
    }

    /// The elements of this name directly in it.
    pub(super) fn children<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Self> {
        self.children.iter().filter(move |child| child.head.name == name)
    }

    /// The first element of this name directly in it.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.head.name == name)
    }

    /// The element at a path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |tree, name| tree.child(name))
    }

    /// The text of the element at a path of names; empty where it is not there.
    pub(super) fn text_at(&self, path: &[&str]) -> &str {
        self.at(path).map_or("", Self::text)
    }

    /// The text of the first element of this name directly in it.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.text_at(&[name])
    }

    /// Every element of this name in it, at any depth, in their order.
    pub(super) fn find<'t>(&'t self, name: &str, found: &mut Vec<&'t Self>) {
        for child in &self.children {
            if child.head.name == name {
                found.push(child);
            }
            child.find(name, found);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Tree, IntakeError> {
        let source = Source::of(&Input { name: "f", bytes, given: None })?;
        let mut walk = source.walk();
        let head = walk.next()?.ok_or_else(|| IntakeError::new("invalid-xml", "f", "nothing"))?;
        let tree = walk.tree(head)?;
        assert_eq!(walk.next()?, None);
        Ok(tree)
    }

    #[test]
    fn an_element_is_read_with_everything_in_it() {
        let tree = read(
            b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'>\n<n:a x='1 &lt; 2' n:y=\"&#65;\"> t\
              <b>u &amp; <![CDATA[<v>]]></b><c/>w<!-- no --> </n:a>\n",
        )
        .unwrap();
        assert_eq!((tree.name(), tree.attribute("x"), tree.attribute("y")), ("a", "1 < 2", "A"));
        assert_eq!((tree.text(), tree.text_of("b"), tree.text_of("c"), tree.text_of("d")), ("tw", "u & <v>", "", ""));
        assert_eq!(tree.all().count(), 2);
    }

    #[test]
    fn records_are_walked_one_by_one() {
        let text = "<r><h n='1'/><list><h n='2'><i/></h><other/></list></r>";
        let source = Source::of(&Input { name: "f", bytes: text.as_bytes(), given: None }).unwrap();
        let mut walk = source.walk();
        let mut seen = Vec::new();
        while let Some(head) = walk.next().unwrap() {
            if head.name == "h" {
                let (parent, within) = (walk.parent().to_owned(), walk.within("r"));
                let tree = walk.tree(head).unwrap();
                seen.push(format!("{parent} {within} {} {}", tree.attribute("n"), tree.all().count()));
            }
        }
        assert_eq!(seen, ["r true 1 0", "list true 2 1"]);
    }

    #[test]
    fn what_is_refused_is_named_with_its_place() {
        let deep = format!("{}{}", "<a>".repeat(129), "</a>".repeat(129));
        let laughs = "<!DOCTYPE a [<!ENTITY b \"&c;&c;\">]><a>&b;</a>";
        let many = format!("<a {}/>", (0..300).map(|i| format!("a{i}='' ")).collect::<String>());
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS + 1));
        for (text, code, place, words) in [
            (deep.as_str(), "nesting-too-deep", (1, 388), "128"),
            (laughs, "invalid-xml", (1, 36), "document type"),
            ("<a>\n &b;</a>", "invalid-xml", (2, 5), "`&b;`"),
            ("<a x='&b;'/>", "invalid-xml", (1, 13), "`&b;`"),
            ("<a>\n<b>", "invalid-xml", (2, 4), "in the middle of <b>"),
            ("<a></b>", "invalid-xml", (1, 4), "b"),
            ("<a/><b/>", "invalid-xml", (1, 9), "second root"),
            ("<a/>text", "invalid-xml", (1, 9), "outside"),
            ("<a x='1' x='2'/>", "invalid-xml", (1, 17), "duplicate"),
            (many.as_str(), "record-too-large", (1, many.len() + 1), "256"),
            (wide.as_str(), "record-too-large", (1, 3 + 4 * (MAX_ELEMENTS + 1) + 1), "200000"),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", "unsupported-encoding", (1, 1), "utf-16"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!((error.code, error.place), (code, Some(place)), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn encodings_are_decoded_or_refused() {
        let text = |bytes: &[u8]| read(bytes).map(|tree| tree.text().to_owned());
        assert_eq!(text(b"<?xml version=\"1.0\" encoding='ISO-8859-1'?><a>M\xfcller</a>").unwrap(), "Müller");
        assert_eq!(text(b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x80 5</a>").unwrap(), "€ 5");
        let error = text(b"<?xml version=\"1.0\"?>\n<a>M\xfcller</a>").unwrap_err();
        assert_eq!((error.code, error.place), ("invalid-xml", Some((2, 5))));
        assert_eq!(text(b"<a>&#0;&#xffffffff;&#x110000;x</a>").unwrap(), "\u{fffd}\u{fffd}\u{fffd}x");
    }

    #[test]
    fn long_texts_are_cut_and_not_kept() {
        let long = format!("<a x='{}'>{}</a>", "é".repeat(MAX_VALUE), "é".repeat(MAX_TEXT));
        let tree = read(long.as_bytes()).unwrap();
        assert_eq!((tree.attribute("x").len(), tree.text().len()), (MAX_VALUE, MAX_TEXT));
        let cut = format!("<a x='{}&amp;'/>", "e".repeat(MAX_VALUE - 2));
        assert_eq!(read(cut.as_bytes()).unwrap().attribute("x").len(), MAX_VALUE - 2);
    }

    fn document() -> impl Strategy<Value = Tree> {
        let leaf = ("[a-z]{1,4}", "[ -~éß]{0,12}").prop_map(|(name, text)| {
            let head = Head { name, attributes: Vec::new() };
            Tree { head, text: text.trim().to_owned(), children: Vec::new() }
        });
        leaf.prop_recursive(4, 40, 5, |inner| {
            ("[a-z]{1,4}", "[ -~éß]{0,12}", prop::collection::vec(inner, 0..5)).prop_map(|(name, value, children)| {
                let attributes = vec![("k".to_owned(), value.trim().to_owned())];
                Tree { head: Head { name, attributes }, text: String::new(), children }
            })
        })
    }

    fn write(tree: &Tree, out: &mut String) {
        let escape = |text: &str| quick_xml::escape::escape(text.to_owned()).into_owned();
        out.push_str(&format!("<{}", tree.head.name));
        for (key, value) in &tree.head.attributes {
            out.push_str(&format!(" {key}=\"{}\"", escape(value)));
        }
        out.push_str(&format!(">{}", escape(&tree.text)));
        tree.children.iter().for_each(|child| write(child, out));
        out.push_str(&format!("</{}>", tree.head.name));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tree in document()) {
            let mut text = String::new();
            write(&tree, &mut text);
            prop_assert_eq!(read(text.as_bytes()).unwrap(), tree);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn anything_like_xml_is_read_without_harm(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<a>", "</a>", "<a ", "b='", "'", "\"", "/>", "<![CDATA[", "]]>", "<!--", "-->", "&amp;", "&#x", ";",
                    "&", "<!DOCTYPE a ", "[", "]>", "<?xml version='1.0' encoding='", "?>", "é", "\0", "<", ">", "x=", " ",
                ]),
                0..40,
            ),
        ) {
            let _ = read(parts.concat().as_bytes());
        }
    }
}

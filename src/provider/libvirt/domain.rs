//! The disks of a domain, from its definition.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::model::is_unprintable;

/// A file that a host writes to.
#[derive(Debug, PartialEq, Eq)]
struct Disk {
    target: String,
    format: String,
    path: String,
}

/// What of a domain is copied, and what is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Domain {
    disks: Vec<Disk>,
    others: Vec<String>,
}

/// A disk as it is written, none of it looked at.
#[derive(Default)]
struct Raw {
    source: String,
    device: String,
    target: String,
    format: String,
    path: String,
    /// Nothing is written to it.
    fixed: bool,
    /// What makes it a disk that cannot be put back.
    odd: Option<&'static str>,
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let value = element.attributes().flatten().find(|attribute| attribute.key.local_name().into_inner() == name);
    let value = value.map(|attribute| attribute.value.into_owned()).unwrap_or_default();
    quick_xml::escape::unescape(&value).map(|text| text.into_owned()).unwrap_or_default()
}

impl Raw {
    fn opened(element: &BytesStart<'_>) -> Self {
        Self { source: attribute(element, "type"), device: attribute(element, "device"), ..Self::default() }
    }

    fn holds(&mut self, element: &BytesStart<'_>) {
        match element.local_name().into_inner() {
            "driver" => self.format = attribute(element, "type"),
            "source" => self.path = attribute(element, "file"),
            "target" => self.target = attribute(element, "dev"),
            "readonly" => self.fixed = true,
            "shareable" => self.odd = Some("is shared with other domains"),
            "transient" => self.odd = Some("forgets what is written to it"),
            // The copy stands alone: put in the place of a layer, what it has not written would show what is below.
            "backingStore" if !attribute(element, "type").is_empty() => {
                self.odd = Some("names the file below it in the domain's definition: take `backingStore` out of it");
            }
            _ => {}
        }
    }
}

impl Domain {
    /// From its definition. What could not be put back as it was is refused.
    pub(super) fn read(xml: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(xml);
        let mut open: Vec<String> = Vec::new();
        let mut domain = Self::default();
        let mut disk: Option<Raw> = None;
        loop {
            let event = reader.read_event().map_err(|error| format!("its definition is not understood: {error}"))?;
            let place: Vec<&str> = open.iter().map(String::as_str).collect();
            match &event {
                Event::Start(element) | Event::Empty(element) => {
                    let name = element.local_name().into_inner();
                    match (place.as_slice(), &mut disk) {
                        (["domain", "devices"], _) if name == "disk" => disk = Some(Raw::opened(element)),
                        (["domain", "devices", "disk"], Some(disk)) => disk.holds(element),
                        _ => {}
                    }
                    if let Event::Start(_) = event {
                        open.push(name.to_owned());
                    }
                }
                Event::End(_) => {
                    if place == ["domain", "devices", "disk"] {
                        disk.take().map_or(Ok(()), |disk| domain.add(disk))?;
                    }
                    open.pop();
                }
                Event::Eof if open.is_empty() => break,
                Event::Eof => return Err("its definition is cut off".to_owned()),
                _ => {}
            }
        }
        if domain.disks.is_empty() { Err("it has no disks".to_owned()) } else { Ok(domain) }
    }

    fn add(&mut self, disk: Raw) -> Result<(), String> {
        let Raw { source, device, target, format, path, fixed, odd } = disk;
        if target.is_empty() || target.len() > 16 || !target.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(format!("a disk is called {target:?}"));
        }
        if fixed || ["cdrom", "floppy"].contains(&device.as_str()) {
            self.others.push(target);
            return Ok(());
        }
        if let Some(odd) = odd {
            return Err(format!("disk {target} {odd}"));
        }
        if source != "file" || !["disk", ""].contains(&device.as_str()) {
            return Err(format!("disk {target} is not a file"));
        }
        if !["qcow2", "raw"].contains(&format.as_str()) {
            return Err(format!("disk {target} is neither qcow2 nor raw"));
        }
        // The path is the rest of a line in a list whose lines travel with `|` between them.
        let fine =
            path.starts_with('/') && path.trim() == path && !path.contains('|') && !path.contains(is_unprintable);
        if !fine {
            return Err(format!("the path of disk {target} is {path:?}"));
        }
        self.disks.push(Disk { target, format, path });
        Ok(())
    }

    /// `TARGET FORMAT PATH|...`.
    pub(super) fn disks(&self) -> String {
        let line = |disk: &Disk| format!("{} {} {}", disk.target, disk.format, disk.path);
        self.disks.iter().map(line).collect::<Vec<_>>().join("|")
    }

    /// The targets of what is left out.
    pub(super) fn others(&self) -> String {
        self.others.join(" ")
    }
}

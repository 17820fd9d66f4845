//! Ansible's INI inventories: hosts with variables, `[group]`, `[group:children]`, `[group:vars]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::AnsibleInventory;
use super::literal;
use super::range::{MAX_GROUPS, MAX_SHARED, TOO_MANY_HOSTS, expand_host_entry};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{GroupName, HostName, printable};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Hosts,
    Children,
    Vars,
}

/// What is used before it is declared.
#[derive(Default)]
struct Pending {
    /// Children named under these parents, and where.
    children: BTreeMap<String, Vec<(String, Span)>>,
    /// `[group:vars]` of groups not seen yet.
    vars: BTreeMap<String, Span>,
}

/// Reads a source into the inventory; every line that cannot be read is a diagnostic.
pub(super) fn read(source: &Arc<Source>, inventory: &mut AnsibleInventory, diagnostics: &mut Diagnostics) {
    let mut pending = Pending::default();
    let mut group = "ungrouped".to_owned();
    // None after a header that was not understood: its lines would only repeat the problem.
    let mut section = Some(Section::Hosts);
    let mut offset = 0;
    for raw in source.text.split_inclusive('\n') {
        let line = raw.trim();
        let start = offset + (raw.len() - raw.trim_start().len());
        offset += raw.len();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let span = || Span { source: Arc::clone(source), offset: start, length: line.len() };
        let mut problem = |code, message: &str| diagnostics.push(Diagnostic::error(code, message).at(span()));
        if line.starts_with('[')
            && let Some(header) = header(line)
        {
            section = None;
            match header {
                Ok((name, found)) => {
                    if let Err(error) = GroupName::new(name) {
                        problem("invalid-group-name", &error.to_string());
                        continue;
                    }
                    if inventory.group_count() >= MAX_GROUPS && !inventory.has_group(name) {
                        problem("too-many-hosts", &format!("the inventory names more than {MAX_GROUPS} groups"));
                        return;
                    }
                    section = Some(found);
                    name.clone_into(&mut group);
                    declare(&group, found, inventory, &mut pending, &span);
                }
                Err(message) => problem("invalid-inventory-line", &message),
            }
            continue;
        }
        match section {
            None => {}
            Some(Section::Hosts) => {
                host_line(line, &group, inventory, &span, diagnostics);
                if inventory.is_full() {
                    // Every further range would be expanded for nothing.
                    return diagnostics
                        .push(Diagnostic::error("too-many-hosts", TOO_MANY_HOSTS).at(span()).help("split it"));
                }
            }
            Some(Section::Vars) => match line.split_once('=') {
                Some((name, value)) => inventory.set_group_var(&group, name.trim(), literal::value(value.trim())),
                None => problem("invalid-inventory-line", &format!("`{}` is not `name=value`", printable(line, 80))),
            },
            Some(Section::Children) => match group_name(line) {
                Some(child) if inventory.has_group(child) => inventory.add_child(&group, child, Some(span())),
                Some(child) => {
                    pending.children.entry(child.to_owned()).or_default().push((group.clone(), span()));
                }
                None => problem("invalid-inventory-line", &format!("`{}` is not a group name", printable(line, 80))),
            },
        }
    }
    for (name, parents) in pending.children {
        let Some((parent, span)) = parents.into_iter().next() else { continue };
        let message = format!("`[{parent}:children]` names the group `{}`, which is nowhere", printable(&name, 80));
        let mut diagnostic = Diagnostic::error("undefined-group", message).at(span);
        diagnostic = diagnostic.help(format!("add a section `[{}]`", printable(&name, 80)));
        diagnostics.push(diagnostic);
    }
    for (name, span) in pending.vars {
        let message = format!("`[{name}:vars]` is about a group which is nowhere");
        diagnostics
            .push(Diagnostic::error("undefined-group", message).at(span).help(format!("add a section `[{name}]`")));
    }
}

/// `[group]` or `[group:kind]`, with a comment behind; none for what only starts like one (a host such as `[::1]:22`).
fn header(line: &str) -> Option<Result<(&str, Section), String>> {
    let invalid = |what: &str| Some(Err(format!("the section `{}` {what}", printable(line, 80))));
    let Some((inside, rest)) = line.strip_prefix('[')?.split_once(']') else {
        return invalid("has no closing `]`");
    };
    let rest = rest.trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        return None;
    }
    let (name, kind) = inside.split_once(':').map_or((inside, "hosts"), |(name, kind)| (name, kind));
    let section = match kind {
        "hosts" => Section::Hosts,
        "children" => Section::Children,
        "vars" => Section::Vars,
        _ => return invalid("is none of `[group]`, `[group:children]`, `[group:vars]`"),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return invalid("has no name, or spaces in it");
    }
    Some(Ok((name, section)))
}

/// A name with a comment behind.
fn group_name(line: &str) -> Option<&str> {
    let name = line.split([' ', '\t', '#']).next()?;
    let rest = line[name.len()..].trim_start();
    (GroupName::new(name).is_ok() && (rest.is_empty() || rest.starts_with('#'))).then_some(name)
}

fn declare(
    group: &str,
    section: Section,
    inventory: &mut AnsibleInventory,
    pending: &mut Pending,
    span: &dyn Fn() -> Span,
) {
    if !inventory.has_group(group) {
        if section == Section::Vars && !pending.children.contains_key(group) {
            pending.vars.insert(group.to_owned(), span());
        }
        inventory.add_group(group);
    }
    if section == Section::Vars {
        return;
    }
    pending.vars.remove(group);
    for (parent, span) in pending.children.remove(group).unwrap_or_default() {
        inventory.add_child(&parent, group, Some(span));
    }
}

fn host_line(
    line: &str,
    group: &str,
    inventory: &mut AnsibleInventory,
    span: &dyn Fn() -> Span,
    diagnostics: &mut Diagnostics,
) {
    let mut problem = |code, message: &str| diagnostics.push(Diagnostic::error(code, message).at(span()));
    let words = match split_words(line) {
        Ok(words) => words,
        Err(message) => return problem("invalid-inventory-line", message),
    };
    let Some((entry, assignments)) = words.split_first() else { return };
    let mut vars = Vec::new();
    for assignment in assignments {
        match assignment.split_once('=') {
            Some((name, value)) => vars.push((name, literal::value(value))),
            None => {
                let message = format!("`{}` is not `name=value`", printable(assignment, 80));
                return problem("invalid-inventory-line", &message);
            }
        }
    }
    let (hosts, port) = match expand_host_entry(entry) {
        Ok(expanded) => expanded,
        Err(message) => {
            return problem("invalid-host-range", &format!("`{}`: {message}", printable(entry, 80)));
        }
    };
    if hosts.len() > 1 && line.len() * hosts.len() > MAX_SHARED {
        inventory.refuse(hosts.len());
        let message = format!("the variables for {} hosts take more than {} MiB", hosts.len(), MAX_SHARED >> 20);
        return problem("too-many-hosts", &message);
    }
    let count = hosts.len();
    for host in hosts {
        if inventory.is_full() {
            return;
        }
        if let Err(error) = HostName::new(&host) {
            inventory.refuse(count);
            return problem("invalid-host-name", &error.to_string());
        }
        inventory.add_host(&host, group, port, span);
        for (name, value) in &vars {
            inventory.set_host_var(&host, name, value.clone());
        }
    }
}

/// Words as a POSIX shell splits them, up to a comment.
pub(super) fn split_words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' => break,
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("a quote is not closed"),
                        },
                        Some(c) => word.push(c),
                        None => return Err("a quote is not closed"),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("nothing follows the last `\\`")?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

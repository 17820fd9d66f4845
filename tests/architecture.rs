//! Holds the house together: who may use whom, how files begin and how long they are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from left to right; a room may use every room of an earlier row and itself, never a neighbour or a later one.
const ROWS: &[&[&str]] = &[
    &["model"],
    &["diagnostic"],
    &["yaml"],
    &["intake"],
    &["policy", "playbook"],
    &["plan"],
    &["engine"],
    &["store", "transport"],
    &["provider", "switch", "evidence"],
    &["run", "sim", "lab"],
    &["report", "notify"],
    &["cli"],
];

/// Clock, randomness and environment are for those who talk to the world; what decides must be repeatable.
const MAY_USE_ENV: &[&str] =
    &["store", "transport", "provider", "switch", "evidence", "run", "sim", "lab", "notify", "cli"];

/// A file that is longer has more than one purpose.
const MAX_LINES: usize = 800;

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&src).unwrap();
            let room = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (room, path, text)
        })
        .collect()
}

fn first_segment(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Names behind `crate::`, also in `use crate::{a, b::c}`.
fn used_rooms(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        rooms.push(first_segment(item.trim_start()));
                        item.clear();
                        if c == '}' {
                            break;
                        }
                    }
                    _ if depth == 0 => item.push(c),
                    _ => {}
                }
            }
        } else {
            rooms.push(first_segment(rest));
        }
    }
    rooms
}

#[test]
fn data_flows_one_way() {
    let rank: BTreeMap<&str, usize> =
        ROWS.iter().enumerate().flat_map(|(i, row)| row.iter().map(move |room| (*room, i))).collect();
    let mut wrong = Vec::new();
    let mut edges = 0;
    for (room, path, text) in sources() {
        let Some(&own) = rank.get(room.as_str()) else {
            assert!(matches!(room.as_str(), "lib" | "main" | "env"), "{} belongs to no room", path.display());
            continue;
        };
        for used in used_rooms(&text) {
            if used == "env" && !MAY_USE_ENV.contains(&room.as_str()) {
                wrong.push(format!("{} asks env", path.display()));
            }
            if let Some(&other) = rank.get(used.as_str()) {
                edges += 1;
                if used != room && other >= own {
                    wrong.push(format!("{} ({room}) uses {used}", path.display()));
                }
            }
        }
    }
    assert!(edges > 30, "only {edges} uses were found: does this test still read the sources?");
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "against the allowed direction:\n{}", wrong.join("\n"));
}

/// What a checker shares with the planner it cannot find wrong.
#[test]
fn the_plan_checker_shares_nothing_with_the_planner_but_its_types() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    let types = fs::read_to_string(plan.join("types.rs")).unwrap();
    let is_type =
        |name: &str| ["struct", "enum", "const"].iter().any(|kind| types.contains(&format!("pub {kind} {name}")));
    // What the planner adds to the types.
    let reserve = fs::read_to_string(plan.join("reserve.rs")).unwrap();
    let methods: Vec<String> = reserve.split("pub fn ").skip(1).map(first_segment).collect();
    assert!(methods.contains(&"way_back".to_owned()), "{methods:?}");
    let mut files = Vec::new();
    rust_files(&plan.join("check"), &mut files);
    let mut names = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("super::super"), "{}", path.display());
        for (at, _) in text.match_indices("crate::plan::") {
            let rest = &text[at + "crate::plan::".len()..];
            let list = rest.strip_prefix('{').and_then(|list| list.split_once('}')).map_or(rest, |(list, _)| list);
            let list = if rest.starts_with('{') { list.to_owned() } else { first_segment(list) };
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                assert!(is_type(name), "{} uses {name} of the planner", path.display());
                names += 1;
            }
        }
        for method in &methods {
            assert!(!text.contains(&format!(".{method}(")), "{} asks the planner for {method}", path.display());
        }
    }
    assert!(names > 20, "only {names} names were found: does this test still read the sources?");
}

#[test]
fn the_map_names_every_room() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for room in ROWS.iter().flat_map(|row| row.iter()) {
        assert!(lib.contains(&format!("pub mod {room};")), "lib.rs does not declare {room}");
        assert!(
            lib.contains(&format!("//! - [`{room}`]")) || lib.contains(&format!("//! - [`{room}`](mod@")),
            "the map does not explain {room}"
        );
    }
}

#[test]
fn files_say_their_purpose_and_stay_short() {
    let mut wrong = Vec::new();
    for (_, path, text) in sources() {
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not open with its purpose", path.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_shell_ends_where_a_file_cannot_be_made() {
    fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scripts(&path, found);
            } else if path.extension().is_some_and(|end| end == "sh") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "playbooks"] {
        scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    assert!(found.len() > 20, "{found:?}");
    let mut wrong = Vec::new();
    for path in found {
        let mut goes_on = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            let is_chain = goes_on || line.contains("&&") || line.contains("||");
            goes_on = line.ends_with("&&") || line.ends_with("||");
            let mut commands = line.split(&['&', '|', ';', '{', '}'][..]).map(|command| {
                let command = command.trim();
                command.strip_prefix("if ").or_else(|| command.strip_prefix("! ")).unwrap_or(command)
            });
            // A special builtin whose redirection fails ends the shell: what stands behind `||` is never reached.
            let special = |command: &str| {
                let mut words = command.split(' ');
                let is_special = [":", "exec", "eval", "."].contains(&words.next().unwrap_or_default());
                is_special && words.any(|word| word.contains('>') && !word.ends_with('>'))
            };
            if is_chain && commands.any(special) {
                wrong.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "`true >FILE` instead:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_yaml_room_names_the_yaml_crate() {
    for (room, path, text) in sources() {
        assert!(room == "yaml" || !text.contains("serde_yaml::"), "{} names serde_yaml", path.display());
    }
}

#[test]
fn uses_are_found_in_every_form() {
    let text = "use crate::model::X; use crate::{plan::{A, B}, run}; fn f() { crate::env::now(); }";
    assert_eq!(used_rooms(text), ["model", "plan", "run", "env"]);
}

/// Names with versions of a lock file.
fn locked(path: &Path) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(found) = value(line, "name = ") {
            name = found;
        } else if let Some(version) = value(line, "version = ").filter(|_| !name.is_empty()) {
            packages.entry(std::mem::take(&mut name)).or_default().push(version);
        }
    }
    packages
}

#[test]
fn fuzz_targets_are_declared_have_seeds_and_meet_the_parsers_that_are_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let mut targets = Vec::new();
    rust_files(&root.join("fuzz/fuzz_targets"), &mut targets);
    assert!(targets.len() > 10, "{targets:?}");
    for target in targets {
        let name = target.file_stem().unwrap().to_str().unwrap();
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "fuzz/Cargo.toml declares no {name}");
        let seeds = fs::read_dir(root.join("fuzz/seeds").join(name)).map_or(0, Iterator::count);
        assert!(seeds > 0, "fuzz/seeds/{name} is empty");
    }
    let (ours, fuzzed) = (locked(&root.join("Cargo.lock")), locked(&root.join("fuzz/Cargo.lock")));
    for parser in
        ["croner", "csv", "jiff", "minijinja", "quick-xml", "regex", "rrule", "serde-saphyr", "serde_json", "toml"]
    {
        assert!(ours.contains_key(parser), "{parser} is no dependency any more");
        assert_eq!(
            ours[parser], fuzzed[parser],
            "{parser}: `cp Cargo.lock fuzz/Cargo.lock && cargo metadata --manifest-path fuzz/Cargo.toml >/dev/null`"
        );
    }
}

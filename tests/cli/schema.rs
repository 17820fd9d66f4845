//! `switchback schema` and the committed files in `schemas/`.

use std::path::Path;

use super::World;

/// `SWITCHBACK_BLESS=1` writes the files instead of comparing them.
#[expect(clippy::disallowed_methods, reason = "the test asks its own environment")]
#[test]
fn committed_schemas_are_what_the_program_prints() {
    let world = World::new();
    let names = world.run(&["schema"]).stdout;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut known: Vec<String> = Vec::new();
    for name in names.lines() {
        let printed = world.run(&["schema", name]);
        assert_eq!(printed.code, Some(0), "{}", printed.show());
        let path = folder.join(format!("{name}.schema.json"));
        if std::env::var_os("SWITCHBACK_BLESS").is_some() {
            std::fs::write(&path, &printed.stdout).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == printed.stdout,
            "schemas/{name}.schema.json has drifted: run SWITCHBACK_BLESS=1 cargo test --test cli"
        );
        known.push(format!("{name}.schema.json"));
    }
    let mut files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    known.sort();
    assert_eq!(files, known, "schemas/ holds a file that no schema writes");
}

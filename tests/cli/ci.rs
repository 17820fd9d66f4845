//! `examples/ci`: the commands that they run work on a repository, with the exit codes that they expect.

use std::path::Path;

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name)).unwrap()
}

/// The `switchback` command lines of a pipeline, with continued lines joined.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    lines
        .filter_map(|line| line.strip_prefix("switchback "))
        .map(|line| {
            let end = line.find(['>', '|']).unwrap_or(line.len());
            line[..end].split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
        })
        .collect()
}

#[test]
fn the_pipelines_run_on_the_example() {
    for (name, base) in [("github-actions.yml", "$BASE"), ("gitlab-ci.yml", "$CI_MERGE_REQUEST_DIFF_BASE_SHA")] {
        let world = super::diff::repository();
        world.write("policies/fleet.test.yaml", "version: 1\nnow: 2026-11-23T12:00:00Z\nhosts: {a: {groups: payments}}\ntests:\n  - {name: important, host: a, expect: {importance: important}}\n");
        let commands = commands(&example(name));
        let verbs: Vec<&str> = commands.iter().map(|words| words[0].as_str()).collect();
        assert_eq!(verbs, ["check", "test", "diff"], "{name}");
        for words in &commands {
            let words: Vec<&str> =
                words.iter().map(|word| if word == base { "HEAD~1" } else { word.as_str() }).collect();
            let ran = world.run(&words);
            let expected = match words[0] {
                "diff" => 11,
                // One test covers little.
                "test" => 12,
                _ => 0,
            };
            assert_eq!(ran.code, Some(expected), "{name}: {words:?}\n{}", ran.show());
            if words[0] == "diff" {
                let marker = ran.stdout.lines().next().unwrap();
                assert!(example(name).contains(&format!("startswith(\"{marker}\")")), "{marker}");
            }
        }
    }
}

#[test]
fn the_pipelines_are_yaml_that_says_when_it_runs() {
    use switchback::diagnostic::Source;
    for (name, key) in [("github-actions.yml", "jobs.review.steps"), ("gitlab-ci.yml", "policies.script")] {
        let items = switchback::yaml::outline(&Source::new(name, example(name)));
        assert!(items.iter().any(|item| item.name() == key), "{name} has {key}");
    }
}

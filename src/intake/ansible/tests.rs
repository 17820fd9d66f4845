//! What Ansible's variables mean for our hosts, what is encrypted, programs, and hostile inventories.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use super::AnsibleReader;
use crate::diagnostic::{Diagnostics, Source};
use crate::intake::{Inventory, RunProgram, read_inventory};
use crate::model::{Become, Host};
use crate::yaml::Size;

/// Reads `hosts...` of these files; problems without the folder in front.
fn read_with(files: &[(&str, &str)], run: Option<RunProgram<'_>>) -> (Option<Inventory>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let sources = files.iter().filter(|(name, _)| name.starts_with("hosts"));
    let sources: Vec<PathBuf> = sources.map(|(name, _)| folder.path().join(name)).collect();
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&sources, run, &mut diagnostics);
    let prefix = format!("{}/", folder.path().display());
    (inventory, diagnostics.sorted().iter().map(|d| d.to_string().replace(&prefix, "")).collect())
}

fn read(files: &[(&str, &str)]) -> (Option<Inventory>, Vec<String>) {
    read_with(files, None)
}

/// The one host of an INI line, and what is told of it.
fn one(vars: &str) -> (Host, Vec<String>) {
    let (inventory, problems) = read(&[("hosts", &format!("h {vars}\n"))]);
    (inventory.unwrap_or_else(|| panic!("{problems:#?}")).hosts["h"].clone(), problems)
}

fn refused(files: &[(&str, &str)]) -> Vec<String> {
    let (inventory, problems) = read(files);
    assert!(inventory.is_none(), "it was read");
    problems
}

#[test]
fn the_newer_name_of_two_counts() {
    let (host, problems) = one("ansible_host=a ansible_ssh_host=b ansible_port=1 ansible_ssh_port=2 ansible_user=c \
                                ansible_ssh_user=d ansible_private_key_file=e ansible_ssh_private_key_file=f");
    assert_eq!((host.address(), host.ssh.port, host.ssh.user.as_deref()), ("b", Some(2), Some("d")));
    assert_eq!((host.ssh.identity.as_deref(), problems), (Some("f"), Vec::new()));
    let (host, _) = one("ansible_ssh_user=None ansible_user=c");
    assert_eq!(host.ssh.user.as_deref(), Some("c"), "nothing is no value");
}

#[test]
fn ssh_options_are_taken_where_they_say_who_is_reached() {
    let (host, problems) = one("ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q ops@bastion\"' \
                                ansible_ssh_extra_args='-J other -o User=u -o Port=2222 -i key' ansible_user=me");
    assert_eq!(host.ssh.jump.as_deref(), Some("ops@bastion"), "ssh keeps the first");
    assert_eq!((host.ssh.user.as_deref(), host.ssh.port), (Some("me"), Some(2222)));
    assert_eq!((host.ssh.identity.as_deref(), problems), (Some("key"), Vec::new()));
    let (_, problems) = one("ansible_ssh_common_args='-L 1:a:2'");
    assert!(problems[0].contains("`ansible_ssh_common_args` has `-L 1:a:2`, which is left out"), "{problems:?}");
    let problems = refused(&[("hosts", "h ansible_ssh_common_args='-J \"a;b\"'\n")]);
    assert!(problems[0].contains("the jump host of ssh's options `a;b`"), "{problems:?}");
}

#[test]
fn what_cannot_be_reached_is_said() {
    for (vars, told) in [
        ("ansible_connection=local", "is `local`: this machine, too, is reached over ssh"),
        ("ansible_connection=winrm", "is `winrm`: the host cannot be reached"),
        ("ansible_connection=community.docker.docker", "is `community.docker.docker`, which is not supported"),
        ("ansible_password=secret", "nothing logs in with a password"),
        ("ansible_become=yes ansible_become_pass=secret", "sudo is asked without a password"),
        ("ansible_become=yes ansible_become_method=su", "`ansible_become_method` is `su`"),
        ("ansible_become=yes ansible_become_user=app", "`ansible_become_user` is `app`"),
        ("ansible_become=yes ansible_become_flags=-i", "`ansible_become_flags` is left out"),
    ] {
        let (host, problems) = one(vars);
        assert!(problems.len() == 1 && problems[0].contains(told), "{vars}: {problems:?}");
        assert!(problems[0].ends_with("[ignored-variable]") && !problems[0].contains("secret"), "{problems:?}");
        let windows = host.os.is_some_and(|os| os.family == "windows");
        assert_eq!(windows, vars.ends_with("winrm"), "{vars}");
    }
    let (host, problems) =
        one("ansible_become=true ansible_become_method=ansible.builtin.sudo ansible_become_user=root");
    assert_eq!((host.becomes, problems), (Become::Sudo, Vec::new()));
    assert!(one("ansible_become_method=su").1.is_empty(), "nobody becomes anything");
}

#[test]
fn a_note_is_told_once_for_all_its_hosts() {
    let (inventory, problems) = read(&[("hosts", "[win]\nw[1:500]\n[win:vars]\nansible_connection=winrm\n")]);
    assert_eq!(inventory.unwrap().hosts.len(), 500);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("hosts:2:1: host `w1` and 499 more: `ansible_connection`"), "{problems:?}");
}

#[test]
fn facts_that_people_wrote_down_name_the_system() {
    for (vars, os) in [
        (
            "ansible_os_family=RedHat ansible_distribution=Rocky ansible_distribution_version='\"9.4\"'",
            "redhat rocky 9.4",
        ),
        ("ansible_os_family=Debian", "debian debian -"),
        ("ansible_distribution=Ubuntu ansible_distribution_version='\"22.04\"'", "debian ubuntu 22.04"),
        ("ansible_distribution=RedHat ansible_distribution_major_version=8", "redhat rhel 8"),
        ("ansible_os_family=Suse ansible_distribution='openSUSE Leap'", "suse opensuse-leap -"),
        ("ansible_connection=psrp", "windows windows -"),
        ("ansible_os_family='{{ x }}'", "none"),
        ("ansible_distribution=Plan9", "none"),
        ("ansible_os_family=Debian switchback_os=\"{'family': 'alpine', 'name': 'alpine'}\"", "alpine alpine -"),
    ] {
        let found = one(vars).0.os.map_or("none".to_owned(), |os| {
            format!("{} {} {}", os.family, os.name, os.version.as_deref().unwrap_or("-"))
        });
        assert_eq!(found, os, "{vars}");
    }
}

#[test]
fn templates_are_filled_in_or_refused() {
    let text = "[web]\nweb-1.example.com ip=10.0.0.1\n[web:vars]\nansible_host={{ ip }}\nansible_user=ops-{{ inventory_hostname_short }}\n";
    let (inventory, problems) = read(&[("hosts", text)]);
    let inventory = inventory.unwrap_or_else(|| panic!("{problems:#?}"));
    let host = &inventory.hosts["web-1.example.com"];
    assert_eq!((host.address(), host.ssh.user.as_deref()), ("10.0.0.1", Some("ops-web-1")));
    for value in ["{{ lookup('env', 'X') }}", "{{ nowhere }}", "{{ ansible_user }}", "{% if x %}y{% endif %}"] {
        let problems = refused(&[("hosts.yml", &format!("all:\n  hosts:\n    h:\n      ansible_user: \"{value}\"\n"))]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("host `h`: `ansible_user` is a template"), "{problems:?}");
    }
    let (inventory, _) = read(&[("hosts", "h motd='{{ anything | at_all }}'\n")]);
    assert!(inventory.is_some(), "what is not needed is not looked at");
}

const VAULT: &str = "$ANSIBLE_VAULT;1.1;AES256\n6162\n";

#[test]
fn what_is_encrypted_is_told_and_the_rest_is_read() {
    let inline = "ansible_user: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nansible_port: 2222\nx: [!vault \"$ANSIBLE_VAULT;1.1\"]\n";
    let files = [("hosts", "[web]\na\nb\n"), ("group_vars/web.yml", inline), ("group_vars/all/vault.yml", VAULT)];
    let (inventory, problems) = read(&files);
    let inventory = inventory.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!((inventory.hosts["a"].ssh.port, inventory.hosts["a"].ssh.user.as_deref()), (Some(2222), None));
    let told = [
        "`group_vars/all/vault.yml` is encrypted: its variables are not known here [encrypted-vars]",
        "group_vars/web.yml:2:3: `group_vars/web.yml` has 2 values that are encrypted: not known here [encrypted-vars]",
        "hosts:2:1: host `a` and 1 more: `ansible_user` is encrypted and left out [encrypted-vars]",
    ];
    assert_eq!(problems, told);
    let list = inventory.ansible_list().unwrap();
    let secret = &list["_meta"]["hostvars"]["a"]["ansible_user"]["__ansible_vault"];
    assert_eq!(secret, "$ANSIBLE_VAULT;1.1;AES256\n6162\n");
    assert!(refused(&[("hosts.yml", VAULT)])[0].contains("the inventory is encrypted"));
}

#[test]
fn programs_run_only_where_somebody_runs_them() {
    let script = [("hosts.sh", "#!/bin/sh\n")];
    assert!(refused(&script)[0].contains("[executable-inventory]"));
    assert!(refused(&[("hosts.bin", "\u{7f}ELF\0")])[0].contains("[executable-inventory]"));
    let asked = std::cell::RefCell::new(Vec::new());
    let answer = |answer: &'static str| {
        move |_: &Path, _: &[&str]| -> Result<Vec<u8>, String> { Ok(answer.as_bytes().to_vec()) }
    };
    let by_name = |path: &Path, args: &[&str]| -> Result<Vec<u8>, String> {
        assert!(path.ends_with("hosts.sh"));
        asked.borrow_mut().push(args.join(" "));
        Ok(match args {
            ["--list"] => br#"{"web": ["a", "b"], "db": {"hosts": ["a"]}}"#.to_vec(),
            ["--host", "a"] => br#"{"ansible_port": 2200, "ansible_user": "yes"}"#.to_vec(),
            _ => b" \n".to_vec(),
        })
    };
    let (inventory, problems) = read_with(&script, Some(&by_name));
    let inventory = inventory.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(*asked.borrow(), ["--list", "--host a", "--host b"], "each once");
    let host = &inventory.hosts["a"];
    assert_eq!((host.ssh.port, host.ssh.user.as_deref()), (Some(2200), Some("yes")));
    for (printed, told) in [
        ("", "hosts.sh --list:1:1: the file is empty"),
        ("[]", "it prints an empty list, no JSON object [inventory-program-failed]"),
        ("{\"web\": {\"hosts\": {}}}", "hosts.sh --list:1:10: `hosts` of group `web` is a mapping"),
        ("{\"web\": {\"vars\": []}}", "`vars` of group `web` is a list"),
        ("{\"web\": 1}", "`hosts` of group `web` is a single value"),
        ("{\"web\": [1]}", "a host of group `web` is a single value, no text"),
        ("{\"web\": [\"$(id)\"]}", "[invalid-host-name]"),
        ("{\"_meta\": {}}", "`_meta` has no mapping `hostvars`"),
        ("{\"_meta\": {\"hostvars\": {\"a\": 1}}, \"web\": [\"a\"]}", "the variables of `a` are a single value"),
    ] {
        let (inventory, problems) = read_with(&script, Some(&answer(printed)));
        assert!(inventory.is_none() && problems.len() == 1 && problems[0].contains(told), "{printed}: {problems:?}");
    }
    let many: Vec<String> = (0..1001).map(|n| format!("\"h{n}\"")).collect();
    let many: &'static str = format!("{{\"web\": [{}]}}", many.join(",")).leak();
    let (_, problems) = read_with(&script, Some(&answer(many)));
    assert!(problems[0].contains("more than 1000 hosts one by one"), "{problems:?}");
    let failing = |_: &Path, _: &[&str]| -> Result<Vec<u8>, String> { Err("it exited with 3: no credentials".into()) };
    let (_, problems) = read_with(&script, Some(&failing));
    assert_eq!(problems, ["hosts.sh --list: it exited with 3: no credentials [inventory-program-failed]"]);
}

#[test]
fn kept_answers_are_inventories_with_and_without_meta() {
    for text in [
        "{\"web\": [\"a\"], \"_meta\": {\"hostvars\": {\"a\": {\"ansible_port\": 22}}}}",
        "{\"web\": {\"hosts\": [\"a\"], \"vars\": {\"ansible_port\": 22}}}",
        "{\"web\": {\"hosts\": {\"a\": {\"ansible_port\": 22}}}}",
    ] {
        let (inventory, problems) = read(&[("hosts.json", text)]);
        let inventory = inventory.unwrap_or_else(|| panic!("{text}: {problems:#?}"));
        assert_eq!(inventory.hosts["a"].ssh.port, Some(22), "{text}");
        assert!(inventory.hosts["a"].groups.iter().any(|group| group.as_str() == "web"));
    }
}

#[test]
fn ten_thousand_hosts_are_read_and_hostile_counts_refused() {
    let (inventory, _) = read(&[("hosts", "[web]\nweb[00000:09999] x=1\n"), ("group_vars/web.yml", "y: 2\n")]);
    let inventory = inventory.unwrap();
    assert_eq!((inventory.hosts.len(), inventory.select("web[9999]").unwrap().hosts[0].as_str()), (10_000, "web09999"));
    for text in ["w[0:999999999]\n", "w[0:9999][0:9999]\n"] {
        let problems = refused(&[("hosts", text)]);
        assert!(problems.len() == 1 && problems[0].contains("more than 1000000 hosts"), "{problems:?}");
        let problems = refused(&[("hosts.yml", &format!("all:\n  hosts:\n    {}:\n", text.trim()))]);
        assert!(problems.len() == 1 && problems[0].contains("more than 1000000 hosts"), "{problems:?}");
    }
    let problems = refused(&[("hosts", &"w[0:999999]\n".repeat(1000))]);
    assert!(problems.len() == 1 && problems[0].contains("[too-many-hosts]"), "{problems:?}");
    let large = "x".repeat(2000);
    let problems = refused(&[("hosts", &format!("w[0:499999] x={large}\n"))]);
    assert!(problems[0].contains("the variables for 500000 hosts take more than 512 MiB"), "{problems:?}");
    let problems = refused(&[("hosts.yml", &format!("all:\n  hosts:\n    w[0:499999]: {{x: {large}}}\n"))]);
    assert!(problems[0].contains("take more than 512 MiB"), "{problems:?}");
}

#[test]
fn deep_and_circular_groups_do_not_hang() {
    use std::fmt::Write as _;
    let mut chain = String::new();
    for n in 0..20_000 {
        writeln!(chain, "[g{n}:children]\ng{}", n + 1).unwrap();
    }
    let (inventory, problems) = read(&[("hosts", &format!("{chain}[g20000]\nh\n"))]);
    let inventory = inventory.unwrap_or_else(|| panic!("{problems:#?}"));
    assert_eq!(inventory.hosts["h"].groups.len(), 20_001);
    assert_eq!(inventory.select("g0").unwrap().hosts.len(), 1);
    let problems = refused(&[("hosts", &format!("{chain}[g20000:children]\ng17\n"))]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("contains itself through") && problems[0].ends_with("[group-loop]"), "{problems:?}");
    let mut groups = String::new();
    for n in 0..100_001 {
        writeln!(groups, "[g{n}]").unwrap();
    }
    let problems = refused(&[("hosts", &groups)]);
    assert!(problems[0].contains("more than 100000 groups"), "{problems:?}");
    let deep = format!("x={}", "[".repeat(100_000));
    assert!(read(&[("hosts", &format!("[a]\nh\n[a:vars]\n{deep}\n"))]).0.is_some());
    let problems = refused(&[("hosts.yml", &format!("a: {}\n", "{children: {b: ".repeat(40)))]);
    assert!(problems[0].contains("[yaml-limit]") || problems[0].contains("[invalid-yaml]"), "{problems:?}");
}

#[test]
fn names_that_are_expanded_for_nothing_count_as_well() {
    let ini = "_[0:9]\n".repeat(1000);
    let yaml: String =
        std::iter::once("all:\n  hosts:\n".to_owned()).chain((0..1000).map(|i| format!("    _{i}[0:9]:\n"))).collect();
    for (text, at_the_end) in [(ini, "[too-many-hosts]"), (yaml, "[invalid-host-name]")] {
        let mut reader = AnsibleReader::default();
        reader.inventory.refuse(9_999_975);
        let (source, mut diagnostics) = (Source::new("hosts", text.clone()), Diagnostics::default());
        if text.starts_with('_') {
            reader.ini(&source, &mut diagnostics);
        } else {
            let root = crate::yaml::parse(&source, Size::Large, &mut diagnostics).unwrap();
            reader.yaml(&source, root, &mut diagnostics);
        }
        let problems: Vec<String> = diagnostics.sorted().iter().map(ToString::to_string).collect();
        assert!((3..=4).contains(&problems.len()), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains(at_the_end)), "{problems:?}");
    }
}

//! Playbooks that no plan for an inventory would ever use.

use crate::diagnostic::Diagnostic;
use crate::model::Host;
use crate::playbook::Playbook;

/// A warning for each of the first `given` playbooks that fits no host, or that another is always preferred to. Where the
/// system of a host is not known, each playbook may fit.
pub fn unused_playbooks(playbooks: &[Playbook], given: usize, hosts: &[&Host]) -> Vec<Diagnostic> {
    let fits = |playbook: &Playbook, host: &Host| host.os.is_none() || playbook.reach(host, playbook.kind()).is_some();
    let mut found = Vec::new();
    for (index, playbook) in playbooks.iter().enumerate().take(given) {
        let mine: Vec<&Host> = hosts.iter().copied().filter(|host| fits(playbook, host)).collect();
        let name = playbook.name();
        if mine.is_empty() {
            let message = format!("playbook `{name}` fits no host of the inventory");
            found.push(
                Diagnostic::warning("unused-playbook", message)
                    .at(playbook.place().clone())
                    .help("look at its `match` and at the `os` of the hosts"),
            );
            continue;
        }
        // As the planner chooses: where two can do the same, the first by name.
        let key = |index: usize| (playbooks[index].name(), playbooks[index].digest(), index);
        let preferred = (0..playbooks.len()).filter(|&other| key(other) < key(index)).find(|&other| {
            playbooks[other].takes_all_of(playbook)
                && mine.iter().all(|host| playbooks[other].reach(host, playbook.kind()).is_some())
        });
        if let Some(other) = preferred {
            let other = &playbooks[other];
            let message = format!("playbook `{name}` is never chosen: `{}` fits every host that it fits", other.name());
            found.push(
                Diagnostic::warning("unused-playbook", message)
                    .at(playbook.place().clone())
                    .related("this one is preferred", other.place().clone())
                    .help("where two playbooks can do the same, the first by name is taken: give it another `match`"),
            );
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use crate::model::{HostName, Os};

    fn playbook(name: &str, matches: &str) -> Playbook {
        let text = format!(
            "version: 1\nname: {name}\ndescription: d\nmatch: {matches}\nsteps:\n  fix: [{{run: [fix]}}]\n  verify: [{{run: [look]}}]\n"
        );
        let mut diagnostics = Diagnostics::default();
        let playbook = Playbook::load(&Source::new(format!("{name}.yaml"), text), &mut diagnostics);
        playbook.unwrap_or_else(|| panic!("{:?}", diagnostics.sorted()))
    }

    fn host(name: &str, os: Option<(&str, &str)>) -> Host {
        let mut host = Host::named(HostName::new(name).unwrap());
        host.os = os.map(|(family, name)| Os { family: family.into(), name: name.into(), version: None });
        host
    }

    #[test]
    fn what_fits_no_host_and_what_others_do_as_well_is_unused() {
        let all = [
            playbook("b-all", "{type: linux}"),
            playbook("c-debian", "{type: linux, os: {family: debian}}"),
            playbook("a-ubuntu", "{type: linux, os: {name: ubuntu}}"),
            playbook("suse", "{type: linux, os: {family: suse}}"),
            playbook("sites", "{type: web_cms}"),
            playbook("z-rpm", "{type: linux, ecosystem: rpm}"),
            playbook("a-deb", "{type: linux, ecosystem: deb}"),
        ];
        let (debian, ubuntu) = (host("d", Some(("debian", "debian"))), host("u", Some(("debian", "ubuntu"))));
        let told = |hosts: &[&Host], given| {
            let found = unused_playbooks(&all, given, hosts);
            found.iter().map(|d| d.message.split('`').nth(1).unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(&[&debian, &ubuntu], 7), "c-debian suse z-rpm");
        assert_eq!(told(&[&debian, &ubuntu], 1), "", "only those that were given");
        assert_eq!(told(&[&debian], 7), "c-debian a-ubuntu suse z-rpm");
        // What the host is nobody said: each may fit, and only the one for every system surely does.
        assert_eq!(told(&[&host("x", None)], 7), "c-debian suse z-rpm");
        let found = unused_playbooks(&all, 7, &[&debian, &ubuntu]);
        assert_eq!(found[0].related.as_ref().unwrap().1.place().to_string(), "b-all.yaml:2:7");
    }
}

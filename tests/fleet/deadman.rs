//! A host that goes back by itself: its network is cut for good in the middle of its fix, and its controller is killed.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use serde_json::Value;
use switchback::model::TimeSpan;
use switchback::plan::{Action, read_plan, write_plan};

use crate::campaign::{ONLY_CANARY, POLICY, Work};
use crate::fleet::{Fleet, eventually};
use crate::nspawn::{Place, possible, run};
use crate::told::tell;

/// Of its networks: see [`Place`].
const NET: u8 = 78;
/// A policy may not ask for so little; a test should not wait for more.
const AFTER: TimeSpan = TimeSpan::seconds(20);

/// Everything between this machine and the host is dropped, until this is.
struct Cut(String);

impl Cut {
    fn new(link: &str) -> Self {
        let cut = Self(format!("sb_{}", link.replace('-', "_")));
        cut.heal();
        run("nft", &["add", "table", "inet", &cut.0]);
        for (hook, side) in [("input", "iifname"), ("output", "oifname")] {
            let chain = format!("{{ type filter hook {hook} priority -200 ; policy accept ; }}");
            run("nft", &["add", "chain", "inet", &cut.0, hook, &chain]);
            run("nft", &["add", "rule", "inet", &cut.0, hook, side, link, "counter", "drop"]);
        }
        cut
    }

    /// How many packets it has dropped.
    fn dropped(&self) -> u64 {
        let text = run("nft", &["list", "table", "inet", &self.0]);
        let mut words = text.split_whitespace();
        let mut sum = 0;
        while let Some(word) = words.next() {
            if word == "packets" {
                sum += words.next().unwrap().parse::<u64>().unwrap();
            }
        }
        sum
    }

    fn heal(&self) {
        let _ = std::process::Command::new("nft").args(["delete", "table", "inet", &self.0]).output();
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.heal();
    }
}

/// Version and state of the package, as the disk of the host has them: no network is needed for that. What dpkg is at is
/// in files of its own until it is done.
fn on_disk(place: &Place) -> (String, String) {
    let folder = place.root().join("var/lib/dpkg");
    let mut files: Vec<_> = std::fs::read_dir(folder.join("updates")).into_iter().flatten().flatten().collect();
    files.sort_by_key(std::fs::DirEntry::path);
    let files = std::iter::once(folder.join("status")).chain(files.iter().map(std::fs::DirEntry::path));
    let text: Vec<String> = files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
    let entries = text.iter().flat_map(|text| text.split("\n\n"));
    let entry = entries.filter(|entry| entry.starts_with("Package: sblab-canary\n")).last().unwrap_or_default();
    let field = |name: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    (field("Version:"), field("Status:"))
}

/// Every package with its version, in the same way.
fn packages(place: &Place) -> Vec<String> {
    let status = std::fs::read_to_string(place.root().join("var/lib/dpkg/status")).unwrap();
    status
        .lines()
        .filter(|line| line.starts_with("Package: ") || line.starts_with("Version: "))
        .map(str::to_owned)
        .collect()
}

fn inventory(place: &Place) -> String {
    let dir = place.dir.to_str().unwrap();
    let root = place.root().display().to_string();
    let json = |value: &dyn Fn() -> Value| value().to_string();
    let provider = json(&|| {
        serde_json::json!({
            "kind": "btrfs",
            "subvolume": root,
            "snapshots": place.file("pool/kept"),
            "stop": place.command("stop", &["web-1", dir]),
            "start": place.command("start", &[&root, "web-1", &place.space("h"), dir]),
        })
    });
    let address = place.host_address();
    let key = place.host_key(&address).unwrap();
    format!(
        "version: 1\nhosts:\n  web-1:\n    address: {address}\n    groups: [web]\n    labels: {{service: shop}}\n    \
         ssh: {{user: root, identity: {:?}, host_key: {key:?}}}\n    provider: {provider}\n",
        place.file("key").display().to_string(),
    )
}

/// Whether the host's own service answers, seen from inside of its network.
fn serves(place: &Place) -> bool {
    let url = format!("http://{}/health", place.host_address());
    let space = place.space("h");
    let args = ["netns", "exec", &space, "curl", "-s", "-o", "/dev/null", "-m", "2", "-w", "%{http_code}", &url];
    let output = std::process::Command::new("ip").args(args).output().unwrap();
    output.stdout == b"200"
}

#[test]
fn a_host_without_network_and_controller_goes_back_by_itself() {
    if !possible() {
        return;
    }
    let Some(fleet) = Fleet::up("deadman", 1) else { return };
    let place = Place::new(&fleet, NET);
    // It has no way to the distribution's mirrors.
    std::fs::write(place.root().join("etc/apt/sources.list"), "").unwrap();
    place.boot();
    let at = place.host_address();
    place.say(&at, "systemctl is-system-running --wait || true");
    place.say(&at, "/usr/local/lib/switchback-lab/host plant slow 12 now");
    let mut work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}backup: {{dead_man: 2m}}\n"));
    let file = work.dir.join("inventory.yaml");
    std::fs::write(&file, inventory(&place)).unwrap();
    work.inventory = file.display().to_string();
    work.scan("before.json");
    work.plan();
    let (_, mut plan) = read_plan(std::fs::File::open(work.dir.join("plan.json")).unwrap()).unwrap();
    for step in plan.hosts_mut().flat_map(|host| &mut host.steps) {
        if let Action::Arm { after, .. } = &mut step.action {
            assert_eq!(std::mem::replace(after, AFTER), TimeSpan::minutes(2));
        }
    }
    write_plan(&plan, std::fs::File::create(work.dir.join("plan.json")).unwrap()).unwrap();
    let before = packages(&place);
    assert_eq!(on_disk(&place).0, "1.0");
    let begun = Instant::now();

    let mut controller = work.start(&["run", "plan.json"]);
    eventually("the fix is in its middle", 60, || {
        assert!(controller.try_wait().unwrap().is_none(), "the controller ended before the fix\n{}", work.log());
        on_disk(&place) == ("1.1".to_owned(), "install ok half-configured".to_owned())
    });
    let cut = Cut::new(&place.link("h"));
    assert!(place.host_key(&at).is_none() && cut.dropped() > 0, "the host is cut off");
    // The host goes on by itself.
    eventually("the fix is done", 60, || on_disk(&place) == ("1.1".to_owned(), "install ok installed".to_owned()));
    controller.kill().unwrap();
    assert_eq!(controller.wait().unwrap().signal(), Some(9), "it was killed");
    assert_ne!(packages(&place), before);

    eventually("it goes back by itself", 90, || place.root().is_dir() && on_disk(&place).0 == "1.0");
    assert_eq!(packages(&place), before, "its packages are as before");
    eventually("its service answers", 60, || serves(&place));
    assert!(place.host_key(&at).is_none(), "it is still cut off, and nobody has helped it");
    let alone = begun.elapsed();
    cut.heal();

    let (_, _, log) = work.run(&["resume"]);
    assert_eq!(work.outcomes()["web-1"], "restored", "{log}");
    let report: Value = serde_json::from_str(&work.ok(&["report", "--format", "json"])).unwrap();
    assert_eq!(report["hosts"]["web-1"]["reason"]["code"], "went-back-by-itself", "{report:#}");
    assert_eq!(packages(&place), before);
    assert_eq!(place.say(&at, "curl -s http://localhost/health"), "ok");
    let upgrades = place.say(&at, "cat /var/log/dpkg.log* 2>/dev/null | grep -c ' upgrade sblab-canary' || true");
    assert_eq!(upgrades, "0", "nothing was begun on the restored host");
    tell(
        "controller killed, and network cut by nftables for good, in mid-fix: the host goes back by itself",
        "packets dropped; the update was installed, and is not; it served before the network was healed; no job is begun there again",
        "`restored` (`went-back-by-itself`), by `resume`",
        "`restored` (`went-back-by-itself`)",
        alone,
    );
}

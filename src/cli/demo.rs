//! `switchback demo`: the main job from end to end, on a real fleet made for it or on a simulated one.
//!
//! Scan, plan, show, run with one host's update broken on purpose, scan again, report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::engine::StepExecutor;
use crate::evidence::Judged;
use crate::intake::{HostScan, Inventory, ReadOptions, Reports, read_inventory, read_report_file};
use crate::lab::{Fault, Lab, LabError, Prefix, Trigger, UpOptions, default_cache};
use crate::model::{Host, HostName, HostOutcome, TimeSpan};
use crate::plan::Origin;
use crate::playbook;
use crate::policy::Policy;
use crate::report::{DemoSummary, plan_table};
use crate::sim::{self, SimExecutor};
use crate::store::Lessons;

use super::args::{Demo, Format, Global};
use super::audit::controller_key;
use super::drive::{Begin, drive, write_html};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{match_findings, policy_texts, settle};
use super::plan::{inputs, make, save};
use super::printer::Printer;
use super::report::later_scan;
use super::run::executor;
use super::scan::{scan_hosts, write};

const POLICY: &str = include_str!("../../examples/demo/policy.yaml");

/// A simulated second is a real millisecond: backups and reboots take minutes.
const SIMULATED_SCALE: u32 = 1000;

/// A fleet that the demo can scan and fix.
trait Fleet {
    fn inventory(&self) -> Result<Inventory, CommandError>;
    fn scan(&self, hosts: Vec<Host>) -> Result<Vec<HostScan>, CommandError>;
    fn executor(&self) -> Result<Arc<dyn StepExecutor>, CommandError>;
    /// Breaks the coming update of a host.
    fn break_update(&self, host: &HostName) -> Result<&'static str, CommandError>;
}

pub(super) fn run(args: &Demo, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let missing = if args.simulated { None } else { Lab::requirements().err() };
    if let Some(missing) = &missing {
        printer.talk(format!("a real fleet cannot run here: {missing}\nso this demo uses the simulated fleet"));
    }
    let state = global.state.clone().unwrap_or_else(|| args.dir.join("state"));
    fs::create_dir_all(&args.dir).map_err(|error| cannot_write(&args.dir, &error))?;
    if args.simulated || missing.is_some() {
        printer.talk(format!("== a simulated fleet of {} hosts", args.hosts));
        return story(args, &state, &Simulated::new(args.hosts), printer);
    }
    printer.talk(format!("== a real fleet of {} Debian hosts", args.hosts));
    let lab = Lab::open(&args.dir.join("lab"), &default_cache()).map_err(lab_failed)?;
    let fleet = Real::up(lab, args.hosts, printer)?;
    let result = story(args, &state, &fleet, printer);
    if args.keep {
        printer.talk(format!(
            "the fleet stays up; take it down with: switchback lab --dir {} down",
            args.dir.join("lab").display()
        ));
    } else {
        fleet.lab.down().map_err(lab_failed)?;
        printer.talk("the fleet is down again");
    }
    result
}

fn story(args: &Demo, state: &Path, fleet: &dyn Fleet, printer: Printer) -> Result<Exit, CommandError> {
    let mut inventory = fleet.inventory()?;
    let hosts: Vec<Host> = inventory.hosts.values().cloned().collect();
    let mut diagnostics = Diagnostics::default();
    let policy_path = args.dir.join("policy.yaml");
    fs::write(&policy_path, POLICY).map_err(|error| cannot_write(&policy_path, &error))?;
    let policy = Policy::load(vec![Source::new(policy_path.display().to_string(), POLICY)], &mut diagnostics);

    // The last host in line: a broken canary would pause the campaign, and that is another story.
    let Some(broken) = inventory.hosts.keys().next_back().cloned() else {
        return Err(CommandError::new(Exit::Failed, "the fleet has no hosts"));
    };
    let how = fleet.break_update(&broken)?;
    printer.talk(format!("== {broken}: {how}"));

    printer.talk("== scan");
    let before_path = args.dir.join("findings-before.json");
    let before = fleet.scan(hosts.clone())?;
    write(&before_path, &before)?;
    let findings_before = count(&before);
    printer.talk(format!("{findings_before} findings on {} hosts: {}", before.len(), before_path.display()));

    printer.talk("== plan");
    let report =
        read_report_file(&before_path, &ReadOptions::default()).map_err(|e| CommandError::invalid(vec![e.into()]))?;
    let findings = match_findings(&mut inventory, Reports::join([report]), &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let Some(policy) = policy else {
        return Err(CommandError::new(Exit::InvalidInput, "the demo's policy cannot be read"));
    };
    let playbooks = playbook::shipped();
    let reports = [before_path];
    let refs = inputs(
        &[policy_path],
        &policy,
        &[args.dir.join("lab").join("inventory.yaml")],
        &inventory,
        &reports,
        &playbooks,
    )?;
    let as_of = crate::env::now();
    let plan = make(
        &inventory,
        &findings,
        &policy,
        &playbooks,
        as_of,
        0,
        TimeSpan::days(1),
        refs,
        &Lessons::default(),
        Origin::default(),
    )?;
    let plan_path = args.dir.join("plan.json");
    let id = save(&plan, &plan_path)?;
    printer.talk(plan_table(&plan, &id));

    printer.talk("== run");
    let plan = Arc::new(plan);
    let begin = Begin::Start(Arc::clone(&plan), Judged::default(), policy_texts(&policy));
    let mut driven = drive(begin, fleet.executor()?, state, controller_key(None)?, args.format, printer)?;

    printer.talk("== scan again");
    let after_path = args.dir.join("findings-after.json");
    let after = fleet.scan(hosts)?;
    write(&after_path, &after)?;
    let findings_after = count(&after);
    driven.report.compare(&plan, &later_scan(&[after_path.display().to_string()], &plan, printer)?);
    write_html(&args.dir.join("report.html"), &driven.report, &plan, printer)?;

    let outcomes: BTreeMap<HostName, HostOutcome> =
        driven.report.hosts.iter().filter_map(|(host, r)| r.outcome.map(|o| (host.clone(), o))).collect();
    let summary = DemoSummary { campaign: driven.status.campaign.clone(), outcomes, findings_before, findings_after };
    match args.format {
        Format::Json => printer.json_line(&summary)?,
        Format::Table => {
            let mut text = String::new();
            for (host, outcome) in &summary.outcomes {
                text.push_str(&format!("{:<12} {}\n", host.as_str(), outcome.as_str()));
            }
            text.push_str(&format!("findings: {findings_before} before, {findings_after} after\n"));
            printer.data(&text)?;
        }
    }
    Ok(driven.exit())
}

fn count(scans: &[HostScan]) -> u64 {
    scans.iter().map(|scan| scan.findings.len() as u64).sum()
}

/// Debian hosts in containers on this machine.
struct Real {
    lab: Lab,
    inventory: PathBuf,
    printer: Printer,
}

impl Real {
    fn up(lab: Lab, hosts: u32, printer: Printer) -> Result<Self, CommandError> {
        let prefix: Prefix = "sbdemo".parse().map_err(lab_failed)?;
        let options = UpOptions { hosts, prefix, subnet: None, refresh: true };
        lab.up(&options, &|note| printer.talk(note)).map_err(lab_failed)?;
        let inventory = lab.inventory_path();
        Ok(Self { lab, inventory, printer })
    }
}

impl Fleet for Real {
    fn inventory(&self) -> Result<Inventory, CommandError> {
        let mut diagnostics = Diagnostics::default();
        let inventory = read_inventory(std::slice::from_ref(&self.inventory), None, &mut diagnostics);
        settle(diagnostics, false, self.printer)?;
        inventory.ok_or_else(|| CommandError::new(Exit::InvalidInput, "the lab's inventory cannot be read"))
    }

    fn scan(&self, hosts: Vec<Host>) -> Result<Vec<HostScan>, CommandError> {
        let asked = hosts.len();
        let (scans, failed) = scan_hosts(hosts, asked, self.printer)?;
        match failed.first_key_value() {
            None => Ok(scans),
            Some((host, error)) => Err(CommandError::caused(Exit::Failed, format!("cannot scan {host}"), error)),
        }
    }

    fn executor(&self) -> Result<Arc<dyn StepExecutor>, CommandError> {
        executor()
    }

    fn break_update(&self, host: &HostName) -> Result<&'static str, CommandError> {
        self.lab.plant(host.as_str(), Fault::NginxBroken, Trigger::Now).map_err(lab_failed)?;
        Ok("its update will break nginx, on purpose")
    }
}

/// Hosts of the simulator, in scaled time.
struct Simulated {
    hosts: Vec<Host>,
    executor: Arc<SimExecutor>,
}

impl Simulated {
    fn new(hosts: u32) -> Self {
        /// Any other number is as good.
        const SEED: u64 = 7;
        let fleet = sim::fleet(hosts as usize, SEED);
        let executor = SimExecutor::new(fleet.world(), crate::env::now(), SIMULATED_SCALE);
        Self { hosts: fleet.inventory(), executor: Arc::new(executor) }
    }
}

impl Fleet for Simulated {
    fn inventory(&self) -> Result<Inventory, CommandError> {
        Ok(Inventory::new(self.hosts.iter().cloned()))
    }

    fn scan(&self, _hosts: Vec<Host>) -> Result<Vec<HostScan>, CommandError> {
        let scans = self.executor.with_world(|world, now| world.scan(now));
        scans
            .into_iter()
            .map(|(host, scan)| scan.ok_or_else(|| CommandError::new(Exit::Failed, format!("cannot scan {host}"))))
            .collect()
    }

    fn executor(&self) -> Result<Arc<dyn StepExecutor>, CommandError> {
        Ok(Arc::clone(&self.executor) as Arc<dyn StepExecutor>)
    }

    fn break_update(&self, host: &HostName) -> Result<&'static str, CommandError> {
        self.executor.with_world(|world, _| world.plant(host, sim::Fault::FixBreaks));
        Ok("its update will break its service, on purpose")
    }
}

fn lab_failed(error: LabError) -> CommandError {
    CommandError::caused(Exit::Failed, "lab", &error)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::caused(Exit::Failed, format!("cannot write {}", path.display()), error)
}

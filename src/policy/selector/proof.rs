//! What can be said of selectors alone: that one can match nothing, or nothing that others do not match.
//!
//! What is claimed is proven by contradiction for every host and every finding that could be; where no proof is found,
//! nothing is claimed.

use std::collections::BTreeMap;

use super::{Selector, Term};
use crate::model::{Importance, Priority, VulnerabilityType};
use crate::policy::compare::Stretch;
use crate::policy::glob::Glob;

/// How many steps proofs may still take: alternatives within alternatives multiply.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Effort(u32);

impl Effort {
    /// For all rules of a policy: a hundred overrides need a hundredth of it, five hundred a quarter.
    pub const WHOLE: Self = Self(5_000_000);
    /// For one question, and for each selector that it asks about: people write less than ten alternatives.
    const QUESTION: u32 = 200;
    const EACH: u32 = 4;

    /// Asks one question.
    fn ask(&mut self, about: usize, question: impl FnOnce(&mut u32) -> bool) -> bool {
        let most = Self::QUESTION + Self::EACH * u32::try_from(about).unwrap_or(u32::MAX / Self::EACH / 2);
        let given = self.0.min(most);
        if given == 0 {
            return false;
        }
        let mut left = given;
        let answer = question(&mut left);
        self.0 -= given - left;
        answer
    }
}

impl Selector {
    /// Whether surely nothing can ever match.
    pub fn is_impossible(&self, effort: &mut Effort) -> bool {
        self.is_covered_by(&[], effort)
    }

    /// Whether surely everything that matches also matches one of the others.
    pub fn is_covered_by(&self, others: &[&Self], effort: &mut Effort) -> bool {
        effort.ask(others.len(), |left| {
            let mut case = Case::default();
            case.assume(true, Part::Whole(self), left);
            others.iter().for_each(|other| case.assume(false, Part::Whole(other), left));
            case.contradicts(left)
        })
    }
}

/// A part of a selector.
#[derive(Clone, Copy)]
enum Part<'a> {
    Whole(&'a Selector),
    Term(&'a Term),
}

/// What is assumed of a host and a finding.
#[derive(Clone, Default)]
struct Case<'a> {
    /// Terms that hold, or do not.
    facts: Vec<(bool, &'a Term)>,
    /// Of each, at least one holds (or does not).
    choices: Vec<Vec<(bool, Part<'a>)>>,
}

impl<'a> Case<'a> {
    fn assume(&mut self, holds: bool, part: Part<'a>, left: &mut u32) {
        *left = left.saturating_sub(1);
        let (all, parts): (bool, Vec<(bool, Part<'a>)>) = match part {
            Part::Whole(selector) => (holds, selector.terms.iter().map(|term| (holds, Part::Term(term))).collect()),
            Part::Term(Term::Any(any)) => (!holds, any.iter().map(|one| (holds, Part::Whole(one))).collect()),
            Part::Term(Term::Not(inner)) => (true, vec![(!holds, Part::Whole(inner))]),
            Part::Term(term) => return self.facts.push((holds, term)),
        };
        if all || parts.len() == 1 {
            parts.into_iter().for_each(|(holds, part)| self.assume(holds, part, left));
        } else {
            self.choices.push(parts);
        }
    }

    /// Whether no host and no finding are like this.
    fn contradicts(mut self, left: &mut u32) -> bool {
        if *left == 0 {
            return false;
        }
        if Facts::of(&self.facts).contradict() {
            return true;
        }
        // What has the fewest alternatives is decided first.
        let fewest = (0..self.choices.len()).min_by_key(|&choice| self.choices[choice].len());
        let Some(fewest) = fewest else { return false };
        let choice = self.choices.swap_remove(fewest);
        choice.into_iter().all(|(holds, part)| {
            let mut case = self.clone();
            case.assume(holds, part, left);
            case.contradicts(left)
        })
    }
}

/// What has a text, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Host,
    Group,
    Label(&'a str),
    Family,
    Name,
    Vulnerability,
    Package,
    Ecosystem,
    Installed,
}

impl Key<'_> {
    /// Whether there may be several at once: that one text is meant and another is not is no contradiction then.
    fn is_many(self) -> bool {
        matches!(self, Self::Group | Self::Vulnerability)
    }
}

/// What has a place in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    OsVersion,
    Cvss,
    Epss,
    Age,
}

/// Lists of patterns: of each wanted one a pattern must match, of the unwanted none may.
type Patterns<'a> = (Vec<&'a [Glob]>, Vec<&'a [Glob]>);

/// What is assumed of each property.
#[derive(Default)]
struct Facts<'a> {
    texts: BTreeMap<Key<'a>, Patterns<'a>>,
    /// Where a value lies that must be there, and where none may lie.
    measures: BTreeMap<Measure, (Option<Vec<Stretch>>, Vec<Stretch>)>,
    not_importance: Vec<Importance>,
    not_type: Vec<VulnerabilityType>,
    not_priority: Vec<Priority>,
    kev: [bool; 2],
    fix_available: [bool; 2],
}

/// What everything that is there matches.
const ANYTHING: &[Glob] = &[Glob::Any];

impl<'a> Facts<'a> {
    fn of(facts: &[(bool, &'a Term)]) -> Self {
        let mut all = Self::default();
        // These are always there.
        all.text(true, Key::Host, ANYTHING);
        all.text(true, Key::Vulnerability, ANYTHING);
        for &(holds, term) in facts {
            all.add(holds, term);
        }
        all
    }

    fn add(&mut self, holds: bool, term: &'a Term) {
        if holds && matches!(term, Term::OsFamily(_) | Term::OsName(_) | Term::OsVersion(_)) {
            // A system that is known has both.
            self.text(true, Key::Family, ANYTHING);
            self.text(true, Key::Name, ANYTHING);
        }
        match term {
            Term::Hosts(globs) => self.text(holds, Key::Host, globs),
            Term::Groups(globs) => self.text(holds, Key::Group, globs),
            Term::Label(key, globs) => self.text(holds, Key::Label(key), globs),
            Term::OsFamily(globs) => self.text(holds, Key::Family, globs),
            Term::OsName(globs) => self.text(holds, Key::Name, globs),
            Term::Vulnerability(globs) => self.text(holds, Key::Vulnerability, globs),
            Term::Package(globs) => self.text(holds, Key::Package, globs),
            Term::Ecosystem(globs) => self.text(holds, Key::Ecosystem, globs),
            Term::Installed(globs) => self.text(holds, Key::Installed, globs),
            Term::OsVersion(bounds) => {
                self.measure(holds, Measure::OsVersion, bounds.iter().filter_map(|bound| bound.stretch()).collect());
            }
            Term::Cvss(bound) => self.measure(holds, Measure::Cvss, within(bound.stretch(), 1_000)),
            Term::Epss(bound) => self.measure(holds, Measure::Epss, within(bound.stretch(), 100_000)),
            Term::Age(bound) => self.measure(holds, Measure::Age, within(bound.stretch(), u64::MAX)),
            Term::Importance(wanted) => exclude(&mut self.not_importance, IMPORTANCES, wanted, holds),
            Term::Type(wanted) => exclude(&mut self.not_type, TYPES, wanted, holds),
            Term::Priority(wanted) => exclude(&mut self.not_priority, Priority::ALL, wanted, holds),
            Term::Kev(wanted) => self.kev[usize::from(*wanted == holds)] = true,
            Term::FixAvailable(wanted) => self.fix_available[usize::from(*wanted == holds)] = true,
            // They were taken apart.
            Term::Any(_) | Term::Not(_) => {}
        }
    }

    fn text(&mut self, holds: bool, key: Key<'a>, globs: &'a [Glob]) {
        let (wanted, unwanted) = self.texts.entry(key).or_default();
        if holds { wanted.push(globs) } else { unwanted.push(globs) }
    }

    fn measure(&mut self, holds: bool, measure: Measure, stretches: Vec<Stretch>) {
        let (inside, outside) = self.measures.entry(measure).or_default();
        if holds {
            let so_far = inside.take().unwrap_or_else(|| vec![Stretch::ALL]);
            *inside = Some(so_far.iter().flat_map(|a| stretches.iter().filter_map(|b| a.and(b))).collect());
        } else {
            outside.extend(stretches);
        }
    }

    fn contradict(&self) -> bool {
        [self.kev, self.fix_available].contains(&[true, true])
            || IMPORTANCES.iter().all(|one| self.not_importance.contains(one))
            || TYPES.iter().all(|one| self.not_type.contains(one))
            || Priority::ALL.iter().all(|one| self.not_priority.contains(one))
            || self.texts.iter().any(|(key, (wanted, unwanted))| no_text(*key, wanted, unwanted))
            || self.measures.values().any(|(inside, outside)| {
                inside.clone().is_some_and(|mut inside| {
                    for stretch in outside {
                        let outside = stretch.outside();
                        inside = inside.iter().flat_map(|a| outside.iter().filter_map(|b| a.and(b))).collect();
                    }
                    inside.is_empty()
                })
            })
    }
}

/// Whether no text can match one of each list of patterns that is wanted, and none of those that are not.
fn no_text(key: Key<'_>, wanted: &[&[Glob]], unwanted: &[&[Glob]]) -> bool {
    let excluded = |glob: &Glob| unwanted.iter().any(|globs| globs.iter().any(|other| other.includes(glob)));
    wanted.iter().enumerate().any(|(index, globs)| {
        let impossible = |glob: &Glob| {
            let others = wanted.iter().enumerate().filter(|(other, _)| *other != index && !key.is_many());
            excluded(glob) || others.into_iter().any(|(_, other)| other.iter().all(|other| other.is_disjoint(glob)))
        };
        globs.iter().all(impossible)
    })
}

fn within(stretch: Option<Stretch>, last: u64) -> Vec<Stretch> {
    stretch.and_then(|stretch| stretch.and(&Stretch::up_to(last))).into_iter().collect()
}

/// Adds what cannot be, now that one of `wanted` is (or none of them).
fn exclude<T: PartialEq + Copy, const N: usize>(excluded: &mut Vec<T>, all: [T; N], wanted: &[T], holds: bool) {
    excluded.extend(all.into_iter().filter(|one| wanted.contains(one) != holds));
}

const IMPORTANCES: [Importance; 3] = [Importance::Test, Importance::General, Importance::Important];

const TYPES: [VulnerabilityType; 5] = [
    VulnerabilityType::Linux,
    VulnerabilityType::Windows,
    VulnerabilityType::WebCms,
    VulnerabilityType::Application,
    VulnerabilityType::Emergency,
];

//! What goes wrong, how often, and how long things take: assumptions of a rehearsal, or what a journal has seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::TimeSpan;
use crate::plan::{ENOUGH, Experience, StepKind, Tried};
use crate::yaml::{Size, Spanned, parse, span};

/// The version of the format.
const VERSION: u32 = 1;

/// Of a million.
pub(super) const WHOLE: u32 = 1_000_000;

/// A chance, in millionths.
pub(super) type Chance = u32;

/// How long something takes, as shares of what is expected: ascending thousandths, at equal distances from the shortest
/// to the longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spread(Vec<u32>);

impl Spread {
    /// Half of all take `typical` or less, and one in twenty takes `late` or more; both in thousandths.
    fn between(typical: u32, late: u32) -> Self {
        let late = late.max(typical);
        let points = (0..=20_u32).map(|point| match point {
            // From half of the typical time ...
            0..=10 => typical / 2 + (typical - typical / 2) * point / 10,
            11..=19 => typical + (late - typical) * (point - 10) / 9,
            // ... to half as much again as the late ones.
            _ => late.saturating_add(late / 2),
        });
        Self(points.collect())
    }

    /// The share that a draw gives.
    pub fn at(&self, draw: Chance) -> u32 {
        between(&self.0, draw)
    }
}

/// The value that a draw gives of ascending ones at equal distances; between two of them it is in between.
pub(super) fn between(points: &[u32], draw: Chance) -> u32 {
    let steps = points.len().saturating_sub(1) as u64;
    let place = u64::from(draw.min(WHOLE)) * steps;
    let index = usize::try_from(place / u64::from(WHOLE)).unwrap_or(0);
    let low = points.get(index).copied().unwrap_or(1_000);
    let high = points.get(index + 1).copied().unwrap_or(low);
    let part = place % u64::from(WHOLE);
    low + u32::try_from(u64::from(high - low) * part / u64::from(WHOLE)).unwrap_or(0)
}

/// What a rehearsal assumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub(super) fails: BTreeMap<StepKind, Chance>,
    pub(super) spread: Spread,
    pub(super) seen: Experience,
    pub(super) slow: (Chance, u32),
    pub(super) lost: Chance,
    pub(super) gone: Chance,
    pub(super) reboot_needed: Chance,
    pub(super) nothing_to_do: Chance,
    pub(super) resume_after: Option<TimeSpan>,
}

impl Default for Profile {
    /// Rates of a fleet that is looked after, in the absence of anything better; said in the docs.
    fn default() -> Self {
        use StepKind as K;
        let fails = [
            (K::Preflight, 5_000),
            (K::Backup, 5_000),
            (K::Clone, 10_000),
            (K::Drain, 2_000),
            (K::Switchover, 2_000),
            (K::Promote, 5_000),
            (K::Fix, 5_000),
            (K::Restart, 2_000),
            (K::Reboot, 3_000),
            (K::Verify, 10_000),
            (K::Observe, 5_000),
            (K::Soak, 3_000),
            (K::Undrain, 1_000),
            (K::Bisect, 200_000),
            (K::Restore, 10_000),
            (K::VerifyRestored, 5_000),
            (K::SwitchBack, 2_000),
            (K::VerifyOriginal, 2_000),
        ];
        Self {
            fails: fails.into(),
            spread: Spread::between(600, 1_000),
            seen: Experience::default(),
            slow: (20_000, 3),
            lost: 10_000,
            gone: 500,
            reboot_needed: WHOLE,
            nothing_to_do: 0,
            resume_after: None,
        }
    }
}

/// `faults.yaml`: what a rehearsal assumes. What is absent stays as it is by default.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProfileRaw {
    /// 1.
    version: Spanned<u32>,
    /// How long steps take, as shares of what the plan expects.
    #[serde(default)]
    durations: Option<DurationsRaw>,
    /// Hosts on which everything takes longer.
    #[serde(default)]
    slow: Option<SlowRaw>,
    /// How often a step of a kind fails, such as `verify: 1%`.
    #[serde(default)]
    fails: BTreeMap<StepKind, Spanned<String>>,
    /// How often the connection is lost in a step whose job goes on.
    #[serde(default)]
    lost: Option<Spanned<String>>,
    /// How often a host is gone from a step on, until it is restored.
    #[serde(default)]
    gone: Option<Spanned<String>>,
    /// How often a reboot is required where the host is asked.
    #[serde(default)]
    reboot_needed: Option<Spanned<String>>,
    /// How often a host turns out to be fixed already.
    #[serde(default)]
    nothing_to_do: Option<Spanned<String>>,
    /// A person resumes a paused campaign after this long; without it, a pause is the end of a run.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    resume_after: Option<TimeSpan>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DurationsRaw {
    /// Half of all take this long or less: `60%`.
    typical: Spanned<String>,
    /// One in twenty takes this long or more: `100%`.
    late: Spanned<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SlowRaw {
    /// So many hosts: `2%`.
    share: Spanned<String>,
    /// So many times as long.
    factor: Spanned<u32>,
}

/// The JSON Schema of `faults.yaml`.
pub fn profile_schema() -> serde_json::Value {
    schemars::schema_for!(ProfileRaw).to_value()
}

impl Profile {
    /// Reads `faults.yaml`; every problem becomes a diagnostic.
    pub fn read(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let raw: ProfileRaw = parse(source, Size::Small, diagnostics)?;
        let mut profile = Self::default();
        let mut found = Diagnostics::default();
        let mut reader = Reader { source, diagnostics: &mut found };
        if raw.version.value != VERSION {
            reader.refuse("unsupported-version", span(source, &raw.version), "this program reads version 1");
        }
        if let Some(durations) = &raw.durations {
            let (typical, late) = (reader.share(&durations.typical), reader.share(&durations.late));
            if late < typical {
                reader.refuse(
                    "invalid-value",
                    span(source, &durations.late),
                    "the late ones take no less than the typical",
                );
            }
            if typical == 0 {
                reader.refuse("invalid-value", span(source, &durations.typical), "nothing is done in no time");
            }
            profile.spread = Spread::between(typical / 1_000, late / 1_000);
        }
        if let Some(slow) = &raw.slow {
            if !(1..=100).contains(&slow.factor.value) {
                reader.refuse("invalid-value", span(source, &slow.factor), "a factor from 1 to 100");
            }
            profile.slow = (reader.chance(&slow.share), slow.factor.value);
        }
        for (kind, chance) in &raw.fails {
            profile.fails.insert(*kind, reader.chance(chance));
        }
        for (raw, chance) in [
            (&raw.lost, &mut profile.lost),
            (&raw.gone, &mut profile.gone),
            (&raw.reboot_needed, &mut profile.reboot_needed),
            (&raw.nothing_to_do, &mut profile.nothing_to_do),
        ] {
            if let Some(raw) = raw {
                *chance = reader.chance(raw);
            }
        }
        profile.resume_after = raw.resume_after;
        let refused = found.has_errors();
        diagnostics.extend(found);
        (!refused).then_some(profile)
    }

    /// With what was seen instead of what was assumed, where enough was seen.
    #[must_use]
    pub fn with(mut self, experience: Experience) -> Self {
        for (kind, tried) in experience.tried.iter().filter(|(_, tried)| is_enough(tried)) {
            // One more of each: that nothing has failed so far does not mean that nothing will.
            let share = (tried.failures + 1).saturating_mul(u64::from(WHOLE)) / (tried.attempts + 2);
            self.fails.insert(*kind, u32::try_from(share).unwrap_or(WHOLE));
        }
        self.seen = experience;
        self
    }

    /// How many kinds of steps go by what was seen.
    pub fn learned(&self) -> usize {
        self.seen.tried.values().filter(|tried| is_enough(tried)).count()
    }
}

fn is_enough(tried: &Tried) -> bool {
    tried.attempts >= ENOUGH as u64
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn refuse(&mut self, code: &'static str, at: Span, text: &str) {
        self.diagnostics.push(Diagnostic::error(code, text).at(at));
    }

    /// `0.5%`, in millionths.
    fn chance(&mut self, raw: &Spanned<String>) -> Chance {
        let chance = self.share(raw);
        if chance > WHOLE {
            self.refuse(
                "invalid-value",
                span(self.source, raw),
                "nothing happens more often than always: at most 100%",
            );
        }
        chance
    }

    fn share(&mut self, raw: &Spanned<String>) -> u32 {
        percent(&raw.value).unwrap_or_else(|| {
            let text = "a share such as 2% or 0.05%, with at most four decimals";
            self.refuse("invalid-value", span(self.source, raw), text);
            // Nothing else is said about it.
            WHOLE
        })
    }
}

/// Percent with up to four decimals, in millionths.
fn percent(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 4 || decimals.len() > 4 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let parts: u32 = format!("{decimals:0<4}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(10_000)?.checked_add(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_to_the_millionth() {
        let read =
            [("100%", Some(1_000_000)), ("0.5%", Some(5_000)), ("0.0001%", Some(1)), ("12.34 %", None), ("5", None)];
        for (text, wanted) in read {
            assert_eq!(percent(text), wanted, "{text}");
        }
        assert_eq!(["", "%", "-1%", "1e3%", "99999%", "0.00001%", ".5%"].map(percent), [None; 7]);
    }

    #[test]
    fn a_spread_goes_through_what_was_asked_for() {
        let spread = Spread::between(600, 1_000);
        assert_eq!([0, WHOLE / 2, WHOLE / 20 * 19, WHOLE].map(|draw| spread.at(draw)), [300, 600, 1_000, 1_500]);
        assert_eq!([0, WHOLE / 4, WHOLE].map(|draw| between(&[1_000, 2_000], draw)), [1_000, 1_250, 2_000]);
    }

    #[test]
    fn a_profile_is_read_and_every_problem_is_told() {
        let read = |text: &str| {
            let mut diagnostics = Diagnostics::default();
            let profile = Profile::read(&Source::new("faults.yaml".to_owned(), text.to_owned()), &mut diagnostics);
            (profile, diagnostics.iter().count())
        };
        let (profile, errors) = read(
            "version: 1\ndurations: {typical: 50%, late: 200%}\nslow: {share: 0%, factor: 1}\nfails: {fix: 0.5%, verify: 0%}\n\
             lost: 0%\ngone: 0%\nresume_after: 10m\n",
        );
        let Some(profile) = profile else { panic!("it is refused") };
        assert_eq!((errors, profile.fails[&StepKind::Fix], profile.fails[&StepKind::Verify]), (0, 5_000, 0));
        assert_eq!((profile.lost, profile.resume_after), (0, Some(TimeSpan::minutes(10))));
        assert_eq!(read("version: 2\nfails: {fix: 101%}\nslow: {share: x, factor: 0}\n"), (None, 4));
        assert_eq!(read("version: 1\nfails: {fx: 1%}\n").0, None);
    }

    #[test]
    fn what_was_seen_often_enough_counts() {
        let mut seen = Experience::default();
        seen.tried.insert(StepKind::Fix, Tried { attempts: 19, failures: 19 });
        let profile = Profile::default().with(seen.clone());
        assert_eq!((&profile.fails, profile.learned()), (&Profile::default().fails, 0), "19 attempts say nothing");
        seen.tried.insert(StepKind::Fix, Tried { attempts: 98, failures: 0 });
        let profile = Profile::default().with(seen);
        assert_eq!((profile.fails[&StepKind::Fix], profile.learned()), (10_000, 1));
    }
}

//! Time from left to right: one axis for many rows that leaves out the times at which nothing happens.

use jiff::Timestamp;

use super::page::Page;
use crate::model::{Interval, union};

/// Stretches of the axis; with more it leaves nothing out.
const MAX_STRETCHES: usize = 8;
/// A stretch in which nothing happens, in thousandths of the axis.
const GAP: i64 = 30;

/// The time axis: stretches in which something happens, with small gaps between.
pub(super) struct Axis {
    stretches: Vec<Interval>,
}

impl Axis {
    pub(super) fn new(happens: Vec<Interval>) -> Option<Self> {
        let stretches = union(happens);
        let (first, last) = (stretches.first()?, stretches.last()?);
        let whole = Interval { start: first.start, end: last.end };
        Some(Self { stretches: if stretches.len() > MAX_STRETCHES { vec![whole] } else { stretches } })
    }

    /// In thousandths.
    pub(super) fn at(&self, time: Timestamp) -> i64 {
        let gaps = GAP * i64::try_from(self.stretches.len().saturating_sub(1)).unwrap_or(0);
        let all: i64 = self.stretches.iter().map(length).sum::<i64>().max(1);
        let (mut seconds, mut passed) = (0, 0);
        for stretch in &self.stretches {
            if time >= stretch.end {
                seconds += length(stretch);
                passed += GAP;
            } else {
                seconds += (time.as_second() - stretch.start.as_second()).max(0);
                break;
            }
        }
        (seconds * (1000 - gaps) / all + passed).min(1000)
    }

    /// Where a bar begins and how wide it is, in thousandths.
    pub(super) fn span(&self, interval: Interval) -> (i64, i64) {
        let (from, to) = (self.at(interval.start), self.at(interval.end));
        // What would be thinner cannot be seen.
        let width = (to - from).max(6);
        (from.min(1000 - width), width)
    }

    /// A bar, as a style.
    pub(super) fn bar(&self, interval: Interval) -> String {
        let (from, width) = self.span(interval);
        format!("left:{}.{}%;width:{}.{}%", from / 10, from % 10, width / 10, width % 10)
    }

    /// Whether any of it is on the axis.
    pub(super) fn shows(&self, interval: Interval) -> bool {
        self.stretches.iter().any(|stretch| interval.start < stretch.end && stretch.start < interval.end)
    }

    /// The row with the times.
    pub(super) fn draw(&self, page: &mut Page) {
        row(page, "axis", "", "", |page| {
            for stretch in &self.stretches {
                let at = self.at(stretch.start).min(800);
                page.put(format_args!(
                    "<span style=\"left:{}.{}%\">{}</span>",
                    at / 10,
                    at % 10,
                    stretch.start.strftime("%-d %b %H:%M")
                ));
            }
        });
    }
}

fn length(interval: &Interval) -> i64 {
    interval.end.as_second() - interval.start.as_second()
}

/// A row: what it is about, what is on the axis, what is told of it.
pub(super) fn row(page: &mut Page, class: &str, title: &str, told: &str, bars: impl FnOnce(&mut Page)) {
    page.put(format_args!("<div class=\"row {class}\"><span class=\"what\">{title}</span><div class=\"track\">"));
    bars(page);
    page.put(format_args!("</div><span class=\"told\">{told}</span></div>\n"));
}

/// `Sat 28 Nov 21:00 to 21:48`; the day again where it is another.
pub(super) fn range(interval: Interval) -> String {
    let day = |at: Timestamp| at.strftime("%a %-d %b ").to_string();
    let (first, last) = (day(interval.start), day(interval.end));
    let last = if first == last { String::new() } else { last };
    format!("{first}{} to {last}{}", interval.start.strftime("%H:%M"), interval.end.strftime("%H:%M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: i64, end: i64) -> Interval {
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        Interval { start: at(start), end: at(end) }
    }

    #[test]
    fn the_axis_leaves_out_what_is_empty_and_keeps_the_order() {
        let axis = Axis::new(vec![interval(1000, 2000), interval(1500, 2500), interval(90_000, 91_500)]);
        let Some(axis) = axis else { panic!("something happens") };
        let at = |second| axis.at(Timestamp::from_second(second).unwrap_or(Timestamp::MIN));
        // Each stretch is half of what the gap leaves.
        assert_eq!([at(1000), at(2500), at(90_000), at(91_500)], [0, 515, 515, 1000]);
        assert!((0..92_000).step_by(100).map(at).collect::<Vec<_>>().is_sorted());
        assert_eq!(axis.bar(interval(91_500, 91_500)), "left:99.4%;width:0.6%", "no bar leaves the track");
        assert!(Axis::new(vec![]).is_none());
    }
}

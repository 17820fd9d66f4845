//! Calendars of others as windows and freezes: `.ics` files, read strictly, expanded in the zones they name.

mod event;
mod expand;
mod lines;
mod read;
#[cfg(test)]
mod tests;
mod values;
mod vtimezone;
mod windows_zones;
mod zones;

pub(super) use expand::Calendar;
pub(super) use read::{Options, read};

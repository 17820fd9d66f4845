//! Decision tables of SSVC (Stakeholder-Specific Vulnerability Categorization): values of decision points lead to an
//! outcome.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::intake::error::IntakeError;
use crate::intake::format::Input;
use crate::intake::json;
use crate::model::printable;

/// One of the questions, or the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionPoint {
    /// `Exploitation`.
    pub name: String,
    /// `1.1.0`.
    pub version: Option<String>,
    /// `ssvc:E:1.1.0`; the CSV edition has none.
    pub key: Option<String>,
    /// The answers in lower case, in their order: JSON lists them from the least to the most urgent; in CSV they come
    /// as the rows do.
    pub values: Vec<String>,
}

/// A table: every row is a combination of answers with its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionTable {
    /// What it is called: by itself in JSON, by its outcome in CSV.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The questions, in the order of the columns.
    pub points: Vec<DecisionPoint>,
    /// What is decided.
    pub outcome: DecisionPoint,
    rows: BTreeMap<Vec<usize>, usize>,
}

/// Why a table decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// It asks other questions.
    #[error("the table `{table}` has no decision point `{point}`")]
    UnknownPoint {
        /// The table.
        table: String,
        /// What was asked for.
        point: String,
    },
    /// It knows other answers.
    #[error("`{value}` is no value of `{point}`: {known}")]
    UnknownValue {
        /// The question.
        point: String,
        /// The answer given.
        value: String,
        /// The answers known, for people.
        known: String,
    },
}

/// Bounds: the largest published table has 72 rows of 4 points.
const MAX_ROWS: usize = 100_000;
const MAX_POINTS: usize = 32;
const MAX_NAME: usize = 200;

fn plain(text: &str) -> String {
    printable(text.trim(), MAX_NAME).to_lowercase()
}

impl DecisionPoint {
    /// The answer by its place; a new one is added.
    fn place(&mut self, value: &str) -> usize {
        let value = plain(value);
        self.values.iter().position(|known| *known == value).unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        })
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.trim()) || self.key.as_deref() == Some(name.trim())
    }
}

impl DecisionTable {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many rows lead to each outcome.
    pub fn outcomes(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for outcome in self.rows.values() {
            *counts.entry(self.outcome.values[*outcome].as_str()).or_default() += 1;
        }
        counts
    }

    /// How many combinations of answers have no row.
    pub fn missing(&self) -> usize {
        let all = self.points.iter().try_fold(1usize, |all, point| all.checked_mul(point.values.len()));
        all.unwrap_or(usize::MAX).saturating_sub(self.rows.len())
    }

    /// The outcomes that answers leave possible: one where all questions are answered, more where some are open, none
    /// where the table has no such row. Points and answers are known by their names, whatever their case.
    pub fn decide(&self, answers: &BTreeMap<String, String>) -> Result<BTreeSet<&str>, DecisionError> {
        let mut wanted: Vec<Option<usize>> = vec![None; self.points.len()];
        for (name, value) in answers {
            let Some(column) = self.points.iter().position(|point| point.is_called(name)) else {
                return Err(DecisionError::UnknownPoint { table: self.name.clone(), point: plain(name) });
            };
            let point = &self.points[column];
            let Some(place) = point.values.iter().position(|known| *known == plain(value)) else {
                let known = point.values.join(", ");
                return Err(DecisionError::UnknownValue { point: point.name.clone(), value: plain(value), known });
            };
            wanted[column] = Some(place);
        }
        let fits = |row: &[usize]| row.iter().zip(&wanted).all(|(have, want)| want.is_none_or(|want| want == *have));
        let rows = self.rows.iter().filter(|(row, _)| fits(row));
        Ok(rows.map(|(_, outcome)| self.outcome.values[*outcome].as_str()).collect())
    }

    fn add(&mut self, row: Vec<usize>, outcome: usize) -> Result<(), String> {
        if self.rows.len() >= MAX_ROWS {
            return Err(format!("the table has more than {MAX_ROWS} rows"));
        }
        match self.rows.insert(row, outcome) {
            Some(other) if other != outcome => Err("the same answers lead to two outcomes".to_owned()),
            _ => Ok(()),
        }
    }

    /// `row,Exploitation v1.1.0,...,CISA Levels v1.1.0 (cisa)`: the last column is the outcome.
    pub(super) fn read_table(input: &Input<'_>) -> Result<Self, IntakeError> {
        let invalid = |line: usize, message: String| {
            IntakeError::new("invalid-feed", input.name, message)
                .at(line, 1)
                .help("a table of SSVC has a column `row`, a column each decision point, and the outcome last")
        };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input.bytes);
        let mut records = reader.records();
        let mut next = |line: usize| {
            let record = records.next()?;
            Some(record.map_err(|error| invalid(line, error.to_string())))
        };
        let header = next(1).transpose()?.unwrap_or_default();
        let columns: Vec<DecisionPoint> = header.iter().skip(1).take(MAX_POINTS + 2).map(heading).collect();
        if columns.len() < 2 || columns.len() > MAX_POINTS + 1 {
            let message = format!("the table has {} columns beside `row`", columns.len());
            return Err(invalid(1, message));
        }
        let mut points = columns;
        let Some(outcome) = points.pop() else { return Err(invalid(1, "the table has no outcome".to_owned())) };
        let mut table = Self {
            name: outcome.name.clone(),
            version: outcome.version.clone(),
            points,
            outcome,
            rows: BTreeMap::new(),
        };
        let mut line = 2;
        while let Some(record) = next(line) {
            let record = record?;
            if record.len() != table.points.len() + 2 || record.iter().any(|cell| cell.trim().is_empty()) {
                return Err(invalid(
                    line,
                    format!("the row has not the {} cells of the header", table.points.len() + 2),
                ));
            }
            let row =
                table.points.iter_mut().zip(record.iter().skip(1)).map(|(point, cell)| point.place(cell)).collect();
            let outcome = table.outcome.place(record.iter().next_back().unwrap_or_default());
            table.add(row, outcome).map_err(|message| invalid(line, message))?;
            line += 1;
        }
        table.check().map_err(|message| invalid(1, message))
    }

    /// `{decision_points: {KEY: {name, values: [{key, name}]}}, outcome: KEY, mapping: [{KEY: VALUE}]}`.
    pub(super) fn read(input: &Input<'_>) -> Result<Self, IntakeError> {
        let invalid = |message: String| {
            IntakeError::new("invalid-feed", input.name, message).help("take the table as CERT/CC publishes it")
        };
        let raw: RawTable = json::parse(input.name, input.bytes)?;
        if raw.decision_points.len() > MAX_POINTS + 1 || raw.mapping.len() > MAX_ROWS {
            return Err(invalid(format!("the table has more than {MAX_POINTS} points or {MAX_ROWS} rows")));
        }
        let mut points = Vec::new();
        let mut outcome = None;
        let mut keys: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (key, point) in &raw.decision_points {
            let places = point.values.iter().enumerate().map(|(place, value)| (value.key.as_str(), place)).collect();
            keys.insert(key, places);
            let point = DecisionPoint {
                name: printable(&point.name, MAX_NAME),
                version: Some(printable(&point.version, 40)),
                key: Some(printable(key, MAX_NAME)),
                values: point.values.iter().map(|value| plain(&value.name)).collect(),
            };
            if *key == raw.outcome {
                outcome = Some(point);
            } else {
                points.push((key, point));
            }
        }
        let Some(outcome) = outcome else {
            return Err(invalid(format!("the outcome `{}` is no decision point", printable(&raw.outcome, 80))));
        };
        let mut table = Self {
            name: printable(&raw.name, MAX_NAME),
            version: Some(printable(&raw.version, 40)),
            points: points.iter().map(|(_, point)| point.clone()).collect(),
            outcome,
            rows: BTreeMap::new(),
        };
        for (number, row) in raw.mapping.iter().enumerate() {
            let place = |key: &str| {
                let value = row.get(key).map(String::as_str).unwrap_or_default();
                let known = keys.get(key).and_then(|places| places.get(value)).copied();
                let message =
                    || format!("row {number}: `{}` is no value of `{}`", printable(value, 40), printable(key, 80));
                known.ok_or_else(|| invalid(message()))
            };
            let places = points.iter().map(|(key, _)| place(key)).collect::<Result<_, _>>()?;
            let outcome = place(&raw.outcome)?;
            table.add(places, outcome).map_err(|message| invalid(format!("row {number}: {message}")))?;
        }
        table.check().map_err(invalid)
    }

    fn check(self) -> Result<Self, String> {
        if self.rows.is_empty() {
            return Err("the table has no rows".to_owned());
        }
        Ok(self)
    }
}

/// `In KEV v1.0.0 (cisa)` as name and version.
fn heading(text: &str) -> DecisionPoint {
    let text = text.trim();
    let text = text.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).map_or(text, |(name, _)| name);
    let is_version = |version: &str| version.starts_with(|c: char| c.is_ascii_digit());
    let (name, version) = match text.rsplit_once(" v").filter(|(_, version)| is_version(version)) {
        Some((name, version)) => (name, Some(printable(version, 40))),
        None => (text, None),
    };
    DecisionPoint { name: printable(name, MAX_NAME), version, key: None, values: Vec::new() }
}

#[derive(Deserialize)]
struct RawTable {
    name: String,
    version: String,
    decision_points: BTreeMap<String, RawPoint>,
    outcome: String,
    mapping: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawPoint {
    name: String,
    version: String,
    values: Vec<RawValue>,
}

#[derive(Deserialize)]
struct RawValue {
    key: String,
    name: String,
}

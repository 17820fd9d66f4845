//! `switchback debug`: single questions, line by line, for support and for checks against others' tables.

use std::io::{BufRead as _, Read as _, stdin};

use serde_json::json;

use crate::model::{VersionScheme, printable};

use super::args::Debug;
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// A longer line is no question.
const MAX_LINE: u64 = 1 << 20;

pub(super) fn run(args: &Debug, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Debug::VersionOrder { scheme } => version_order(scheme, printer),
        Debug::Windows { .. } | Debug::Hosts => Ok(Exit::Ok),
    }
}

/// Feeds each line of stdin to `answer` and prints what it says as a JSON line.
fn each_line(printer: Printer, mut answer: impl FnMut(&str) -> serde_json::Value) -> Result<Exit, CommandError> {
    let mut input = stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = input
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot read stdin", &error))?;
        if read == 0 {
            return Ok(Exit::Ok);
        }
        let text = String::from_utf8_lossy(&line);
        printer.json_line(&answer(text.trim_end_matches(['\n', '\r'])))?;
    }
}

fn version_order(scheme: &str, printer: Printer) -> Result<Exit, CommandError> {
    let Some(scheme) = VersionScheme::from_name(scheme) else {
        let known: Vec<&str> = VersionScheme::ALL.iter().map(|(name, _)| *name).collect();
        return Err(CommandError::new(Exit::Usage, format!("there is no version scheme {:?}", printable(scheme, 40)))
            .hint(format!("known: {}", known.join(", "))));
    };
    each_line(printer, |line| {
        let Some((a, b)) = line.split_once('\t') else {
            return json!({"error": "write two versions with a tab between them"});
        };
        match scheme.compare(a, b) {
            Ok(order) => json!({"order": order as i8}),
            Err(error) => json!({"error": error.to_string()}),
        }
    })
}

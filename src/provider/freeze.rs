//! Holds the services of a host still while it is snapshot, and lets them go whatever happens.

use std::collections::BTreeMap;

use super::machine::{Call, Machine, command, value};
use super::{EffectKey, ProviderError};
use crate::model::{Freeze, Host, TimeSpan};

const SCRIPT: &str = include_str!("freeze.sh");
/// How long each of the user's commands may take: services stand still meanwhile.
const LIMIT: TimeSpan = TimeSpan::seconds(60);
/// The host thaws by itself after this time: a snapshot takes seconds.
const HOLD: TimeSpan = TimeSpan::minutes(3);

/// A host whose services can be held still.
pub(super) struct Freezer<'a> {
    machine: Machine,
    values: BTreeMap<String, String>,
    host: &'a Host,
}

impl<'a> Freezer<'a> {
    pub(super) fn new(
        machine: Machine,
        host: &'a Host,
        freeze: &Freeze,
        key: &EffectKey,
    ) -> Result<Self, ProviderError> {
        Self::holding(machine, host, freeze, key, HOLD)
    }

    pub(super) fn holding(
        machine: Machine,
        host: &'a Host,
        freeze: &Freeze,
        key: &EffectKey,
        hold: TimeSpan,
    ) -> Result<Self, ProviderError> {
        let values = [
            ("MARK", super::machine::mark(key)),
            ("FREEZE", command(&freeze.freeze, host, &[])?),
            ("THAW", command(&freeze.thaw, host, &[])?),
            ("LIMIT", LIMIT.as_seconds().to_string()),
            ("HOLD", hold.as_seconds().to_string()),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { machine, values, host })
    }

    async fn run(&self, op: &str) -> Result<Vec<String>, ProviderError> {
        let mut values = self.values.clone();
        values.insert("OP".to_owned(), op.to_owned());
        // Thawing is tried four times.
        self.machine.run(SCRIPT, values, TimeSpan::minutes(5), Call::Change).await
    }

    /// Lets go what an earlier try with this key may have left frozen.
    pub(super) async fn settle(&self) -> Result<(), ProviderError> {
        self.run("settle").await.map(|_| ())
    }

    /// Does the work while the services stand still. What was made while they did not is not to be used.
    pub(super) async fn around<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        // Where it is not known whether it was frozen, it is thawed as well.
        let worked = match self.run("freeze").await {
            Ok(_) => work.await,
            Err(error @ ProviderError::NoEffect(_)) => return Err(error),
            Err(error) => Err(error),
        };
        let thawed = self.run("thaw").await?;
        match (worked, value(&thawed, "state")) {
            (Ok(made), Some("in-time")) => Ok(made),
            (Ok(_), _) => Err(ProviderError::NoEffect(format!(
                "{} went on before its snapshot was made: what was made is not consistent",
                self.host
            ))),
            (Err(error), _) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;

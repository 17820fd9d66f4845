//! Ctrl-C: once pauses, twice aborts. What happens then is said by the records that follow.

use crate::engine::{Engine, Signal};
use crate::model::CampaignId;

use super::{EmbeddedEngine, RunError};

/// Listens for interrupts as long as it is polled: the first pauses the campaign, the second aborts it, further ones
/// change nothing (a third would lose the controller while hosts go back).
pub async fn obey_interrupts(
    engine: &EmbeddedEngine,
    campaign: &CampaignId,
    operator: &str,
) -> Result<std::convert::Infallible, RunError> {
    let by = || operator.to_owned();
    for signal in [Signal::Pause { by: by() }, Signal::Abort { by: by() }] {
        interrupt().await?;
        engine.signal(campaign, signal).await?;
    }
    loop {
        interrupt().await?;
    }
}

async fn interrupt() -> Result<(), RunError> {
    tokio::signal::ctrl_c().await.map_err(|source| RunError::system("listen for interrupts", source))
}

//! Ctrl-C: once pauses, twice aborts. What happens then is said by the records that follow.

use crate::engine::{Engine, Signal};
use crate::model::CampaignId;

use super::{EmbeddedEngine, RunError};

/// Listens for interrupts as long as it is polled: the first pauses the campaign, the second aborts it, further ones
/// change nothing (a third would lose the controller while hosts go back). `say` tells what the next one does.
pub async fn obey_interrupts(
    engine: &EmbeddedEngine,
    campaign: &CampaignId,
    operator: &str,
    say: impl Fn(&str),
) -> Result<std::convert::Infallible, RunError> {
    let by = || operator.to_owned();
    let asked = [
        (Signal::Pause { by: by() }, "Ctrl-C again aborts: hosts in the middle go back"),
        (Signal::Abort { by: by() }, "a step that runs is not cut off; then its host goes back"),
    ];
    for (signal, next) in asked {
        interrupt().await?;
        engine.signal(campaign, signal).await?;
        say(next);
    }
    loop {
        interrupt().await?;
        say(
            "it is being aborted already; `kill` stops the controller, and `switchback resume` goes on with what is left",
        );
    }
}

async fn interrupt() -> Result<(), RunError> {
    tokio::signal::ctrl_c().await.map_err(|source| RunError::system("listen for interrupts", source))
}

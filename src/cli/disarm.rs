//! `switchback disarm`: ends the watch that a campaign has left over a host that it could not put back.

use std::sync::Arc;

use crate::provider::Watch;
use crate::run::left_watches;
use crate::transport::{SshLimits, SshTransport, Transport};

use super::args::{Disarm, Global};
use super::drive::runtime;
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn run(args: &Disarm, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let host = &args.host;
    let past = super::clones::past(global, printer)?;
    let watches = left_watches(&past, host);
    if let Some(watch) = watches.iter().find(|watch| watch.in_use) {
        let text = format!("{host} is watched by campaign {}, which has not ended", watch.campaign);
        return Err(CommandError::new(Exit::Failed, text).code("in-use").hint(
            "`switchback abort`, then `switchback resume`, ends the campaign and takes back what is in the middle",
        ));
    }
    if watches.is_empty() {
        let text = format!("no campaign here has left a watch over {host}");
        return Err(CommandError::new(Exit::InvalidInput, text).code("unknown-watch").hint(
            "--state names the folder in which its campaign ran; docs/concepts/recovery.md says how to do it by hand",
        ));
    }
    let transport: Arc<dyn Transport> = Arc::new(
        SshTransport::new(SshLimits::default())
            .map_err(|error| CommandError::caused(Exit::Failed, "no folder for connections", &error))?,
    );
    let runtime = runtime()?;
    for watch in watches {
        let of = format!("the watch of campaign {} over {host}", watch.campaign);
        let told = runtime.block_on(watch.disarm(&transport));
        let told = told.map_err(|error| CommandError::caused(Exit::Failed, format!("{of} is not disarmed"), &error))?;
        let gone = match told {
            Watch::Disarmed => {
                printer.talk(format!("{of} is disarmed: what is done to {host} now stays"));
                continue;
            }
            Watch::GoesBack => "restores it now".to_owned(),
            Watch::WentBack => "has restored it".to_owned(),
            Watch::Failed(said) => format!("has tried to restore it, and could not: {said}"),
            Watch::Armed | Watch::Another(_) => "does not say how it stands".to_owned(),
        };
        return Err(CommandError::new(Exit::Failed, format!("{of} {gone}")).code("went-back-by-itself"));
    }
    Ok(Exit::Ok)
}

//! Which switch a host names.

use std::sync::Arc;

use crate::model::{Host, SwitchSettings};

use super::Switch;
use super::command::CommandSwitch;
use super::haproxy::Haproxy;

/// The switch of this host; none if it names none, or one of the simulator's.
pub fn for_host(host: &Host) -> Option<Arc<dyn Switch>> {
    match host.switch.as_ref()? {
        SwitchSettings::Haproxy { socket, backend, server } => Some(Arc::new(Haproxy::new(socket, backend, server))),
        SwitchSettings::Command { drain, undrain, timeout } => {
            Some(Arc::new(CommandSwitch::new(drain.clone(), undrain.clone(), *timeout)))
        }
        SwitchSettings::Simulated => None,
    }
}

//! Which switch a host names.

use std::sync::Arc;

use crate::model::{Host, SwitchSettings};

use super::Switch;
use super::command::{CommandSwitch, SwitchCommands};
use super::dns::Dns;
use super::haproxy::Haproxy;
use crate::transport::Transport;

/// The switch of this host; none if it names none, or one of the simulator's. `transport` reaches balancers.
pub fn for_host(host: &Host, transport: &Arc<dyn Transport>) -> Option<Arc<dyn Switch>> {
    match host.switch.as_ref()? {
        SwitchSettings::Haproxy { socket, backend, server, via: None } => {
            Some(Arc::new(Haproxy::new(socket, backend, server)))
        }
        SwitchSettings::Haproxy { socket, backend, server, via: Some(via) } => {
            Some(Arc::new(Haproxy::via(transport, via, socket, backend, server)?))
        }
        SwitchSettings::Dns(settings) => Some(Arc::new(Dns::new(settings.clone()))),
        SwitchSettings::Command { drain, undrain, endpoint, switch, status, timeout } => {
            Some(Arc::new(CommandSwitch::new(SwitchCommands {
                drain: drain.clone(),
                undrain: undrain.clone(),
                endpoint: endpoint.clone(),
                switch: switch.clone(),
                status: status.clone(),
                timeout: *timeout,
            })))
        }
        SwitchSettings::Simulated => None,
    }
}

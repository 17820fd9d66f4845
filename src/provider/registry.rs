//! Which provider a host names.

use std::sync::Arc;

use crate::model::{Host, ProviderSettings};

use super::btrfs::Btrfs;
use super::exec::ExecCommands;
use super::libvirt::Libvirt;
use super::lvm::Lvm;
use super::restic::Restic;
use super::{Containers, Provider};
use crate::transport::Transport;

/// The provider of this host; none if it names none, or one of the simulator's. `transport` reaches the machines that
/// hold the hosts' disks.
pub fn for_host(host: &Host, transport: &Arc<dyn Transport>) -> Option<Arc<dyn Provider>> {
    match host.provider.as_ref()? {
        ProviderSettings::Exec(commands) => Some(Arc::new(ExecCommands::new(commands.clone()))),
        ProviderSettings::Podman { .. } | ProviderSettings::Docker { .. } => Some(Arc::new(Containers::default())),
        ProviderSettings::Btrfs(settings) => Some(Arc::new(Btrfs::new(settings.clone(), transport))),
        ProviderSettings::Lvm(settings) => Some(Arc::new(Lvm::new(settings.clone(), transport))),
        ProviderSettings::Libvirt(settings) => Some(Arc::new(Libvirt::new(settings.clone(), transport))),
        ProviderSettings::Restic(settings) => Some(Arc::new(Restic::new(settings.clone(), transport))),
        ProviderSettings::Simulated => None,
    }
}

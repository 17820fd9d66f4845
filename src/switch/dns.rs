//! DNS: a host's address among those of a service's name, changed by dynamic updates.
//!
//! Every change is one update that is done only if all addresses of the name are still those that were seen. Where a
//! host's traffic goes while it is not at its own address is remembered in the zone itself, in a TXT record beside the
//! name that changes in the same update.

mod message;

use std::net::IpAddr;
use std::time::Duration;

use domain::base::Rtype;
use domain::tsig::{Algorithm, Key, KeyName};
use jiff::Timestamp;

use crate::engine::BoxFuture;
use crate::model::{DnsSwitch, Host, SecretSource, TimeSpan, TsigAlgorithm, printable};

use super::{Endpoint, Switch, SwitchError, TrafficState};
use message::{Change, DnsName, Primary, RrSet, Updated};

/// How long others may remember an address, where nothing says it.
const TTL: TimeSpan = TimeSpan::minutes(1);
/// A switch waits until nobody remembers the old address. Longer than this it would outlast its step.
const SWITCH_WITHIN: TimeSpan = TimeSpan::seconds(90);
/// How often a change is tried: each time, somebody else has changed the same name in between.
const TRIES: u32 = 10;
/// What is added to the pause after each try.
const PAUSE: Duration = Duration::from_millis(40);
/// Largest secret that is read: a key of 512 bits has 88 characters.
const MAX_SECRET: u64 = 4096;
/// Where it is remembered who is not at home.
const NOTES: &str = "_switchback";

/// A host behind a name.
#[derive(Clone, Debug)]
pub struct Dns {
    settings: DnsSwitch,
    clock: fn() -> Timestamp,
}

/// What the zone says of a host.
#[derive(Clone, Debug)]
struct Seen {
    /// The host's own address.
    own: IpAddr,
    /// Where its traffic goes when it is in service.
    at: IpAddr,
    /// All addresses of the name.
    addresses: RrSet,
    /// Who is not at home.
    notes: RrSet,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
enum Todo {
    Out,
    In,
    Move(IpAddr),
}

impl Seen {
    fn is_in(&self) -> bool {
        self.addresses.data.contains(&octets(self.at))
    }

    /// How long others may remember what was seen.
    fn ttl(&self) -> TimeSpan {
        TimeSpan::seconds(self.addresses.ttl.into())
    }
}

impl Dns {
    /// A host behind the name of these settings.
    pub fn new(settings: DnsSwitch) -> Self {
        Self { settings, clock: crate::env::now }
    }

    #[cfg(test)]
    pub(super) fn with_clock(settings: DnsSwitch, clock: fn() -> Timestamp) -> Self {
        Self { settings, clock }
    }

    fn primary(&self) -> Result<Primary, SwitchError> {
        let settings = &self.settings;
        let no = |why: &str| SwitchError(format!("the secret of key {}: {why}", printable(&settings.key, 253)));
        let text = match &settings.secret {
            SecretSource::Env(variable) => {
                crate::env::var(variable).ok_or_else(|| no(&format!("{variable} is not set in the environment")))?
            }
            SecretSource::File(path) => {
                use std::io::Read as _;
                let mut text = String::new();
                let read = std::fs::File::open(path).and_then(|file| file.take(MAX_SECRET).read_to_string(&mut text));
                read.map_err(|e| no(&format!("{}: {e}", printable(path, 200))))?;
                text
            }
        };
        let secret: Vec<u8> = domain::utils::base64::decode(text.trim()).map_err(|_| no("it is not base64"))?;
        if secret.is_empty() {
            return Err(no("it is empty"));
        }
        let algorithm = match settings.algorithm {
            TsigAlgorithm::HmacSha256 => Algorithm::Sha256,
            TsigAlgorithm::HmacSha384 => Algorithm::Sha384,
            TsigAlgorithm::HmacSha512 => Algorithm::Sha512,
        };
        let name: KeyName = settings.key.parse().map_err(|_| no("the key's name is no DNS name"))?;
        let key = Key::new(algorithm, &secret, name, None, None).map_err(|e| no(&e.to_string()))?;
        Ok(Primary { server: settings.server.clone(), key, clock: self.clock })
    }

    async fn look(&self, primary: &Primary, host: &Host) -> Result<Seen, SwitchError> {
        let own = match self.settings.address {
            Some(address) => address,
            None => host.address().parse().map_err(|_| {
                let address = printable(host.address(), 80);
                SwitchError(format!("{address} is a name: the switch needs the `address` of {}", host.name))
            })?,
        };
        let notes = primary.records(&self.notes_name()?, Rtype::TXT).await.map_err(SwitchError)?;
        let mut away = notes.data.iter().filter_map(|note| address_in(note, host.name.as_str()));
        let at = away.next().unwrap_or(own);
        if away.next().is_some() || rtype(at) != rtype(own) {
            let notes = self.notes_name()?;
            return Err(SwitchError(format!("{notes} says several things of {}: delete what is wrong", host.name)));
        }
        let addresses = primary.records(&self.name()?, rtype(own)).await.map_err(SwitchError)?;
        Ok(Seen { own, at, addresses, notes })
    }

    /// What the zone says; a name without any address is more likely a typing mistake than a service.
    async fn seen(&self, host: &Host) -> Result<Seen, SwitchError> {
        let seen = self.look(&self.primary()?, host).await?;
        if seen.addresses.data.is_empty() {
            let (name, kind) = (self.name()?, rtype(seen.own));
            return Err(SwitchError(format!("{name} has no {kind} record: is it the name of the service?")));
        }
        Ok(seen)
    }

    /// Looks, decides and changes, again if others have changed the same name in between; not if they have changed what
    /// it says of this host.
    async fn change(
        &self,
        host: &Host,
        decide: impl Fn(&Seen) -> Result<Option<Todo>, SwitchError>,
    ) -> Result<Seen, SwitchError> {
        let primary = self.primary()?;
        let mut first: Option<Seen> = None;
        for tried in 0..TRIES {
            let seen = self.look(&primary, host).await?;
            if first.as_ref().is_some_and(|first| (first.at, first.is_in()) != (seen.at, seen.is_in())) {
                return Err(SwitchError(format!("{} was changed by somebody else meanwhile", host.name)));
            }
            let Some(todo) = decide(&seen)? else { return Ok(seen) };
            match self.update(&primary, host, &seen, todo).await? {
                Updated::Done => return Ok(seen),
                Updated::Stale => drop(first.get_or_insert(seen)),
            }
            // Those who meet here must not meet again.
            let random = crate::env::random_hex().map_err(|e| SwitchError(e.to_string()))?;
            let part = u32::from(random.bytes().fold(0u8, |sum, byte| sum.wrapping_add(byte)) % 16);
            tokio::time::sleep(PAUSE * (tried + part)).await;
        }
        Err(SwitchError(format!("{} was changed by others {TRIES} times in a row", self.name()?)))
    }

    async fn update(&self, primary: &Primary, host: &Host, seen: &Seen, todo: Todo) -> Result<Updated, SwitchError> {
        let known = if seen.addresses.data.is_empty() { TTL } else { seen.ttl() };
        let ttl = u32::try_from(self.settings.ttl.unwrap_or(known).as_seconds()).unwrap_or(u32::MAX);
        let (name, notes) = (self.name()?, self.notes_name()?);
        let to = match todo {
            Todo::Move(to) => to,
            Todo::In | Todo::Out => seen.at,
        };
        let note = |at: IpAddr| (at != seen.own).then(|| note(host.name.as_str(), at));
        let (was, is) = (note(seen.at), note(to));
        let addresses = Change {
            name: &name,
            rtype: rtype(seen.own),
            before: &seen.addresses,
            remove: matches!(todo, Todo::Out | Todo::Move(_)).then(|| octets(seen.at)),
            add: matches!(todo, Todo::In | Todo::Move(_)).then(|| (ttl, octets(to))),
        };
        // Who moves nothing needs no right to change the notes.
        let moves = was != is;
        let notes = Change {
            name: &notes,
            rtype: Rtype::TXT,
            before: &seen.notes,
            remove: was.filter(|_| moves),
            add: is.filter(|_| moves).map(|note| (ttl, note)),
        };
        let zone = self.parsed(&self.settings.zone)?;
        primary.update(&zone, &[addresses, notes]).await.map_err(SwitchError)
    }

    async fn drain_within(&self, host: &Host, idle_within: TimeSpan) -> Result<(), SwitchError> {
        self.seen(host).await?;
        let name = self.name()?;
        let only = || {
            SwitchError(format!(
                "{host} has the only address of {name}: without it the name would be unknown, and others would remember that"
            ))
        };
        let decide = |seen: &Seen| match seen.is_in() {
            true if seen.addresses.data.len() == 1 => Err(only()),
            true => Ok(Some(Todo::Out)),
            false => Ok(None),
        };
        // Also where it was out already: nobody knows since when.
        let ttl = self.change(host, decide).await?.ttl();
        tokio::time::sleep(ttl.min(idle_within).to_std()).await;
        if self.seen(host).await?.is_in() {
            return Err(SwitchError(format!("{host} was put back into service meanwhile")));
        }
        if ttl > idle_within {
            return Err(SwitchError(format!(
                "others may remember the address of {host} for {ttl} and so send requests after {idle_within}: lower the TTL of {name}"
            )));
        }
        Ok(())
    }

    async fn go_to(&self, host: &Host, to: &Endpoint) -> Result<(), SwitchError> {
        let no = |why: &str| SwitchError(format!("{:?} {why}", printable(&to.0, 80)));
        let to: IpAddr = to.0.parse().map_err(|_| no("is no address that a name could have"))?;
        let name = self.name()?;
        let decide = |seen: &Seen| {
            if rtype(to) != rtype(seen.own) {
                return Err(no("is of another kind than the address of the host"));
            }
            if seen.ttl() > SWITCH_WITHIN {
                return Err(self.too_long(seen)?);
            }
            if to != seen.at && seen.addresses.data.contains(&octets(to)) {
                return Err(no(&format!("is an address of {name} already, and not by this host")));
            }
            Ok((to != seen.at || !seen.is_in()).then_some(Todo::Move(to)))
        };
        let before = self.change(host, decide).await?;
        // A host that was out of service is remembered by nobody.
        if before.is_in() {
            tokio::time::sleep(before.ttl().to_std()).await;
        }
        Ok(())
    }

    fn too_long(&self, seen: &Seen) -> Result<SwitchError, SwitchError> {
        Ok(SwitchError(format!(
            "others may remember the addresses of {} for {}; to switch, lower their TTL to {SWITCH_WITHIN} or less",
            self.name()?,
            seen.ttl()
        )))
    }

    fn parsed(&self, name: &str) -> Result<DnsName, SwitchError> {
        DnsName::vec_from_str(name).map_err(|e| SwitchError(format!("{:?} is no DNS name: {e}", printable(name, 80))))
    }

    fn name(&self) -> Result<DnsName, SwitchError> {
        self.parsed(&self.settings.name)
    }

    fn notes_name(&self) -> Result<DnsName, SwitchError> {
        self.parsed(&format!("{NOTES}.{}", self.settings.name))
    }
}

impl Switch for Dns {
    fn status<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>> {
        Box::pin(async move {
            let seen = self.seen(host).await?;
            Ok(if seen.is_in() { TrafficState::InService } else { TrafficState::Drained { running: None } })
        })
    }

    fn drain<'a>(&'a self, host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(self.drain_within(host, idle_within))
    }

    fn undrain<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(async move { self.change(host, |seen| Ok((!seen.is_in()).then_some(Todo::In))).await.map(drop) })
    }

    fn endpoint<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>> {
        Box::pin(async move {
            let seen = self.seen(host).await?;
            if seen.ttl() > SWITCH_WITHIN {
                return Err(self.too_long(&seen)?);
            }
            Ok(Endpoint(seen.at.to_string()))
        })
    }

    fn switch<'a>(&'a self, host: &'a Host, to: &'a Endpoint) -> BoxFuture<'a, Result<(), SwitchError>> {
        Box::pin(self.go_to(host, to))
    }
}

fn rtype(address: IpAddr) -> Rtype {
    if address.is_ipv4() { Rtype::A } else { Rtype::AAAA }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A TXT record of two texts: a host and where its traffic goes. A host's name is shorter than a text may be.
fn note(host: &str, at: IpAddr) -> Vec<u8> {
    let mut note = Vec::new();
    for text in [host, &at.to_string()] {
        let text = &text.as_bytes()[..text.len().min(255)];
        note.push(text.len() as u8);
        note.extend_from_slice(text);
    }
    note
}

/// Where the traffic of this host goes, if the note is about it.
fn address_in(note: &[u8], host: &str) -> Option<IpAddr> {
    let (&length, rest) = note.split_first()?;
    let (about, rest) = rest.split_at_checked(length.into())?;
    let (&length, rest) = rest.split_first()?;
    let address = rest.split_at_checked(length.into()).filter(|(_, rest)| rest.is_empty())?.0;
    if about != host.as_bytes() {
        return None;
    }
    std::str::from_utf8(address).ok()?.parse().ok()
}

/// Reads the answer to a question for a name; for fuzzing only.
#[doc(hidden)]
pub fn reads_answer(octets: &[u8]) -> bool {
    let Ok(name) = DnsName::vec_from_str("shop.example.com") else { return false };
    if let Some(note) = octets.get(12..) {
        let _ = address_in(note, "web-1");
    }
    [Rtype::A, Rtype::AAAA, Rtype::TXT].map(|rtype| message::is_readable(octets.to_vec(), &name, rtype)).contains(&true)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use crate::model::{HostName, SwitchSettings};
    use crate::switch::tests::{dns::Named, host};

    use super::*;

    /// Sends the traffic of a host to an address, from elsewhere.
    fn somebody_else_moves(settings: DnsSwitch, host: Host, to: &'static str) {
        let other = async move { Dns::new(settings).switch(&host, &Endpoint(to.to_owned())).await.unwrap() };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || runtime().block_on(other)).join().unwrap();
    }

    #[tokio::test]
    async fn what_was_seen_must_still_be_there() {
        let Some(named) = Named::start() else { return };
        let switch = Dns::new(named.settings());
        let ours = host(SwitchSettings::Simulated);
        let mut theirs = ours.clone();
        theirs.name = HostName::new("web-2").unwrap();
        theirs.address = Some("10.0.0.2".to_owned());

        // Between the look and the update another host moves: the update is refused, and done over what is there now.
        let looks = AtomicU32::new(0);
        let decide = |seen: &Seen| {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                somebody_else_moves(named.settings(), theirs.clone(), "10.0.0.7");
            }
            Ok(seen.is_in().then_some(Todo::Out))
        };
        switch.change(&ours, decide).await.unwrap();
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        let seen = switch.seen(&ours).await.unwrap();
        assert_eq!(seen.addresses.data, [octets("10.0.0.7".parse().unwrap())].into());

        // Between the look and the update this host moves: what somebody else has done is not overwritten.
        switch.undrain(&ours).await.unwrap();
        let looks = AtomicU32::new(0);
        let decide = |_: &Seen| {
            if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                somebody_else_moves(named.settings(), ours.clone(), "10.0.0.8");
            }
            Ok(Some(Todo::Move("10.0.0.9".parse().unwrap())))
        };
        let error = switch.change(&ours, decide).await.unwrap_err().to_string();
        assert!(error.contains("changed by somebody else"), "{error}");
        assert_eq!(switch.endpoint(&ours).await.unwrap(), Endpoint("10.0.0.8".to_owned()));
    }

    #[test]
    fn notes_are_read_as_they_are_written() {
        let at: IpAddr = "2001:db8::9".parse().unwrap();
        let written = note("web-1", at);
        assert_eq!(address_in(&written, "web-1"), Some(at));
        assert_eq!(address_in(&written, "web-11"), None);
        for cut in 0..written.len() {
            assert_eq!(address_in(&written[..cut], "web-1"), None, "{cut}");
        }
        assert_eq!(address_in(&[&written[..], b"\x01x"].concat(), "web-1"), None, "a third text");
        assert_eq!(address_in(&note("web-1", at).iter().map(|b| b ^ 0x80).collect::<Vec<_>>(), "web-1"), None);
    }
}

//! Signed questions and updates to a zone's primary server (RFC 2136, RFC 8945), and what its answers say.
//!
//! Over TCP only: an answer has a bounded size, is never cut off, and comes from whom we have connected to. Nothing of an
//! answer is believed before its signature is checked.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::base::iana::{Class, Opcode, Rcode, Rtype, TsigRcode};
use domain::base::message_builder::{AdditionalBuilder, AnswerBuilder, AuthorityBuilder, PushError};
use domain::base::name::{Name, ToName as _};
use domain::base::{Message, MessageBuilder, UnknownRecordData};
use domain::rdata::tsig::{Time48, Tsig};
use domain::tsig::{ClientTransaction, Key, ValidationError};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::model::printable;

/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The most records of one name and type that are taken: more in one answer are no service's addresses.
const MAX_RECORDS: usize = 1000;

pub(super) type DnsName = Name<Vec<u8>>;
type Data = UnknownRecordData<Vec<u8>>;

/// All records of one name and type, as they are on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RrSet {
    pub(super) ttl: u32,
    pub(super) data: BTreeSet<Vec<u8>>,
}

/// What one update does to one name and type, and what must be there for it to be done.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a DnsName,
    pub(super) rtype: Rtype,
    /// All that must be there, exactly.
    pub(super) before: &'a RrSet,
    pub(super) remove: Option<Vec<u8>>,
    pub(super) add: Option<(u32, Vec<u8>)>,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updated {
    Done,
    /// Something else is there than was expected; nothing was changed.
    Stale,
}

/// The zone's primary server and the key that it knows.
pub(super) struct Primary {
    pub(super) server: String,
    pub(super) key: Key,
    pub(super) clock: fn() -> Timestamp,
}

impl Primary {
    /// The records of a name, from the zone itself.
    pub(super) async fn records(&self, name: &DnsName, rtype: Rtype) -> Result<RrSet, String> {
        let mut question = MessageBuilder::new_vec().question();
        question.push((name, rtype)).map_err(too_long)?;
        let answer = self.exchange(question.additional()).await?;
        match answer.header().rcode() {
            Rcode::NOERROR | Rcode::NXDOMAIN if answer.header().aa() => {
                read(&answer, name, rtype).map_err(|why| format!("{} answers {why}", self.server))
            }
            Rcode::NOERROR | Rcode::NXDOMAIN => {
                Err(format!("{} does not have the zone of {name} itself: write its primary server", self.server))
            }
            rcode => Err(format!("{} answers {rcode} when asked for {name}", self.server)),
        }
    }

    /// All changes or none.
    pub(super) async fn update(&self, zone: &DnsName, changes: &[Change<'_>]) -> Result<Updated, String> {
        let message = update(zone, changes).map_err(too_long)?;
        match self.exchange(message).await?.header().rcode() {
            Rcode::NOERROR => Ok(Updated::Done),
            // What must be there was not, or what must not be there was.
            Rcode::NXRRSET | Rcode::YXRRSET | Rcode::NXDOMAIN | Rcode::YXDOMAIN => Ok(Updated::Stale),
            Rcode::NOTAUTH => Err(format!("{} is not the primary server of {zone}", self.server)),
            Rcode::NOTZONE => Err(format!("{} says that the name is not in {zone}", self.server)),
            Rcode::REFUSED => {
                let changed = changes.iter().filter(|change| change.remove.is_some() || change.add.is_some());
                let names: Vec<String> = changed.map(|change| format!("{} {}", change.name, change.rtype)).collect();
                let names = names.join(" and ");
                Err(format!("{} refuses: key {} may not change {names}", self.server, self.key.name()))
            }
            rcode => Err(format!("{} answers {rcode} to an update of {zone}", self.server)),
        }
    }

    async fn exchange(&self, mut message: AdditionalBuilder<Vec<u8>>) -> Result<Message<Vec<u8>>, String> {
        let failed = |why: String| format!("{}: {why}", self.server);
        let random = crate::env::random_hex().map_err(|e| failed(e.to_string()))?;
        let id = random.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or_default();
        message.header_mut().set_id(id);
        let transaction = ClientTransaction::request(self.key.clone(), &mut message, self.now()).map_err(too_long)?;
        let message = message.finish();
        let length = u16::try_from(message.len()).map_err(too_long)?;
        let framed = [&length.to_be_bytes()[..], &message].concat();
        let talk = async {
            let mut stream = TcpStream::connect(&self.server).await?;
            stream.write_all(&framed).await?;
            let length = stream.read_u16().await?;
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = match tokio::time::timeout(ANSWER, talk).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("no answer".to_owned())),
        };
        let mut answer = Message::from_octets(answer).map_err(|_| failed("answers too little".to_owned()))?;
        if answer.header().id() != id || !answer.header().qr() {
            return Err(failed("answers something else".to_owned()));
        }
        match transaction.answer(&mut answer, self.now()) {
            Ok(()) => Ok(answer),
            Err(error) => Err(failed(self.not_believed(error, &answer))),
        }
    }

    fn now(&self) -> Time48 {
        // 48 bits last for nine million years.
        Time48::from_u64(u64::try_from((self.clock)().as_second()).unwrap_or_default() & ((1 << 48) - 1))
    }

    fn not_believed(&self, error: ValidationError, answer: &Message<Vec<u8>>) -> String {
        let key = self.key.name();
        match (error, their_clock(answer)) {
            (ValidationError::ServerBadKey | ValidationError::BadKey, _) => {
                format!("knows no key {key} for {}", self.key.algorithm())
            }
            (ValidationError::ServerBadSig, _) => format!("has another secret for key {key}"),
            (ValidationError::ServerBadTime { .. } | ValidationError::BadSig, Some(theirs)) => {
                let apart = seconds(self.now()).abs_diff(theirs);
                format!("says that its clock and ours are {apart}s apart: signatures hold for 300s")
            }
            (ValidationError::BadTime, _) => "its answer was signed at another time".to_owned(),
            (ValidationError::ServerUnsigned, _) => format!("answers {} without a signature", answer.header().rcode()),
            (error, _) => format!("its answer is not to be believed: {error}"),
        }
    }
}

/// The clock of a server that refuses a signature for its time. The library fails to verify such answers: what they say
/// is good for an explanation only.
fn their_clock(answer: &Message<Vec<u8>>) -> Option<u64> {
    let record = answer.get_last_additional::<Tsig<_, _>>()?;
    let data = record.data();
    if data.error() == TsigRcode::BADTIME { data.other_time().map(seconds) } else { None }
}

fn seconds(time: Time48) -> u64 {
    time.into_octets().into_iter().fold(0, |sum, octet| sum << 8 | u64::from(octet))
}

fn too_long<E>(_: E) -> String {
    "the message would be longer than DNS allows".to_owned()
}

/// The update's message, without its signature.
fn update(zone: &DnsName, changes: &[Change<'_>]) -> Result<AdditionalBuilder<Vec<u8>>, PushError> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut builder = builder.question();
    builder.push((zone, Rtype::SOA))?;
    let mut builder: AnswerBuilder<_> = builder.answer();
    for Change { name, rtype, before, .. } in changes {
        if before.data.is_empty() {
            builder.push((name, Class::NONE, 0, data(*rtype, Vec::new())?))?;
        }
        for one in &before.data {
            builder.push((name, Class::IN, 0, data(*rtype, one.clone())?))?;
        }
    }
    let mut builder: AuthorityBuilder<_> = builder.authority();
    for Change { name, rtype, remove, add, .. } in changes {
        if let Some(one) = remove {
            builder.push((name, Class::NONE, 0, data(*rtype, one.clone())?))?;
        }
        if let Some((ttl, one)) = add {
            builder.push((name, Class::IN, *ttl, data(*rtype, one.clone())?))?;
        }
    }
    Ok(builder.additional())
}

fn data(rtype: Rtype, octets: Vec<u8>) -> Result<Data, PushError> {
    Data::from_octets(rtype, octets).map_err(|_| PushError::ShortBuf)
}

/// The records of this name and type in an answer. The types that we ask for hold no names, so that what is on the wire
/// is all of them.
fn read(answer: &Message<Vec<u8>>, name: &DnsName, rtype: Rtype) -> Result<RrSet, String> {
    let mut found = RrSet::default();
    let section = answer.answer().map_err(|_| "what is no DNS message")?;
    for record in section {
        let record = record.map_err(|_| "what is no DNS message")?;
        if !record.owner().name_eq(name) || record.class() != Class::IN {
            continue;
        }
        if record.rtype() == Rtype::CNAME {
            return Err(format!("that {name} is another name for something: write that name"));
        }
        if record.rtype() != rtype {
            continue;
        }
        let ttl = record.ttl().as_secs();
        let Ok(Some(one)) = record.to_record::<UnknownRecordData<_>>() else {
            return Err("what is no DNS message".to_owned());
        };
        found.ttl = found.ttl.max(ttl);
        found.data.insert(one.data().data().to_vec());
        if found.data.len() > MAX_RECORDS {
            return Err(format!("more than {MAX_RECORDS} records for {}", printable(&name.to_string(), 253)));
        }
    }
    Ok(found)
}

/// Whether bytes are an answer that can be read; for fuzzing only, which cannot sign them.
pub(super) fn is_readable(octets: Vec<u8>, name: &DnsName, rtype: Rtype) -> bool {
    Message::from_octets(octets).is_ok_and(|message| read(&message, name, rtype).is_ok())
}

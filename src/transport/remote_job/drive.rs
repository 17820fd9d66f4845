//! Follows a job to its end through lost connections.

use std::time::{Duration, Instant};

use crate::model::{Host, TimeSpan, told};

use super::super::{Transport, TransportError};
use super::protocol::{Call, Job, JobSpool, JobState};

/// How long one call waits on the host for the end of the job.
const WAIT: TimeSpan = TimeSpan::seconds(20);
/// Between two calls that failed: doubles up to the second value.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A host that was never reached and refuses connections is given up after this long, if the job may be given up.
const FIRST_CONTACT: Duration = Duration::from_secs(60);

/// The host ends a job that takes too long, and kills it 10 s later; its answer is awaited beyond that.
pub const KILL_GRACE: Duration = Duration::from_secs(20);

/// How far a job was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// This is its state, and it will not change by waiting.
    Known(JobState),
    /// Not a byte reached the host in this call.
    NeverSent(TransportError),
    /// Time is up, or the host does not let us in any more; the job may run on.
    Unknown(TransportError),
    /// Time is up and the job runs on, or was not yet started; or the host cannot take it now, and an earlier call may
    /// have started it or may still do so.
    StillThere(JobState),
}

/// Starts the job or attaches to it, as `call` allows, and follows it until `deadline`. However late the host is
/// reached, the job is over on it before then: whoever gives up on it may put the host back.
///
/// A lost connection, a reboot or a timeout is never read as the job's failure: the host is asked again.
pub async fn drive(
    spool: &JobSpool,
    transport: &dyn Transport,
    host: &Host,
    job: &Job,
    call: Call,
    deadline: Instant,
    note: &(dyn Fn(&str) + Sync),
) -> JobEnd {
    let begun = Instant::now();
    let mut call = call;
    let mut sent = false;
    let mut pause = BACKOFF.0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = WAIT.min(TimeSpan::seconds(left.as_secs()));
        let asked = Instant::now();
        let may_run = TimeSpan::seconds(left.saturating_sub(KILL_GRACE).as_secs());
        let job = &Job { limit: job.limit.min(may_run).max(TimeSpan::seconds(1)), ..job.clone() };
        let answer = match transport.open(host).await {
            Ok(session) => spool.attach(&*session, job, call, wait).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(state @ (JobState::Running(_) | JobState::Claimed)) => {
                sent = true;
                pause = BACKOFF.0;
                if left.is_zero() {
                    return JobEnd::StillThere(state);
                }
                if let JobState::Running(tail) = &state {
                    // It is on the host: from now on the script need not travel again.
                    call = Call::Look;
                    note(&last_line(tail));
                }
                // A host whose `flock` cannot wait answers at once.
                if asked.elapsed() < Duration::from_secs(1) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            // It says what the host did with this call, and nothing of one before.
            Ok(state @ JobState::NotClaimed(_)) if sent => return JobEnd::StillThere(state),
            Ok(state) => return JobEnd::Known(state),
            Err(error) => {
                let nothing_sent = matches!(
                    error,
                    TransportError::Connect { .. } | TransportError::HostKey { .. } | TransportError::Login { .. }
                );
                sent |= !nothing_sent;
                let hopeless = matches!(error, TransportError::HostKey { .. } | TransportError::Login { .. });
                if !sent && (hopeless || begun.elapsed() >= FIRST_CONTACT || left.is_zero()) {
                    return JobEnd::NeverSent(error);
                }
                if left.is_zero() || matches!(error, TransportError::HostKey { .. }) {
                    return JobEnd::Unknown(error);
                }
                note(&format!("{error}; asking again"));
                tokio::time::sleep(pause.min(left)).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
}

/// The last line with something on it, for people.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("running");
    told(line.trim(), 200)
}

//! How a script travels to a shell and its result comes back, the same over ssh and on this machine.
//!
//! The remote command is constant; a random word on the first line of its input frames the answer. The exit code comes
//! back inside the output, because ssh itself cannot tell some codes from a lost connection.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;

/// What the shell on the other side runs: single quotes, line ends and `!` are absent, so that every login shell
/// passes it on as it is. `read` takes one line byte by byte and leaves the rest to the inner shell.
pub(super) const RECEIVER: &str =
    r#"IFS= read -r n; printf "\n##begin %s\n" "$n"; /bin/sh -s; printf "\n##rc %s %s\n" "$n" "$?""#;

/// How much of each stream is kept: this much from its beginning and this much from its end.
const KEPT_HALF: usize = 2 << 20;
/// What a login shell may say before the script begins.
const MAX_PREFACE: usize = 64 << 10;
/// How long the error stream may trail behind the end of the script; something it left in the background may hold it
/// open for ever.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// The beginning and the end of a stream.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Bounded {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = KEPT_HALF - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(KEPT_HALF);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut out = self.head;
        if self.dropped > 0 {
            out.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        out.extend(self.tail);
        out
    }
}

/// Finds the frame in a stream of bytes.
#[derive(Debug)]
struct Frame {
    begin: Vec<u8>,
    end: Vec<u8>,
    /// Not yet known to be free of a marker.
    held: Vec<u8>,
    begun: bool,
    output: Bounded,
}

impl Frame {
    fn new(nonce: &str) -> Self {
        Self {
            begin: format!("\n##begin {nonce}\n").into_bytes(),
            end: format!("\n##rc {nonce} ").into_bytes(),
            held: Vec::new(),
            begun: false,
            output: Bounded::default(),
        }
    }

    /// The exit code, once it has been heard.
    fn feed(&mut self, bytes: &[u8]) -> Option<i32> {
        self.held.extend_from_slice(bytes);
        if !self.begun {
            match find(&self.held, &self.begin) {
                Some(at) => {
                    self.held.drain(..at + self.begin.len());
                    self.begun = true;
                }
                None => {
                    let excess = self.held.len().saturating_sub(MAX_PREFACE);
                    self.held.drain(..excess);
                    return None;
                }
            }
        }
        if let Some(at) = find(&self.held, &self.end) {
            let code = &self.held[at + self.end.len()..];
            let line_end = code.iter().position(|&b| b == b'\n')?;
            let code = std::str::from_utf8(&code[..line_end]).ok()?.trim().parse().ok()?;
            self.output.push(&self.held[..at]);
            self.held.clear();
            return Some(code);
        }
        let sure = self.held.len().saturating_sub(self.end.len());
        self.output.push(&self.held[..sure]);
        self.held.drain(..sure);
        None
    }

    fn into_output(mut self) -> Vec<u8> {
        self.output.push(&self.held);
        self.output.into_bytes()
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// How far the other side got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The receiver never spoke: the script was not run, or the answer was lost on its way.
    Nothing,
    /// The receiver spoke; the end of the script was not heard.
    Begun,
    /// The script ended with this code.
    Ended(i32),
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) heard: Heard,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Sends the script and listens until its end is heard or the stream ends.
pub(super) async fn converse(
    nonce: &str,
    script: &str,
    mut stdin: impl AsyncWrite + Unpin,
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
) -> Answer {
    let (ended, end) = watch::channel(false);
    let (mut end_for_write, mut end_for_errors) = (end.clone(), end);

    let write = async {
        let all = async {
            // A shell that is gone does not read: its end is heard on stdout.
            let _ = stdin.write_all(format!("{nonce}\n").as_bytes()).await;
            let _ = stdin.write_all(script.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
            let _ = stdin.shutdown().await;
        };
        tokio::select! { () = all => {}, _ = end_for_write.wait_for(|ended| *ended) => {} }
        drop(stdin);
    };
    let listen = async {
        let mut frame = Frame::new(nonce);
        let mut buffer = vec![0; 32 << 10];
        let mut code = None;
        while let Ok(read @ 1..) = stdout.read(&mut buffer).await {
            code = frame.feed(&buffer[..read]);
            if code.is_some() {
                break;
            }
        }
        let _ = ended.send(true);
        let heard = match code {
            Some(code) => Heard::Ended(code),
            None if frame.begun => Heard::Begun,
            None => Heard::Nothing,
        };
        (heard, frame.into_output())
    };
    let errors = async {
        let mut kept = Bounded::default();
        let mut buffer = vec![0; 8 << 10];
        let read_all = async {
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                kept.push(&buffer[..read]);
            }
        };
        let grace = async {
            let _ = end_for_errors.wait_for(|ended| *ended).await;
            tokio::time::sleep(STDERR_GRACE).await;
        };
        tokio::select! { () = read_all => {}, () = grace => {} }
        kept.into_bytes()
    };
    let ((), (heard, stdout), stderr) = tokio::join!(write, listen, errors);
    Answer { heard, stdout, stderr }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_output_keeps_both_ends() {
        let mut kept = Bounded::default();
        for i in 0..100u8 {
            kept.push(&vec![i; 100_000]);
        }
        let bytes = kept.into_bytes();
        assert!(bytes.len() < 2 * KEPT_HALF + 100);
        assert_eq!((bytes[0], *bytes.last().unwrap()), (0, 99));
        assert!(find(&bytes, b"bytes left out").is_some());
    }

    proptest! {
        #[test]
        fn the_frame_is_found_however_the_stream_is_cut(
            preface in prop::collection::vec(any::<u8>(), 0..40),
            body in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'#'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(1usize..40, 1..40),
            code in 0i32..256,
        ) {
            let mut stream = preface;
            stream.extend_from_slice(b"\n##begin 00ff\n");
            stream.extend_from_slice(&body);
            stream.extend_from_slice(format!("\n##rc 00ff {code}\n").as_bytes());
            stream.extend_from_slice(b"left in the background");
            let mut frame = Frame::new("00ff");
            let mut rest = &stream[..];
            let mut heard = None;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || heard.is_some() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                heard = frame.feed(now);
                rest = later;
            }
            prop_assert_eq!(heard, Some(code));
            prop_assert_eq!(frame.into_output(), body);
        }
    }
}

//! A plan file is what it names itself, to the byte.

use switchback::plan::{PlanFileError, plan_id, read_plan, write_plan};

use crate::fleet::Fleet;

fn written() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_plan(&Fleet::of(1, 1).plan_without_budget(), &mut bytes).unwrap();
    bytes
}

impl Fleet {
    fn plan_without_budget(mut self) -> switchback::plan::Plan {
        self.policy.rollout.max_unavailable = None;
        self.plan()
    }
}

fn code(bytes: &[u8]) -> &'static str {
    read_plan(bytes).expect_err("the file must be refused").code()
}

#[test]
fn the_digest_is_that_of_the_bytes_between_the_frame() {
    let bytes = written();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.starts_with("{\"switchback_plan\":3,\"digest\":\""));
    let (id, plan) = read_plan(bytes.as_slice()).unwrap();
    assert_eq!(plan.hosts.len(), 1);
    assert_eq!(plan_id(&plan).unwrap(), id);
    let body = text.split_once("\"plan\":").unwrap().1.strip_suffix("}\n").unwrap();
    assert_eq!(switchback::model::Digest::of(body.as_bytes()), id);
    // Any JSON reader takes it.
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["digest"], id.to_string());
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let bytes = written();
    for at in (0..bytes.len()).step_by(211).chain(0..200).chain(bytes.len() - 20..bytes.len()) {
        for flip in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            assert!(read_plan(changed.as_slice()).is_err(), "byte {at} ^ {flip}");
        }
    }
    let mut changed = bytes.clone();
    let at = changed.windows(6).position(|w| w == b"web-00").unwrap();
    changed[at] = b'v';
    assert_eq!(code(&changed), "plan-changed");
    // So is a digest that was made to fit nothing.
    let mut changed = bytes;
    let at = changed.windows(10).position(|w| w == b"\"digest\":\"").unwrap() + 10;
    changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(code(&changed), "plan-changed");
}

#[test]
fn cut_off_and_continued_files_are_told_from_edited_ones() {
    let bytes = written();
    for at in (0..bytes.len()).step_by(97).chain(0..400).chain(bytes.len() - 1200..bytes.len()) {
        assert_eq!(code(&bytes[..at]), "plan-truncated", "cut at {at} of {}", bytes.len());
    }
    for more in ["\n", " ", "x", "{}"] {
        assert_eq!(code(&[bytes.as_slice(), more.as_bytes()].concat()), "plan-trailing-data", "{more:?}");
    }
    let twice = [bytes.as_slice(), bytes.as_slice()].concat();
    assert_eq!(code(&twice), "plan-trailing-data");
}

#[test]
fn another_format_is_refused_with_both_shown() {
    let text = String::from_utf8(written()).unwrap();
    for other in ["1", "2", "10", "0"] {
        let error =
            read_plan(text.replacen("plan\":3,", &format!("plan\":{other},"), 1).as_bytes()).expect_err("refused");
        assert_eq!(error.code(), "plan-format");
        assert_eq!(error.to_string(), format!("plan file has format {other}, this program reads format 3"));
    }
}

#[test]
fn what_is_no_plan_is_named_so() {
    for text in ["hello", "{\"plan\":1}", "[]", "\u{1b}[31m"] {
        assert_eq!(code(text.as_bytes()), "not-a-plan", "{text:?}");
    }
    assert_eq!(code(b""), "plan-truncated");
}

#[test]
fn a_plan_with_the_right_digest_and_other_content_is_refused() {
    let text = String::from_utf8(written()).unwrap();
    let body = text.split_once("\"plan\":").unwrap().1.strip_suffix("}\n").unwrap();
    let forge = |body: &str| {
        let digest = switchback::model::Digest::of(body.as_bytes());
        format!("{{\"switchback_plan\":3,\"digest\":\"{digest}\",\"plan\":{body}}}\n")
    };
    assert!(read_plan(forge(body).as_bytes()).is_ok());
    // Not the one spelling that a plan has; an unknown field; something else.
    for other in [body.replacen(':', ": ", 1), body.replacen('{', "{\"extra\":1,", 1), "{}".to_owned()] {
        assert_eq!(code(forge(&other).as_bytes()), "plan-invalid", "{}", &other[..other.len().min(40)]);
    }
    assert_eq!(code(forge(&"[".repeat(100_000)).as_bytes()), "plan-invalid");
    assert!(matches!(
        read_plan(forge(&body.replacen("\"format\":3", "\"format\":4", 1)).as_bytes()),
        Err(PlanFileError::Format { .. })
    ));
}

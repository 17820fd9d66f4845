//! Answers of a name server, as they are behind their signature, and what is remembered in its texts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let _ = switchback::switch::reads_answer(octets);
});

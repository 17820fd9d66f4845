//! CVSS vectors of versions 2, 3 and 4.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::model::score_vector;

fuzz_target!(|text: &str| {
    let _ = score_vector(text);
});

//! Plan files, and plans with a digest that is right but content that nobody planned.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::plan::{Plan, check, read_plan, write_plan};

fuzz_target!(|data: &[u8]| {
    let _ = read_plan(data);
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        let mut file = Vec::new();
        let written = write_plan(&plan, &mut file).expect("a plan can be written");
        if let Ok((id, read)) = read_plan(file.as_slice()) {
            assert_eq!(id, written);
            let _ = check(&read);
        }
    }
});

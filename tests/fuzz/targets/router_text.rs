#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::router_text::check(bytes));

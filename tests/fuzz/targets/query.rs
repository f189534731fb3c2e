#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::query::check(bytes));

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::router_packet::check(bytes));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feed_fuzz::check("gateway", data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| feed_fuzz::check("file_source", data));

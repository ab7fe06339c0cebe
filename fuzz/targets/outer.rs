#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dianyu_fuzz::outer(data));

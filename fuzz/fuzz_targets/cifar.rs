//! Any bytes as a file of CIFAR-10 records.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(records) = coulomb_gan::data::cifar::read_records(bytes) {
        assert_eq!(records.len() * 3073, bytes.len());
    }
});

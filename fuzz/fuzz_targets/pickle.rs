//! Any bytes as a batch of CIFAR-10's Python version.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(pictures) = coulomb_gan::data::pickle::pixels(bytes) {
        assert!(pictures.len() * 3072 <= bytes.len());
    }
});

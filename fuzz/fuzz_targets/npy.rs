//! Any bytes as NumPy's array.
#![no_main]

use coulomb_gan::numbers::npy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensor) = npy::parse(bytes) {
        assert_eq!(tensor.shape().count(), tensor.data().len());
    }
});

//! Any bytes as one picture, through the function that picture folders and databases use.
#![no_main]

use coulomb_gan::data::{Crop, decode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = decode::picture(bytes, 8, Crop::Center) {
        assert_eq!(picture.len(), 3 * 8 * 8);
    }
});

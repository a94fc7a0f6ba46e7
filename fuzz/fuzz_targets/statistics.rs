//! Any bytes as a file of FID statistics.
#![no_main]

use coulomb_gan::metrics::frechet::{distance, statistics};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(gaussian) = statistics::parse(bytes) {
        let n = gaussian.features();
        assert_eq!(gaussian.covariance().len(), n * n);
        if n < 100 {
            let own = distance(&gaussian, &gaussian);
            assert!(own.is_nan() || own >= 0.0);
        }
    }
});

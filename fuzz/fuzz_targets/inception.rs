//! Any bytes as weights of a thin Inception network.
#![no_main]

use coulomb_gan::exec::Store;
use coulomb_gan::models::inception::Weights;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(weights) = Weights::parse(bytes, 16) {
        let mut store = Store::new();
        weights.insert_into(&mut store);
        for parameter in weights.network.parameters() {
            assert_eq!(store.shape_of(&parameter.name), Some(&parameter.shape));
        }
        assert!(store.is_finite().unwrap());
    }
});

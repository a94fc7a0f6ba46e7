//! Any bytes as a checkpoint.
#![no_main]

use coulomb_gan::numbers::tensor_file::TensorFile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = TensorFile::parse(bytes) {
        for tensor in file.tensors.values() {
            assert_eq!(tensor.shape().count(), tensor.data().len());
        }
    }
});

//! How parameters start.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A distribution to draw initial values from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All the same number.
    Constant(f32),
    /// Uniform on `[−bound, bound)`. PyTorch's linear layers use `bound = 1/√in` for weights and biases.
    Uniform(f32),
}

impl Init {
    /// Uniform with variance `gain / fan`, for weights of which `fan` meet in one output.
    ///
    /// If the inputs have mean square `q`, the outputs have variance `gain · q`: with the right gain
    /// ([`super::Activation::gain`]) signals keep their size from layer to layer (LeCun et al. 1998; He et al.
    /// 2015). PyTorch's default is a gain of 1/3, which is fine for one hidden layer; five convolutions deep it
    /// leaves a tenth of the signal or less.
    pub fn scaled(gain: f64, fan: f64) -> Self {
        Self::Uniform((3.0 * gain / fan).sqrt() as f32)
    }

    /// Fills `values` with independent draws.
    pub fn fill(self, rng: &mut ChaCha8Rng, values: &mut [f32]) {
        match self {
            Init::Constant(value) => values.fill(value),
            Init::Uniform(bound) => {
                for value in values {
                    *value = bound * (2.0 * rng.random::<f32>() - 1.0);
                }
            }
        }
    }
}

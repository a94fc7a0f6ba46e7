//! How parameters start.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A distribution to draw initial values from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zero.
    Zeros,
    /// Uniform on `[−bound, bound)`. PyTorch's linear layers use `bound = 1/√in` for weights and biases.
    Uniform(f32),
}

impl Init {
    /// Fills `values` with independent draws.
    pub fn fill(self, rng: &mut ChaCha8Rng, values: &mut [f32]) {
        match self {
            Init::Zeros => values.fill(0.0),
            Init::Uniform(bound) => {
                for value in values {
                    *value = bound * (2.0 * rng.random::<f32>() - 1.0);
                }
            }
        }
    }
}

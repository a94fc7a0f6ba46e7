//! What a run says about where and how it is computed: `--backend` and `--precision`.

use serde::{Deserialize, Serialize};

/// The executors by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// SIMD kernels in `f32` on a crew of threads.
    #[default]
    Cpu,
    /// Compute kernels on a graphics processor.
    Gpu,
    /// Textbook loops in `f64`.
    Reference,
}

impl Executor {
    /// Its name: `cpu`, `gpu` or `reference`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Reference => "reference",
        }
    }
}

/// How a GPU stores activations and the gradients that flow back through them. Parameters, Adam, statistics of batch
/// norms and potentials are single precision always, and so are all sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Precision {
    /// `f32`.
    #[default]
    #[serde(rename = "f32")]
    Single,
    /// `f16`: half the memory and traffic, 11 bits of precision.
    #[serde(rename = "f16")]
    Half,
}

impl Precision {
    /// Its name: `f32` or `f16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "f32",
            Self::Half => "f16",
        }
    }

    /// Whether it is what runs have that say nothing.
    pub fn is_single(&self) -> bool {
        *self == Self::Single
    }
}

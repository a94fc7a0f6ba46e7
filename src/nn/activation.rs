//! The functions between layers.

use super::{Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// A function of each element, without parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `x` if `x > 0`, else `eˣ − 1` (Clevert et al. 2016): the paper's, which needs no batch norm.
    Elu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, slope · x)` with this slope between 0 and 1; DCGAN's discriminator has 0.2.
    LeakyRelu(f64),
}

impl Activation {
    /// `1 / E[f(x)²]` for a standard normal `x`: the gain with which the layer after this function hands on
    /// unit variance ([`super::Init::scaled`]).
    pub fn gain(self) -> f64 {
        match self {
            // 0.64495 by numerical integration; the other two are halves of a symmetric integral.
            Self::Elu => 1.0 / 0.64495,
            Self::Relu => 2.0,
            Self::LeakyRelu(slope) => 2.0 / (1.0 + slope * slope),
        }
    }
}

impl Network for Activation {
    fn parameters(&self) -> Vec<Parameter> {
        vec![]
    }

    fn record(&self, t: &mut Tape, x: Var, _mode: Mode) -> Var {
        match *self {
            Self::Elu => t.elu(x),
            Self::Relu => t.relu(x),
            Self::LeakyRelu(slope) => t.leaky_relu(x, slope),
        }
    }
}

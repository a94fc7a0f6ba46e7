//! Fully connected layers.

use super::{Init, Parameter};
use crate::tape::{Tape, Var};

/// `y = x Wᵀ + b` for each row of `x`, with `W` of shape `[outputs, inputs]` and `b` of shape `[outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The name of the layer; its parameters are `name.weight` and `name.bias`.
    pub name: String,
    /// Length of a row of `x`.
    pub inputs: usize,
    /// Length of a row of `y`.
    pub outputs: usize,
}

impl Linear {
    /// Weight and bias, uniform on `±1/√inputs` as in PyTorch.
    pub fn parameters(&self) -> [Parameter; 2] {
        let init = Init::Uniform(1.0 / (self.inputs as f32).sqrt());
        let parameter = |what: &str, shape: &[usize]| Parameter {
            name: format!("{}.{what}", self.name),
            shape: shape.into(),
            init,
            decays: what == "weight",
        };
        [
            parameter("weight", &[self.outputs, self.inputs]),
            parameter("bias", &[self.outputs]),
        ]
    }

    /// Records `x Wᵀ + b` for `x` of shape `[B, inputs]`; the result is `[B, outputs]`.
    pub fn record(&self, t: &mut Tape, x: Var) -> Var {
        t.layer(&self.name, |t| {
            let [weight, bias] = self.parameters().map(|p| p.record(t));
            let product = t.matmul(x, false, weight, true);
            let shape = t.shape(product).clone();
            let bias = t.broadcast(bias, shape);
            t.add(product, bias)
        })
    }
}

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
    /// How the bias starts; the weight is uniform on `±1/√inputs`, as in PyTorch.
    pub bias: Init,
}

impl Linear {
    /// A layer that starts as PyTorch's do: weight and bias uniform on `±1/√inputs`.
    pub fn new(name: &str, inputs: usize, outputs: usize) -> Self {
        Self {
            name: name.into(),
            inputs,
            outputs,
            bias: Init::Uniform(1.0 / (inputs as f32).sqrt()),
        }
    }

    /// Weight and bias.
    pub fn parameters(&self) -> [Parameter; 2] {
        let init = Init::Uniform(1.0 / (self.inputs as f32).sqrt());
        let parameter = |what: &str, shape: &[usize], init| Parameter {
            name: format!("{}.{what}", self.name),
            shape: shape.into(),
            init,
            decays: what == "weight",
        };
        [
            parameter("weight", &[self.outputs, self.inputs], init),
            parameter("bias", &[self.outputs], self.bias),
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

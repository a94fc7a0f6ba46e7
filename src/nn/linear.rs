//! Fully connected layers.

use super::{Init, Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// `y = x Wᵀ + b` for each row of `x`: `[B, inputs]` to `[B, outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The name of the layer; its parameters are `name.weight`, `[outputs, inputs]`, and `name.bias`,
    /// `[outputs]`.
    pub name: String,
    /// Length of a row of `x`.
    pub inputs: usize,
    /// Length of a row of `y`.
    pub outputs: usize,
    /// How the weight starts.
    pub weight: Init,
    /// How the bias starts, if there is one.
    pub bias: Option<Init>,
}

impl Linear {
    /// A layer that starts as PyTorch's do: weight and bias uniform on `±1/√inputs`.
    pub fn new(name: &str, inputs: usize, outputs: usize) -> Self {
        let init = Init::Uniform(1.0 / (inputs as f32).sqrt());
        Self {
            name: name.into(),
            inputs,
            outputs,
            weight: init,
            bias: Some(init),
        }
    }
}

impl Network for Linear {
    fn parameters(&self) -> Vec<Parameter> {
        let bias = (self.outputs, self.bias);
        Parameter::weight_and_bias(&self.name, &[self.outputs, self.inputs], self.weight, bias)
    }

    fn record(&self, t: &mut Tape, x: Var, _mode: Mode) -> Var {
        t.layer(&self.name, |t| {
            let parameters = self.parameters();
            let weight = parameters[0].record(t);
            let product = t.matmul(x, false, weight, true);
            let Some(bias) = parameters.get(1) else {
                return product;
            };
            let bias = bias.record(t);
            let shape = t.shape(product).clone();
            let bias = t.broadcast(bias, shape);
            t.add(product, bias)
        })
    }
}

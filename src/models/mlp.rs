//! Multilayer perceptrons with ELU between the layers, the networks of the paper's mixture experiment (A.5).

use crate::nn::{Init, Linear, Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// Linear layers with ELU between them; the last layer is linear.
///
/// Names follow PyTorch's `nn.Sequential(Linear, ELU, Linear, ELU, Linear)`, in which an activation takes a
/// number too: the layers are `name.0`, `name.2`, `name.4`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    /// A network from `sizes[0]` inputs through hidden layers to `sizes[last]` outputs.
    ///
    /// Recording it panics if there are fewer than two sizes, i.e. no layer.
    pub fn new(name: &str, sizes: &[usize]) -> Self {
        let layers = sizes.windows(2).enumerate();
        let layers = layers.map(|(i, s)| Linear::new(&format!("{name}.{}", 2 * i), s[0], s[1]));
        Self {
            layers: layers.collect(),
        }
    }

    /// Starts the first layer's biases uniformly on `±range` instead.
    ///
    /// A unit `elu(w·a + b)` bends where `w·a = −b`. PyTorch's small biases put all bends next to the origin;
    /// for data that reach out to 21, biases of that size spread the bends over the data.
    pub fn with_bias_range(mut self, range: f32) -> Self {
        if let Some(first) = self.layers.first_mut() {
            first.bias = Some(Init::Uniform(range));
        }
        self
    }
}

impl Network for Mlp {
    fn parameters(&self) -> Vec<Parameter> {
        self.layers.iter().flat_map(|l| l.parameters()).collect()
    }

    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        let (last, hidden) = self.layers.split_last().expect("at least one layer");
        let mut h = x;
        for layer in hidden {
            h = layer.record(t, h, mode);
            h = t.layer(&layer.name, |t| t.elu(h));
        }
        last.record(t, h, mode)
    }
}

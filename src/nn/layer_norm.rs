//! Layer normalisation (Ba et al. 2016), in the form that WGAN-GP's critic has it (Gulrajani et al. 2017).

use super::batch_norm::EPSILON;
use super::{Init, Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// `y = (x − μ) / √(σ² + ε) · weight + bias` for each row of `x`, `[N, C, …]`: mean `μ` and (biased) variance `σ²` are
/// those of the row, over everything but the first axis, while weight and bias are numbers per channel.
///
/// Rows do not meet, so unlike a batch norm it has no statistics to keep, does the same in training and sampling, and
/// leaves a gradient penalty each point's own slope. PyTorch's namesake is `nn.GroupNorm(1, C)`; its `nn.LayerNorm` has a
/// weight for every place rather than every channel.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    /// The name of the layer; its parameters are `name.weight` and `name.bias`, both `[channels]`.
    pub name: String,
    /// `C`.
    pub channels: usize,
}

impl Network for LayerNorm {
    fn parameters(&self) -> Vec<Parameter> {
        let parameter = |(what, value)| Parameter {
            name: format!("{}.{what}", self.name),
            shape: [self.channels].into(),
            init: Init::Constant(value),
            decays: false,
        };
        [("weight", 1.0), ("bias", 0.0)].map(parameter).into()
    }

    fn record(&self, t: &mut Tape, x: Var, _mode: Mode) -> Var {
        t.layer(&self.name, |t| {
            let shape = t.shape(x).clone();
            let mean = mean_per_row(t, x);
            let mean = t.broadcast(mean, &shape);
            let centred = t.sub(x, mean);
            let square = t.square(centred);
            let variance = mean_per_row(t, square);
            let variance = t.affine(variance, 1.0, EPSILON);
            let root = t.sqrt(variance);
            let root = t.broadcast(root, &shape);
            let normal = t.div(centred, root);
            let parameters = self.parameters();
            let [weight, bias] = [0, 1].map(|i| {
                let numbers = parameters[i].per_channel(t, shape.len());
                t.broadcast(numbers, &shape)
            });
            let scaled = t.mul(normal, weight);
            t.add(scaled, bias)
        })
    }
}

/// The mean over all axes but the first: `[N, …]` to `[N, 1, …]`.
fn mean_per_row(t: &mut Tape, x: Var) -> Var {
    let shape = t.shape(x).clone();
    let sum = t.sum(x, 1..shape.len());
    t.scale(sum, shape[0] as f64 / shape.count() as f64)
}

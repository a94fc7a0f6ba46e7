//! Batch normalisation (Ioffe & Szegedy 2015).

use super::{Init, Mode, Network, Parameter};
use serde::{Deserialize, Serialize};

use crate::tape::{Tape, Var};

/// Keeps the root of a variance away from 0; PyTorch's default.
pub(super) const EPSILON: f64 = 1e-5;

/// Weight of the newest batch in the running statistics; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// With which means and variances samples are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistics {
    /// Running averages over the batches of training: a sample depends on its own latents only. As PyTorch's
    /// norms in `eval()`.
    Running,
    /// Those of the batch it is drawn in, as while training: a sample depends on its whole batch. Nothing is
    /// tracked. As PyTorch's norms with `track_running_stats=False`.
    Batch,
}

/// `y = (x − μ) / √(σ² + ε) · weight + bias` for each channel of `x`, `[N, C, …]`, with mean `μ` and variance
/// `σ²` over everything but the channels.
///
/// Training uses the mean and the (biased, `1/n`) variance of the batch; the gradient goes through both. With
/// [`Statistics::Running`] a recorded training pass also assigns
///
/// ```text
/// running_mean ← 0.9 running_mean + 0.1 μ            running_var ← 0.9 running_var + 0.1 σ² n / (n − 1)
/// ```
///
/// so such a layer can be recorded for training only once per tape.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNorm {
    /// The name of the layer; its parameters are `name.weight` and `name.bias`, its buffers
    /// `name.running_mean` and `name.running_var`, all `[channels]`.
    pub name: String,
    /// `C`.
    pub channels: usize,
    /// With which statistics samples are normalised, and so whether running ones are kept.
    pub sampling: Statistics,
}

impl BatchNorm {
    fn states(&self, names_and_values: [(&str, f32); 2]) -> Vec<Parameter> {
        let state = |(what, value)| Parameter {
            name: format!("{}.{what}", self.name),
            shape: [self.channels].into(),
            init: Init::Constant(value),
            decays: false,
        };
        names_and_values.map(state).into()
    }
}

impl Network for BatchNorm {
    fn parameters(&self) -> Vec<Parameter> {
        self.states([("weight", 1.0), ("bias", 0.0)])
    }

    fn buffers(&self) -> Vec<Parameter> {
        match self.sampling {
            Statistics::Running => self.states([("running_mean", 0.0), ("running_var", 1.0)]),
            Statistics::Batch => vec![],
        }
    }

    /// # Panics
    /// If `x` has other channels, or while training only one number per channel, which has no variance.
    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        t.layer(&self.name, |t| {
            let shape = t.shape(x).clone();
            let rank = shape.len();
            let running = self.buffers();
            let (mean, variance) = if mode == Mode::Train || running.is_empty() {
                let mean = mean_per_channel(t, x);
                let centred = subtract(t, x, mean);
                let square = t.square(centred);
                (mean, mean_per_channel(t, square))
            } else {
                let [mean, variance] = [0, 1].map(|i| running[i].per_channel(t, rank));
                (mean, variance)
            };
            if mode == Mode::Train && !running.is_empty() {
                let n = (shape.count() / self.channels) as f64;
                assert!(n > 1.0, "{}: a variance needs two numbers", self.name);
                for (buffer, batch, factor) in [
                    (&running[0], mean, 1.0),
                    (&running[1], variance, n / (n - 1.0)),
                ] {
                    let old = buffer.record(t);
                    let batch = t.reshape(batch, [self.channels]);
                    let kept = t.scale(old, 1.0 - MOMENTUM);
                    let new = t.scale(batch, MOMENTUM * factor);
                    let next = t.add(kept, new);
                    t.assign(old, next);
                }
            }
            let parameters = self.parameters();
            let [weight, bias] = [0, 1].map(|i| parameters[i].per_channel(t, rank));
            let variance = t.affine(variance, 1.0, EPSILON);
            let root = t.sqrt(variance);
            let factor = t.div(weight, root);
            let factor = t.broadcast(factor, &shape);
            let bias = t.broadcast(bias, &shape);
            let centred = subtract(t, x, mean);
            let scaled = t.mul(centred, factor);
            t.add(scaled, bias)
        })
    }
}

/// `x − mean`, with the mean of each channel at all its places.
fn subtract(t: &mut Tape, x: Var, mean: Var) -> Var {
    let shape = t.shape(x).clone();
    let mean = t.broadcast(mean, shape);
    t.sub(x, mean)
}

/// The mean over all axes but the channels: `[N, C, …]` to `[1, C, 1, …]`.
fn mean_per_channel(t: &mut Tape, x: Var) -> Var {
    let shape = t.shape(x).clone();
    let pixels = t.sum(x, 2..shape.len());
    let sum = t.sum(pixels, 0..1);
    t.scale(sum, shape[1] as f64 / shape.count() as f64)
}

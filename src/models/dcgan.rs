//! The paper's variant of DCGAN (Radford et al. 2016) for square colour pictures (section 3.1): 5 x 5 filters
//! throughout, few latents, and a discriminator with twice DCGAN's channels.
//!
//! For `side = 32` and `width = 1024`, `*` being an activation:
//!
//! ```text
//! G   z → 1024 x 4 x 4 * → 512 x 8 x 8 * → 256 x 16 x 16 * → 3 x 32 x 32 tanh
//! D   3 x 32 x 32 → 128 x 16 x 16 * → 256 x 8 x 8 * → 512 x 4 x 4 * → 1
//! ```
//!
//! Every arrow between pictures is a (transposed) convolution of stride 2; each doubling of `side` adds one to
//! each network. The equal PyTorch modules, whose `state_dict` has the same names and layouts:
//!
//! ```text
//! G   project = Linear(z, 16 * width)                  → view(-1, width, 4, 4)
//!     project_norm = BatchNorm2d(width)                with batch norm only; then the activation
//!     layers = Sequential(ConvTranspose2d(c, c // 2, 5, 2, 2, 1), [BatchNorm2d(c // 2)], ELU(), ...,
//!                         ConvTranspose2d(c, 3, 5, 2, 2, 1), Tanh())
//! D   layers = Sequential(Conv2d(3, c, 5, 2, 2), ELU(), Conv2d(c, 2 * c, 5, 2, 2), [BatchNorm2d(2 * c)], ELU(), ...)
//!     score = Linear(16 * c, 1)                        ← flatten(1)
//! ```
//!
//! An auto-encoder of the same blocks goes down as `D` does, to `code = Linear(16 * c, z)` in place of the score, and up
//! again as `G` does.
//!
//! Batch norm stands where DCGAN has it: everywhere but after `G`'s last and `D`'s first convolution. A layer
//! before one has no bias (`bias=False`): the norm subtracts it again, so its gradient is mere rounding
//! noise, which Adam would scale up to full steps. Layer norm, `GroupNorm(1, c)`, takes the place of `D`'s batch norms, as
//! WGAN-GP asks; it subtracts only what all channels have in common, so biases stay.
//!
//! How the weights start: uniform, zero biases, with variance `gain / fan` such that signals of unit variance
//! stay so ([`Init::scaled`]). The fan of a transposed convolution of stride 2 is `in · 25 / 4`, because only
//! every second row and column of filter taps meets a pixel. The paper does not say how it starts; PyTorch's
//! default divides the signal by about two in every layer, so that a fresh `G` paints everything the same grey.
//! The last layer of `D` alone starts as PyTorch's, smaller: the potentials that it is to learn are small.

use serde::{Deserialize, Serialize};

use super::AutoEncoder;
use crate::nn::{
    Activation, BatchNorm, Conv2d, ConvTranspose2d, Init, Layer, LayerNorm, Linear, Mode, Network,
    Parameter, Sequential, Statistics,
};
use crate::tape::{Tape, Var, Window};

/// Height and width of all filters.
const KERNEL: usize = 5;

/// With 5 x 5 filters, exactly half as many pixels along each axis, or twice as many transposed.
const WINDOW: Window = Window {
    stride: [2, 2],
    padding: [2, 2],
};

/// Taps of a filter.
const TAPS: f64 = (KERNEL * KERNEL) as f64;

/// Whether activations are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// No; ELU does without, as in the paper.
    None,
    /// By batch, between layers.
    Batch,
    /// In `D` by point, as WGAN-GP's critic; in `G` by batch.
    Layer,
}

/// The function at the end of `G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Hyperbolic tangent.
    Tanh,
    /// LeCun's, 1.7159 tanh(2x/3), which leaves [−1, 1] where it is sure; whoever draws the picture clips.
    #[serde(rename = "lecun")]
    LeCunTanh,
}

/// What a pair of networks looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Dcgan {
    /// Height and width of the pictures: 16, 32, 64 or 128.
    pub side: usize,
    /// Channels of `G`'s 4 x 4 layer, a multiple of 16; 1024 in the paper. `D` starts with an eighth of it, at
    /// least 8.
    pub width: usize,
    /// Latents, the inputs of `G`.
    pub z_dim: usize,
    /// Whether activations of both networks are normalised, and how.
    pub norm: Norm,
    /// The activation of `G`.
    pub activation_g: Activation,
    /// The activation of `D`.
    pub activation_d: Activation,
    /// The function at the end of `G`.
    pub output: Output,
    /// With which statistics `G`'s norms draw samples.
    pub sampling: Statistics,
}

impl Dcgan {
    /// `G`, from latents `[B, z_dim]` to pictures `[B, 3, side, side]` for sizes as the fields have them.
    pub fn generator(&self, name: &str) -> Generator {
        let normed = self.norm != Norm::None;
        let norm = |name: String, channels| BatchNorm {
            name,
            channels,
            sampling: self.sampling,
        };
        let mut layers = vec![];
        let (mut channels, mut side) = (self.width, 4);
        while side < self.side {
            side *= 2;
            let last = side == self.side;
            let outputs = if last { 3 } else { channels / 2 };
            layers.push(Layer::ConvTranspose2d(ConvTranspose2d {
                name: numbered(name, &layers),
                inputs: channels,
                outputs,
                kernel: [KERNEL; 2],
                window: WINDOW,
                output_padding: [1; 2],
                weight: Init::scaled(self.activation_g.gain(), channels as f64 * TAPS / 4.0),
                bias: bias(!normed || last),
            }));
            if !last {
                if normed {
                    layers.push(Layer::BatchNorm(norm(numbered(name, &layers), outputs)));
                }
                layers.push(Layer::Activation(self.activation_g));
            }
            channels = outputs;
        }
        Generator {
            name: name.into(),
            project: Linear {
                name: format!("{name}.project"),
                inputs: self.z_dim,
                outputs: 16 * self.width,
                weight: Init::scaled(1.0, self.z_dim as f64),
                bias: bias(!normed),
            },
            project_norm: normed.then(|| norm(format!("{name}.project_norm"), self.width)),
            activation: self.activation_g,
            layers: Sequential { layers },
            output: self.output,
        }
    }

    /// `D`, from pictures `[B, 3, side, side]` to numbers `[B, 1]` for sizes as the fields have them.
    ///
    /// Its batch norms always use their batch: `D` sees real and generated points as two batches and is never asked
    /// about a single one.
    pub fn discriminator(&self, name: &str) -> Discriminator {
        let (layers, channels) = self.way_down(name);
        Discriminator {
            layers,
            head: Linear::new(&format!("{name}.score"), 16 * channels, 1),
        }
    }

    /// An auto-encoder of pictures `[B, 3, side, side]` through codes `[B, z_dim]`. Like a `D` it is shown real and generated
    /// points as two batches, so its batch norms always use their batch.
    pub fn auto_encoder(&self, name: &str) -> AutoEncoder {
        let [encoder, decoder] = ["encoder", "decoder"].map(|half| format!("{name}.{half}"));
        let (layers, channels) = self.way_down(&encoder);
        let inputs = 16 * channels;
        let head = Linear {
            name: format!("{encoder}.code"),
            inputs,
            outputs: self.z_dim,
            weight: Init::scaled(self.activation_d.gain(), inputs as f64),
            bias: bias(true),
        };
        let up = Self {
            sampling: Statistics::Batch,
            ..self.clone()
        };
        let encoder = Discriminator { layers, head };
        AutoEncoder::new(Box::new(encoder), Box::new(up.generator(&decoder)))
    }

    /// The layers of `D` down to 4 x 4 pixels, and their channels there.
    fn way_down(&self, name: &str) -> (Sequential, usize) {
        let mut layers = vec![];
        let (mut channels, mut outputs, mut side) = (3, (self.width / 8).max(8), self.side);
        while side > 4 {
            let first = side == self.side;
            let norm = if first { Norm::None } else { self.norm };
            let gain = if first { 1.0 } else { self.activation_d.gain() };
            layers.push(Layer::Conv2d(Conv2d {
                name: numbered(name, &layers),
                inputs: channels,
                outputs,
                kernel: [KERNEL; 2],
                window: WINDOW,
                weight: Init::scaled(gain, channels as f64 * TAPS),
                bias: bias(norm != Norm::Batch),
            }));
            match norm {
                Norm::None => {}
                Norm::Batch => layers.push(Layer::BatchNorm(BatchNorm {
                    name: numbered(name, &layers),
                    channels: outputs,
                    sampling: Statistics::Batch,
                })),
                Norm::Layer => layers.push(Layer::LayerNorm(LayerNorm {
                    name: numbered(name, &layers),
                    channels: outputs,
                })),
            }
            layers.push(Layer::Activation(self.activation_d));
            (channels, outputs, side) = (outputs, 2 * outputs, side / 2);
        }
        (Sequential { layers }, channels)
    }
}

/// The name of the next of `layers`: its position, as in PyTorch's `nn.Sequential`.
fn numbered(name: &str, layers: &[Layer]) -> String {
    format!("{name}.layers.{}", layers.len())
}

/// A bias that starts at zero, where one is wanted.
fn bias(wanted: bool) -> Option<Init> {
    wanted.then_some(Init::Constant(0.0))
}

/// `G`; see [`Dcgan::generator`].
#[derive(Debug, Clone, PartialEq)]
pub struct Generator {
    name: String,
    project: Linear,
    project_norm: Option<BatchNorm>,
    activation: Activation,
    layers: Sequential,
    output: Output,
}

impl Network for Generator {
    fn parameters(&self) -> Vec<Parameter> {
        let norm = self.project_norm.as_ref();
        let norm = norm.map_or(vec![], Network::parameters);
        [self.project.parameters(), norm, self.layers.parameters()].concat()
    }

    fn buffers(&self) -> Vec<Parameter> {
        let norm = self.project_norm.as_ref();
        let norm = norm.map_or(vec![], Network::buffers);
        [norm, self.layers.buffers()].concat()
    }

    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        let rows = t.shape(x)[0];
        let h = self.project.record(t, x, mode);
        let mut h = t.reshape(h, [rows, self.project.outputs / 16, 4, 4]);
        if let Some(norm) = &self.project_norm {
            h = norm.record(t, h, mode);
        }
        h = self.activation.record(t, h, mode);
        h = self.layers.record(t, h, mode);
        t.layer(&self.name, |t| match self.output {
            Output::Tanh => t.tanh(h),
            Output::LeCunTanh => t.lecun_tanh(h),
        })
    }
}

/// `D`, see [`Dcgan::discriminator`], or an encoder, see [`Dcgan::auto_encoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct Discriminator {
    layers: Sequential,
    head: Linear,
}

impl Network for Discriminator {
    fn parameters(&self) -> Vec<Parameter> {
        [self.layers.parameters(), self.head.parameters()].concat()
    }

    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        let rows = t.shape(x)[0];
        let h = self.layers.record(t, x, mode);
        let h = t.reshape(h, [rows, self.head.inputs]);
        self.head.record(t, h, mode)
    }
}

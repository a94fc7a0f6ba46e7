//! Inception-v3 (Szegedy et al. 2016), the network in whose features pictures are compared: the FID's (Heusel et al. 2017)
//! and its relatives'.
//!
//! A picture `[3, H, W]` of at least 75 x 75, red first, with numbers from −1 to 1, goes through 94 convolutions, each with a
//! batch norm and ReLU. `table` lists them. A feature is the mean of a channel over all places, taken where a [`Tap`] is.
//! Published numbers are those of 299 x 299; how pictures get that size, and whether a byte `b` becomes `b / 127.5 − 1` or
//! `(b − 128) / 128`, is for the caller to say.
//!
//! Nothing is trained here: a norm that only uses what it has learned is an affine function per channel, so `weights` folds
//! it into the filters and a bias when it reads them,
//!
//! ```text
//! γ (w ∗ x − μ) / √(σ² + ε) + β = (g w) ∗ x + (β − g μ),   g = γ / √(σ² + ε),   ε = 0.001
//! ```
//!
//! and an average, whose windows leave padding out, comes behind the convolution of 1 x 1 rather than before it. Both are
//! linear, one acts on places and the other on channels, and the mean of a bias is that bias; so the result is the same, of a
//! tenth of the channels.
//!
//! Two graphs share names and shapes, see [`Graph`]. torchvision's own, whose averages count padding, is a third one; it is
//! refused.

mod table;
mod weights;

pub use weights::{Weights, find};

use self::table::{Block, POOL, Part, STAY};
use crate::nn::{Activation, Conv2d, Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// Colours of a picture.
const COLOURS: usize = 3;

/// Which network of that family. Both leave padding out of averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graph {
    /// The FID's, of 2015, in 1008 classes: the pool in `Mixed_7c` is a maximum.
    Fid,
    /// Keras' `InceptionV3`: all pools within blocks of unchanged size are averages, and norms have no `γ`.
    Keras,
}

impl Graph {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fid, Self::Keras];

    /// Its name, in the metadata of files of weights.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fid => "fid",
            Self::Keras => "keras",
        }
    }
}

/// Behind which block features are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// The first max pool: 64 features.
    Pool1,
    /// The second max pool: 192 features.
    Pool2,
    /// `Mixed_6c`: 768 features, for networks that were trained anew behind it.
    Mixed6c,
    /// `Mixed_6e`: 768 features, those that the FID's tools mean by this number.
    Mixed6e,
    /// `Mixed_7c`, the last: the FID's 2048 features.
    Mixed7c,
}

impl Tap {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Pool1,
        Self::Pool2,
        Self::Mixed6c,
        Self::Mixed6e,
        Self::Mixed7c,
    ];

    /// The block.
    fn block(self) -> &'static str {
        match self {
            Self::Pool1 => "maxpool1",
            Self::Pool2 => "maxpool2",
            Self::Mixed6c => "Mixed_6c",
            Self::Mixed6e => "Mixed_6e",
            Self::Mixed7c => "Mixed_7c",
        }
    }
}

/// The network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inception {
    /// Which one.
    pub graph: Graph,
    /// 1 for the published network; 2, 4, 8 or 16 for one with so many times fewer channels, as tests have it.
    pub thin: usize,
}

impl Inception {
    /// The published network.
    pub fn new(graph: Graph) -> Self {
        Self { graph, thin: 1 }
    }

    /// The filters and biases of all convolutions, norms folded in.
    pub fn parameters(&self) -> Vec<Parameter> {
        let convolutions = self.convolutions();
        convolutions.iter().flat_map(Network::parameters).collect()
    }

    fn convolutions(&self) -> Vec<Conv2d> {
        let mut all = vec![];
        table::blocks(self.graph)
            .iter()
            .fold(COLOURS, |inputs, block| {
                block.visit(inputs, self.thin, &mut |layer| all.push(layer))
            });
        all
    }

    /// The features of pictures `x`, `[N, 3, H, W]`, at each of `taps`: `[N, channels]`. What no tap needs costs nothing.
    ///
    /// # Panics
    /// If pictures have other than three channels, or a side below 75.
    #[track_caller]
    pub fn record(&self, t: &mut Tape, x: Var, taps: &[Tap]) -> Vec<Var> {
        let mut features = vec![x; taps.len()];
        let mut h = x;
        for block in table::blocks(self.graph) {
            h = self.record_parts(t, h, &block, &block.parts);
            for (tap, features) in taps.iter().zip(&mut features) {
                if tap.block() == block.name {
                    *features = mean(t, h);
                }
            }
        }
        features
    }

    fn record_parts(&self, t: &mut Tape, x: Var, block: &Block, parts: &[Part]) -> Var {
        let convolve = |t: &mut Tape, unit: &table::Unit, x: Var| {
            let layer = unit.layer(block.name, t.shape(x)[1], self.thin);
            layer.record(t, x, Mode::Sample)
        };
        parts.iter().fold(x, |x, part| match part {
            Part::Convolve(unit) => {
                let y = convolve(t, unit, x);
                Activation::Relu.record(t, y, Mode::Sample)
            }
            Part::AverageAndConvolve(unit) => {
                let y = convolve(t, unit, x);
                let y = t.avg_pool2d(y, POOL, STAY);
                Activation::Relu.record(t, y, Mode::Sample)
            }
            Part::MaxPool(window) => t.max_pool2d(x, POOL, *window),
            Part::Fork(branches) => {
                let branches = branches.iter();
                let branches = branches.map(|parts| self.record_parts(t, x, block, parts));
                let branches: Vec<Var> = branches.collect();
                t.concat(&branches, 1)
            }
        })
    }
}

/// The mean over all places of `x`, `[N, C, H, W]`: `[N, C]`.
fn mean(t: &mut Tape, x: Var) -> Var {
    let shape = t.shape(x).clone();
    let sum = t.sum(x, 2..4);
    let sum = t.reshape(sum, [shape[0], shape[1]]);
    t.scale(sum, 1.0 / (shape[2] * shape[3]) as f64)
}

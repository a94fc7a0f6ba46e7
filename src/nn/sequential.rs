//! Layers one after the other.

use super::{Activation, BatchNorm, Conv2d, ConvTranspose2d, LayerNorm, Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// Layers that each take the result of the one before. In PyTorch's `nn.Sequential` the position of a layer is
/// its name; whoever builds this one names the layers so.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequential {
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// One of a [`Sequential`].
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// A convolution.
    Conv2d(Conv2d),
    /// A transposed convolution.
    ConvTranspose2d(ConvTranspose2d),
    /// Batch normalisation.
    BatchNorm(BatchNorm),
    /// Layer normalisation.
    LayerNorm(LayerNorm),
    /// A function of each element.
    Activation(Activation),
}

impl Layer {
    fn network(&self) -> &dyn Network {
        match self {
            Self::Conv2d(layer) => layer,
            Self::ConvTranspose2d(layer) => layer,
            Self::BatchNorm(layer) => layer,
            Self::LayerNorm(layer) => layer,
            Self::Activation(layer) => layer,
        }
    }
}

impl Network for Sequential {
    fn parameters(&self) -> Vec<Parameter> {
        let layers = self.layers.iter();
        layers.flat_map(|l| l.network().parameters()).collect()
    }

    fn buffers(&self) -> Vec<Parameter> {
        let layers = self.layers.iter();
        layers.flat_map(|l| l.network().buffers()).collect()
    }

    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        let layers = self.layers.iter();
        layers.fold(x, |x, layer| layer.network().record(t, x, mode))
    }
}

//! Floor 3: layers, as functions that record operations on named states.
//!
//! Names, layouts and conventions are PyTorch's: a module built from its namesakes loads the parameters and
//! buffers of these layers with `load_state_dict`.

pub mod activation;
pub mod batch_norm;
pub mod conv;
pub mod init;
pub mod layer_norm;
pub mod linear;
pub mod sequential;

use crate::exec::Store;
use crate::numbers::{Shape, Tensor, rng};
use crate::tape::{Tape, Var};
pub use activation::Activation;
pub use batch_norm::{BatchNorm, Statistics};
pub use conv::{Conv2d, ConvTranspose2d};
pub use init::Init;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use sequential::{Layer, Sequential};

/// A named tensor that a network needs in the store before it can be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in the store and in checkpoints, PyTorch's way: `generator.0.weight`.
    pub name: String,
    /// Its shape, PyTorch's way: `[out, in]` for a linear layer's weight.
    pub shape: Shape,
    /// How it starts.
    pub init: Init,
    /// Whether L2 regularisation applies: weights of linear and convolutional layers yes, all others no.
    pub decays: bool,
}

impl Parameter {
    /// This parameter as a value on `t`.
    pub fn record(&self, t: &mut Tape) -> Var {
        t.state(&self.name, &self.shape)
    }

    /// This parameter, one number per channel, with `rank` axes of which the channels are the second: it broadcasts to
    /// `[N, C, …]`.
    fn per_channel(&self, t: &mut Tape, rank: usize) -> Var {
        let v = self.record(t);
        let mut shape = vec![1; rank];
        shape[1] = self.shape[0];
        t.reshape(v, shape)
    }

    /// `name.weight` of the given shape, which decays, and `name.bias` of so many numbers, if there is one.
    fn weight_and_bias(
        name: &str,
        shape: &[usize],
        weight: Init,
        (outputs, bias): (usize, Option<Init>),
    ) -> Vec<Self> {
        let weight = Self {
            name: format!("{name}.weight"),
            shape: shape.into(),
            init: weight,
            decays: true,
        };
        let bias = bias.map(|init| Self {
            name: format!("{name}.bias"),
            shape: [outputs].into(),
            init,
            decays: false,
        });
        std::iter::once(weight).chain(bias).collect()
    }
}

/// What a network is recorded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A training step: batch norms use their batch, and keep running statistics where they are asked to.
    Train,
    /// Drawing samples: nothing is assigned.
    Sample,
}

/// A function with learnable parameters.
pub trait Network {
    /// The parameters, in the order of the layers.
    fn parameters(&self) -> Vec<Parameter>;

    /// States that training keeps without learning them by gradient, such as running means: PyTorch's
    /// buffers. They are initialised and saved like parameters.
    fn buffers(&self) -> Vec<Parameter> {
        vec![]
    }

    /// Records the function at the rows of `x`: its first axis counts the points, one after the other.
    ///
    /// A network with buffers can be recorded for training only once per tape, because a state is assigned
    /// once.
    ///
    /// # Panics
    /// If the shape of `x` does not fit.
    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var;

    /// The encoder and the decoder of an auto-encoder, whose parameters are those of the one and then those of the other;
    /// none of other networks.
    fn halves(&self) -> Option<[&dyn Network; 2]> {
        None
    }
}

/// Puts freshly drawn parameters into `store`; each depends on `seed` and its own name only.
pub fn initialise(parameters: &[Parameter], seed: u64, store: &mut Store) {
    for parameter in parameters {
        let mut rng = rng::stream(seed, &parameter.name, 0);
        let mut tensor = Tensor::zeros(&parameter.shape);
        parameter.init.fill(&mut rng, tensor.data_mut());
        store.insert(&parameter.name, &tensor);
    }
}

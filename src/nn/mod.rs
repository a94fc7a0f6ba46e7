//! Floor 3: layers and networks, as functions that record operations on named states.

pub mod init;
pub mod linear;
pub mod mlp;

use crate::exec::Store;
use crate::numbers::{Shape, Tensor, rng};
use crate::tape::{Tape, Var};
pub use init::Init;
pub use mlp::Mlp;

/// A learnable tensor: what a network needs in the store before it can be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in the store and in checkpoints, PyTorch's way: `generator.0.weight`.
    pub name: String,
    /// Its shape, PyTorch's way: `[out, in]` for a linear layer's weight.
    pub shape: Shape,
    /// How it starts.
    pub init: Init,
    /// Whether L2 regularisation applies: weights yes, biases no.
    pub decays: bool,
}

impl Parameter {
    /// This parameter as a value on `t`.
    pub fn record(&self, t: &mut Tape) -> Var {
        t.state(&self.name, &self.shape)
    }
}

/// A function with learnable parameters.
pub trait Network {
    /// The parameters, in the order of the layers.
    fn parameters(&self) -> Vec<Parameter>;

    /// Records the function at the rows of `x`.
    fn record(&self, t: &mut Tape, x: Var) -> Var;
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

//! Auto-encoders: they give back what they are given, by way of a code.

use crate::nn::{Mode, Network, Parameter};
use crate::tape::{Tape, Var};

/// `D(v) = decode(encode(v))`, from points `[B, point...]` through codes `[B, N]` to points again: the discriminator of
/// BEGAN, which judges a point by how well it comes back, and of MMD-GAN, which compares codes.
pub struct AutoEncoder {
    encoder: Box<dyn Network + Send>,
    decoder: Box<dyn Network + Send>,
}

impl AutoEncoder {
    /// The network that has these halves.
    pub fn new(encoder: Box<dyn Network + Send>, decoder: Box<dyn Network + Send>) -> Self {
        Self { encoder, decoder }
    }
}

impl Network for AutoEncoder {
    fn parameters(&self) -> Vec<Parameter> {
        [self.encoder.parameters(), self.decoder.parameters()].concat()
    }

    fn buffers(&self) -> Vec<Parameter> {
        [self.encoder.buffers(), self.decoder.buffers()].concat()
    }

    fn record(&self, t: &mut Tape, x: Var, mode: Mode) -> Var {
        let code = self.encoder.record(t, x, mode);
        self.decoder.record(t, code, mode)
    }

    fn halves(&self) -> Option<[&dyn Network; 2]> {
        Some([&*self.encoder, &*self.decoder])
    }
}

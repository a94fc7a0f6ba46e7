//! Floor 4: the objectives that the paper compares the Coulomb GAN with, on networks of the same layers.
//!
//! They are here to be compared with: [`gan`] (Goodfellow et al. 2014, with DCGAN's rates), [`wgan_gp`] (Gulrajani et
//! al. 2017), and with an auto-encoder for `D` [`began`] (Berthelot et al. 2017) and [`mmd`] (Li et al. 2017). All take turns:
//! `D` moves first, and `G` then follows its new gradient, so a round has two tapes. Learning rates that differ for the two
//! players are those of TTUR (Heusel et al. 2017).

pub mod began;
pub mod gan;
pub mod mmd;
pub mod wgan_gp;

pub use began::Began;
pub use gan::Gan;
pub use mmd::Mmd;
pub use wgan_gp::WganGp;

use crate::nn::{Mode, Network};
use crate::tape::{Tape, Var};

/// What rivals measure whose `D` gives numbers: the mean of `D` over real points, and over generated ones.
const COLUMNS: &[&str] = &["d_real", "d_generated"];

/// Records what [`COLUMNS`] name.
fn mean_outputs(t: &mut Tape, discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var> {
    let outputs = [y, x].map(|points| discriminator.record(t, points, Mode::Sample));
    outputs.map(|d| t.mean_all(d)).to_vec()
}

/// Added to a square before its root is taken, whose slope is infinite at 0: too little to be seen in any other slope.
const TINY: f64 = 1e-12;

/// The root of `square`, which is not negative, with a slope also where it is 0.
fn root(t: &mut Tape, square: Var) -> Var {
    let square = t.affine(square, 1.0, TINY);
    t.sqrt(square)
}

//! How the two players learn: what a round of training records, which numbers it needs, and what it reports.
//!
//! A *round* is one update of the generator, and what a run counts as a step. An [`Objective`] records it as [`Part`]s,
//! tapes that run one after the other: Algorithm 1 is one tape, in which both players move at once; a WGAN's critic has a
//! tape of its own, which may run several times before the generator's. The trainer, the profile, the benches and the
//! tests know objectives by this trait only, and hand in numbers through one [`Feed`].
//!
//! # An objective of one's own
//!
//! The least-squares GAN (Mao et al. 2017) in forty lines, and three of its rounds:
//!
//! ```
//! use coulomb_gan::exec::{Backend, Store};
//! use coulomb_gan::models::Mlp;
//! use coulomb_gan::nn::{self, Mode, Network};
//! use coulomb_gan::objective::{Batch, Draw, Feed, Input, LATENTS, Objective, Part, Players, Seen};
//! use coulomb_gan::optim::Adam;
//! use coulomb_gan::tape::{Tape, Var};
//!
//! struct LeastSquares;
//!
//! impl Objective for LeastSquares {
//!     fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part> {
//!         let mut tape = Tape::new();
//!         let t = &mut tape;
//!         let z = batch.latents(t, Input::Latents);
//!         let y = batch.real(t);
//!         let x = players.generator.record(t, z, Mode::Train);
//!         let [d_x, d_y] = [x, y].map(|points| players.discriminator.record(t, points, Mode::Train));
//!         let (real, generated) = (miss(t, d_y, 1.0), miss(t, d_x, 0.0));
//!         let loss_d = t.add(real, generated);
//!         let loss_g = miss(t, d_x, 1.0);
//!         players.descend_d(t, loss_d);
//!         players.descend_g(t, loss_g);
//!         t.output("loss_d", loss_d);
//!         t.output("loss_g", loss_g);
//!         vec![Part { name: "step", tape, runs: 1 }]
//!     }
//!
//!     fn gauge(&self, _: &mut Tape, _: &dyn Network, _: Var, _: Var) -> Vec<Var> {
//!         vec![] // measures nothing beyond the losses
//!     }
//!
//!     fn columns(&self) -> &'static [&'static str] {
//!         &[]
//!     }
//!
//!     fn measures(&self, _: &Seen) -> Vec<f64> {
//!         vec![]
//!     }
//! }
//!
//! /// `½ mean (d − target)²`.
//! fn miss(t: &mut Tape, d: Var, target: f64) -> Var {
//!     let error = t.affine(d, 1.0, -target);
//!     let square = t.square(error);
//!     let mean = t.mean_all(square);
//!     t.scale(mean, 0.5)
//! }
//!
//! let (g, d) = (Mlp::new("generator", &[4, 16, 2]), Mlp::new("discriminator", &[2, 16, 1]));
//! let [adam_g, adam_d] = ["adam.g", "adam.d"].map(|name| Adam::new(name, 0.5, 0.0));
//! let players = Players {
//!     generator: &g,
//!     discriminator: &d,
//!     adam_g: &adam_g,
//!     adam_d: &adam_d,
//!     loss_scale: 1.0,
//!     average: None,
//! };
//! let batch = Batch { size: 32, z_dim: 4, point: [2].into() };
//! let part = LeastSquares.parts(&players, &batch).remove(0);
//!
//! let mut store = Store::new();
//! for (network, adam) in [(&g, &adam_g), (&d, &adam_d)] {
//!     nn::initialise(&network.parameters(), 1, &mut store);
//!     adam.initialise(&network.parameters(), &mut store);
//! }
//! let mut program = Backend::cpu(Some(1))?.compile(&part.tape, &store)?;
//! let mut feed = Feed::new(&part.tape, [&adam_g, &adam_d]);
//! for step in 0..3 {
//!     let mut draw = Draw {
//!         seed: 1,
//!         latents: LATENTS,
//!         run: step,
//!         epsilon: 1.0,
//!         ball: 0.0,
//!         rates: [1e-3, 1e-3],
//!         real: &mut |y| {
//!             y.fill(3.0);
//!             Ok(())
//!         },
//!     };
//!     feed.hand_in(&mut program, &mut draw)?;
//!     program.run(&mut store)?;
//!     assert!(program.scalar("loss_d")?.is_finite());
//! }
//! # Ok::<(), coulomb_gan::numbers::Error>(())
//! ```

mod feed;
mod players;

pub use feed::{Draw, Feed, Input, LATENTS};
pub use players::Players;

use crate::nn::{Network, Parameter};
use crate::numbers::Shape;
use crate::tape::{Tape, Var};

/// How many points of which shape a round is recorded for.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Latents, and real points, in a minibatch.
    pub size: usize,
    /// Numbers in a latent.
    pub z_dim: usize,
    /// The shape of a point.
    pub point: Shape,
}

impl Batch {
    /// A minibatch of latents, `[size, z_dim]`, handed in as `input`.
    pub fn latents(&self, t: &mut Tape, input: Input) -> Var {
        t.input(input.name(), [self.size, self.z_dim])
    }

    /// The minibatch of real points, `[size, point...]`.
    pub fn real(&self, t: &mut Tape) -> Var {
        t.input(Input::Real.name(), self.points())
    }

    /// The shape of a minibatch of points.
    pub fn points(&self) -> Shape {
        [&[self.size], &self.point[..]].concat().into()
    }
}

/// A tape of a round.
#[derive(Debug)]
pub struct Part {
    /// What it does, in a word.
    pub name: &'static str,
    /// Its operations. Its outputs of one number are reported; `loss_d` and `loss_g` are the losses of the two players.
    pub tape: Tape,
    /// How often it runs in a round, with new numbers each time.
    pub runs: u64,
}

/// What a line of the log knows before the objective says what it makes of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The losses of `D` and `G`, means over the rounds since the line before.
    pub losses: [f64; 2],
    /// The outputs of the gauge, in the order in which it names them.
    pub gauge: &'a [f64],
    /// The kernel's width.
    pub epsilon: f64,
}

/// What an objective's `D` makes of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// One number.
    Score,
    /// The point again, as well as it can, by way of a code: `D` is an auto-encoder.
    Reconstruction,
}

/// How `G` and `D` learn.
pub trait Objective: Send {
    /// Records the parts of a round, in the order in which they run.
    fn parts(&self, players: &Players, batch: &Batch) -> Vec<Part>;

    /// Records what tells how far the players are: numbers of one element each, from real points `y` and generated points
    /// `x` of the shape `[N, point...]`, which no update has seen.
    fn gauge(&self, t: &mut Tape, discriminator: &dyn Network, y: Var, x: Var) -> Vec<Var>;

    /// What [`Objective::measures`] gives, as columns of a table.
    fn columns(&self) -> &'static [&'static str];

    /// What a line of the log says of the players beyond their losses.
    fn measures(&self, seen: &Seen) -> Vec<f64>;

    /// What its `D` makes of a point.
    fn judge(&self) -> Judge {
        Judge::Score
    }

    /// States of its own, beside those of the players, which its tapes read and assign. They begin with a run and are saved
    /// with it.
    fn states(&self) -> Vec<Parameter> {
        vec![]
    }

    /// Adam's β₂, for both players.
    fn beta2(&self) -> f64 {
        0.999
    }
}

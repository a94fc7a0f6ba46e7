//! How the two players learn: what a round of training records, which numbers it needs, and what it reports.
//!
//! A *round* is one update of the generator, and what a run counts as a step. An [`Objective`] records it as [`Part`]s,
//! tapes that run one after the other: Algorithm 1 is one tape, in which both players move at once; a WGAN's critic has a
//! tape of its own, which may run several times before the generator's. The trainer, the profile, the benches and the
//! tests know objectives by this trait only, and hand in numbers through one [`Feed`].

mod feed;
mod players;

pub use feed::{Draw, Feed, Input, LATENTS};
pub use players::Players;

use crate::nn::Network;
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

    /// Adam's β₂, for both players.
    fn beta2(&self) -> f64 {
        0.999
    }
}

//! The numbers that a tape of training is handed before each run.

use crate::exec::Program;
use crate::numbers::{Result, rng};
use crate::optim::Adam;
use crate::tape::{Op, Tape};

/// What a tape of training may be handed. Each is drawn anew for every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Latents `z`, normal deviates. Parts that run equally often get the same.
    Latents,
    /// Latents that are independent of [`Input::Latents`].
    OtherLatents,
    /// Real points `y`.
    Real,
    /// The width ε of the Plummer kernel.
    Epsilon,
    /// The Gaussian ball of Eq. (9) around generated points: normal deviates times its standard deviation.
    BallGenerated,
    /// The same around real points.
    BallReal,
    /// For each point a number from 0 to 1, equally likely everywhere.
    Shares,
}

impl Input {
    const ALL: [Self; 7] = [
        Self::Latents,
        Self::OtherLatents,
        Self::Real,
        Self::Epsilon,
        Self::BallGenerated,
        Self::BallReal,
        Self::Shares,
    ];

    /// Its name on a tape.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latents => "z",
            Self::OtherLatents => "z_other",
            Self::Real => "y",
            Self::Epsilon => "epsilon",
            Self::BallGenerated => "ball_x",
            Self::BallReal => "ball_y",
            Self::Shares => "shares",
        }
    }
}

/// The random stream of a training's latents. Resumed runs rely on it, and on the names of inputs, which are the other
/// streams.
pub const LATENTS: &str = "latents";

/// Which numbers a run gets: all are functions of these.
pub struct Draw<'a> {
    /// Keys every random draw.
    pub seed: u64,
    /// The random stream of latents: [`LATENTS`], unless it must be independent of the training.
    pub latents: &'static str,
    /// Which run of its part this is, from 0.
    pub run: u64,
    /// The kernel's width.
    pub epsilon: f64,
    /// Standard deviation of the Gaussian ball.
    pub ball: f64,
    /// Learning rates of `G` and `D`.
    pub rates: [f64; 2],
    /// Fills in the next minibatch of real points.
    pub real: &'a mut dyn FnMut(&mut [f32]) -> Result<()>,
}

/// Hands a tape's inputs to the program that runs it.
#[derive(Debug)]
pub struct Feed {
    /// What the tape asks for, and how many numbers of it.
    inputs: Vec<(Input, usize)>,
    /// The Adam of each player, `G` and `D`, that the tape updates.
    adams: [Option<Adam>; 2],
    numbers: Vec<f32>,
}

impl Feed {
    /// For a part of a round whose players learn by these, `G` and `D`.
    ///
    /// # Panics
    /// If the tape has an input that is none of [`Input`] nor of either Adam.
    pub fn new(tape: &Tape, adams: [&Adam; 2]) -> Self {
        let names = adams.map(Adam::inputs);
        let mut inputs = vec![];
        let mut updates = [false; 2];
        for node in tape.nodes() {
            let Op::Input { name } = &node.op else {
                continue;
            };
            if let Some(player) = names.iter().position(|names| names.contains(name)) {
                updates[player] = true;
                continue;
            }
            let input = Input::ALL.into_iter().find(|input| input.name() == name);
            let input = input.unwrap_or_else(|| panic!("nobody knows how to draw {name}"));
            inputs.push((input, node.shape.count()));
        }
        let most = inputs.iter().map(|(_, count)| *count).max();
        Self {
            inputs,
            adams: [0, 1].map(|i| updates[i].then(|| adams[i].clone())),
            numbers: vec![0.0; most.unwrap_or(0)],
        }
    }

    /// Whether a run takes a minibatch of real points.
    pub fn takes_real(&self) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|(input, _)| *input == Input::Real)
    }

    /// Hands in everything for one run.
    ///
    /// # Errors
    /// If the real points cannot be read.
    pub fn hand_in(&mut self, program: &mut Program, draw: &mut Draw) -> Result<()> {
        for &(input, count) in &self.inputs {
            let numbers = &mut self.numbers[..count];
            let stream = match input {
                Input::Latents => draw.latents,
                other => other.name(),
            };
            let rng = &mut rng::stream(draw.seed, stream, draw.run);
            match input {
                Input::Latents | Input::OtherLatents => rng::fill_normal(rng, numbers),
                Input::Real => (draw.real)(numbers)?,
                Input::Epsilon => numbers.fill(draw.epsilon as f32),
                Input::BallGenerated | Input::BallReal => {
                    rng::fill_normal(rng, numbers);
                    numbers.iter_mut().for_each(|x| *x *= draw.ball as f32);
                }
                Input::Shares => rng::fill_uniform(rng, numbers),
            }
            program.write(input.name(), numbers);
        }
        for (adam, rate) in self.adams.iter().zip(draw.rates) {
            if let Some(adam) = adam {
                adam.write(program, draw.run + 1, rate);
            }
        }
        Ok(())
    }
}

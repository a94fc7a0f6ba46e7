//! Appendix A.1 as an experiment: how a GAN stays where it has lost half of the data, and a Coulomb GAN does not.
//!
//! Real points lie in two regions far apart, half of them in each. A generator is brought to where it has lost one: a Coulomb
//! GAN learns the other region alone. From these weights every objective then goes on with both regions, with a `D` of its
//! own that first catches up while `G` stands still, so that it is the best answer to the loss. To a GAN's `D` both sets are
//! equally alike all over the region that is left, so it has no slope there that could lead anywhere; in the field, half a
//! charge pulls from the other region, however far it is.

use rand_chacha::ChaCha8Rng;

use super::Config;
use super::method::Method;
use super::model::Model;
use super::presets::preset;
use super::round::Round;
use super::sampler::Sampler;
use crate::exec::{Backend, Store};
use crate::numbers::{Result, rng};
use crate::objective::Draw;

/// The regions are standard normal distributions around these points of the first axis: the one that is kept, and the one
/// that is lost.
pub const CENTRES: [f32; 2] = [-6.0, 6.0];

/// Half the side of a square that shows both.
pub const WINDOW: f32 = 11.0;

/// Rounds in which `G` learns the one region.
const COLLAPSING: u64 = 6000;

/// Rounds in which `D` learns both while `G` stands still.
const CATCHING_UP: u64 = 2000;

/// Samples in a look.
const LOOK_AT: usize = 2000;

/// The generator after some rounds.
#[derive(Debug, Clone)]
pub struct Look {
    /// Rounds since `G` moves again.
    pub step: u64,
    /// Samples.
    pub points: Vec<[f32; 2]>,
    /// The share of the samples that lie within three standard deviations of the centre of each region; half would be right.
    pub shares: [f64; 2],
}

/// The generator that has lost a region.
#[derive(Debug)]
pub struct Collapsed {
    seed: u64,
    /// Its weights.
    weights: Store,
}

impl Collapsed {
    /// Trains it.
    ///
    /// # Errors
    /// If a device fails.
    pub fn new(seed: u64, backend: &Backend) -> Result<Self> {
        let mut player = Player::new(Method::Coulomb, seed, COLLAPSING, backend)?;
        player.train(COLLAPSING, 1, true)?;
        Ok(Self {
            seed,
            weights: player.store,
        })
    }

    /// What becomes of it with the objective of `method` in a training of `steps` rounds, after each of these numbers of
    /// rounds, which ascend. Networks, batches and rates are those of the preset `mixture`, the rates for all objectives: with
    /// faster ones, chance throws a generator over sooner or later.
    ///
    /// # Errors
    /// If a device fails.
    pub fn course(
        &self,
        method: Method,
        backend: &Backend,
        steps: u64,
        looks: &[u64],
    ) -> Result<Vec<Look>> {
        let mut player = Player::new(method, self.seed, steps, backend)?;
        for parameter in player.model.generator.parameters() {
            if let Some(weights) = self.weights.get(&parameter.name)? {
                player.store.insert(&parameter.name, &weights);
            }
        }
        player.train(CATCHING_UP, 2, false)?;
        let mut taken = vec![];
        for &step in looks {
            player.train(step - player.moved, 2, true)?;
            taken.push(player.look(step)?);
        }
        Ok(taken)
    }
}

/// Two networks in training.
struct Player {
    config: Config,
    model: Model,
    store: Store,
    round: Round,
    sampler: Sampler,
    /// Rounds so far, and those in which `G` has moved.
    rounds: u64,
    moved: u64,
}

impl Player {
    /// The rates of both are final once `G` has moved `steps` times.
    fn new(method: Method, seed: u64, steps: u64, backend: &Backend) -> Result<Self> {
        let mut config = preset("mixture")?;
        let rates = [config.lr_g, config.lr_d];
        method.adapt(&mut config);
        config.set_length(steps);
        [config.lr_g, config.lr_d] = rates;
        (config.seed, config.average) = (seed, 0.0);
        let model = Model::new(&config);
        let store = model.initial_store(&config)?;
        Ok(Self {
            round: Round::new(model.record(&config), &model, backend, &store)?,
            sampler: Sampler::new(&Model::record_sampler(&config), backend, &store)?,
            rounds: 0,
            moved: 0,
            config,
            model,
            store,
        })
    }

    /// Trains for `rounds` with points from the first one or two regions; `D` alone unless `both`.
    fn train(&mut self, rounds: u64, regions: usize, both: bool) -> Result<()> {
        for _ in 0..rounds {
            let mut batch = self.rounds * self.round.batches();
            let mut real = |y: &mut [f32]| {
                let rng = &mut rng::stream(self.config.seed, "regions", batch);
                fill(rng, regions, y);
                batch += 1;
                Ok(())
            };
            let [rate_g, rate_d] = self.config.falling_rates(self.moved);
            let mut draw = Draw {
                rates: [if both { rate_g } else { 0.0 }, rate_d],
                ..self.config.draw(&mut real)
            };
            self.round
                .run(self.rounds, &mut self.store, &mut false, &mut draw)?;
            self.rounds += 1;
            self.moved += u64::from(both);
        }
        Ok(())
    }

    fn look(&mut self, step: u64) -> Result<Look> {
        let source = &mut self.sampler.with(&mut self.store);
        let samples = source.draw(self.config.seed, LOOK_AT)?;
        let points = samples.data().as_chunks::<2>().0.to_vec();
        let shares = CENTRES.map(|centre| {
            let inside = points.iter().filter(|[a, b]| (a - centre).hypot(*b) <= 3.0);
            inside.count() as f64 / points.len() as f64
        });
        Ok(Look {
            step,
            points,
            shares,
        })
    }
}

/// As many real points as there are samples in a look.
pub fn real_points(seed: u64) -> Vec<[f32; 2]> {
    let mut points = vec![[0.0; 2]; LOOK_AT];
    let rng = &mut rng::stream(seed, "regions to show", 0);
    fill(rng, 2, points.as_flattened_mut());
    points
}

/// Fills in points from the first one or two regions.
fn fill(rng: &mut ChaCha8Rng, regions: usize, points: &mut [f32]) {
    rng::fill_normal(rng, points);
    for [a, _] in points.as_chunks_mut::<2>().0 {
        *a += CENTRES[rng::below(rng, regions)];
    }
}

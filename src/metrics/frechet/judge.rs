//! Two sets of features of pictures, and the distances that they give.

use serde::Serialize;

use super::{Gaussian, Moments, distance};
use crate::exec::{Backend, Program, Store};
use crate::nn::{self, Activation, Conv2d, Init, Mode, Network};
use crate::numbers::{Error, Result};
use crate::tape::{Tape, Window};

/// Seed of the random network, the same for every run: its weights are part of the definition of
/// [`Frechet::random`]. Changing this, the layers or how they start makes all numbers incomparable.
const SEED: u64 = 170_808_819;

/// Channels from the picture through the layers of the random network.
const CHANNELS: [usize; 5] = [3, 32, 48, 64, 64];

/// Features of the random network: the channels of its last two layers.
const FEATURES: usize = CHANNELS[3] + CHANNELS[4];

/// The gain of the random network's first layer: neighbouring pixels differ little, and this makes the
/// distances of really different sets numbers of the order of one.
const EDGES: f64 = 16.0;

/// Boxes along each axis of the shrunk picture.
const BOXES: usize = 8;

/// Pictures per run of the random network.
const ROWS: usize = 32;

/// Squared Fréchet distances of generated to real pictures; smaller is better. **Not the FID**: see
/// [`super`]. Comparable only between runs on the same real pictures, with the same side, the same numbers of real
/// and generated pictures (both fits are noisier, and the distances larger, for fewer), and the same version of
/// this crate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Frechet {
    /// In the features of a fixed random network, which see edges and textures, but not where they are.
    pub random: f64,
    /// In the pixels of the picture shrunk to 8 x 8 by averaging, which see colours and places, but no detail.
    pub pixels: f64,
}

/// Judges generated pictures by their [`Frechet`] distances to real ones.
///
/// - The random network has four convolutions, 3 x 3 with stride 2, each followed by ReLU, with weights that are
///   drawn once and for all. Each filter of the first layer sums to zero, so that it sees edges and no plain
///   colour, which would outweigh everything else. A feature is the mean over one channel of the third or fourth
///   layer, 128 in all. Filters that nobody trained still tell textures apart; what they miss is meaning.
/// - The shrunk picture has 8 x 8 x 3 = 192 pixels, each the mean over a box.
pub struct PictureJudge {
    side: usize,
    program: Program,
    store: Store,
    /// Fitted to the features of the random network and to the shrunk pixels.
    real: [Gaussian; 2],
}

impl PictureJudge {
    /// Fits the real side, once: `real(i, picture)` writes picture `i < count`, `[3, side, side]` in [−1, 1]. A few
    /// thousand are plenty.
    ///
    /// # Errors
    /// If the side is not a multiple of 8, there are fewer than two pictures, or a pixel is not finite.
    pub fn new(
        backend: &Backend,
        side: usize,
        real: &mut dyn FnMut(usize, &mut [f32]),
        count: usize,
    ) -> Result<Self> {
        if side == 0 || !side.is_multiple_of(BOXES) {
            return Err(Error::usage(format!(
                "pictures can be judged if their side is a multiple of {BOXES}, not {side}; choose another side"
            )));
        }
        check_count(count)?;
        let (tape, store) = random_network(side)?;
        let program = backend.compile(&tape, &store)?;
        let nowhere = || Gaussian::new(&[], &[]);
        let mut judge = Self {
            side,
            program,
            store,
            real: [nowhere(), nowhere()],
        };
        let mut broken = None;
        judge.real = judge.fit(count, &mut |i, picture| {
            real(i, picture);
            if picture.iter().any(|x| !x.is_finite()) {
                broken.get_or_insert(i);
            }
        })?;
        match broken {
            None => Ok(judge),
            Some(i) => Err(Error::failure(format!(
                "real picture number {i} has a pixel that is not a finite number; remove it from the data"
            ))),
        }
    }

    /// The distances of generated `pictures`, `[N, 3, side, side]` in [−1, 1]; NaN if a pixel is not finite.
    ///
    /// # Errors
    /// If these are not whole pictures of the right side, or fewer than two.
    pub fn judge(&mut self, pictures: &[f32]) -> Result<Frechet> {
        let size = 3 * self.side * self.side;
        if !pictures.len().is_multiple_of(size) {
            return Err(Error::failure(format!(
                "{} numbers are not whole pictures [3, {1}, {1}]; judge pictures of the side of the real ones",
                pictures.len(),
                self.side
            )));
        }
        let count = pictures.len() / size;
        check_count(count)?;
        // Asked before the network is: a ReLU makes 0 of NaN.
        if pictures.iter().any(|x| !x.is_finite()) {
            let [random, pixels] = [f64::NAN; 2];
            return Ok(Frechet { random, pixels });
        }
        let fitted = self.fit(count, &mut |i, picture| {
            picture.copy_from_slice(&pictures[i * size..][..size]);
        })?;
        let [random, pixels] = [0, 1].map(|i| distance(&self.real[i], &fitted[i]));
        Ok(Frechet { random, pixels })
    }

    /// Gaussians fitted to both kinds of features of `count` pictures.
    fn fit(
        &mut self,
        count: usize,
        write: &mut dyn FnMut(usize, &mut [f32]),
    ) -> Result<[Gaussian; 2]> {
        let size = 3 * self.side * self.side;
        let mut moments = [FEATURES, 3 * BOXES * BOXES].map(Moments::new);
        let mut batch = vec![0.0; ROWS * size];
        for first in (0..count).step_by(ROWS) {
            // The rows behind the last picture keep older ones; their features are not looked at.
            let rows = ROWS.min(count - first);
            for (i, picture) in batch.chunks_mut(size).take(rows).enumerate() {
                write(first + i, picture);
                moments[1].add(&shrunk(picture, self.side));
            }
            self.program.write("x", &batch);
            self.program.run(&mut self.store)?;
            let third = self.program.read("third")?.chunks(CHANNELS[3]);
            let fourth = self.program.read("fourth")?.chunks(CHANNELS[4]);
            for (third, fourth) in third.zip(fourth).take(rows) {
                moments[0].add(&[third, fourth].concat());
            }
        }
        Ok(moments.map(|m| m.gaussian()))
    }
}

fn check_count(count: usize) -> Result<()> {
    if count < 2 {
        return Err(Error::usage(format!(
            "a covariance needs at least two pictures, not {count}; judge more of them"
        )));
    }
    Ok(())
}

/// Means over boxes of a picture `[3, side, side]`: `[3, 8, 8]`.
fn shrunk(picture: &[f32], side: usize) -> Vec<f64> {
    let size = side / BOXES;
    let mut small = vec![0.0; 3 * BOXES * BOXES];
    for (row, pixels) in picture.chunks(side).enumerate() {
        let (channel, y) = (row / side, row % side / size);
        for (x, pixels) in pixels.chunks(size).enumerate() {
            let sum: f64 = pixels.iter().map(|&p| f64::from(p)).sum();
            small[(channel * BOXES + y) * BOXES + x] += sum / (size * size) as f64;
        }
    }
    small
}

/// The random network for [`ROWS`] pictures `x`, with the outputs `third` and `fourth`, `[ROWS, channels]`, and its
/// weights.
fn random_network(side: usize) -> Result<(Tape, Store)> {
    let mut t = Tape::new();
    let mut store = Store::new();
    let mut h = t.input("x", [ROWS, 3, side, side]);
    for (i, channels) in CHANNELS.windows(2).enumerate() {
        let gain = if i == 0 {
            EDGES
        } else {
            Activation::Relu.gain()
        };
        let layer = Conv2d {
            name: format!("judge.{i}"),
            inputs: channels[0],
            outputs: channels[1],
            kernel: [3, 3],
            window: Window {
                stride: [2, 2],
                padding: [1, 1],
            },
            weight: Init::scaled(gain, (9 * channels[0]) as f64),
            bias: None,
        };
        nn::initialise(&layer.parameters(), SEED, &mut store);
        if i == 0 {
            centre(&layer.parameters()[0].name, &mut store)?;
        }
        h = layer.record(&mut t, h, Mode::Sample);
        h = Activation::Relu.record(&mut t, h, Mode::Sample);
        if let Some(name) = [None, None, Some("third"), Some("fourth")][i] {
            let pixels = t.shape(h)[2] * t.shape(h)[3];
            let sum = t.sum(h, 2..4);
            let sum = t.reshape(sum, [ROWS, channels[1]]);
            let mean = t.scale(sum, 1.0 / pixels as f64);
            t.output(name, mean);
        }
    }
    Ok((t, store))
}

/// Subtracts its mean from every 3 x 3 filter of a weight.
fn centre(name: &str, store: &mut Store) -> Result<()> {
    let mut weight = store.get(name)?.expect("just initialised");
    for filter in weight.data_mut().as_chunks_mut::<9>().0 {
        let mean = filter.iter().sum::<f32>() / 9.0;
        filter.iter_mut().for_each(|w| *w -= mean);
    }
    store.insert(name, &weight);
    Ok(())
}

//! The end of a run: samples, numbers, pictures.

use std::path::PathBuf;

use super::run_dir::RunDir;
use super::trainer::Trainer;
use super::{Config, model::POINT};
use crate::coulomb::Plummer;
use crate::coulomb::particles::Particles;
use crate::coulomb::potential::{Charges, field, potential};
use crate::data::mixture;
use crate::exec::{Backend, Store};
use crate::figures::{self, WINDOW, animation, density, scatter};
use crate::metrics::ModeReport;
use crate::numbers::{Error, Result, Tensor, npy, rng};
use crate::tape::Tape;

/// Samples that are written and judged.
pub const SAMPLES: usize = 10_000;

/// Charges of each kind behind the picture of the field: enough for a smooth potential.
const FIELD_CHARGES: usize = 2000;

/// Potential values along one side of the picture of the field, and arrows along one side.
const FIELD_GRID: [usize; 2] = [180, 24];

/// Points of each kind drawn into the picture of the field.
const FIELD_DOTS: usize = 600;

/// Free particles.
const PARTICLES: usize = 500;

/// Pictures of them, and steps from one to the next.
const PARTICLE_FRAMES: usize = 40;
const PARTICLE_STEPS: usize = 40;

/// Pictures of the training in its animation, at most.
const TRAINING_FRAMES: usize = 100;

/// Writes everything that a finished run shows; returns the judgement and the files.
///
/// # Errors
/// If a file cannot be written.
pub fn finish(
    run: &RunDir,
    config: &Config,
    backend: &Backend,
    trainer: &mut Trainer,
) -> Result<(ModeReport, Vec<PathBuf>)> {
    let samples = trainer.samples(config.seed, SAMPLES);
    let real = &trainer.data()[..SAMPLES];
    let mut files = vec![];
    let mut add = |name: &str| {
        files.push(run.file(name));
        run.file(name)
    };
    npy::write(&add("samples.npy"), &points_tensor(&samples)?)?;
    let titles = ["real", "generated"];
    let picture = scatter::scatter(real, &samples, WINDOW, titles);
    figures::write_png(&add("scatter.png"), &picture)?;
    let picture = density::density(real, &samples, WINDOW, titles);
    figures::write_png(&add("density.png"), &picture)?;
    let plummer = Plummer {
        d: config.kernel_dim,
        epsilon: trainer.epsilon(),
    };
    let picture = field_picture(backend, plummer, real, &samples)?;
    figures::write_png(&add("field.png"), &picture)?;
    animation::write_gif(
        &add("training.gif"),
        &training_frames(run, trainer.step())?,
        120,
    )?;
    animation::write_gif(
        &add("particles.gif"),
        &particle_frames(config, backend, real)?,
        120,
    )?;
    let report = ModeReport::new(&samples, &mixture::means(), mixture::STD);
    Ok((report, files))
}

/// Points as a tensor `[N, 2]`.
///
/// # Errors
/// Never: the size always fits.
pub fn points_tensor(points: &[[f32; POINT]]) -> Result<Tensor> {
    Tensor::new([points.len(), POINT], points.as_flattened().to_vec())
}

/// The potential that real and generated points cause, with its field (Figure 1).
fn field_picture(
    backend: &Backend,
    plummer: Plummer,
    real: &[[f32; 2]],
    generated: &[[f32; 2]],
) -> Result<image::RgbImage> {
    let (y, x) = (&real[..FIELD_CHARGES], &generated[..FIELD_CHARGES]);
    let [fine, coarse] = FIELD_GRID.map(|n| figures::field::grid_points(n, WINDOW));
    let mut t = Tape::new();
    let charges = Charges {
        d: plummer.d,
        epsilon: t.constant(plummer.epsilon, [1]),
        y: t.input("y", [y.len(), POINT]),
        x: t.input("x", [x.len(), POINT]),
    };
    let at = t.input("fine", [fine.len(), POINT]);
    let phi = potential(&mut t, &charges, at);
    let at = t.input("coarse", [coarse.len(), POINT]);
    let e = field(&mut t, &charges, at);
    t.output("phi", phi);
    t.output("e", e);
    let mut store = Store::new();
    let mut program = backend.compile(&t, &store)?;
    for (name, points) in [("y", y), ("x", x), ("fine", &fine), ("coarse", &coarse)] {
        program.write(name, points.as_flattened());
    }
    program.run(&mut store);
    let title = format!(
        "potential and forces, d = {}, epsilon = {:.2}",
        plummer.d, plummer.epsilon
    );
    let field = program.read("e").as_chunks::<2>().0;
    let dots = (&real[..FIELD_DOTS], &generated[..FIELD_DOTS]);
    figures::field::field(WINDOW, program.read("phi"), field, dots.0, dots.1, &title)
}

/// The pictures of the run as frames: all of them, or [`TRAINING_FRAMES`] evenly chosen ones with the last.
fn training_frames(run: &RunDir, step: u64) -> Result<Vec<image::RgbImage>> {
    let pictures = run.sample_pictures(step);
    let open = |path: &PathBuf| {
        let image = image::open(path);
        let image = image.map_err(|e| {
            Error::failure(format!(
                "cannot read {}: {e}; delete it and resume the run",
                path.display()
            ))
        });
        image.map(|image| image.into_rgb8())
    };
    let stride = pictures.len().div_ceil(TRAINING_FRAMES).max(1);
    pictures
        .iter()
        .rev()
        .step_by(stride)
        .rev()
        .map(open)
        .collect()
}

/// Free particles descend the energy: they start in one clump and spread over the real points.
fn particle_frames(
    config: &Config,
    backend: &Backend,
    real: &[[f32; 2]],
) -> Result<Vec<image::RgbImage>> {
    let mut start = Tensor::zeros([PARTICLES, POINT]);
    rng::fill_normal(
        &mut rng::stream(config.seed, "particles", 0),
        start.data_mut(),
    );
    let y = points_tensor(&real[..4 * PARTICLES])?;
    // The kernel that reaches farthest, as the clump is far from the outer modes; its force is about the
    // inverse distance, so this rate moves a particle by a few tenths per step.
    let plummer = Plummer { d: 1, epsilon: 1.0 };
    let mut particles = Particles::new(backend, plummer, &y, &start, 20.0)?;
    let mut pictures = vec![];
    for frame in 0..PARTICLE_FRAMES {
        let positions = particles.positions();
        let energy = particles.step();
        for _ in 1..PARTICLE_STEPS {
            particles.step();
        }
        let step = frame * PARTICLE_STEPS;
        let caption = format!("free particles: step {step}, energy {energy:.4}");
        let points = positions.data().as_chunks::<2>().0;
        pictures.push(animation::frame(&real[..2000], points, WINDOW, &caption));
    }
    Ok(pictures)
}

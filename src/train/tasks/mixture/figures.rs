//! The two figures of the mixture that are computed rather than drawn: the field of its charges, and free
//! particles that move in it.

use crate::coulomb::Plummer;
use crate::coulomb::particles::Particles;
use crate::coulomb::potential::{Charges, field, potential};
use crate::exec::{Backend, Store};
use crate::figures::{self, WINDOW, animation};
use crate::numbers::{Result, Tensor, rng};
use crate::tape::Tape;

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

/// The potential that real and generated points cause, with its field (Figure 1).
pub fn field_picture(
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
        y: t.input("y", [y.len(), 2]),
        x: t.input("x", [x.len(), 2]),
    };
    let at = t.input("fine", [fine.len(), 2]);
    let phi = potential(&mut t, &charges, at);
    let at = t.input("coarse", [coarse.len(), 2]);
    let e = field(&mut t, &charges, at);
    t.output("phi", phi);
    t.output("e", e);
    let mut store = Store::new();
    let mut program = backend.compile(&t, &store)?;
    for (name, points) in [("y", y), ("x", x), ("fine", &fine), ("coarse", &coarse)] {
        program.write(name, points.as_flattened());
    }
    program.run(&mut store)?;
    let title = format!(
        "potential and forces, d = {}, epsilon = {:.2}",
        plummer.d, plummer.epsilon
    );
    let field = program.read("e")?.as_chunks::<2>().0;
    let dots = (&real[..FIELD_DOTS], &generated[..FIELD_DOTS]);
    figures::field::field(WINDOW, program.read("phi")?, field, dots.0, dots.1, &title)
}

/// Free particles descend the energy: they start in one clump and spread over the real points.
pub fn particle_frames(
    seed: u64,
    backend: &Backend,
    real: &[[f32; 2]],
) -> Result<Vec<image::RgbImage>> {
    let mut start = Tensor::zeros([PARTICLES, 2]);
    rng::fill_normal(&mut rng::stream(seed, "particles", 0), start.data_mut());
    let y = &real[..4 * PARTICLES];
    let y = Tensor::new([y.len(), 2], y.as_flattened().to_vec())?;
    // The kernel that reaches farthest, as the clump is far from the outer modes; its force is about the
    // inverse distance, so this rate moves a particle by a few tenths per step.
    let plummer = Plummer { d: 1, epsilon: 1.0 };
    let mut particles = Particles::new(backend, plummer, &y, &start, 20.0)?;
    let mut pictures = vec![];
    for frame in 0..PARTICLE_FRAMES {
        let positions = particles.positions()?;
        let energy = particles.energy()?;
        for _ in 0..PARTICLE_STEPS {
            particles.step()?;
        }
        let step = frame * PARTICLE_STEPS;
        let caption = format!("free particles: step {step}, energy {energy:.4}");
        let points = positions.data().as_chunks::<2>().0;
        pictures.push(animation::frame(&real[..2000], points, WINDOW, &caption));
    }
    Ok(pictures)
}

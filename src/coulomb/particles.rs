//! Theorem 1 in motion: generated points that move freely along the field.
//!
//! No network: each generated point is its own "generator" and descends the energy of Eq. (33) directly,
//! `x_i ← x_i − η N_x ∇_{x_i} F̂ = x_i − η Ê(x_i)` (A.4). The energy falls, and the points spread over the
//! real ones: they are drawn to where real points lack generated ones, and push each other away.
//!
//! Theorem 1 promises this for `d ≤ m − 2`, i.e. from three dimensions on. In the plane, where the paper's
//! mixture lives, no `d` meets that condition, neither here nor in the paper's own experiment; that it works
//! there too is what one sees, not what is proved.

use super::Plummer;
use super::potential::{Charges, energy, field, potential};
use crate::exec::{Backend, Program, Store};
use crate::numbers::{Error, Result, Tensor};
use crate::tape::Tape;

/// Free generated points among fixed real ones.
#[derive(Debug)]
pub struct Particles {
    store: Store,
    program: Program,
    gauge: Program,
}

impl Particles {
    /// Puts generated points at `x` (`[N_x, m]`) among real points `y` (`[N_y, m]`); each step moves them by
    /// `rate` times the force.
    ///
    /// # Errors
    /// If the points are not rows of one dimension, one set is empty, or a device has failed.
    pub fn new(
        backend: &Backend,
        plummer: Plummer,
        y: &Tensor,
        x: &Tensor,
        rate: f64,
    ) -> Result<Self> {
        let rows = |t: &Tensor| match t.shape()[..] {
            [n, m] if n > 0 && m > 0 => Some(m),
            _ => None,
        };
        if rows(x).is_none() || rows(x) != rows(y) {
            return Err(Error::failure(format!(
                "particles need rows of one dimension, not {} among {}",
                x.shape(),
                y.shape()
            )));
        }
        let mut store = Store::new();
        store.insert("x", x);
        store.insert("y", y);
        let record = |t: &mut Tape| Charges {
            d: plummer.d,
            epsilon: t.constant(plummer.epsilon, [1]),
            y: t.state("y", y.shape()),
            x: t.state("x", x.shape()),
        };
        let mut t = Tape::new();
        let charges = record(&mut t);
        let force = field(&mut t, &charges, charges.x);
        let step = t.scale(force, -rate);
        let moved = t.add(charges.x, step);
        t.assign(charges.x, moved);
        let program = backend.compile(&t, &store)?;
        // Apart, because it takes more pairs than a step.
        let mut t = Tape::new();
        let charges = record(&mut t);
        let phi_y = potential(&mut t, &charges, charges.y);
        let phi_x = potential(&mut t, &charges, charges.x);
        let energy = energy(&mut t, phi_y, phi_x);
        t.output("energy", energy);
        let gauge = backend.compile(&t, &store)?;
        Ok(Self {
            store,
            program,
            gauge,
        })
    }

    /// Moves every particle once.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn step(&mut self) -> Result<()> {
        self.program.run(&mut self.store)
    }

    /// The energy `F̂` where the particles are.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn energy(&mut self) -> Result<f32> {
        self.gauge.run(&mut self.store)?;
        self.gauge.scalar("energy")
    }

    /// Where the particles are, `[N_x, m]`.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn positions(&self) -> Result<Tensor> {
        let x = self.store.get("x")?;
        Ok(x.expect("the particles' store holds x"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::rng;

    #[test]
    fn energy_falls_to_zero_and_the_points_find_their_places() {
        let backend = Backend::cpu(Some(1)).unwrap();
        let normal = |name, shift: f32| {
            let mut tensor = Tensor::zeros([64, 3]);
            rng::fill_normal(&mut rng::stream(5, name, 0), tensor.data_mut());
            tensor.data_mut().iter_mut().for_each(|v| *v += shift);
            tensor
        };
        let (y, x) = (normal("y", 0.0), normal("x", 4.0));
        let plummer = Plummer { d: 1, epsilon: 1.0 };
        let mut particles = Particles::new(&backend, plummer, &y, &x, 5.0).unwrap();
        let mut energies = vec![];
        for _ in 0..3000 {
            energies.push(particles.energy().unwrap());
            particles.step().unwrap();
        }
        assert!(energies.windows(2).all(|e| e[1] <= e[0] + 1e-6));
        assert!(energies[2999] < 0.01 * energies[0], "{energies:?}");
        assert!(energies[2999] > -1e-6);
    }

    #[test]
    fn empty_or_mismatched_sets_are_refused() {
        let backend = Backend::cpu(Some(1)).unwrap();
        let plummer = Plummer { d: 1, epsilon: 1.0 };
        for (y, x) in [([0, 2], [3, 2]), ([3, 2], [3, 3])] {
            let (y, x) = (Tensor::zeros(y), Tensor::zeros(x));
            assert!(Particles::new(&backend, plummer, &y, &x, 1.0).is_err());
        }
    }
}

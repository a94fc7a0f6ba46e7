//! Samples from a recorded generator.

use crate::exec::{Backend, Program, Store};
use crate::numbers::{Error, Result, Shape, Tensor, rng};
use crate::tape::{Op, Tape};

/// Draws samples: `G(z)`.
#[derive(Debug)]
pub struct Sampler {
    program: Program,
    z_dim: usize,
    point: Shape,
    /// Points that the program computes at a time.
    rows: usize,
}

impl Sampler {
    /// Compiles `tape`, a recorded generator with the input `z`, `[N, z_dim]`, and the output `x`, `[N, point...]`, on the
    /// parameters in `store`.
    ///
    /// # Errors
    /// If `store` lacks the generator, or a device has failed.
    ///
    /// # Panics
    /// If `tape` lacks that input or output.
    pub fn new(tape: &Tape, backend: &Backend, store: &Store) -> Result<Self> {
        let inputs = tape.nodes().iter();
        let mut z = inputs.filter(|node| matches!(&node.op, Op::Input { name } if name == "z"));
        let z = &z.next().expect("an input z").shape;
        let mut outputs = tape.outputs().iter();
        let (_, x) = outputs.find(|(name, _)| name == "x").expect("an output x");
        Ok(Self {
            program: backend.compile(tape, store)?,
            z_dim: z[1],
            point: tape.shape(*x)[1..].into(),
            rows: z[0],
        })
    }

    /// The generator with the weights in `store`, ready to draw.
    pub fn with<'a>(&'a mut self, store: &'a mut Store) -> Source<'a> {
        Source {
            sampler: self,
            store,
        }
    }
}

/// Where samples come from: the generator as it is now.
#[derive(Debug)]
pub struct Source<'a> {
    sampler: &'a mut Sampler,
    store: &'a mut Store,
}

impl Source<'_> {
    /// `G(z)` for each row of `latents`, `[N, z_dim]`; the result is `[N, point...]`. Where batch norms sample with
    /// the statistics of their batch, a point depends on the others that it is computed with.
    ///
    /// # Errors
    /// If the latents are not rows of `z_dim` numbers, or a device has failed.
    pub fn at(&mut self, latents: &Tensor) -> Result<Tensor> {
        let z_dim = self.sampler.z_dim;
        if latents.shape().len() != 2 || latents.shape()[1] != z_dim {
            return Err(Error::failure(format!(
                "latents must have the shape [N, {z_dim}], not {}",
                latents.shape()
            )));
        }
        let mut rows = latents.data().chunks(z_dim).cycle();
        let count = latents.shape()[0];
        // The program always computes all its rows: behind the last latent it starts again with the first.
        self.collect(count, |z| {
            for (z, row) in z.chunks_mut(z_dim).zip(&mut rows) {
                z.copy_from_slice(row);
            }
        })
    }

    /// `count` samples, `[count, point...]`; which ones depends on `seed` only, and fewer are the first of more.
    ///
    /// # Errors
    /// If a device has failed.
    pub fn draw(&mut self, seed: u64, count: usize) -> Result<Tensor> {
        let mut rng = rng::stream(seed, "samples", 0);
        self.collect(count, |z| rng::fill_normal(&mut rng, z))
    }

    /// `count` points, for latents that `fill` hands out a batch at a time.
    fn collect(&mut self, count: usize, mut fill: impl FnMut(&mut [f32])) -> Result<Tensor> {
        let Sampler {
            program,
            z_dim,
            point,
            rows,
        } = &mut *self.sampler;
        let wanted = count * point.count();
        let mut z = vec![0.0; *rows * *z_dim];
        let mut points = Vec::with_capacity(wanted);
        while points.len() < wanted {
            fill(&mut z);
            program.write("z", &z);
            program.run(self.store)?;
            let x = program.read("x")?;
            points.extend_from_slice(&x[..x.len().min(wanted - points.len())]);
        }
        let shape: Shape = [&[count], &point[..]].concat().into();
        Tensor::new(shape, points)
    }
}

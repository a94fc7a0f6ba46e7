//! Coulomb GANs (Unterthiner et al., ICLR 2018) from scratch: real and generated samples are point charges, the
//! discriminator learns the potential field that they cause, and the generator moves its samples along it.
//!
//! The crate is meant to be read. It is built in floors; a module uses its own floor and lower ones, never a
//! higher one:
//!
//! | floor | modules | what is there |
//! |---|---|---|
//! | 0 | [`numbers`] | shapes, host tensors, random streams, errors, files that are never half-written |
//! | 1 | [`tape`] | recording, differentiating, printing and planning a computation |
//! | 2 | [`exec`] | running it: textbook `f64` loops, SIMD kernels on threads, or compute kernels on a GPU |
//! | 3 | [`nn`], [`optim`] | layers and Adam, as functions that record operations |
//! | 4 | [`objective`], [`coulomb`], [`rivals`] | what a round of training is; the paper: kernel, potential, field, Algorithm 1, free particles; what it compares itself with |
//! | 5 | [`models`], [`data`], [`metrics`] | networks, auto-encoders of the same blocks among them; the mixture of 25 Gaussians, sets of pictures; how well samples match them |
//! | 6 | [`figures`], [`train`] | pictures; runs and checkpoints |
//! | 7 | [`cli`] | what the programs share: flags, the console, progress, signals |
//!
//! # From the paper to the code
//!
//! | paper | code |
//! |---|---|
//! | Eq. (5), Plummer kernel; its gradient; Eqs. (14), (15), Laplacian | [`coulomb::plummer`] |
//! | Eqs. (8), (32), potential of a minibatch | [`coulomb::potential::potential`] |
//! | Eqs. (6), (34), field | [`coulomb::potential::field`] |
//! | Eqs. (7), (33), energy | [`coulomb::potential::energy`] |
//! | Eqs. (9), (10) and Algorithm 1 | [`coulomb::algorithm1`] |
//! | "only derive with respect to a" (A.6) | [`tape::Tape::stop_gradient`], [`tape::grad`] |
//! | Theorem 1 | [`coulomb::particles`] |
//! | section 3, the GANs that it compares itself with | [`rivals`] |
//! | A.5, mixture of Gaussians | [`data::mixture`], [`metrics::modes`], [`train::presets`] |
//! | 3.1, DCGAN with 5 x 5 filters | [`models::dcgan`] |
//! | 3.1, FID (of a stand-in for its features, too) | [`metrics::frechet`] |
//! | 3.1, the FID's network | [`models::inception`] |
//! | 3.1, Figure 3: nearest neighbours, the birthday test | [`metrics::neighbours`], [`metrics::birthday`] |
//! | 3.1, pictures: presets, learning rates on a plateau | [`train::presets`], [`optim::schedule`] |
//! | Figures 1, 4, 5 | [`figures::field`], [`figures::scatter`], [`figures::density`] |
//!
//! # Reading order
//!
//! New here? [`guide::from_scratch`] is Algorithm 1 in sixty lines, [`guide::architecture`] follows one number from a flag
//! to a kernel, and [`guide::glossary`] translates.
//!
//! To see the method: [`coulomb`], then [`train::trainer`]. To see how automatic differentiation works:
//! [`tape`], [`tape::op`], [`tape::grad`], then [`exec::reference`]. To see how it becomes fast:
//! [`tape::plan`], then [`exec::cpu`] or [`exec::gpu`]; [`guide::equal_bits`] says what a fast kernel must not do.
//!
//! # A gradient in eight lines
//!
//! ```
//! use coulomb_gan::exec::{Backend, Store};
//! use coulomb_gan::tape::Tape;
//!
//! let mut t = Tape::new();
//! let x = t.input("x", [2]);
//! let y = t.tanh(x);
//! let loss = t.sum_all(y);
//! let dx = t.grad(loss, &[x])[0]; // recorded: 1 − tanh² x
//! t.output("dx", dx);
//! let mut store = Store::new(); // no parameters here
//! let mut program = Backend::cpu(Some(1))?.compile(&t, &store)?;
//! program.write("x", &[0.0, 100.0]);
//! program.run(&mut store)?;
//! assert_eq!(program.read("dx")?, [1.0, 0.0]);
//! # Ok::<(), coulomb_gan::numbers::Error>(())
//! ```

pub mod cli;
pub mod coulomb;
pub mod data;
pub mod exec;
pub mod figures;
pub mod guide;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod numbers;
pub mod objective;
pub mod optim;
pub mod rivals;
pub mod tape;
pub mod train;

//! The CPU executor: `f32`, SIMD, threads.
//!
//! Where it stands, on one core of an AMD EPYC (Zen 4) whose multiply-add loop reaches 117 GFLOP/s, as shares of that
//! (`cargo bench`; `train --profile` shows the same step by step):
//!
//! | kernel | share | what bounds it |
//! |---|---|---|
//! | products of 128³ to 1024³ | 89-96 % | multiply-adds |
//! | inner layers at 16 x 16 and 32 x 32 | 80-91 % | multiply-adds; packing, reading and writing sums |
//! | inner layers at 8 x 8 | 84-89 % | the same; 68 % for filters where 8 pictures make few terms |
//! | layers from and to 3 channels | 60-80 % | packing and storing: 75 terms or rows repay little |
//! | pairwise sums in 3072-D | 115 % potential, 78 % field | subtractions, counted here, run beside multiply-adds |
//! | pairwise sums in the plane | 60 % potential, 67 % field | reciprocal roots |
//! | Adam | - | memory; in small networks passes over the first-level cache |
//!
//! Of convolutions only the multiply-adds that are done are counted here. `cargo bench` and `train --profile` also count
//! taps that meet padding, 28 % at an 8 x 8 layer and 14 % at a 16 x 16 one, so they show up to 120 %.
//!
//! Reading order: `crew` (how threads share a run), `program` (from a plan to tasks), `tasks`, `cut` (how they
//! are cut into chunks), `family` (what a kernel is here), `lanes` (SIMD written once), `tile` (the innermost loop of
//! products), then the kernels: `matmul` with `gemm` and `narrow`, `convolution`, `pointwise`, `pairwise`, `reduce`,
//! `rearrange`, `pool`. `slots` holds the memory that threads share, `work` lends it to kernels, `workspace` is what each
//! thread has for itself.
//!
//! The result is the same, bit for bit, for any number of threads: every element is computed by one
//! thread, in an order that does not depend on how many there are.

mod convolution;
mod crew;
mod cut;
mod family;
mod gemm;
mod lanes;
mod matmul;
mod narrow;
mod pairwise;
mod pointwise;
mod pool;
mod program;
mod rearrange;
mod reduce;
mod slots;
mod tasks;
mod tile;
mod work;
mod workspace;

pub use crew::Device;
pub use lanes::Isa;
pub use program::Program;

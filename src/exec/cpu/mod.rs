//! The CPU executor: `f32`, SIMD, threads.
//!
//! Where it stands, on one core of an AMD EPYC (Zen 4) whose multiply-add loop reaches 117 GFLOP/s, as shares of that
//! (`cargo bench`; `train --profile` shows the same step by step):
//!
//! | kernel | share | what bounds it |
//! |---|---|---|
//! | products of 128³ to 1024³ | 90-93 % | multiply-adds; 84 % where the left factor is read across its rows |
//! | inner layers at 16 x 16 | 80-88 % | multiply-adds |
//! | inner layers at 8 x 8 | 62-79 % | filters that leave the caches, short rows of positions |
//! | layers from and to 3 channels | 57-90 % | gathering, packing and storing: 75 terms or rows repay little |
//! | pairwise sums in 3072-D | 100 % potential, 70 % field | additions beside multiply-adds count as operations here |
//! | potential in the plane | 30 % | reciprocal roots |
//! | Adam | - | memory; in small networks passes over the first-level cache |
//!
//! A quarter of the taps at an 8 x 8 layer, a seventh at a 16 x 16 one, meet only padding and are multiplied all the
//! same: the largest saving that is left.
//!
//! Reading order: `crew` (how threads share a run), `program` (from a plan to tasks), `tasks`, `cut` (how they
//! are cut into chunks), `lanes` (SIMD written once), `tile` (the innermost loop of products), then the kernels:
//! `gemm`, `narrow`, `convolution`, `pointwise`, `pairwise`, `rearrange`. `slots` holds the memory that threads share.
//!
//! The result is the same, bit for bit, for any number of threads: every element is computed by one
//! thread, in an order that does not depend on how many there are.

mod convolution;
mod crew;
mod cut;
mod gemm;
mod lanes;
mod narrow;
mod pairwise;
mod pointwise;
mod program;
mod rearrange;
mod slots;
mod tasks;
mod tile;

pub use crew::Device;
pub use lanes::Isa;
pub use program::Program;

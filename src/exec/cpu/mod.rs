//! The CPU executor: `f32`, SIMD, threads.
//!
//! Reading order: `crew` (how threads share a run), `program` (from a plan to tasks), `tasks`, `cut` (how they
//! are cut into chunks), `lanes` (SIMD written once), `tile` (the innermost loop of products), then the kernels:
//! `gemm`, `convolution`, `pointwise`, `pairwise`, `rearrange`. `slots` holds the memory that threads share.
//!
//! The result is the same, bit for bit, for any number of threads: every element is computed by one
//! thread, in an order that does not depend on how many there are.

mod convolution;
mod crew;
mod cut;
mod gemm;
mod lanes;
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

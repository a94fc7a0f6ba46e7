//! Proofs about numbers: every primitive on every executor, gradients, plans, layers, the field and the theory behind
//! it. One program instead of one per file: every program that is not built need not be linked.

mod algorithm1;
mod auto_encoding;
mod coulomb_field;
mod frechet;
#[cfg(feature = "gpu")]
mod gpu;
mod gradients;
mod inception;
#[cfg(feature = "gpu")]
mod kernels;
mod layers;
mod oracle;
mod plan;
mod primitives;
#[cfg(feature = "gpu")]
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "some of it is for `tests/programs` only")]
mod process;
mod pytorch;
mod random_tapes;
mod recording;
mod rivals;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod theory;

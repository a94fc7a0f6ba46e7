//! The memory that a thread has for itself.

use super::convolution::Scratch;
use super::family::{Machine, Need, family};
use super::pointwise::{self, Homes};
use crate::exec::buffer::Buffer;
use crate::tape::plan::Step;

/// What one thread needs for itself.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Registers of pointwise programs.
    pub pointwise: Buffer,
    /// The right factor of a product, packed.
    pub matrix: Buffer,
    pub convolution: Scratch,
    pub pairwise: Buffer,
}

impl Workspace {
    /// Enough for all of `steps`.
    pub fn new(steps: &[Step], homes: &[Option<Homes>], machine: Machine) -> Self {
        let pointwise = homes.iter().flatten().map(pointwise::scratch).max();
        let kernels = steps.iter().filter_map(|step| step.kernel.as_ref());
        let needs = kernels.map(|kernel| family(kernel).need(machine));
        let need = needs.fold(Need::default(), Need::max);
        let room = |count| Buffer::filled(count, f32::NAN);
        Self {
            pointwise: room(pointwise.unwrap_or(0)),
            matrix: room(need.matrix),
            convolution: need.convolution.allocate(),
            pairwise: room(need.pairwise),
        }
    }
}

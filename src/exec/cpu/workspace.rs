//! The memory that a thread has for itself.

use super::convolution::{self, Need, Scratch};
use super::gemm::{Gemm, Right};
use super::pairwise;
use super::pointwise::{self, Homes};
use super::tasks::geometry_of;
use crate::exec::buffer::Buffer;
use crate::tape::plan::{self, Step};

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
    pub fn new(steps: &[Step], homes: &[Option<Homes>], lanes: usize) -> Self {
        let pointwise = homes.iter().flatten().map(pointwise::scratch).max();
        let needs = steps.iter().filter_map(|step| match &step.kernel {
            Some(plan::Kernel::Convolution { what, sizes, .. }) => {
                Some(convolution::need(*what, sizes, lanes))
            }
            _ => None,
        });
        let pairwise = steps.iter().filter_map(|step| match &step.kernel {
            Some(plan::Kernel::Pairwise { what, size, .. }) => {
                Some(pairwise::scratch(*what, &geometry_of(*size)))
            }
            _ => None,
        });
        let matrices = steps.iter().filter_map(|step| match &step.kernel {
            Some(plan::Kernel::Matmul { ta, tb, size, .. }) => {
                match Gemm::new(*ta, *tb, *size).right(lanes) {
                    Right::Own(count) => Some(count),
                    _ => None,
                }
            }
            _ => None,
        });
        Self {
            matrix: Buffer::filled(matrices.max().unwrap_or(0), f32::NAN),
            pairwise: Buffer::filled(pairwise.max().unwrap_or(0), f32::NAN),
            pointwise: Buffer::filled(pointwise.unwrap_or(0), f32::NAN),
            convolution: needs.fold(Need::default(), Need::max).allocate(),
        }
    }
}

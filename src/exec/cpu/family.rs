//! What a kernel of the plan is on the CPU: one trait, which each of them implements beside its loops.

use super::convolution;
use super::cut::Cut;
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::tape::plan::Kernel;
use std::ops::Range;

/// The machine that a program is compiled for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    /// Numbers per register.
    pub lanes: usize,
    /// How many threads share the work.
    pub threads: usize,
}

/// What one thread needs for itself, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Need {
    /// For the right factor of a product, packed.
    pub matrix: usize,
    /// For a block of a convolution.
    pub convolution: convolution::Need,
    /// For a pairwise sum.
    pub pairwise: usize,
}

impl Need {
    /// Enough for both.
    pub fn max(self, other: Self) -> Self {
        Self {
            matrix: self.matrix.max(other.matrix),
            convolution: self.convolution.max(other.convolution),
            pairwise: self.pairwise.max(other.pairwise),
        }
    }
}

/// How a kernel is computed.
///
/// A step with a kernel is at most two tasks. In the first all threads *prepare* something together, mostly a packed copy
/// of an operand. In the second they take chunks of the result.
pub(super) trait Family {
    /// How the result is cut into chunks, if so many pointwise instructions follow on each of its elements. The value of
    /// an element must not depend on it.
    fn cut(&self, machine: Machine, instructions: usize) -> Cut;

    /// What is prepared: the places of its parts in one buffer, in rising order. Empty if there is nothing to prepare.
    fn preparation(&self, _machine: Machine) -> Vec<Range<usize>> {
        vec![]
    }

    /// Prepares a part of it; `out` has room for exactly this part.
    fn prepare(&self, _part: usize, _from: &Reading<'_>, _out: &mut [f32]) {
        unreachable!("only called for parts of a preparation");
    }

    /// What a thread needs for itself.
    fn need(&self, _machine: Machine) -> Need {
        Need::default()
    }

    /// Called by each thread before its first chunk.
    fn begin(&self, _from: &Reading<'_>, _workspace: &mut Workspace) {}

    /// Computes a chunk of the result.
    fn compute(&self, work: &mut Work<'_>, workspace: &mut Workspace);
}

/// The implementation for `kernel`.
pub(super) fn family(kernel: &Kernel) -> &dyn Family {
    match kernel {
        Kernel::Matmul(kernel) => kernel,
        Kernel::Contract(kernel) => kernel,
        Kernel::Reduce(kernel) => kernel,
        Kernel::Gather(kernel) => kernel,
        Kernel::Concat(kernel) => kernel,
        Kernel::Pool(kernel) => kernel,
        Kernel::Pairs(kernel) => kernel,
    }
}

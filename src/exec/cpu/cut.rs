//! How the result of a step is cut into the chunks that threads take.
//!
//! A result is seen as `outer` rows of `inner` units; a chunk is a block of them. Most kernels have one row, so
//! that a chunk is a range of elements; a convolution's chunk is some channels of some pictures, or of some
//! filters: as many ranges as there are pictures.

use std::ops::Range;

use super::family::{Machine, family};
use super::pointwise::BLOCK;
use crate::tape::plan::Step;

/// A chunk is at least about this many floating-point operations, two or three microseconds: long enough that taking it
/// costs nothing.
const SMALL: usize = 1 << 18;

/// And at most about so many: short enough that the pointwise work after a matrix product finds its numbers in the
/// first-level cache.
const LARGE: usize = 1 << 20;

/// Between these, so many chunks per thread are enough for threads to finish a task together, even if one starts late.
/// Fewer and larger ones read a right factor less often.
const PER_THREAD: usize = 4;

/// What moving a number through the cache costs, in floating-point operations.
pub(super) const MOVED: usize = 16;

/// The elements of a result of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements {
    /// Chunks are multiples of so many.
    pub unit: usize,
    /// How many there are.
    pub count: usize,
    /// About how many floating-point operations each takes.
    pub cost: usize,
}

/// How a result `[outer, inner · unit]` is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub outer: usize,
    pub outer_block: usize,
    pub inner: usize,
    pub inner_block: usize,
    /// Elements of a unit.
    pub unit: usize,
}

/// A block of rows and units.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub outer: Range<usize>,
    pub inner: Range<usize>,
}

/// The elements of a chunk: ranges of one length, `stride` apart.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    pub first: Range<usize>,
    pub stride: usize,
    pub count: usize,
}

impl Cut {
    /// How `step` is cut.
    pub fn new(step: &Step, machine: Machine) -> Self {
        let program = step.pointwise.as_ref();
        let instructions = program.map_or(0, |program| program.instructions.len());
        match &step.kernel {
            Some(kernel) => family(kernel).cut(machine, instructions),
            // Most pointwise operations also move their numbers through the cache.
            None => {
                let elements = Elements {
                    unit: BLOCK,
                    count: program.map_or(0, |program| program.count),
                    cost: MOVED,
                };
                Self::in_ranges(elements, instructions, machine)
            }
        }
    }

    /// One row, cut by what its elements cost, pointwise instructions included.
    pub fn in_ranges(elements: Elements, instructions: usize, machine: Machine) -> Self {
        let Elements { unit, count, cost } = elements;
        let threads = machine.threads;
        let (unit, cost) = (unit.max(1), cost.max(1) + MOVED * instructions);
        // A power of two is as many chunks for each thread of the usual crews.
        let work = count * cost;
        let few = (PER_THREAD * threads).max(work.div_ceil(LARGE));
        let chunks = work.div_ceil(SMALL).min(few).next_power_of_two();
        Self {
            outer: 1,
            outer_block: 1,
            inner: count,
            inner_block: count.div_ceil(unit).div_ceil(chunks).max(1) * unit,
            unit: 1,
        }
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        self.outer.div_ceil(self.outer_block) * self.inner.div_ceil(self.inner_block)
    }

    /// Chunk number `i`.
    pub fn chunk(&self, i: usize) -> Chunk {
        let across = self.inner.div_ceil(self.inner_block);
        let block = |i: usize, size: usize, end: usize| i * size..end.min((i + 1) * size);
        Chunk {
            outer: block(i / across, self.outer_block, self.outer),
            inner: block(i % across, self.inner_block, self.inner),
        }
    }

    /// The elements of a chunk that lie in one of its rows.
    pub fn piece(&self, chunk: &Chunk, outer: usize) -> Range<usize> {
        let start = outer * self.inner * self.unit;
        start + chunk.inner.start * self.unit..start + chunk.inner.end * self.unit
    }

    /// All elements of a chunk.
    pub fn pieces(&self, chunk: &Chunk) -> Pieces {
        Pieces {
            first: self.piece(chunk, chunk.outer.start),
            stride: self.inner * self.unit,
            count: chunk.outer.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;
    use crate::tape::op::Interaction;
    use crate::tape::plan::Plan;

    #[test]
    fn chunks_hold_every_element_once_for_any_number_of_threads() {
        let mut t = Tape::new();
        let (a, b) = (t.input("a", [700, 70]), t.input("b", [70, 333]));
        let product = t.matmul(a, false, b, false);
        let elu = t.elu(product);
        let sum = t.sum(elu, 1..2);
        let points = t.input("points", [130, 60]);
        let charges = Interaction {
            d: 3,
            epsilon: t.constant(1.0, [1]),
            a: points,
            y: points,
            x: points,
        };
        let field = t.field(charges);
        let turned = t.transpose(field);
        for (name, value) in [("sum", sum), ("elu", elu), ("turned", turned)] {
            t.output(name, value);
        }
        let plan = Plan::new(&t);
        assert!(plan.steps.len() >= 4, "{}", t.explain());
        for (step, threads) in plan
            .steps
            .iter()
            .flat_map(|s| [1, 3, 64, 1024].map(|n| (s, n)))
        {
            let machine = Machine { lanes: 16, threads };
            let cut = Cut::new(step, machine);
            let mut seen = vec![0; cut.outer * cut.inner * cut.unit];
            for chunk in (0..cut.chunks()).map(|i| cut.chunk(i)) {
                for outer in chunk.outer.clone() {
                    seen[cut.piece(&chunk, outer)]
                        .iter_mut()
                        .for_each(|n| *n += 1);
                }
            }
            assert!(
                seen.iter().all(|&n| n == 1),
                "{cut:?} for {threads} threads"
            );
        }
    }
}

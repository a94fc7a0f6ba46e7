//! What the threads of a run do: packing and steps, cut into chunks.
//!
//! Why sharing memory between threads is sound here: a task writes each element of its slots from exactly one
//! chunk, as chunks are disjoint ranges, and one thread runs a chunk; a chunk reads only slots that its task
//! does not write, or (in place) the very elements that the chunk itself writes; and a task begins only
//! when the task before it is finished. The planner sees to the middle part: operands of a kernel never share
//! a slot with what its step stores, as only values that are read element by element are replaced.

#![expect(
    unsafe_code,
    reason = "borrows the ranges of shared slots that make up a chunk"
)]

use std::ops::Range;

use super::convolution::{self, PackLeft, Product};
use super::crew::Place;
use super::cut::Cut;
use super::gemm::{self, Gemm, Right};
use super::lanes::{Isa, Kernel, Lanes};
use super::pairwise::{self, Geometry};
use super::pointwise::Homes;
use super::rearrange;
use super::slots::Slots;
use super::workspace::Workspace;
use crate::tape::plan::{self, SlotId, Step};

/// What all threads do together before any of them goes on. `usize` is a step of the plan.
#[derive(Debug)]
pub(super) enum Task {
    PackMatrix(usize, Gemm),
    PackCharges(usize, Geometry),
    PackConvolution(usize),
    /// So many chains of a sum.
    SumChains(usize, usize),
    /// A step, cut into chunks.
    Step(usize, Cut),
}

impl Task {
    /// The step of the plan that this is, or packs for.
    pub fn step(&self) -> usize {
        match *self {
            Self::PackMatrix(step, _)
            | Self::PackCharges(step, _)
            | Self::PackConvolution(step)
            | Self::SumChains(step, _)
            | Self::Step(step, _) => step,
        }
    }
}

/// Numbers per register of an instruction set.
pub(super) fn lanes_of(isa: Isa) -> usize {
    struct CountLanes;
    impl Kernel for CountLanes {
        type Output = usize;
        fn run<L: Lanes>(self) -> usize {
            L::N
        }
    }
    isa.run(CountLanes)
}

/// The packing task that `step` needs first, and how much room it takes.
pub(super) fn packing(i: usize, step: &Step, lanes: usize) -> Option<(Task, usize)> {
    match step.kernel.as_ref()? {
        plan::Kernel::Matmul { ta, tb, size, .. } => {
            let gemm = Gemm::new(*ta, *tb, *size);
            match gemm.right(lanes) {
                Right::Shared(count) => Some((Task::PackMatrix(i, gemm), count)),
                _ => None,
            }
        }
        plan::Kernel::Convolution { what, sizes, .. } => {
            let count = convolution::packed(*what, sizes, lanes);
            (count > 0).then_some((Task::PackConvolution(i), count))
        }
        plan::Kernel::Pairwise { what, size, .. } => {
            let geometry = geometry_of(*size);
            let task = (Task::PackCharges(i, geometry), geometry.packed(lanes));
            pairwise::packs(*what, geometry.m).then_some(task)
        }
        plan::Kernel::Sum { size, .. } => {
            let chains = rearrange::shared_chains(*size, lanes);
            (chains > 0).then_some((Task::SumChains(i, chains), chains))
        }
        _ => None,
    }
}

pub(super) fn geometry_of([_, real, generated, m]: [usize; 4]) -> Geometry {
    Geometry {
        charges: [real, generated],
        m,
    }
}

/// What all threads see during a run.
pub(super) struct Shared<'a> {
    pub isa: Isa,
    pub steps: &'a [Step],
    /// Of the pointwise program of each.
    pub homes: &'a [Option<Homes>],
    pub slots: &'a Slots,
    /// The slot of the packing buffer.
    pub pack: SlotId,
}

impl Shared<'_> {
    /// All numbers of a slot.
    ///
    /// # Safety
    /// During a run, for a slot that the current task does not write.
    pub(super) unsafe fn whole(&self, slot: SlotId) -> &[f32] {
        // SAFETY: buffers outlive the run, and the caller vouches for the absence of writers.
        unsafe { self.slots.read(slot, 0..self.slots.len(slot)) }
    }

    /// Elements of a slot, for writing.
    ///
    /// # Safety
    /// During a run, for a range that belongs to the chunk that this thread is running, and only once.
    #[expect(
        clippy::mut_from_ref,
        reason = "disjoint ranges of shared memory, see the module"
    )]
    pub(super) unsafe fn mine(&self, slot: SlotId, range: Range<usize>) -> &mut [f32] {
        // SAFETY: buffers outlive the run, and chunks are disjoint.
        unsafe { self.slots.write(slot, range) }
    }

    /// This thread's chunks of a task.
    pub fn run(&self, number: usize, task: &Task, place: Place, workspace: &mut Workspace) {
        let lanes = lanes_of(self.isa);
        match *task {
            Task::PackMatrix(step, gemm) => {
                let panels = gemm.n.div_ceil(lanes);
                let size = lanes * gemm.k;
                place.work_on(number, panels, |panel| {
                    // SAFETY: each chunk writes its own panel.
                    let out = unsafe { self.mine(self.pack, panel * size..(panel + 1) * size) };
                    self.pack_matrix(step, gemm, panel..panel + 1, out);
                });
            }
            Task::PackCharges(step, geometry) => {
                let panels = geometry.panels(lanes);
                place.work_on(number, panels, |panel| {
                    self.pack_charges(step, geometry, panel..panel + 1);
                });
            }
            Task::PackConvolution(step) => {
                let Some(plan::Kernel::Convolution { what, sizes, .. }) = &self.steps[step].kernel
                else {
                    unreachable!("only convolutions pack their left factor");
                };
                let parts = Product::new(*what, sizes).packing_parts(lanes);
                place.work_on(number, parts, |part| self.pack_convolution(step, part));
            }
            Task::SumChains(step, chains) => {
                place.work_on(number, chains.div_ceil(rearrange::CHAINS), |part| {
                    let first = part * rearrange::CHAINS;
                    self.sum_chains(step, first..chains.min(first + rearrange::CHAINS));
                });
            }
            Task::Step(i, cut) => {
                // Only once a chunk is taken, as until that one is finished nobody writes the step's operands.
                let mut packed = false;
                place.work_on(number, cut.chunks(), |chunk| {
                    if !packed {
                        self.pack_own_matrix(i, &mut workspace.matrix);
                        packed = true;
                    }
                    self.step(i, &cut, &cut.chunk(chunk), workspace);
                });
            }
        }
    }

    /// Packs panels of the right factor of a product.
    fn pack_matrix(&self, step: usize, gemm: Gemm, panels: Range<usize>, out: &mut [f32]) {
        let Some(plan::Kernel::Matmul { b, .. }) = &self.steps[step].kernel else {
            unreachable!("only matrix products pack matrices");
        };
        // SAFETY: packing only reads operands of its step.
        let b = unsafe { &self.whole(*b)[..gemm.k * gemm.n] };
        self.isa.run(gemm::Pack {
            gemm,
            b,
            panels,
            out,
        });
    }

    /// Packs the right factor of a product for this thread, if each has its own copy.
    fn pack_own_matrix(&self, step: usize, matrix: &mut [f32]) {
        if let Some(plan::Kernel::Matmul { ta, tb, size, .. }) = &self.steps[step].kernel {
            let (gemm, lanes) = (Gemm::new(*ta, *tb, *size), lanes_of(self.isa));
            if let Right::Own(count) = gemm.right(lanes) {
                self.pack_matrix(step, gemm, 0..gemm.n.div_ceil(lanes), &mut matrix[..count]);
            }
        }
    }

    fn pack_charges(&self, step: usize, geometry: Geometry, panels: Range<usize>) {
        let Some(plan::Kernel::Pairwise { charges, .. }) = &self.steps[step].kernel else {
            unreachable!("only pairwise sums pack charges");
        };
        let lanes = lanes_of(self.isa);
        let size = geometry.panel(lanes);
        // SAFETY: packing only reads operands of its step, and each chunk writes its own panels.
        let (y, x, out) = unsafe {
            let out = self.mine(self.pack, panels.start * size..panels.end * size);
            (self.whole(charges[2]), self.whole(charges[3]), out)
        };
        self.isa.run(pairwise::Pack {
            geometry,
            y,
            x,
            panels,
            out,
        });
    }

    fn pack_convolution(&self, step: usize, part: usize) {
        let Some(plan::Kernel::Convolution { what, a, sizes, .. }) = &self.steps[step].kernel
        else {
            unreachable!("only convolutions pack their left factor");
        };
        let product = Product::new(*what, sizes);
        let range = product.packing_part(part, lanes_of(self.isa));
        // SAFETY: packing only reads operands of its step, and each chunk writes its own part.
        let (left, out) = unsafe { (self.whole(*a), self.mine(self.pack, range)) };
        self.isa.run(PackLeft {
            product,
            left,
            part,
            out,
        });
    }

    fn sum_chains(&self, step: usize, range: Range<usize>) {
        let Some(plan::Kernel::Sum { x, size, .. }) = &self.steps[step].kernel else {
            unreachable!("only sums have chains");
        };
        // SAFETY: this only reads operands of its step, and each chunk writes its own sums.
        let (x, out) = unsafe { (self.whole(*x), self.mine(self.pack, range.clone())) };
        self.isa.run(rearrange::Chains {
            size: *size,
            x,
            range,
            out,
        });
    }
}

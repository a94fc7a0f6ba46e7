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

use super::convolution::{self, Need, PackLeft, Product, Scatter, Scratch, Sums};
use super::crew::Place;
use super::cut::{Chunk, Cut};
use super::gemm::{self, Gemm, Right};
use super::lanes::{Isa, Kernel, Lanes};
use super::pairwise::{self, Geometry};
use super::pointwise::{self, Homes};
use super::rearrange;
use super::slots::Slots;
use crate::exec::buffer::Buffer;
use crate::tape::plan::{self, Pairwise, SlotId, Step};

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

/// What one thread needs for itself.
#[derive(Debug)]
pub(super) struct Workspace {
    registers: Buffer,
    /// The right factor of a product, packed.
    matrix: Buffer,
    convolution: Scratch,
    pairwise: Buffer,
}

impl Workspace {
    /// Enough for all of `steps`.
    pub fn new(steps: &[Step], homes: &[Option<Homes>], lanes: usize) -> Self {
        let registers = homes.iter().flatten().map(pointwise::scratch).max();
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
        let matrices = steps.iter().map(|step| match own_matrix(step, lanes) {
            Some((_, _, count)) => count,
            None => 0,
        });
        Self {
            matrix: Buffer::filled(matrices.max().unwrap_or(0), f32::NAN),
            pairwise: Buffer::filled(pairwise.max().unwrap_or(0), f32::NAN),
            registers: Buffer::filled(registers.unwrap_or(0), 0.0),
            convolution: needs.fold(Need::default(), Need::max).allocate(),
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

/// The product of `step`, its right factor and the numbers of the packed copy, if each thread makes its own.
fn own_matrix(step: &Step, lanes: usize) -> Option<(Gemm, SlotId, usize)> {
    let Some(plan::Kernel::Matmul {
        b, ta, tb, size, ..
    }) = &step.kernel
    else {
        return None;
    };
    let gemm = Gemm::new(*ta, *tb, *size);
    match gemm.right(lanes) {
        Right::Own(count) => Some((gemm, *b, count)),
        _ => None,
    }
}

fn geometry_of([_, real, generated, m]: [usize; 4]) -> Geometry {
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
    unsafe fn whole(&self, slot: SlotId) -> &[f32] {
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
    unsafe fn mine(&self, slot: SlotId, range: Range<usize>) -> &mut [f32] {
        // SAFETY: buffers outlive the run, and chunks are disjoint.
        unsafe { self.slots.write(slot, range) }
    }

    /// This thread's chunks of a task.
    pub fn run(&self, number: usize, task: &Task, place: Place, workspace: &mut Workspace) {
        let lanes = lanes_of(self.isa);
        match *task {
            Task::PackMatrix(step, gemm) => {
                let panels = gemm.n.div_ceil(lanes);
                place.work_on(number, panels, |panel| {
                    self.pack_matrix(step, gemm, panel..panel + 1);
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
                let step = &self.steps[i];
                if let Some((gemm, b, count)) = own_matrix(step, lanes) {
                    self.isa.run(gemm::Pack {
                        gemm,
                        // SAFETY: a step does not write its operands.
                        b: unsafe { &self.whole(b)[..gemm.k * gemm.n] },
                        panels: 0..gemm.n.div_ceil(lanes),
                        out: &mut workspace.matrix[..count],
                    });
                }
                place.work_on(number, cut.chunks(), |chunk| {
                    self.step(i, &cut, &cut.chunk(chunk), workspace);
                });
            }
        }
    }

    fn pack_matrix(&self, step: usize, gemm: Gemm, panels: Range<usize>) {
        let Some(plan::Kernel::Matmul { b, .. }) = &self.steps[step].kernel else {
            unreachable!("only matrix products pack matrices");
        };
        let lanes = lanes_of(self.isa);
        let size = lanes * gemm.k;
        // SAFETY: packing only reads operands of its step, and each chunk writes its own panels.
        let (b, out) = unsafe {
            let out = self.mine(self.pack, panels.start * size..panels.end * size);
            (&self.whole(*b)[..gemm.k * gemm.n], out)
        };
        self.isa.run(gemm::Pack {
            gemm,
            b,
            panels,
            out,
        });
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

    /// A chunk of a step: the kernel, then the pointwise work on its result.
    fn step(&self, i: usize, cut: &Cut, chunk: &Chunk, workspace: &mut Workspace) {
        let step = &self.steps[i];
        if let Some(kernel) = &step.kernel {
            self.kernel(kernel, cut, chunk, workspace);
        }
        if let (Some(program), Some(homes)) = (&step.pointwise, &self.homes[i]) {
            self.isa.run(pointwise::Run {
                program,
                homes,
                pieces: cut.pieces(chunk),
                slots: self.slots,
                scratch: &mut workspace.registers,
            });
        }
    }

    /// A chunk of a kernel's result.
    fn kernel(&self, kernel: &plan::Kernel, cut: &Cut, chunk: &Chunk, workspace: &mut Workspace) {
        // What a chunk of a result of one row is.
        let range = cut.piece(chunk, 0);
        // SAFETY: a kernel's operands, and the packing buffer after packing, are not written by its step (module
        // documentation).
        let whole = |slot| unsafe { self.whole(slot) };
        // SAFETY: every range is a piece of the current chunk of the kernel's result. Each arm borrows it once; the
        // convolutions let go of a piece before they ask for another one.
        let mine = |slot, range| unsafe { self.mine(slot, range) };
        match kernel {
            plan::Kernel::Matmul {
                a,
                b,
                out,
                ta,
                tb,
                size,
            } => {
                let gemm = Gemm::new(*ta, *tb, *size);
                let right = gemm.right(lanes_of(self.isa));
                let b = match right {
                    Right::Own(count) => &workspace.matrix[..count],
                    Right::Shared(count) => &whole(self.pack)[..count],
                    Right::InPlace => &whole(*b)[..gemm.k * gemm.n],
                };
                self.isa.run(gemm::Rows {
                    gemm,
                    right,
                    a: &whole(*a)[..gemm.m * gemm.k],
                    b,
                    rows: range.start / gemm.n..range.end / gemm.n,
                    out: mine(*out, range),
                });
            }
            plan::Kernel::Convolution {
                what,
                a,
                b,
                out,
                sizes,
            } => {
                let piece = |outer| mine(*out, cut.piece(chunk, outer));
                let scratch = &mut workspace.convolution;
                if convolution::scatters(*what, sizes, lanes_of(self.isa)) {
                    self.isa.run(Scatter {
                        c: *sizes,
                        y: whole(*a),
                        w: whole(*b),
                        chunk,
                        scratch,
                        piece,
                    });
                } else {
                    self.isa.run(Sums {
                        product: Product::new(*what, sizes),
                        left: whole(self.pack),
                        right: whole(*b),
                        chunk,
                        scratch,
                        piece,
                    });
                }
            }
            plan::Kernel::Sum { x, out, size } => self.isa.run(rearrange::Sum {
                size: *size,
                x: whole(*x),
                chains: {
                    let chains = rearrange::shared_chains(*size, lanes_of(self.isa));
                    &whole(self.pack)[..chains]
                },
                range: range.clone(),
                out: mine(*out, range),
            }),
            plan::Kernel::Broadcast { x, out, from, to } => {
                let out = mine(*out, range.clone());
                rearrange::broadcast(whole(*x), from, to, range, out);
            }
            plan::Kernel::Transpose { x, out, size } => {
                let out = mine(*out, range.clone());
                rearrange::transpose(whole(*x), *size, range, out);
            }
            plan::Kernel::Pairwise {
                what,
                d,
                charges,
                out,
                size,
            } => {
                let geometry = geometry_of(*size);
                let width = pairwise::width(*what, geometry.m);
                self.isa.run(pairwise::Sums {
                    what: *what,
                    geometry,
                    d: *d,
                    epsilon: whole(charges[0])[0],
                    a: whole(charges[1]),
                    v: match what {
                        Pairwise::Curvature(v) => whole(*v),
                        _ => &[],
                    },
                    charges: [whole(charges[2]), whole(charges[3])],
                    packed: match pairwise::packs(*what, geometry.m) {
                        true => &whole(self.pack)[..geometry.packed(lanes_of(self.isa))],
                        false => &[],
                    },
                    scratch: &mut workspace.pairwise,
                    range: range.start / width..range.end / width,
                    out: mine(*out, range),
                });
            }
        }
    }
}

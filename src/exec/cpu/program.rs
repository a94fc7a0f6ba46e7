//! From a plan to a list of tasks that every thread of the crew runs in step.
//!
//! Why sharing memory between threads is sound here: a task writes each element of its slots from exactly one
//! chunk, as chunks are disjoint ranges, and one thread runs a chunk; a chunk reads only slots that its task
//! does not write, or (in place) the very elements that the chunk itself writes; and a task begins only
//! when the task before it is finished.

#![expect(
    unsafe_code,
    reason = "borrows the ranges of shared slots that make up a chunk"
)]

use std::ops::Range;
use std::sync::Mutex;

use super::crew::{Board, Device, Place};
use super::gemm::{self, Gemm, Right};
use super::lanes::{Isa, Kernel, Lanes};
use super::pairwise::{self, Geometry};
use super::pointwise::{self, BLOCK};
use super::rearrange;
use super::slots::Slots;
use crate::exec::buffer::Buffer;
use crate::exec::{Store, bind_states};
use crate::numbers::Result;
use crate::tape::Tape;
use crate::tape::plan::{self, Pairwise, Plan, SlotId, SlotKind, Step};

/// A chunk is about this many floating-point operations, two or three microseconds: long enough that taking it
/// costs nothing, short enough that threads finish a task together and that the pointwise work after a matrix
/// product finds its numbers in the first-level cache.
const CHUNK: usize = 1 << 18;

/// A tape compiled for the CPU.
#[derive(Debug)]
pub struct Program {
    device: Device,
    plan: Plan,
    tasks: Vec<Task>,
    /// One buffer per slot of the plan (empty for states), then the packing buffer.
    buffers: Vec<Buffer>,
    /// `(slot, position in the store)` of each state.
    states: Vec<(SlotId, usize)>,
    slots: Slots,
    board: Board,
    /// Pointwise registers, one set per thread.
    registers: Vec<Mutex<Buffer>>,
}

/// What all threads do together between two waits. `usize` is a step of the plan.
#[derive(Debug)]
enum Task {
    PackMatrix(usize, Gemm),
    PackCharges(usize, Geometry),
    Step(usize),
}

impl Program {
    pub(in crate::exec) fn new(device: &Device, tape: &Tape, store: &Store) -> Result<Self> {
        let plan = Plan::new(tape);
        let lanes = device.isa().run(CountLanes);
        let positions = bind_states(store, tape)?;
        let mut states = vec![];
        let mut buffers = vec![];
        for (id, slot) in plan.slots.iter().enumerate() {
            buffers.push(match &slot.kind {
                SlotKind::State(name) => {
                    states.push((id, positions[name]));
                    Buffer::default()
                }
                SlotKind::Constant(value) => Buffer::filled(slot.count, *value as f32),
                SlotKind::Input(_) => Buffer::filled(slot.count, 0.0),
                // An element that a kernel forgets to write shows up as NaN.
                SlotKind::Scratch => Buffer::filled(slot.count, f32::NAN),
            });
        }
        let (mut tasks, mut packed) = (vec![], 0);
        for (i, step) in plan.steps.iter().enumerate() {
            if let Some((task, count)) = packing(i, step, lanes) {
                tasks.push(task);
                packed = packed.max(count);
            }
            tasks.push(Task::Step(i));
        }
        buffers.push(Buffer::filled(packed, f32::NAN));
        let programs = plan.steps.iter().filter_map(|s| s.pointwise.as_ref());
        let scratch = programs.map(pointwise::scratch).max().unwrap_or(0);
        let registers = (0..device.threads())
            .map(|_| Mutex::new(Buffer::filled(scratch, 0.0)))
            .collect();
        Ok(Self {
            device: device.clone(),
            plan,
            board: Board::new(tasks.len(), device),
            tasks,
            buffers,
            states,
            slots: Slots::default(),
            registers,
        })
    }

    pub(in crate::exec) fn input(&mut self, name: &str) -> &mut [f32] {
        let found = self.plan.slots.iter().position(|slot| match &slot.kind {
            SlotKind::Input(input) => input == name,
            _ => false,
        });
        let slot = found.unwrap_or_else(|| panic!("the tape has no input {name}"));
        &mut self.buffers[slot]
    }

    pub(in crate::exec) fn output(&self, name: &str) -> &[f32] {
        let found = self.plan.outputs.iter().find(|(output, ..)| output == name);
        let (_, slot, count) = found.unwrap_or_else(|| panic!("the tape has no output {name}"));
        &self.buffers[*slot][..*count]
    }

    pub(in crate::exec) fn run(&mut self, store: &mut Store) {
        self.slots.clear();
        let mut states = self.states.iter().peekable();
        for (id, buffer) in self.buffers.iter_mut().enumerate() {
            match states.next_if(|(slot, _)| *slot == id) {
                Some(&(_, position)) => self.slots.push(store.values_mut(position)),
                None => self.slots.push(buffer),
            }
        }
        let shared = Shared {
            isa: self.device.isa(),
            steps: &self.plan.steps,
            slots: &self.slots,
            pack: self.plan.slots.len(),
        };
        let (tasks, registers) = (&self.tasks, &self.registers);
        self.device.broadcast(&mut self.board, |place| {
            let registers = registers[place.index].lock();
            let mut registers = registers.unwrap_or_else(std::sync::PoisonError::into_inner);
            for (number, task) in tasks.iter().enumerate() {
                shared.run(number, task, place, &mut registers);
            }
        });
    }
}

/// Asks an instruction set for its number of lanes.
struct CountLanes;

impl Kernel for CountLanes {
    type Output = usize;
    fn run<L: Lanes>(self) -> usize {
        L::N
    }
}

/// The packing task that `step` needs first, and how much room it takes.
fn packing(i: usize, step: &Step, lanes: usize) -> Option<(Task, usize)> {
    match step.kernel.as_ref()? {
        plan::Kernel::Matmul { ta, tb, size, .. } => {
            let gemm = gemm_of(*ta, *tb, *size);
            match gemm.right(lanes) {
                Right::Packed(count) if count > 0 => Some((Task::PackMatrix(i, gemm), count)),
                _ => None,
            }
        }
        plan::Kernel::Pairwise { size, .. } => {
            let geometry = geometry_of(*size);
            Some((Task::PackCharges(i, geometry), geometry.packed(lanes)))
        }
        _ => None,
    }
}

fn gemm_of(ta: bool, tb: bool, [m, k, n]: [usize; 3]) -> Gemm {
    Gemm { m, k, n, ta, tb }
}

fn geometry_of([_, real, generated, m]: [usize; 4]) -> Geometry {
    Geometry {
        charges: [real, generated],
        m,
    }
}

/// What all threads see during a run.
struct Shared<'a> {
    isa: Isa,
    steps: &'a [Step],
    slots: &'a Slots,
    /// The slot of the packing buffer.
    pack: SlotId,
}

impl Shared<'_> {
    /// All numbers of a slot that the current task only reads.
    fn whole(&self, slot: SlotId) -> &[f32] {
        // SAFETY: the buffers live as long as the run; this is only called for slots that the current task
        // does not write (module documentation: kernel operands never share a slot with what the step
        // stores, the planner replaces only values that are read element by element).
        unsafe { self.slots.read(slot, 0..self.slots.len(slot)) }
    }

    #[expect(
        clippy::mut_from_ref,
        reason = "disjoint ranges of shared memory, see the module"
    )]
    /// The current chunk's elements of a slot that the current task writes.
    fn mine(&self, slot: SlotId, range: Range<usize>) -> &mut [f32] {
        // SAFETY: the buffers live as long as the run, and `range` belongs to the chunk that this thread runs,
        // which is disjoint from every other chunk of the task; the caller keeps no other borrow of it.
        unsafe { self.slots.write(slot, range) }
    }

    /// This thread's chunks of a task.
    fn run(&self, number: usize, task: &Task, place: Place, registers: &mut [f32]) {
        let lanes = self.isa.run(CountLanes);
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
            Task::Step(step) => {
                let step = &self.steps[step];
                let (unit, count, cost) = extent(step, lanes);
                let size = (CHUNK / (unit * cost)).max(1) * unit;
                place.work_on(number, count.div_ceil(size), |chunk| {
                    let range = chunk * size..count.min((chunk + 1) * size);
                    self.step(step, range, registers);
                });
            }
        }
    }

    fn pack_matrix(&self, step: usize, gemm: Gemm, panels: Range<usize>) {
        let Some(plan::Kernel::Matmul { b, .. }) = &self.steps[step].kernel else {
            unreachable!("only matrix products pack matrices");
        };
        let lanes = self.isa.run(CountLanes);
        let size = lanes * gemm.k;
        let b = &self.whole(*b)[..gemm.k * gemm.n];
        let out = self.mine(self.pack, panels.start * size..panels.end * size);
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
        let lanes = self.isa.run(CountLanes);
        let size = geometry.panel(lanes);
        let out = self.mine(self.pack, panels.start * size..panels.end * size);
        self.isa.run(pairwise::Pack {
            geometry,
            y: self.whole(charges[2]),
            x: self.whole(charges[3]),
            panels,
            out,
        });
    }

    /// Elements `range` of a step: the kernel, then the pointwise work on its result.
    fn step(&self, step: &Step, range: Range<usize>, registers: &mut [f32]) {
        if let Some(kernel) = &step.kernel {
            self.kernel(kernel, range.clone());
        }
        if let Some(program) = &step.pointwise {
            self.isa.run(pointwise::Run {
                program,
                range,
                slots: self.slots,
                registers,
            });
        }
    }

    /// Elements `range` of a kernel's result.
    fn kernel(&self, kernel: &plan::Kernel, range: Range<usize>) {
        match kernel {
            plan::Kernel::Matmul {
                a,
                b,
                out,
                ta,
                tb,
                size,
            } => {
                let gemm = gemm_of(*ta, *tb, *size);
                let right = gemm.right(self.isa.run(CountLanes));
                let b = match right {
                    Right::Packed(count) => &self.whole(self.pack)[..count],
                    _ => &self.whole(*b)[..gemm.k * gemm.n],
                };
                self.isa.run(gemm::Rows {
                    gemm,
                    right,
                    a: &self.whole(*a)[..gemm.m * gemm.k],
                    b,
                    rows: range.start / gemm.n..range.end / gemm.n,
                    out: self.mine(*out, range),
                });
            }
            plan::Kernel::Sum { x, out, size } => self.isa.run(rearrange::Sum {
                size: *size,
                x: self.whole(*x),
                range: range.clone(),
                out: self.mine(*out, range),
            }),
            plan::Kernel::Broadcast { x, out, from, to } => {
                let out = self.mine(*out, range.clone());
                rearrange::broadcast(self.whole(*x), from, to, range, out);
            }
            plan::Kernel::Transpose { x, out, size } => {
                let out = self.mine(*out, range.clone());
                rearrange::transpose(self.whole(*x), *size, range, out);
            }
            plan::Kernel::Pairwise {
                what,
                d,
                charges,
                out,
                size,
            } => {
                let geometry = geometry_of(*size);
                let width = pairwise_width(*what, geometry.m);
                self.isa.run(pairwise::Sums {
                    what: *what,
                    geometry,
                    d: *d,
                    epsilon: self.whole(charges[0])[0],
                    a: self.whole(charges[1]),
                    v: match what {
                        Pairwise::Curvature(v) => self.whole(*v),
                        _ => &[],
                    },
                    packed: &self.whole(self.pack)[..geometry.packed(self.isa.run(CountLanes))],
                    range: range.start / width..range.end / width,
                    out: self.mine(*out, range),
                });
            }
        }
    }
}

fn pairwise_width(what: Pairwise, m: usize) -> usize {
    match what {
        Pairwise::Potential => 1,
        _ => m,
    }
}

/// How a step's result may be cut: into multiples of how many elements, how many there are, and about how
/// many operations each costs (a pointwise operation also moves its number through the cache: 16).
fn extent(step: &Step, lanes: usize) -> (usize, usize, usize) {
    let instructions = step.pointwise.as_ref().map_or(0, |p| p.instructions.len());
    let (unit, count, cost) = match &step.kernel {
        None => (BLOCK, step.pointwise.as_ref().map_or(0, |p| p.count), 16),
        Some(plan::Kernel::Matmul { ta, tb, size, .. }) => {
            let gemm = gemm_of(*ta, *tb, *size);
            let unit = gemm.chunk_rows(lanes) * gemm.n;
            (unit, gemm.m * gemm.n, 2 * gemm.k)
        }
        // Sixteen columns are a register or two; row sums are whole by themselves.
        Some(plan::Kernel::Sum {
            size: [o, r, 1], ..
        }) => (1, *o, 2 * r),
        Some(plan::Kernel::Sum {
            size: [o, r, i], ..
        }) => (16, o * i, 2 * r),
        Some(plan::Kernel::Broadcast { to, .. }) => (BLOCK, to.iter().product(), 64),
        Some(plan::Kernel::Transpose { size, .. }) => (BLOCK, size[0] * size[1], 64),
        Some(plan::Kernel::Pairwise { what, size, .. }) => {
            let [points, real, generated, m] = *size;
            let width = pairwise_width(*what, m);
            let pair = (3 * m + 8).div_ceil(width);
            (4 * width, points * width, (real + generated) * pair)
        }
    };
    (unit.max(1), count, cost.max(1) + 16 * instructions)
}

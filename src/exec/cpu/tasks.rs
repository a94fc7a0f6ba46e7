//! What the threads of a run do: preparations and steps, cut into chunks. `work` says why they may share memory.

#![expect(
    unsafe_code,
    reason = "vouches for who runs a chunk, and writes parts of a shared buffer"
)]

use std::ops::Range;

use super::crew::Place;
use super::cut::{Chunk, Cut};
use super::family::{Machine, family};
use super::lanes::{Isa, Kernel, Lanes};
use super::pointwise::{self, Homes};
use super::slots::Slots;
use super::work::{Reading, Work};
use super::workspace::Workspace;
use crate::tape::plan::{SlotId, Step};

/// What all threads do together before any of them goes on.
#[derive(Debug)]
pub(super) struct Task {
    /// The step of the plan that this is, or prepares.
    pub step: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The parts of what is prepared: their places in the buffer, rising, so none overlap.
    Prepare(Vec<Range<usize>>),
    /// The step itself, cut into chunks.
    Step(Cut),
}

impl Task {
    /// The tasks of step number `step`, in order.
    ///
    /// # Panics
    /// If parts of a preparation overlap.
    pub fn of(step: usize, plan: &Step, machine: Machine) -> Vec<Self> {
        let kernel = plan.kernel.as_ref().map(family);
        let parts = kernel.map_or(vec![], |kernel| kernel.preparation(machine));
        let apart = parts.windows(2).all(|pair| pair[0].end <= pair[1].start);
        assert!(apart, "parts of a preparation overlap");
        let prepare = (!parts.is_empty()).then_some(Kind::Prepare(parts));
        let cut = Kind::Step(Cut::new(plan, machine));
        let kinds = prepare.into_iter().chain([cut]);
        kinds.map(|kind| Self { step, kind }).collect()
    }

    /// Numbers that are prepared.
    pub fn prepared(&self) -> usize {
        match &self.kind {
            Kind::Prepare(parts) => parts.last().map_or(0, |part| part.end),
            Kind::Step(_) => 0,
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

/// What all threads see during a run.
pub(super) struct Shared<'a> {
    pub isa: Isa,
    pub lanes: usize,
    pub steps: &'a [Step],
    /// Of the pointwise program of each.
    pub homes: &'a [Option<Homes>],
    pub slots: &'a Slots,
    /// The buffer of what is prepared.
    pub prepared: SlotId,
}

impl Shared<'_> {
    /// This thread's chunks of task number `number`.
    pub fn run(&self, number: usize, task: &Task, place: Place, workspace: &mut Workspace) {
        let step = &self.steps[task.step];
        let kernel = step.kernel.as_ref().map(family);
        let reading = |preparing| {
            let machine = (self.isa, self.lanes);
            // SAFETY: the buffers outlive the run, and tasks run one after the other.
            unsafe { Reading::new(machine, self.slots, step, self.prepared, preparing) }
        };
        match &task.kind {
            Kind::Prepare(parts) => place.work_on(number, parts.len(), |part| {
                // SAFETY: the buffer outlives the run, parts do not overlap, and each is one thread's.
                let out = unsafe { self.slots.write(self.prepared, parts[part].clone()) };
                if let Some(kernel) = kernel {
                    kernel.prepare(part, &reading(true), out);
                }
            }),
            Kind::Step(cut) => {
                // Only once a chunk is taken, as until that one is finished nobody writes the step's operands.
                let mut begun = false;
                place.work_on(number, cut.chunks(), |chunk| {
                    let chunk = cut.chunk(chunk);
                    if let (Some(kernel), Some(writes)) = (kernel, &step.kernel) {
                        let from = reading(false);
                        if !std::mem::replace(&mut begun, true) {
                            kernel.begin(&from, workspace);
                        }
                        // SAFETY: this thread has taken the chunk, and no other work on it lives.
                        let mut work =
                            unsafe { Work::new(from, cut, &chunk, writes.facts().out()) };
                        kernel.compute(&mut work, workspace);
                    }
                    self.pointwise(task.step, cut, &chunk, workspace);
                });
            }
        }
    }

    /// The pointwise work on a chunk of a step.
    fn pointwise(&self, step: usize, cut: &Cut, chunk: &Chunk, workspace: &mut Workspace) {
        if let (Some(program), Some(homes)) = (&self.steps[step].pointwise, &self.homes[step]) {
            self.isa.run(pointwise::Run {
                program,
                homes,
                pieces: cut.pieces(chunk),
                slots: self.slots,
                scratch: &mut workspace.pointwise,
            });
        }
    }
}

//! From the steps of a plan to launches: which kernel, which sizes, which grid.

use super::epilogue::{self, Epilogue, Place};
use super::launch::{Kernel, Launch, grid};
use super::split::{self, MOST_ARRAYS};
use super::tile::Engine;
use super::values::{Format, StepValues};
use crate::exec::Precision;
use crate::tape::plan::{self, Facts, Plan, Pointwise, SlotId, Step};

pub(super) const GEMM: &str = include_str!("../../../kernels/gemm.wgsl");
const POINTWISE: &str = include_str!("../../../kernels/pointwise.wgsl");

/// How a kernel of the plan is computed: the launches of its compute kernels. Each implements it beside them.
pub(super) trait Shader: Facts {
    /// Adds the launches, the last of which calls [`Lowering::finish`].
    fn launch(&self, lowering: &mut Lowering<'_>);

    /// Whether its operands may be stored in half precision.
    fn reads_halves(&self) -> bool {
        false
    }

    /// Whether its result must be single, as it adds up many numbers, may be large, and is small in number.
    fn adds_up(&self) -> bool {
        false
    }
}

/// The implementation for `kernel`.
pub(super) fn shader(kernel: &plan::Kernel) -> &dyn Shader {
    match kernel {
        plan::Kernel::Matmul(kernel) => kernel,
        plan::Kernel::Contract(kernel) => kernel,
        plan::Kernel::Reduce(kernel) => kernel,
        plan::Kernel::Gather(kernel) => kernel,
        plan::Kernel::Concat(kernel) => kernel,
        plan::Kernel::Pool(kernel) => kernel,
        plan::Kernel::Pairs(kernel) => kernel,
    }
}

/// What becomes of a step.
pub(super) struct Lowering<'a> {
    pub engine: Engine,
    pub precision: Precision,
    pub plan: &'a Plan,
    pub values: &'a [StepValues],
    /// The launches so far.
    pub launches: Vec<Launch>,
    /// Launches that come before all others, and the states they copy.
    copies: Vec<Launch>,
    pub half_copies: Vec<SlotId>,
    /// Numbers that pass between the launches of one step, at most, in two arrays.
    pub between: [usize; 2],
    /// The step at hand.
    pub at: usize,
}

impl<'a> Lowering<'a> {
    /// The launches of all steps.
    pub fn new(
        plan: &'a Plan,
        values: &'a [StepValues],
        engine: Engine,
        precision: Precision,
    ) -> Self {
        let mut lowering = Self {
            engine,
            precision,
            plan,
            values,
            launches: vec![],
            copies: vec![],
            half_copies: vec![],
            between: [0; 2],
            at: 0,
        };
        for at in 0..plan.steps.len() {
            lowering.at = at;
            lowering.step();
        }
        let launches = std::mem::take(&mut lowering.launches);
        lowering.launches = std::mem::take(&mut lowering.copies);
        lowering.launches.extend(launches);
        lowering
    }

    fn current(&self) -> &'a Step {
        &self.plan.steps[self.at]
    }

    /// What is known of the values of the step at hand.
    pub fn step_values(&self) -> &'a StepValues {
        &self.values[self.at]
    }

    /// Whether the device is a program on the CPU.
    pub fn software(&self) -> bool {
        self.engine == Engine::Software
    }

    /// Threads of a workgroup whose threads do not wait for each other.
    pub fn group(&self) -> usize {
        if self.software() { 64 } else { 256 }
    }

    /// Threads of a workgroup that adds up its threads' sums.
    pub fn reducing_group(&self) -> usize {
        if self.software() { 8 } else { 256 }
    }

    /// Room for `count` numbers between launches, in array `which`.
    pub fn between(&mut self, which: usize, count: usize) -> Place {
        self.between[which] = self.between[which].max(count);
        Place::Between(which)
    }

    /// Launches `kernel`, whose result is the step's: with the step's pointwise work.
    pub fn finish(&mut self, kernel: &Kernel<'_>) {
        let values = self.step_values();
        let first = kernel.operands.len();
        let step = self.current();
        let out = step.kernel.as_ref().map(|kernel| kernel.facts().out());
        let epilogue = match (&step.pointwise, out) {
            (Some(program), out) if !split::is_needed(step) => {
                epilogue::pointwise(program, out, values.keep_result, &values.formats, first)
            }
            (_, Some(out)) => epilogue::store(Place::Slot(out), values.formats.written(out), first),
            (_, None) => return,
        };
        self.push(kernel, epilogue);
    }

    /// Launches `kernel`, whose result goes to `place` as it is.
    pub fn pass_on(&mut self, kernel: &Kernel<'_>, place: Place) {
        let epilogue = epilogue::store(place, Format::Single, kernel.operands.len());
        self.push(kernel, epilogue);
    }

    fn push(&mut self, kernel: &Kernel<'_>, epilogue: Epilogue) {
        self.launches.push(kernel.launch(self.at, epilogue));
    }

    fn step(&mut self) {
        let step = self.current();
        if let Some(kernel) = &step.kernel {
            shader(kernel).launch(self);
        }
        match &step.pointwise {
            Some(program) if split::is_needed(step) => {
                for part in split::parts(program, MOST_ARRAYS) {
                    self.pointwise(&part);
                }
            }
            Some(program) if step.kernel.is_none() => self.pointwise(program),
            _ => {}
        }
    }

    /// Pointwise work by itself.
    fn pointwise(&mut self, program: &Pointwise) {
        if program.count == 0 {
            return;
        }
        let formats = &self.step_values().formats;
        let epilogue = epilogue::pointwise(program, None, false, formats, 0);
        let launch = over_elements(self.at, program.count, self.group(), epilogue);
        self.launches.push(launch);
    }

    /// A copy in half precision of the state in `slot`, made at the start of every run.
    pub fn half_copy(&mut self, slot: SlotId) -> Place {
        if !self.half_copies.contains(&slot) {
            self.half_copies.push(slot);
            let (count, group) = (self.plan.slots[slot].count, self.group());
            let copy = over_elements(self.at, count, group, epilogue::half_copy(slot));
            self.copies.push(copy);
        }
        Place::HalfCopy(slot)
    }
}

/// A launch for `step` of pointwise work on `count` elements, in workgroups of `group` threads.
pub(super) fn over_elements(step: usize, count: usize, group: usize, epilogue: Epilogue) -> Launch {
    let kernel = Kernel {
        name: "pointwise",
        files: &[POINTWISE],
        formats: &[],
        constants: &[],
        overrides: &[("GROUP", group as f64)],
        operands: &[],
        sizes: &[count as u32],
        grid: grid(count.div_ceil(group)),
    };
    kernel.launch(step, epilogue)
}

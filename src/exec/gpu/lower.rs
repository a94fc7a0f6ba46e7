//! From the steps of a plan to launches: which kernel, which sizes, which grid.

use super::epilogue::{self, Epilogue, Place};
use super::launch::{Kernel, Launch, grid};
use super::split::{self, MOST_ARRAYS};
use super::tile::Engine;
use super::values::{Format, StepValues, result};
use crate::exec::Precision;
use crate::tape::plan::{self, Plan, Pointwise, SlotId, Step};

pub(super) const GEMM: &str = include_str!("../../../kernels/gemm.wgsl");
const POINTWISE: &str = include_str!("../../../kernels/pointwise.wgsl");
const SUM_ROWS: &str = include_str!("../../../kernels/sum_rows.wgsl");
const SUM_COLUMNS: &str = include_str!("../../../kernels/sum_columns.wgsl");
const GATHER: &str = include_str!("../../../kernels/gather.wgsl");

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
        let out = step.kernel.as_ref().map(result);
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
        match &step.kernel {
            None => {}
            Some(plan::Kernel::Matmul {
                a, b, ta, tb, size, ..
            }) => self.matmul([*a, *b], [*ta, *tb], *size),
            Some(plan::Kernel::Convolution {
                what, a, b, sizes, ..
            }) => self.convolution(*what, [*a, *b], sizes),
            Some(plan::Kernel::Sum { x, size, .. }) => self.sum(*x, *size),
            Some(plan::Kernel::Broadcast { x, from, to, .. }) => {
                self.gather(*x, &moving_axes(from, to), to.iter().product())
            }
            Some(plan::Kernel::Transpose {
                x,
                size: [rows, cols],
                ..
            }) => {
                let axes = [[1, *rows, *cols], [*rows, *cols, 1]];
                self.gather(*x, &axes, rows * cols)
            }
            Some(plan::Kernel::Pairwise {
                what,
                d,
                charges,
                size,
                ..
            }) => self.pairwise(*what, *d, *charges, *size),
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

    /// `out[i] = x[Σ (i / divisor mod size) · stride]` over `[divisor, size, stride]` of each axis.
    fn gather(&mut self, x: SlotId, axes: &[[usize; 3]], count: usize) {
        if count == 0 {
            return;
        }
        let source = source_text(axes);
        let group = self.group();
        self.finish(&Kernel {
            name: "gather",
            files: &[GATHER, &source],
            formats: &[],
            constants: &[],
            overrides: &[("GROUP", group as f64)],
            operands: &[Place::Slot(x)],
            sizes: &[count as u32],
            grid: grid(count.div_ceil(group)),
        });
    }

    fn sum(&mut self, x: SlotId, [outer, reduced, inner]: [usize; 3]) {
        let place = Place::Slot(x);
        let segments = segments(outer * inner, reduced);
        if segments == 1 {
            self.sum_once(place, [outer, reduced, inner], 1);
            return;
        }
        self.sum_once(place, [outer, reduced, inner], segments);
        self.sum_once(Place::Between(0), [outer, segments, inner], 1);
    }

    /// Adds up `segments` equal parts of each sum; one part makes the step's result, several pass on theirs.
    pub fn sum_once(&mut self, x: Place, [outer, reduced, inner]: [usize; 3], segments: usize) {
        let count = outer * segments * inner;
        if count == 0 {
            return;
        }
        let segment = reduced.div_ceil(segments);
        let format = match x {
            Place::Slot(slot) => self.step_values().formats.read(slot),
            Place::Between(_) | Place::HalfCopy(_) => Format::Single,
        };
        let rows = [outer, reduced, segments, segment].map(|n| n as u32);
        let columns = [outer, reduced, inner, segments, segment].map(|n| n as u32);
        let (reducing, group) = (self.reducing_group(), self.group());
        let along_rows = inner == 1;
        let kernel = Kernel {
            name: if along_rows {
                "sum_rows"
            } else {
                "sum_columns"
            },
            files: if along_rows {
                &[SUM_ROWS]
            } else {
                &[SUM_COLUMNS]
            },
            formats: &[("Number", format)],
            constants: &[],
            overrides: &[("GROUP", if along_rows { reducing } else { group } as f64)],
            operands: &[x],
            sizes: if along_rows { &rows } else { &columns },
            grid: grid(if along_rows {
                count
            } else {
                count.div_ceil(group)
            }),
        };
        if segments > 1 {
            let between = self.between(0, count);
            self.pass_on(&kernel, between);
        } else {
            self.finish(&kernel);
        }
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

/// Into how many segments `count` sums of `reduced` numbers are cut, so that there is work for many threads.
fn segments(count: usize, reduced: usize) -> usize {
    if reduced < 256 || count >= 16_384 {
        return 1;
    }
    let wanted = 16_384_usize.div_ceil(count.max(1));
    wanted.min(reduced.div_ceil(64)).clamp(1, 256)
}

/// The function that finds the operand's element for element `i` of a result, as WGSL.
fn source_text(axes: &[[usize; 3]]) -> String {
    let term =
        |[divisor, size, stride]: &[usize; 3]| format!("i / {divisor}u % {size}u * {stride}u");
    let terms: Vec<String> = axes.iter().map(term).collect();
    let sum = if terms.is_empty() {
        "0u".into()
    } else {
        terms.join(" + ")
    };
    format!("fn source(i: u32) -> u32 {{\n    return {sum};\n}}\n")
}

/// The axes along which a broadcast from `from` to `to` moves through its operand, as `[divisor, size, stride]` of an
/// index into the result; neighbours that move together are one.
fn moving_axes(from: &[usize], to: &[usize]) -> Vec<[usize; 3]> {
    let mut axes: Vec<[usize; 3]> = vec![];
    let (mut divisor, mut stride) = (1, 1);
    for (&from, &to) in from.iter().zip(to).rev() {
        if from != 1 {
            match axes.last_mut() {
                Some(axis) if axis[0] * axis[1] == divisor => axis[1] *= from,
                _ => axes.push([divisor, from, stride]),
            }
        }
        stride *= from;
        divisor *= to;
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_move_together_are_one() {
        assert_eq!(moving_axes(&[2, 3, 1], &[2, 3, 5]), [[5, 6, 1]]);
        let apart = [[5, 3, 1], [60, 2, 3]];
        assert_eq!(moving_axes(&[2, 1, 3, 1], &[2, 4, 3, 5]), apart);
        assert_eq!(moving_axes(&[1, 1], &[7, 8]), [[0; 3]; 0]);
    }

    #[test]
    fn few_long_sums_are_cut() {
        assert_eq!(segments(100_000, 1 << 20), 1);
        assert_eq!(segments(1, 100), 1);
        assert_eq!(segments(1, 1 << 20), 256);
        assert_eq!(segments(64, 128 * 1024), 256);
    }
}

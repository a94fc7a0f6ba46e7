//! What is stored between the steps of a plan, and how precisely.
//!
//! A slot holds one value after another. Two questions are answered for each of them: does anybody read a kernel's
//! result as it is, or only its fused pointwise work (then it never reaches memory); and may it be stored in half
//! precision. Half are, where that is asked for, large arrays between contractions and pointwise work: activations, and
//! the gradients that flow back through them. What stays single: the state, inputs, outputs, anything near an update of
//! the state (gradients of weights, all of Adam), points and charges of potentials, and small arrays such as the
//! statistics of batch norms.

use std::collections::HashMap;

use super::lower::shader;
use super::split;
use crate::exec::Precision;
use crate::tape::plan::{Index, Plan, SlotId, SlotKind, Step};

/// Arrays up to this many numbers stay single: no vector with a number per unit or channel is longer.
pub(super) const SMALL: usize = 4096;

/// How an array's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// `f32`.
    Single,
    /// `f16`.
    Half,
}

impl Format {
    /// WGSL's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "f32",
            Self::Half => "f16",
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Half => 2,
        }
    }

    /// The expression of type `f32` named `value` as what is stored.
    pub fn stored(self, value: &str) -> String {
        match self {
            Self::Single => value.into(),
            Self::Half => format!("half({value})"),
        }
    }
}

/// The formats of the slots that a step reads and writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Formats {
    read: HashMap<SlotId, Format>,
    written: HashMap<SlotId, Format>,
}

impl Formats {
    /// How the numbers that the step finds in `slot` are stored.
    pub fn read(&self, slot: SlotId) -> Format {
        *self.read.get(&slot).unwrap_or(&Format::Single)
    }

    /// How the step stores what it puts into `slot`.
    pub fn written(&self, slot: SlotId) -> Format {
        *self.written.get(&slot).unwrap_or(&Format::Single)
    }
}

/// What is known of a step's values.
#[derive(Debug, Clone, Default)]
pub(super) struct StepValues {
    pub formats: Formats,
    /// Whether the kernel's result is stored as it is.
    pub keep_result: bool,
}

/// A value on its way through memory.
#[derive(Debug, Default)]
struct Value {
    /// Whether it must be stored in single precision.
    single: bool,
    /// `(step, slot)` of every reader and, last, of its writer.
    readers: Vec<(usize, SlotId)>,
    writer: Option<(usize, SlotId)>,
    /// A value that it replaces element by element, so that both need one format.
    replaces: Option<usize>,
}

/// The slot that the kernel of a step writes.
pub(super) fn result(step: &Step) -> Option<SlotId> {
    step.kernel.as_ref().map(|kernel| kernel.facts().out())
}

/// The slots that the kernel of a step reads.
fn operands(step: &Step) -> Vec<SlotId> {
    let kernel = step.kernel.as_ref();
    kernel.map_or(vec![], |kernel| kernel.facts().operands())
}

/// The slots that a step reads: operands of its kernel, and what its pointwise work loads from memory.
fn reads(step: &Step) -> Vec<SlotId> {
    let own = result(step);
    let loads = step.pointwise.iter().flat_map(|p| &p.loads);
    let loaded = loads
        .map(|load| load.slot)
        .filter(|&slot| Some(slot) != own);
    operands(step).into_iter().chain(loaded).collect()
}

/// Whether the result of the kernel of step `at` is read by anybody but the step's own pointwise work.
fn keeps_result(plan: &Plan, at: usize) -> bool {
    let step = &plan.steps[at];
    let Some(slot) = result(step) else {
        return false;
    };
    // Pointwise work that is cut into parts finds the result in memory.
    if step.pointwise.is_none() || split::is_needed(step) {
        return true;
    }
    if step.stores().any(|stored| stored == slot) {
        return false;
    }
    for later in &plan.steps[at + 1..] {
        if reads(later).contains(&slot) {
            return true;
        }
        if result(later) == Some(slot) || later.stores().any(|stored| stored == slot) {
            return false;
        }
    }
    plan.outputs.iter().any(|(_, output, _)| *output == slot)
}

/// Whether a step may work with half precision on the values it touches.
fn allows_half(plan: &Plan, step: &Step) -> bool {
    let state = |slot: SlotId| matches!(plan.slots[slot].kind, SlotKind::State(_));
    kernel_allows_half(step) && !step.stores().any(state) && !split::is_needed(step)
}

/// Whether the kernel of a step, if it has one, may read halves.
fn kernel_allows_half(step: &Step) -> bool {
    let kernel = step.kernel.as_ref();
    kernel.is_none_or(|kernel| shader(kernel).reads_halves())
}

/// The values of every step of `plan`.
pub(super) fn values(plan: &Plan, precision: Precision) -> Vec<StepValues> {
    let mut found: Vec<StepValues> = (0..plan.steps.len())
        .map(|at| StepValues {
            keep_result: keeps_result(plan, at),
            ..StepValues::default()
        })
        .collect();
    if precision == Precision::Half {
        for value in lifetimes(plan, &found) {
            if value.single {
                continue;
            }
            for (step, slot) in value.readers {
                found[step].formats.read.insert(slot, Format::Half);
            }
            if let Some((step, slot)) = value.writer {
                found[step].formats.written.insert(slot, Format::Half);
            }
        }
    }
    found
}

/// Who writes and reads each value of a scratch slot, and whether it must be single.
fn lifetimes(plan: &Plan, steps: &[StepValues]) -> Vec<Value> {
    let mut values: Vec<Value> = vec![];
    let mut current: Vec<Option<usize>> = vec![None; plan.slots.len()];
    for (at, step) in plan.steps.iter().enumerate() {
        let allowed = allows_half(plan, step);
        let kernel_operands = operands(step);
        for slot in reads(step) {
            let Some(value) = current[slot] else { continue };
            values[value].readers.push((at, slot));
            // A step that updates the state may still multiply halves: only what its pointwise work reads is single.
            values[value].single |= match kernel_operands.contains(&slot) {
                true => !kernel_allows_half(step),
                false => !allowed,
            };
        }
        let sums = (step.kernel.as_ref()).is_some_and(|kernel| shader(kernel).adds_up());
        let kept = result(step).filter(|_| steps[at].keep_result);
        let before = current.clone();
        for slot in kept.into_iter().chain(step.stores()) {
            if plan.slots[slot].kind != SlotKind::Scratch {
                continue;
            }
            let in_place = step.pointwise.iter().flat_map(|p| &p.loads);
            let in_place = in_place.filter(|load| {
                load.slot == slot && load.index == Index::IDENTITY && Some(slot) != kept
            });
            values.push(Value {
                single: !allowed || sums || step.count() <= SMALL,
                readers: vec![],
                writer: Some((at, slot)),
                replaces: in_place.count().checked_sub(1).and(before[slot]),
            });
            current[slot] = Some(values.len() - 1);
        }
    }
    for (_, slot, _) in &plan.outputs {
        if let Some(value) = current[*slot] {
            values[value].single = true;
        }
    }
    // Both ways along the chains of replaced values.
    for value in (0..values.len()).rev() {
        if let (true, Some(old)) = (values[value].single, values[value].replaces) {
            values[old].single = true;
        }
    }
    for value in 0..values.len() {
        if let Some(old) = values[value].replaces {
            values[value].single |= values[old].single;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::plan::Kernel;
    use crate::tape::{Tape, Window};

    /// A convolution with ELU, its mean as a loss, a step down the gradient, and a potential of the pictures.
    fn plan() -> Plan {
        let mut t = Tape::new();
        let x = t.input("x", [16, 4, 12, 12]);
        let w = t.state("w", [8, 4, 3, 3]);
        let window = Window {
            stride: [1; 2],
            padding: [1; 2],
        };
        let h = t.conv2d(x, w, window);
        let h = t.elu(h);
        let y = t.conv2d_input_grad(h, w, window, [12, 12]);
        let y = t.tanh(y);
        // Its slot has held an activation before: one number all the same.
        let loss = t.mean_all(y);
        let dw = t.grad(loss, &[w])[0];
        let step = t.scale(dw, -0.1);
        let next = t.add(w, step);
        t.assign(w, next);
        t.output("loss", loss);
        Plan::new(&t)
    }

    #[test]
    fn activations_are_halves_and_weights_are_not() {
        let plan = plan();
        let found = values(&plan, Precision::Half);
        let mut halves = 0;
        for (step, values) in plan.steps.iter().zip(&found) {
            for slot in reads(step) {
                let half = values.formats.read(slot) == Format::Half;
                halves += usize::from(half);
                assert!(!half || plan.slots[slot].kind == SlotKind::Scratch);
            }
            for slot in step.stores().chain(result(step)) {
                let half = values.formats.written(slot) == Format::Half;
                let scratch = plan.slots[slot].kind == SlotKind::Scratch;
                let sum = matches!(step.kernel, Some(Kernel::Reduce(_)));
                assert!(!half || (scratch && !sum && step.count() > SMALL));
            }
        }
        assert!(halves >= 3, "{halves} halves read in {plan:?}");
        let single = values(&plan, Precision::Single);
        let none = |values: &StepValues| values.formats.read.is_empty();
        assert!(single.iter().all(none));
    }

    /// What one step stores in a format, the next one reads in it.
    #[test]
    fn readers_and_writers_agree() {
        let plan = plan();
        let found = values(&plan, Precision::Half);
        let mut stored: HashMap<SlotId, Format> = HashMap::new();
        for (step, values) in plan.steps.iter().zip(&found) {
            for slot in reads(step) {
                if let Some(&format) = stored.get(&slot) {
                    assert_eq!(format, values.formats.read(slot), "slot {slot}");
                }
            }
            let kept = result(step).filter(|_| values.keep_result);
            for slot in kept.into_iter().chain(step.stores()) {
                stored.insert(slot, values.formats.written(slot));
            }
        }
        assert!(
            plan.outputs
                .iter()
                .all(|(_, slot, _)| stored[slot] == Format::Single)
        );
    }
}

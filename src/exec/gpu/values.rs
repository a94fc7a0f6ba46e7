//! What is stored between the steps of a plan, and how precisely.
//!
//! A slot holds one value after another. Two questions are answered for each of them: does anybody read a kernel's
//! result as it is, or only its fused pointwise work (then it never reaches memory); and may it be stored in half
//! precision. Half are, where that is asked for, large arrays between contractions and pointwise work: activations, and
//! the gradients that flow back through them. What stays single: the state, inputs, outputs, anything near an update of
//! the state (gradients of weights, all of Adam), points and charges of potentials, and small arrays such as the
//! statistics of batch norms.

use std::collections::HashMap;

use super::split;
use crate::exec::Precision;
use crate::tape::plan::{Contraction, Index, Kernel, Pairwise, Plan, SlotId, SlotKind, Step};

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

/// The slots that a kernel reads.
pub(super) fn operands(kernel: &Kernel) -> Vec<SlotId> {
    match kernel {
        Kernel::Matmul { a, b, .. } | Kernel::Convolution { a, b, .. } => vec![*a, *b],
        Kernel::Sum { x, .. } | Kernel::Broadcast { x, .. } | Kernel::Transpose { x, .. } => {
            vec![*x]
        }
        Kernel::Pairwise { what, charges, .. } => match what {
            Pairwise::Curvature(v) => [&charges[..], &[*v]].concat(),
            _ => charges.to_vec(),
        },
    }
}

/// The slot that a kernel writes.
pub(super) fn result(kernel: &Kernel) -> SlotId {
    match kernel {
        Kernel::Matmul { out, .. }
        | Kernel::Convolution { out, .. }
        | Kernel::Sum { out, .. }
        | Kernel::Broadcast { out, .. }
        | Kernel::Transpose { out, .. }
        | Kernel::Pairwise { out, .. } => *out,
    }
}

/// Elements of what a step computes.
pub(super) fn count(step: &Step) -> usize {
    match (&step.pointwise, &step.kernel) {
        (Some(program), _) => program.count,
        (None, None) => 0,
        (None, Some(Kernel::Matmul { size, .. })) => size[0] * size[2],
        (None, Some(Kernel::Convolution { what, sizes, .. })) => match what {
            Contraction::Answer => sizes.y().iter().product(),
            Contraction::Picture => sizes.x().iter().product(),
            Contraction::Filter => sizes.w().iter().product(),
        },
        (None, Some(Kernel::Sum { size, .. })) => size[0] * size[2],
        (None, Some(Kernel::Broadcast { to, .. })) => to.iter().product(),
        (None, Some(Kernel::Transpose { size, .. })) => size[0] * size[1],
        (None, Some(Kernel::Pairwise { what, size, .. })) => match what {
            Pairwise::Potential => size[0],
            _ => size[0] * size[3],
        },
    }
}

/// The slots that a step reads: operands of its kernel, and what its pointwise work loads from memory.
fn reads(step: &Step) -> Vec<SlotId> {
    let own = step.kernel.as_ref().map(result);
    let kernel = step.kernel.iter().flat_map(operands);
    let loads = step.pointwise.iter().flat_map(|p| &p.loads);
    let loaded = loads
        .map(|load| load.slot)
        .filter(|&slot| Some(slot) != own);
    kernel.chain(loaded).collect()
}

/// The slots that a step's pointwise work writes.
fn stores(step: &Step) -> impl Iterator<Item = SlotId> + '_ {
    let stores = step.pointwise.iter().flat_map(|p| &p.stores);
    stores.map(|&(_, slot)| slot)
}

/// Whether the result of the kernel of step `at` is read by anybody but the step's own pointwise work.
fn keeps_result(plan: &Plan, at: usize) -> bool {
    let step = &plan.steps[at];
    let Some(slot) = step.kernel.as_ref().map(result) else {
        return false;
    };
    // Pointwise work that is cut into parts finds the result in memory.
    if step.pointwise.is_none() || split::is_needed(step) {
        return true;
    }
    if stores(step).any(|stored| stored == slot) {
        return false;
    }
    for later in &plan.steps[at + 1..] {
        if reads(later).contains(&slot) {
            return true;
        }
        let kernel = later.kernel.as_ref().map(result);
        if kernel == Some(slot) || stores(later).any(|stored| stored == slot) {
            return false;
        }
    }
    plan.outputs.iter().any(|(_, output, _)| *output == slot)
}

/// Whether a step may work with half precision on the values it touches.
fn allows_half(plan: &Plan, step: &Step) -> bool {
    let kernel = match &step.kernel {
        None | Some(Kernel::Matmul { .. } | Kernel::Sum { .. }) => true,
        Some(Kernel::Convolution { .. }) => true,
        Some(Kernel::Broadcast { .. } | Kernel::Transpose { .. } | Kernel::Pairwise { .. }) => {
            false
        }
    };
    let state = |slot: SlotId| matches!(plan.slots[slot].kind, SlotKind::State(_));
    kernel && !stores(step).any(state) && !split::is_needed(step)
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
        let kernel_operands: Vec<SlotId> = step.kernel.iter().flat_map(operands).collect();
        for slot in reads(step) {
            let Some(value) = current[slot] else { continue };
            values[value].readers.push((at, slot));
            // A step that updates the state may still multiply halves: only what its pointwise work reads is single.
            let in_kernel = kernel_operands.contains(&slot);
            let kernel_allows = !matches!(
                step.kernel,
                Some(Kernel::Broadcast { .. } | Kernel::Transpose { .. } | Kernel::Pairwise { .. })
            );
            values[value].single |= if in_kernel { !kernel_allows } else { !allowed };
        }
        // What adds up many numbers may be large, and is small in number.
        let filter = Contraction::Filter;
        let sums = match &step.kernel {
            Some(Kernel::Convolution { what, .. }) => *what == filter,
            Some(Kernel::Sum { .. }) => true,
            _ => false,
        };
        let kept = step.kernel.as_ref().map(result);
        let kept = kept.filter(|_| steps[at].keep_result);
        let before = current.clone();
        for slot in kept.into_iter().chain(stores(step)) {
            if plan.slots[slot].kind != SlotKind::Scratch {
                continue;
            }
            let in_place = step.pointwise.iter().flat_map(|p| &p.loads);
            let in_place = in_place.filter(|load| {
                load.slot == slot && load.index == Index::IDENTITY && Some(slot) != kept
            });
            values.push(Value {
                single: !allowed || sums || count(step) <= SMALL,
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
            for slot in stores(step).chain(step.kernel.as_ref().map(result)) {
                let half = values.formats.written(slot) == Format::Half;
                let scratch = plan.slots[slot].kind == SlotKind::Scratch;
                let sum = matches!(step.kernel, Some(Kernel::Sum { .. }));
                assert!(!half || (scratch && !sum && count(step) > SMALL));
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
            let kept = step
                .kernel
                .as_ref()
                .map(result)
                .filter(|_| values.keep_result);
            for slot in kept.into_iter().chain(stores(step)) {
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

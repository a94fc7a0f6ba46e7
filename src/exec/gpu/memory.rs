//! The arrays of a program on a device.

use std::collections::HashMap;

use wgpu::{Buffer, BufferBinding, BufferUsages};

use super::device::Device;
use super::epilogue::Place;
use super::lower::Lowering;
use super::values::{Format, StepValues, result};
use crate::numbers::Result;
use crate::tape::plan::{Plan, SlotId, SlotKind};

/// Inputs start at multiples of this many numbers in their common buffer: no device asks for more.
const ALIGNMENT: usize = 64;

/// What is done with the arrays of a program.
const USAGE: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_SRC)
    .union(BufferUsages::COPY_DST);

/// Where a slot lives.
#[derive(Debug)]
enum Home {
    /// A buffer of the program.
    Own(Buffer),
    /// So many numbers from a place in the buffer of all inputs.
    Input { first: usize, count: usize },
    /// A tensor of the store, by its position there.
    State(usize),
}

/// All arrays of a program but the states, which live in the store.
#[derive(Debug)]
pub(super) struct Memory {
    homes: Vec<Home>,
    /// What passes between the launches of a step.
    between: [Buffer; 2],
    /// Copies of states in half precision.
    half_copies: HashMap<SlotId, Buffer>,
    /// All inputs here, and there.
    inputs: Vec<f32>,
    inputs_there: Buffer,
    /// Whether what is here is newer.
    inputs_changed: bool,
}

impl Memory {
    /// The arrays that `plan` and the launches of `lowering` need; `positions` are those of states in the store.
    ///
    /// # Errors
    /// If the device's memory is full, or an array larger than it can bind.
    pub fn new(
        device: &Device,
        plan: &Plan,
        values: &[StepValues],
        lowering: &Lowering<'_>,
        positions: &HashMap<String, usize>,
    ) -> Result<Self> {
        let mut inputs = vec![];
        let mut homes = vec![];
        for (slot, bytes) in plan.slots.iter().zip(bytes_of_slots(plan, values)) {
            homes.push(match &slot.kind {
                SlotKind::State(name) => Home::State(positions[name]),
                SlotKind::Input(_) => {
                    let first = inputs.len();
                    inputs.resize((first + slot.count.max(1)).next_multiple_of(ALIGNMENT), 0.0);
                    Home::Input {
                        first,
                        count: slot.count,
                    }
                }
                SlotKind::Constant(value) => {
                    let buffer = device.buffer(bytes, USAGE)?;
                    let numbers = vec![*value as f32; slot.count];
                    device.upload(&buffer, 0, bytemuck::cast_slice(&numbers));
                    Home::Own(buffer)
                }
                SlotKind::Scratch => Home::Own(device.buffer(bytes, USAGE)?),
            });
        }
        let mut half_copies = HashMap::new();
        for &slot in &lowering.half_copies {
            let bytes = Format::Half.bytes() * plan.slots[slot].count;
            half_copies.insert(slot, device.buffer(bytes, USAGE)?);
        }
        let largest = homes.iter().map(|home| match home {
            Home::Input { count, .. } => *count,
            _ => 0,
        });
        let largest = largest.max().unwrap_or(0);
        let [first, second] = lowering
            .between
            .map(|count| device.buffer(4 * count, USAGE));
        Ok(Self {
            homes,
            between: [first?, second?],
            half_copies,
            inputs_there: device.buffer_of_parts(4 * inputs.len(), 4 * largest, USAGE)?,
            inputs,
            inputs_changed: true,
        })
    }

    /// The position in the store of the state that lives in `slot`, if one does.
    pub fn state(&self, slot: SlotId) -> Option<usize> {
        match self.homes[slot] {
            Home::State(position) => Some(position),
            _ => None,
        }
    }

    /// The positions in the store of all states.
    pub fn states(&self) -> impl Iterator<Item = usize> {
        (0..self.homes.len()).filter_map(|slot| self.state(slot))
    }

    /// The buffer of an output: never an input or a state, since recording copies those.
    pub fn output(&self, slot: SlotId) -> &Buffer {
        match &self.homes[slot] {
            Home::Own(buffer) => buffer,
            _ => unreachable!("outputs are computed"),
        }
    }

    /// Every buffer whose numbers are made anew in each run.
    pub fn scratch<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Buffer> {
        let slots = self.homes.iter().zip(&plan.slots);
        let slots = slots.filter_map(|(home, slot)| match (home, &slot.kind) {
            (Home::Own(buffer), SlotKind::Scratch) => Some(buffer),
            _ => None,
        });
        slots.chain(&self.between).chain(self.half_copies.values())
    }

    /// The numbers of the input in `slot`, to be filled in before the next run.
    pub fn input(&mut self, slot: SlotId) -> &mut [f32] {
        self.inputs_changed = true;
        match self.homes[slot] {
            Home::Input { first, count } => &mut self.inputs[first..first + count],
            _ => &mut [],
        }
    }

    /// Sends the inputs, if they have changed.
    pub fn send_inputs(&mut self, device: &Device) {
        if std::mem::take(&mut self.inputs_changed) {
            let bytes = bytemuck::cast_slice(&self.inputs);
            device.upload(&self.inputs_there, 0, bytes);
        }
    }

    /// The array at `place`; `state` finds the buffer of a state by its position in the store.
    pub fn array<'a>(
        &'a self,
        place: Place,
        state: impl Fn(usize) -> &'a Buffer,
    ) -> BufferBinding<'a> {
        match place {
            Place::Between(which) => self.between[which].as_entire_buffer_binding(),
            Place::HalfCopy(slot) => self.half_copies[&slot].as_entire_buffer_binding(),
            Place::Slot(slot) => match &self.homes[slot] {
                Home::Own(buffer) => buffer.as_entire_buffer_binding(),
                Home::State(position) => state(*position).as_entire_buffer_binding(),
                Home::Input { first, count } => BufferBinding {
                    buffer: &self.inputs_there,
                    offset: 4 * *first as u64,
                    size: std::num::NonZeroU64::new(4 * (*count).max(1) as u64),
                },
            },
        }
    }
}

/// Bytes of each slot: those of the largest value that is ever stored in it.
fn bytes_of_slots(plan: &Plan, values: &[StepValues]) -> Vec<usize> {
    let scratch = |slot: SlotId| plan.slots[slot].kind == SlotKind::Scratch;
    let outside = |slot: SlotId| {
        if scratch(slot) {
            0
        } else {
            4 * plan.slots[slot].count
        }
    };
    let mut bytes: Vec<usize> = (0..plan.slots.len()).map(outside).collect();
    for (step, values) in plan.steps.iter().zip(values) {
        let kernel = result(step).filter(|_| values.keep_result);
        let stores = step.pointwise.iter().flat_map(|p| &p.stores);
        for slot in kernel.into_iter().chain(stores.map(|&(_, slot)| slot)) {
            let format = values.formats.written(slot);
            bytes[slot] = bytes[slot].max(format.bytes() * step.count());
        }
    }
    bytes
}

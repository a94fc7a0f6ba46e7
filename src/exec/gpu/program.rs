//! A compiled tape on a device: its buffers, its launches, its runs.

use std::collections::HashMap;
use std::sync::OnceLock;

use wgpu::{BindGroup, Buffer, BufferBinding, BufferUsages, ComputePipeline};

use super::clock::Clock;
use super::device::Device;
use super::epilogue::{self, Place};
use super::launch::Launch;
use super::lower::{Lowering, over_elements};
use super::ring::Ring;
use super::values::{Format, StepValues, values};
use crate::exec::{Store, bind_states};
use crate::numbers::{Error, Result};
use crate::tape::Tape;
use crate::tape::plan::{Instruction, Plan, Pointwise, SlotId, SlotKind};

/// Inputs start at multiples of this many numbers in their common buffer: no device asks for more.
const ALIGNMENT: usize = 64;

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

/// A launch with its kernel.
#[derive(Debug)]
struct Compiled {
    launch: Launch,
    pipeline: ComputePipeline,
}

impl Compiled {
    fn new(device: &Device, launch: Launch) -> Result<Self> {
        let writable: Vec<bool> = launch.bindings.iter().map(|b| b.writable).collect();
        Ok(Self {
            pipeline: device.pipeline(&launch.source, &writable)?,
            launch,
        })
    }

    /// Adds it to a pass.
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, group: &BindGroup) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.set_immediates(0, bytemuck::cast_slice(&self.launch.immediates));
        let [x, y, z] = self.launch.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A tape compiled for a device.
#[derive(Debug)]
pub struct Program {
    device: Device,
    plan: Plan,
    launches: Vec<Compiled>,
    homes: Vec<Home>,
    between: Vec<Buffer>,
    /// Copies of states in half precision.
    half_copies: HashMap<SlotId, Buffer>,
    /// All inputs, here and there, and whether what is here is newer.
    inputs: Vec<f32>,
    inputs_there: Buffer,
    inputs_changed: bool,
    /// The states that runs change, by their position in the store.
    assigned: Vec<usize>,
    /// Bind groups of the launches for these buffers of the states.
    groups: Vec<BindGroup>,
    groups_of: Vec<Buffer>,
    /// Positions in the store of all states.
    states: Vec<usize>,
    /// The slots of outputs of one number.
    scalars: Vec<SlotId>,
    ring: Option<Ring>,
    /// What has been read of the outputs of the last run.
    read: Vec<OnceLock<Vec<f32>>>,
}

impl Program {
    pub(in crate::exec) fn new(device: &Device, tape: &Tape, store: &Store) -> Result<Self> {
        let plan = Plan::new(tape);
        let positions = bind_states(store, tape)?;
        let found = values(&plan, device.precision());
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let lowering = Lowering::new(&plan, &found, device.engine(), device.precision());
        let (launches, between) = (lowering.launches, lowering.between);
        let half_copies = lowering
            .half_copies
            .into_iter()
            .map(|slot| Ok((slot, device.buffer(2 * plan.slots[slot].count, usage)?)));
        let half_copies = half_copies.collect::<Result<HashMap<_, _>>>()?;
        let launches = launches
            .into_iter()
            .map(|launch| Compiled::new(device, launch));
        let launches = launches.collect::<Result<Vec<_>>>()?;
        let bytes = bytes_of_slots(&plan, &found);
        let mut inputs = vec![];
        let mut homes = vec![];
        for (slot, bytes) in plan.slots.iter().zip(bytes) {
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
                    let buffer = device.buffer(bytes, usage)?;
                    let numbers = vec![*value as f32; slot.count];
                    device.upload(&buffer, 0, bytemuck::cast_slice(&numbers));
                    Home::Own(buffer)
                }
                SlotKind::Scratch => Home::Own(device.buffer(bytes, usage)?),
            });
        }
        let between = between.map(|count| device.buffer(4 * count, usage));
        let between = between.into_iter().collect::<Result<Vec<_>>>()?;
        let scalars: Vec<SlotId> = (plan.outputs.iter())
            .filter(|(_, _, count)| *count == 1)
            .map(|(_, slot, _)| *slot)
            .collect();
        let ring = match scalars.len() {
            0 => None,
            count => Some(Ring::new(device, count)?),
        };
        let stored = plan.steps.iter().filter_map(|step| step.pointwise.as_ref());
        let stored = stored.flat_map(|p| &p.stores).map(|&(_, slot)| slot);
        let mut assigned: Vec<usize> = stored
            .filter_map(|slot| match homes[slot] {
                Home::State(position) => Some(position),
                _ => None,
            })
            .collect();
        assigned.sort_unstable();
        assigned.dedup();
        let states = homes.iter().filter_map(|home| match home {
            Home::State(position) => Some(*position),
            _ => None,
        });
        let program = Self {
            device: device.clone(),
            launches,
            between,
            half_copies,
            inputs_there: device.buffer(4 * inputs.len(), usage)?,
            inputs,
            inputs_changed: true,
            assigned,
            groups: vec![],
            groups_of: vec![],
            states: states.collect(),
            homes,
            scalars,
            ring,
            read: vec![OnceLock::new(); plan.outputs.len()],
            plan,
        };
        program.poison()?;
        Ok(program)
    }

    /// Fills all scratch memory with NaN: an element that a kernel forgets to write shows up.
    fn poison(&self) -> Result<()> {
        let scratch = self.homes.iter().zip(&self.plan.slots);
        let scratch = scratch.filter_map(|(home, slot)| match (home, &slot.kind) {
            (Home::Own(buffer), SlotKind::Scratch) => Some(buffer),
            _ => None,
        });
        let buffers: Vec<&Buffer> = scratch
            .chain(&self.between)
            .chain(self.half_copies.values())
            .collect();
        let launches = buffers
            .iter()
            .map(|buffer| self.fill((buffer.size() / 4) as usize));
        let launches = launches.collect::<Result<Vec<_>>>()?;
        let mut encoder = self
            .device
            .raw()
            .create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (launch, buffer) in launches.iter().zip(&buffers) {
                let array = buffer.as_entire_buffer_binding();
                let group = self.device.bind_group(&[(array, true)]);
                launch.record(&mut pass, &group);
            }
        }
        self.device.submit(encoder, launches.len());
        self.device.check()
    }

    /// A launch that writes NaN to `count` numbers of its only array.
    fn fill(&self, count: usize) -> Result<Compiled> {
        let nan = Pointwise {
            count,
            loads: vec![],
            instructions: vec![Instruction::Constant(f64::NAN)],
            stores: vec![(0, 0)],
        };
        let epilogue = epilogue::pointwise(&nan, None, false, &Default::default(), 0);
        Compiled::new(&self.device, over_elements(0, count, 64, epilogue))
    }

    pub(in crate::exec) fn input(&mut self, name: &str) -> &mut [f32] {
        let found = self.plan.slots.iter().position(|slot| match &slot.kind {
            SlotKind::Input(input) => input == name,
            _ => false,
        });
        let slot = found.unwrap_or_else(|| panic!("the tape has no input {name}"));
        let Home::Input { first, count } = self.homes[slot] else {
            unreachable!("inputs live with the inputs");
        };
        self.inputs_changed = true;
        &mut self.inputs[first..first + count]
    }

    pub(in crate::exec) fn run(&mut self, store: &mut Store) -> Result<()> {
        self.device.check()?;
        if let Some(ring) = &mut self.ring {
            ring.make_room(&self.device)?;
        }
        self.prepare(store)?;
        let mut encoder = self
            .device
            .raw()
            .create_command_encoder(&Default::default());
        self.encode(&mut encoder, |_, _| ());
        if let Some(ring) = &mut self.ring {
            let homes = &self.homes;
            let scalars = self.scalars.iter().filter_map(|&slot| match &homes[slot] {
                Home::Own(buffer) => Some(buffer),
                _ => None,
            });
            ring.record(&mut encoder, scalars);
        }
        let submission = self.device.submit(encoder, self.launches.len());
        if let Some(ring) = &mut self.ring {
            ring.submitted(submission);
        }
        self.changed(store);
        Ok(())
    }

    /// All launches in one pass; `after` is called with the pass before the first (0) and after each (1, 2, ...).
    fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        after: impl Fn(&mut wgpu::ComputePass<'_>, u32),
    ) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        after(&mut pass, 0);
        for (i, (launch, group)) in self.launches.iter().zip(&self.groups).enumerate() {
            launch.record(&mut pass, group);
            after(&mut pass, i as u32 + 1);
        }
    }

    /// Notes that a run has changed states, and that its outputs have not been read.
    fn changed(&mut self, store: &mut Store) {
        for &position in &self.assigned {
            store.changed_on_device(position);
        }
        for read in &mut self.read {
            read.take();
        }
    }

    /// The seconds of each step of the plan in each of `runs` runs after one that is not timed, by the device's clock.
    ///
    /// # Errors
    /// If it has none, or fails.
    pub(in crate::exec) fn profile(
        &mut self,
        store: &mut Store,
        runs: usize,
    ) -> Result<Vec<Vec<f64>>> {
        let mut times = vec![vec![]; self.plan.steps.len()];
        self.run(store)?;
        let clock = Clock::new(&self.device, self.launches.len())?;
        for _ in 0..runs {
            self.prepare(store)?;
            let mut encoder = self
                .device
                .raw()
                .create_command_encoder(&Default::default());
            self.encode(&mut encoder, |pass, i| clock.tick(pass, i));
            clock.stop(&mut encoder);
            self.device.submit(encoder, self.launches.len());
            self.changed(store);
            let mut seconds = vec![0.0; times.len()];
            for (launch, took) in self.launches.iter().zip(clock.read(&self.device)?) {
                seconds[launch.launch.step] += took;
            }
            for (times, seconds) in times.iter_mut().zip(seconds) {
                times.push(seconds);
            }
        }
        Ok(times)
    }

    /// Waits until all runs are done.
    pub(in crate::exec) fn wait(&self) -> Result<()> {
        self.device.wait(None)
    }

    /// Sends what is new, and binds the launches' arrays if they are not bound yet.
    fn prepare(&mut self, store: &mut Store) -> Result<()> {
        if std::mem::take(&mut self.inputs_changed) {
            let bytes = bytemuck::cast_slice(&self.inputs);
            self.device.upload(&self.inputs_there, 0, bytes);
        }
        let mut bound = self.groups.len() == self.launches.len();
        for (i, &position) in self.states.iter().enumerate() {
            let buffer = store.on_device(position, &self.device)?.buffer();
            bound &= self.groups_of.get(i) == Some(buffer);
        }
        if !bound {
            let buffer = |&position| Ok(store.on_device(position, &self.device)?.buffer().clone());
            self.groups_of = self.states.iter().map(buffer).collect::<Result<_>>()?;
            let group = |compiled: &Compiled| self.bind(&compiled.launch);
            self.groups = self.launches.iter().map(group).collect();
            self.device.check()?;
        }
        Ok(())
    }

    /// Binds the arrays of a launch.
    fn bind(&self, launch: &Launch) -> BindGroup {
        let states: HashMap<usize, &Buffer> =
            (self.states.iter().copied()).zip(&self.groups_of).collect();
        let arrays = launch.bindings.iter().map(|binding| {
            let array = match binding.place {
                Place::Between(which) => self.between[which].as_entire_buffer_binding(),
                Place::HalfCopy(slot) => self.half_copies[&slot].as_entire_buffer_binding(),
                Place::Slot(slot) => match &self.homes[slot] {
                    Home::Own(buffer) => buffer.as_entire_buffer_binding(),
                    Home::State(position) => states[position].as_entire_buffer_binding(),
                    Home::Input { first, count } => BufferBinding {
                        buffer: &self.inputs_there,
                        offset: 4 * *first as u64,
                        size: std::num::NonZeroU64::new(4 * (*count).max(1) as u64),
                    },
                },
            };
            (array, binding.writable)
        });
        self.device.bind_group(&arrays.collect::<Vec<_>>())
    }

    /// The scalar outputs of the oldest run that nobody has taken yet, in the order of recording.
    pub(in crate::exec) fn take_scalars(&mut self, wait: bool) -> Result<Option<Vec<f32>>> {
        match &mut self.ring {
            Some(ring) => ring.take(&self.device, wait),
            None => Ok(None),
        }
    }

    pub(in crate::exec) fn output(&self, name: &str) -> Result<&[f32]> {
        let found = self
            .plan
            .outputs
            .iter()
            .position(|(output, ..)| output == name);
        let at = found.unwrap_or_else(|| panic!("the tape has no output {name}"));
        if self.read[at].get().is_none() {
            let (_, slot, count) = &self.plan.outputs[at];
            let Home::Own(buffer) = &self.homes[*slot] else {
                return Err(Error::failure(format!(
                    "output {name} is a copy of nothing"
                )));
            };
            let bytes = self.device.download(buffer, 4 * count)?;
            let _ = self.read[at].set(bytemuck::pod_collect_to_vec(&bytes));
        }
        Ok(self.read[at].get().map_or(&[], Vec::as_slice))
    }
}

/// Bytes of each slot: half as many where all its values are halves.
fn bytes_of_slots(plan: &Plan, found: &[StepValues]) -> Vec<usize> {
    let mut bytes = vec![0; plan.slots.len()];
    let outside = |slot: SlotId| plan.slots[slot].kind != SlotKind::Scratch;
    for (slot, bytes) in bytes
        .iter_mut()
        .enumerate()
        .filter(|(slot, _)| outside(*slot))
    {
        *bytes = 4 * plan.slots[slot].count;
    }
    for (step, values) in plan.steps.iter().zip(found) {
        let kernel = step.kernel.as_ref().map(super::values::result);
        let stores = step.pointwise.iter().flat_map(|p| &p.stores);
        for slot in kernel.into_iter().chain(stores.map(|&(_, slot)| slot)) {
            let format: Format = values.formats.written(slot);
            bytes[slot] = bytes[slot].max(format.bytes() * plan.slots[slot].count);
        }
    }
    bytes
}

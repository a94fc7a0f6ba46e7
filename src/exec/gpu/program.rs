//! A compiled tape on a device: its buffers, its launches, its runs.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;
use wgpu::{BindGroup, Buffer, ComputePipeline};

use super::clock::Clock;
use super::device::Device;
use super::epilogue;
use super::launch::Launch;
use super::lower::{Lowering, over_elements};
use super::memory::Memory;
use super::ring::Ring;
use super::values::values;
use crate::exec::{Store, bind_states};
use crate::numbers::Result;
use crate::tape::Tape;
use crate::tape::plan::{Instruction, Plan, Pointwise, SlotId, SlotKind};

/// A launch with its kernel.
#[derive(Debug)]
struct Compiled {
    launch: Launch,
    pipeline: ComputePipeline,
}

impl Compiled {
    fn new(device: &Device, launch: Launch) -> Result<Self> {
        Ok(Self {
            pipeline: device.pipeline(&launch.source, &launch.writable())?,
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

/// Compiles launches, kernels that differ side by side: a driver may take a tenth of a second for each.
fn compile(device: &Device, launches: Vec<Launch>) -> Result<Vec<Compiled>> {
    let mut different: Vec<&Launch> = vec![];
    for launch in &launches {
        if !different.iter().any(|other| other.source == launch.source) {
            different.push(launch);
        }
    }
    let compile = |launch: &&Launch| device.pipeline(&launch.source, &launch.writable());
    different
        .par_iter()
        .map(compile)
        .collect::<Result<Vec<_>>>()?;
    let launches = launches.into_iter();
    launches
        .map(|launch| Compiled::new(device, launch))
        .collect()
}

/// A tape compiled for a device.
#[derive(Debug)]
pub struct Program {
    device: Device,
    plan: Plan,
    launches: Vec<Compiled>,
    memory: Memory,
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
        let lowering = Lowering::new(&plan, &found, device.engine(), device.precision());
        let memory = Memory::new(device, &plan, &found, &lowering, &positions)?;
        let launches = compile(device, lowering.launches)?;
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
        let mut assigned: Vec<usize> = stored.filter_map(|slot| memory.state(slot)).collect();
        assigned.sort_unstable();
        assigned.dedup();
        let program = Self {
            device: device.clone(),
            launches,
            assigned,
            groups: vec![],
            groups_of: vec![],
            states: memory.states().collect(),
            memory,
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
        let buffers: Vec<&Buffer> = self.memory.scratch(&self.plan).collect();
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

    /// A launch that writes NaN to `count` numbers of its only array, one that two halves read as NaN as well.
    fn fill(&self, count: usize) -> Result<Compiled> {
        let nan = Pointwise {
            count,
            loads: vec![],
            instructions: vec![Instruction::Constant(f32::from_bits(0x7fff_7fff).into())],
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
        self.memory.input(slot)
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
            let memory = &self.memory;
            let scalars = self.scalars.iter().map(|&slot| memory.output(slot));
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
        self.memory.send_inputs(&self.device);
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
            let array = self
                .memory
                .array(binding.place, |position| states[&position]);
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
            let bytes = self.device.download(self.memory.output(*slot), 4 * count)?;
            let _ = self.read[at].set(bytemuck::pod_collect_to_vec(&bytes));
        }
        Ok(self.read[at].get().map_or(&[], Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::gpu::device::device_for_tests;
    use crate::exec::{Backend, Precision};

    /// A device that is gone ends in a sentence at whatever comes next, not in a panic or a hang.
    #[test]
    fn a_lost_device_is_reported() {
        let Some(device) = device_for_tests(Precision::Single) else {
            return;
        };
        let mut t = Tape::new();
        let x = t.input("x", [3]);
        let y = t.square(x);
        let sum = t.sum_all(y);
        t.output("y", y);
        t.output("sum", sum);
        let mut store = Store::new();
        let backend = Backend::Gpu(device.clone());
        let mut program = backend.compile(&t, &store).unwrap();
        program.write("x", &[1.0, 2.0, 3.0]);
        program.run(&mut store).unwrap();
        assert_eq!(program.read("y").unwrap(), [1.0, 4.0, 9.0]);
        device.raw().destroy();
        let mut scalars = vec![];
        let failures = [
            program.run(&mut store).and_then(|()| program.wait()),
            program.read("sum").map(|_| ()),
            program.take_scalars(true, &mut scalars).map(|_| ()),
            backend.compile(&t, &store).map(|_| ()),
        ];
        for failure in &failures[..2] {
            let why = failure
                .as_ref()
                .expect_err("the device is gone")
                .to_string();
            assert!(why.contains("--resume"), "{why}");
        }
        assert!(failures[3].is_err());
    }
}

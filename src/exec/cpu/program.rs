//! A compiled tape: its buffers, its tasks, its runs.

use std::sync::Mutex;
use std::time::Instant;

use super::crew::{Board, Device};
use super::family::Machine;
use super::pointwise::Homes;
use super::slots::Slots;
use super::tasks::{Shared, Task, lanes_of};
use super::workspace::Workspace;
use crate::exec::buffer::Buffer;
use crate::exec::{Store, bind_states};
use crate::numbers::Result;
use crate::tape::Tape;
use crate::tape::plan::{Plan, SlotId, SlotKind};

/// A tape compiled for the CPU.
#[derive(Debug)]
pub struct Program {
    device: Device,
    plan: Plan,
    tasks: Vec<Task>,
    /// Of each step's pointwise program.
    homes: Vec<Option<Homes>>,
    /// Numbers per register.
    lanes: usize,
    /// One buffer per slot of the plan (empty for states), then the one of what is prepared.
    buffers: Vec<Buffer>,
    /// `(slot, position in the store)` of each state.
    states: Vec<(SlotId, usize)>,
    slots: Slots,
    board: Board,
    /// One per thread.
    workspaces: Vec<Mutex<Workspace>>,
}

impl Program {
    pub(in crate::exec) fn new(device: &Device, tape: &Tape, store: &Store) -> Result<Self> {
        let plan = Plan::new(tape);
        let machine = Machine {
            lanes: lanes_of(device.isa()),
            threads: device.threads(),
        };
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
        let steps = plan.steps.iter().enumerate();
        let tasks: Vec<Task> = steps
            .flat_map(|(i, step)| Task::of(i, step, machine))
            .collect();
        let prepared = tasks.iter().map(Task::prepared).max();
        buffers.push(Buffer::filled(prepared.unwrap_or(0), f32::NAN));
        let programs = plan.steps.iter().map(|step| step.pointwise.as_ref());
        let homes: Vec<_> = programs.map(|program| program.map(Homes::new)).collect();
        let workspaces = (0..device.threads())
            .map(|_| Mutex::new(Workspace::new(&plan.steps, &homes, machine)))
            .collect();
        Ok(Self {
            device: device.clone(),
            plan,
            board: Board::new(tasks.len(), device),
            tasks,
            homes,
            lanes: machine.lanes,
            buffers,
            states,
            slots: Slots::default(),
            workspaces,
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

    pub(in crate::exec) fn run(&mut self, store: &mut Store) -> Result<()> {
        self.run_and(store, || ())
    }

    /// The seconds of each step of the plan, its packing included, in each of `runs` runs after one that is not timed.
    pub(in crate::exec) fn profile(
        &mut self,
        store: &mut Store,
        runs: usize,
    ) -> Result<Vec<Vec<f64>>> {
        let mut times = vec![vec![]; self.plan.steps.len()];
        self.run(store)?;
        for _ in 0..runs {
            let clock = Mutex::new(Vec::with_capacity(self.tasks.len() + 1));
            let tick = || {
                let mut clock = clock.lock().expect("nobody panics while ticking");
                clock.push(Instant::now());
            };
            self.run_and(store, tick)?;
            let clock = clock.into_inner().expect("as above");
            let mut seconds = vec![0.0; times.len()];
            for (task, window) in self.tasks.iter().zip(clock.windows(2)) {
                seconds[task.step] += (window[1] - window[0]).as_secs_f64();
            }
            for (times, seconds) in times.iter_mut().zip(seconds) {
                times.push(seconds);
            }
        }
        Ok(times)
    }

    /// Runs; the first thread calls `tick` when it starts, and whenever a task is finished by all.
    fn run_and(&mut self, store: &mut Store, tick: impl Fn() + Sync) -> Result<()> {
        self.slots.clear();
        let mut states = self.states.iter().peekable();
        for (id, buffer) in self.buffers.iter_mut().enumerate() {
            match states.next_if(|(slot, _)| *slot == id) {
                Some(&(_, position)) => self.slots.push(store.values_mut(position)?),
                None => self.slots.push(buffer),
            }
        }
        let shared = Shared {
            isa: self.device.isa(),
            lanes: self.lanes,
            steps: &self.plan.steps,
            homes: &self.homes,
            slots: &self.slots,
            prepared: self.plan.slots.len(),
        };
        let (tasks, workspaces) = (&self.tasks, &self.workspaces);
        // The thread that hands the run over is awake already; others may come late, and find all done.
        let first = rayon::current_thread_index().unwrap_or(0);
        self.device.broadcast(&mut self.board, |place| {
            let workspace = workspaces[place.index].lock();
            let mut workspace = workspace.unwrap_or_else(std::sync::PoisonError::into_inner);
            if place.index == first {
                tick();
            }
            for (number, task) in tasks.iter().enumerate() {
                shared.run(number, task, place, &mut workspace);
                if place.index == first {
                    tick();
                }
            }
        });
        Ok(())
    }
}

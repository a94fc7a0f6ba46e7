//! Each group becomes one step: slots for values, registers for what never leaves a step.

use std::collections::{HashMap, HashSet};

use super::fuse::{Group, Operand, operand, reads, root};
use super::kernels::kernel;
use super::memory::Memory;
use super::{Index, Instruction, Load, Plan, Pointwise, SlotId, SlotKind, Step};
use crate::tape::{Op, Tape, Var};

pub(super) fn lower(tape: &Tape, groups: &[Group]) -> Plan {
    let mut memory = Memory::default();
    let last_use = last_uses(tape, groups);
    for &v in last_use.keys().collect::<std::collections::BTreeSet<_>>() {
        let kind = match &tape.node(v).op {
            Op::Input { name } => SlotKind::Input(name.clone()),
            Op::State { name } => SlotKind::State(name.clone()),
            Op::Constant(value) => SlotKind::Constant(*value),
            _ => continue,
        };
        memory.pin(v, tape.shape(v).count(), kind);
    }
    // Every input is accepted, also one that nothing reads.
    for (i, node) in tape.nodes().iter().enumerate() {
        if let (Op::Input { name }, false) = (&node.op, memory.holds(Var(i))) {
            memory.pin(Var(i), node.shape.count(), SlotKind::Input(name.clone()));
        }
    }
    // A state that is only ever assigned still needs its slot.
    for v in groups.iter().flat_map(|g| &g.pointwise) {
        if let Op::Assign { state, .. } = tape.node(*v).op
            && let (Op::State { name }, false) = (&tape.node(state).op, memory.holds(state))
        {
            let count = tape.shape(state).count();
            memory.pin(state, count, SlotKind::State(name.clone()));
        }
    }
    let mut steps = vec![];
    for (time, group) in groups.iter().enumerate() {
        assign_slots(tape, group, time, &last_use, &mut memory);
        steps.push(Step {
            kernel: group.kernel.map(|v| kernel(tape, v, &memory)),
            pointwise: (!group.pointwise.is_empty())
                .then(|| lower_pointwise(tape, group, time, &last_use, &memory)),
            ops: group
                .kernel
                .iter()
                .chain(&group.pointwise)
                .copied()
                .collect(),
        });
        let mut dead = dying(tape, group, time, &last_use);
        let taken: HashSet<SlotId> = stored(tape, group, time, &last_use)
            .map(|v| memory.slot(v))
            .collect();
        dead.retain(|&v| !taken.contains(&memory.slot(v)));
        for v in dead {
            memory.release(v);
        }
    }
    let outputs = tape.outputs().iter().map(|(name, v)| {
        let slot = memory.slot(root(tape, *v));
        (name.clone(), slot, tape.shape(*v).count())
    });
    Plan {
        outputs: outputs.collect(),
        steps,
        bytes_without_reuse: memory.bytes_without_reuse,
        slots: memory.slots,
    }
}

/// For each value that is read from memory, the last group that reads it (never, for outputs).
fn last_uses(tape: &Tape, groups: &[Group]) -> HashMap<Var, usize> {
    let mut last = HashMap::new();
    for (time, group) in groups.iter().enumerate() {
        let inside: HashSet<Var> = group.pointwise.iter().copied().collect();
        for &v in group.kernel.iter().chain(&group.pointwise) {
            for (x, _) in reads(tape, v) {
                if !inside.contains(&x) {
                    last.insert(x, time);
                }
            }
        }
    }
    for (_, v) in tape.outputs() {
        last.insert(root(tape, *v), usize::MAX);
    }
    last
}

/// The pointwise values of a group that later groups, or the caller, read.
fn stored<'a>(
    tape: &'a Tape,
    group: &'a Group,
    time: usize,
    last_use: &'a HashMap<Var, usize>,
) -> impl Iterator<Item = Var> + 'a {
    group.pointwise.iter().copied().filter(move |v| {
        !matches!(tape.node(*v).op, Op::Assign { .. }) && last_use.get(v).is_some_and(|&t| t > time)
    })
}

/// The values that this group is the last to read.
fn dying(tape: &Tape, group: &Group, time: usize, last_use: &HashMap<Var, usize>) -> Vec<Var> {
    let mut dead: Vec<Var> = (group.kernel.iter().chain(&group.pointwise))
        .flat_map(|&v| reads(tape, v))
        .map(|(x, _)| x)
        .filter(|x| last_use.get(x) == Some(&time))
        .collect();
    dead.sort();
    dead.dedup();
    dead
}

/// Finds room for what the group stores: in place of a value that dies here if only element `i` of it is
/// read for element `i`, and not by the kernel, which reads while other threads already store.
fn assign_slots(
    tape: &Tape,
    group: &Group,
    time: usize,
    last_use: &HashMap<Var, usize>,
    memory: &mut Memory,
) {
    if let Some(v) = group.kernel {
        memory.allocate(v, tape.shape(v).count());
    }
    let mut replaceable = dying(tape, group, time, last_use);
    for &v in group.kernel.iter().chain(&group.pointwise) {
        for (x, same_element) in reads(tape, v) {
            if !same_element {
                replaceable.retain(|&r| r != x);
            }
        }
    }
    replaceable.retain(|&x| memory.slots[memory.slot(x)].kind == SlotKind::Scratch);
    for v in stored(tape, group, time, last_use) {
        let count = tape.shape(v).count();
        let place = replaceable
            .iter()
            .position(|&x| memory.slots[memory.slot(x)].count >= count);
        match place {
            Some(i) => {
                let old = replaceable.swap_remove(i);
                memory.take_over(v, old, count);
            }
            None => memory.allocate(v, count),
        }
    }
}

fn lower_pointwise(
    tape: &Tape,
    group: &Group,
    time: usize,
    last_use: &HashMap<Var, usize>,
    memory: &Memory,
) -> Pointwise {
    // Loads come first in the numbering, so collect them before any instruction gets a register.
    let mut loads: Vec<Load> = vec![];
    let inside: HashSet<Var> = group.pointwise.iter().copied().collect();
    let operands_of = |v: Var| match &tape.node(v).op {
        Op::Assign { value, .. } => vec![*value],
        Op::Broadcast(_) => vec![v],
        op => op.operands(),
    };
    for &v in &group.pointwise {
        for x in operands_of(v) {
            if let Operand::Value(x, index) = operand(tape, x) {
                if index == Index::IDENTITY && inside.contains(&x) {
                    continue;
                }
                let load = Load {
                    slot: memory.slot(x),
                    index,
                };
                if !loads.contains(&load) {
                    loads.push(load);
                }
            }
        }
    }
    let mut instructions = vec![];
    let mut registers: HashMap<Var, usize> = HashMap::new();
    let mut stores = vec![];
    for &v in &group.pointwise {
        let resolved: Vec<usize> = operands_of(v)
            .into_iter()
            .map(|x| match operand(tape, x) {
                Operand::Constant(value) => {
                    instructions.push(Instruction::Constant(value));
                    loads.len() + instructions.len() - 1
                }
                Operand::Value(x, index) => match registers.get(&x) {
                    Some(&register) if index == Index::IDENTITY => register,
                    _ => {
                        let load = Load {
                            slot: memory.slot(x),
                            index,
                        };
                        let found = loads.iter().position(|&l| l == load);
                        found.expect("every load was collected above")
                    }
                },
            })
            .collect();
        let instruction = match tape.node(v).op {
            Op::Map(map, _) => Some(Instruction::Map(map, resolved[0])),
            Op::Zip(zip, ..) => Some(Instruction::Zip(zip, resolved[0], resolved[1])),
            _ => None,
        };
        let register = match instruction {
            Some(instruction) => {
                instructions.push(instruction);
                loads.len() + instructions.len() - 1
            }
            None => resolved[0],
        };
        if let Op::Assign { state, .. } = tape.node(v).op {
            stores.push((register, memory.slot(state)));
        } else {
            registers.insert(v, register);
        }
    }
    for v in stored(tape, group, time, last_use) {
        stores.push((registers[&v], memory.slot(v)));
    }
    Pointwise {
        count: tape.shape(group.pointwise[0]).count(),
        loads,
        instructions,
        stores,
    }
}

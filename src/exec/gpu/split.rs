//! Pointwise programs over more arrays than a kernel can bind, cut into several.
//!
//! Each store needs some loads and instructions. Stores are gathered into parts as long as their arrays can be bound
//! together; what two parts need is computed in both. A store that overwrites what others load comes after them, or
//! where they overwrite each other's in one part with them, in which all loads come first.

use std::collections::BTreeSet;

use crate::tape::plan::{Instruction, Pointwise, SlotId, Step};

/// Arrays that a kernel may bind; desktop drivers offer at least as many.
pub(super) const MOST_ARRAYS: usize = 24;

/// Arrays that a kernel may need for itself.
const OPERANDS: usize = 5;

/// Whether the pointwise work of a step needs too many arrays to run with its kernel, or in one go.
pub(super) fn is_needed(step: &Step) -> bool {
    let program = step.pointwise.as_ref();
    program.is_some_and(|program| OPERANDS + 1 + slots(program).len() > MOST_ARRAYS)
}

/// The slots that a program reads or writes.
fn slots(program: &Pointwise) -> BTreeSet<SlotId> {
    let loads = program.loads.iter().map(|load| load.slot);
    loads
        .chain(program.stores.iter().map(|&(_, slot)| slot))
        .collect()
}

/// `program` in parts of at most `most` arrays each, if its stores can be told apart so far.
pub(super) fn parts(program: &Pointwise, most: usize) -> Vec<Pointwise> {
    let mut parts: Vec<Pointwise> = vec![];
    for stores in in_order(program) {
        let joined = parts.last().map(|last| {
            let stores = [&stores[..], &originals(program, last)].concat();
            restricted(program, &stores)
        });
        match joined.filter(|joined| slots(joined).len() <= most) {
            Some(joined) => {
                parts.pop();
                parts.push(joined);
            }
            None => parts.push(restricted(program, &stores)),
        }
    }
    parts
}

/// The stores of `program` that a part of it has, in the numbering of `program`.
fn originals(program: &Pointwise, part: &Pointwise) -> Vec<(usize, SlotId)> {
    let stores = program.stores.iter();
    let kept = |slot: SlotId| part.stores.iter().any(|&(_, other)| other == slot);
    stores.copied().filter(|&(_, slot)| kept(slot)).collect()
}

/// The stores in an order in which each comes after all that need what it overwrites; those that need each other's are
/// one unit.
fn in_order(program: &Pointwise) -> Vec<Vec<(usize, SlotId)>> {
    let needs = |store: &(usize, SlotId), slot: SlotId| {
        let loads = restricted(program, &[*store]).loads;
        loads.iter().any(|load| load.slot == slot)
    };
    let mut waiting = program.stores.clone();
    let mut units = vec![];
    while !waiting.is_empty() {
        let free = waiting.iter().position(|store| {
            let mut others = waiting.iter().filter(|other| *other != store);
            others.all(|other| !needs(other, store.1))
        });
        units.push(match free {
            Some(i) => vec![waiting.remove(i)],
            None => std::mem::take(&mut waiting),
        });
    }
    units
}

/// The part of `program` that `stores` need.
fn restricted(program: &Pointwise, stores: &[(usize, SlotId)]) -> Pointwise {
    let first = program.loads.len();
    let mut needed = vec![false; first + program.instructions.len()];
    for &(register, _) in stores {
        needed[register] = true;
    }
    for (j, instruction) in program.instructions.iter().enumerate().rev() {
        if needed[first + j] {
            match *instruction {
                Instruction::Constant(_) => {}
                Instruction::Map(_, x) => needed[x] = true,
                Instruction::Zip(_, a, b) => (needed[a], needed[b]) = (true, true),
            }
        }
    }
    // The new number of each register: how many of those before it are kept.
    let kept_before = |register: usize| needed[..register].iter().filter(|kept| **kept).count();
    let numbers: Vec<usize> = (0..needed.len()).map(kept_before).collect();
    let kept = |(i, load): (usize, &_)| needed[i].then_some(*load);
    let instruction = |(j, instruction): (usize, &Instruction)| {
        needed[first + j].then_some(match *instruction {
            Instruction::Constant(value) => Instruction::Constant(value),
            Instruction::Map(map, x) => Instruction::Map(map, numbers[x]),
            Instruction::Zip(zip, a, b) => Instruction::Zip(zip, numbers[a], numbers[b]),
        })
    };
    let instructions = program.instructions.iter().enumerate();
    let stores = stores
        .iter()
        .map(|&(register, slot)| (numbers[register], slot));
    Pointwise {
        count: program.count,
        loads: program.loads.iter().enumerate().filter_map(kept).collect(),
        instructions: instructions.filter_map(instruction).collect(),
        stores: stores.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::plan::{Index, Load};
    use crate::tape::{Map, Zip};

    fn load(slot: SlotId) -> Load {
        let index = Index::IDENTITY;
        Load { slot, index }
    }

    #[test]
    fn stores_part_and_overwrite_what_nobody_needs_any_more() {
        // 1 = tanh 0, 11 = tanh 1, and 2 and 3 change places.
        let program = Pointwise {
            count: 5,
            loads: [0, 1, 2, 3].map(load).to_vec(),
            instructions: vec![
                Instruction::Map(Map::Tanh, 0),
                Instruction::Map(Map::Tanh, 1),
            ],
            stores: vec![(4, 1), (5, 11), (2, 3), (3, 2)],
        };
        let parts = parts(&program, 2);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0].loads, [load(1)]);
        assert_eq!(parts[0].instructions, [Instruction::Map(Map::Tanh, 0)]);
        assert_eq!(parts[0].stores, [(1, 11)]);
        assert_eq!(parts[1].stores, [(1, 1)]);
        assert_eq!(parts[2].stores, [(0, 3), (1, 2)]);
    }

    #[test]
    fn what_fits_is_one_part() {
        let program = Pointwise {
            count: 5,
            loads: [0, 1].map(load).to_vec(),
            instructions: vec![Instruction::Zip(Zip::Add, 0, 1)],
            stores: vec![(2, 5), (2, 6)],
        };
        let parts = parts(&program, MOST_ARRAYS);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].instructions, program.instructions);
    }
}

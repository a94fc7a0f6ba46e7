//! Where the registers of a pointwise program are.
//!
//! Every instruction is a pass over a block of numbers in the first-level cache, and reading and writing them takes as
//! long as computing. So there should be few passes and few copies: what is the same for all elements is not written
//! out, `scale · x + shift` is part of the passes that use it, what is loaded element by element is read where it is,
//! and what is stored is computed where it is stored.

use crate::tape::Map;
use crate::tape::plan::{Index, Instruction, Pointwise, SlotId};

/// The home of one register.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Home {
    /// The same number for all elements.
    Constant(f32),
    /// A slot's only number, the same for all elements.
    Scalar(SlotId),
    /// `scale · x + shift` of a register, computed by whoever uses it.
    Affine { x: usize, scale: f32, shift: f32 },
    /// A slot: its elements are the register's. Such registers are numbered.
    Slot { slot: SlotId, number: usize },
    /// A block of this thread's memory.
    Block(usize),
}

/// The homes of a program's registers.
#[derive(Debug)]
pub(in crate::exec::cpu) struct Homes {
    pub(super) of: Vec<Home>,
    /// How many are in slots.
    pub(super) slots: usize,
    /// How many are in blocks.
    pub(super) blocks: usize,
    /// What is stored, but was not computed there: register and slot.
    pub(super) copies: Vec<(usize, SlotId)>,
}

impl Homes {
    /// Finds homes for the registers of `program`.
    pub fn new(program: &Pointwise) -> Self {
        let mut homes = Self {
            of: vec![],
            slots: 0,
            blocks: 0,
            copies: vec![],
        };
        for load in &program.loads {
            let home = match load.index {
                Index { period: 1, .. } => Home::Scalar(load.slot),
                Index::IDENTITY => homes.slot(load.slot),
                _ => homes.block(),
            };
            homes.of.push(home);
        }
        for (i, instruction) in program.instructions.iter().enumerate() {
            let stored = homes.of.len();
            let mut stores = program
                .stores
                .iter()
                .filter(|(register, _)| *register == stored);
            let home = match (*instruction, stores.next()) {
                (Instruction::Constant(value), _) => Home::Constant(value as f32),
                (_, Some(&(_, slot))) if !program.reads_from(i, slot) => homes.slot(slot),
                (Instruction::Map(Map::Affine { scale, shift }, x), None)
                    if !matches!(homes.of[x], Home::Affine { .. }) =>
                {
                    let (scale, shift) = (scale as f32, shift as f32);
                    Home::Affine { x, scale, shift }
                }
                _ => homes.block(),
            };
            homes.of.push(home);
        }
        let computed_there = |&(register, slot): &(usize, SlotId)| {
            let here = matches!(homes.of[register], Home::Slot { slot: home, .. } if home == slot);
            here && register >= program.loads.len()
        };
        let copies = program.stores.iter().filter(|store| !computed_there(store));
        homes.copies = copies.copied().collect();
        for (i, &(register, _)) in homes.copies.iter().enumerate() {
            let mut before = homes.copies[..i].iter().map(|&(_, written)| written);
            if let Home::Slot { slot, .. } = homes.of[register] {
                let lost = before.any(|written| written == slot);
                assert!(!lost, "a store overwrites what the next one reads");
            }
        }
        homes
    }

    fn slot(&mut self, slot: SlotId) -> Home {
        self.slots += 1;
        Home::Slot {
            slot,
            number: self.slots - 1,
        }
    }

    fn block(&mut self) -> Home {
        self.blocks += 1;
        Home::Block(self.blocks - 1)
    }
}

impl Pointwise {
    /// Whether elements of `slot` as they were before are needed after instruction `i`.
    fn reads_from(&self, i: usize, slot: SlotId) -> bool {
        let loaded = |register: usize| self.loads.get(register).is_some_and(|l| l.slot == slot);
        // An affine map may be computed later than it stands here.
        let used = |register: usize| {
            let instruction = register.checked_sub(self.loads.len());
            match instruction.map(|i| self.instructions[i]) {
                Some(Instruction::Map(Map::Affine { .. }, x)) => loaded(x),
                _ => loaded(register),
            }
        };
        let later = self.instructions[i + 1..].iter();
        later.copied().any(|instruction| match instruction {
            Instruction::Constant(_) => false,
            Instruction::Map(_, x) => used(x),
            Instruction::Zip(_, a, b) => used(a) || used(b),
        }) || self.stores.iter().any(|&(register, _)| loaded(register))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Zip;
    use crate::tape::plan::Load;

    const BIAS: Index = Index {
        repeat: 1,
        period: 8,
    };
    const SCALAR: Index = Index {
        repeat: 1,
        period: 1,
    };

    fn program(
        loads: &[(SlotId, Index)],
        instructions: Vec<Instruction>,
        stores: Vec<(usize, SlotId)>,
    ) -> Pointwise {
        let loads = loads.iter().map(|&(slot, index)| Load { slot, index });
        Pointwise {
            count: 64,
            loads: loads.collect(),
            instructions,
            stores,
        }
    }

    fn affine(x: usize) -> Instruction {
        let (scale, shift) = (0.9, 0.0);
        Instruction::Map(Map::Affine { scale, shift }, x)
    }

    /// `m ← 0.9 m + 0.9 g · rate + bias`, in place.
    #[test]
    fn an_update_in_place_needs_few_blocks_and_no_copy() {
        let loads = [
            (0, Index::IDENTITY),
            (1, Index::IDENTITY),
            (2, SCALAR),
            (3, BIAS),
        ];
        let instructions = vec![
            affine(0),
            affine(1),
            Instruction::Zip(Zip::Mul, 5, 2),
            Instruction::Zip(Zip::Add, 6, 3),
            Instruction::Zip(Zip::Add, 4, 7),
        ];
        let homes = Homes::new(&program(&loads, instructions, vec![(8, 0)]));
        let affine = |x| Home::Affine {
            x,
            scale: 0.9,
            shift: 0.0,
        };
        let slot = |slot, number| Home::Slot { slot, number };
        let expected = [
            slot(0, 0),
            slot(1, 1),
            Home::Scalar(2),
            Home::Block(0),
            affine(0),
            affine(1),
            Home::Block(1),
            Home::Block(2),
            slot(0, 2),
        ];
        assert_eq!(homes.of, expected);
        assert_eq!((homes.slots, homes.blocks), (3, 3));
        assert!(homes.copies.is_empty());
    }

    /// What is stored over `x` must wait where `x` is read afterwards, be it through an affine map from before.
    #[test]
    fn nothing_is_overwritten_that_is_read_later() {
        let double = Instruction::Zip(Zip::Add, 0, 0);
        let read_later = [
            vec![double, Instruction::Zip(Zip::Mul, 1, 0)],
            vec![affine(0), double, Instruction::Zip(Zip::Mul, 1, 2)],
        ];
        for instructions in read_later {
            let last = instructions.len();
            let stores = vec![(last - 1, 0), (last, 1)];
            let homes = Homes::new(&program(&[(0, Index::IDENTITY)], instructions, stores));
            assert_eq!(homes.of[last - 1], Home::Block(0));
            assert_eq!(homes.copies, [(last - 1, 0)]);
        }
        // Nor what is loaded and stored elsewhere as it is.
        let homes = Homes::new(&program(
            &[(0, Index::IDENTITY)],
            vec![double],
            vec![(0, 1), (1, 0)],
        ));
        assert_eq!(homes.of[1], Home::Block(0));
        assert_eq!(homes.copies, [(0, 1), (1, 0)]);
    }

    #[test]
    fn what_is_the_same_for_all_elements_is_only_written_where_it_is_stored() {
        let instructions = vec![
            Instruction::Constant(2.0),
            affine(0),
            Instruction::Zip(Zip::Mul, 1, 2),
        ];
        let stores = vec![(1, 7), (3, 8), (3, 9)];
        let homes = Homes::new(&program(&[(0, SCALAR)], instructions, stores));
        assert_eq!(homes.of[0], Home::Scalar(0));
        assert_eq!(homes.of[1], Home::Constant(2.0));
        assert!(matches!(homes.of[2], Home::Affine { x: 0, .. }));
        assert_eq!(homes.of[3], Home::Slot { slot: 8, number: 0 });
        assert_eq!((homes.slots, homes.blocks), (1, 0));
        assert_eq!(homes.copies, [(1, 7), (3, 9)]);
    }

    #[test]
    #[should_panic(expected = "a store overwrites")]
    fn stores_that_change_places_are_refused() {
        let loads = [(0, Index::IDENTITY), (1, Index::IDENTITY)];
        Homes::new(&program(&loads, vec![], vec![(0, 1), (1, 0)]));
    }
}

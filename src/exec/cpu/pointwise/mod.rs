//! Fused pointwise programs.
//!
//! A program runs on blocks of [`BLOCK`] elements: each of its registers is a block-long array (see `homes` for which
//! and where), so the interpreter's overhead is paid once per block and instruction, every instruction is a vectorised
//! loop (`loops`), and intermediate values never leave the first-level cache.

#![expect(
    unsafe_code,
    reason = "reads and writes ranges of slots that all threads share"
)]

mod homes;
mod loops;

use std::cell::Cell;
use std::ops::Range;

use self::homes::Home;
use self::loops::{Operand, apply_map, apply_zip};
use super::cut::Pieces;
use super::lanes::{Kernel, Lanes};
use super::slots::Slots;
use crate::tape::plan::{Index, Instruction, Load, Pointwise, SlotId};

pub(super) use self::homes::Homes;

/// Elements per block: a dozen or two registers of 2 KiB fit the first- and second-level caches.
pub(super) const BLOCK: usize = 512;

/// Numbers of the largest register of a processor.
const REGISTER: usize = 16;

/// Numbers of scratch that a program needs per thread.
pub(super) fn scratch(homes: &Homes) -> usize {
    homes.blocks * BLOCK + homes.slots * REGISTER
}

/// Runs a program on some of its elements.
pub(super) struct Run<'a> {
    pub program: &'a Pointwise,
    pub homes: &'a Homes,
    pub pieces: Pieces,
    pub slots: &'a Slots,
    /// This thread's memory, at least [`scratch`] numbers.
    pub scratch: &'a mut [f32],
}

impl Kernel for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Pieces {
            first,
            stride,
            count,
        } = self.pieces;
        let scratch = Cell::from_mut(self.scratch).as_slice_of_cells();
        let (blocks, rest) = scratch.split_at(self.homes.blocks * BLOCK);
        for piece in 0..count {
            let mut start = first.start + piece * stride;
            let end = first.end + piece * stride;
            while start < end {
                // Whole registers as long as there are any, then what is left.
                let whole = BLOCK.min((end - start) / L::N * L::N);
                let block = Block {
                    program: self.program,
                    homes: self.homes,
                    slots: self.slots,
                    elements: start..if whole > 0 { start + whole } else { end },
                    blocks,
                    rest: (whole == 0).then_some(rest),
                };
                start = block.elements.end;
                block.run::<L>();
            }
        }
    }
}

/// Up to [`BLOCK`] elements of a program.
struct Block<'a> {
    program: &'a Pointwise,
    homes: &'a Homes,
    slots: &'a Slots,
    elements: Range<usize>,
    blocks: &'a [Cell<f32>],
    /// If the elements do not fill a register: room for one of each slot.
    rest: Option<&'a [Cell<f32>]>,
}

impl Block<'_> {
    #[inline(always)]
    fn run<L: Lanes>(&self) {
        for (register, load) in self.program.loads.iter().enumerate() {
            match self.homes.of[register] {
                Home::Block(_) => {
                    self.fill::<L>(load, &self.cells::<L>(register)[..self.elements.len()]);
                }
                Home::Slot { slot, .. } if self.rest.is_some() => {
                    copy(self.slot(slot), self.cells::<L>(register));
                }
                _ => {}
            }
        }
        for (i, instruction) in self.program.instructions.iter().enumerate() {
            let register = self.program.loads.len() + i;
            let home = self.homes.of[register];
            if matches!(home, Home::Constant(_) | Home::Affine { .. }) {
                continue;
            }
            let out = self.cells::<L>(register);
            match *instruction {
                Instruction::Constant(_) => unreachable!("is not written out"),
                Instruction::Map(map, x) => apply_map(map, self.operand::<L>(x), out),
                Instruction::Zip(zip, a, b) => {
                    apply_zip(zip, self.operand::<L>(a), self.operand::<L>(b), out);
                }
            }
            if let (Home::Slot { slot, .. }, true) = (home, self.rest.is_some()) {
                copy(out, self.slot(slot));
            }
        }
        for &(register, slot) in &self.homes.copies {
            let out = self.slot(slot);
            match self.homes.of[register] {
                Home::Constant(value) => out.iter().for_each(|out| out.set(value)),
                Home::Scalar(from) => {
                    let value = self.scalar(from);
                    out.iter().for_each(|out| out.set(value));
                }
                _ => copy(&self.cells::<L>(register)[..out.len()], out),
            }
        }
    }
}

impl<'a> Block<'a> {
    /// The elements of a slot.
    #[inline(always)]
    fn slot(&self, slot: SlotId) -> &'a [Cell<f32>] {
        // SAFETY: the elements of this block belong to this thread: ranges are disjoint between threads, and a slot
        // that is stored is otherwise only loaded element by element.
        unsafe { self.slots.cells(slot, self.elements.clone()) }
    }

    /// A slot's only number.
    #[inline(always)]
    fn scalar(&self, slot: SlotId) -> f32 {
        // SAFETY: a slot that is not loaded element by element is not written during this task.
        unsafe { self.slots.read(slot, 0..1)[0] }
    }

    /// A register that lies in a block or a slot, whole registers of the processor.
    #[inline(always)]
    fn cells<L: Lanes>(&self, register: usize) -> &'a [Cell<f32>] {
        match (self.homes.of[register], self.rest) {
            (Home::Slot { slot, .. }, None) => self.slot(slot),
            (Home::Slot { number, .. }, Some(rest)) => &rest[number * REGISTER..][..L::N],
            (Home::Block(i), _) => {
                &self.blocks[i * BLOCK..][..self.elements.len().next_multiple_of(L::N)]
            }
            (home, _) => unreachable!("{home:?} is not a place in memory"),
        }
    }

    #[inline(always)]
    fn operand<L: Lanes>(&self, register: usize) -> Operand<'a, L> {
        match self.homes.of[register] {
            Home::Constant(value) => Operand::Same(L::splat(value)),
            Home::Scalar(slot) => Operand::Same(L::splat(self.scalar(slot))),
            Home::Affine { x, scale, shift } => {
                let (scale, shift) = (L::splat(scale), L::splat(shift));
                let same = |x: f32| Operand::Same(L::splat(x).mul_add(scale, shift));
                match self.homes.of[x] {
                    Home::Constant(value) => same(value),
                    Home::Scalar(slot) => same(self.scalar(slot)),
                    _ => Operand::Affine(self.cells::<L>(x), scale, shift),
                }
            }
            Home::Slot { .. } | Home::Block(_) => Operand::Each(self.cells::<L>(register)),
        }
    }

    /// Loads a register whose elements share numbers.
    #[inline(always)]
    fn fill<L: Lanes>(&self, load: &Load, out: &[Cell<f32>]) {
        let Index { repeat, period } = load.index;
        // SAFETY: a slot that is not loaded element by element is not written during this task.
        let x = unsafe { self.slots.read(load.slot, 0..period) };
        let mut i = 0;
        while i < out.len() {
            let element = self.elements.start + i;
            let from = element / repeat % period;
            // A run is the rest of a repetition, or with repeat 1 the rest of a period.
            let run = match repeat {
                1 => period - from,
                _ => repeat - element % repeat,
            };
            let run = &out[i..out.len().min(i + run)];
            match repeat {
                1 => copy_numbers::<L>(&x[from..][..run.len()], run),
                _ => {
                    let value = x[from];
                    run.iter().for_each(|out| out.set(value));
                }
            }
            i += run.len();
        }
    }
}

/// Copies as many numbers as both have.
fn copy(x: &[Cell<f32>], out: &[Cell<f32>]) {
    for (x, out) in x.iter().zip(out) {
        out.set(x.get());
    }
}

/// Copies numbers to as many cells.
#[inline(always)]
fn copy_numbers<L: Lanes>(x: &[f32], out: &[Cell<f32>]) {
    for (x, out) in x.chunks(L::N).zip(out.chunks(L::N)) {
        if out.len() == L::N {
            L::load(x).store_cells(out);
        } else {
            for (x, out) in x.iter().zip(out) {
                out.set(*x);
            }
        }
    }
}

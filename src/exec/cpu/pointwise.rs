//! Fused pointwise programs.
//!
//! A program runs on blocks of [`BLOCK`] elements: each of its registers is a block-long array, so the
//! interpreter's overhead is paid once per block and instruction, every instruction is a vectorised loop,
//! and intermediate values never leave the first-level cache.

#![expect(
    unsafe_code,
    reason = "reads and writes ranges of slots that all threads share"
)]

use std::ops::Range;

use super::cut::Pieces;
use super::lanes::{Kernel, Lanes, math};
use super::slots::Slots;
use crate::tape::plan::{Index, Instruction, Load, Pointwise};
use crate::tape::{Map, Zip};

/// Elements per block: a dozen or two registers of 2 KiB fit the first- and second-level caches.
pub(super) const BLOCK: usize = 512;

/// Numbers of scratch that `program` needs per thread.
pub(super) fn scratch(program: &Pointwise) -> usize {
    (program.loads.len() + program.instructions.len()) * BLOCK
}

/// Runs a program on some of its elements.
pub(super) struct Run<'a> {
    pub program: &'a Pointwise,
    pub pieces: Pieces,
    pub slots: &'a Slots,
    /// This thread's registers, at least [`scratch`] numbers.
    pub registers: &'a mut [f32],
}

impl Kernel for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Pointwise {
            loads,
            instructions,
            ..
        } = self.program;
        let (loaded, computed) = self.registers.split_at_mut(loads.len() * BLOCK);
        // What is the same for all elements is filled in once.
        for (register, load) in loaded.chunks_exact_mut(BLOCK).zip(loads) {
            if load.index.period == 1 {
                // SAFETY: a slot that is not loaded in place is not written during this task.
                register.fill(unsafe { self.slots.read(load.slot, 0..1) }[0]);
            }
        }
        for (register, instruction) in computed.chunks_exact_mut(BLOCK).zip(instructions) {
            if let Instruction::Constant(value) = instruction {
                register.fill(*value as f32);
            }
        }
        let Pieces {
            first,
            stride,
            count,
        } = self.pieces;
        for piece in 0..count {
            let range = first.start + piece * stride..first.end + piece * stride;
            run_range::<L>(self.program, range, self.slots, self.registers);
        }
    }
}

/// Runs a program on neighbouring elements; the registers that are the same for all are filled.
#[inline(always)]
fn run_range<L: Lanes>(
    program: &Pointwise,
    range: Range<usize>,
    slots: &Slots,
    registers: &mut [f32],
) {
    let Pointwise {
        loads,
        instructions,
        stores,
        ..
    } = program;
    let mut start = range.start;
    while start < range.end {
        let count = BLOCK.min(range.end - start);
        let lanes = count.next_multiple_of(L::N);
        // What is loaded element by element is read where it is, unless a register would reach beyond it
        // or it is stored again as it is.
        let in_place = |r: usize| {
            r < loads.len()
                && loads[r].index == Index::IDENTITY
                && lanes == count
                && stores.iter().all(|&(stored, _)| stored != r)
        };
        for (i, load) in loads.iter().enumerate() {
            if !in_place(i) {
                let register = &mut registers[i * BLOCK..][..count];
                fill(register, load, start, slots);
            }
        }
        for (i, instruction) in instructions.iter().enumerate() {
            let at = (loads.len() + i) * BLOCK;
            let (before, out) = registers.split_at_mut(at);
            let out = &mut out[..lanes];
            let register = |r: usize| {
                if in_place(r) {
                    // SAFETY: nobody else writes these elements during this task, and this thread not before
                    // the stores below, when this borrow has ended.
                    unsafe { slots.read(loads[r].slot, start..start + count) }
                } else {
                    &before[r * BLOCK..][..lanes]
                }
            };
            match *instruction {
                Instruction::Constant(_) => {}
                Instruction::Map(map, x) => apply_map::<L>(map, register(x), out),
                Instruction::Zip(zip, a, b) => {
                    apply_zip::<L>(zip, register(a), register(b), out);
                }
            }
        }
        for &(register, slot) in stores {
            // SAFETY: elements `start..start + count` of this program's stores belong to this thread: ranges
            // are disjoint between threads, a stored slot is otherwise only loaded with the identity index,
            // i.e. by this thread for the same elements, and those borrows have ended.
            let out = unsafe { slots.write(slot, start..start + count) };
            out.copy_from_slice(&registers[register * BLOCK..][..count]);
        }
        start += count;
    }
}

/// Loads elements `start..` of a program into a register.
#[inline(always)]
fn fill(register: &mut [f32], load: &Load, start: usize, slots: &Slots) {
    let Index { repeat, period } = load.index;
    if load.index == Index::IDENTITY {
        // SAFETY: nobody else writes these elements during this task, see `Run::run`.
        let x = unsafe { slots.read(load.slot, start..start + register.len()) };
        register.copy_from_slice(x);
    } else if period > 1 {
        // SAFETY: a slot that is not loaded in place is not written during this task.
        let x = unsafe { slots.read(load.slot, 0..period) };
        let mut i = 0;
        while i < register.len() {
            let element = start + i;
            let from = element / repeat % period;
            // A run is the rest of a repetition, or with repeat 1 the rest of a period.
            let run = if repeat == 1 {
                period - from
            } else {
                repeat - element % repeat
            };
            let run = run.min(register.len() - i);
            let target = &mut register[i..i + run];
            match repeat {
                1 => target.copy_from_slice(&x[from..from + run]),
                _ => target.fill(x[from]),
            }
            i += run;
        }
    }
}

#[inline(always)]
fn each<L: Lanes>(x: &[f32], out: &mut [f32], f: impl Fn(L) -> L) {
    for (x, out) in x.chunks_exact(L::N).zip(out.chunks_exact_mut(L::N)) {
        f(L::load(x)).store(out);
    }
}

#[inline(always)]
fn apply_map<L: Lanes>(map: Map, x: &[f32], out: &mut [f32]) {
    match map {
        Map::Affine { scale, shift } => {
            let (scale, shift) = (L::splat(scale as f32), L::splat(shift as f32));
            each(x, out, |x: L| x.mul_add(scale, shift));
        }
        Map::Exp => each(x, out, math::exp::<L>),
        Map::Tanh => each(x, out, math::tanh::<L>),
        Map::Elu => each(x, out, math::elu::<L>),
        Map::Sqrt => each(x, out, L::sqrt),
        Map::Step => each(x, out, |x: L| x.if_positive(L::splat(1.0), L::splat(0.0))),
        // Rare in our networks: the standard library, number by number.
        Map::Ln => out.iter_mut().zip(x).for_each(|(out, x)| *out = x.ln()),
        Map::Pow(p) => {
            let p = p as f32;
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x.powf(p));
        }
    }
}

#[inline(always)]
fn apply_zip<L: Lanes>(zip: Zip, a: &[f32], b: &[f32], out: &mut [f32]) {
    #[inline(always)]
    fn both<L: Lanes>(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(L, L) -> L) {
        let pairs = a.chunks_exact(L::N).zip(b.chunks_exact(L::N));
        for ((a, b), out) in pairs.zip(out.chunks_exact_mut(L::N)) {
            f(L::load(a), L::load(b)).store(out);
        }
    }
    match zip {
        Zip::Add => both(a, b, out, L::add),
        Zip::Sub => both(a, b, out, L::sub),
        Zip::Mul => both(a, b, out, L::mul),
        Zip::Div => both(a, b, out, L::div),
        Zip::Max => both(a, b, out, L::max),
        Zip::Min => both(a, b, out, L::min),
    }
}

//! What a kernel may read and write during a run, as ordinary slices.
//!
//! Why sharing memory between threads is sound here: a task writes each element of its slots from exactly one
//! chunk, as chunks are disjoint ranges, and one thread runs a chunk; a chunk reads only slots that its task
//! does not write, or (in place) the very elements that the chunk itself writes; and a task begins only
//! when the task before it is finished. The planner sees to the middle part: operands of a kernel never share
//! a slot with what its step stores, as only values that are read element by element are replaced. For kernels it is
//! checked here once more.

#![expect(
    unsafe_code,
    reason = "borrows the ranges of shared slots that make up a chunk"
)]

use std::ops::Range;

use super::cut::{Chunk, Cut};
use super::lanes::Isa;
use super::slots::Slots;
use crate::tape::plan::{SlotId, Step};

/// What may be read while a task runs.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The instruction set to use.
    pub isa: Isa,
    /// Numbers in one of its registers.
    pub lanes: usize,
    slots: &'a Slots,
    step: &'a Step,
    /// The buffer of what has been prepared.
    prepared: SlotId,
    /// Whether it is being written.
    preparing: bool,
}

impl<'a> Reading<'a> {
    /// For a thread at work on `step`, or on what it prepares.
    ///
    /// # Safety
    /// The slots are alive and unmoved for `'a`, and during it no task runs but this one.
    pub unsafe fn new(
        (isa, lanes): (Isa, usize),
        slots: &'a Slots,
        step: &'a Step,
        prepared: SlotId,
        preparing: bool,
    ) -> Self {
        Self {
            isa,
            lanes,
            slots,
            step,
            prepared,
            preparing,
        }
    }

    /// All numbers of a slot.
    ///
    /// # Panics
    /// If the task writes to it.
    pub fn read(&self, slot: SlotId) -> &'a [f32] {
        let result = self.step.kernel.as_ref().map(|kernel| kernel.facts().out());
        let written = match self.preparing {
            true => slot == self.prepared,
            false => Some(slot) == result || self.step.stores().any(|stored| stored == slot),
        };
        assert!(!written, "a kernel's operand is written by its own step");
        // SAFETY: buffers outlive `'a` and no other task runs (`new`), and this one does not write to the slot.
        unsafe { self.slots.read(slot, 0..self.slots.len(slot)) }
    }

    /// The first `count` numbers of what was prepared for this step.
    pub fn prepared(&self, count: usize) -> &'a [f32] {
        &self.read(self.prepared)[..count]
    }
}

/// A chunk of a kernel's result, to be computed.
pub(super) struct Work<'a> {
    /// What may be read.
    pub from: Reading<'a>,
    /// Which chunk.
    pub chunk: &'a Chunk,
    cut: &'a Cut,
    out: SlotId,
}

impl<'a> Work<'a> {
    /// A chunk of the result of the kernel that writes to `out`.
    ///
    /// # Safety
    /// `chunk` belongs to this thread alone, and `cut` is how the step's result is cut.
    pub unsafe fn new(from: Reading<'a>, cut: &'a Cut, chunk: &'a Chunk, out: SlotId) -> Self {
        Self {
            from,
            chunk,
            cut,
            out,
        }
    }

    /// The elements that belong to a chunk of a result of one row.
    pub fn range(&self) -> Range<usize> {
        self.cut.piece(self.chunk, 0)
    }

    /// These elements.
    pub fn row(&mut self) -> &mut [f32] {
        self.piece(self.chunk.outer.start)
    }

    /// The elements of the chunk that lie in row `outer` of the result.
    ///
    /// # Panics
    /// If none do.
    pub fn piece(&mut self, outer: usize) -> &mut [f32] {
        assert!(self.chunk.outer.contains(&outer), "not of this chunk");
        let range = self.cut.piece(self.chunk, outer);
        // SAFETY: buffers outlive the run; pieces of chunks are disjoint, this chunk is this thread's (`new`), and the
        // borrow of `self` lets one piece of it be borrowed at a time. `Reading::read` does not lend this slot.
        unsafe { self.from.slots.write(self.out, range) }
    }
}

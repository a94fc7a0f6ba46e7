//! The memory that all threads of a run share.

#![expect(
    unsafe_code,
    reason = "threads write disjoint parts of one buffer without locks"
)]

use std::cell::Cell;
use std::ops::Range;

use crate::exec::buffer::Buffer;
use crate::tape::plan::SlotId;

/// A table of buffers, filled in for each run, from which threads borrow ranges.
///
/// Rust's borrow rules hold for each *range*: at any moment a range is either borrowed by many readers, by one writer, or
/// by one thread as cells, which may lie over each other. The types cannot show that two threads hold disjoint ranges;
/// the executor's structure does, see `tasks.rs`.
#[derive(Debug, Default)]
pub(super) struct Slots {
    table: Vec<(*mut f32, usize)>,
}

// SAFETY: the table is plain addresses; whoever dereferences one states why that is sound (`read`, `write`).
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    pub fn clear(&mut self) {
        self.table.clear();
    }

    /// Adds a buffer as the next slot. The entry may be used until the buffer is moved or dropped.
    pub fn push(&mut self, buffer: &mut Buffer) {
        self.table.push((buffer.as_mut_ptr(), buffer.len()));
    }

    /// The number of elements of a slot.
    pub fn len(&self, slot: SlotId) -> usize {
        self.table[slot].1
    }

    /// Borrows a range for reading.
    ///
    /// # Safety
    /// The slot's buffer must be alive and unmoved, and nobody may write to this range during the borrow.
    pub unsafe fn read(&self, slot: SlotId, range: Range<usize>) -> &[f32] {
        let (start, len) = self.table[slot];
        assert!(range.start <= range.end && range.end <= len);
        // SAFETY: the range is inside the buffer (asserted), whose numbers are initialised; the caller vouches
        // for the buffer's life and for the absence of writers.
        unsafe { std::slice::from_raw_parts(start.add(range.start), range.len()) }
    }

    /// Borrows a range for writing.
    ///
    /// # Safety
    /// The slot's buffer must be alive and unmoved, and nobody else may use this range during the borrow.
    #[expect(
        clippy::mut_from_ref,
        reason = "disjoint ranges, see the type's documentation"
    )]
    pub unsafe fn write(&self, slot: SlotId, range: Range<usize>) -> &mut [f32] {
        let (start, len) = self.table[slot];
        assert!(range.start <= range.end && range.end <= len);
        // SAFETY: as in `read`; the caller vouches for exclusive use.
        unsafe { std::slice::from_raw_parts_mut(start.add(range.start), range.len()) }
    }

    /// Borrows a range for reading and writing.
    ///
    /// # Safety
    /// The slot's buffer must be alive and unmoved, and no other thread may use this range during the borrow, unless
    /// all only read it.
    pub unsafe fn cells(&self, slot: SlotId, range: Range<usize>) -> &[Cell<f32>] {
        let (start, len) = self.table[slot];
        assert!(range.start <= range.end && range.end <= len);
        // SAFETY: as in `read`; a cell is laid out as what it holds.
        unsafe { std::slice::from_raw_parts(start.add(range.start).cast(), range.len()) }
    }
}

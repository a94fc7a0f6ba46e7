//! Which values share memory.

use std::collections::HashMap;

use super::{Slot, SlotId, SlotKind};
use crate::tape::Var;

/// Hands out slots and takes them back.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub slots: Vec<Slot>,
    of_value: HashMap<Var, SlotId>,
    free: Vec<SlotId>,
    pub bytes_without_reuse: usize,
}

impl Memory {
    /// The slot that holds `v`.
    pub fn slot(&self, v: Var) -> SlotId {
        self.of_value[&v]
    }

    /// Whether `v` has a slot.
    pub fn holds(&self, v: Var) -> bool {
        self.of_value.contains_key(&v)
    }

    /// A slot of its own for a value that comes from outside a run, or a constant.
    pub fn pin(&mut self, v: Var, count: usize, kind: SlotKind) {
        self.slots.push(Slot { count, kind });
        self.of_value.insert(v, self.slots.len() - 1);
    }

    /// A scratch slot for `v`: the smallest free one that is large enough, else the largest free one, which
    /// grows, else a new one.
    pub fn allocate(&mut self, v: Var, count: usize) {
        self.bytes_without_reuse += 4 * count;
        let capacity = |&i: &usize| self.slots[self.free[i]].count;
        let fitting = (0..self.free.len()).filter(|i| capacity(i) >= count);
        let best = fitting
            .min_by_key(capacity)
            .or_else(|| (0..self.free.len()).max_by_key(capacity));
        let slot = match best {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.slots.push(Slot {
                    count,
                    kind: SlotKind::Scratch,
                });
                self.slots.len() - 1
            }
        };
        self.slots[slot].count = self.slots[slot].count.max(count);
        self.of_value.insert(v, slot);
    }

    /// `v` overwrites `old`, element by element.
    pub fn take_over(&mut self, v: Var, old: Var, count: usize) {
        self.bytes_without_reuse += 4 * count;
        let slot = self.slot(old);
        self.of_value.insert(v, slot);
    }

    /// Nobody reads `v` again.
    pub fn release(&mut self, v: Var) {
        let slot = self.slot(v);
        if self.slots[slot].kind == SlotKind::Scratch {
            self.free.push(slot);
        }
    }
}

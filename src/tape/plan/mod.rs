//! From a tape to a short list of fused steps over a few reused buffers.
//!
//! 1. `fuse` drops what no output or assignment needs, merges pointwise operations into groups, and hangs
//!    a group onto the matrix product, sum or potential that feeds it (bias and activation, or all of Adam
//!    for one parameter, run on a tile of the result while it is in the cache).
//! 2. `memory` gives every value that must be stored a slot, reusing slots whose value nobody reads again.
//! 3. `lower` writes each group as one [`Step`].
//!
//! A plan knows nothing about devices.

mod facts;
mod fuse;
pub mod kernel;
mod kernels;
mod lower;
mod memory;

use super::op::{Map, Zip};
use super::{Tape, Var};
pub use facts::Facts;
pub use kernel::{Contraction, Kernel, Pairwise};

/// An index into [`Plan::slots`].
pub type SlotId = usize;

/// What to run, in order, and where the numbers live.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything that holds numbers during a run.
    pub slots: Vec<Slot>,
    /// What to run, in order.
    pub steps: Vec<Step>,
    /// Name, slot and number of elements of each output.
    pub outputs: Vec<(String, SlotId, usize)>,
    /// What the scratch slots would take if no slot were used twice, in bytes.
    pub bytes_without_reuse: usize,
}

/// A place for `count` numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Capacity in elements.
    pub count: usize,
    /// Whose numbers these are.
    pub kind: SlotKind,
}

/// Whose numbers a slot holds.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotKind {
    /// Values of one run.
    Scratch,
    /// Handed in before each run.
    Input(String),
    /// A tensor of the store.
    State(String),
    /// The same number everywhere, for kernels that read memory.
    Constant(f64),
}

/// One kernel, then pointwise work on each tile it has finished; or pointwise work alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// A contraction, reduction or rearrangement, if there is one.
    pub kernel: Option<Kernel>,
    /// Pointwise work; after a kernel it covers exactly the kernel's result.
    pub pointwise: Option<Pointwise>,
    /// The recorded operations that this step computes.
    pub ops: Vec<Var>,
}

/// A straight-line program for one element, run for all elements: load registers, compute, store.
///
/// Registers are numbered in order: one per load, then one per instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointwise {
    /// Number of elements.
    pub count: usize,
    /// Register `i` is filled from `loads[i]`.
    pub loads: Vec<Load>,
    /// Instruction `j` fills register `loads.len() + j`.
    pub instructions: Vec<Instruction>,
    /// `(register, slot)`: element `i` of the register goes to element `i` of the slot. A slot may also be
    /// loaded (in place), then only with [`Index::IDENTITY`]. No store overwrites what the stores behind it read.
    pub stores: Vec<(usize, SlotId)>,
}

/// Where a register's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Load {
    /// The slot.
    pub slot: SlotId,
    /// Which element of it.
    pub index: Index,
}

/// Element `i` of a pointwise program reads element `(i / repeat) mod period` of the slot.
///
/// A bias over the columns of `[B, n]` has repeat 1 and period n; a number per row has repeat n and
/// period B; a channel of `[B, C, H, W]` has repeat HW and period C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Index {
    /// How many neighbouring elements share one number.
    pub repeat: usize,
    /// After how many numbers it starts again.
    pub period: usize,
}

/// What fills a register.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Instruction {
    /// A number.
    Constant(f64),
    /// A function of a register.
    Map(Map, usize),
    /// A function of two registers.
    Zip(Zip, usize, usize),
}

impl Index {
    /// Element `i` reads element `i`.
    pub const IDENTITY: Self = Self {
        repeat: 1,
        period: usize::MAX,
    };

    /// The index pattern of a broadcast from `from` to `to` (same rank), if it has this simple form: the
    /// axes that keep their size must be neighbours (axes of size 1 do not count).
    pub fn of_broadcast(from: &[usize], to: &[usize]) -> Option<Self> {
        let kept: Vec<usize> = (0..to.len()).filter(|&axis| from[axis] != 1).collect();
        let (Some(&first), Some(&last)) = (kept.first(), kept.last()) else {
            return Some(Self {
                repeat: 1,
                period: 1,
            });
        };
        let simple = (first..=last).all(|axis| from[axis] == to[axis]);
        simple.then(|| Self {
            repeat: to[last + 1..].iter().product(),
            period: to[first..=last].iter().product(),
        })
    }
}

impl Step {
    /// Elements of what the step computes.
    pub fn count(&self) -> usize {
        let kernel = self.kernel.as_ref().map(|kernel| kernel.facts().count());
        let program = self.pointwise.as_ref().map(|program| program.count);
        program.or(kernel).unwrap_or(0)
    }

    /// The slots that its pointwise work writes.
    pub fn stores(&self) -> impl Iterator<Item = SlotId> + '_ {
        let stores = self.pointwise.iter().flat_map(|program| &program.stores);
        stores.map(|&(_, slot)| slot)
    }
}

impl Plan {
    /// Plans `tape`: everything its outputs and assignments need, and nothing else.
    pub fn new(tape: &Tape) -> Self {
        let groups = fuse::groups(tape);
        lower::lower(tape, &groups)
    }

    /// Bytes of all scratch slots at 4 bytes a number.
    pub fn scratch_bytes(&self) -> usize {
        let scratch = self.slots.iter().filter(|s| s.kind == SlotKind::Scratch);
        scratch.map(|s| 4 * s.count).sum()
    }
}

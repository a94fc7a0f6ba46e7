//! From a tape to a short list of fused steps over a few reused buffers.
//!
//! 1. `fuse` drops what no output or assignment needs, merges pointwise operations into groups, and hangs
//!    a group onto the matrix product, sum or potential that feeds it (bias and activation, or all of Adam
//!    for one parameter, run on a tile of the result while it is in the cache).
//! 2. `memory` gives every value that must be stored a slot, reusing slots whose value nobody reads again.
//! 3. `lower` writes each group as one [`Step`].
//!
//! A plan knows nothing about devices.

mod fuse;
mod lower;
mod memory;

use super::convolution::Convolution;
use super::op::{Map, Zip};
use super::{Tape, Var};

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
    /// A contraction or rearrangement, if there is one.
    pub kernel: Option<Kernel>,
    /// Pointwise work; after a kernel it covers exactly the kernel's result.
    pub pointwise: Option<Pointwise>,
    /// The recorded operations that this step computes.
    pub ops: Vec<Var>,
}

/// Contractions and rearrangements. `out` is written completely.
#[derive(Debug, Clone, PartialEq)]
pub enum Kernel {
    /// `out[m, n] = a b`, see [`super::Op::Matmul`].
    Matmul {
        /// Left factor.
        a: SlotId,
        /// Right factor.
        b: SlotId,
        /// Result, `[m, n]`.
        out: SlotId,
        /// `a` is stored as `[k, m]`.
        ta: bool,
        /// `b` is stored as `[n, k]`.
        tb: bool,
        /// `[m, k, n]`.
        size: [usize; 3],
    },
    /// Two of the three tensors of a trilinear form, contracted to the third; see [`super::convolution`].
    Convolution {
        /// Which one is `out`.
        what: Contraction,
        /// The first operand: `x`, or `y` for a picture.
        a: SlotId,
        /// The second operand: `w`, or `y` for a filter.
        b: SlotId,
        /// Result.
        out: SlotId,
        /// All sizes.
        sizes: Convolution,
    },
    /// `out[o, i] = Σ_r x[o, r, i]`.
    Sum {
        /// Summed values.
        x: SlotId,
        /// Sums.
        out: SlotId,
        /// `[outer, reduced, inner]`.
        size: [usize; 3],
    },
    /// `out[i] = x[i]` with index 0 along axes where `from` is 1.
    Broadcast {
        /// Values to repeat.
        x: SlotId,
        /// The repeated values.
        out: SlotId,
        /// The shape of `x`.
        from: Vec<usize>,
        /// The shape of `out`, of the same rank.
        to: Vec<usize>,
    },
    /// `out[j, i] = x[i, j]`.
    Transpose {
        /// `[rows, cols]`.
        x: SlotId,
        /// `[cols, rows]`.
        out: SlotId,
        /// `[rows, cols]`.
        size: [usize; 2],
    },
    /// A sum over pairs of evaluation point and charge.
    Pairwise {
        /// Which sum.
        what: Pairwise,
        /// The kernel's exponent `d`.
        d: u32,
        /// `[epsilon, a, y, x]`.
        charges: [SlotId; 4],
        /// `[N]` for the potential, else `[N, m]`.
        out: SlotId,
        /// `[N, N_y, N_x, m]`.
        size: [usize; 4],
    },
}

/// What a convolution kernel computes from the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contraction {
    /// The answers `y`, from `x` and `w`.
    Answer,
    /// The pictures `x`, from `y` and `w`.
    Picture,
    /// The filters `w`, from `x` and `y`.
    Filter,
}

/// Which sum over pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pairwise {
    /// `Φ̂(a_i)`.
    Potential,
    /// `Ê(a_i)`.
    Field,
    /// `∇²Φ̂(a_i) v_i` for the vectors in the slot.
    Curvature(SlotId),
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

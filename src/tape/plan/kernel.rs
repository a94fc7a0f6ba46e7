//! The kernels of a plan: contractions, reductions and rearrangements, each a struct of its own. `facts` says what they
//! read, write and cost. How one is computed is said once per executor: `exec::cpu::family` and `exec::gpu::lower` have a
//! trait each, which every kernel implements beside its code.

use super::SlotId;
use crate::tape::convolution::Convolution;
use crate::tape::pooling::Pooling;

/// One of them. The result is written completely.
#[derive(Debug, Clone, PartialEq)]
pub enum Kernel {
    /// A product of matrices.
    Matmul(Matmul),
    /// Two of the three tensors of a convolution, contracted to the third.
    Contract(Contract),
    /// Sums, or maxima, along an axis.
    Reduce(Reduce),
    /// Numbers in another order, some of them repeated or left out.
    Gather(Gather),
    /// Two arrays side by side.
    Concat(Concat),
    /// The numbers at the largest ones of windows, or their way back.
    Pool(Pool),
    /// Sums over pairs of an evaluation point and a charge.
    Pairs(Pairs),
}

/// `out[m, n] = a b`, see [`crate::tape::Op::Matmul`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matmul {
    /// Left factor.
    pub a: SlotId,
    /// Right factor.
    pub b: SlotId,
    /// Result, `[m, n]`.
    pub out: SlotId,
    /// `a` is stored as `[k, m]`.
    pub ta: bool,
    /// `b` is stored as `[n, k]`.
    pub tb: bool,
    /// `[m, k, n]`.
    pub size: [usize; 3],
}

/// Two of the three tensors of a trilinear form, contracted to the third; see [`crate::tape::convolution`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contract {
    /// Which one is `out`.
    pub what: Contraction,
    /// The first operand: `x`, or `y` for a picture.
    pub a: SlotId,
    /// The second operand: `w`, or `y` for a filter.
    pub b: SlotId,
    /// Result.
    pub out: SlotId,
    /// All sizes.
    pub sizes: Convolution,
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

/// `out[o, i] = Σ_r x[o, r, i]`, or the maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reduce {
    /// What becomes of the numbers.
    pub how: Reduction,
    /// The numbers.
    pub x: SlotId,
    /// Result, `[outer, inner]`.
    pub out: SlotId,
    /// `[outer, reduced, inner]`.
    pub size: [usize; 3],
}

/// How numbers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// The largest of them, see [`crate::tape::Op::ReduceMax`].
    Max,
}

/// `out[i] = x[first + Σ_axes (i / divisor mod size) · stride]`: broadcasts that no [`super::Index`] describes, transposes,
/// slices.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// Where the numbers come from.
    pub x: SlotId,
    /// Result.
    pub out: SlotId,
    /// Elements of `out`.
    pub count: usize,
    /// The place in `x` that element 0 comes from.
    pub first: usize,
    /// From the fastest axis to the slowest; the divisors rise.
    pub axes: Vec<Axis>,
}

/// An axis along which the place in the operand moves while the place in the result rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Elements of the result from one place along the axis to the next.
    pub divisor: usize,
    /// Places along the axis.
    pub size: usize,
    /// Elements of the operand from one place to the next.
    pub stride: usize,
}

/// `out[o] = a[o] ‖ b[o]`: rows side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concat {
    /// What comes first in each row.
    pub a: SlotId,
    /// What comes behind it.
    pub b: SlotId,
    /// Result, `[rows, lengths[0] + lengths[1]]`.
    pub out: SlotId,
    /// How many rows there are.
    pub rows: usize,
    /// Numbers in a row of `a`, and of `b`.
    pub lengths: [usize; 2],
}

/// See [`crate::tape::pooling`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// Which way.
    pub what: Way,
    /// Which numbers are the largest, `[planes, H, W]`.
    pub by: SlotId,
    /// What is picked from, or spread.
    pub x: SlotId,
    /// Result.
    pub out: SlotId,
    /// All sizes.
    pub sizes: Pooling,
}

/// Which way numbers go through pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From planes to their windows' largest places.
    Pick,
    /// From windows back to these places.
    Spread,
}

/// A sum over pairs of evaluation point and charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pairs {
    /// Which sum.
    pub what: Pairwise,
    /// The kernel's exponent `d`.
    pub d: u32,
    /// `[epsilon, a, y, x]`.
    pub charges: [SlotId; 4],
    /// `[N]` for the potential, else `[N, m]`.
    pub out: SlotId,
    /// `[N, N_y, N_x, m]`.
    pub size: [usize; 4],
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

impl Pairs {
    /// Numbers of the result for each point.
    pub fn width(&self) -> usize {
        match self.what {
            Pairwise::Potential => 1,
            _ => self.size[3],
        }
    }
}

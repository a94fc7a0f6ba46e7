//! Which kernel a recorded operation becomes.

use super::fuse::root;
use super::kernel::{
    Axis, Concat, Contract, Contraction, Gather, Kernel, Matmul, Pairs, Pairwise, Pool, Reduce,
    Reduction, Way,
};
use super::memory::Memory;
use crate::numbers::Shape;
use crate::tape::op::Interaction;
use crate::tape::{Op, Tape, Var};

/// The kernel that computes `v`, which is neither pointwise nor a source.
pub(super) fn kernel(tape: &Tape, v: Var, memory: &Memory) -> Kernel {
    let slot = |x: Var| memory.slot(root(tape, x));
    let (shape, out) = (tape.shape(v), memory.slot(v));
    let contract = |what, a, b| {
        Kernel::Contract(Contract {
            what,
            a: slot(a),
            b: slot(b),
            out,
            sizes: (tape.convolution(v)).expect("sizes that were checked while recording"),
        })
    };
    let reduce = |how, x: Var, axes: &std::ops::Range<usize>| {
        let product = |axes: &[usize]| axes.iter().product();
        let from = tape.shape(x);
        Kernel::Reduce(Reduce {
            how,
            x: slot(x),
            out,
            size: [
                product(&from[..axes.start]),
                product(&from[axes.clone()]),
                product(&from[axes.end..]),
            ],
        })
    };
    let gather = |x, first, axes| {
        Kernel::Gather(Gather {
            x: slot(x),
            out,
            count: shape.count(),
            first,
            axes,
        })
    };
    let pool = |what, by, x| {
        Kernel::Pool(Pool {
            what,
            by: slot(by),
            x: slot(x),
            out,
            sizes: (tape.pooling(v)).expect("sizes that were checked while recording"),
        })
    };
    let pairs = |what, charges: &Interaction| {
        let [n, m] = [0, 1].map(|axis| tape.shape(charges.a)[axis]);
        let [y, x] = [charges.y, charges.x].map(|v| tape.shape(v)[0]);
        Kernel::Pairs(Pairs {
            what,
            d: charges.d,
            charges: charges.operands().map(slot),
            out,
            size: [n, y, x, m],
        })
    };
    match &tape.node(v).op {
        &Op::Matmul { a, b, ta, tb } => Kernel::Matmul(Matmul {
            a: slot(a),
            b: slot(b),
            out,
            ta,
            tb,
            size: [shape[0], tape.shape(a)[usize::from(!ta)], shape[1]],
        }),
        &Op::Conv2d { x, w, .. } => contract(Contraction::Answer, x, w),
        &Op::Conv2dInputGrad { y, w, .. } => contract(Contraction::Picture, y, w),
        &Op::Conv2dWeightGrad { x, y, .. } => contract(Contraction::Filter, x, y),
        Op::Sum { x, axes } => reduce(Reduction::Sum, *x, axes),
        Op::ReduceMax { x, axes } => reduce(Reduction::Max, *x, axes),
        &Op::Broadcast(x) => gather(x, 0, moving_axes(tape.shape(x), shape)),
        &Op::Transpose(x) => gather(x, 0, transposed(tape.shape(x))),
        Op::Slice { x, axis, places } => {
            let from = tape.shape(*x);
            let behind: usize = from[axis + 1..].iter().product();
            let [part, row] = [places.len() * behind, from[*axis] * behind];
            gather(*x, places.start * behind, rows(shape.count(), part, row))
        }
        &Op::Concat { a, b, axis } => {
            let row = |v: Var| tape.shape(v)[axis..].iter().product();
            Kernel::Concat(Concat {
                a: slot(a),
                b: slot(b),
                out,
                rows: shape[..axis].iter().product(),
                lengths: [row(a), row(b)],
            })
        }
        &Op::PoolPick { by, x, .. } => pool(Way::Pick, by, x),
        &Op::PoolSpread { by, y, .. } => pool(Way::Spread, by, y),
        Op::Potential(charges) => pairs(Pairwise::Potential, charges),
        Op::Field(charges) => pairs(Pairwise::Field, charges),
        Op::Curvature { charges, v } => pairs(Pairwise::Curvature(slot(*v)), charges),
        op => unreachable!("{} is not a kernel", op.name()),
    }
}

fn axis(divisor: usize, size: usize, stride: usize) -> Axis {
    Axis {
        divisor,
        size,
        stride,
    }
}

/// The axes along which a broadcast moves through its operand; neighbours that move together are one.
fn moving_axes(from: &[usize], to: &[usize]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = vec![];
    let (mut divisor, mut stride) = (1, 1);
    for (&from, &to) in from.iter().zip(to).rev() {
        if from != 1 {
            match axes.last_mut() {
                Some(last) if last.divisor * last.size == divisor => last.size *= from,
                _ => axes.push(axis(divisor, from, stride)),
            }
        }
        stride *= from;
        divisor *= to;
    }
    axes
}

/// The axes of the transpose of a matrix of this shape.
fn transposed(from: &Shape) -> Vec<Axis> {
    vec![axis(1, from[0], from[1]), axis(from[0], from[1], 1)]
}

/// The axes of `count` elements that are the first `part` of every `row`.
fn rows(count: usize, part: usize, row: usize) -> Vec<Axis> {
    vec![axis(1, part, 1), axis(part, count / part.max(1), row)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_move_together_are_one() {
        let axes = |from: &[usize], to: &[usize]| -> Vec<[usize; 3]> {
            let axes = moving_axes(from, to);
            axes.iter().map(|a| [a.divisor, a.size, a.stride]).collect()
        };
        assert_eq!(axes(&[2, 3, 1], &[2, 3, 5]), [[5, 6, 1]]);
        let apart = [[5, 3, 1], [60, 2, 3]];
        assert_eq!(axes(&[2, 1, 3, 1], &[2, 4, 3, 5]), apart);
        assert_eq!(axes(&[1, 1], &[7, 8]), [[0; 3]; 0]);
    }
}

//! What may be asked of every kernel, whoever runs it.

use super::SlotId;
use super::kernel::{
    Concat, Contract, Contraction, Gather, Kernel, Matmul, Pairs, Pairwise, Pool, Reduce,
    Reduction, Way,
};
use crate::tape::pooling::Pooling;

/// What a plan, its listing and every executor may ask of a kernel.
pub trait Facts {
    /// The slots that it reads.
    fn operands(&self) -> Vec<SlotId>;
    /// The slot that it writes.
    fn out(&self) -> SlotId;
    /// Elements of its result.
    fn count(&self) -> usize;
    /// Numbers that it reads and writes, each operand once.
    fn traffic(&self) -> usize;
    /// Its name and sizes.
    fn describe(&self) -> String;
}

impl Kernel {
    /// The kernel as what every kernel is.
    pub fn facts(&self) -> &dyn Facts {
        match self {
            Self::Matmul(kernel) => kernel,
            Self::Contract(kernel) => kernel,
            Self::Reduce(kernel) => kernel,
            Self::Gather(kernel) => kernel,
            Self::Concat(kernel) => kernel,
            Self::Pool(kernel) => kernel,
            Self::Pairs(kernel) => kernel,
        }
    }
}

impl Facts for Matmul {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.a, self.b]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        self.size[0] * self.size[2]
    }

    fn traffic(&self) -> usize {
        let [m, k, n] = self.size;
        m * k + k * n + m * n
    }

    fn describe(&self) -> String {
        let [m, k, n] = self.size;
        format!("matmul {m}x{k}x{n}")
    }
}

impl Facts for Contract {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.a, self.b]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        let shape = match self.what {
            Contraction::Answer => self.sizes.y(),
            Contraction::Picture => self.sizes.x(),
            Contraction::Filter => self.sizes.w(),
        };
        shape.iter().product()
    }

    fn traffic(&self) -> usize {
        let shapes = [self.sizes.x(), self.sizes.w(), self.sizes.y()];
        let counts = shapes.iter().map(|shape| shape.iter().product::<usize>());
        counts.sum()
    }

    fn describe(&self) -> String {
        let name = match self.what {
            Contraction::Answer => "conv2d",
            Contraction::Picture => "conv2d_input_grad",
            Contraction::Filter => "conv2d_weight_grad",
        };
        format!("{name} x{:?} w{:?}", self.sizes.x(), self.sizes.w())
    }
}

impl Facts for Reduce {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.x]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        self.size[0] * self.size[2]
    }

    fn traffic(&self) -> usize {
        let [outer, reduced, inner] = self.size;
        outer * inner * (reduced + 1)
    }

    fn describe(&self) -> String {
        let name = match self.how {
            Reduction::Sum => "sum",
            Reduction::Max => "reduce_max",
        };
        format!("{name} {:?}", self.size)
    }
}

impl Facts for Gather {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.x]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        self.count
    }

    fn traffic(&self) -> usize {
        let read = self.axes.iter().map(|axis| axis.size);
        read.product::<usize>() + self.count
    }

    fn describe(&self) -> String {
        let sizes: Vec<usize> = self.axes.iter().rev().map(|axis| axis.size).collect();
        format!("gather {sizes:?} to {}", self.count)
    }
}

impl Facts for Concat {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.a, self.b]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        self.rows * (self.lengths[0] + self.lengths[1])
    }

    fn traffic(&self) -> usize {
        2 * self.count()
    }

    fn describe(&self) -> String {
        let [a, b] = self.lengths;
        format!("concat {} x ({a} + {b})", self.rows)
    }
}

impl Facts for Pool {
    fn operands(&self) -> Vec<SlotId> {
        vec![self.by, self.x]
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        match self.what {
            Way::Pick => self.sizes.planes * self.sizes.positions(),
            Way::Spread => self.sizes.planes * self.sizes.pixels(),
        }
    }

    fn traffic(&self) -> usize {
        self.sizes.planes * (2 * self.sizes.pixels() + self.sizes.positions())
    }

    fn describe(&self) -> String {
        let name = match self.what {
            Way::Pick => "pool_pick",
            Way::Spread => "pool_spread",
        };
        let Pooling { planes, kernel, .. } = self.sizes;
        format!("{name} {planes} planes, windows {kernel:?}")
    }
}

impl Facts for Pairs {
    fn operands(&self) -> Vec<SlotId> {
        match self.what {
            Pairwise::Curvature(v) => [&self.charges[..], &[v]].concat(),
            _ => self.charges.to_vec(),
        }
    }

    fn out(&self) -> SlotId {
        self.out
    }

    fn count(&self) -> usize {
        self.size[0] * self.width()
    }

    fn traffic(&self) -> usize {
        let [points, real, generated, m] = self.size;
        (2 * points + real + generated) * m
    }

    fn describe(&self) -> String {
        let name = match self.what {
            Pairwise::Potential => "potential",
            Pairwise::Field => "field",
            Pairwise::Curvature(_) => "curvature",
        };
        let [points, real, generated, m] = self.size;
        format!("{name} {points} x {} in {m}-D", real + generated)
    }
}

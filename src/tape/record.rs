//! The functions that record sources, sinks, rearrangements and contractions; `functions.rs` has the arithmetic.
//!
//! A recording that makes no sense (shapes that do not fit) is a mistake in the calling program, so it
//! panics at the line that called the recording function, as indexing out of bounds does; the message names the operation, the
//! layer and the shapes. Nothing can go wrong with shapes once a tape is recorded.

use std::ops::Range;

use super::op::{Interaction, Map, Op};
use super::{Tape, Var};
use crate::numbers::Shape;

/// Sources, sinks and rearrangements.
impl Tape {
    /// Numbers handed in at every run under `name`.
    #[track_caller]
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Var {
        let op = Op::Input { name: name.into() };
        self.source(op, shape.into())
    }

    /// Numbers that live in the store under `name`. Asking twice gives the same value.
    #[track_caller]
    pub fn state(&mut self, name: &str, shape: impl Into<Shape>) -> Var {
        let op = Op::State { name: name.into() };
        self.source(op, shape.into())
    }

    /// A named source, recorded once.
    #[track_caller]
    fn source(&mut self, op: Op, shape: Shape) -> Var {
        let name = |op: &Op| match op {
            Op::Input { name } | Op::State { name } => Some(name.clone()),
            _ => None,
        };
        match self
            .nodes
            .iter()
            .position(|node| name(&node.op) == name(&op))
        {
            Some(i) if self.nodes[i].op == op && self.nodes[i].shape == shape => Var(i),
            Some(i) => {
                let why = format!("{op:?} of {shape} clashes with an earlier one of that name");
                self.refuse(op.name(), &why, &[Var(i)])
            }
            None => self.push(op, shape),
        }
    }

    /// The same number everywhere.
    pub fn constant(&mut self, value: f64, shape: impl Into<Shape>) -> Var {
        self.push(Op::Constant(value), shape.into())
    }

    /// Hands `v` back after each run, under `name`.
    #[track_caller]
    pub fn output(&mut self, name: &str, v: Var) {
        if self.outputs.iter().any(|(other, _)| other == name) {
            self.refuse(
                "output",
                &format!("there is already an output {name}"),
                &[v],
            );
        }
        let v = self.computed(v);
        self.outputs.push((name.into(), v));
    }

    /// `v`, copied if it is a source: assignments may change the original before the copy is read.
    fn computed(&mut self, v: Var) -> Var {
        match self.node(v).op {
            Op::StopGradient(x) => self.computed(x),
            Op::Reshape(x) => {
                let shape = self.shape(v).clone();
                let x = self.computed(x);
                self.push(Op::Reshape(x), shape)
            }
            Op::Input { .. } | Op::State { .. } | Op::Constant(_) => {
                let shape = self.shape(v).clone();
                let copy = Map::Affine {
                    scale: 1.0,
                    shift: 0.0,
                };
                self.push(Op::Map(copy, v), shape)
            }
            _ => v,
        }
    }

    /// `state` becomes `value` when the run ends; the run itself sees the old value everywhere. Once per state.
    #[track_caller]
    pub fn assign(&mut self, state: Var, value: Var) {
        if !matches!(self.node(state).op, Op::State { .. }) {
            self.refuse("assign", "the target is not a state", &[state, value]);
        }
        if self.shape(state) != self.shape(value) {
            self.refuse("assign", "shapes differ", &[state, value]);
        }
        let mut nodes = self.nodes.iter();
        if nodes.any(|n| matches!(n.op, Op::Assign { state: s, .. } if s == state)) {
            self.refuse(
                "assign",
                "the state already has a next value",
                &[state, value],
            );
        }
        let shape = self.shape(state).clone();
        let value = self.computed(value);
        self.push(Op::Assign { state, value }, shape);
    }

    /// `x` as a constant for every gradient.
    pub fn stop_gradient(&mut self, x: Var) -> Var {
        let shape = self.shape(x).clone();
        self.push(Op::StopGradient(x), shape)
    }

    /// `x` with other axes over the same elements.
    #[track_caller]
    pub fn reshape(&mut self, x: Var, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        if shape.count() != self.shape(x).count() {
            self.refuse("reshape", &format!("cannot become {shape}"), &[x]);
        }
        if shape == *self.shape(x) {
            return x;
        }
        if let Op::Constant(value) = self.node(x).op {
            return self.constant(value, shape);
        }
        self.push(Op::Reshape(x), shape)
    }

    /// `x` repeated along every axis where it has size 1, or lacks the axis on the left, as NumPy does.
    #[track_caller]
    pub fn broadcast(&mut self, x: Var, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        let from = self.shape(x).clone();
        let fits = from.len() <= shape.len()
            && std::iter::zip(from.iter().rev(), shape.iter().rev())
                .all(|(&f, &t)| f == t || f == 1);
        if !fits {
            self.refuse("broadcast", &format!("cannot become {shape}"), &[x]);
        }
        if let Op::Constant(value) = self.node(x).op {
            return self.constant(value, shape);
        }
        let mut padded = vec![1; shape.len() - from.len()];
        padded.extend_from_slice(&from);
        let x = self.reshape(x, padded);
        if shape == *self.shape(x) {
            return x;
        }
        self.push(Op::Broadcast(x), shape)
    }

    /// The sum over neighbouring `axes`, which stay with size 1.
    #[track_caller]
    pub fn sum(&mut self, x: Var, axes: Range<usize>) -> Var {
        match self.reduced("sum", x, &axes) {
            Some(shape) => self.push(Op::Sum { x, axes }, shape),
            None => x,
        }
    }

    /// The largest number over neighbouring `axes`, which stay with size 1. Whatever is not a number is passed over. Equal
    /// numbers share the gradient, as in PyTorch's `amax`.
    #[track_caller]
    pub fn reduce_max(&mut self, x: Var, axes: Range<usize>) -> Var {
        let Some(shape) = self.reduced("reduce_max", x, &axes) else {
            return x;
        };
        if self.shape(x)[axes.clone()].contains(&0) {
            self.refuse("reduce_max", "of no numbers none is the largest", &[x]);
        }
        self.push(Op::ReduceMax { x, axes }, shape)
    }

    /// The shape of `x` with size 1 along `axes`; none if it has that already.
    #[track_caller]
    fn reduced(&self, op: &str, x: Var, axes: &Range<usize>) -> Option<Shape> {
        let mut shape = self.shape(x).to_vec();
        if axes.start > axes.end || axes.end > shape.len() {
            self.refuse(op, &format!("there are no axes {axes:?}"), &[x]);
        }
        if shape[axes.clone()].iter().all(|&n| n == 1) {
            return None;
        }
        shape[axes.clone()].fill(1);
        Some(shape.into())
    }

    /// The elements of `x` at `places` along `axis`.
    #[track_caller]
    pub fn slice(&mut self, x: Var, axis: usize, places: Range<usize>) -> Var {
        let mut shape = self.shape(x).to_vec();
        let fits = axis < shape.len() && places.start <= places.end && places.end <= shape[axis];
        if !fits {
            let why = format!("there are no places {places:?} along axis {axis}");
            self.refuse("slice", &why, &[x]);
        }
        if places.len() == shape[axis] {
            return x;
        }
        shape[axis] = places.len();
        if let Op::Constant(value) = self.node(x).op {
            return self.constant(value, shape);
        }
        self.push(Op::Slice { x, axis, places }, shape.into())
    }

    /// Values of equal sizes along all axes but `axis`, one behind the other along that one.
    ///
    /// # Panics
    /// If there are none, or their shapes do not fit.
    #[track_caller]
    pub fn concat(&mut self, parts: &[Var], axis: usize) -> Var {
        let Some((&first, rest)) = parts.split_first() else {
            self.refuse("concat", "there is nothing to join", parts)
        };
        let mut joined = first;
        for &part in rest {
            let (mut shape, other) = (self.shape(joined).to_vec(), self.shape(part).to_vec());
            let rank = shape.len();
            let fits = axis < rank
                && rank == other.len()
                && (0..rank).all(|i| i == axis || shape[i] == other[i]);
            if !fits {
                let why = format!("shapes differ beside axis {axis}");
                self.refuse("concat", &why, parts);
            }
            shape[axis] += other[axis];
            let op = Op::Concat {
                a: joined,
                b: part,
                axis,
            };
            joined = self.push(op, shape.into());
        }
        joined
    }

    /// `y[j, i] = x[i, j]`.
    #[track_caller]
    pub fn transpose(&mut self, x: Var) -> Var {
        let &[rows, cols] = &self.shape(x)[..] else {
            self.refuse("transpose", "a matrix is needed", &[x])
        };
        self.push(Op::Transpose(x), [cols, rows].into())
    }

    /// The matrix product `a b`, with `ta` / `tb` of `aᵀ` / `bᵀ`.
    #[track_caller]
    pub fn matmul(&mut self, a: Var, ta: bool, b: Var, tb: bool) -> Var {
        let (&[a0, a1], &[b0, b1]) = (&self.shape(a)[..], &self.shape(b)[..]) else {
            self.refuse("matmul", "two matrices are needed", &[a, b])
        };
        let (m, k) = if ta { (a1, a0) } else { (a0, a1) };
        let (k2, n) = if tb { (b1, b0) } else { (b0, b1) };
        if k != k2 {
            self.refuse(
                "matmul",
                &format!("inner sizes {k} and {k2} differ"),
                &[a, b],
            );
        }
        self.push(Op::Matmul { a, b, ta, tb }, [m, n].into())
    }

    /// `Φ̂(a_i)`, Eq. (8), shape `[N]`.
    #[track_caller]
    pub fn potential(&mut self, charges: Interaction) -> Var {
        let n = self.check_charges("potential", &charges)[0];
        self.push(Op::Potential(charges), [n].into())
    }

    /// `Ê(a_i) = −∇Φ̂(a_i)`, Eq. (34), shape `[N, m]`.
    #[track_caller]
    pub fn field(&mut self, charges: Interaction) -> Var {
        let shape = self.check_charges("field", &charges);
        self.push(Op::Field(charges), shape)
    }

    /// `∇²Φ̂(a_i) v_i`, shape `[N, m]`.
    #[track_caller]
    pub fn curvature(&mut self, charges: Interaction, v: Var) -> Var {
        let shape = self.check_charges("curvature", &charges);
        if *self.shape(v) != shape {
            self.refuse("curvature", "v must have the shape of a", &[charges.a, v]);
        }
        self.push(Op::Curvature { charges, v }, shape)
    }

    /// The shape `[N, m]` of the evaluation points.
    #[track_caller]
    fn check_charges(&self, op: &str, charges: &Interaction) -> Shape {
        let operands = charges.operands();
        let [epsilon, a, y, x] = operands.map(|v| self.shape(v).to_vec());
        let dimensions = [&a, &y, &x].map(|s| if s.len() == 2 { s[1] } else { 0 });
        if dimensions[0] == 0 || dimensions.iter().any(|&m| m != dimensions[0]) {
            self.refuse(
                op,
                "points and charges must be rows of one dimension",
                &operands,
            );
        }
        if epsilon.iter().product::<usize>() != 1 || charges.d == 0 {
            self.refuse(op, "epsilon must be one number and d at least 1", &operands);
        }
        if y[0] == 0 || x[0] == 0 {
            self.refuse(op, "a mean over no charges has no value", &operands);
        }
        a.into()
    }
}

//! The whole calculus on one page: one rule per primitive, reverse mode.
//!
//! For a scalar loss `L` the adjoint of a value `v` is `v̄ = ∂L/∂v`. Walking the tape backwards, each
//! operation `y = f(x, …)` hands `x̄ += (∂y/∂x)ᵀ ȳ` to its operands, and *records* that as ordinary
//! operations. A gradient is therefore a value like any other: it can be printed, fused, and
//! differentiated again.

use std::collections::HashMap;
use std::ops::Range;

use super::op::{Interaction, Map, Op, Zip};
use super::{Tape, Var};

impl Tape {
    /// `∂loss/∂w` for each `w` in `wrt`, appended to this tape; zeros where `loss` does not depend on `w`.
    ///
    /// # Panics
    /// If `loss` is not a single number, or if the path needs a third derivative of the Coulomb potential.
    #[track_caller]
    pub fn grad(&mut self, loss: Var, wrt: &[Var]) -> Vec<Var> {
        if self.shape(loss).count() != 1 {
            self.refuse("grad", "the loss must be a single number", &[loss]);
        }
        self.grad_of_sum(loss, wrt)
    }

    /// `∂(Σ_i y_i)/∂w` for each `w` in `wrt`: [`Tape::grad`] without recording the sum.
    ///
    /// # Panics
    /// If the path needs a third derivative of the Coulomb potential.
    #[track_caller]
    pub fn grad_of_sum(&mut self, y: Var, wrt: &[Var]) -> Vec<Var> {
        let active = self.depends_on(y, wrt);
        self.sweep(y, wrt, &active, |t, v, dy| t.pull_back(v, dy, &active))
    }

    /// Walks backwards from `y`, whose elements all have the adjoint 1; `pull_back` says what a value hands to its
    /// operands. Returns the adjoints of `wrt`.
    #[track_caller]
    pub(super) fn sweep(
        &mut self,
        y: Var,
        wrt: &[Var],
        active: &[bool],
        pull_back: impl Fn(&mut Self, Var, Var) -> Vec<(Var, Var)>,
    ) -> Vec<Var> {
        let mut adjoints = HashMap::new();
        let shape = self.shape(y).clone();
        adjoints.insert(y, self.constant(1.0, shape));
        for v in (0..=y.0).rev().map(Var).filter(|v| active[v.0]) {
            if let Some(&dy) = adjoints.get(&v) {
                let outer = std::mem::take(&mut self.layer);
                let layer = &self.nodes[v.0].layer;
                self.layer = format!("d {layer}").trim_end().to_owned();
                for (x, dx) in pull_back(self, v, dy) {
                    let sum = match adjoints.get(&x) {
                        Some(&other) => self.add(other, dx),
                        None => dx,
                    };
                    adjoints.insert(x, sum);
                }
                self.layer = outer;
            }
        }
        let zero = |t: &mut Self, w| {
            let shape = t.shape(w).clone();
            t.constant(0.0, shape)
        };
        wrt.iter()
            .map(|w| adjoints.get(w).copied().unwrap_or_else(|| zero(self, *w)))
            .collect()
    }

    /// Which values up to `y` depend on `wrt` in a way that a gradient sees.
    pub(super) fn depends_on(&self, y: Var, wrt: &[Var]) -> Vec<bool> {
        let mut active = vec![false; y.0 + 1];
        for v in 0..=y.0 {
            let seen = match &self.nodes[v].op {
                Op::StopGradient(_) | Op::Map(Map::Step, _) | Op::Assign { .. } => vec![],
                // Which number is the largest is piecewise constant.
                Op::PoolPick { x, .. } => vec![*x],
                Op::PoolSpread { y, .. } => vec![*y],
                // Charges and epsilon are constants: Algorithm 1 derives "only with respect to a".
                Op::Potential(Interaction { a, .. }) | Op::Field(Interaction { a, .. }) => vec![*a],
                Op::Curvature { charges, v } => vec![charges.a, *v],
                op => op.operands(),
            };
            active[v] = wrt.contains(&Var(v)) || seen.iter().any(|x| active[x.0]);
        }
        active
    }

    /// The rules: what the adjoint `dy` of `y` hands to each active operand of `y`.
    #[track_caller]
    pub(super) fn pull_back(&mut self, y: Var, dy: Var, active: &[bool]) -> Vec<(Var, Var)> {
        let t = self;
        let on = |x: Var| active[x.0];
        match t.node(y).op.clone() {
            Op::Input { .. } | Op::State { .. } | Op::Constant(_) => vec![],
            Op::StopGradient(_) | Op::Assign { .. } => vec![],
            Op::Reshape(x) => vec![(x, t.reshape_like(dy, x))],
            // A repeated value collects the adjoints of all its copies; a summed one hands its own to all.
            Op::Broadcast(x) => vec![(x, t.sum_like(dy, x))],
            Op::Sum { x, .. } => vec![(x, t.broadcast_like(dy, x))],
            // The largest number gets it all; equal ones share it. None is larger than the largest.
            Op::ReduceMax { x, .. } => {
                let largest = t.broadcast_like(y, x);
                let short = t.sub(largest, x);
                let smaller = t.step(short);
                let chosen = t.affine(smaller, -1.0, 1.0);
                let count = t.sum_like(chosen, y);
                let share = t.div(dy, count);
                let share = t.broadcast_like(share, x);
                vec![(x, t.mul(chosen, share))]
            }
            Op::Transpose(x) => vec![(x, t.transpose(dy))],
            // What was left out gets nothing.
            Op::Slice { x, axis, places } => {
                let all = t.shape(x)[axis];
                let zeros = |t: &mut Self, places: Range<usize>| {
                    let mut shape = t.shape(x).to_vec();
                    shape[axis] = places.len();
                    (!places.is_empty()).then(|| t.constant(0.0, shape))
                };
                let before = zeros(t, 0..places.start);
                let behind = zeros(t, places.end..all);
                let parts: Vec<Var> = [before, Some(dy), behind].into_iter().flatten().collect();
                vec![(x, t.concat(&parts, axis))]
            }
            Op::Concat { a, b, axis } => {
                let [first, all] = [a, y].map(|v| t.shape(v)[axis]);
                let mut out = vec![];
                for (part, places) in [(a, 0..first), (b, first..all)] {
                    if on(part) {
                        out.push((part, t.slice(dy, axis, places)));
                    }
                }
                out
            }
            Op::PoolPick {
                by,
                x,
                kernel,
                window,
            } if on(x) => vec![(x, t.pool_spread(by, dy, kernel, window))],
            Op::PoolSpread {
                by,
                y: g,
                kernel,
                window,
            } if on(g) => vec![(g, t.pool_pick(by, dy, kernel, window))],
            Op::PoolPick { .. } | Op::PoolSpread { .. } => vec![],
            Op::Map(map, x) => vec![(x, t.pull_back_map(map, x, y, dy))],
            Op::Zip(zip, a, b) => t.pull_back_zip(zip, a, b, y, dy, active),
            // C = A B gives Ā = C̄ Bᵀ and B̄ = Aᵀ C̄; a transposed factor gets the transposed product.
            Op::Matmul { a, b, ta, tb } => {
                let mut out = vec![];
                if on(a) {
                    let da = if ta {
                        t.matmul(b, tb, dy, true)
                    } else {
                        t.matmul(dy, false, b, !tb)
                    };
                    out.push((a, da));
                }
                if on(b) {
                    let db = if tb {
                        t.matmul(dy, true, a, ta)
                    } else {
                        t.matmul(a, !ta, dy, false)
                    };
                    out.push((b, db));
                }
                out
            }
            // T(x, w, y) is linear in each of the three: what one primitive leaves out is the adjoint here.
            Op::Conv2d { x, w, window } => {
                let [picture, kernel] = [x, w].map(|v| [t.shape(v)[2], t.shape(v)[3]]);
                let mut out = vec![];
                if on(x) {
                    out.push((x, t.conv2d_input_grad(dy, w, window, picture)));
                }
                if on(w) {
                    out.push((w, t.conv2d_weight_grad(x, dy, window, kernel)));
                }
                out
            }
            Op::Conv2dInputGrad { y: g, w, window } => {
                let kernel = [t.shape(w)[2], t.shape(w)[3]];
                let mut out = vec![];
                if on(g) {
                    out.push((g, t.conv2d(dy, w, window)));
                }
                if on(w) {
                    out.push((w, t.conv2d_weight_grad(dy, g, window, kernel)));
                }
                out
            }
            Op::Conv2dWeightGrad { x, y: g, window } => {
                let picture = [t.shape(x)[2], t.shape(x)[3]];
                let mut out = vec![];
                if on(x) {
                    out.push((x, t.conv2d_input_grad(g, dy, window, picture)));
                }
                if on(g) {
                    out.push((g, t.conv2d(x, dy, window)));
                }
                out
            }
            // ∇Φ̂ = −Ê, Eq. (34).
            Op::Potential(charges) => {
                let field = t.field(charges);
                let rows = t.shape(dy).count();
                let dy = t.reshape(dy, [rows, 1]);
                let dy = t.broadcast_like(dy, charges.a);
                let product = t.mul(dy, field);
                vec![(charges.a, t.scale(product, -1.0))]
            }
            // ∇(v · Ê) = −(∇²Φ̂) v, and the Hessian is symmetric.
            Op::Field(charges) => {
                let curvature = t.curvature(charges, dy);
                vec![(charges.a, t.scale(curvature, -1.0))]
            }
            Op::Curvature { charges, v } => {
                if on(charges.a) {
                    t.refuse(
                        "grad",
                        "a third derivative of the potential is not provided",
                        &[y],
                    );
                }
                vec![(v, t.curvature(charges, dy))]
            }
        }
    }

    fn pull_back_map(&mut self, map: Map, x: Var, y: Var, dy: Var) -> Var {
        let t = self;
        match map {
            // y = s x + c        y' = s
            Map::Affine { scale, .. } => t.scale(dy, scale),
            // y = eˣ             y' = y
            Map::Exp => t.mul(dy, y),
            // y = ln x           y' = 1 / x
            Map::Ln => t.div(dy, x),
            // y = √x             y' = 1 / (2 y)
            Map::Sqrt => {
                let half = t.scale(dy, 0.5);
                t.div(half, y)
            }
            // y = x^p            y' = p x^(p−1)
            Map::Pow(p) => {
                let power = t.pow(x, p - 1.0);
                let slope = t.scale(power, p);
                t.mul(dy, slope)
            }
            // y = tanh x         y' = 1 − y²
            Map::Tanh => {
                let square = t.square(y);
                let slope = t.affine(square, -1.0, 1.0);
                t.mul(dy, slope)
            }
            // y = x or eˣ − 1    y' = 1 or eˣ, which is min(y, 0) + 1: no second exponential
            Map::Elu => {
                let shape = t.shape(y).clone();
                let zero = t.constant(0.0, shape);
                let negative = t.min(y, zero);
                let slope = t.affine(negative, 1.0, 1.0);
                t.mul(dy, slope)
            }
            // y = 1 or 0         y' = 0; asked for only with respect to the step's own result
            Map::Step => t.scale(dy, 0.0),
        }
    }

    fn pull_back_zip(
        &mut self,
        zip: Zip,
        a: Var,
        b: Var,
        y: Var,
        dy: Var,
        active: &[bool],
    ) -> Vec<(Var, Var)> {
        let t = self;
        let mut out = vec![];
        if active[a.0] {
            let da = match zip {
                Zip::Add | Zip::Sub => dy,
                Zip::Mul => t.mul(dy, b),
                Zip::Div => t.div(dy, b),
                Zip::Max | Zip::Min => {
                    let chosen = t.first_chosen(zip, a, b);
                    t.mul(dy, chosen)
                }
            };
            out.push((a, da));
        }
        if active[b.0] {
            let db = match zip {
                Zip::Add => dy,
                Zip::Sub => t.scale(dy, -1.0),
                Zip::Mul => t.mul(dy, a),
                // y = a / b          ∂y/∂b = −y / b
                Zip::Div => {
                    let ratio = t.div(y, b);
                    let product = t.mul(dy, ratio);
                    t.scale(product, -1.0)
                }
                Zip::Max | Zip::Min => {
                    let chosen = t.first_chosen(zip, a, b);
                    let other = t.affine(chosen, -1.0, 1.0);
                    t.mul(dy, other)
                }
            };
            out.push((b, db));
        }
        out
    }

    /// 1 where `a` is the strictly larger (max) or strictly smaller (min) operand, else 0.
    fn first_chosen(&mut self, zip: Zip, a: Var, b: Var) -> Var {
        let difference = match zip {
            Zip::Max => self.sub(a, b),
            _ => self.sub(b, a),
        };
        self.step(difference)
    }

    fn reshape_like(&mut self, x: Var, like: Var) -> Var {
        let shape = self.shape(like).clone();
        self.reshape(x, shape)
    }

    fn broadcast_like(&mut self, x: Var, like: Var) -> Var {
        let shape = self.shape(like).clone();
        self.broadcast(x, shape)
    }

    /// Sums `x` over every axis along which `like` has size 1; one recorded sum per run of such axes.
    fn sum_like(&mut self, mut x: Var, like: Var) -> Var {
        let small = self.shape(like).clone();
        let mut axis = 0;
        while axis < small.len() {
            let run = small[axis..].iter().take_while(|&&n| n == 1).count();
            if run > 0 {
                x = self.sum(x, axis..axis + run);
            }
            axis += run.max(1);
        }
        x
    }
}

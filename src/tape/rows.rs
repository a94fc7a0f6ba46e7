//! Two gradients from one backward sweep, where rows do not meet.
//!
//! A network that maps a batch row by row has adjoints that are row by row linear in the adjoint of its result: if row
//! `i` of the result weighs `r_i` rather than 1, row `i` of every adjoint on the way is `r_i` times what it was.
//! Algorithm 1 asks the discriminator two such questions about the same points: how the loss changes with its weights,
//! each point weighing as much as it is wrong there, and how its value changes with the points, which all weigh the
//! same. One sweep answers both; the weights only enter where rows are summed up, in the gradients of parameters.

use super::{Op, Tape, Var};

impl Tape {
    /// Whether row `i` of `y` depends on row `i` of `x`, and on no other: whether [`Tape::grad_by_rows`] can be asked about
    /// them. Layer norms, whose statistics are a row's own, say yes; batch norms, whose rows meet in them, say no.
    ///
    /// A yes is certain: by induction along the paths from `x` to `y`, row `i` of every value follows row `i` of `x`. A no
    /// is not; there are other ways to keep rows apart.
    pub fn rows_stay_apart(&self, y: Var, x: Var) -> bool {
        let by_row = self.follows(y, x);
        let rows = self.shape(x).first();
        let apart = |v: Var| {
            let by_row = |v: Var| by_row[v.0];
            // A reshape between as many rows keeps them. So does a broadcast, whose operand has as many axes as its
            // result: one from a single row to all would be caught at that single row.
            let same_rows = self.shape(v).first() == rows;
            same_rows
                && match self.node(v).op {
                    Op::Map(..) | Op::Zip(..) | Op::StopGradient(_) => true,
                    Op::Reshape(_) | Op::Broadcast(_) => true,
                    Op::Sum { ref axes, .. } | Op::ReduceMax { ref axes, .. } => axes.start > 0,
                    Op::Slice { axis, .. } | Op::Concat { axis, .. } => axis > 0,
                    Op::PoolPick { .. } | Op::PoolSpread { .. } => true,
                    Op::Matmul { a, b, ta, .. } => by_row(a) && !ta && !by_row(b),
                    Op::Conv2d { x, w, .. } => by_row(x) && !by_row(w),
                    Op::Conv2dInputGrad { y, w, .. } => by_row(y) && !by_row(w),
                    _ => false,
                }
        };
        // Backwards along the paths from `x` to `y`, those that no gradient takes included: on them lie parameters too.
        let (mut todo, mut seen) = (vec![y], vec![false; y.0 + 1]);
        while let Some(v) = todo.pop().filter(|_| by_row[y.0]) {
            if v == x || std::mem::replace(&mut seen[v.0], true) {
                continue;
            }
            if !apart(v) {
                return false;
            }
            let operands = self.node(v).op.operands().into_iter();
            todo.extend(operands.filter(|x| by_row[x.0]));
        }
        self.depends_on(y, &[x])[y.0]
    }

    /// From one sweep: `∂(Σ_i y_i)/∂x`, and `∂(Σ_i r_i y_i)/∂w` for each `w` in `wrt`, where `r`, `[N, 1]`, counts as
    /// constant. `y` is `[N, 1]`, and the first axis of `x` has `N` rows.
    ///
    /// # Panics
    /// If the rows do not [stay apart](Tape::rows_stay_apart), or shapes are others.
    #[track_caller]
    pub fn grad_by_rows(&mut self, y: Var, r: Var, x: Var, wrt: &[Var]) -> (Var, Vec<Var>) {
        let rows = self.shape(y)[0];
        let column = [y, r].iter().all(|&v| *self.shape(v) == [rows, 1].into());
        if !column || !self.rows_stay_apart(y, x) {
            self.refuse(
                "grad_by_rows",
                "rows must stay apart, down to [N, 1]",
                &[y, r, x],
            );
        }
        let sought = [&[x], wrt].concat();
        let active = self.depends_on(y, &sought);
        let by_row = self.follows(y, x);
        let masked = |of_rows: bool| -> Vec<bool> {
            let pairs = active.iter().zip(&by_row);
            pairs
                .map(|(&active, &by_row)| active && by_row == of_rows)
                .collect()
        };
        let (own, shared) = (masked(true), masked(false));
        let mut found = self.sweep(y, &sought, &active, |t, v, dy| {
            if !by_row[v.0] {
                return t.pull_back(v, dy, &active);
            }
            let mut out = t.pull_back(v, dy, &own);
            if t.node(v).op.operands().iter().any(|x| shared[x.0]) {
                let weighed = t.weigh_rows(dy, r);
                out.extend(t.pull_back(v, weighed, &shared));
            }
            out
        });
        let dx = found.remove(0);
        (dx, found)
    }

    /// Which values up to `y` depend on `x` in any way.
    fn follows(&self, y: Var, x: Var) -> Vec<bool> {
        let mut follows = vec![false; y.0 + 1];
        for v in x.0..=y.0 {
            let operands = self.nodes[v].op.operands();
            follows[v] = v == x.0 || operands.iter().any(|x| follows[x.0]);
        }
        follows
    }

    /// `x` with row `i` multiplied by `r_i`.
    fn weigh_rows(&mut self, x: Var, r: Var) -> Var {
        let shape = self.shape(x).clone();
        let mut thin = vec![1; shape.len()];
        thin[0] = shape[0];
        let r = self.reshape(r, thin);
        let r = self.broadcast(r, shape);
        self.mul(x, r)
    }
}

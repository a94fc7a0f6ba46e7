//! Floor 1: the tape. A computation is recorded once as a flat list of primitive operations, every shape
//! checked while recording; [`Tape::grad`] appends the derivative to the same list.
//!
//! ```
//! use coulomb_gan::tape::Tape;
//!
//! let mut t = Tape::new();
//! let x = t.input("x", [3]);
//! let y = t.square(x); // y = x²
//! let loss = t.sum_all(y); // Σ x²
//! let dx = t.grad(loss, &[x])[0]; // 2 x, as more operations on the same tape
//! let ddx = t.grad_of_sum(dx, &[x])[0]; // 2: a gradient of a gradient
//! t.output("dx", dx);
//! t.output("ddx", ddx);
//! println!("{}", t.explain());
//! ```
//!
//! Reading order: [`op`] (what can be recorded, with formulas), `record` and `functions` (the functions that record),
//! [`grad`] (the whole calculus on one page; `rows` asks two questions in one sweep), [`plan`] (how a tape becomes a
//! short list of fused steps).
//!
//! Adding a primitive touches its line in [`op`], the function that records it, its rule in [`grad`], its loops in
//! [`crate::exec::reference`], its line in `plan/kernels.rs`, and if none of the [kernels](plan::kernel) computes it, one
//! implementation per executor; the [guide](crate::guide::architecture) has the table. The compiler asks for all of them, and
//! tests for its formula and its cases.

pub mod convolution;
pub mod explain;
mod functions;
pub mod grad;
pub mod op;
pub mod plan;
pub mod pooling;
mod record;
mod rows;

use crate::numbers::Shape;
pub use convolution::Window;
pub use op::{Map, Op, Zip};

/// A value on a tape: the result of one recorded operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub(crate) usize);

impl Var {
    /// Its position in [`Tape::nodes`] and in [`crate::exec::reference::Values`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// One recorded operation.
#[derive(Debug, Clone)]
pub struct Node {
    /// What is computed, and from which earlier values.
    pub op: Op,
    /// The result's shape.
    pub shape: Shape,
    /// Which layer recorded it, e.g. `discriminator.0`; its gradient says `d discriminator.0`.
    pub layer: String,
}

/// A flat list of operations in single-assignment form: an operation only refers to earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    outputs: Vec<(String, Var)>,
    layer: String,
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// All operations in the order of recording.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The operation that made `v`.
    pub fn node(&self, v: Var) -> &Node {
        &self.nodes[v.0]
    }

    /// The shape of `v`.
    pub fn shape(&self, v: Var) -> &Shape {
        &self.nodes[v.0].shape
    }

    /// The values that a run hands back, by name.
    pub fn outputs(&self) -> &[(String, Var)] {
        &self.outputs
    }

    /// Names the layer that records what `f` records; names nest with dots.
    pub fn layer<R>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.layer.clone();
        self.layer = if outer.is_empty() {
            name.to_owned()
        } else {
            format!("{outer}.{name}")
        };
        let result = f(self);
        self.layer = outer;
        result
    }

    /// Appends an operation whose operands the caller has checked.
    fn push(&mut self, op: Op, shape: Shape) -> Var {
        self.nodes.push(Node {
            op,
            shape,
            layer: self.layer.clone(),
        });
        Var(self.nodes.len() - 1)
    }

    /// Stops a recording that makes no sense, naming the operation, the layer and the shapes.
    #[track_caller]
    fn refuse(&self, op: &str, why: &str, operands: &[Var]) -> ! {
        let shapes: Vec<String> = operands
            .iter()
            .map(|&v| self.shape(v).to_string())
            .collect();
        let layer = if self.layer.is_empty() {
            "the top level"
        } else {
            &self.layer
        };
        panic!(
            "{op} recorded by {layer}: {why} (operand shapes: {})",
            shapes.join(", ")
        )
    }
}

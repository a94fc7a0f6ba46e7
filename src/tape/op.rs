//! The closed set of primitives: what each computes, and from what.
//!
//! If an operation can be written with others at no cost, it is a function in `functions.rs`, not a primitive:
//! a square is a product, a mean is a scaled sum. Pointwise chains are fused when a tape is planned, so
//! writing them out costs nothing.

use std::ops::Range;

use super::Var;
use super::convolution::Window;

/// A primitive operation. `y` is its result.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Numbers handed in at every run.
    Input {
        /// The name under which they are handed in.
        name: String,
    },
    /// Numbers that live in a store between runs; a run sees the values from before its own assignments.
    State {
        /// The name in the store, e.g. `generator.0.weight`.
        name: String,
    },
    /// The same number everywhere.
    Constant(f64),
    /// `y = x`, and for the gradient a constant.
    StopGradient(Var),
    /// `y = x` with other axes over the same elements.
    Reshape(Var),
    /// `y[i] = x[i]` with index 0 along each axis on which `x` has size 1.
    Broadcast(Var),
    /// Sum over neighbouring axes, which stay with size 1.
    Sum {
        /// What is summed.
        x: Var,
        /// The axes that are summed over.
        axes: Range<usize>,
    },
    /// The largest number over neighbouring axes, which stay with size 1. Whatever is not a number is passed over; where
    /// nothing is left, `−∞`.
    ReduceMax {
        /// What is searched.
        x: Var,
        /// The axes that are searched along.
        axes: Range<usize>,
    },
    /// `y[j, i] = x[i, j]`.
    Transpose(Var),
    /// The elements of `x` at the given places along an axis.
    Slice {
        /// What a part is taken of.
        x: Var,
        /// The axis.
        axis: usize,
        /// Which places along it.
        places: Range<usize>,
    },
    /// `a`, and behind it `b`, along an axis.
    Concat {
        /// What comes first.
        a: Var,
        /// What comes behind it.
        b: Var,
        /// The axis; all others have equal sizes.
        axis: usize,
    },
    /// A function of one number, applied to each element.
    Map(Map, Var),
    /// A function of two numbers, applied to each pair of elements.
    Zip(Zip, Var, Var),
    /// `y[i, j] = Σ_l a[i, l] b[l, j]`, where `ta` / `tb` read `a` / `b` transposed.
    Matmul {
        /// Left factor, `[m, k]` (`[k, m]` if `ta`).
        a: Var,
        /// Right factor, `[k, n]` (`[n, k]` if `tb`).
        b: Var,
        /// Read `a` transposed.
        ta: bool,
        /// Read `b` transposed.
        tb: bool,
    },
    /// `y = ∂T/∂y`, the convolution of `x` with `w`; see [`super::convolution`] for the form `T` and the sizes.
    Conv2d {
        /// Pictures, `[N, C, H, W]`.
        x: Var,
        /// Filters, `[O, C, K, L]`.
        w: Var,
        /// Stride and padding.
        window: Window,
    },
    /// `x = ∂T/∂x`, the transposed convolution of `y` with `w`.
    Conv2dInputGrad {
        /// Answers, `[N, O, I, J]`.
        y: Var,
        /// Filters, `[O, C, K, L]`.
        w: Var,
        /// Stride and padding.
        window: Window,
    },
    /// `w = ∂T/∂w`, the gradient of the filters.
    Conv2dWeightGrad {
        /// Pictures, `[N, C, H, W]`.
        x: Var,
        /// Answers, `[N, O, I, J]`.
        y: Var,
        /// Stride and padding.
        window: Window,
    },
    /// `y[i] = x[p(i)]`, where `by` is largest in window `i`; see [`super::pooling`]. The choice has no gradient.
    PoolPick {
        /// What makes the choice, `[N, C, H, W]`.
        by: Var,
        /// What is picked from, of the same shape.
        x: Var,
        /// Height and width of a window.
        kernel: [usize; 2],
        /// Stride and padding.
        window: Window,
    },
    /// `x[q] = Σ y[i]` over the windows with `p(i) = q`, the transpose of [`Op::PoolPick`].
    PoolSpread {
        /// What makes the choice, `[N, C, H, W]`.
        by: Var,
        /// What is spread, `[N, C, I, J]`.
        y: Var,
        /// Height and width of a window.
        kernel: [usize; 2],
        /// Stride and padding.
        window: Window,
    },
    /// `Φ̂(a_i)` of Eq. (8), shape `[N]`. The charges are constants: the gradient is with respect to `a` only.
    Potential(Interaction),
    /// `Ê(a_i) = −∇Φ̂(a_i)` of Eq. (34), shape `[N, m]`, the gradient again with respect to `a` only.
    Field(Interaction),
    /// `∇²Φ̂(a_i) v_i`, the Hessian of the potential times a vector, shape `[N, m]`.
    Curvature {
        /// Where, and due to which charges.
        charges: Interaction,
        /// The vectors, `[N, m]`.
        v: Var,
    },
    /// Puts `value` into the state when the run ends.
    Assign {
        /// A [`Op::State`].
        state: Var,
        /// Its next value, of the same shape.
        value: Var,
    },
}

/// What a potential is summed over: each pair of a point at which it is evaluated and a charge that causes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// The exponent `d` of the Plummer kernel `k(a, b) = (‖a−b‖² + ε²)^(−d/2)`, Eq. (5).
    pub d: u32,
    /// The kernel's width `ε`, one positive number.
    pub epsilon: Var,
    /// Evaluation points `a`, `[N, m]`.
    pub a: Var,
    /// Positive charges (real points), `[N_y, m]`, each of charge `1 / N_y`.
    pub y: Var,
    /// Negative charges (generated points), `[N_x, m]`, each of charge `−1 / N_x`.
    pub x: Var,
}

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Map {
    /// `scale · x + shift`.
    Affine {
        /// Factor.
        scale: f64,
        /// Summand.
        shift: f64,
    },
    /// `eˣ`.
    Exp,
    /// `ln x`.
    Ln,
    /// `√x`.
    Sqrt,
    /// `x^p` for a constant `p`.
    Pow(f64),
    /// Hyperbolic tangent.
    Tanh,
    /// `x` if `x > 0`, else `eˣ − 1` (Clevert et al. 2016, α = 1).
    Elu,
    /// `1` if `x > 0`, else `0`; its derivative is taken to be 0 everywhere.
    Step,
}

/// Functions of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zip {
    /// `a + b`.
    Add,
    /// `a − b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`.
    Div,
    /// The larger; where equal, the gradient goes to `b`.
    Max,
    /// The smaller; where equal, the gradient goes to `b`.
    Min,
}

impl Interaction {
    /// The four operands.
    pub fn operands(&self) -> [Var; 4] {
        [self.epsilon, self.a, self.y, self.x]
    }
}

impl Op {
    /// The earlier values this operation reads.
    pub fn operands(&self) -> Vec<Var> {
        match self {
            Op::Input { .. } | Op::State { .. } | Op::Constant(_) => vec![],
            Op::StopGradient(x) | Op::Reshape(x) | Op::Broadcast(x) | Op::Transpose(x) => vec![*x],
            Op::Sum { x, .. } | Op::ReduceMax { x, .. } | Op::Slice { x, .. } | Op::Map(_, x) => {
                vec![*x]
            }
            Op::Zip(_, a, b) | Op::Matmul { a, b, .. } | Op::Concat { a, b, .. } => vec![*a, *b],
            Op::PoolPick { by, x, .. } => vec![*by, *x],
            Op::PoolSpread { by, y, .. } => vec![*by, *y],
            Op::Conv2d { x, w, .. } => vec![*x, *w],
            Op::Conv2dInputGrad { y, w, .. } => vec![*y, *w],
            Op::Conv2dWeightGrad { x, y, .. } => vec![*x, *y],
            Op::Potential(charges) | Op::Field(charges) => charges.operands().to_vec(),
            Op::Curvature { charges, v } => [&charges.operands()[..], &[*v]].concat(),
            Op::Assign { state, value } => vec![*state, *value],
        }
    }

    /// A short lower-case name for listings and error messages.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::State { .. } => "state",
            Op::Constant(_) => "constant",
            Op::StopGradient(_) => "stop_gradient",
            Op::Reshape(_) => "reshape",
            Op::Broadcast(_) => "broadcast",
            Op::Sum { .. } => "sum",
            Op::ReduceMax { .. } => "reduce_max",
            Op::Transpose(_) => "transpose",
            Op::Slice { .. } => "slice",
            Op::Concat { .. } => "concat",
            Op::PoolPick { .. } => "pool_pick",
            Op::PoolSpread { .. } => "pool_spread",
            Op::Map(map, _) => map.name(),
            Op::Zip(zip, ..) => zip.name(),
            Op::Matmul { .. } => "matmul",
            Op::Conv2d { .. } => "conv2d",
            Op::Conv2dInputGrad { .. } => "conv2d_input_grad",
            Op::Conv2dWeightGrad { .. } => "conv2d_weight_grad",
            Op::Potential(_) => "potential",
            Op::Field(_) => "field",
            Op::Curvature { .. } => "curvature",
            Op::Assign { .. } => "assign",
        }
    }
}

impl Map {
    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Map::Affine { .. } => "affine",
            Map::Exp => "exp",
            Map::Ln => "ln",
            Map::Sqrt => "sqrt",
            Map::Pow(_) => "pow",
            Map::Tanh => "tanh",
            Map::Elu => "elu",
            Map::Step => "step",
        }
    }

    /// The definition, in `f64`.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Map::Affine { scale, shift } => scale * x + shift,
            Map::Exp => x.exp(),
            Map::Ln => x.ln(),
            Map::Sqrt => x.sqrt(),
            Map::Pow(p) => x.powf(p),
            Map::Tanh => x.tanh(),
            // NaN > 0 is false, and exp_m1 keeps it NaN.
            Map::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Map::Step => f64::from(x > 0.0),
        }
    }
}

impl Zip {
    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Zip::Add => "add",
            Zip::Sub => "sub",
            Zip::Mul => "mul",
            Zip::Div => "div",
            Zip::Max => "max",
            Zip::Min => "min",
        }
    }

    /// The definition, in `f64`.
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Zip::Add => a + b,
            Zip::Sub => a - b,
            Zip::Mul => a * b,
            Zip::Div => a / b,
            Zip::Max => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            Zip::Min => {
                if a < b {
                    a
                } else {
                    b
                }
            }
        }
    }
}

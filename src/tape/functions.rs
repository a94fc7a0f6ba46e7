//! The functions that record arithmetic: functions of each element, sums and means.
//!
//! As in `record.rs`, shapes that do not fit panic at the line that called the recording function.

use super::op::{Map, Op, Zip};
use super::{Tape, Var};

/// Functions of each element.
impl Tape {
    fn map(&mut self, map: Map, x: Var) -> Var {
        let shape = self.shape(x).clone();
        if let Op::Constant(value) = self.node(x).op {
            return self.constant(map.apply(value), shape);
        }
        self.push(Op::Map(map, x), shape)
    }

    #[track_caller]
    fn zip(&mut self, zip: Zip, a: Var, b: Var) -> Var {
        if self.shape(a) != self.shape(b) {
            self.refuse(zip.name(), "shapes differ", &[a, b]);
        }
        let shape = self.shape(a).clone();
        // A constant operand makes most functions of two numbers affine functions of one: gradients start
        // from the constant 1, and this keeps their tapes short and readable.
        match (zip, &self.node(a).op, &self.node(b).op) {
            (_, &Op::Constant(a), &Op::Constant(b)) => self.constant(zip.apply(a, b), shape),
            (Zip::Add, _, &Op::Constant(c)) => self.affine(a, 1.0, c),
            (Zip::Add, &Op::Constant(c), _) => self.affine(b, 1.0, c),
            (Zip::Sub, _, &Op::Constant(c)) => self.affine(a, 1.0, -c),
            (Zip::Sub, &Op::Constant(c), _) => self.affine(b, -1.0, c),
            (Zip::Mul, _, &Op::Constant(c)) => self.affine(a, c, 0.0),
            (Zip::Mul, &Op::Constant(c), _) => self.affine(b, c, 0.0),
            (Zip::Div, _, &Op::Constant(c)) => self.affine(a, 1.0 / c, 0.0),
            _ => self.push(Op::Zip(zip, a, b), shape),
        }
    }

    /// `a + b`.
    #[track_caller]
    pub fn add(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Add, a, b)
    }

    /// `a − b`.
    #[track_caller]
    pub fn sub(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Sub, a, b)
    }

    /// `a · b`, element by element.
    #[track_caller]
    pub fn mul(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Mul, a, b)
    }

    /// `a / b`, element by element.
    #[track_caller]
    pub fn div(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Div, a, b)
    }

    /// The larger of `a` and `b`.
    #[track_caller]
    pub fn max(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Max, a, b)
    }

    /// The smaller of `a` and `b`.
    #[track_caller]
    pub fn min(&mut self, a: Var, b: Var) -> Var {
        self.zip(Zip::Min, a, b)
    }

    /// `scale · x + shift`.
    pub fn affine(&mut self, x: Var, scale: f64, shift: f64) -> Var {
        if scale == 1.0 && shift == 0.0 {
            return x;
        }
        // A zero factor makes a constant, even of infinite `x`: adjoints that are zero stay zero.
        if scale == 0.0 {
            let shape = self.shape(x).clone();
            return self.constant(shift, shape);
        }
        self.map(Map::Affine { scale, shift }, x)
    }

    /// `c · x`.
    pub fn scale(&mut self, x: Var, c: f64) -> Var {
        self.affine(x, c, 0.0)
    }

    /// `eˣ`.
    pub fn exp(&mut self, x: Var) -> Var {
        self.map(Map::Exp, x)
    }

    /// `ln x`.
    pub fn ln(&mut self, x: Var) -> Var {
        self.map(Map::Ln, x)
    }

    /// `√x`.
    pub fn sqrt(&mut self, x: Var) -> Var {
        self.map(Map::Sqrt, x)
    }

    /// `x^p`.
    pub fn pow(&mut self, x: Var, p: f64) -> Var {
        self.map(Map::Pow(p), x)
    }

    /// `x²`.
    pub fn square(&mut self, x: Var) -> Var {
        self.mul(x, x)
    }

    /// Hyperbolic tangent.
    pub fn tanh(&mut self, x: Var) -> Var {
        self.map(Map::Tanh, x)
    }

    /// `x` if `x > 0`, else `eˣ − 1`.
    pub fn elu(&mut self, x: Var) -> Var {
        self.map(Map::Elu, x)
    }

    /// `max(x, 0)`; the slope at 0 is taken to be 0, as in PyTorch. NaN becomes 0.
    pub fn relu(&mut self, x: Var) -> Var {
        let shape = self.shape(x).clone();
        let zero = self.constant(0.0, shape);
        self.max(x, zero)
    }

    /// `max(x, slope · x)` for a slope between 0 and 1, which is also taken to be the slope at 0, as in PyTorch.
    pub fn leaky_relu(&mut self, x: Var, slope: f64) -> Var {
        let below = self.scale(x, slope);
        self.max(x, below)
    }

    /// `|x|`, as `max(x, −x)`; the slope at 0 is taken to be −1.
    pub fn abs(&mut self, x: Var) -> Var {
        let minus = self.scale(x, -1.0);
        self.max(x, minus)
    }

    /// The number from `low` to `high` that is nearest to `x`. NaN stays NaN.
    pub fn clamp(&mut self, x: Var, low: f64, high: f64) -> Var {
        let shape = self.shape(x).clone();
        let [low, high] = [low, high].map(|bound| self.constant(bound, &shape));
        let x = self.max(low, x);
        self.min(high, x)
    }

    /// `ln(1 + eˣ)`, as `max(x, 0) + ln(1 + e^−|x|)`, where nothing grows too large.
    pub fn softplus(&mut self, x: Var) -> Var {
        let size = self.abs(x);
        let minus = self.scale(size, -1.0);
        let power = self.exp(minus);
        let sum = self.affine(power, 1.0, 1.0);
        let rest = self.ln(sum);
        let positive = self.relu(x);
        self.add(positive, rest)
    }

    /// `1.7159 tanh(⅔ x)`: ±1 at ±1, with the strongest bend there (LeCun, Bottou, Orr & Müller 1998, "Efficient
    /// BackProp", section 4.4). Targets of ±1 are reached without saturation; the range is ±1.7159.
    pub fn lecun_tanh(&mut self, x: Var) -> Var {
        let inner = self.scale(x, 2.0 / 3.0);
        let tanh = self.tanh(inner);
        self.scale(tanh, 1.7159)
    }

    /// `1` if `x > 0`, else `0`.
    pub fn step(&mut self, x: Var) -> Var {
        self.map(Map::Step, x)
    }
}

/// Sums and means.
impl Tape {
    /// The sum of all elements, shape `[1]`.
    pub fn sum_all(&mut self, x: Var) -> Var {
        let rank = self.shape(x).len();
        let sum = self.sum(x, 0..rank);
        self.reshape(sum, [1])
    }

    /// The mean of all elements, shape `[1]`.
    pub fn mean_all(&mut self, x: Var) -> Var {
        let count = self.shape(x).count();
        let sum = self.sum_all(x);
        self.scale(sum, 1.0 / count as f64)
    }
}

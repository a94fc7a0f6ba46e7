//! The definition of every primitive: textbook loops in `f64`, one operation after the other, nothing
//! fused, nothing fast. What the other executors compute is compared with this; finite differences run on it.

use std::collections::HashMap;

use super::{Store, bind_states};
use crate::numbers::{Result, Shape};
use crate::tape::op::Interaction;
use crate::tape::{Op, Tape, Var};

/// The values of a run, one list per recorded operation.
pub type Values = Vec<Vec<f64>>;

/// Computes every operation of `tape`. `source` gives the numbers of an input or state by its name.
pub fn evaluate(tape: &Tape, source: &mut dyn FnMut(&str) -> Vec<f64>) -> Values {
    let mut values: Values = Vec::with_capacity(tape.nodes().len());
    for node in tape.nodes() {
        let v = |x: &Var| &values[x.0];
        let shape = |x: &Var| tape.shape(*x);
        values.push(match &node.op {
            Op::Input { name } | Op::State { name } => source(name),
            Op::Constant(value) => vec![*value; node.shape.count()],
            Op::StopGradient(x) | Op::Reshape(x) => v(x).clone(),
            Op::Broadcast(x) => broadcast(v(x), shape(x), &node.shape),
            Op::Sum { x, .. } => sum(v(x), shape(x), &node.shape),
            Op::ReduceMax { x, .. } => reduce_max(v(x), shape(x), &node.shape),
            Op::Transpose(x) => transpose(v(x), shape(x)[0], shape(x)[1]),
            Op::Slice { x, axis, places } => {
                let (from, row) = (rows(shape(x), *axis), rows(&node.shape, *axis));
                let first = places.start * (row / places.len().max(1));
                let rows = v(x).chunks_exact(from.max(1));
                rows.flat_map(|x| &x[first..first + row]).copied().collect()
            }
            Op::Concat { a, b, axis } => {
                let [ra, rb] = [a, b].map(|x| rows(shape(x), *axis));
                let count = node.shape.count() / (ra + rb).max(1);
                let row = |i: usize| [&v(a)[i * ra..][..ra], &v(b)[i * rb..][..rb]].concat();
                (0..count).flat_map(row).collect()
            }
            Op::Map(map, x) => v(x).iter().map(|&x| map.apply(x)).collect(),
            Op::Zip(zip, a, b) => std::iter::zip(v(a), v(b))
                .map(|(&a, &b)| zip.apply(a, b))
                .collect(),
            Op::Matmul { a, b, ta, tb } => {
                let [m, n] = [node.shape[0], node.shape[1]];
                let k = shape(a)[usize::from(!ta)];
                let at = |i, l| v(a)[if *ta { l * m + i } else { i * k + l }];
                let bt = |l, j| v(b)[if *tb { j * k + l } else { l * n + j }];
                let product = |i: usize, j: usize| (0..k).map(|l| at(i, l) * bt(l, j)).sum();
                (0..m * n).map(|ij| product(ij / n, ij % n)).collect()
            }
            Op::Conv2d { x, w, .. } => trilinear(tape, Var(values.len()), |out, [xi, wi, yi]| {
                out[yi] += v(x)[xi] * v(w)[wi];
            }),
            Op::Conv2dInputGrad { y, w, .. } => {
                trilinear(tape, Var(values.len()), |out, [xi, wi, yi]| {
                    out[xi] += v(y)[yi] * v(w)[wi];
                })
            }
            Op::Conv2dWeightGrad { x, y, .. } => {
                trilinear(tape, Var(values.len()), |out, [xi, wi, yi]| {
                    out[wi] += v(x)[xi] * v(y)[yi];
                })
            }
            Op::PoolPick { by, x, .. } => {
                pooled(tape, Var(values.len()), v(by), |out, i, place| {
                    out[i] = v(x)[place];
                })
            }
            Op::PoolSpread { by, y, .. } => {
                pooled(tape, Var(values.len()), v(by), |out, i, place| {
                    out[place] += v(y)[i];
                })
            }
            Op::Potential(c) => Pairs::new(c, tape, &values).potential(),
            Op::Field(c) => Pairs::new(c, tape, &values).field(),
            Op::Curvature { charges, v } => {
                Pairs::new(charges, tape, &values).curvature(&values[v.0])
            }
            Op::Assign { value, .. } => v(value).clone(),
        });
    }
    values
}

/// The offset in `shape` of the element at `index` of a larger shape, staying at 0 where `shape` is 1.
fn offset(index: usize, larger: &Shape, shape: &Shape) -> usize {
    let (mut rest, mut stride, mut offset) = (index, 1, 0);
    for (&large, &small) in std::iter::zip(larger.iter(), shape.iter()).rev() {
        if small != 1 {
            offset += rest % large * stride;
        }
        stride *= small;
        rest /= large;
    }
    offset
}

fn broadcast(x: &[f64], from: &Shape, to: &Shape) -> Vec<f64> {
    (0..to.count()).map(|i| x[offset(i, to, from)]).collect()
}

fn sum(x: &[f64], from: &Shape, to: &Shape) -> Vec<f64> {
    let mut y = vec![0.0; to.count()];
    for (i, x) in x.iter().enumerate() {
        y[offset(i, from, to)] += x;
    }
    y
}

fn reduce_max(x: &[f64], from: &Shape, to: &Shape) -> Vec<f64> {
    let mut y = vec![f64::NEG_INFINITY; to.count()];
    for (i, &x) in x.iter().enumerate() {
        let y = &mut y[offset(i, from, to)];
        // False for what is not a number.
        if x > *y {
            *y = x;
        }
    }
    y
}

/// Numbers in a row: all elements that share a place along the axes before `axis`.
fn rows(shape: &Shape, axis: usize) -> usize {
    shape[axis..].iter().product()
}

fn transpose(x: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    (0..rows * cols)
        .map(|i| x[i % rows * cols + i / rows])
        .collect()
}

/// Calls `add` with the result and the places in `x`, `w` and `y` of every term of the trilinear form.
fn trilinear(tape: &Tape, v: Var, mut add: impl FnMut(&mut [f64], [usize; 3])) -> Vec<f64> {
    let mut out = vec![0.0; tape.shape(v).count()];
    let c = tape.convolution(v).expect("called for convolutions");
    let ([height, width], [rows, columns], [kernel, length]) = (c.picture, c.answer, c.kernel);
    for (n, o, channel) in triples(c.batch, c.filters, c.channels) {
        for (i, j, tap) in triples(rows, columns, kernel * length) {
            let (k, l) = (tap / length, tap % length);
            if let (Some(h), Some(w)) = (c.pixel(0, i, k), c.pixel(1, j, l)) {
                let x = ((n * c.channels + channel) * height + h) * width + w;
                let w = (o * c.channels + channel) * kernel * length + tap;
                let y = ((n * c.filters + o) * rows + i) * columns + j;
                add(&mut out, [x, w, y]);
            }
        }
    }
    out
}

/// Calls `move_on` with the result of the pooling that made `v`, and for each window its number and its largest place.
fn pooled(
    tape: &Tape,
    v: Var,
    by: &[f64],
    mut move_on: impl FnMut(&mut [f64], usize, usize),
) -> Vec<f64> {
    let mut out = vec![0.0; tape.shape(v).count()];
    let p = tape.pooling(v).expect("called for poolings");
    for (plane, i, j) in triples(p.planes, p.answer[0], p.answer[1]) {
        let place = |h: usize, w: usize| (plane * p.picture[0] + h) * p.picture[1] + w;
        let (down, across) = (p.pixels_of(0, i), p.pixels_of(1, j));
        let mut best = place(down.start, across.start);
        for h in down {
            for w in across.clone() {
                if by[place(h, w)] > by[best] {
                    best = place(h, w);
                }
            }
        }
        move_on(&mut out, (plane * p.answer[0] + i) * p.answer[1] + j, best);
    }
    out
}

/// All triples of numbers below three bounds.
fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

/// Sums over pairs of an evaluation point and a signed charge.
struct Pairs<'a> {
    d: f64,
    epsilon: f64,
    /// Dimension of the points.
    m: usize,
    a: &'a [f64],
    y: &'a [f64],
    x: &'a [f64],
}

impl<'a> Pairs<'a> {
    fn new(c: &Interaction, tape: &Tape, values: &'a Values) -> Self {
        Self {
            d: f64::from(c.d),
            epsilon: values[c.epsilon.0][0],
            m: tape.shape(c.a)[1],
            a: &values[c.a.0],
            y: &values[c.y.0],
            x: &values[c.x.0],
        }
    }

    /// `Σ_j q_j f(a_i − b_j, s_ij)` for every point, with `s = ‖a−b‖² + ε²`, charges `q = 1/N_y` for real and
    /// `−1/N_x` for generated points, and `f` adding its `width` numbers to a row.
    fn sums(&self, width: usize, f: impl Fn(&mut [f64], usize, &[f64], f64, f64)) -> Vec<f64> {
        let points = self.a.len() / self.m;
        let mut rows = vec![0.0; points * width];
        for i in 0..points {
            let a = &self.a[i * self.m..][..self.m];
            let row = &mut rows[i * width..][..width];
            for (charges, sign) in [(self.y, 1.0), (self.x, -1.0)] {
                let q = sign * self.m as f64 / charges.len() as f64;
                for b in charges.chunks(self.m) {
                    let difference: Vec<f64> = std::iter::zip(a, b).map(|(a, b)| a - b).collect();
                    let squared: f64 = difference.iter().map(|r| r * r).sum();
                    f(row, i, &difference, squared + self.epsilon.powi(2), q);
                }
            }
        }
        rows
    }

    /// Eq. (8): `Φ̂(a) = Σ q s^(−d/2)`.
    fn potential(&self) -> Vec<f64> {
        self.sums(1, |row, _, _, s, q| row[0] += q * s.powf(-self.d / 2.0))
    }

    /// Eq. (34): `Ê(a) = Σ q d (a−b) s^(−d/2−1)`.
    fn field(&self) -> Vec<f64> {
        self.sums(self.m, |row, _, difference, s, q| {
            let c = q * self.d * s.powf(-self.d / 2.0 - 1.0);
            for (e, r) in row.iter_mut().zip(difference) {
                *e += c * r;
            }
        })
    }

    /// `∇²Φ̂(a) v = Σ q (−d s^(−d/2−1) v + d (d+2) s^(−d/2−2) (a−b) ((a−b)·v))`.
    fn curvature(&self, v: &[f64]) -> Vec<f64> {
        self.sums(self.m, |row, i, difference, s, q| {
            let v = &v[i * self.m..][..self.m];
            let along: f64 = std::iter::zip(difference, v).map(|(r, v)| r * v).sum();
            let c1 = -q * self.d * s.powf(-self.d / 2.0 - 1.0);
            let c2 = q * self.d * (self.d + 2.0) * s.powf(-self.d / 2.0 - 2.0) * along;
            for ((h, r), v) in row.iter_mut().zip(difference).zip(v) {
                *h += c1 * v + c2 * r;
            }
        })
    }
}

/// A tape with its states bound to a store.
#[derive(Debug)]
pub struct Program {
    tape: Tape,
    states: HashMap<String, usize>,
    inputs: HashMap<String, Vec<f64>>,
    outputs: HashMap<String, Vec<f32>>,
}

impl Program {
    pub(super) fn new(tape: &Tape, store: &Store) -> Result<Self> {
        let inputs = tape.nodes().iter().filter_map(|node| match &node.op {
            Op::Input { name } => Some((name.clone(), vec![0.0; node.shape.count()])),
            _ => None,
        });
        Ok(Self {
            tape: tape.clone(),
            states: bind_states(store, tape)?,
            inputs: inputs.collect(),
            outputs: HashMap::new(),
        })
    }

    pub(super) fn write(&mut self, name: &str, values: &[f32]) {
        let input = self.inputs.get_mut(name);
        let input = input.unwrap_or_else(|| panic!("the tape has no input {name}"));
        assert_eq!(input.len(), values.len(), "input {name}");
        for (to, &from) in input.iter_mut().zip(values) {
            *to = f64::from(from);
        }
    }

    pub(super) fn run(&mut self, store: &mut Store) -> Result<()> {
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect();
        let states = self.states.iter();
        let states = states.map(|(name, &i)| Ok((name.as_str(), wide(store.values(i)?))));
        let states: HashMap<&str, Vec<f64>> = states.collect::<Result<_>>()?;
        let values = evaluate(&self.tape, &mut |name| match states.get(name) {
            Some(values) => values.clone(),
            None => self.inputs[name].clone(),
        });
        let rounded = |v: Var| values[v.0].iter().map(|&x| x as f32);
        for (i, node) in self.tape.nodes().iter().enumerate() {
            if let Op::Assign { state, .. } = node.op
                && let Op::State { name } = &self.tape.node(state).op
            {
                let target = store.values_mut(self.states[name])?;
                target
                    .iter_mut()
                    .zip(rounded(Var(i)))
                    .for_each(|(to, x)| *to = x);
            }
        }
        for (name, v) in self.tape.outputs() {
            self.outputs.insert(name.clone(), rounded(*v).collect());
        }
        Ok(())
    }

    pub(super) fn read(&self, name: &str) -> &[f32] {
        let output = self.outputs.get(name);
        output.unwrap_or_else(|| panic!("the tape has no output {name}, or has not run"))
    }
}

//! Every primitive a second time, in `f64`, straight from its formula: an oracle that shares no code with
//! the library. Where the library uses one identity, the oracle uses another.

use coulomb_gan::tape::Window;
use coulomb_gan::tape::convolution::Convolution;

/// `scale · x + shift`.
pub fn affine(x: f64, scale: f64, shift: f64) -> f64 {
    shift + x * scale
}

/// `eˣ = cosh x + sinh x`, as `(e^(x/2))²` so that nothing cancels for negative `x`.
pub fn exp(x: f64) -> f64 {
    (x / 2.0).exp().powi(2)
}

/// The natural logarithm, from the one to base 2.
pub fn ln(x: f64) -> f64 {
    x.log2() * std::f64::consts::LN_2
}

/// `x^½`.
pub fn sqrt(x: f64) -> f64 {
    x.powf(0.5)
}

/// `x^p = e^(p ln x)` for positive `x`.
pub fn pow(x: f64, p: f64) -> f64 {
    (p * x.ln()).exp()
}

/// `sinh x / cosh x`.
pub fn tanh(x: f64) -> f64 {
    let x = x.clamp(-300.0, 300.0);
    x.sinh() / x.cosh()
}

/// `x`, or below 0 `eˣ − 1 = 2 e^(x/2) sinh(x/2)`, which loses nothing near 0.
pub fn elu(x: f64) -> f64 {
    if x.is_sign_positive() {
        x
    } else {
        2.0 * (x / 2.0).exp() * (x / 2.0).sinh()
    }
}

/// The indicator of positive numbers.
pub fn step(x: f64) -> f64 {
    x.partial_cmp(&0.0)
        .map_or(0.0, |order| f64::from(order.is_gt()))
}

/// Row-major strides of `shape`.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect()
}

/// All indices of `shape` in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &n in shape {
        all = (all.iter())
            .flat_map(|index| (0..n).map(move |i| [&index[..], &[i]].concat()))
            .collect();
    }
    all
}

/// The element of `x` at `index`, with index 0 along axes of size 1.
fn at(x: &[f64], shape: &[usize], index: &[usize]) -> f64 {
    let place = |axis: usize| index[axis].min(shape[axis] - 1);
    x[(strides(shape).iter().enumerate())
        .map(|(axis, stride)| place(axis) * stride)
        .sum::<usize>()]
}

/// `y[i] = x[i]`, index 0 along axes of size 1.
pub fn broadcast(x: &[f64], from: &[usize], to: &[usize]) -> Vec<f64> {
    indices(to).iter().map(|i| at(x, from, i)).collect()
}

/// The sum over `axes`: for each kept index, a walk over all summed ones.
pub fn sum(x: &[f64], shape: &[usize], axes: std::ops::Range<usize>) -> Vec<f64> {
    let outer = indices(&shape[..axes.start]);
    let (middle, inner) = (indices(&shape[axes.clone()]), indices(&shape[axes.end..]));
    let mut sums = vec![];
    for o in &outer {
        for i in &inner {
            let terms = middle
                .iter()
                .map(|m| at(x, shape, &[&o[..], m, i].concat()));
            sums.push(terms.sum());
        }
    }
    sums
}

/// The largest number over `axes` by sorting; what is not a number is left out.
pub fn reduce_max(x: &[f64], shape: &[usize], axes: std::ops::Range<usize>) -> Vec<f64> {
    let outer = indices(&shape[..axes.start]);
    let (middle, inner) = (indices(&shape[axes.clone()]), indices(&shape[axes.end..]));
    let mut largest = vec![];
    for o in &outer {
        for i in &inner {
            let all = (middle.iter()).map(|m| at(x, shape, &[&o[..], m, i].concat()));
            let mut numbers: Vec<f64> = all.filter(|x| !x.is_nan()).collect();
            numbers.sort_by(f64::total_cmp);
            largest.push(numbers.last().copied().unwrap_or(f64::NEG_INFINITY));
        }
    }
    largest
}

/// The elements whose index along `axis` lies in `places`.
pub fn slice(x: &[f64], shape: &[usize], axis: usize, places: std::ops::Range<usize>) -> Vec<f64> {
    let all = indices(shape);
    let kept = all.iter().zip(x).filter(|(i, _)| places.contains(&i[axis]));
    kept.map(|(_, x)| *x).collect()
}

/// Each element of the result, looked up in the part that its index along `axis` falls into.
pub fn concat(parts: &[(&[f64], Vec<usize>)], axis: usize) -> Vec<f64> {
    let mut shape = parts[0].1.clone();
    shape[axis] = parts.iter().map(|(_, shape)| shape[axis]).sum();
    let look_up = |mut index: Vec<usize>| {
        for (x, shape) in parts {
            match index[axis].checked_sub(shape[axis]) {
                Some(rest) => index[axis] = rest,
                None => return at(x, shape, &index),
            }
        }
        unreachable!("every index falls into a part")
    };
    indices(&shape).into_iter().map(look_up).collect()
}

/// The places in `by`, `[N, C, H, W]`, that windows choose, in order: of the padded picture, whose padding is `−∞`.
pub fn pooled_places(by: &[f64], x: [usize; 4], kernel: [usize; 2], window: Window) -> Vec<usize> {
    let Window { stride, padding } = window;
    let [height, width] = [0, 1].map(|axis| x[2 + axis] + 2 * padding[axis]);
    let mut places = vec![];
    for plane in 0..x[0] * x[1] {
        for i in (0..=height - kernel[0]).step_by(stride[0]) {
            for j in (0..=width - kernel[1]).step_by(stride[1]) {
                let taps = (0..kernel[0] * kernel[1]).filter_map(|tap| {
                    let h = (i + tap / kernel[1]).checked_sub(padding[0])?;
                    let w = (j + tap % kernel[1]).checked_sub(padding[1])?;
                    (h < x[2] && w < x[3]).then_some((plane * x[2] + h) * x[3] + w)
                });
                // The last of equals in reverse order is the first.
                let taps: Vec<usize> = taps.collect();
                let order = |a: &&usize, b: &&usize| by[**a].partial_cmp(&by[**b]).unwrap();
                let largest = taps.iter().rev().max_by(order);
                places.push(*largest.expect("a window holds a pixel"));
            }
        }
    }
    places
}

/// For each window, in order, the places of its pixels in `x`, `[N, C, H, W]`; none are in the padding.
pub fn windows(x: [usize; 4], kernel: [usize; 2], window: Window) -> Vec<Vec<usize>> {
    let Window { stride, padding } = window;
    let positions = [0, 1].map(|axis| {
        let last = x[2 + axis] + 2 * padding[axis] - kernel[axis];
        (0..=last).step_by(stride[axis])
    });
    let inside = |axis: usize, first: usize, pixel: usize| {
        (first..first + kernel[axis]).contains(&(pixel + padding[axis]))
    };
    let mut all = vec![];
    for plane in 0..x[0] * x[1] {
        for i in positions[0].clone() {
            for j in positions[1].clone() {
                let pixels = indices(&x[2..]).into_iter().enumerate();
                let held = pixels.filter(|(_, p)| inside(0, i, p[0]) && inside(1, j, p[1]));
                all.push(held.map(|(p, _)| plane * x[2] * x[3] + p).collect());
            }
        }
    }
    all
}

/// `y[j, i] = x[i, j]`.
pub fn transpose(x: &[f64], [rows, cols]: [usize; 2]) -> Vec<f64> {
    let mut y = vec![0.0; rows * cols];
    for i in 0..rows {
        for j in 0..cols {
            y[j * rows + i] = x[i * cols + j];
        }
    }
    y
}

/// `y[i, j] = Σ_l a[i, l] b[l, j]`.
pub fn matmul(a: &[f64], b: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
    let mut y = vec![0.0; m * n];
    for i in 0..m {
        for l in 0..k {
            for j in 0..n {
                y[i * n + j] += a[i * k + l] * b[l * n + j];
            }
        }
    }
    y
}

/// A contraction of two of pictures, filters and answers to the third.
pub type Contraction = fn(&Convolution, &[f64], &[f64]) -> Vec<f64>;

/// Pictures with their zeros around them, and the padded height and width.
fn padded(c: &Convolution, x: &[f64]) -> (Vec<f64>, [usize; 2]) {
    let [ph, pw] = c.window.padding;
    let [height, width] = [c.picture[0] + 2 * ph, c.picture[1] + 2 * pw];
    let mut out = vec![0.0; c.batch * c.channels * height * width];
    for plane in 0..c.batch * c.channels {
        for h in 0..c.picture[0] {
            for w in 0..c.picture[1] {
                out[(plane * height + h + ph) * width + w + pw] =
                    x[(plane * c.picture[0] + h) * c.picture[1] + w];
            }
        }
    }
    (out, [height, width])
}

/// Calls `f` with the places in padded pictures, filters and answers of each term.
fn each_term(c: &Convolution, [height, width]: [usize; 2], mut f: impl FnMut(usize, usize, usize)) {
    let ([rows, columns], [kernel, length]) = (c.answer, c.kernel);
    for index in indices(&[c.batch, c.filters, c.channels, kernel, length]) {
        let [n, o, channel, k, l] = index[..] else {
            unreachable!()
        };
        let filter = ((o * c.channels + channel) * kernel + k) * length + l;
        for i in 0..rows {
            for j in 0..columns {
                let (h, w) = (i * c.window.stride[0] + k, j * c.window.stride[1] + l);
                let pixel = ((n * c.channels + channel) * height + h) * width + w;
                f(
                    pixel,
                    filter,
                    ((n * c.filters + o) * rows + i) * columns + j,
                );
            }
        }
    }
}

/// The convolution of padded pictures: no index is ever outside.
pub fn conv2d(c: &Convolution, x: &[f64], w: &[f64]) -> Vec<f64> {
    let (x, size) = padded(c, x);
    let mut y = vec![0.0; c.y().iter().product()];
    each_term(c, size, |xi, wi, yi| y[yi] += x[xi] * w[wi]);
    y
}

/// Every answer spread over the padded pictures, whose borders are then cut off.
pub fn conv2d_input_grad(c: &Convolution, y: &[f64], w: &[f64]) -> Vec<f64> {
    let empty = vec![0.0; c.x().iter().product()];
    let (mut x, [height, width]) = padded(c, &empty);
    each_term(c, [height, width], |xi, wi, yi| x[xi] += y[yi] * w[wi]);
    let [ph, pw] = c.window.padding;
    let kept = indices(&[c.batch * c.channels, c.picture[0], c.picture[1]]);
    let kept = kept
        .iter()
        .map(|i| (i[0] * height + i[1] + ph) * width + i[2] + pw);
    kept.map(|i| x[i]).collect()
}

/// What each tap of each filter met, weighted with the answers.
pub fn conv2d_weight_grad(c: &Convolution, x: &[f64], y: &[f64]) -> Vec<f64> {
    let (x, size) = padded(c, x);
    let mut w = vec![0.0; c.w().iter().product()];
    each_term(c, size, |xi, wi, yi| w[wi] += x[xi] * y[yi]);
    w
}

/// A signed point charge.
#[derive(Debug, Clone)]
pub struct Charge {
    /// Its charge, `1 / N_y` or `−1 / N_x` in Eq. (8).
    pub q: f64,
    /// Where it is.
    pub at: Vec<f64>,
}

/// The charges of Eq. (8): real points pull, generated points push.
pub fn charges(y: &[f64], x: &[f64], m: usize) -> Vec<Charge> {
    let signed = |points: &[f64], sign: f64| -> Vec<Charge> {
        let q = sign / (points.len() / m) as f64;
        let at = points.chunks(m).map(<[f64]>::to_vec);
        at.map(|at| Charge { q, at }).collect()
    };
    [signed(y, 1.0), signed(x, -1.0)].concat()
}

/// The Plummer kernel, Eq. (5): `k(a, b) = (‖a−b‖² + ε²)^(−d/2)`.
pub fn plummer(d: f64, epsilon: f64, a: &[f64], b: &[f64]) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    1.0 / (square + epsilon * epsilon).sqrt().powf(d)
}

/// Eq. (8): `Φ̂(a) = Σ_j q_j k(a, b_j)`.
pub fn potential(d: f64, epsilon: f64, a: &[f64], charges: &[Charge]) -> f64 {
    let terms = charges.iter().map(|c| c.q * plummer(d, epsilon, a, &c.at));
    terms.sum()
}

/// Eq. (34): `Ê(a) = Σ_j q_j d (a − b_j) k_{d+2}(a, b_j)`, where `k_{d+2}` has exponent `d + 2`.
pub fn field(d: f64, epsilon: f64, a: &[f64], charges: &[Charge]) -> Vec<f64> {
    let term =
        |c: &Charge, i: usize| c.q * d * (a[i] - c.at[i]) * plummer(d + 2.0, epsilon, a, &c.at);
    (0..a.len())
        .map(|i| charges.iter().map(|c| term(c, i)).sum())
        .collect()
}

/// The Hessian, entry by entry: `∂²Φ̂/∂a_i∂a_j = Σ q (d (d+2) r_i r_j k_{d+4} − d δ_ij k_{d+2})`.
pub fn hessian(d: f64, epsilon: f64, a: &[f64], charges: &[Charge], i: usize, j: usize) -> f64 {
    let entry = |c: &Charge| {
        let (r_i, r_j) = (a[i] - c.at[i], a[j] - c.at[j]);
        let spread = d * (d + 2.0) * r_i * r_j * plummer(d + 4.0, epsilon, a, &c.at);
        let own = d * f64::from(i == j) * plummer(d + 2.0, epsilon, a, &c.at);
        c.q * (spread - own)
    };
    charges.iter().map(entry).sum()
}

/// `∇²Φ̂(a) v`, the Hessian's rows times `v`.
pub fn curvature(d: f64, epsilon: f64, a: &[f64], charges: &[Charge], v: &[f64]) -> Vec<f64> {
    let row = |i| (0..v.len()).map(move |j| hessian(d, epsilon, a, charges, i, j) * v[j]);
    (0..a.len()).map(|i| row(i).sum()).collect()
}

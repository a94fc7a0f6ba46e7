//! Convolutions, element by element: to be replaced by blocked products.

use crate::tape::convolution::Convolution;
use crate::tape::plan::Contraction;

/// Elements `range` of a contraction.
pub(super) fn contract(
    what: Contraction,
    c: &Convolution,
    a: &[f32],
    b: &[f32],
    range: std::ops::Range<usize>,
    out: &mut [f32],
) {
    let ([height, width], [rows, columns], [kernel, length]) = (c.picture, c.answer, c.kernel);
    let x =
        |n: usize, ch: usize, h: usize, w: usize| ((n * c.channels + ch) * height + h) * width + w;
    let y = |n: usize, o: usize, i: usize, j: usize| ((n * c.filters + o) * rows + i) * columns + j;
    let f =
        |o: usize, ch: usize, k: usize, l: usize| ((o * c.channels + ch) * kernel + k) * length + l;
    for (e, out) in range.zip(out) {
        let mut sum = 0.0;
        match what {
            Contraction::Answer => {
                let (j, i) = (e % columns, e / columns % rows);
                let (o, n) = (
                    e / columns / rows % c.filters,
                    e / columns / rows / c.filters,
                );
                for ch in 0..c.channels {
                    for k in 0..kernel {
                        for l in 0..length {
                            if let (Some(h), Some(w)) = (c.pixel(0, i, k), c.pixel(1, j, l)) {
                                sum += a[x(n, ch, h, w)] * b[f(o, ch, k, l)];
                            }
                        }
                    }
                }
            }
            Contraction::Picture => {
                let (w, h) = (e % width, e / width % height);
                let (ch, n) = (
                    e / width / height % c.channels,
                    e / width / height / c.channels,
                );
                for k in 0..kernel {
                    for l in 0..length {
                        for i in 0..rows {
                            for j in 0..columns {
                                if c.pixel(0, i, k) == Some(h) && c.pixel(1, j, l) == Some(w) {
                                    for o in 0..c.filters {
                                        sum += a[y(n, o, i, j)] * b[f(o, ch, k, l)];
                                    }
                                }
                            }
                        }
                    }
                }
            }
            Contraction::Filter => {
                let (l, k) = (e % length, e / length % kernel);
                let (ch, o) = (
                    e / length / kernel % c.channels,
                    e / length / kernel / c.channels,
                );
                for n in 0..c.batch {
                    for i in 0..rows {
                        for j in 0..columns {
                            if let (Some(h), Some(w)) = (c.pixel(0, i, k), c.pixel(1, j, l)) {
                                sum += a[x(n, ch, h, w)] * b[y(n, o, i, j)];
                            }
                        }
                    }
                }
            }
        }
        *out = sum;
    }
}

//! The trials of the convolution family: random kernels, strides, paddings and picture sizes, and a few shapes
//! that are larger than the blocks in which the CPU executor works.

use super::{Draw, Trial};
use crate::{oracle, support};
use coulomb_gan::numbers::Shape;
use coulomb_gan::tape::convolution::Convolution;
use coulomb_gan::tape::{Tape, Var, Window};

/// Which of the three is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Which {
    Answer,
    Picture,
    Filter,
}

/// Sizes that a draw stands for: filters that fit, at least one channel; now and then an empty batch. Padding
/// may be wider than a filter, so that some answers meet nothing, and so may strides, so that some pixels do.
pub fn sizes(draw: &Draw) -> Convolution {
    let u = support::uniform(draw.seed, "sizes", 12, 0.0, 1.0);
    let pick =
        |i: usize, least: usize, most: usize| least + ((most - least + 1) as f32 * u[i]) as usize;
    let kernel = [pick(0, 1, 5), pick(1, 1, 5)];
    let padding = [pick(2, 0, 5), pick(3, 0, 5)];
    let stride = [pick(4, 1, 5), pick(5, 1, 5)];
    // At least what a filter needs, so sometimes padding alone makes it fit.
    let length = |axis: usize, i: usize| {
        let least = kernel[axis].saturating_sub(2 * padding[axis]).max(1);
        pick(i, least, least + 11)
    };
    let (height, width) = (length(0, 6), length(1, 7));
    let batch = pick(8, 0, 4);
    let channels = pick(9, 1, 9);
    let filters = pick(10, 1, 20);
    let window = Window { stride, padding };
    let x = [batch, channels, height, width];
    Convolution::new(x, [filters, channels, kernel[0], kernel[1]], window).expect("sizes that fit")
}

/// More rows, columns and terms than a block has, of sizes that no block divides.
pub fn large() -> Vec<Convolution> {
    let square = |n| Window {
        stride: [n; 2],
        padding: [2; 2],
    };
    let long = |[height, width]: [usize; 2]| Window {
        stride: [1; 2],
        padding: [height / 2, width / 2],
    };
    let shapes = [
        ([9, 12, 17, 17], [21, 12, 1, 7], long([1, 7])),
        ([9, 12, 17, 17], [21, 12, 7, 1], long([7, 1])),
        ([3, 37, 9, 7], [131, 37, 5, 5], square(2)),
        ([17, 11, 8, 8], [70, 11, 5, 5], square(2)),
        ([2, 3, 37, 41], [19, 3, 5, 5], square(2)),
        ([2, 3, 64, 32], [21, 3, 5, 5], square(2)),
        ([3, 9, 17, 31], [17, 9, 5, 5], square(2)),
        ([2, 5, 21, 33], [9, 5, 3, 3], square(1)),
        ([1, 140, 5, 5], [600, 140, 2, 2], square(1)),
        ([70, 19, 4, 4], [97, 19, 5, 5], square(2)),
        ([65, 3, 7, 6], [66, 3, 2, 3], square(1)),
        ([31, 66, 3, 2], [33, 66, 1, 2], square(5)),
        ([16, 3, 8, 8], [48, 3, 5, 5], square(2)),
    ];
    shapes
        .map(|(x, w, window)| Convolution::new(x, w, window).expect("sizes that fit"))
        .into()
}

/// One contraction. Each element is a chain of products and sums, as in a matrix product: at most two
/// roundings each, none larger than the sum of the terms' sizes.
pub fn trial(which: Which, seed: u64, c: &Convolution) -> Trial {
    let shapes: [Shape; 3] = [c.x().into(), c.w().into(), c.y().into()];
    let [x, w, y] = [("x", 0), ("w", 1), ("y", 2)]
        .map(|(name, i): (_, usize)| support::uniform(seed, name, shapes[i].count(), -1.0, 1.0));
    let sizes = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x).abs()).collect() };
    let mut t = Tape::new();
    let window = c.window;
    let input = |t: &mut Tape, name: &'static str, i: usize| -> Var { t.input(name, &shapes[i]) };
    let (result, formula, a, b): (Var, oracle::Contraction, _, _) = match which {
        Which::Answer => {
            let (vx, vw) = (input(&mut t, "x", 0), input(&mut t, "w", 1));
            let v = t.conv2d(vx, vw, window);
            (v, oracle::conv2d, (0, "x", x), (1, "w", w))
        }
        Which::Picture => {
            let (vy, vw) = (input(&mut t, "y", 2), input(&mut t, "w", 1));
            let v = t.conv2d_input_grad(vy, vw, window, c.picture);
            (v, oracle::conv2d_input_grad, (2, "y", y), (1, "w", w))
        }
        Which::Filter => {
            let (vx, vy) = (input(&mut t, "x", 0), input(&mut t, "y", 2));
            let v = t.conv2d_weight_grad(vx, vy, window, c.kernel);
            (v, oracle::conv2d_weight_grad, (0, "x", x), (2, "y", y))
        }
    };
    t.output("out", result);
    let terms = match which {
        Which::Answer => c.filter(),
        Which::Picture => c.filters * c.kernel[0] * c.kernel[1],
        Which::Filter => c.batch * c.positions(),
    };
    let expected = formula(c, &support::wide(&a.2), &support::wide(&b.2));
    let magnitude = formula(c, &sizes(&a.2), &sizes(&b.2));
    let numbers = [a, b].map(|(i, name, values)| (name, shapes[i].clone(), values));
    Trial::exact(t, numbers.into(), expected).rounded(2 * terms, magnitude)
}

pub fn convolutions(which: Which, draw: &Draw) -> Vec<Trial> {
    vec![trial(which, draw.seed, &sizes(draw))]
}

//! Convolutions, pointwise functions and sums.

use coulomb_gan::coulomb::potential::Charges;
use coulomb_gan::tape::convolution::Convolution;
use coulomb_gan::tape::{Tape, Var, Window};

use super::{Function, Row, normal};

/// The three contractions of `[channels, side, filters]` with 5 x 5 filters and stride 2. The gradient of the
/// filters sums over the whole batch, so the reference has to compute all of it, for fewer pictures.
pub fn convolutions([channels, side, filters]: [usize; 3]) -> [Row; 3] {
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let sizes = move |batch| {
        let x = [batch, channels, side, side];
        let sizes = Convolution::new(x, [filters, channels, 5, 5], window);
        sizes.expect("5 x 5 filters fit these pictures")
    };
    [
        ("conv2d", 64, 1),
        ("conv2d_input_grad", 64, 1),
        ("conv2d_weight_grad", 8, 8),
    ]
    .map(|(name, batch, checked)| {
        let all = sizes(batch);
        let count = |shape: [usize; 4]| shape.iter().product();
        let numbers = |name, shape| (name, normal(name, count(shape)));
        let function = Function {
            name: format!("{name} {batch}x{channels}x{side}x{side} to {filters}"),
            record: Box::new(move |batch| {
                let c = sizes(batch);
                let mut t = Tape::new();
                let out = match name {
                    "conv2d" => {
                        let (x, w) = (t.input("x", c.x()), t.input("w", c.w()));
                        t.conv2d(x, w, window)
                    }
                    "conv2d_input_grad" => {
                        let (y, w) = (t.input("y", c.y()), t.input("w", c.w()));
                        t.conv2d_input_grad(y, w, window, c.picture)
                    }
                    _ => {
                        let (x, y) = (t.input("x", c.x()), t.input("y", c.y()));
                        t.conv2d_weight_grad(x, y, window, c.kernel)
                    }
                };
                t.output("result", out);
                t
            }),
            rows: batch,
            checked,
            inputs: vec![
                numbers("x", all.x()),
                numbers("w", all.w()),
                numbers("y", all.y()),
            ],
            tolerance: 1e-5,
        };
        function.into_row()
    })
}

/// A function of each element, for `x` of shape `[rows, cols]`.
pub fn pointwise(name: &str, [rows, cols]: [usize; 2], f: fn(&mut Tape, Var) -> Var) -> Row {
    Function {
        name: name.into(),
        record: Box::new(move |rows| {
            let mut t = Tape::new();
            let x = t.input("x", [rows, cols]);
            let y = f(&mut t, x);
            t.output("result", y);
            t
        }),
        rows,
        checked: rows.min(64),
        inputs: vec![
            ("x", normal("x", rows * cols)),
            ("bias", normal("bias", cols)),
        ],
        tolerance: 1e-6,
    }
    .into_row()
}

/// A function of a matrix whose rows meet, or move.
pub fn of_matrix(name: &str, shape: [usize; 2], f: fn(&mut Tape, Var) -> Var) -> Row {
    Function {
        name: name.into(),
        record: Box::new(move |_| {
            let mut t = Tape::new();
            let x = t.input("x", shape);
            let y = f(&mut t, x);
            t.output("result", y);
            t
        }),
        rows: shape[0],
        checked: shape[0],
        inputs: vec![("x", normal("x", shape[0] * shape[1]))],
        tolerance: 1e-5,
    }
    .into_row()
}

/// Potential or field at `n` points due to `n` charges, half of them real and half generated, in `m`
/// dimensions. The generated ones lie closer together, so that the two halves do not cancel.
pub fn pairwise(what: &str, n: usize, m: usize, f: fn(&mut Tape, &Charges, Var) -> Var) -> Row {
    let half = n / 2;
    let mut generated = normal("generated", half * m);
    generated.iter_mut().for_each(|x| *x *= 0.5);
    let mut row = Function {
        name: format!("{what} {n}x{n} in {m}-D"),
        record: Box::new(move |rows| {
            let mut t = Tape::new();
            let charges = Charges {
                d: 3,
                epsilon: t.constant(1.0, [1]),
                y: t.input("y", [half, m]),
                x: t.input("x", [half, m]),
            };
            let a = t.input("a", [rows, m]);
            let result = f(&mut t, &charges, a);
            t.output("result", result);
            t
        }),
        rows: n,
        checked: 16,
        inputs: vec![
            ("a", normal("a", n * m)),
            ("y", normal("y", half * m)),
            ("x", generated),
        ],
        tolerance: 1e-4,
    }
    .into_row();
    row.work.items = Some((n * n, "pairs"));
    row
}

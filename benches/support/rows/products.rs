//! Matrix products, ours and the baseline's.

use coulomb_gan::tape::Tape;

use super::{Function, Row, Work, normal};

/// `[m, k, n]` as `matmul 128x128x128 NT`, where `T` marks a factor that is read transposed.
fn product_name(what: &str, [m, k, n]: [usize; 3], ta: bool, tb: bool) -> String {
    let letter = |transposed| if transposed { "T" } else { "N" };
    format!("{what} {m}x{k}x{n} {}{}", letter(ta), letter(tb))
}

/// A tape with one matrix product.
fn product([m, k, n]: [usize; 3], ta: bool, tb: bool) -> Tape {
    let mut t = Tape::new();
    let a = t.input("a", if ta { [k, m] } else { [m, k] });
    let b = t.input("b", if tb { [n, k] } else { [k, n] });
    let c = t.matmul(a, ta, b, tb);
    t.output("result", c);
    t
}

/// A product's factors, and so many rows as the reference can do in no time.
fn product_function(what: &str, size: [usize; 3], ta: bool, tb: bool) -> Function {
    let [m, k, n] = size;
    let checked = (8_000_000 / (k * n)).clamp(1, m);
    assert!(
        !ta || checked == m,
        "rows of a transposed factor are not contiguous"
    );
    Function {
        name: product_name(what, size, ta, tb),
        record: Box::new(move |rows| product([rows, k, n], ta, tb)),
        rows: m,
        checked,
        inputs: vec![("a", normal("a", m * k)), ("b", normal("b", k * n))],
        tolerance: 1e-5,
    }
}

/// Our matrix product.
pub fn matmul(size: [usize; 3], ta: bool, tb: bool) -> Row {
    product_function("matmul", size, ta, tb).into_row()
}

/// The `matrixmultiply` crate's product, the baseline, on the calling thread.
pub fn sgemm(size: [usize; 3], ta: bool, tb: bool) -> Row {
    let function = product_function("sgemm", size, ta, tb);
    let cost = Work::of(&product(size, ta, tb)).cost;
    Row {
        name: function.name.clone(),
        work: Work {
            cost,
            steps: 0,
            items: None,
        },
        one_thread_only: true,
        heavy: false,
        prepare: Box::new(move |_| {
            let [a, b] = ["a", "b"].map(|name| function.input(name).to_vec());
            let mut c = vec![0.0; size[0] * size[2]];
            call_sgemm(size, ta, tb, &a, &b, &mut c);
            function.check(&c)?;
            Ok(Box::new(move || {
                call_sgemm(size, ta, tb, &a, &b, &mut c);
                None
            }))
        }),
    }
}

#[expect(unsafe_code, reason = "matrixmultiply takes pointers")]
fn call_sgemm([m, k, n]: [usize; 3], ta: bool, tb: bool, a: &[f32], b: &[f32], c: &mut [f32]) {
    assert_eq!([a.len(), b.len(), c.len()], [m * k, k * n, m * n]);
    let [m_stride, k_stride, n_stride] = [m, k, n].map(|size| size as isize);
    let (row_a, col_a) = if ta { (1, m_stride) } else { (k_stride, 1) };
    let (row_b, col_b) = if tb { (1, k_stride) } else { (n_stride, 1) };
    // SAFETY: with these strides the call reads m·k numbers of `a` and k·n of `b` and writes m·n of `c`, which
    // is how many they hold.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            row_a,
            col_a,
            b.as_ptr(),
            row_b,
            col_b,
            0.0,
            c.as_mut_ptr(),
            n_stride,
            1,
        );
    }
}

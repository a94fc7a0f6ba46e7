//! All against all: products and distances of every row of one set with every row of another, block by block, so that
//! memory stays small for any number of rows.
//!
//! Features come in 32 bits, and their products are summed in 64. Two equal rows have exactly the distance 0, and `a` to
//! `b` is as far as `b` to `a`: their products and squares come from the same loops. Threads take blocks, each of which
//! gives the same numbers on any of them.

use std::ops::Range;

use nalgebra::{DMatrixView, DMatrixViewMut, Dyn};
use rayon::prelude::*;

use crate::numbers::{Error, Result};

/// Numbers of 64 bits in a block of rows; two of them per thread are in memory.
const NUMBERS: usize = 1 << 19;

/// Rows of a block, if they are short enough for [`NUMBERS`]; at least the second one if they are not.
const ROWS: [usize; 2] = [256, 32];

/// Numbers that a row is filled up to with zeros. nalgebra 0.35 multiplies matrices of up to 5 rows or columns in other
/// loops, which write out of bounds if a column is not in one piece (<https://github.com/dimforge/nalgebra/issues/1616>).
const NARROWEST: usize = 8;

/// Features of samples, `[N, width]`: one row for each of them.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    data: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `width` numbers, one behind the other.
    ///
    /// # Errors
    /// If these are not whole rows, or a number is not finite.
    pub fn new(data: &'a [f32], width: usize) -> Result<Self> {
        if width == 0 || !data.len().is_multiple_of(width) {
            return Err(Error::failure(format!(
                "{} numbers are not whole rows of {width} features; give all features of every sample",
                data.len()
            )));
        }
        match data.iter().position(|x| !x.is_finite()) {
            None => Ok(Self { data, width }),
            Some(at) => Err(Error::failure(format!(
                "feature {} of sample {} is not a finite number, so it has no distances; leave that sample out",
                at % width,
                at / width
            ))),
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.width..][..self.width]
    }

    /// An error unless `other` has rows of the same width.
    pub(super) fn check_same_width(&self, other: &Rows) -> Result<()> {
        match self.width == other.width {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "samples with {} features cannot be compared with samples with {}; compute the same ones of both",
                self.width, other.width
            ))),
        }
    }

    /// Rows of a block.
    fn block(&self) -> usize {
        (NUMBERS / self.width).clamp(ROWS[1], ROWS[0])
    }

    /// The blocks, of which the last one may be shorter.
    fn blocks(&self) -> Vec<Range<usize>> {
        let (n, block) = (self.len(), self.block());
        let starts = (0..n).step_by(block);
        starts.map(|i| i..n.min(i + block)).collect()
    }

    /// Numbers of a row in 64 bits.
    fn wide(&self) -> usize {
        self.width.max(NARROWEST)
    }

    /// Writes `rows` in 64 bits, and zeros behind each and all of them: every product has the same shape, so that no row
    /// meets other loops than the rest.
    fn widen(&self, rows: &Range<usize>, out: &mut Vec<f64>) {
        let wide = self.wide();
        out.clear();
        out.resize(self.block() * wide, 0.0);
        for (i, row) in rows.clone().zip(out.chunks_mut(wide)) {
            for (x, &feature) in row.iter_mut().zip(self.row(i)) {
                *x = f64::from(feature);
            }
        }
    }

    /// The squared length of every row.
    fn squares(&self) -> Vec<f64> {
        let each = |rows: &Range<usize>| {
            let (mut x, mut products) = (Vec::new(), Vec::new());
            self.widen(rows, &mut x);
            multiply(&x, &x, self.wide(), &mut products);
            let diagonal = products.iter().step_by(self.block() + 1);
            diagonal.take(rows.len()).copied().collect()
        };
        let blocks: Vec<Vec<f64>> = self.blocks().par_iter().map(each).collect();
        blocks.concat()
    }
}

/// `a bᵀ`, row-major, of matrices with rows of `width`.
fn multiply(a: &[f64], b: &[f64], width: usize, out: &mut Vec<f64>) {
    let (m, n) = (a.len() / width, b.len() / width);
    assert!(m.min(n).min(width) >= NARROWEST, "see there");
    out.resize(m * n, 0.0);
    // Column-major for nalgebra, so it is the transpose b aᵀ that is written.
    let rows = DMatrixView::<f64, Dyn, Dyn>::from_slice_with_strides(b, n, width, width, 1);
    let columns = DMatrixView::from_slice(a, width, m);
    DMatrixViewMut::from_slice(out, n, m).gemm(1.0, &rows, &columns, 0.0);
}

/// Numbers for some rows of one set and some rows of another, the columns.
pub(super) struct Block<'a> {
    /// Which rows of the first set.
    pub rows: Range<usize>,
    /// Which rows of the second one.
    pub columns: Range<usize>,
    numbers: &'a mut [f64],
    stride: usize,
}

impl Block<'_> {
    /// The numbers of row `i` of the first set with each of the columns.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.numbers[(i - self.rows.start) * self.stride..][..self.columns.len()]
    }
}

/// Which blocks are looked at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// All of them.
    All,
    /// Of a set with itself, those on and above the diagonal.
    Upper,
}

/// Shows every block of the products `x · y` to `visit`. Each block of rows begins with what `begin` makes, meets its
/// columns in order, and ends as an element of the result, which is in order too.
pub(super) fn products<T: Send>(
    [a, b]: [&Rows; 2],
    part: Part,
    begin: impl Fn(&Range<usize>) -> T + Sync,
    visit: impl Fn(&mut T, &mut Block) + Sync,
) -> Vec<T> {
    let (rows, columns) = (a.blocks(), b.blocks());
    let each = |(i, rows): (usize, &Range<usize>)| {
        let mut state = begin(rows);
        let [mut x, mut y, mut out] = [const { Vec::new() }; 3];
        a.widen(rows, &mut x);
        let first = if part == Part::Upper { i } else { 0 };
        for columns in &columns[first..] {
            b.widen(columns, &mut y);
            multiply(&x, &y, a.wide(), &mut out);
            let mut block = Block {
                rows: rows.clone(),
                columns: columns.clone(),
                numbers: &mut out,
                stride: b.block(),
            };
            visit(&mut state, &mut block);
        }
        state
    };
    rows.par_iter().enumerate().map(each).collect()
}

/// As [`products`], with squared Euclidean distances.
pub(super) fn distances<T: Send>(
    [a, b]: [&Rows; 2],
    part: Part,
    begin: impl Fn(&Range<usize>) -> T + Sync,
    visit: impl Fn(&mut T, &Block) + Sync,
) -> Vec<T> {
    let squares = [a.squares(), b.squares()];
    products([a, b], part, begin, |state, block| {
        for (i, row) in block
            .rows
            .clone()
            .zip(block.numbers.chunks_mut(block.stride))
        {
            let others = &squares[1][block.columns.clone()];
            for (x, other) in row.iter_mut().zip(others) {
                *x = (squares[0][i] + other - 2.0 * *x).max(0.0);
            }
        }
        visit(state, block);
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::numbers::rng::{fill_normal, stream};

    /// `count` rows of `width` normal numbers.
    pub fn normal(name: &str, count: usize, width: usize) -> Vec<f32> {
        let mut numbers = vec![0.0; count * width];
        fill_normal(&mut stream(4, name, 0), &mut numbers);
        numbers
    }

    /// What `run` gives on so many threads.
    pub fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(run)
    }

    fn all(a: &Rows, b: &Rows) -> Vec<Vec<f64>> {
        let begin = |rows: &Range<usize>| vec![vec![]; rows.len()];
        let blocks = distances([a, b], Part::All, begin, |state, block| {
            for (i, row) in block.rows.clone().zip(state) {
                row.extend(block.row(i));
            }
        });
        blocks.concat()
    }

    #[test]
    fn distances_are_those_of_the_definition_in_any_block() {
        for (n, m, width) in [(1, 1, 1), (300, 257, 3), (40, 600, 70), (65, 34, 16_400)] {
            let (a, b) = (normal("a", n, width), normal("b", m, width));
            let [a, b] = [&a, &b].map(|x| Rows::new(x, width).unwrap());
            let (there, back) = (all(&a, &b), all(&b, &a));
            assert_eq!((there.len(), there[0].len()), (n, m));
            for (i, row) in there.iter().enumerate() {
                for (j, &d) in row.iter().enumerate() {
                    let pairs = a.row(i).iter().zip(b.row(j));
                    let exact: f64 = pairs
                        .map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2))
                        .sum();
                    assert!((d - exact).abs() < 1e-12 * (exact + width as f64));
                    assert_eq!(d, back[j][i]);
                }
            }
        }
    }

    #[test]
    fn equal_rows_are_at_zero_wherever_they_are() {
        for (n, width) in [(3, 1), (300, 2), (301, 7), (600, 1000)] {
            let one = normal("one", 1, width);
            let same = one.repeat(n);
            let [one, same] = [&one, &same].map(|x| Rows::new(x, width).unwrap());
            for row in all(&same, &same).iter().chain(&all(&one, &same)) {
                assert!(row.iter().all(|&d| d == 0.0), "{n} {width}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let data = normal("a", 700, 50);
        let rows = Rows::new(&data, 50).unwrap();
        let [one, three] = [1, 3].map(|n| on_threads(n, || all(&rows, &rows)));
        assert_eq!(one, three);
    }

    #[test]
    fn what_are_no_rows() {
        let refused = |data: &[f32], width| Rows::new(data, width).unwrap_err().to_string();
        assert!(refused(&[1.0; 5], 2).contains("not whole rows of 2 features"));
        assert!(refused(&[1.0; 5], 0).contains("not whole rows"));
        let message = refused(&[1.0, 2.0, 3.0, f32::NAN], 2);
        assert!(
            message.contains("feature 1 of sample 1 is not a finite"),
            "{message}"
        );
        assert!(Rows::new(&[], 2).unwrap().is_empty());
        let [a, b] = [2, 3].map(|w| Rows::new(&[1.0; 6], w).unwrap());
        assert!(a.check_same_width(&b).is_err());
    }
}

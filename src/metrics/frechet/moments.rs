//! Mean and covariance of rows that come one after the other and are too many to keep.

use nalgebra::{DMatrix, DMatrixViewMut, DVector};
use rayon::prelude::*;

use super::Gaussian;

/// Rows that are gathered before they go into the sums: enough for a product of matrices.
const BLOCK: usize = 256;

/// Columns of the covariance that one thread adds to at a time.
const STRIPE: usize = 128;

/// Mean and covariance of rows, gathered in blocks (Chan, Golub & LeVeque 1982): differences from the block's mean,
/// never sums of squares, which would cancel. A block of `m` rows with mean `b` is added to `k` rows with mean `a` by
///
/// ```text
/// scatter += Σ (x − b)(x − b)ᵀ + k m / (k + m) (b − a)(b − a)ᵀ        mean += m / (k + m) (b − a)
/// ```
///
/// All sums are in `f64` and in one order, for any number of threads.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Rows that the sums hold.
    summed: usize,
    mean: DVector<f64>,
    /// Sum of the outer products of the deviations; the lower triangle only.
    scatter: DMatrix<f64>,
    /// Rows that wait until they are a block, one behind the other.
    waiting: Vec<f64>,
    /// How many these are.
    rows: usize,
}

impl Moments {
    /// No rows yet, of `n` numbers each.
    pub fn new(n: usize) -> Self {
        Self {
            summed: 0,
            mean: DVector::zeros(n),
            scatter: DMatrix::zeros(n, n),
            waiting: Vec::new(),
            rows: 0,
        }
    }

    /// Rows so far.
    pub fn count(&self) -> usize {
        self.summed + self.rows
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has another length.
    pub fn add<T: Copy + Into<f64>>(&mut self, row: &[T]) {
        assert_eq!(row.len(), self.mean.len(), "a row of another length");
        self.waiting.extend(row.iter().map(|&x| x.into()));
        self.rows += 1;
        if self.rows == BLOCK {
            self.sum();
        }
    }

    /// Adds the rows that wait to the sums.
    fn sum(&mut self) {
        let (n, m, k) = (self.mean.len(), self.rows as f64, self.summed as f64);
        if self.rows == 0 {
            return;
        }
        // One column for each row, and one for the way between the means.
        let mut columns = std::mem::take(&mut self.waiting);
        columns.resize(columns.len() + n, 0.0);
        let mut x = DMatrix::from_vec(n, self.rows + 1, columns);
        let mean = x.columns(0, self.rows).column_mean();
        let between = &mean - &self.mean;
        for mut column in x.columns_mut(0, self.rows).column_iter_mut() {
            column -= &mean;
        }
        x.set_column(self.rows, &(&between * (k * m / (k + m)).sqrt()));
        let stripes = self
            .scatter
            .as_mut_slice()
            .par_chunks_mut(STRIPE * n.max(1));
        stripes.enumerate().for_each(|(i, stripe)| {
            let (first, width) = (i * STRIPE, stripe.len() / n);
            let mut stripe = DMatrixViewMut::from_slice(stripe, n, width);
            let here = x.rows(first, width).transpose();
            let below = x.rows(first, n - first);
            stripe
                .rows_mut(first, n - first)
                .gemm(1.0, &below, &here, 1.0);
        });
        self.mean += between * (m / (k + m));
        self.summed += self.rows;
        self.rows = 0;
    }

    /// The fitted Gaussian, with the unbiased covariance (`1/(n − 1)`); not finite for fewer than two rows.
    pub fn gaussian(mut self) -> Gaussian {
        self.sum();
        let mut covariance = self.scatter / self.summed.saturating_sub(1) as f64;
        covariance.fill_upper_triangle_with_lower_triangle();
        Gaussian {
            mean: self.mean,
            covariance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_rows_even_far_from_the_origin() {
        for shift in [0.0, 1e8] {
            let mut moments = Moments::new(2);
            for row in [[1.0, 2.0], [3.0, -2.0], [5.0, 6.0]] {
                moments.add(&row.map(|x| x + shift));
            }
            let expected = Gaussian::new(&[3.0 + shift, 2.0 + shift], &[4.0, 4.0, 4.0, 16.0]);
            assert_eq!(moments.count(), 3);
            assert_eq!(moments.gaussian(), expected);
        }
    }

    /// Against sums over all rows at once, for as many columns and rows as need several stripes and blocks.
    #[test]
    fn blocks_and_stripes_add_up() {
        let n = STRIPE + 9;
        for count in [2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 50] {
            let number = |i: usize, j: usize| f64::from(((i * 31 + j * j * 17) % 257) as u16) + 1e4;
            let rows = DMatrix::from_fn(count, n, number);
            let mut moments = Moments::new(n);
            for row in rows.row_iter() {
                moments.add(&row.iter().map(|&x| x as f32).collect::<Vec<_>>());
            }
            let fitted = moments.gaussian();
            let mean = rows.row_mean();
            let centred = DMatrix::from_fn(count, n, |i, j| rows[(i, j)] - mean[j]);
            let covariance = centred.transpose() * &centred / (count - 1) as f64;
            let size = covariance.amax();
            assert!((fitted.mean.transpose() - mean).amax() < 1e-9, "{count}");
            assert!(
                (&fitted.covariance - covariance).amax() < 1e-12 * size,
                "{count}"
            );
            assert_eq!(fitted.covariance, fitted.covariance.transpose());
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let mut moments = Moments::new(300);
                for i in 0..500 {
                    let row: Vec<f32> = (0..300).map(|j| ((i * j) as f32).sin()).collect();
                    moments.add(&row);
                }
                moments.gaussian()
            })
        };
        assert_eq!(fit(1), fit(3));
    }
}

//! What a covariance is the square of.

use nalgebra::DMatrix;

/// Columns after which the rest of the matrix is brought up to date, in one product.
const PANEL: usize = 64;

/// `A` with `C = A Aᵀ`, up to rounding, of a symmetric `C` without negative eigenvalues: `n` rows, and as many columns
/// as `C` has rank.
///
/// Cholesky's factor with the largest pivot first (Higham 1990). It ends where all that is left is smaller than rounding
/// made it, so what fewer samples than features leave empty stays out. Negative eigenvalues as rounding makes them are
/// left out too.
pub(super) fn factor(c: &DMatrix<f64>) -> DMatrix<f64> {
    let n = c.nrows();
    // C less the columns of all finished panels, and its diagonal less all columns.
    let mut rest = c.clone();
    let mut diagonal = c.diagonal();
    let least = n as f64 * f64::EPSILON * diagonal.max().max(0.0);
    let mut is_done = vec![false; n];
    let mut columns: Vec<f64> = Vec::new();
    let mut finished = 0;
    loop {
        let first = columns.len();
        for _ in finished..n.min(finished + PANEL) {
            let (pivot, largest) = diagonal.argmax();
            if largest <= least {
                break;
            }
            let mut column = rest.column(pivot).clone_owned();
            for earlier in columns[first..].chunks(n) {
                let factor = earlier[pivot];
                for (x, y) in column.iter_mut().zip(earlier) {
                    *x -= factor * y;
                }
            }
            column /= largest.sqrt();
            is_done[pivot] = true;
            for i in 0..n {
                if is_done[i] {
                    column[i] = 0.0;
                }
                diagonal[i] -= column[i] * column[i];
            }
            column[pivot] = largest.sqrt();
            diagonal[pivot] = 0.0;
            columns.extend(column.iter());
        }
        let width = (columns.len() - first) / n.max(1);
        finished += width;
        if width < PANEL {
            return DMatrix::from_vec(n, finished, columns);
        }
        let panel = DMatrix::from_column_slice(n, width, &columns[first..]);
        rest.gemm(-1.0, &panel, &panel.transpose(), 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` rows and `rank` columns of numbers of which no two columns are alike.
    fn tall(n: usize, rank: usize) -> DMatrix<f64> {
        DMatrix::from_fn(n, rank, |i, j| ((i * i + 3 * i * j + j + 1) as f64).sin())
    }

    #[test]
    fn the_square_is_the_matrix_and_the_columns_are_its_rank() {
        for (n, rank) in [
            (1, 1),
            (5, 5),
            (40, 3),
            (64, 64),
            (200, 64),
            (200, 65),
            (150, 150),
        ] {
            let c = tall(n, rank) * tall(n, rank).transpose();
            let a = factor(&c);
            assert_eq!(a.shape(), (n, rank));
            let error = (&a * a.transpose() - &c).amax() / c.amax();
            assert!(error < 1e-13, "{n} {rank}: {error}");
        }
    }

    #[test]
    fn what_is_zero_or_below_gives_nothing() {
        assert_eq!(factor(&DMatrix::zeros(3, 3)).shape(), (3, 0));
        assert_eq!(factor(&DMatrix::zeros(0, 0)).shape(), (0, 0));
        assert_eq!(factor(&-DMatrix::identity(3, 3)).shape(), (3, 0));
        let tiny = DMatrix::from_diagonal(&vec![1.0, -1e-17, 0.0].into());
        assert_eq!(factor(&tiny).shape(), (3, 1));
    }
}

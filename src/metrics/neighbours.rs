//! Nearest neighbours, found by looking at everybody: of generated pictures in the training data, as in Figure 3, and of
//! generated pictures among each other, which shows duplicates.
//!
//! Distances are Euclidean, of whatever numbers a row has: pixels, as in the paper, or features.

use std::cmp::Ordering;
use std::ops::Range;

use super::blocks::{Part, Rows, distances};
use crate::numbers::Result;

/// A row of a set, and how far away it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Which row.
    pub index: usize,
    /// The Euclidean distance.
    pub distance: f64,
}

/// Two rows of one set, and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Which rows; the first number is the smaller one.
    pub rows: [usize; 2],
    /// The Euclidean distance.
    pub distance: f64,
}

/// The smallest `most` of what it is given, in order; of equal ones those that are less in every other way too.
struct Smallest<T> {
    most: usize,
    kept: Vec<(f64, T)>,
}

impl<T: Copy + Ord> Smallest<T> {
    fn new(most: usize) -> Self {
        let kept = Vec::new();
        Self { most, kept }
    }

    fn add(&mut self, squared: f64, what: T) {
        let order = |&(other, it): &(f64, T)| other.total_cmp(&squared).then(it.cmp(&what));
        if self.kept.len() == self.most {
            match self.kept.last() {
                Some(last) if order(last) == Ordering::Greater => drop(self.kept.pop()),
                _ => return,
            }
        }
        let at = self.kept.partition_point(|x| order(x) == Ordering::Less);
        self.kept.insert(at, (squared, what));
    }
}

/// The nearest neighbours of some rows in a set that comes piece by piece, as it may not fit into memory.
pub struct Nearest<'a> {
    queries: Rows<'a>,
    found: Vec<Smallest<usize>>,
    seen: usize,
}

impl<'a> Nearest<'a> {
    /// Looks for the `k` nearest neighbours of each row of `queries`.
    pub fn new(queries: Rows<'a>, k: usize) -> Self {
        let found = (0..queries.len()).map(|_| Smallest::new(k)).collect();
        Self {
            queries,
            found,
            seen: 0,
        }
    }

    /// Looks at more rows of the set.
    ///
    /// # Errors
    /// If their width is not that of the queries.
    pub fn add(&mut self, rows: &Rows) -> Result<()> {
        self.queries.check_same_width(rows)?;
        let k = self.found.first().map_or(0, |found| found.most);
        let begin = |rows: &Range<usize>| -> Vec<Smallest<usize>> {
            rows.clone().map(|_| Smallest::new(k)).collect()
        };
        let sets = [&self.queries, rows];
        let blocks = distances(sets, Part::All, begin, |state, block| {
            for (i, found) in block.rows.clone().zip(state) {
                for (j, &squared) in block.columns.clone().zip(block.row(i)) {
                    found.add(squared, j);
                }
            }
        });
        for (found, more) in self.found.iter_mut().zip(blocks.into_iter().flatten()) {
            for (squared, index) in more.kept {
                found.add(squared, self.seen + index);
            }
        }
        self.seen += rows.len();
        Ok(())
    }

    /// The neighbours of each query, nearest first, with their numbers in the order in which the set came; fewer than `k`
    /// if the set had fewer rows.
    pub fn finish(self) -> Vec<Vec<Neighbour>> {
        let neighbour = |(squared, index): (f64, usize)| Neighbour {
            index,
            distance: squared.sqrt(),
        };
        let found = self.found.into_iter();
        found
            .map(|found| found.kept.into_iter().map(neighbour).collect())
            .collect()
    }
}

/// The `count` most similar pairs among all rows, nearest first.
pub fn most_similar_pairs(rows: &Rows, count: usize) -> Vec<Pair> {
    let sets = [rows, rows];
    let begin = |_: &_| Smallest::new(count);
    let blocks = distances(sets, Part::Upper, begin, |found, block| {
        for i in block.rows.clone() {
            for (j, &squared) in block.columns.clone().zip(block.row(i)) {
                if i < j {
                    found.add(squared, [i, j]);
                }
            }
        }
    });
    let mut found = Smallest::new(count);
    for (squared, rows) in blocks.into_iter().flat_map(|block| block.kept) {
        found.add(squared, rows);
    }
    let pair = |(squared, rows): (f64, [usize; 2])| Pair {
        rows,
        distance: squared.sqrt(),
    };
    found.kept.into_iter().map(pair).collect()
}

/// For every row the squared distance to its `k`-th nearest neighbour among the others, for each `k`; infinite where there
/// are fewer.
pub(super) fn radii(rows: &Rows, ks: &[usize]) -> Vec<Vec<f64>> {
    let most = ks.iter().copied().max().unwrap_or(0);
    let begin = |rows: &Range<usize>| -> Vec<Smallest<usize>> {
        rows.clone().map(|_| Smallest::new(most)).collect()
    };
    let blocks = distances([rows, rows], Part::All, begin, |state, block| {
        for (i, found) in block.rows.clone().zip(state) {
            for (j, &squared) in block.columns.clone().zip(block.row(i)) {
                if i != j {
                    found.add(squared, j);
                }
            }
        }
    });
    let found: Vec<_> = blocks.into_iter().flatten().collect();
    let radius = |found: &Smallest<usize>, k: usize| match k.checked_sub(1) {
        None => 0.0,
        Some(last) => found.kept.get(last).map_or(f64::INFINITY, |x| x.0),
    };
    let each = |&k: &usize| found.iter().map(|f| radius(f, k)).collect();
    ks.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::super::blocks::tests::{normal, on_threads};
    use super::*;

    fn far(a: &[f32], b: &[f32]) -> f64 {
        let squares = a
            .iter()
            .zip(b)
            .map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2));
        squares.sum::<f64>().sqrt()
    }

    #[test]
    fn neighbours_are_those_of_a_full_sort_however_the_set_comes() {
        let (a, b) = (normal("a", 290, 5), normal("b", 601, 5));
        let [a, b] = [&a, &b].map(|x| Rows::new(x, 5).unwrap());
        let find = |pieces: &[usize]| {
            let (mut nearest, mut first) = (Nearest::new(a, 3), 0);
            for &count in pieces {
                let piece = &normal("b", 601, 5)[first * 5..][..count * 5];
                nearest.add(&Rows::new(piece, 5).unwrap()).unwrap();
                first += count;
            }
            nearest.finish()
        };
        let found = find(&[601]);
        assert_eq!(found, find(&[1, 0, 300, 300]));
        for (i, found) in found.iter().enumerate() {
            let mut sorted: Vec<_> = (0..b.len()).map(|j| (far(a.row(i), b.row(j)), j)).collect();
            sorted.sort_by(|x, y| x.0.total_cmp(&y.0));
            for (found, (distance, index)) in found.iter().zip(sorted) {
                assert_eq!(found.index, index);
                assert!((found.distance - distance).abs() < 1e-12);
            }
        }
        let [one, three] = [1, 3].map(|n| on_threads(n, || find(&[601])));
        assert_eq!(one, three);
        let mut few = Nearest::new(a, 9);
        assert!(few.add(&Rows::new(&[0.0; 6], 6).unwrap()).is_err());
        few.add(&Rows::new(&[0.0; 10], 5).unwrap()).unwrap();
        let few = few.finish();
        assert_eq!((few.len(), few[0].len(), few[0][1].index), (290, 2, 1));
    }

    #[test]
    fn planted_duplicates_and_memorised_pictures_are_found() {
        let width = 192;
        let mut samples = normal("samples", 1024, width);
        let data = normal("data", 700, width);
        for (from, to) in [(1000, 3), (300, 299), (7, 900)] {
            samples.copy_within(from * width..(from + 1) * width, to * width);
        }
        samples[299 * width] += 0.01;
        samples[50 * width..51 * width].copy_from_slice(&data[666 * width..667 * width]);
        let samples = Rows::new(&samples, width).unwrap();
        let pairs = most_similar_pairs(&samples, 5);
        let rows: Vec<_> = pairs.iter().map(|pair| pair.rows).collect();
        assert_eq!(rows[..3], [[3, 1000], [7, 900], [299, 300]]);
        assert_eq!((pairs[0].distance, pairs[1].distance), (0.0, 0.0));
        assert!((pairs[2].distance - 0.01).abs() < 1e-6 && pairs[3].distance > 5.0);
        let mut nearest = Nearest::new(samples, 1);
        nearest.add(&Rows::new(&data, width).unwrap()).unwrap();
        let nearest = nearest.finish();
        let memorised: Vec<_> = (0..1024)
            .filter(|&i| nearest[i][0].distance < 1.0)
            .collect();
        assert_eq!((memorised, nearest[50][0].index), (vec![50], 666));
    }

    #[test]
    fn radii_leave_oneself_out() {
        let rows = Rows::new(&[0.0, 1.0, 3.0, 3.0], 1).unwrap();
        let radii = radii(&rows, &[1, 2, 4, 0]);
        assert_eq!(radii[0], [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(radii[1], [9.0, 4.0, 4.0, 4.0]);
        assert_eq!(radii[2], [f64::INFINITY; 4]);
        assert_eq!(radii[3], [0.0; 4]);
    }

    #[test]
    fn few_rows_have_few_pairs() {
        for (count, wanted) in [(0, 0), (1, 0), (2, 1), (3, 3)] {
            let data = vec![1.0; 2 * count];
            let pairs = most_similar_pairs(&Rows::new(&data, 2).unwrap(), 10);
            assert_eq!(pairs.len(), wanted);
        }
        assert!(most_similar_pairs(&Rows::new(&[1.0; 4], 2).unwrap(), 0).is_empty());
    }
}

//! All of these judges against NumPy and SciPy: `tests/python/make_metrics.py` wrote down what they say of small sets.

use serde::Deserialize;

use super::birthday::support;
use super::blocks::Rows;
use super::frechet::{Gaussian, Moments, distance, statistics};
use super::kid::mmd2;
use super::manifold::{Reach, overlap};
use super::neighbours::{Nearest, most_similar_pairs};

#[derive(Deserialize)]
struct Case {
    rows: [usize; 2],
    width: usize,
    frechet: f64,
    mmd2: f64,
    overlap: [f64; 4],
    wider: [f64; 4],
    nearest: Vec<[f64; 3]>,
    pairs: Vec<f64>,
    birthday: Vec<Birthday>,
}

#[derive(Deserialize)]
struct Birthday {
    size: usize,
    threshold: f64,
    duplicates: u64,
    with_duplicate: usize,
    interval: [Option<f64>; 2],
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/fixtures/metrics.json");
    serde_json::from_str(text).expect("what make_metrics.py wrote")
}

/// Multiples of 1/64 between −1 and 1, as in `make_metrics.py`.
fn numbers(name: &str, count: usize) -> Vec<f32> {
    let mut state: u64 = name.bytes().map(u64::from).sum();
    let next = |_| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        ((state >> 16) % 129) as f32 / 64.0 - 1.0
    };
    (0..count).map(next).collect()
}

/// Real features, and generated ones.
fn sets([n, m]: [usize; 2], width: usize) -> [Vec<f32>; 2] {
    let x = numbers("generated", m * width);
    let moved = |row: &[f32]| -> Vec<f32> {
        let next = row.iter().cycle().skip(1);
        row.iter()
            .zip(next)
            .map(|(x, next)| (2.0 * x + next) / 4.0 + 0.25)
            .collect()
    };
    [
        numbers("real", n * width),
        x.chunks(width).flat_map(moved).collect(),
    ]
}

fn fit(rows: &[f32], width: usize) -> Gaussian {
    let mut moments = Moments::new(width);
    rows.chunks(width).for_each(|row| moments.add(row));
    moments.gaussian()
}

#[track_caller]
fn close(x: f64, expected: f64, relative: f64) {
    let error = (x - expected).abs() / expected.abs();
    assert!(
        error < relative || x == expected,
        "{x}, not {expected}: {error:e}"
    );
}

#[test]
fn frechet_distances_are_scipys() {
    for case in cases() {
        let [real, generated] = sets(case.rows, case.width).map(|x| fit(&x, case.width));
        close(distance(&real, &generated), case.frechet, 1e-10);
        close(distance(&generated, &real), case.frechet, 1e-10);
    }
}

#[test]
fn statistics_are_numpys() {
    let [_, generated] = sets([300, 280], 12);
    let fitted = fit(&generated, 12);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (name, error) in [
        ("metrics-f64.npz", 1e-14),
        ("metrics-f32-columns.npz", 1e-7),
    ] {
        let read = statistics::read(&folder.join(name)).expect("what NumPy wrote");
        for (x, y) in [
            (read.mean(), fitted.mean()),
            (read.covariance(), fitted.covariance()),
        ] {
            assert_eq!(x.len(), y.len());
            assert!(
                x.iter().zip(y).all(|(x, y)| (x - y).abs() < error),
                "{name}"
            );
        }
        assert!(distance(&read, &fitted) < 10.0 * error);
    }
}

#[test]
fn kernel_distances_are_numpys() {
    for case in cases() {
        let [real, generated] = &sets(case.rows, case.width);
        let [real, generated] = [real, generated].map(|x| Rows::new(x, case.width).unwrap());
        close(mmd2(&real, &generated).unwrap(), case.mmd2, 1e-11);
    }
}

#[test]
fn precision_recall_density_and_coverage_are_numpys() {
    for case in cases() {
        let [real, generated] = &sets(case.rows, case.width);
        let [real, generated] = [real, generated].map(|x| Rows::new(x, case.width).unwrap());
        let wider = Reach {
            precision_recall: 5,
            density_coverage: 8,
        };
        for (reach, expected) in [(Reach::default(), case.overlap), (wider, case.wider)] {
            let found = overlap(&real, &generated, reach).unwrap();
            let found = [found.precision, found.recall, found.density, found.coverage];
            for (x, expected) in found.into_iter().zip(expected) {
                close(x, expected, 1e-12);
            }
        }
    }
}

#[test]
fn neighbours_and_duplicates_are_numpys() {
    for case in cases() {
        let [real, generated] = &sets(case.rows, case.width);
        let [real, generated] = [real, generated].map(|x| Rows::new(x, case.width).unwrap());
        let mut nearest = Nearest::new(generated, 3);
        nearest.add(&real).unwrap();
        for (found, expected) in nearest.finish().iter().zip(&case.nearest) {
            for (found, &expected) in found.iter().zip(expected) {
                close(found.distance, expected, 1e-12);
            }
        }
        for (pair, &expected) in most_similar_pairs(&generated, 5).iter().zip(&case.pairs) {
            close(pair.distance, expected, 1e-12);
        }
        for expected in &case.birthday {
            let found = support(&generated, &[expected.size], expected.threshold).unwrap()[0];
            let counts = (found.duplicates, found.with_duplicate);
            assert_eq!(counts, (expected.duplicates, expected.with_duplicate));
            for (x, expected) in found.interval.into_iter().zip(expected.interval) {
                close(x, expected.unwrap_or(f64::INFINITY), 1e-4);
            }
        }
    }
}

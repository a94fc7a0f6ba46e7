//! Proves that the distances of sets of pictures mean something: small between halves of one set, growing with
//! noise and blur, the same on every backend, and with an answer for what is no set of pictures.

use crate::support::{self, uniform};
use coulomb_gan::exec::Backend;
use coulomb_gan::metrics::{Frechet, PictureJudge};

const SIDE: usize = 16;
const SIZE: usize = 3 * SIDE * SIDE;
const COUNT: usize = 160;

fn cpu() -> Backend {
    support::devices()[0][1].clone()
}

/// A disc of one random colour, place and size on a background of another.
fn disc(i: usize) -> Vec<f32> {
    let r = uniform(i as u64, "disc", 9, -1.0, 1.0);
    let [cx, cy] = [r[6], r[7]].map(|c| (0.5 + 0.3 * c) * SIDE as f32);
    let radius = (0.25 + 0.1 * r[8]) * SIDE as f32;
    let pixel = |p: usize| {
        let (channel, y, x) = (p / SIDE / SIDE, p / SIDE % SIDE, p % SIDE);
        let inside = (x as f32 - cx).hypot(y as f32 - cy) < radius;
        r[if inside { channel } else { 3 + channel }]
    };
    (0..SIZE).map(pixel).collect()
}

/// Discs number `first` to `first + COUNT`.
fn discs(first: usize) -> Vec<f32> {
    (first..first + COUNT).flat_map(disc).collect()
}

fn judge(backend: &Backend) -> PictureJudge {
    let mut real = |i: usize, picture: &mut [f32]| picture.copy_from_slice(&disc(i));
    PictureJudge::new(backend, SIDE, &mut real, COUNT).expect("pictures")
}

fn noisy(amount: f32) -> Vec<f32> {
    let mut pictures = discs(COUNT);
    let noise = uniform(1, "noise", pictures.len(), -1.0, 1.0);
    pictures
        .iter_mut()
        .zip(noise)
        .for_each(|(x, n)| *x += amount * n);
    pictures
}

/// Each row of pixels averaged with its neighbours, so often.
fn blurred(times: usize) -> Vec<f32> {
    let mut pictures = discs(COUNT);
    for _ in 0..times {
        for row in pictures.chunks_mut(SIDE) {
            let old = row.to_vec();
            for x in 0..SIDE {
                let (left, right) = (old[x.saturating_sub(1)], old[(x + 1).min(SIDE - 1)]);
                row[x] = (left + old[x] + right) / 3.0;
            }
        }
    }
    pictures
}

#[test]
fn halves_of_a_set_are_near_and_others_far() {
    let mut judge = judge(&cpu());
    let itself = judge.judge(&discs(0)).expect("a distance");
    assert!(itself.random < 1e-5 && itself.pixels < 1e-3, "{itself:?}");
    let half = judge.judge(&discs(COUNT)).expect("a distance");
    assert_eq!(
        judge.judge(&discs(COUNT)).expect("a distance"),
        half,
        "no memory"
    );
    let noise = uniform(2, "noise", COUNT * SIZE, -1.0, 1.0);
    let grey = vec![0.0; COUNT * SIZE];
    for other in [noise, grey] {
        let far = judge.judge(&other).expect("a distance");
        assert!(far.random > 5.0 * half.random, "{far:?} {half:?}");
        assert!(far.pixels > 5.0 * half.pixels, "{far:?} {half:?}");
    }
}

#[test]
fn distances_grow_with_noise_and_blur() {
    let mut judge = judge(&cpu());
    let mut distances = |sets: [Vec<f32>; 4]| sets.map(|set| judge.judge(&set).expect("a set"));
    let by_noise = distances([0.0, 0.3, 0.6, 1.2].map(noisy));
    let grows = |pair: &[Frechet]| pair[1].random > pair[0].random;
    assert!(by_noise.windows(2).all(grows), "{by_noise:?}");
    let by_blur = distances([0, 2, 8, 32].map(blurred));
    assert!(by_blur.windows(2).all(grows), "{by_blur:?}");
    let grows = |pair: &[Frechet]| pair[1].pixels > pair[0].pixels;
    assert!(by_blur[1..].windows(2).all(grows), "{by_blur:?}");
}

#[test]
fn every_backend_sees_the_same_features() {
    let pictures = noisy(0.5);
    let expected = judge(&Backend::Reference).judge(&pictures).expect("a set");
    for device in support::devices() {
        let [one, two] = [0, 1].map(|i| judge(&device[i]).judge(&pictures).expect("a set"));
        assert_eq!(one, two, "threads change nothing");
        let error = (one.random / expected.random - 1.0).abs();
        assert!(error < 1e-3, "{one:?} {expected:?}");
        assert_eq!(one.pixels, expected.pixels, "computed without a device");
    }
}

#[test]
fn what_is_no_set_of_pictures() {
    let mut judge = judge(&cpu());
    let error = judge.judge(&[0.0; 100]).expect_err("no whole picture");
    assert!(error.to_string().contains("[3, 16, 16]"), "{error}");
    for count in 0..2 {
        let error = judge.judge(&vec![0.0; count * SIZE]).expect_err("too few");
        assert!(error.to_string().contains("at least two"), "{error}");
    }
    for broken in [f32::NAN, f32::INFINITY] {
        let mut pictures = discs(0);
        pictures[SIZE + 5] = broken;
        let nothing = judge.judge(&pictures).expect("no error");
        assert!(
            nothing.random.is_nan() && nothing.pixels.is_nan(),
            "{nothing:?}"
        );
    }
    let huge = judge.judge(&vec![f32::MAX; 3 * SIZE]).expect("no error");
    assert!(!huge.pixels.is_finite() || huge.pixels > 1e30, "{huge:?}");
    // Two pictures are enough for a number, and so are 33, one more than a batch.
    for count in [2, 33] {
        let few = judge.judge(&discs(0)[..count * SIZE]).expect("a set");
        assert!(few.random.is_finite() && few.pixels > 0.0, "{few:?}");
    }

    let mut none = |_: usize, picture: &mut [f32]| picture.fill(0.0);
    let error = PictureJudge::new(&cpu(), 20, &mut none, 9)
        .err()
        .expect("20 / 8");
    assert!(error.to_string().contains("multiple of 8"), "{error}");
    let error = PictureJudge::new(&cpu(), 16, &mut none, 1)
        .err()
        .expect("1 picture");
    assert!(error.to_string().contains("at least two"), "{error}");
    let mut broken =
        |i: usize, picture: &mut [f32]| picture.fill(if i < 7 { 0.0 } else { f32::NAN });
    let error = PictureJudge::new(&cpu(), 16, &mut broken, 9)
        .err()
        .expect("NaN");
    assert!(error.to_string().contains("picture number 7"), "{error}");
    let mut same = PictureJudge::new(&cpu(), 16, &mut none, 9).expect("equal pictures");
    let zero = same.judge(&[0.0; 2 * SIZE]).expect("equal pictures");
    assert_eq!((zero.random, zero.pixels), (0.0, 0.0));
}

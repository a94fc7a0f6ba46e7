//! In which order pictures are handed out.

use std::path::Path;
use std::sync::Arc;

use coulomb_gan::data::{Crop, Loader, Options, Pictures, loader, open};

/// Pictures of 1 x 1 pixel whose red is their number.
fn numbered(count: u8) -> Pictures {
    let bytes = (0..count).flat_map(|i| [i, 0, 0]).collect();
    Pictures::new(1, bytes).unwrap()
}

/// The numbers of the pictures in a batch.
fn numbers(batch: &[f32]) -> Vec<u8> {
    let red = batch.iter().step_by(3);
    red.map(|&x| ((x + 1.0) * 127.5).round() as u8).collect()
}

#[test]
fn every_epoch_has_every_picture_once_in_an_order_of_its_own() {
    let pictures = Arc::new(numbered(50));
    for size in [1, 7, 50, 64, 120] {
        let mut loader = Loader::new(pictures.clone(), 3, size, 0);
        let mut y = vec![0.0; 3 * size];
        let mut seen = vec![];
        while seen.len() < 200 {
            loader.fill(&mut y).unwrap();
            seen.extend(numbers(&y));
        }
        let epochs: Vec<&[u8]> = seen.chunks_exact(50).collect();
        for pair in epochs.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for epoch in epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..50), "{epoch:?}");
        }
    }
}

#[test]
fn the_loader_hands_out_the_batches_of_the_definition_from_any_step() {
    let pictures = Arc::new(numbered(23));
    let (mut want, mut got) = ([0.0; 15], [0.0; 15]);
    for first in [0, 4, 1_000_003] {
        let mut loader = Loader::new(pictures.clone(), 9, 5, first);
        for step in first..first + 12 {
            loader::batch(&*pictures, 9, 5, step, &mut want).unwrap();
            loader.fill(&mut got).unwrap();
            assert_eq!(got, want, "step {step}");
        }
    }
    loader::batch(&*pictures, 10, 5, 0, &mut want).unwrap();
    loader::batch(&*pictures, 9, 5, 0, &mut got).unwrap();
    assert_ne!(got, want, "the seed must matter");
}

#[test]
fn dropping_a_loader_ends_its_thread() {
    let pictures = Arc::new(numbered(5));
    for fills in 0..7 {
        let mut loader = Loader::new(pictures.clone(), 0, 2, 0);
        for _ in 0..fills {
            loader.fill(&mut [0.0; 6]).unwrap();
        }
        drop(loader);
        assert_eq!(Arc::strong_count(&pictures), 1, "the thread holds on");
    }
}

/// Only for the eye: how long a real set takes. `COULOMB_PICTURES=DIR cargo test --release --test data -- --ignored --nocapture`
#[test]
#[ignore = "needs a data set; says how long it takes"]
fn a_real_set() {
    let root = std::env::var("COULOMB_PICTURES").expect("COULOMB_PICTURES names a data set");
    let cache = tempfile::tempdir().unwrap();
    let options = Options {
        side: 32,
        crop: Crop::Center,
        cache: Some(cache.path()),
    };
    for start in ["first", "second"] {
        let clock = std::time::Instant::now();
        let opened = open(Path::new(&root), &options, &mut |_, _| {}).unwrap();
        println!("{start} start: {:?}, {}", clock.elapsed(), opened.from);
        let mut loader = Loader::new(Arc::new(opened.pictures), 1, 128, 0);
        let mut y = vec![0.0; 128 * 3 * 32 * 32];
        let clock = std::time::Instant::now();
        for _ in 0..200 {
            loader.fill(&mut y).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let (all, waited) = (clock.elapsed(), loader.waited());
        println!("200 batches with 10 ms of other work each: {all:?}, waited {waited:?}");
    }
}

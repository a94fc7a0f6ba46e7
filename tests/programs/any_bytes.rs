//! Whatever bytes a file holds, reading it gives a value or a sentence: no panic, on random and on damaged
//! bytes. The targets in `fuzz/` look longer, from the same seeds.

use std::io::Cursor;
use std::path::Path;

use coulomb_gan::data::{Crop, cifar, decode, pickle};
use coulomb_gan::metrics::frechet::{Gaussian, statistics};
use coulomb_gan::models::Inception;
use coulomb_gan::models::inception::{Graph, Weights};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::numbers::npy;
use coulomb_gan::numbers::rng::{below, stream};
use coulomb_gan::numbers::tensor_file::TensorFile;
use coulomb_gan::train::{Config, presets};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A good file for a parser: the name of its fuzz target, the file's name, its bytes.
type Seed = (&'static str, &'static str, Vec<u8>);

fn seeds() -> Vec<Seed> {
    let picture = RgbImage::from_fn(12, 10, |x, y| Rgb([20 * x, 25 * y, x * y].map(|v| v as u8)));
    let picture = DynamicImage::from(picture);
    let encode = |format| {
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let mut file = TensorFile::default();
    let tensor = Tensor::new([2, 3], vec![1.0; 6]).unwrap();
    file.tensors.insert("generator.0.weight".into(), tensor);
    file.tensors.insert("empty".into(), Tensor::zeros([0]));
    file.metadata.insert("step".into(), "12".into());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    file.write(&path).unwrap();
    let checkpoint = std::fs::read(path).unwrap();
    let path = folder.path().join("array.npy");
    npy::write(&path, &Tensor::zeros([4, 2])).unwrap();
    let array = std::fs::read(&path).unwrap();
    let header = b"{'shape': (2L, 3), 'fortran_order': True, 'descr': '>i2'}";
    let start = [b"\x93NUMPY\x02\x00", &[header.len() as u8, 0, 0, 0][..]].concat();
    let columns = [&start[..], header, &[1; 12]].concat();
    let path = folder.path().join("statistics.npz");
    let gaussian = Gaussian::new(&[0.5, -1.0], &[2.0, 0.25, 0.25, 1.0]);
    statistics::write(&path, &gaussian).unwrap();
    let stored = std::fs::read(&path).unwrap();
    let packed = include_bytes!("../fixtures/metrics-f32-columns.npz").to_vec();
    let config = presets::preset("mixture").unwrap().to_toml().unwrap();
    vec![
        ("cifar", "one.bin", [vec![3], vec![7; 3072]].concat()),
        (
            "pickle",
            "one",
            [&b"\x80\x02}U\x04dataT\0\x0c\0\0"[..], &[7; 3072], b"s."].concat(),
        ),
        ("picture", "small.png", encode(ImageFormat::Png)),
        ("picture", "small.jpg", encode(ImageFormat::Jpeg)),
        ("picture", "small.webp", encode(ImageFormat::WebP)),
        ("picture", "small.gif", encode(ImageFormat::Gif)),
        ("picture", "small.bmp", encode(ImageFormat::Bmp)),
        ("picture", "small.tif", encode(ImageFormat::Tiff)),
        ("picture", "small.ppm", encode(ImageFormat::Pnm)),
        (
            "picture",
            "text.ppm",
            b"P3\n2 1\n255\n1 22 133\n244 250 199\n".into(),
        ),
        ("checkpoint", "two.safetensors", checkpoint),
        ("npy", "rows.npy", array),
        ("npy", "columns.npy", columns),
        ("statistics", "stored.npz", stored),
        ("statistics", "packed.npz", packed),
        ("config", "mixture.toml", config.into()),
        ("inception", "thin.safetensors", inception(&path)),
    ]
}

/// Weights of the thinnest Inception network, as a file at `path`.
fn inception(path: &Path) -> Vec<u8> {
    let network = Inception {
        graph: Graph::Keras,
        thin: 16,
    };
    let mut file = TensorFile::default();
    for pair in network.parameters().chunks(2) {
        let unit = pair[0].name.trim_end_matches(".weight");
        for (what, shape) in [
            ("conv.weight", &pair[0].shape),
            ("bn.bias", &pair[1].shape),
            ("bn.running_mean", &pair[1].shape),
            ("bn.running_var", &pair[1].shape),
        ] {
            let name = format!("{unit}.{what}");
            file.tensors.insert(name, Tensor::zeros(shape));
        }
    }
    file.metadata.insert("graph".into(), "keras".into());
    file.write(path).unwrap();
    std::fs::read(path).unwrap()
}

/// Reads `bytes` as the fuzz target of that name does; true if they are accepted.
fn accepts(target: &str, bytes: &[u8]) -> bool {
    match target {
        "cifar" => cifar::read_records(bytes).is_ok(),
        "pickle" => pickle::pixels(bytes).is_ok(),
        "picture" => decode::picture(bytes, 8, Crop::Center).is_ok_and(|p| p.len() == 192),
        "checkpoint" => TensorFile::parse(bytes).is_ok(),
        "npy" => npy::parse(bytes).is_ok(),
        "inception" => Weights::parse(bytes, 16).is_ok(),
        "statistics" => {
            statistics::parse(bytes).is_ok_and(|g| g.mean().iter().all(|x| x.is_finite()))
        }
        "config" => std::str::from_utf8(bytes).is_ok_and(|text| Config::parse(text).is_ok()),
        other => panic!("there is no target {other}"),
    }
}

/// Damages `bytes` in one to four places, in one of five ways each.
fn damage(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let to = (at + below(rng, 9)).min(bytes.len());
        match below(rng, 5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..to)),
            2 => bytes[at..to]
                .iter_mut()
                .for_each(|b| *b = rng.next_u32() as u8),
            3 => bytes[at..to].iter_mut().for_each(|b| *b ^= 1 << (*b % 8)),
            _ => {
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

#[test]
fn good_files_are_accepted() {
    for (target, name, bytes) in seeds() {
        assert!(accepts(target, &bytes), "{name}");
    }
}

#[test]
fn damaged_files_are_answered() {
    for (target, name, good) in seeds() {
        let mut accepted = 0;
        for i in 0..1000 {
            let mut bytes = good.clone();
            damage(&mut stream(1, name, i), &mut bytes);
            accepted += usize::from(accepts(target, &bytes));
        }
        assert!(accepted < 1000, "no damage to {name} was noticed");
    }
}

#[test]
fn random_bytes_are_answered() {
    let seeds = seeds();
    for i in 0..2000 {
        let rng = &mut stream(2, "bytes", i);
        let mut bytes = vec![0; below(rng, 200)];
        rng.fill_bytes(&mut bytes);
        for (target, _, seed) in &seeds {
            // With a good beginning, so that more than the first check sees them.
            let start = &seed[..below(rng, seed.len().min(40))];
            accepts(target, &[start, &bytes].concat());
        }
        let targets = seeds.iter().map(|(target, ..)| target);
        for target in targets {
            assert!(!accepts(target, &bytes), "{target} took {bytes:?}");
        }
    }
}

/// `cargo test --release --test programs any_bytes -- --ignored` writes the seeds to where the fuzzer looks for them.
#[test]
#[ignore = "writes into fuzz/"]
fn write_seeds() {
    for (target, name, bytes) in seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

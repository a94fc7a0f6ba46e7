//! Proves that the Inception networks compute what PyTorch computes: thin ones from `tests/fixtures/make_inception.py` on
//! every executor, and, where somebody has their files, those of full size. And that files of weights are read or refused.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use crate::pytorch::numbers;
use crate::support;
use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::models::Inception;
use coulomb_gan::models::inception::{Graph, Tap, Weights, find};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::numbers::tensor_file::TensorFile;
use coulomb_gan::tape::Tape;
use serde::Deserialize;

/// A tenth of what is asked of features, in which sums of thousands of products have been rounded.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    graph: String,
    features: BTreeMap<String, Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/inception.json")).expect("what the script wrote")
}

/// What `make_inception.py` calls a tap.
fn tap_name(tap: Tap) -> &'static str {
    match tap {
        Tap::Pool1 => "64",
        Tap::Pool2 => "192",
        Tap::Mixed6c => "mixed_6c",
        Tap::Mixed6e => "768",
        Tap::Mixed7c => "2048",
    }
}

/// A tape with pictures `x` and an output for each tap.
fn tape(network: &Inception, x: [usize; 4]) -> Tape {
    let mut t = Tape::new();
    let pictures = t.input("x", x);
    let features = network.record(&mut t, pictures, &Tap::ALL);
    for (tap, features) in Tap::ALL.into_iter().zip(features) {
        t.output(tap_name(tap), features);
    }
    t
}

fn tensor(shape: &[usize], data: Vec<f64>) -> Tensor {
    let data = data.into_iter().map(|x| x as f32).collect();
    Tensor::new(shape, data).expect("as many as needed")
}

/// The tensors of a thin network as PyTorch has them: those that `make_inception.py` fills in.
fn thin(graph: Graph) -> TensorFile {
    let network = Inception { graph, thin: 16 };
    let mut file = TensorFile::default();
    let mut add = |name: String, shape: &[usize], change: &dyn Fn(f64) -> f64| {
        let count = shape.iter().product();
        let data = numbers(&name, count).into_iter().map(change).collect();
        file.tensors.insert(name, tensor(shape, data));
    };
    for pair in network.parameters().chunks(2) {
        let (unit, _) = pair[0].name.rsplit_once('.').expect("a layer's weight");
        let filters = &pair[0].shape;
        let fan: usize = filters[1..].iter().product();
        let size = (6.0 / fan as f64).sqrt();
        let channels = [filters[0]];
        add(format!("{unit}.conv.weight"), filters, &|n| n * size);
        add(format!("{unit}.bn.weight"), &channels, &|n| 1.0 + n / 4.0);
        add(format!("{unit}.bn.bias"), &channels, &|n| n / 4.0);
        add(format!("{unit}.bn.running_mean"), &channels, &|n| n / 4.0);
        add(format!("{unit}.bn.running_var"), &channels, &|n| {
            1.0 + n / 2.0
        });
    }
    let name = ("graph".to_owned(), graph.name().to_owned());
    file.metadata.extend([name]);
    file
}

/// The bytes of a file.
fn bytes(file: &TensorFile) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("weights.safetensors");
    file.write(&path).expect("room for a file");
    std::fs::read(path).expect("the file just written")
}

#[test]
fn thin_networks_have_pytorchs_features_at_every_tap() {
    let x: Vec<f32> = (numbers("x", 2 * 3 * 107 * 139).iter())
        .map(|&x| x as f32)
        .collect();
    for case in cases() {
        let graph = Graph::ALL.into_iter().find(|g| g.name() == case.graph);
        let file = thin(graph.expect("one of both"));
        let weights = Weights::parse(&bytes(&file), 16).expect("a complete file");
        let mut store = Store::new();
        weights.insert_into(&mut store);
        let tape = tape(&weights.network, [2, 3, 107, 139]);
        let backends = support::single_precision();
        for backend in [Backend::Reference].into_iter().chain(backends) {
            let mut program = backend.compile(&tape, &store).expect("all states");
            program.write("x", &x);
            program.run(&mut store).expect("a device that works");
            for (name, expected) in &case.features {
                let found = support::wide(program.read(name).unwrap());
                let error = error(&found, expected);
                let who = backend.describe();
                let graph = &case.graph;
                assert!(error < TOLERANCE, "{who}: {graph} at {name}: {error:e}");
            }
        }
    }
}

/// The largest difference, relative to the largest feature.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.map(|(f, e)| (f - e).abs()).fold(0.0, f64::max) / size
}

#[test]
fn a_network_has_as_many_numbers_as_the_published_one() {
    for graph in Graph::ALL {
        let parameters = Inception::new(graph).parameters();
        assert_eq!(parameters.len(), 2 * 94);
        // 23,885,392 floating-point numbers of the FID's file, less its last layer, and three of four of each norm's.
        let count: usize = parameters.iter().map(|p| p.shape.count()).sum();
        let channels: usize = parameters
            .iter()
            .skip(1)
            .step_by(2)
            .map(|p| p.shape.count())
            .sum();
        assert_eq!(count + 3 * channels, 23_885_392 - 2049 * 1008);
    }
}

/// What is said of a file after a change.
fn refused(graph: Graph, change: impl Fn(&mut TensorFile)) -> String {
    let mut file = thin(graph);
    change(&mut file);
    Weights::parse(&bytes(&file), 16).expect_err("a file to refuse")
}

const UNIT: &str = "Mixed_6b.branch7x7_2";

#[test]
fn damaged_and_foreign_files_are_refused_by_what_is_wrong_with_them() {
    let name = |what: &str| format!("{UNIT}.{what}");
    for what in [
        "conv.weight",
        "bn.weight",
        "bn.bias",
        "bn.running_mean",
        "bn.running_var",
    ] {
        let name = name(what);
        let without = refused(Graph::Fid, |file| drop(file.tensors.remove(&name)));
        assert!(without.starts_with(&format!("lacks {name};")), "{without}");
        let other = refused(Graph::Fid, |file| {
            file.tensors.insert(name.clone(), Tensor::zeros([3, 1]));
        });
        assert!(
            other.starts_with(&format!("has {name} of [3, 1] where [8")),
            "{other}"
        );
        let broken = refused(Graph::Fid, |file| {
            file.tensors.get_mut(&name).unwrap().data_mut()[1] = f32::NAN;
        });
        assert!(broken.contains("not finite; download"), "{broken}");
    }
    let negative = refused(Graph::Fid, |file| {
        let variance = file.tensors.get_mut(&name("bn.running_var"));
        variance.unwrap().data_mut()[1] = -1.0;
    });
    assert!(
        negative.starts_with("has a variance of -1 in"),
        "{negative}"
    );
    let large = refused(Graph::Fid, |file| {
        for what in ["bn.weight", "conv.weight"] {
            let tensor = file.tensors.get_mut(&name(what));
            tensor.unwrap().data_mut().fill(1e30);
        }
    });
    assert!(large.contains("beyond 32-bit floats"), "{large}");

    let whole = bytes(&thin(Graph::Fid));
    for cut in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        let message = Weights::parse(&whole[..cut], 16).unwrap_err();
        assert!(
            message.starts_with("is not a complete safetensors"),
            "{message}"
        );
    }
    for start in [&b"PK\x03\x04"[..], &[0x80, 2, 0x8a]] {
        let message = Weights::parse(start, 16).unwrap_err();
        assert!(message.contains("convert it with python3 -c"), "{message}");
    }
    let thick = Weights::parse(&whole, 1).unwrap_err();
    assert!(
        thick.starts_with("has Conv2d_1a_3x3.conv.weight of [2, 3, 3, 3] where [32, 3, 3, 3]"),
        "{thick}"
    );
}

#[test]
fn a_file_says_which_network_it_is() {
    let classes = |n: usize| {
        move |file: &mut TensorFile| {
            file.metadata.clear();
            let fc = Tensor::zeros([n, 2]);
            file.tensors.insert("fc.weight".into(), fc);
        }
    };
    let mut fid = thin(Graph::Fid);
    classes(1008)(&mut fid);
    let weights = Weights::parse(&bytes(&fid), 16).unwrap();
    assert_eq!(weights.network.graph, Graph::Fid);
    let torchvision = refused(Graph::Fid, classes(1000));
    assert!(torchvision.starts_with("is torchvision's"), "{torchvision}");
    let other = refused(Graph::Fid, classes(5));
    assert!(other.contains("graph=keras"), "{other}");
    let silent = refused(Graph::Fid, |file| file.metadata.clear());
    assert!(silent.starts_with("does not say which network"), "{silent}");
    let unknown = refused(Graph::Fid, |file| {
        file.metadata.insert("graph".into(), "\u{1b}[2J".into());
    });
    assert!(
        unknown.starts_with(r"is of the graph \u{1b}[2J by its metadata"),
        "{unknown}"
    );

    // Keras' norms have no γ, and all other tensors of a file may be of any type.
    let mut keras = thin(Graph::Keras);
    for (name, tensor) in &mut keras.tensors {
        if name.ends_with("bn.weight") {
            tensor.data_mut().fill(1.0);
        }
    }
    let with = Weights::parse(&bytes(&keras), 16).unwrap();
    keras.tensors.retain(|name, _| !name.ends_with("bn.weight"));
    let without = Weights::parse(&bytes(&keras), 16).unwrap();
    assert_ne!(with.sha256, without.sha256);
    let [with, without] = [with, without].map(|weights| {
        let mut store = Store::new();
        weights.insert_into(&mut store);
        store
    });
    assert_eq!(with.views().unwrap(), without.views().unwrap());
}

#[test]
fn a_file_is_named_with_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights");
    assert_eq!(find(Some(&path)).unwrap(), path);
    let message = Weights::read(&path).unwrap_err().to_string();
    assert!(message.starts_with("cannot read /"), "{message}");
    std::fs::write(&path, b"<html>").unwrap();
    let message = Weights::read(&path).unwrap_err().to_string();
    let start = format!("{} is not a complete safetensors file", path.display());
    assert!(message.starts_with(&start), "{message}");
}

/// Files of full size, which `tests/python/check_inception.py` writes: features within 1e-4, and how fast they come.
#[test]
#[ignore = "needs files that tests/python/check_inception.py writes, in the folder COULOMB_INCEPTION"]
fn files_of_full_size() {
    let folder = std::env::var_os("COULOMB_INCEPTION").expect("COULOMB_INCEPTION, a folder");
    let folder = PathBuf::from(folder);
    let start = Instant::now();
    let weights = Weights::read(&folder.join("weights.safetensors")).expect("weights");
    let reading = start.elapsed().as_secs_f64();
    let case = TensorFile::read(&folder.join("case.safetensors")).expect("a case");
    let x = &case.tensors["x"];
    let shape: [usize; 4] = x.shape()[..].try_into().expect("pictures");
    let mut store = Store::new();
    weights.insert_into(&mut store);
    let tape = tape(&weights.network, shape);
    let mut say = std::io::stderr();
    let Weights {
        network, sha256, ..
    } = &weights;
    writeln!(
        say,
        "\n{network:?}, SHA-256 {sha256}, read in {reading:.2} s"
    )
    .unwrap();
    let gpu = support::gpu(coulomb_gan::exec::Precision::Single);
    let cpus = [1, 2].map(|threads| Backend::cpu(Some(threads)).expect("two threads"));
    for backend in cpus.into_iter().chain(gpu) {
        let who = backend.describe();
        let mut program = backend.compile(&tape, &store).expect("all states");
        program.write("x", x.data());
        program.run(&mut store).expect("a device that works");
        for (name, expected) in case.tensors.iter().filter(|(name, _)| *name != "x") {
            let found = support::wide(program.read(name).unwrap());
            let error = error(&found, &support::wide(expected.data()));
            writeln!(say, "{who}: at {name} {error:.1e}").unwrap();
            assert!(error < 1e-4, "{who}: at {name} {error:e}");
        }
        let start = Instant::now();
        program.run(&mut store).expect("a device that works");
        program.wait().expect("a device that works");
        let rate = shape[0] as f64 / start.elapsed().as_secs_f64();
        writeln!(say, "{who}: {rate:.2} pictures/s").unwrap();
    }
}

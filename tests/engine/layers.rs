//! Proves that layers and networks of convolutions are what they say: gradients against finite differences,
//! the norms' statistics against sums written out here, activations at their kinks, and DCGANs in which
//! signals neither die nor explode.

use crate::support;
use coulomb_gan::exec::check::check_gradient;
use coulomb_gan::exec::{Backend, Precision, Store, reference};
use coulomb_gan::models::dcgan::{Norm, Output};
use coulomb_gan::models::{AutoEncoder, Dcgan, Mlp};
use coulomb_gan::nn::{
    self, Activation, BatchNorm, Conv2d, ConvTranspose2d, Init, Layer, LayerNorm, Mode, Network,
    Sequential, Statistics,
};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::tape::{Tape, Var, Window};

const WINDOW: Window = Window {
    stride: [2, 1],
    padding: [1, 0],
};

fn norm(name: &str, channels: usize, sampling: Statistics) -> BatchNorm {
    BatchNorm {
        name: name.into(),
        channels,
        sampling,
    }
}

/// A convolution, this norm of three channels, ELU, and a transposed convolution back to the pictures' size.
fn there_and_back(norm: Layer) -> Sequential {
    let down = Conv2d {
        name: "0".into(),
        inputs: 2,
        outputs: 3,
        kernel: [3, 2],
        window: WINDOW,
        weight: Init::Uniform(1.0),
        bias: Some(Init::Uniform(1.0)),
    };
    let up = ConvTranspose2d {
        name: "3".into(),
        inputs: 3,
        outputs: 2,
        kernel: [3, 2],
        window: WINDOW,
        output_padding: [1, 0],
        weight: Init::Uniform(1.0),
        bias: None,
    };
    let layers = vec![
        Layer::Conv2d(down),
        norm,
        Layer::Activation(Activation::Elu),
        Layer::ConvTranspose2d(up),
    ];
    Sequential { layers }
}

/// `Σ w y` with random weights `w`.
fn weighted(t: &mut Tape, y: Var) -> Var {
    let shape = t.shape(y).clone();
    let w = t.input("weights", shape);
    let product = t.mul(w, y);
    t.sum_all(product)
}

fn assert_gradient(what: &str, t: &Tape, loss: Var, wrt: &[Var]) {
    for seed in 0..2 {
        let mut source = support::random_source(t, seed, -1.0, 1.0);
        let worst = check_gradient(t, loss, wrt, 1e-5, &mut source).expect("something to compare");
        assert!(worst.error < 1e-7, "{what}, seed {seed}: {worst:?}");
    }
}

#[test]
fn gradients_of_a_convolutional_network_with_norms() {
    let layer_norm = LayerNorm {
        name: "1".into(),
        channels: 3,
    };
    for norm in [
        Layer::BatchNorm(norm("1", 3, Statistics::Running)),
        Layer::LayerNorm(layer_norm),
    ] {
        check_gradients(&there_and_back(norm));
    }
}

fn check_gradients(network: &Sequential) {
    let mut t = Tape::new();
    let x = t.input("x", [2, 2, 4, 3]);
    let y = network.record(&mut t, x, Mode::Train);
    assert_eq!(t.shape(y), t.shape(x));
    let mut wrt: Vec<Var> = network
        .parameters()
        .iter()
        .map(|p| p.record(&mut t))
        .collect();
    wrt.push(x);
    let loss = weighted(&mut t, y);
    assert_gradient("first order", &t, loss, &wrt);

    // A gradient penalty: the square of the slope with respect to the pictures has a gradient as well.
    let dx = t.grad(loss, &[x])[0];
    let square = t.square(dx);
    let penalty = t.sum_all(square);
    assert_gradient("second order", &t, penalty, &wrt);
}

#[test]
fn without_its_bias_a_layer_before_a_norm_computes_the_same() {
    let mut network = there_and_back(Layer::BatchNorm(norm("1", 3, Statistics::Batch)));
    let mut t = Tape::new();
    let x = t.input("x", [2, 2, 4, 3]);
    let with = network.record(&mut t, x, Mode::Train);
    let Layer::Conv2d(down) = &mut network.layers[0] else {
        panic!("a convolution comes first")
    };
    down.bias = None;
    let without = network.record(&mut t, x, Mode::Train);
    let difference = t.sub(with, without);
    let difference = support::value(
        &t,
        difference,
        &mut support::random_source(&t, 3, -1.0, 1.0),
    );
    assert!(difference.iter().all(|d| d.abs() < 1e-13));
}

/// Mean and biased variance of channel `c` of `x`, `[n, channels, pixels]`, written out.
fn statistics(x: &[f32], channels: usize, pixels: usize, c: usize) -> [f64; 2] {
    let own = |(i, _): &(usize, &f32)| i / pixels % channels == c;
    let own: Vec<f64> = (x.iter().enumerate().filter(own))
        .map(|(_, &x)| f64::from(x))
        .collect();
    let n = own.len() as f64;
    let mean = own.iter().sum::<f64>() / n;
    [
        mean,
        own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n,
    ]
}

#[test]
fn running_statistics_follow_pytorchs_rules() {
    let layer = norm("n", 3, Statistics::Running);
    for shape in [vec![4, 3, 2, 5], vec![4, 3]] {
        let pixels: usize = shape[2..].iter().product();
        for backend in [Backend::Reference, support::devices()[0][1].clone()] {
            let mut store = Store::new();
            nn::initialise(&layer.parameters(), 1, &mut store);
            nn::initialise(&layer.buffers(), 1, &mut store);
            let mut programs = [Mode::Train, Mode::Sample].map(|mode| {
                let mut t = Tape::new();
                let x = t.input("x", shape.clone());
                let y = layer.record(&mut t, x, mode);
                t.output("y", y);
                backend.compile(&t, &store).expect("all states")
            });
            let mut running = [[0.0, 1.0]; 3];
            let n = (4 * pixels) as f64;
            for step in 0..3 {
                let x = support::uniform(step, "x", 12 * pixels, 1.0, 5.0);
                let [train, sample] = &mut programs;
                train.write("x", &x);
                train.run(&mut store).unwrap();
                let before = store.get("n.running_mean").unwrap();
                sample.write("x", &x);
                sample.run(&mut store).unwrap();
                assert_eq!(
                    store.get("n.running_mean").unwrap(),
                    before,
                    "sampling assigns nothing"
                );
                for (c, r) in running.iter_mut().enumerate() {
                    let [mean, variance] = statistics(&x, 3, pixels, c);
                    *r = [
                        0.9 * r[0] + 0.1 * mean,
                        0.9 * r[1] + 0.1 * variance * n / (n - 1.0),
                    ];
                    for (what, expected) in [("mean", r[0]), ("var", r[1])] {
                        let kept = store
                            .get(&format!("n.running_{what}"))
                            .unwrap()
                            .expect("a buffer");
                        let kept = f64::from(kept.data()[c]);
                        assert!((kept - expected).abs() < 1e-5, "{what} {kept} {expected}");
                    }
                    let first = c * pixels; // of the first picture
                    let x = f64::from(x[first]);
                    for (program, [mean, variance]) in [(&*train, [mean, variance]), (&*sample, *r)]
                    {
                        let expected = (x - mean) / (variance + 1e-5).sqrt();
                        let y = f64::from(program.read("y").unwrap()[first]);
                        assert!((y - expected).abs() < 1e-4, "{y} {expected}");
                    }
                }
            }
        }
    }
}

/// From the formula, with sums written out: each row has its own statistics, each channel its own weight and bias.
#[test]
fn a_layer_norm_makes_rows_standard_and_channels_what_they_learn() {
    let layer = LayerNorm {
        name: "n".into(),
        channels: 3,
    };
    assert!(layer.buffers().is_empty());
    let (weight, bias) = ([0.5f32, -1.0, 2.0], [0.0f32, 0.25, -3.0]);
    for shape in [vec![4, 3, 2, 5], vec![4, 3]] {
        let row: usize = shape[1..].iter().product();
        let x = support::uniform(1, "x", 4 * row, 1.0, 5.0);
        for mode in [Mode::Train, Mode::Sample] {
            let mut t = Tape::new();
            let input = t.input("x", shape.clone());
            let y = layer.record(&mut t, input, mode);
            t.output("y", y);
            let store = support::store(&[
                ("n.weight", [3].into(), weight.into()),
                ("n.bias", [3].into(), bias.into()),
            ]);
            for backend in [Backend::Reference, support::devices()[0][1].clone()] {
                let mut store = store.duplicate().unwrap();
                let inputs = [("x", x.clone())];
                let mut program = support::compile(&backend, &t, &store, &inputs);
                program.run(&mut store).unwrap();
                let y = program.read("y").unwrap();
                for (i, (x, y)) in x.chunks(row).zip(y.chunks(row)).enumerate() {
                    let [mean, variance] = statistics(x, 1, row, 0);
                    for (at, (&x, &y)) in x.iter().zip(y).enumerate() {
                        let c = at / (row / 3);
                        let normal = (f64::from(x) - mean) / (variance + 1e-5).sqrt();
                        let expected = normal * f64::from(weight[c]) + f64::from(bias[c]);
                        assert!(
                            (f64::from(y) - expected).abs() < 1e-5,
                            "{i}: {y} {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn without_running_statistics_samples_depend_on_their_batch() {
    let layer = norm("n", 1, Statistics::Batch);
    assert!(layer.buffers().is_empty());
    let mut t = Tape::new();
    let x = t.input("x", [4, 1]);
    let y = layer.record(&mut t, x, Mode::Sample);
    let mut numbers = |name: &str| match name {
        "x" => vec![1.0, 3.0, 1.0, 3.0],
        "n.weight" => vec![2.0],
        _ => vec![0.5],
    };
    let y = support::value(&t, y, &mut numbers);
    let expected = 2.0 / (1.0f64 + 1e-5).sqrt();
    for (y, sign) in y.iter().zip([-1.0, 1.0, -1.0, 1.0]) {
        assert!((y - (0.5 + sign * expected)).abs() < 1e-12, "{y}");
    }
}

#[test]
#[should_panic(expected = "n: a variance needs two numbers")]
fn one_number_has_no_variance() {
    let mut t = Tape::new();
    let x = t.input("x", [1, 3]);
    norm("n", 3, Statistics::Running).record(&mut t, x, Mode::Train);
}

#[test]
fn activations_and_their_slopes_at_the_kink() {
    let at = [-2.0, -1e-12, 0.0, 1e-12, 2.0];
    let cases: [(Activation, [f64; 5], [f64; 5]); 2] = [
        (
            Activation::Relu,
            [0.0, 0.0, 0.0, 1e-12, 2.0],
            [0.0, 0.0, 0.0, 1.0, 1.0],
        ),
        (
            Activation::LeakyRelu(0.25),
            [-0.5, -0.25e-12, 0.0, 1e-12, 2.0],
            [0.25, 0.25, 0.25, 1.0, 1.0],
        ),
    ];
    for (activation, values, slopes) in cases {
        let mut t = Tape::new();
        let x = t.input("x", [5]);
        let y = activation.record(&mut t, x, Mode::Train);
        let dx = t.grad_of_sum(y, &[x])[0];
        let ddx = t.grad_of_sum(dx, &[x])[0];
        assert_eq!(support::value(&t, y, &mut |_| at.to_vec()), values);
        assert_eq!(support::value(&t, dx, &mut |_| at.to_vec()), slopes);
        assert_eq!(support::value(&t, ddx, &mut |_| at.to_vec()), [0.0; 5]);
    }
}

#[test]
fn sizes_and_bounds() {
    let at = [-3.0, -0.5, 0.0, 0.25, 2.0, f64::NAN];
    let mut t = Tape::new();
    let x = t.input("x", [6]);
    let (size, bounded) = (t.abs(x), t.clamp(x, -1.0, 0.25));
    t.output("size", size);
    t.output("bounded", bounded);
    let slope = t.grad_of_sum(size, &[x])[0];
    let slopes = support::value(&t, slope, &mut |_| at.to_vec());
    assert_eq!(slopes[..5], [-1.0, -1.0, -1.0, 1.0, 1.0]);
    let numbers = at.map(|x| x as f32).to_vec();
    for backend in [Backend::Reference, support::devices()[0][1].clone()] {
        let mut store = Store::new();
        let mut program = support::compile(&backend, &t, &store, &[("x", numbers.clone())]);
        program.run(&mut store).unwrap();
        let size = program.read("size").unwrap();
        assert_eq!(size[..5], [3.0, 0.5, 0.0, 0.25, 2.0]);
        let bounded = program.read("bounded").unwrap();
        assert_eq!(bounded[..5], [-1.0, -0.5, 0.0, 0.25, 0.25]);
        assert!(size[5].is_nan() && bounded[5].is_nan());
    }
}

#[test]
fn gains_are_the_inverse_mean_square_of_a_normal_deviate() {
    for f in [
        Activation::Elu,
        Activation::Relu,
        Activation::LeakyRelu(0.2),
    ] {
        let n = 200_001;
        let x: Vec<f64> = (0..n)
            .map(|i| 20.0 * i as f64 / (n - 1) as f64 - 10.0)
            .collect();
        let mut t = Tape::new();
        let v = t.input("x", [n]);
        let y = f.record(&mut t, v, Mode::Train);
        let y = support::value(&t, y, &mut |_| x.clone());
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let square: f64 = x.iter().zip(&y).map(|(x, y)| y * y * density(*x)).sum();
        let square = square * 20.0 / (n - 1) as f64;
        assert!((f.gain() * square - 1.0).abs() < 1e-4, "{f:?}: {square}");
    }
}

#[test]
fn lecuns_tanh_keeps_one_and_bends_most_there() {
    let mut t = Tape::new();
    let x = t.input("x", [3]);
    let y = t.lecun_tanh(x);
    let mut bend = y;
    for _ in 0..3 {
        bend = t.grad_of_sum(bend, &[x])[0];
    }
    let at = [-1.0, 1.0, 100.0];
    let y = support::value(&t, y, &mut |_| at.to_vec());
    assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4 && y[2] == 1.7159);
    let third = support::value(&t, bend, &mut |_| at.to_vec());
    assert!(
        third[1].abs() < 0.02,
        "the second derivative peaks: {third:?}"
    );
}

fn dcgan(side: usize, width: usize, norm: Norm) -> Dcgan {
    let released = norm == Norm::Batch;
    Dcgan {
        side,
        width,
        z_dim: 6,
        norm,
        activation_g: if released {
            Activation::Relu
        } else {
            Activation::Elu
        },
        activation_d: if released {
            Activation::LeakyRelu(0.2)
        } else {
            Activation::Elu
        },
        output: if released {
            Output::LeCunTanh
        } else {
            Output::Tanh
        },
        sampling: Statistics::Running,
    }
}

fn listing(network: &dyn Network) -> Vec<String> {
    let all = [network.parameters(), network.buffers()].concat();
    all.iter()
        .map(|p| format!("{} {}", p.name, p.shape))
        .collect()
}

#[test]
fn the_papers_networks_have_pytorchs_names_and_shapes() {
    let plain = dcgan(32, 1024, Norm::None);
    assert_eq!(
        listing(&plain.generator("generator")),
        [
            "generator.project.weight [16384, 6]",
            "generator.project.bias [16384]",
            "generator.layers.0.weight [1024, 512, 5, 5]",
            "generator.layers.0.bias [512]",
            "generator.layers.2.weight [512, 256, 5, 5]",
            "generator.layers.2.bias [256]",
            "generator.layers.4.weight [256, 3, 5, 5]",
            "generator.layers.4.bias [3]",
        ]
    );
    assert_eq!(
        listing(&plain.discriminator("discriminator")),
        [
            "discriminator.layers.0.weight [128, 3, 5, 5]",
            "discriminator.layers.0.bias [128]",
            "discriminator.layers.2.weight [256, 128, 5, 5]",
            "discriminator.layers.2.bias [256]",
            "discriminator.layers.4.weight [512, 256, 5, 5]",
            "discriminator.layers.4.bias [512]",
            "discriminator.score.weight [1, 8192]",
            "discriminator.score.bias [1]",
        ]
    );
    let normed = dcgan(16, 32, Norm::Batch);
    assert_eq!(
        listing(&normed.generator("g")),
        [
            "g.project.weight [512, 6]",
            "g.project_norm.weight [32]",
            "g.project_norm.bias [32]",
            "g.layers.0.weight [32, 16, 5, 5]",
            "g.layers.1.weight [16]",
            "g.layers.1.bias [16]",
            "g.layers.3.weight [16, 3, 5, 5]",
            "g.layers.3.bias [3]",
            "g.project_norm.running_mean [32]",
            "g.project_norm.running_var [32]",
            "g.layers.1.running_mean [16]",
            "g.layers.1.running_var [16]",
        ]
    );
    assert_eq!(
        listing(&normed.discriminator("d")),
        [
            "d.layers.0.weight [8, 3, 5, 5]",
            "d.layers.0.bias [8]",
            "d.layers.2.weight [16, 8, 5, 5]",
            "d.layers.3.weight [16]",
            "d.layers.3.bias [16]",
            "d.score.weight [1, 256]",
            "d.score.bias [1]",
        ]
    );
    // Layer norms are the discriminator's; in front of them biases stay.
    let layered = dcgan(16, 32, Norm::Layer);
    assert_eq!(
        listing(&layered.discriminator("d")),
        [
            "d.layers.0.weight [8, 3, 5, 5]",
            "d.layers.0.bias [8]",
            "d.layers.2.weight [16, 8, 5, 5]",
            "d.layers.2.bias [16]",
            "d.layers.3.weight [16]",
            "d.layers.3.bias [16]",
            "d.score.weight [1, 256]",
            "d.score.bias [1]",
        ]
    );
    assert_eq!(
        listing(&layered.generator("g")),
        listing(&normed.generator("g"))
    );
    // An auto-encoder has the halves of both, and keeps no statistics: it is shown two batches.
    let halves = normed.auto_encoder("d");
    assert_eq!(
        listing(&halves),
        [
            "d.encoder.layers.0.weight [8, 3, 5, 5]",
            "d.encoder.layers.0.bias [8]",
            "d.encoder.layers.2.weight [16, 8, 5, 5]",
            "d.encoder.layers.3.weight [16]",
            "d.encoder.layers.3.bias [16]",
            "d.encoder.code.weight [6, 256]",
            "d.encoder.code.bias [6]",
            "d.decoder.project.weight [512, 6]",
            "d.decoder.project_norm.weight [32]",
            "d.decoder.project_norm.bias [32]",
            "d.decoder.layers.0.weight [32, 16, 5, 5]",
            "d.decoder.layers.1.weight [16]",
            "d.decoder.layers.1.bias [16]",
            "d.decoder.layers.3.weight [16, 3, 5, 5]",
            "d.decoder.layers.3.bias [3]",
        ]
    );
    let decays = |p: &nn::Parameter| p.decays == p.name.ends_with("weight");
    let parameters = plain.generator("g").parameters();
    assert!(
        parameters.iter().all(decays),
        "filters decay, biases do not"
    );
    let norms = normed.generator("g").parameters();
    assert!(
        norms.iter().all(|p| p.decays == (p.shape.len() > 1)),
        "nor do norms"
    );
}

/// A fresh pair of networks passes signals on: every layer's standard deviation is between a third and three.
#[test]
fn signals_keep_their_size_through_fresh_networks() {
    for (side, norm) in [
        (32, Norm::None),
        (128, Norm::None),
        (32, Norm::Batch),
        (32, Norm::Layer),
    ] {
        let networks = dcgan(side, 64, norm);
        let (g, d) = (networks.generator("g"), networks.discriminator("d"));
        let mut t = Tape::new();
        let z = t.input("z", [4, 6]);
        let x = g.record(&mut t, z, Mode::Train);
        assert_eq!(t.shape(x)[..], [4, 3, side, side]);
        let y = d.record(&mut t, x, Mode::Train);
        assert_eq!(t.shape(y)[..], [4, 1]);
        let mut store = Store::new();
        for parameters in [g.parameters(), g.buffers(), d.parameters()] {
            nn::initialise(&parameters, 7, &mut store);
        }
        let values = reference::evaluate(&t, &mut |name| match store.get(name).unwrap() {
            Some(tensor) => support::wide(tensor.data()),
            None => {
                let mut z = vec![0.0; 24];
                let mut rng = coulomb_gan::numbers::rng::stream(1, "z", 0);
                coulomb_gan::numbers::rng::fill_normal(&mut rng, &mut z);
                support::wide(&z)
            }
        });
        let mut layers = 0;
        for (i, node) in t.nodes().iter().enumerate() {
            // The last operation of each layer but the score, which is one number per picture.
            let ends = t.nodes().get(i + 1).is_none_or(|n| n.layer != node.layer);
            if ends && node.shape.len() == 4 && !node.layer.is_empty() {
                let square = values[i].iter().map(|x| x * x).sum::<f64>();
                let size = (square / values[i].len() as f64).sqrt();
                assert!(
                    (0.3..3.0).contains(&size),
                    "{} of {side}: {size}",
                    node.layer
                );
                layers += 1;
            }
        }
        assert!(layers > 5, "only {layers} layers were looked at");
    }
}

/// Decoding what has been encoded is what the whole records, for two batches on one tape, and gradients reach both halves.
#[test]
fn an_auto_encoder_is_its_halves_one_after_the_other() {
    let plane = AutoEncoder::new(
        Box::new(Mlp::new("d.encoder", &[2, 4, 3])),
        Box::new(Mlp::new("d.decoder", &[3, 5, 2])),
    );
    let pictures = dcgan(16, 16, Norm::Batch).auto_encoder("d");
    for (network, point) in [(plane, vec![2]), (pictures, vec![3, 16, 16])] {
        let mut t = Tape::new();
        let [x, y] = ["x", "y"].map(|name| t.input(name, [&[2], &point[..]].concat()));
        let [whole, _] = [x, y].map(|v| network.record(&mut t, v, Mode::Train));
        assert_eq!(t.shape(whole), t.shape(x));
        let [encoder, decoder] = network.halves().expect("two halves");
        let code = encoder.record(&mut t, x, Mode::Train);
        assert_eq!(t.shape(code).len(), 2);
        let again = decoder.record(&mut t, code, Mode::Train);
        let same = support::value(&t, whole, &mut support::random_source(&t, 3, -1.0, 1.0));
        let other = support::value(&t, again, &mut support::random_source(&t, 3, -1.0, 1.0));
        assert_eq!(same, other);
        let names = |network: &dyn Network| listing(network);
        assert_eq!(names(&network), [names(encoder), names(decoder)].concat());
        assert!(encoder.halves().is_none());
    }
    // Small enough for every number to be moved.
    let network = AutoEncoder::new(
        Box::new(Mlp::new("d.encoder", &[2, 4, 3])),
        Box::new(Mlp::new("d.decoder", &[3, 5, 2])),
    );
    let mut t = Tape::new();
    let x = t.input("x", [3, 2]);
    let y = network.record(&mut t, x, Mode::Train);
    let parameters = network.parameters().into_iter();
    let wrt: Vec<Var> = parameters.map(|p| p.record(&mut t)).collect();
    let loss = weighted(&mut t, y);
    assert_gradient("auto-encoder", &t, loss, &wrt);
}

/// What training needs of both networks, in `f32` and in `f64`: outputs, gradients, running statistics.
#[test]
fn a_generator_and_a_discriminator_run_alike_everywhere() {
    for (norm, sampling) in [
        (Norm::None, Statistics::Running),
        (Norm::Batch, Statistics::Running),
        (Norm::Batch, Statistics::Batch),
        (Norm::Layer, Statistics::Running),
    ] {
        let networks = Dcgan {
            sampling,
            ..dcgan(16, 16, norm)
        };
        let (g, d) = (networks.generator("g"), networks.discriminator("d"));
        let mut t = Tape::new();
        let z = t.input("z", [3, 6]);
        let x = g.record(&mut t, z, Mode::Train);
        let score = d.record(&mut t, x, Mode::Train);
        let loss = t.mean_all(score);
        let mut names = vec![];
        for p in [g.parameters(), d.parameters()].concat() {
            let v = p.record(&mut t);
            let gradient = t.grad(loss, &[v])[0];
            t.output(&p.name, gradient);
            names.push(p.name);
        }
        t.output("loss", loss);
        names.push("loss".into());
        let mut fresh = Store::new();
        for parameters in [g.parameters(), g.buffers(), d.parameters()] {
            nn::initialise(&parameters, 11, &mut fresh);
        }
        let z = support::uniform(1, "z", 18, -1.5, 1.5);
        let run = |backend: &Backend| {
            let mut store = fresh.duplicate().unwrap();
            let mut program = support::compile(backend, &t, &store, &[("z", z.clone())]);
            program.run(&mut store).unwrap();
            let outputs: Vec<Vec<f32>> = names
                .iter()
                .map(|n| program.read(n).unwrap().to_vec())
                .collect();
            let kept = g.buffers().into_iter();
            let kept: Vec<Tensor> = kept
                .map(|b| store.get(&b.name).unwrap().expect("kept"))
                .collect();
            (outputs, kept)
        };
        let (expected, expected_kept) = run(&Backend::Reference);
        let cpu = support::devices()[0][1].clone();
        for backend in [Some(cpu), support::gpu(Precision::Single)]
            .into_iter()
            .flatten()
        {
            let (outputs, kept) = run(&backend);
            for (name, (a, b)) in names.iter().zip(outputs.iter().zip(&expected)) {
                let scale = b.iter().fold(1e-3f32, |m, x| m.max(x.abs()));
                let far = a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3 * scale);
                assert!(!far, "{name} with {norm:?}");
            }
            for (a, b) in kept.iter().zip(&expected_kept) {
                let far = a
                    .data()
                    .iter()
                    .zip(b.data())
                    .any(|(a, b)| (a - b).abs() > 1e-4);
                assert!(!far, "running statistics");
            }
        }
    }
}

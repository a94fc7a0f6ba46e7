//! Every GPU kernel is valid WGSL and stays valid with its overrides replaced, without any GPU: each file in `kernels/` as
//! it stands, and everything that the presets and the cases of the other tests compile, for real devices and for
//! software, in both precisions.

use std::collections::HashSet;
use std::path::Path;

use coulomb_gan::exec::Precision;
use coulomb_gan::exec::gpu::{Engine, Source, sources};
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Tape, Window};
use coulomb_gan::train::model::Model;
use coulomb_gan::train::presets::{PRESETS, preset};
use wgpu::naga;
use wgpu::naga::back::PipelineConstants;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

/// Parses and validates a module, then once more with these values for its overrides.
fn validate(name: &str, text: &str, overrides: &[(String, f64)]) {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{name}: {}\n{text}", e.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}\n{text}", e.emit_to_string(text)));
    assert!(
        module.entry_points.iter().all(|entry| entry.name == "main"),
        "{name}"
    );
    let values: PipelineConstants = overrides.iter().cloned().collect();
    naga::back::pipeline_constants::process_overrides(&module, &info, None, &values)
        .unwrap_or_else(|e| panic!("{name} with {overrides:?}: {e}\n{text}"));
}

#[test]
fn every_file_is_a_module() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".wgsl"), "kernels/{name}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("// "), "{name} does not say what it is");
        validate(&name, &text, &[]);
        files += 1;
    }
    assert!(files > 10);
}

/// Validates what is compiled for a tape, each kernel once.
fn validate_tape(tape: &Tape, seen: &mut HashSet<String>) {
    for precision in [Precision::Single, Precision::Half] {
        for engine in [
            Engine::Hardware,
            Engine::Software,
            Engine::Cores,
            Engine::EmulatedCores,
        ] {
            for source in sources(tape, precision, engine) {
                let Source {
                    name,
                    text,
                    overrides,
                } = source;
                if seen.insert(format!("{overrides:?}{text}")) {
                    validate(name, &text, &overrides);
                }
            }
        }
    }
}

#[test]
fn everything_the_presets_compile() {
    let mut seen = HashSet::new();
    for (name, _) in PRESETS {
        let config = preset(name).unwrap();
        let model = Model::new(&config);
        for part in model.record(&config) {
            validate_tape(&part.tape, &mut seen);
        }
        validate_tape(&model.record_gauge(&config, 64), &mut seen);
    }
    assert!(seen.len() > 100, "{} kernels", seen.len());
}

/// Every contraction and rearrangement with plain, fused and kept results, for small and for large sizes.
#[test]
fn everything_the_primitives_compile() {
    let mut seen = HashSet::new();
    for n in [1, 3, 70, 300, 5000] {
        let mut t = Tape::new();
        let (a, b) = (t.input("a", [n, 7]), t.input("b", [7, n.min(300)]));
        let product = t.matmul(a, false, b, false);
        let (at, bt) = (t.transpose(a), t.transpose(b));
        let other = t.matmul(at, true, bt, true);
        let both = t.add(product, other);
        t.output("product", product);
        t.output("both", both);
        for axes in [0..1, 1..2, 0..2] {
            let sum = t.sum(product, axes.clone());
            let wide = t.broadcast(sum, [2, n, n.min(300)]);
            let tanh = t.tanh(wide);
            t.output(&format!("{axes:?}"), tanh);
        }
        for axes in [0..1, 1..2, 0..2] {
            let largest = t.reduce_max(a, axes.clone());
            let bent = t.tanh(largest);
            t.output(&format!("largest {axes:?}"), bent);
        }
        let part = t.slice(a, 1, 2..5);
        let joined = t.concat(&[a, part], 1);
        let joined = t.tanh(joined);
        t.output("joined", joined);
        for m in [2, 17] {
            let [a, y, x] = ["p", "y", "x"].map(|name| t.input(&format!("{name}{m}"), [n, m]));
            let epsilon = t.constant(1.0, [1]);
            let charges = Interaction {
                d: 3,
                epsilon,
                a,
                y,
                x,
            };
            let (phi, e) = (t.potential(charges), t.field(charges));
            let h = t.curvature(charges, e);
            for (what, v) in [("phi", phi), ("e", e), ("h", h)] {
                t.output(&format!("{what}{m}"), v);
            }
        }
        validate_tape(&t, &mut seen);
    }
    for (kernel, stride, padding) in [
        (1, [1, 1], [0, 0]),
        (5, [2, 2], [2, 2]),
        (3, [1, 3], [0, 1]),
    ] {
        for channels in [1, 3, 130] {
            let mut t = Tape::new();
            let window = Window { stride, padding };
            let x = t.input("x", [4, channels, 9, 12]);
            let w = t.input("w", [channels + 1, channels, kernel, kernel]);
            let y = t.conv2d(x, w, window);
            let y = t.elu(y);
            let back = t.conv2d_input_grad(y, w, window, [9, 12]);
            let dw = t.conv2d_weight_grad(back, y, window, [kernel, kernel]);
            t.output("dw", dw);
            if padding[1] < kernel {
                let padding = [0, padding[1]];
                let pooled = t.max_pool2d(x, [kernel; 2], Window { stride, padding });
                let dx = t.grad_of_sum(pooled, &[x])[0];
                t.output("pooled", pooled);
                t.output("dx", dx);
            }
            validate_tape(&t, &mut seen);
        }
    }
}

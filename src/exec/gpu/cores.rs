//! Whether a device has tensor cores that this program can use, and whether they compute what they should.

use wgpu::{Adapter, CooperativeScalarType, Features};

use super::device::Device;
use super::program::Program;
use super::tile::Engine;
use crate::exec::Store;
use crate::numbers::{Result, Tensor, rng};
use crate::tape::{Tape, Window};

/// Whether `adapter` multiplies 16 x 16 x 16 halves and adds up singles, with subgroups of 32 threads.
pub(super) fn are_offered(adapter: &Adapter) -> bool {
    let needed = Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16;
    let info = adapter.get_info();
    let right = adapter.cooperative_matrix_properties().iter().any(|p| {
        [p.m_size, p.n_size, p.k_size] == [16; 3]
            && p.ab_type == CooperativeScalarType::F16
            && p.cr_type == CooperativeScalarType::F32
    });
    adapter.features().contains(needed)
        && right
        && [info.subgroup_min_size, info.subgroup_max_size] == [32; 2]
}

/// Compares products and convolutions of `engine` with those of the device's own: every tile, sizes that fill none, and
/// several times, as a race need not show at once.
///
/// # Errors
/// If the device fails altogether.
pub(super) fn are_right(device: &Device, engine: Engine) -> Result<bool> {
    let (tape, store) = sample()?;
    let own = device.engine();
    let outputs = [own, engine].map(|engine| {
        device.set_engine(engine);
        outputs(device, &tape, &store)
    });
    device.set_engine(own);
    let [expected, found] = outputs;
    Ok(agree(&expected?, &found?))
}

/// All outputs of the last of some runs.
fn outputs(device: &Device, tape: &Tape, store: &Store) -> Result<Vec<Vec<f32>>> {
    let mut store = store.duplicate()?;
    let mut program = Program::new(device, tape, &store)?;
    for _ in 0..RUNS {
        program.run(&mut store)?;
    }
    let names = tape.outputs().iter().map(|(name, _)| name);
    names
        .map(|name| Ok(program.output(name)?.to_vec()))
        .collect()
}

/// Whether numbers are near those expected. Mostly the same halves are multiplied, but sums are in another order.
fn agree(expected: &[Vec<f32>], found: &[Vec<f32>]) -> bool {
    expected.iter().zip(found).all(|(a, b)| {
        let largest = a.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= 1e-3 * largest)
    })
}

/// Runs of which the last is looked at, each after all others have been overwritten.
const RUNS: usize = 3;

/// A tape with every kind of product on random weights.
fn sample() -> Result<(Tape, Store)> {
    let mut t = Tape::new();
    let mut store = Store::new();
    let mut random = |t: &mut Tape, name: &str, shape: &[usize]| -> Result<_> {
        let mut values = vec![0.0; shape.iter().product()];
        rng::fill_normal(&mut rng::stream(1, name, 0), &mut values);
        store.insert(name, &Tensor::new(shape, values)?);
        Ok(t.state(name, shape))
    };
    let (a, b) = (
        random(&mut t, "a", &[150, 90])?,
        random(&mut t, "b", &[90, 140])?,
    );
    let product = t.matmul(a, false, b, false);
    t.output("product", product);
    let turned = t.matmul(b, true, a, true);
    t.output("turned", turned);
    // Grids that fill a device with the largest tile, and with the one between.
    let long = random(&mut t, "long", &[1024, 128])?;
    for (name, columns) in [("largest", 4352), ("between", 2176)] {
        let factor = random(&mut t, &format!("{name} factor"), &[128, columns])?;
        let product = t.matmul(long, false, factor, false);
        t.output(name, product);
    }
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let (x, w) = (
        random(&mut t, "x", &[9, 40, 11, 12])?,
        random(&mut t, "w", &[70, 40, 5, 5])?,
    );
    let y = t.conv2d(x, w, window);
    t.output("y", y);
    let back = t.conv2d_input_grad(y, w, window, [11, 12]);
    t.output("back", back);
    let filters = t.conv2d_weight_grad(x, y, window, [5, 5]);
    t.output("filters", filters);
    Ok((t, store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Precision;
    use crate::exec::gpu::device::device_for_tests;

    /// The comparison at the start, with arithmetic in place of tensor cores.
    #[test]
    fn emulated_cores_pass_the_comparison() {
        let Some(device) = device_for_tests(Precision::Half) else {
            return;
        };
        let own = device.engine();
        assert!(are_right(&device, Engine::EmulatedCores).unwrap());
        assert_eq!(device.engine(), own);
    }

    #[test]
    fn one_wrong_number_is_enough() {
        let right = vec![vec![1.0, -2.0], vec![3.0]];
        assert!(agree(&right, &[vec![1.001, -2.0], vec![3.0]]));
        for wrong in [1.01, f32::NAN, f32::INFINITY] {
            assert!(!agree(&right, &[vec![wrong, -2.0], vec![3.0]]));
            assert!(!agree(&right, &[vec![1.0, -2.0], vec![wrong]]));
        }
    }
}

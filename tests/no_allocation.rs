//! Proves that a compiled training step allocates no memory for tensors: after its first run, many more runs
//! together make not one allocation of 1 KiB or more, with one thread and with two. (Handing a run to a
//! crew of threads may allocate a few bytes of bookkeeping.)
//!
//! This file holds one test, because it watches the allocations of the whole process.

#![expect(
    unsafe_code,
    reason = "a global allocator that counts is an unsafe trait to implement"
)]

#[allow(dead_code, reason = "some of it is for `tests/engine` only")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Op, Tape, Var, Window};

/// The smallest allocation that counts: every tensor below is larger.
const LARGE: usize = 1024;

static WATCHING: AtomicBool = AtomicBool::new(false);
static LARGE_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting large allocations while [`WATCHING`].
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn count(size: usize) {
        if size >= LARGE && WATCHING.load(Ordering::Relaxed) {
            LARGE_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the trait's promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size());
        // SAFETY: the caller's promises are exactly those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size);
        // SAFETY: as in `alloc`; `block` came from `System`, because everything here does.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How many large allocations `work` makes.
fn large_allocations(work: impl FnOnce()) -> usize {
    LARGE_ALLOCATIONS.store(0, Ordering::Relaxed);
    WATCHING.store(true, Ordering::Relaxed);
    work();
    WATCHING.store(false, Ordering::Relaxed);
    LARGE_ALLOCATIONS.load(Ordering::Relaxed)
}

/// A network of two hidden ELU layers; its result and its parameters.
fn network(t: &mut Tape, name: &str, x: Var, sizes: [usize; 4]) -> (Var, Vec<Var>) {
    let rows = t.shape(x)[0];
    let (mut h, mut parameters) = (x, vec![]);
    for (i, size) in sizes.windows(2).enumerate() {
        let w = t.state(&format!("{name}.{i}.weight"), [size[1], size[0]]);
        let b = t.state(&format!("{name}.{i}.bias"), [size[1]]);
        parameters.extend([w, b]);
        let product = t.matmul(h, false, w, true);
        let bias = t.broadcast(b, [rows, size[1]]);
        let sum = t.add(product, bias);
        h = if i < 2 { t.elu(sum) } else { sum };
    }
    (h, parameters)
}

/// Gradient descent with a moment, scaled by a second moment, as in Adam.
fn update(t: &mut Tape, parameters: &[Var], loss: Var) {
    let gradients = t.grad(loss, parameters);
    for (i, (&w, g)) in parameters.iter().zip(gradients).enumerate() {
        let shape = t.shape(w).clone();
        let owner = t.node(w).op.clone();
        let Op::State { name } = owner else {
            panic!("parameter {i} is a state");
        };
        let (m, v) = (
            t.state(&format!("m.{name}"), &shape),
            t.state(&format!("v.{name}"), &shape),
        );
        let (old, new) = (t.scale(m, 0.9), t.scale(g, 0.1));
        let next_m = t.add(old, new);
        let square = t.square(g);
        let (old, new) = (t.scale(v, 0.999), t.scale(square, 0.001));
        let next_v = t.add(old, new);
        let root = t.sqrt(next_v);
        let below = t.affine(root, 1.0, 1e-8);
        let ratio = t.div(next_m, below);
        let change = t.scale(ratio, -1e-3);
        let next = t.add(w, change);
        t.assign(m, next_m);
        t.assign(v, next_v);
        t.assign(w, next);
    }
}

/// One step of Algorithm 1: generated points, their potential among the real ones, a critic that learns the
/// potential, a generator that climbs the critic, both updated.
fn training_step() -> Tape {
    let mut t = Tape::new();
    let (z, y) = (t.input("z", [96, 16]), t.input("y", [96, 5]));
    let (x, generator) = network(&mut t, "g", z, [16, 48, 48, 5]);
    let (d_x, critic) = network(&mut t, "d", x, [5, 48, 48, 1]);
    let (d_y, _) = network(&mut t, "d", y, [5, 48, 48, 1]);
    let epsilon = t.constant(1.0, [1]);
    let mut losses = vec![];
    for (a, d) in [(x, d_x), (y, d_y)] {
        let a = t.stop_gradient(a);
        let x = t.stop_gradient(x);
        let phi = t.potential(Interaction {
            d: 3,
            epsilon,
            a,
            y,
            x,
        });
        let d = t.reshape(d, [96]);
        let error = t.sub(d, phi);
        let square = t.square(error);
        losses.push(t.mean_all(square));
    }
    let sum = t.add(losses[0], losses[1]);
    let loss_d = t.scale(sum, 0.25);
    let mean = t.mean_all(d_x);
    let loss_g = t.scale(mean, -0.5);
    update(&mut t, &critic, loss_d);
    update(&mut t, &generator, loss_g);
    t.output("loss_d", loss_d);
    t.output("loss_g", loss_g);
    t
}

/// One step of an autoencoder of pictures: a convolution, its transpose, gradients of both, updates.
fn picture_step() -> Tape {
    let mut t = Tape::new();
    let y = t.input("y", [32, 3, 16, 16]);
    let window = Window {
        stride: [2; 2],
        padding: [2; 2],
    };
    let (down, up) = (t.state("down", [12, 3, 5, 5]), t.state("up", [12, 3, 5, 5]));
    let code = t.conv2d(y, down, window);
    let code = t.elu(code);
    let x = t.conv2d_input_grad(code, up, window, [16, 16]);
    let error = t.sub(x, y);
    let square = t.square(error);
    let loss = t.mean_all(square);
    update(&mut t, &[down, up], loss);
    t.output("loss_d", loss);
    t
}

/// A store with small random parameters and zero moments.
fn initial(tape: &Tape) -> Store {
    let mut store = Store::new();
    for node in tape.nodes() {
        if let Op::State { name } = &node.op {
            let mut tensor = Tensor::zeros(&node.shape);
            if !name.starts_with(['m', 'v']) {
                let values = support::uniform(1, name, node.shape.count(), -0.3, 0.3);
                tensor.data_mut().copy_from_slice(&values);
            }
            store.insert(name, &tensor);
        }
    }
    store
}

#[test]
fn a_training_step_allocates_no_tensors() {
    let noticed = large_allocations(|| drop(std::hint::black_box(vec![0u8; LARGE])));
    assert_eq!(noticed, 1, "the counter counts");
    // Threads that start or end allocate: both crews live throughout, and the one that has threads of its own
    // runs first, so that they have all started when somebody counts.
    let backends = [2, 1].map(|n| Backend::cpu(Some(n)).expect("two threads"));
    for (tape, steps) in [(training_step(), 300), (picture_step(), 60)] {
        for backend in &backends {
            check(&tape, steps, backend);
        }
    }
}

/// Runs `tape` once, then `steps` times without a large allocation and with a falling loss.
fn check(tape: &Tape, steps: usize, backend: &Backend) {
    let mut store = initial(tape);
    let mut program = backend.compile(tape, &store).expect("all states");
    let inputs: Vec<(&str, Vec<f32>)> = (tape.nodes().iter())
        .filter_map(|node| match &node.op {
            Op::Input { name } => {
                let values = support::uniform(2, name, node.shape.count(), -1.0, 1.0);
                Some((name.as_str(), values))
            }
            _ => None,
        })
        .collect();
    let mut losses = [0.0; 2];
    let mut step = |store: &mut Store| {
        for (name, values) in &inputs {
            program.write(name, values);
        }
        program.run(store).unwrap();
        program.scalar("loss_d").unwrap()
    };
    losses[0] = step(&mut store);
    let count = large_allocations(|| {
        for _ in 0..steps {
            losses[1] = step(&mut store);
        }
    });
    assert_eq!(count, 0, "large allocations on {}", backend.describe());
    assert!(
        store.is_finite().unwrap() && losses[1] < losses[0],
        "{losses:?}"
    );
}

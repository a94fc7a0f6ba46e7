//! Proves that mistakes are refused while recording or compiling, with a message that names the operation, the
//! layer and the shapes, and that odd but legal recordings work.

use crate::support;
use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::tape::op::Interaction;
use coulomb_gan::tape::{Tape, Var};

#[test]
fn names_are_recorded_once() {
    let mut t = Tape::new();
    let x = t.input("x", [2, 3]);
    assert_eq!(t.input("x", [2, 3]), x);
    let w = t.state("w", [2]);
    assert_eq!(t.state("w", [2]), w);
}

/// The message with which a recording is refused.
fn refusal(record: impl FnOnce(&mut Tape) + std::panic::UnwindSafe) -> String {
    let caught = std::panic::catch_unwind(|| {
        let mut t = Tape::new();
        t.layer("critic", |t| t.layer("2", |t| record(t)));
    });
    let payload = caught.expect_err("a recording that makes no sense");
    payload.downcast_ref::<String>().expect("a message").clone()
}

fn charges(
    t: &mut Tape,
    a: &[usize],
    y: &[usize],
    x: &[usize],
    epsilon: &[usize],
    d: u32,
) -> Interaction {
    Interaction {
        d,
        epsilon: t.input("epsilon", epsilon),
        a: t.input("a", a),
        y: t.input("y", y),
        x: t.input("x", x),
    }
}

/// Records one mistake with the inputs `a`, of shape `[2, 3]`, and `b`, of shape `[4, 5]`.
type Mistake = fn(&mut Tape, Var, Var);

#[test]
fn mistakes_name_operation_layer_and_shapes() {
    let mistakes: [(&str, &str, Mistake); 12] = [
        ("add", "[2, 3], [4, 5]", |t, a, b| _ = t.add(a, b)),
        ("sub", "[2, 3], [4, 5]", |t, a, b| _ = t.sub(a, b)),
        ("mul", "[2, 3], [4, 5]", |t, a, b| _ = t.mul(a, b)),
        ("div", "[2, 3], [4, 5]", |t, a, b| _ = t.div(a, b)),
        ("max", "[2, 3], [4, 5]", |t, a, b| _ = t.max(a, b)),
        ("min", "[2, 3], [4, 5]", |t, a, b| _ = t.min(a, b)),
        ("matmul", "[2, 3], [4, 5]", |t, a, b| {
            _ = t.matmul(a, false, b, true)
        }),
        ("reshape", "[2, 3]", |t, a, _| _ = t.reshape(a, [7])),
        ("broadcast", "[2, 3]", |t, a, _| _ = t.broadcast(a, [4, 5])),
        ("sum", "[2, 3]", |t, a, _| _ = t.sum(a, 1..3)),
        ("assign", "[2, 3], [4, 5]", |t, a, b| t.assign(a, b)),
        ("grad", "[2, 3]", |t, a, _| _ = t.grad(a, &[a])),
    ];
    for (name, shapes, mistake) in mistakes {
        let message = refusal(move |t| {
            let (a, b) = (t.input("a", [2, 3]), t.input("b", [4, 5]));
            mistake(t, a, b);
        });
        let start = format!("{name} recorded by critic.2: ");
        assert!(message.starts_with(&start), "{message}");
        assert!(
            message.ends_with(&format!("(operand shapes: {shapes})")),
            "{message}"
        );
    }
    let message = refusal(|t| {
        let (state, value) = (t.state("s", [2]), t.input("x", [3]));
        t.assign(state, value);
    });
    assert_eq!(
        message,
        "assign recorded by critic.2: shapes differ (operand shapes: [2], [3])"
    );
    let message = refusal(|t| {
        let (state, value) = (t.state("s", [2]), t.input("x", [2]));
        t.assign(state, value);
        t.assign(state, value);
    });
    assert!(
        message.contains("the state already has a next value"),
        "{message}"
    );
    let message = refusal(|t| {
        t.input("x", [2]);
        t.input("x", [3]);
    });
    assert!(
        message.starts_with("input recorded by critic.2: ") && message.contains("[2]"),
        "{message}"
    );
    let message = refusal(|t| {
        let x = t.input("x", [2, 3, 4]);
        t.transpose(x);
    });
    assert!(
        message.contains("transpose") && message.contains("[2, 3, 4]"),
        "{message}"
    );
}

#[test]
fn charges_that_make_no_sense_are_refused() {
    type Sizes = [&'static [usize]; 4];
    let mistakes: [(Sizes, u32, &str); 5] = [
        (
            [&[5, 2], &[4, 3], &[4, 2], &[1]],
            3,
            "rows of one dimension",
        ),
        ([&[5], &[4, 2], &[4, 2], &[1]], 3, "rows of one dimension"),
        (
            [&[5, 2], &[4, 2], &[4, 2], &[2]],
            3,
            "epsilon must be one number",
        ),
        ([&[5, 2], &[4, 2], &[4, 2], &[1]], 0, "d at least 1"),
        ([&[5, 2], &[0, 2], &[4, 2], &[1]], 3, "no charges"),
    ];
    for ([a, y, x, epsilon], d, why) in mistakes {
        for which in 0..3 {
            let message = refusal(move |t| {
                let charges = charges(t, a, y, x, epsilon, d);
                match which {
                    0 => t.potential(charges),
                    1 => t.field(charges),
                    _ => t.curvature(charges, charges.a),
                };
            });
            let name = ["potential", "field", "curvature"][which];
            assert!(
                message.starts_with(&format!("{name} recorded by critic.2: ")),
                "{message}"
            );
            assert!(
                message.contains(why) && message.contains("4, 2]"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_program_wants_its_states() {
    let mut t = Tape::new();
    let w = t.state("generator.weight", [2, 3]);
    let y = t.tanh(w);
    t.output("y", y);
    let wrong = support::store(&[("generator.weight", [5].into(), vec![0.0; 5])]);
    for backend in [Backend::Reference, Backend::cpu(Some(1)).expect("a thread")] {
        for store in [&Store::new(), &wrong] {
            let error = backend.compile(&t, store).expect_err("no such state");
            assert!(error.to_string().contains("generator.weight"), "{error}");
        }
    }
}

#[test]
fn a_store_of_another_shape_is_refused_in_words() {
    let mut t = Tape::new();
    let w = t.state("w", [2, 3]);
    t.output("y", w);
    let store = support::store(&[("w", [3, 2].into(), vec![0.0; 6])]);
    for backend in [Backend::Reference, Backend::cpu(Some(1)).expect("a thread")] {
        let message = backend
            .compile(&t, &store)
            .expect_err("a shape")
            .to_string();
        assert_eq!(
            message,
            "the state w is [3, 2] in the store where the tape expects [2, 3]"
        );
    }
}

#[test]
#[should_panic(expected = "clashes with an earlier one")]
fn one_name_cannot_stand_for_two_things() {
    let mut t = Tape::new();
    t.input("w", [2]);
    t.state("w", [2]);
}

#[test]
#[should_panic(expected = "there is already an output y")]
fn outputs_have_different_names() {
    let mut t = Tape::new();
    let x = t.input("x", [2]);
    t.output("y", x);
    t.output("y", x);
}

//! What runs the parts of a round, and keeps their states from run to run.

use super::case::{Case, Tensors};
use crate::support;
use coulomb_gan::exec::{Backend, Program, Store, reference};
use coulomb_gan::objective::Part;
use coulomb_gan::optim::Adam;
use coulomb_gan::tape::{Op, Tape};

/// An Adam and the number and rate of its next update.
pub struct Move<'a> {
    pub adam: &'a Adam,
    pub n: u64,
    pub rate: f64,
}

/// The reference, or compiled parts; and the states.
pub enum Machine {
    Reference(Tensors),
    Kernels(Vec<Program>, Store),
}

impl Machine {
    pub fn new(case: &Case, parts: &[Part], backend: Option<&Backend>) -> Self {
        let nodes = parts.iter().flat_map(|part| part.tape.nodes());
        let states = nodes.filter_map(|node| match &node.op {
            Op::State { name } => Some((name.as_str(), node.shape.clone())),
            _ => None,
        });
        let states = states.map(|(name, shape)| (name, case.start(name, &shape), shape));
        let Some(backend) = backend else {
            return Self::Reference(states.map(|(name, v, _)| (name.to_owned(), v)).collect());
        };
        let narrow: Vec<_> = states
            .map(|(name, values, shape)| (name, shape, single(&values)))
            .collect();
        let store = support::store(&narrow);
        let programs = parts.iter();
        let programs =
            programs.map(|part| backend.compile(&part.tape, &store).expect("all states"));
        Self::Kernels(programs.collect(), store)
    }

    /// Runs part number `part` once; gives the values of `losses`.
    pub fn run(
        &mut self,
        part: usize,
        tape: &Tape,
        mut inputs: Tensors,
        moves: &[Move],
        losses: &mut dyn Iterator<Item = &String>,
    ) -> Vec<f64> {
        match self {
            Self::Reference(states) => {
                for Move { adam, n, rate } in moves {
                    let decayed = |beta: f64| 1.0 - beta.powf(*n as f64);
                    let [name, correction] = adam.inputs();
                    inputs.insert(name, vec![rate / decayed(adam.beta1)]);
                    inputs.insert(correction, vec![decayed(adam.beta2).sqrt().recip()]);
                }
                let values = reference::evaluate(tape, &mut |name| {
                    let known = inputs.get(name).or_else(|| states.get(name));
                    known.expect("an input or a state").clone()
                });
                for (name, value) in assigned(tape) {
                    states.insert(name.into(), values[value].clone());
                }
                losses
                    .map(|name| values[support::output(tape, name).index()][0])
                    .collect()
            }
            Self::Kernels(programs, store) => {
                let program = &mut programs[part];
                for (name, values) in &inputs {
                    program.write(name, &single(values));
                }
                for Move { adam, n, rate } in moves {
                    adam.write(program, *n, *rate);
                }
                program.run(store).expect("a device that works");
                losses
                    .map(|name| f64::from(program.scalar(name).expect("a device that works")))
                    .collect()
            }
        }
    }

    /// The state `name`, as the last run has left it.
    pub fn state(&self, name: &str) -> Vec<f64> {
        match self {
            Self::Reference(states) => states[name].clone(),
            Self::Kernels(_, store) => {
                let tensor = store.get(name).expect("a device that works");
                support::wide(tensor.expect("a state").data())
            }
        }
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// The states that a run of `tape` assigns, and the positions of their next values.
pub fn assigned(tape: &Tape) -> impl Iterator<Item = (&str, usize)> {
    tape.nodes().iter().filter_map(|node| match &node.op {
        Op::Assign { state, value } => match &tape.node(*state).op {
            Op::State { name } => Some((name.as_str(), value.index())),
            _ => panic!("only states are assigned"),
        },
        _ => None,
    })
}

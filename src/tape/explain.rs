//! A tape and its plan, printed: what is computed, by which layer, and what it costs.

use std::fmt::Write;

use super::convolution::Convolution;
use super::op::{Interaction, Map};
use super::plan::{Index, Instruction, Plan, Pointwise, SlotKind, Step};
use super::{Op, Tape, Var};

/// What one run of a plan costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, as [`Tape::flops`] counts them; only what the plan computes.
    pub flops: usize,
    /// Bytes that the steps read and write, each operand of a step once.
    pub bytes: usize,
}

impl Tape {
    /// What one run of `plan`, a plan of this tape, costs.
    pub fn cost(&self, plan: &Plan) -> Cost {
        let steps = plan.steps.iter().map(|step| self.step_cost(plan, step));
        steps.fold(Cost::default(), |sum, step| Cost {
            flops: sum.flops + step.flops,
            bytes: sum.bytes + step.bytes,
        })
    }

    /// What `step` of `plan`, a plan of this tape, costs.
    pub fn step_cost(&self, plan: &Plan, step: &Step) -> Cost {
        Cost {
            flops: step.ops.iter().map(|&v| self.flops(v)).sum(),
            bytes: 4 * traffic(plan, step),
        }
    }

    /// Floating-point operations of the operation that made `v`: 2 per multiply-add of a contraction, 1 per
    /// element of a pointwise operation or sum, `3 m + 8` per pair of a potential in `m` dimensions (three
    /// for each coordinate's squared difference, the rest for the power), twice that for its derivatives.
    pub fn flops(&self, v: Var) -> usize {
        let count = self.shape(v).count();
        let pairs = |c: &Interaction| {
            let rows = |v: Var| self.shape(v)[0];
            rows(c.a) * (rows(c.y) + rows(c.x)) * (3 * self.shape(c.a)[1] + 8)
        };
        match &self.node(v).op {
            Op::Matmul { a, ta, .. } => 2 * count * self.shape(*a)[usize::from(!ta)],
            Op::Conv2d { .. } | Op::Conv2dInputGrad { .. } | Op::Conv2dWeightGrad { .. } => {
                let multiply_adds =
                    |c: Convolution| c.batch * c.filters * c.positions() * c.filter();
                2 * self.convolution(v).map_or(0, multiply_adds)
            }
            Op::Sum { x, .. } | Op::ReduceMax { x, .. } => self.shape(*x).count(),
            Op::Map(Map::Affine { .. }, _) => 2 * count,
            Op::Map(..) | Op::Zip(..) => count,
            Op::Potential(c) => pairs(c),
            Op::Field(c) | Op::Curvature { charges: c, .. } => 2 * pairs(c),
            _ => 0,
        }
    }

    /// The recorded operations, one line each, then the plan, one line per step, then the totals.
    pub fn explain(&self) -> String {
        let mut out = String::new();
        let plan = Plan::new(self);
        // Writing to a string cannot fail.
        let _ = self.write_tape(&mut out);
        let _ = self.write_plan(&plan, &mut out);
        out
    }

    fn write_tape(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "TAPE: {} operations", self.nodes().len())?;
        writeln!(
            out,
            "{:>6}  {:<34} {:<14} {:>9} {:>10}  layer",
            "value", "operation", "shape", "FLOP", "bytes"
        )?;
        for i in 0..self.nodes().len() {
            let v = Var(i);
            let node = self.node(v);
            writeln!(
                out,
                "{:>6}  {:<34} {:<14} {:>9} {:>10}  {}",
                format!("%{i}"),
                describe(&node.op),
                node.shape,
                short(self.flops(v)),
                short(4 * node.shape.count()),
                node.layer
            )?;
        }
        for (name, v) in self.outputs() {
            writeln!(out, "output {name} = %{}", v.0)?;
        }
        Ok(())
    }

    fn write_plan(&self, plan: &Plan, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\nPLAN: {} steps", plan.steps.len())?;
        writeln!(
            out,
            "{:>6}  {:<62} {:>9} {:>10}  layer",
            "step", "what", "FLOP", "bytes"
        )?;
        for (i, step) in plan.steps.iter().enumerate() {
            let Cost { flops, bytes } = self.step_cost(plan, step);
            writeln!(
                out,
                "{i:>6}  {:<62} {:>9} {:>10}  {}",
                self.describe_step(step),
                short(flops),
                short(bytes),
                self.layer_of_step(step)
            )?;
        }
        let total = self.cost(plan);
        let outside = |kind: fn(&SlotKind) -> bool| {
            let slots = plan.slots.iter().filter(|s| kind(&s.kind));
            short(slots.map(|s| 4 * s.count).sum())
        };
        writeln!(
            out,
            "\na run: {}FLOP, {}B read and written; states {}B, inputs {}B",
            short(total.flops),
            short(total.bytes),
            outside(|k| matches!(k, SlotKind::State(_))),
            outside(|k| matches!(k, SlotKind::Input(_))),
        )?;
        writeln!(
            out,
            "scratch memory: {}B with reuse, {}B without",
            short(plan.scratch_bytes()),
            short(plan.bytes_without_reuse)
        )
    }

    /// The layer that recorded the first operation of a step of this tape's plan.
    pub fn layer_of_step(&self, step: &Step) -> &str {
        step.ops.first().map_or("", |&v| &self.node(v).layer)
    }

    /// A step of this tape's plan in a few words: its kernel with its sizes, and the names of its pointwise operations.
    pub fn describe_step(&self, step: &Step) -> String {
        let kernel = step.kernel.as_ref().map(|kernel| kernel.facts().describe());
        let names = |program: &Pointwise| {
            let computed = program.instructions.iter().filter_map(|i| match i {
                Instruction::Constant(_) => None,
                Instruction::Map(map, _) => Some(map.name()),
                Instruction::Zip(zip, ..) => Some(zip.name()),
            });
            let names: Vec<&str> = computed.collect();
            match names.len() {
                0 => "copy".to_owned(),
                1..=6 => names.join(" "),
                n => format!("{} … ({n} pointwise operations)", names[..4].join(" ")),
            }
        };
        let pointwise = step.pointwise.as_ref().map(names);
        let parts: Vec<String> = kernel.into_iter().chain(pointwise).collect();
        parts.join(" + ")
    }
}

/// Numbers that a step reads and writes, each operand once.
fn traffic(plan: &Plan, step: &Step) -> usize {
    let slot = |s: usize| plan.slots[s].count;
    let kernel = step
        .kernel
        .as_ref()
        .map_or(0, |kernel| kernel.facts().traffic());
    let pointwise = step.pointwise.as_ref().map_or(0, |p| {
        let loads = p.loads.iter().map(|load| match load.index {
            Index::IDENTITY => p.count,
            _ => slot(load.slot),
        });
        loads.sum::<usize>() + p.stores.len() * p.count
    });
    kernel + pointwise
}

fn describe(op: &Op) -> String {
    let operands: Vec<String> = op.operands().iter().map(|v| format!("%{}", v.0)).collect();
    let operands = operands.join(" ");
    match op {
        Op::Input { name } | Op::State { name } => format!("{} {name}", op.name()),
        Op::Constant(value) => format!("constant {value}"),
        Op::Sum { axes, .. } | Op::ReduceMax { axes, .. } => {
            format!("{} {operands} over {axes:?}", op.name())
        }
        Op::Slice { axis, places, .. } => format!("slice {operands} axis {axis}, {places:?}"),
        Op::Concat { axis, .. } => format!("concat {operands} axis {axis}"),
        Op::Map(Map::Affine { scale, shift }, _) => {
            format!("affine {operands} · {scale:.4} + {shift:.4}")
        }
        Op::Map(Map::Pow(p), _) => format!("pow {operands} ^ {p}"),
        Op::Matmul { a, b, ta, tb } => {
            let t = |flag| if flag { "ᵀ" } else { "" };
            format!("matmul %{}{} %{}{}", a.0, t(*ta), b.0, t(*tb))
        }
        _ => format!("{} {operands}", op.name()),
    }
}

/// `12345678` as `12.3 M`.
fn short(n: usize) -> String {
    let n = n as f64;
    match n {
        0.0 => "0 ".into(),
        n if n < 1e3 => format!("{n} "),
        n if n < 1e6 => format!("{:.1} k", n / 1e3),
        n if n < 1e9 => format!("{:.1} M", n / 1e6),
        n => format!("{:.1} G", n / 1e9),
    }
}

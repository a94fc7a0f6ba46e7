//! Fused pointwise work as a WGSL function: `fn epilogue(i: u32, value: f32)`.
//!
//! The planner's straight-line programs become straight-line WGSL, register by register, so what a kernel computes
//! never travels through memory on its way to the activation, the loss or Adam. Index patterns and constants are
//! literals: a division by a literal is a multiplication and a shift.

use std::fmt::Write;

use super::module::Module;
use super::values::{Format, Formats};
use crate::tape::plan::{Index, Instruction, Pointwise, SlotId};
use crate::tape::{Map, Zip};

/// An array that a kernel reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Binding {
    pub place: Place,
    /// Whether it is also written.
    pub writable: bool,
}

/// Where an array lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A slot of the plan.
    Slot(SlotId),
    /// A copy of a state in half precision, see `lower::Lowering::half_copy`.
    HalfCopy(SlotId),
    /// A region of memory for what passes between the launches of one step.
    Between(usize),
}

/// The items of an epilogue, and the arrays they need.
#[derive(Debug, Clone)]
pub(super) struct Epilogue {
    pub items: Module,
    /// In the order of their binding numbers, from the first that is free.
    pub bindings: Vec<Binding>,
}

/// The result goes to an array as it is.
pub(super) fn store(place: Place, format: Format, first_binding: usize) -> Epilogue {
    let mut text = declare(first_binding, "out", true, format);
    let value = format.stored("value");
    text += &format!("fn epilogue(i: u32, value: f32) {{\n    out[i] = {value};\n}}\n");
    Epilogue {
        items: conversions([format]).with(Module::parse(&text)),
        bindings: vec![Binding {
            place,
            writable: true,
        }],
    }
}

/// The copy of the state in `slot` in half precision, by a kernel without operands.
pub(super) fn half_copy(slot: SlotId) -> Epilogue {
    let text = declare(0, "state", false, Format::Single)
        + &declare(1, "out", true, Format::Half)
        + "fn epilogue(i: u32, value: f32) {\n    out[i] = half(state[i]);\n}\n";
    let binding = |place, writable| Binding { place, writable };
    Epilogue {
        items: conversions([Format::Half]).with(Module::parse(&text)),
        bindings: vec![
            binding(Place::Slot(slot), false),
            binding(Place::HalfCopy(slot), true),
        ],
    }
}

/// The pointwise work of a step. `result` is the slot of the kernel's result, whose elements come as `value`;
/// `keep_result` says whether somebody else reads it as it is.
pub(super) fn pointwise(
    program: &Pointwise,
    result: Option<SlotId>,
    keep_result: bool,
    formats: &Formats,
    first_binding: usize,
) -> Epilogue {
    let stores = &program.stores;
    let is_result = |slot: SlotId| Some(slot) == result;
    let mut slots: Vec<SlotId> = vec![];
    let loaded = program.loads.iter().map(|load| load.slot);
    for slot in loaded.filter(|&slot| !is_result(slot)) {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    let reads = slots.len();
    let keep = result.filter(|_| keep_result);
    for slot in stores.iter().map(|&(_, slot)| slot).chain(keep) {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    let writable =
        |slot: SlotId| stores.iter().any(|&(_, stored)| stored == slot) || keep == Some(slot);
    let mut text = String::new();
    let mut used = vec![];
    // The name `out` replaces the array of that name in the kernel's file.
    let first_store = slots.iter().position(|&slot| writable(slot));
    let name = |slot: SlotId| match slots.iter().position(|&s| s == slot) {
        at if at == first_store => "out".to_owned(),
        Some(at) => format!("slot_{at}"),
        None => unreachable!("every slot was collected"),
    };
    for (at, &slot) in slots.iter().enumerate() {
        let format = if at < reads {
            formats.read(slot)
        } else {
            formats.written(slot)
        };
        used.push(format);
        text += &declare(first_binding + at, &name(slot), writable(slot), format);
    }
    let mut body = String::new();
    // Writing to a string cannot fail.
    for (r, load) in program.loads.iter().enumerate() {
        let _ = match is_result(load.slot) {
            true => writeln!(body, "    let r{r} = value;"),
            false => {
                let index = index_text(load.index, program.count);
                writeln!(body, "    let r{r} = f32({}[{index}]);", name(load.slot))
            }
        };
    }
    for (j, instruction) in program.instructions.iter().enumerate() {
        let r = program.loads.len() + j;
        let _ = writeln!(body, "    let r{r} = {};", instruction_text(instruction));
    }
    if let Some(slot) = keep {
        let value = formats.written(slot).stored("value");
        let _ = writeln!(body, "    {}[i] = {value};", name(slot));
    }
    for (r, slot) in stores {
        let value = formats.written(*slot).stored(&format!("r{r}"));
        let _ = writeln!(body, "    {}[i] = {value};", name(*slot));
    }
    let function = format!("fn epilogue(i: u32, value: f32) {{\n{body}}}\n");
    let functions = Module::parse(include_str!("../../../kernels/functions.wgsl"));
    let bindings = slots.iter().map(|&slot| Binding {
        place: Place::Slot(slot),
        writable: writable(slot),
    });
    Epilogue {
        items: functions
            .with(conversions(used))
            .with(Module::parse(&(text + &function))),
        bindings: bindings.collect(),
    }
}

/// The extension that half precision needs, if one of the arrays has it.
pub(super) fn enables(formats: impl IntoIterator<Item = Format>) -> String {
    let half = formats.into_iter().any(|format| format == Format::Half);
    String::from(if half { "enable f16;\n" } else { "" })
}

/// The function that rounds to half precision, if one of the arrays has it.
fn conversions(formats: impl IntoIterator<Item = Format>) -> Module {
    match enables(formats).as_str() {
        "" => Module::default(),
        _ => Module::parse(include_str!("../../../kernels/half.wgsl")),
    }
}

/// A declaration of an array.
fn declare(binding: usize, name: &str, writable: bool, format: Format) -> String {
    let access = if writable { "read_write" } else { "read" };
    let format = format.name();
    format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{format}>;\n")
}

/// Which element is read for element `i` of `count`.
fn index_text(Index { repeat, period }: Index, count: usize) -> String {
    let wraps = (repeat.saturating_mul(period)) < count;
    match (repeat, period) {
        (_, 1) => "0".into(),
        (1, p) if !wraps || p == usize::MAX => "i".into(),
        (1, p) => format!("i % {p}u"),
        (r, _) if !wraps => format!("i / {r}u"),
        (r, p) => format!("i / {r}u % {p}u"),
    }
}

fn instruction_text(instruction: &Instruction) -> String {
    let call = |name: &str, x: usize| format!("{name}(r{x})");
    match *instruction {
        Instruction::Constant(value) => number(value),
        Instruction::Map(map, x) => match map {
            Map::Affine { scale, shift: 0.0 } => format!("r{x} * {}", number(scale)),
            Map::Affine { scale: 1.0, shift } => format!("r{x} + {}", number(shift)),
            Map::Affine { scale, shift } => {
                format!("fma(r{x}, {}, {})", number(scale), number(shift))
            }
            Map::Exp => call("exponential", x),
            Map::Ln => call("log", x),
            Map::Sqrt => call("sqrt", x),
            Map::Pow(0.0) => number(1.0),
            Map::Pow(1.0) => format!("r{x}"),
            // WGSL's own is not a number for negative bases.
            Map::Pow(p) if p.fract() == 0.0 && p.abs() < 1e6 => {
                format!("whole_power(r{x}, {p:.0}i)")
            }
            Map::Pow(p) => format!("pow(r{x}, {})", number(p)),
            Map::Tanh => call("hyperbolic_tangent", x),
            Map::Elu => call("elu", x),
            Map::Step => call("step_function", x),
        },
        Instruction::Zip(zip, a, b) => match zip {
            Zip::Add => format!("r{a} + r{b}"),
            Zip::Sub => format!("r{a} - r{b}"),
            Zip::Mul => format!("r{a} * r{b}"),
            Zip::Div => format!("r{a} / r{b}"),
            Zip::Max => format!("larger(r{a}, r{b})"),
            Zip::Min => format!("smaller(r{a}, r{b})"),
        },
    }
}

/// A number as WGSL writes it. Infinities and NaN are no literals, and an expression of constants must not make
/// one, so they come by way of something that the compiler cannot know.
pub(super) fn number(value: f64) -> String {
    let value = value as f32;
    match value.is_finite() {
        true => format!("{value:e}f"),
        false => format!("bitcast<f32>((i & 0u) | {}u)", value.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::plan::Load;

    #[test]
    fn a_program_becomes_straight_line_text() {
        let program = Pointwise {
            count: 12,
            loads: vec![
                Load {
                    slot: 7,
                    index: Index::IDENTITY,
                },
                Load {
                    slot: 3,
                    index: Index {
                        repeat: 1,
                        period: 4,
                    },
                },
            ],
            instructions: vec![
                Instruction::Zip(Zip::Add, 0, 1),
                Instruction::Map(Map::Elu, 2),
            ],
            stores: vec![(3, 7)],
        };
        let epilogue = pointwise(&program, Some(7), false, &Formats::default(), 2);
        let text = epilogue.items.text();
        for line in [
            "@group(0) @binding(2) var<storage, read> slot_0: array<f32>;",
            "@group(0) @binding(3) var<storage, read_write> out: array<f32>;",
            "    let r0 = value;",
            "    let r1 = f32(slot_0[i % 4u]);",
            "    let r2 = r0 + r1;",
            "    let r3 = elu(r2);",
            "    out[i] = r3;",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        let places: Vec<Place> = epilogue.bindings.iter().map(|b| b.place).collect();
        assert_eq!(places, [Place::Slot(3), Place::Slot(7)]);
    }

    #[test]
    fn numbers_survive_the_way_through_text() {
        assert_eq!(number(0.1), "1e-1f");
        assert_eq!(number(-3.0), "-3e0f");
        assert_eq!(
            number(f64::INFINITY),
            "bitcast<f32>((i & 0u) | 2139095040u)"
        );
    }
}

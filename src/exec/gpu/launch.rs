//! Launches: kernels with what they are launched with.

use super::epilogue::{Binding, Epilogue, Place, enables};
use super::module::Module;
use super::values::Format;

/// The most workgroups along one axis of a grid.
pub(super) const AXIS: usize = 65_535;

/// A kernel and all it needs at every run.
#[derive(Debug)]
pub(super) struct Launch {
    /// The step of the plan that it belongs to.
    pub step: usize,
    /// What is compiled.
    pub source: Source,
    /// Arrays, in the order of their binding numbers.
    pub bindings: Vec<Binding>,
    /// Sizes, as the kernel's `struct Sizes` lists them.
    pub immediates: [u32; 16],
    /// Workgroups along each axis.
    pub grid: [u32; 3],
}

impl Launch {
    /// Of each array, whether it is written.
    pub fn writable(&self) -> Vec<bool> {
        self.bindings.iter().map(|b| b.writable).collect()
    }
}

/// What a device compiles: equal sources make equal kernels.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The kernel's name.
    pub name: &'static str,
    /// A WGSL module with the entry point `main`.
    pub text: String,
    /// Values of its overrides.
    pub overrides: Vec<(String, f64)>,
}

/// A kernel to compile.
pub(super) struct Kernel<'a> {
    pub name: &'static str,
    /// Texts of the files it is put together from; items of later ones win.
    pub files: &'a [&'a str],
    /// Types of operands: `alias NAME = format;`.
    pub formats: &'a [(&'static str, Format)],
    /// `const NAME = value;`, where WGSL asks for a constant.
    pub constants: &'a [(&'static str, u32)],
    /// `override NAME`, everywhere else.
    pub overrides: &'a [(&'static str, f64)],
    pub operands: &'a [Place],
    pub sizes: &'a [u32],
    pub grid: [u32; 3],
}

impl Kernel<'_> {
    /// The module's text with `epilogue`.
    fn text(&self, epilogue: &Epilogue) -> String {
        let aliases = self.formats.iter().map(|(name, format)| {
            let format = format.name();
            format!("alias {name} = {format};\n")
        });
        let formats = self.formats.iter().map(|(_, format)| *format);
        let aliases = enables(formats) + &aliases.collect::<String>();
        let files = self.files.iter().map(|text| Module::parse(text));
        let module = files.fold(Module::default(), Module::with);
        let module = module.with(Module::parse(&aliases));
        let module = module.with_constants(self.constants);
        module.with(epilogue.items.clone()).text()
    }

    /// A launch of it with `epilogue` for `step`.
    pub fn launch(&self, step: usize, epilogue: Epilogue) -> Launch {
        let overrides = self.overrides.iter();
        let source = Source {
            name: self.name,
            text: self.text(&epilogue),
            overrides: overrides.map(|&(name, x)| (name.to_owned(), x)).collect(),
        };
        let operands = self.operands.iter().map(|&place| Binding {
            place,
            writable: false,
        });
        let mut immediates = [0; 16];
        immediates[..self.sizes.len()].copy_from_slice(self.sizes);
        Launch {
            step,
            source,
            bindings: operands.chain(epilogue.bindings).collect(),
            immediates,
            grid: self.grid,
        }
    }
}

/// A grid of at least `groups` workgroups, in rows: kernels count `x + y · width`.
pub(super) fn grid(groups: usize) -> [u32; 3] {
    let rows = groups.div_ceil(AXIS).max(1);
    [groups.div_ceil(rows) as u32, rows as u32, 1]
}

//! WGSL modules put together from the files in `kernels/`.
//!
//! Every file there is a valid module by itself. A kernel is one of them in which some items are replaced by items of
//! the same name from another: the matrix product becomes a convolution when `fn a_at` and `fn b_at` look up pixels
//! instead of matrix elements, and every kernel gets its pointwise work by a new `fn epilogue`. There is no template
//! language: what is compiled is the concatenation of items, and it can be read in the files.
//!
//! Items start in the first column, and so does the line that ends one.

use std::fmt::Write;

/// A list of named items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Module {
    /// Name and text.
    items: Vec<(String, String)>,
}

impl Module {
    /// The items of a file. Comments between items are left out.
    pub fn parse(text: &str) -> Self {
        let mut module = Self::default();
        let mut current = String::new();
        for line in text.lines() {
            let first = line.chars().next();
            if current.is_empty() && (line.is_empty() || line.starts_with("//")) {
                continue;
            }
            current.push_str(line);
            current.push('\n');
            // An item ends with the brace or the semicolon that closes it, in the first column or on its first line.
            let starts = first.is_some_and(|c| !c.is_whitespace());
            let opens = line.matches('{').count() > line.matches('}').count();
            let attributes_only = line.starts_with('@') && !line.contains(" var");
            if starts && !opens && !attributes_only {
                module.put(std::mem::take(&mut current));
            }
        }
        assert!(current.is_empty(), "an item without an end:\n{current}");
        module
    }

    /// Adds an item, in place of the one with its name if there is one.
    fn put(&mut self, text: String) {
        let name = name_of(&text);
        match self.items.iter_mut().find(|(other, _)| *other == name) {
            Some(item) => item.1 = text,
            None => self.items.push((name, text)),
        }
    }

    /// This module with the items of another one, which win where both have the name.
    pub fn with(mut self, other: Self) -> Self {
        for (_, text) in other.items {
            self.put(text);
        }
        self
    }

    /// This module with `const NAME = value;` for each pair, in place of the constants of these names.
    pub fn with_constants(self, constants: &[(&str, u32)]) -> Self {
        let text = constants
            .iter()
            .fold(String::new(), |mut text, (name, value)| {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "const {name} = {value}u;");
                text
            });
        self.with(Self::parse(&text))
    }

    /// The module's text. `enable` directives come first, as WGSL demands, then overrides: naga 30 fails if one follows an
    /// array whose size is made of others. Tensor cores are enabled only where their matrices have not been replaced, as
    /// devices without them refuse the word.
    pub fn text(&self) -> String {
        let rank = |text: &str| match text.split(' ').next() {
            Some("enable") => 0,
            Some("override") => 1,
            _ => 2,
        };
        let mut texts: Vec<&str> = self.items.iter().map(|(_, text)| text.as_str()).collect();
        let cores = texts.iter().any(|text| text.contains("coop_mat"));
        texts.retain(|text| cores || !text.starts_with("enable wgpu_cooperative_matrix"));
        texts.sort_by_key(|text| rank(text));
        texts.concat()
    }
}

/// The name that an item declares: the identifier before its `:`, `=`, `(`, `{` or `;`, `enable` directives whole.
fn name_of(item: &str) -> String {
    let line = item
        .lines()
        .find(|line| !line.starts_with('@') || line.contains(" var"));
    let line = line.unwrap_or(item).trim();
    if line.starts_with("enable ") {
        return line.to_owned();
    }
    let head = line
        .rsplit_once("> ")
        .filter(|(before, _)| before.contains("var<"))
        .map_or(line, |(_, rest)| rest);
    let head = head.split([':', '=', '(', '{', ';']).next().unwrap_or(head);
    let name = head.split_whitespace().last();
    name.unwrap_or(head).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_names_they_declare() {
        let text = "\
            // a comment\n\
            struct Sizes { m: u32 }\n\
            var<immediate> sizes: Sizes;\n\
            const N = 4u;\n\
            alias Left = f32;\n\
            override G: u32 = 1u;\n\
            @group(0) @binding(0) var<storage, read> a: array<f32>;\n\
            var<workgroup> tile: array<vec4<f32>, N * G>;\n\
            fn at(i: u32) -> f32 {\n    return a[i];\n}\n\
            @compute @workgroup_size(G)\n\
            fn main(@builtin(local_invocation_index) t: u32) {\n    let x = at(t);\n}\n\
            enable f16;\n";
        let module = Module::parse(text);
        let names: Vec<&str> = module.items.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "Sizes",
            "sizes",
            "N",
            "Left",
            "G",
            "a",
            "tile",
            "at",
            "main",
            "enable f16;",
        ];
        assert_eq!(names, expected);
        assert!(module.text().starts_with("enable f16;\n"));
    }

    #[test]
    fn items_of_the_same_name_are_replaced() {
        let base = Module::parse("const N = 4u;\nfn f() -> u32 {\n    return N;\n}\n");
        let other = Module::parse("fn f() -> u32 {\n    return 2u * N;\n}\n");
        let text = base
            .with(other)
            .with_constants(&[("N", 8), ("M", 1)])
            .text();
        let expected = "const N = 8u;\nfn f() -> u32 {\n    return 2u * N;\n}\nconst M = 1u;\n";
        assert_eq!(text, expected);
    }
}

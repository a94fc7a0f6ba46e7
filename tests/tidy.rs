//! The rules of the house, checked: files stay readable, floors import only downwards, `unsafe` stays where it
//! is argued for.

use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module of `src/`, as in the table of `src/lib.rs`.
const FLOORS: [(&str, usize); 14] = [
    ("numbers", 0),
    ("tape", 1),
    ("exec", 2),
    ("nn", 3),
    ("optim", 3),
    ("objective", 4),
    ("coulomb", 4),
    ("rivals", 4),
    ("models", 5),
    ("data", 5),
    ("metrics", 5),
    ("figures", 6),
    ("train", 6),
    ("cli", 7),
];

/// The only files of the library that may contain `unsafe`.
const UNSAFE: [&str; 14] = [
    "cli/signals.rs",
    "cli/start.rs",
    "data/cache.rs",
    "data/lsun.rs",
    "exec/buffer.rs",
    "exec/cpu/lanes/x86.rs",
    "exec/cpu/pointwise/mod.rs",
    "exec/cpu/slots.rs",
    "exec/cpu/tasks.rs",
    "exec/cpu/tile.rs",
    "exec/cpu/work.rs",
    "exec/gpu/device.rs",
    "exec/gpu/disk.rs",
    "exec/gpu/pipelines.rs",
];

/// Every Rust file of the library: path from `src/`, and text.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the library") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = vec![];
    collect(&src, &mut paths);
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(&src)
            .expect("inside src")
            .to_string_lossy();
        let text = fs::read_to_string(&path).expect("a text file");
        (name.replace('\\', "/"), text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn files_stay_readable() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 450, "{name} has {lines} lines: split it");
        assert!(text.starts_with("//!"), "{name} does not say what it is");
    }
}

#[test]
fn floors_import_only_downwards() {
    let floor = |module: &str| FLOORS.iter().find(|(name, _)| *name == module).map(|f| f.1);
    for (name, text) in sources() {
        let Some(own) = name.split('/').next().and_then(floor) else {
            continue; // lib.rs and the programs see everything
        };
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let module: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                let other = floor(&module).unwrap_or_else(|| panic!("{name}: {line}"));
                assert!(
                    other <= own,
                    "{name} (floor {own}) uses {module} (floor {other})"
                );
            }
        }
    }
}

#[test]
fn executors_know_nothing_of_each_other() {
    let executors = ["reference", "cpu", "gpu"];
    for own in executors {
        let files = sources().into_iter();
        let inside = |name: &str| name.starts_with(&format!("exec/{own}/"));
        for (name, text) in files.filter(|(name, _)| inside(name)) {
            for other in executors.iter().filter(|other| **other != own) {
                for path in [format!("exec::{other}"), format!("super::{other}")] {
                    assert!(!text.contains(&path), "{name} uses {path}");
                }
            }
        }
    }
}

#[test]
fn unsafe_stays_where_it_is_argued_for() {
    let sources = sources();
    for file in UNSAFE {
        assert!(sources.iter().any(|(name, _)| name == file), "no {file}");
    }
    for (name, text) in sources {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let uses = code.filter(|line| line.contains("unsafe ")).count();
        let arguments = text.matches("SAFETY:").count() + text.matches("# Safety").count();
        let allowed = UNSAFE.contains(&name.as_str());
        assert!(uses == 0 || allowed, "{name} contains unsafe code");
        assert!(
            !allowed || uses > 0,
            "{name} no longer needs its place in the list"
        );
        assert!(
            arguments >= uses,
            "{name}: {uses} uses of unsafe, {arguments} arguments"
        );
    }
}

#[test]
fn only_the_console_writes_to_the_console() {
    // A message that cannot be written must never end a program, and these panic, or leave it to their caller.
    let words = [
        "println!",
        "print!(",
        "eprintln!",
        "eprint!(",
        "dbg!",
        "io::stdout",
        "io::stderr",
        "stdout()",
        "stderr()",
    ];
    for (name, text) in sources() {
        let tests = ["#[cfg(test)]", "#[cfg(all(test"].map(|mark| text.find(mark));
        let text = &text[..tests.into_iter().flatten().min().unwrap_or(text.len())];
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let writes = words.iter().any(|word| line.contains(word));
            assert!(!writes || name == "cli/console.rs", "{name}: {line}");
            let unwraps = line.contains("write") && line.contains("unwrap()");
            assert!(!unwraps, "{name}: {line}");
        }
    }
}

#[test]
fn nobody_asks_which_task_it_is() {
    // What differs from task to task is asked of the traits; `train/tasks` alone knows the tasks by name.
    for (name, text) in sources() {
        if name.starts_with("train/tasks/") {
            continue;
        }
        for task in ["TaskConfig::", "MixtureTask", "PictureTask"] {
            assert!(!text.contains(task), "{name} knows of {task}");
        }
    }
}

#[test]
fn the_library_knows_no_command_line() {
    // Flags, bars and signals are the programs' affair: floor 7.
    for (name, text) in sources() {
        if name.starts_with("cli/") || name.starts_with("bin/") {
            continue;
        }
        for package in ["clap", "indicatif", "signal_hook"] {
            let uses = text.contains(&format!("{package}::"));
            assert!(!uses, "{name} uses {package}");
        }
    }
}

/// Reads `page`, a path of the repository, after checking that its links lead somewhere.
fn page(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let folder = path.parent().expect("a folder of the repository");
    let text = fs::read_to_string(&path).expect("a page");
    for link in text.split("](").skip(1) {
        let target = link.split(')').next().expect("the rest of a link");
        let exists = target.starts_with("https://") || folder.join(target).exists();
        assert!(exists, "{page} links to {target}, which is not there");
    }
    text
}

/// Whether `target` is there: a path of the repository, or `path:item`, a file and what it defines.
fn is_there(target: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some((file, item)) = target.split_once(':') else {
        return root.join(target).exists();
    };
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let mut code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.any(|line| {
        let words = ["fn", "struct", "enum", "trait", "type", "const"];
        words.iter().any(|word| {
            let rest = line.split_once(&format!("{word} {item}"));
            rest.is_some_and(|(_, rest)| {
                !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    })
}

#[test]
fn the_readme_keeps_its_promises() {
    let text = page("README.md");
    assert!(
        text.contains("cargo test --release --locked"),
        "CI runs this command"
    );
}

/// Every equation, theorem, figure and table of the paper has a row that leads to code, a test or a picture, or says that
/// it is not here.
#[test]
fn the_table_of_the_papers_equations_leads_somewhere() {
    let text = page("src/coulomb/theory.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .skip(2)
        .collect();
    let named = |name: &str| rows.iter().filter(|row| row[0] == name).count();
    for number in 1..=35 {
        assert_eq!(named(&format!("Eq. ({number})")), 1, "Eq. ({number})");
    }
    for name in [
        "Theorem 1",
        "Theorem 2",
        "Algorithm 1",
        "A.1",
        "Table 1a",
        "Table 1b",
    ] {
        assert_eq!(named(name), 1, "{name}");
    }
    for number in 1..=5 {
        assert_eq!(named(&format!("Figure {number}")), 1);
    }
    for row in rows {
        let mut leads = row.iter().any(|cell| cell.starts_with("not here"));
        for target in row.iter().filter_map(|cell| cell.strip_prefix('`')) {
            let target = target.trim_end_matches('`');
            let leads_on = match target.contains(':') {
                true => is_there(target),
                false => is_there(&format!(".github/pictures/{target}")),
            };
            assert!(leads_on, "{}: there is no {target}", row[0]);
            leads = true;
        }
        assert!(leads, "{} leads nowhere", row[0]);
    }
}

/// What the guide and the rules for contributions name, in backquotes, is where they say.
#[test]
fn the_guide_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = fs::read_to_string(root.join("src/guide/mod.rs")).expect("the guide");
    let folder = fs::read_dir(root.join("src/guide")).expect("the guide's folder");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("a plain name"));
    let mut pages = vec![String::from(".github/CONTRIBUTING.md")];
    for name in names.filter(|name| name.ends_with(".md")) {
        let included = index.contains(&format!("include_str!(\"{name}\")"));
        assert!(included, "nobody can find src/guide/{name}");
        pages.push(format!("src/guide/{name}"));
    }
    assert!(pages.len() > 4, "{pages:?}");
    let folders = ["src/", "tests/", "kernels/", "benches/", ".ci/", ".github/"];
    for name in pages {
        // Fenced blocks are programs, which are tests themselves, and listings.
        let prose: String = page(&name).split("```").step_by(2).collect();
        let pieces: Vec<&str> = prose.split('`').collect();
        assert!(pieces.len() % 2 == 1, "{name} lacks a backquote");
        let quoted = pieces.iter().skip(1).step_by(2);
        let targets = quoted.filter(|text| folders.iter().any(|folder| text.starts_with(folder)));
        let mut count = 0;
        for target in targets {
            assert!(is_there(target), "{name}: there is no {target}");
            count += 1;
        }
        assert!(count > 5, "{name} names {count} places");
    }
}

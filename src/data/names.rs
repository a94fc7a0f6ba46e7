//! What a file or folder is by its name: a picture, something that was meant as one, or none of our business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::foreign::FORMATS;

/// Extensions of pictures. Which format it is, the bytes decide.
const PICTURES: [&str; 23] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jfi", "jif", "pjpeg", "pjp", "mpo", "webp",
    "gif", "bmp", "dib", "tif", "tiff", "pnm", "ppm", "pgm", "pbm", "pam", "jps",
];

/// Extensions of pictures that cannot be read here: of cameras and phones, of other programs that save or show pictures,
/// of drawings and pages.
const MEANT: [&str; 87] = [
    "heic", "heif", "heics", "heifs", "hif", "avif", "avifs", "raw", "3fr", "arw", "bay", "cr2",
    "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "k25", "kdc", "mef", "mos", "mrw",
    "nef", "nrw", "orf", "pef", "ptx", "raf", "rw2", "rwl", "sr2", "srf", "srw", "x3f", "jxl",
    "jp2", "j2k", "j2c", "jpc", "jpf", "jpm", "jpx", "jxr", "wdp", "hdp", "psd", "psb", "xcf",
    "kra", "ora", "tga", "qoi", "exr", "hdr", "pfm", "ff", "ico", "cur", "icns", "dds", "ktx",
    "pcx", "sgi", "rgb", "iff", "lbm", "pict", "pct", "xbm", "xpm", "wbmp", "btf", "fits", "fit",
    "dcm", "svg", "svgz", "eps", "ps", "ai", "pdf", "djvu", "wmf", "emf",
];

/// Files and folders that systems leave among the user's, beside those whose names begin with a dot.
const SYSTEM: [&str; 9] = [
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

/// What a name says about its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// It has the extension of a picture.
    Picture,
    /// It has the extension of a picture that cannot be read here, which is this one.
    Meant(String),
    /// It says nothing; the first bytes must tell.
    Nothing,
    /// Something else.
    Other,
}

/// What the file's name promises. `a.jpg.1` and `a.jpg?w=200` have no extension that says anything.
pub(super) fn named(path: &Path) -> Named {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let Some(extension) = extension else {
        return Named::Nothing;
    };
    let is_number = extension.bytes().all(|b| b.is_ascii_digit());
    if PICTURES.contains(&extension.as_str()) {
        Named::Picture
    } else if MEANT.contains(&extension.as_str()) {
        Named::Meant(extension)
    } else if is_number || !extension.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Named::Nothing
    } else {
        Named::Other
    }
}

/// Whether a file or folder of this name is hidden or a system's, so that nobody means it.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || SYSTEM.contains(&name.to_lowercase().as_str())
}

/// How many files of some kind there are, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub count: usize,
    first: PathBuf,
}

impl Tally {
    /// One more. Names that are no Unicode get substitutes, because JSON could not hold them.
    pub(super) fn add(&mut self, path: &Path) {
        if self.count == 0 {
            self.first = PathBuf::from(path.to_string_lossy().into_owned());
        }
        self.count += 1;
    }

    /// "3 files (e.g. notes.txt)", if there are any; the path starts from `root`.
    fn words(&self, what: &str, root: &Path) -> Option<String> {
        let first = root.join(&self.first);
        let counted = counted(self.count, what);
        (self.count > 0).then(|| format!("{counted} (e.g. {})", first.display()))
    }
}

/// What was found beside the pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    /// Files of each extension of [`MEANT`].
    meant: BTreeMap<String, Tally>,
    /// Folders of runs of this program.
    pub runs: Vec<PathBuf>,
    /// Pictures that this program has drawn.
    pub own: Tally,
    /// Archives, readable here or not.
    pub archives: Vec<PathBuf>,
    /// Archives in an archive.
    nested: Tally,
    /// What is neither a file nor a folder, such as a FIFO.
    pub special: Tally,
    /// Files and folders that are hidden or a system's.
    pub hidden: Tally,
    /// Other files that are no pictures by their names.
    others: Tally,
    /// Why an archive could not be read to its end, if so.
    pub cut_off: Option<String>,
}

impl LeftOut {
    /// One more file that was meant as a picture.
    pub(super) fn meant(&mut self, extension: String, path: &Path) {
        self.meant.entry(extension).or_default().add(path);
    }

    /// One more file that is no picture.
    pub(super) fn other(&mut self, path: PathBuf) {
        match is_archive(&path) {
            true => self.archives.push(path),
            false => self.others.add(&path),
        }
    }

    /// One more file in an archive that is no picture.
    pub(super) fn other_in_archive(&mut self, path: &Path) {
        match is_archive(path) {
            true => self.nested.add(path),
            false => self.others.add(path),
        }
    }

    /// How many of which files were meant as pictures, and what to do about it.
    fn meant_words(&self, root: &Path) -> Option<String> {
        let count = |(extension, tally): (&String, &Tally)| format!("{} .{extension}", tally.count);
        let counts: Vec<String> = self.meant.iter().map(count).collect();
        let names: Vec<String> = self.meant.keys().map(|name| name.to_uppercase()).collect();
        let (files, them) = match self.meant_count() {
            1 => ("file", "it"),
            _ => ("files", "them"),
        };
        let example = root.join(&self.meant.values().next()?.first);
        Some(format!(
            "{} {files} left out, e.g. {}: this program cannot read {}; convert {them} to JPEG or PNG",
            listed(&counts, "and"),
            example.display(),
            listed(&names, "or")
        ))
    }

    fn meant_count(&self) -> usize {
        self.meant.values().map(|tally| tally.count).sum()
    }

    /// What stands in `place`, where there is no picture; the paths here start from `root`.
    pub(super) fn instead_of_pictures(&self, place: &Path, root: &Path) -> String {
        let place = place.display();
        if let Some(why) = &self.cut_off {
            return format!(
                "{place} is cut off or damaged before its first picture ({why}); download it again"
            );
        }
        let files = [
            self.others.count,
            self.archives.len(),
            self.nested.count,
            self.own.count,
        ];
        let files = files.iter().sum::<usize>() + self.meant_count();
        let none = match self.own.count {
            0 => format!("no {FORMATS}"),
            _ => "no picture but this program's own".into(),
        };
        let what = format!("{none} among {} in {place}", counted(files, "file"));
        [vec![what], self.notes(root)].concat().join("; ")
    }

    /// One sentence for each kind of thing that the user should know of.
    pub(super) fn notes(&self, root: &Path) -> Vec<String> {
        let example = |paths: &[PathBuf], what: &str, of: &str| {
            let first = root.join(paths.first()?);
            let counted = counted(paths.len(), what);
            Some(format!("{counted}{of} left out, e.g. {}", first.display()))
        };
        let archives = example(&self.archives, "archive", "");
        let archives = archives.map(|s| s + "; to use one, unpack it or give it with --data");
        let runs = example(&self.runs, "folder", " of this program's own runs");
        let own = self.own.words("picture", root).map(|s| {
            format!("left out {s} that this program has drawn itself; to train on its samples, give a folder of nothing else")
        });
        let nested = self.nested.words("archive", root).map(|s| {
            format!("left out {s} inside another archive; to use one, unpack the outer one and give it with --data")
        });
        let special = self.special.words("entry", root);
        let special =
            special.map(|s| format!("left out as no files but FIFOs, sockets or devices: {s}"));
        let sentences = [self.meant_words(root), archives, nested, runs, own, special];
        sentences.into_iter().flatten().collect()
    }

    /// What else there is that nobody will miss, in words.
    pub(super) fn beside(&self, root: &Path) -> Option<String> {
        let others = self.others.words("other file", root);
        let hidden = self.hidden.words("hidden or system entry", root);
        let words: Vec<String> = [others, hidden].into_iter().flatten().collect();
        (!words.is_empty()).then(|| format!("left out as no pictures: {}", listed(&words, "and")))
    }
}

/// "1 file", "2 files", "3 entries".
pub(super) fn counted(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {what}s"),
    }
}

/// "a", "a and b", "a, b and c".
pub(super) fn listed(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {and} {last}", most.join(", ")),
    }
}

/// Whether the extension is that of an archive, readable here or not.
pub(super) fn is_archive(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let known = [
        "zip", "tar", "tgz", "gz", "bz2", "tbz2", "xz", "txz", "zst", "7z", "rar",
    ];
    extension.is_some_and(|e| known.contains(&e.as_str()))
}

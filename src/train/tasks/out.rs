//! Where samples go: checked before they are drawn, so that hours of drawing are not for nothing, and never mixed with
//! what was there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::numbers::atomic::{check_writable, check_writable_folder};
use crate::numbers::words::quoted;
use crate::numbers::{Error, Result};

/// What files of samples can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A `.npy` file.
    Array,
    /// A `.png` file.
    Picture,
    /// A folder: of points, with both; of pictures, with one file for each and beside it a sheet of them.
    Folder,
}

/// A place for samples.
#[derive(Debug, Clone)]
pub struct Out {
    /// The file or folder.
    pub path: PathBuf,
    /// What it is.
    pub form: Form,
}

impl Out {
    /// The place `path`, whose form its name tells. A folder must be empty, or else `replace` says that samples which
    /// are in it go once the new ones are there.
    ///
    /// # Errors
    /// If `path` cannot be written, holds other files, or has another extension than `.npy` or `.png`.
    pub fn new(path: &Path, replace: bool) -> Result<Self> {
        let form = match path.extension().and_then(|e| e.to_str()) {
            _ if path.is_dir() => Form::Folder,
            Some("npy") => Form::Array,
            Some("png") => Form::Picture,
            None => Form::Folder,
            Some(other) => {
                return Err(Error::usage(format!(
                    "--out cannot be a .{other} file; name a .npy file, a .png file or a folder"
                )));
            }
        };
        let out = Self {
            path: path.to_owned(),
            form,
        };
        match form {
            Form::Array | Form::Picture => check_writable(path)?,
            Form::Folder => out.check_folder(replace)?,
        }
        Ok(out)
    }

    fn check_folder(&self, replace: bool) -> Result<()> {
        // The first folder on the way up that is there is where the others will be made.
        let here = self.path.ancestors().find(|folder| {
            let is_here = folder.as_os_str().is_empty();
            is_here || folder.exists()
        });
        let here = here.filter(|folder| !folder.as_os_str().is_empty());
        check_writable_folder(here.unwrap_or(Path::new(".")))
            .map_err(|e| Error::failure(format!("{e}; choose another --out")))?;
        let held = visible(&self.path).len();
        if held > 0 && !replace {
            return Err(Error::usage(format!(
                "{} already holds {held} file(s); choose another --out, or add --replace to put the new samples in \
                 place of those there",
                quoted(&self.path)
            )));
        }
        let sheet = self.sheet();
        if sheet.exists() && !replace {
            return Err(Error::usage(format!(
                "{} is already there; choose another --out, or add --replace",
                sheet.display()
            )));
        }
        Ok(())
    }

    /// The sheet that goes with a folder of pictures. It lies beside the folder: inside, it would be one more picture
    /// to whoever takes the folder for a data set.
    pub fn sheet(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name = match name.is_empty() {
            true => "samples".into(),
            false => name,
        };
        self.path.with_file_name(format!("{name}-sheet.png"))
    }

    /// Removes what earlier samples have left in the folder: the files that `is_ours` knows and `is_new` does not.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(super) fn remove_earlier(
        &self,
        is_ours: impl Fn(&str) -> bool,
        is_new: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for name in visible(&self.path) {
            if is_ours(&name) && !is_new(&name) {
                let path = self.path.join(name);
                fs::remove_file(&path).map_err(|e| Error::io("remove", &path, &e))?;
            }
        }
        Ok(())
    }
}

/// The names in `folder`, without hidden ones.
fn visible(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_folders_are_refused_or_emptied_of_samples_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("out");
        let new = |replace| Out::new(&folder, replace);
        assert_eq!(new(false).unwrap().form, Form::Folder);
        assert!(!folder.exists());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(".DS_Store"), "x").unwrap();
        new(false).unwrap();
        for name in ["0000.png", "0001.png", "notes.png"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        let error = new(false).unwrap_err();
        assert!(error.to_string().contains("3 file(s)"), "{error}");
        assert!(error.to_string().contains("--replace"), "{error}");
        let out = new(true).unwrap();
        let is_ours = |name: &str| name.starts_with("000");
        out.remove_earlier(is_ours, |name| name == "0000.png")
            .unwrap();
        let mut left = visible(&folder);
        left.sort();
        assert_eq!(left, ["0000.png", "notes.png"]);
        assert_eq!(out.sheet(), dir.path().join("out-sheet.png"));
    }

    #[test]
    fn places_that_cannot_be_written_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        for out in ["absent/x.npy", "absent/x.png", "file/x.npy", "file/folder"] {
            assert!(Out::new(&dir.path().join(out), false).is_err(), "{out}");
        }
        let error = Out::new(&dir.path().join("x.bmp"), false).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

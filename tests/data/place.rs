//! A data set in a folder of its own, with a cache beside it, and pictures to put there.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use coulomb_gan::data::{Crop, Opened, Options, Pictures, open};
use coulomb_gan::numbers::{Error, Result};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

/// A data folder and a cache folder that vanish with the test.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        Self { dir }
    }

    /// The folder of both folders.
    #[cfg(unix)]
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn open(&self, side: usize) -> Result<Opened> {
        self.open_counting(side).0
    }

    /// Opens the set; the second value is what was decoded for it.
    pub fn open_counting(&self, side: usize) -> (Result<Opened>, usize) {
        let mut decoded = 0;
        let opened = self.open_at(&self.data(), side, &mut |done, total| {
            assert!(done <= total || total == 0);
            decoded = done;
        });
        (opened, decoded)
    }

    /// Opens what is at `name` in the data folder, 8 pixels wide.
    pub fn open_in(&self, name: &str) -> Result<Opened> {
        self.open_at(&self.data().join(name), 8, &mut |_, _| {})
    }

    fn open_at(
        &self,
        path: &Path,
        side: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Opened> {
        let cache = self.cache();
        let options = Options {
            side,
            crop: Crop::Center,
            cache: Some(&cache),
        };
        open(path, &options, progress)
    }

    pub fn error(&self) -> Error {
        self.open(8).unwrap_err()
    }

    /// The only file in the cache with this extension.
    pub fn cache_file(&self, extension: &str) -> PathBuf {
        let files = fs::read_dir(self.cache()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let mut files = paths.filter(|path| path.extension().is_some_and(|e| e == extension));
        let file = files.next().unwrap();
        assert!(files.next().is_none());
        file
    }
}

pub fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn plain(width: u32, height: u32, colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(colour)).into()
}

/// A PNG of one grey level, by which it can be told from others.
pub fn grey(level: u8) -> Vec<u8> {
    encode(&plain(8, 8, [level; 3]), ImageFormat::Png)
}

/// A picture whose every part differs from the rest.
pub fn varied(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([x * 19 + y, y * 23, x * y * 7].map(|v| v as u8))
    })
    .into()
}

pub fn levels(pictures: &Pictures) -> Vec<u8> {
    let level = |i| pictures.bytes(i).unwrap()[0];
    (0..pictures.len()).map(level).collect()
}

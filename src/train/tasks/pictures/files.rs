//! Files of generated pictures.

use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};

use crate::figures::{self, grid};
use crate::numbers::folder::Filling;
use crate::numbers::{Error, Result, Tensor, npy};
use crate::train::RunDir;
use crate::train::tasks::subject::training_frames;
use crate::train::tasks::{Form, Out};

/// Pictures on one sheet, at most: viewers fail at larger ones.
const MOST: usize = 10_000;

/// Pictures of the training in its animation, at most: photographs make large GIFs.
const TRAINING_FRAMES: usize = 30;

/// Whether so many pictures can be written in this form.
///
/// # Errors
/// If they cannot; the sentence says what can.
pub fn check_form(count: usize, form: Form) -> Result<()> {
    if form == Form::Picture && count > MOST {
        return Err(Error::usage(format!(
            "{count} pictures are too many for one .png file; ask for {MOST} or fewer, or name a folder"
        )));
    }
    Ok(())
}

/// Writes `samples`, `[N, 3, side, side]`: as an array, as one sheet with rows of `columns`, or as a folder with
/// one file for each, `0000.png` and so on, and a sheet of them beside it.
pub fn write_samples(samples: &Tensor, columns: usize, out: &Out) -> Result<Vec<PathBuf>> {
    let (count, side) = (samples.shape()[0], samples.shape()[2]);
    let write_sheet = |path: &Path, pictures: usize| {
        let numbers = &samples.data()[..pictures * 3 * side * side];
        let columns = columns.min(pictures).max(1);
        figures::write_png(path, &grid::grid(numbers, side, columns))
    };
    check_form(count, out.form)?;
    match out.form {
        Form::Array => npy::write(&out.path, samples)?,
        Form::Picture => write_sheet(&out.path, count)?,
        Form::Folder => {
            let digits = count.saturating_sub(1).to_string().len().max(4);
            let name = |i: usize| format!("{i:0digits$}.png");
            let mut filling = Filling::new(&out.path)?;
            for (i, numbers) in samples.data().chunks(3 * side * side).enumerate() {
                let bytes = figures::png(&grid::picture(numbers, side))?;
                filling.add(&name(i), &bytes)?;
            }
            filling.finish()?;
            let number = |name: &str| name.strip_suffix(".png").map(str::to_owned);
            let is_ours = |name: &str| {
                let number = number(name);
                number.is_some_and(|n| n.len() >= 4 && n.bytes().all(|b| b.is_ascii_digit()))
            };
            let is_new = |file: &str| {
                let number = number(file).and_then(|n| n.parse().ok());
                number.is_some_and(|i| i < count && name(i) == file)
            };
            out.remove_earlier(is_ours, is_new)?;
            let sheet = out.sheet();
            write_sheet(&sheet, count.min(MOST))?;
            return Ok(vec![out.path.clone(), sheet]);
        }
    }
    Ok(vec![out.path.clone()])
}

/// The generated halves of the run's sheets up to `step`, as far as they are there, and a line about those that are not.
pub fn training_halves(run: &RunDir, step: u64) -> (Vec<RgbImage>, Option<String>) {
    let (mut frames, line) = training_frames(run, step, TRAINING_FRAMES);
    for frame in &mut frames {
        let [width, height] = grid::first_of_two(frame.dimensions().into());
        *frame = imageops::crop_imm(frame, 0, 0, width, height).to_image();
    }
    (frames, line)
}

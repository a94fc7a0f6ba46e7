//! Files of generated pictures.

use std::path::{Path, PathBuf};

use image::imageops;

use super::{Form, training_frames};
use crate::figures::{self, animation, grid};
use crate::numbers::{Error, Result, Tensor, npy};
use crate::train::RunDir;

/// Pictures on one sheet, at most: viewers fail at larger ones.
const MOST: usize = 10_000;

/// Pictures of the training in its animation, at most: photographs make large GIFs.
const TRAINING_FRAMES: usize = 30;

/// Writes `samples`, `[N, 3, side, side]`: as an array, as one sheet with rows of `columns`, or as a folder with
/// one file for each, `0000.png` and so on, and a sheet of them, `grid.png`.
pub fn write_samples(
    samples: &Tensor,
    columns: usize,
    form: Form,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    let (count, side) = (samples.shape()[0], samples.shape()[2]);
    let write_sheet = |path: &Path, pictures: usize| {
        let numbers = &samples.data()[..pictures * 3 * side * side];
        figures::write_png(
            path,
            &grid::grid(numbers, side, columns.min(pictures).max(1)),
        )
    };
    match form {
        Form::Array => npy::write(out, samples)?,
        Form::Picture if count > MOST => {
            return Err(Error::usage(format!(
                "{count} pictures are too many for one .png file; ask for {MOST} or fewer, or name a folder"
            )));
        }
        Form::Picture => write_sheet(out, count)?,
        Form::Folder => {
            std::fs::create_dir_all(out).map_err(|e| Error::io("create", out, &e))?;
            let digits = count.saturating_sub(1).to_string().len().max(4);
            for (i, numbers) in samples.data().chunks(3 * side * side).enumerate() {
                let path = out.join(format!("{i:0digits$}.png"));
                figures::write_png(&path, &grid::picture(numbers, side))?;
            }
            let sheet = out.join("grid.png");
            write_sheet(&sheet, count.min(MOST))?;
            return Ok(vec![out.to_owned(), sheet]);
        }
    }
    Ok(vec![out.to_owned()])
}

/// Writes the generated halves of the run's sheets up to `step` as an animation.
pub fn training_animation(path: &Path, run: &RunDir, step: u64) -> Result<()> {
    let mut frames = training_frames(run, step, TRAINING_FRAMES)?;
    for frame in &mut frames {
        let [width, height] = grid::first_of_two(frame.dimensions().into());
        *frame = imageops::crop_imm(frame, 0, 0, width, height).to_image();
    }
    animation::write_gif(path, &frames, 120)
}

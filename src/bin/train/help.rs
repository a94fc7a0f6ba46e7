//! The end of `train --help`: examples, and what the presets say.

use std::fmt::Write;

use coulomb_gan::train::presets::{PRESETS, preset};

/// What people do first.
const EXAMPLES: &str = "\
Examples:
  train                                                  25 Gaussians in the plane
  train --preset images --data FOLDER --width 128        your pictures, with small networks
  train --preset cifar10 --data DIR --backend gpu        on a graphics processor
  train --resume runs/mixture-0001 --steps 400k          go on, and further than planned
  train --resume auto --out RUN --preset shapes          start or go on: the same command restarts a job
  train --preset images --print-config                   everything a preset says";

/// The text.
pub fn after() -> String {
    let mut text = format!("{EXAMPLES}\n\nWhat the presets say:");
    let head = [
        "preset",
        "steps",
        "batch",
        "z-dim",
        "width",
        "lr-g",
        "lr-d",
        "kernel-dim",
        "epsilon",
        "average",
        "keep",
    ];
    let mut rows = vec![head.map(String::from)];
    for (name, _) in PRESETS {
        let Ok(c) = preset(name) else {
            continue;
        };
        rows.push([
            name.into(),
            c.steps.to_string(),
            c.batch_size.to_string(),
            c.z_dim.to_string(),
            c.width.to_string(),
            format!("{:e}", c.lr_g),
            format!("{:e}", c.lr_d),
            c.kernel_dim.to_string(),
            c.epsilon.to_string(),
            c.average.to_string(),
            c.keep.to_string(),
        ]);
    }
    for row in rows {
        text += "\n ";
        for (i, cell) in row.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = match i {
                0 => write!(text, " {cell:<17}"),
                _ => write!(text, " {cell:>8}"),
            };
        }
    }
    text
}

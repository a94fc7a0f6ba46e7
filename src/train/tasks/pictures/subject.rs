//! A set of pictures as the subject of a run: its minibatches, looks, judgement and last pictures.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;

use super::files::training_halves;
use super::report::PictureReport;
use super::set::{self, spread};
use super::{COLUMNS, JUDGED, PictureTask, SHEET};
use crate::data::{Dataset, Loader, Pictures};
use crate::exec::Backend;
use crate::figures::{self, animation, grid};
use crate::metrics::{ColouredShapesReport, Frechet, PictureJudge};
use crate::numbers::{Result, Tensor, npy, rng};
use crate::train::Config;
use crate::train::sampler::Source;
use crate::train::tasks::{End, Finished, Report, Subject, interpolation};
use crate::train::watch::Hear;

/// Pictures that are judged in the course of training.
const LOOK_AT: usize = 1024;

/// Pictures in `samples.npy`.
const WRITTEN: usize = 256;

/// Walks between latents at the end of a run, and pictures along each.
const WALKS: usize = 8;
const WALK_STEPS: usize = 10;

/// The pictures, and what the last look saw.
pub struct PictureSubject {
    seed: u64,
    batch_size: usize,
    pictures: Arc<Pictures>,
    /// Whether the pictures are the shapes, whose kinds can be counted.
    shapes: bool,
    loader: Option<Loader>,
    /// The step whose batch the loader hands out next.
    next: u64,
    started: Instant,
    judge: PictureJudge,
    real: RgbImage,
    samples: Tensor,
    last: Option<Frechet>,
}

impl PictureSubject {
    /// Opens the pictures that `c` names, or draws the shapes.
    ///
    /// # Errors
    /// If there are none, or others than the run has begun with.
    pub fn open(
        c: &mut PictureTask,
        config: &Config,
        backend: &Backend,
        hear: &mut dyn Hear,
    ) -> Result<Self> {
        let (seed, batch_size) = (config.seed, config.batch_size);
        let pictures = set::open(c, &config.preset, seed, hear)?;
        let count = pictures.len().min(JUDGED);
        let mut damage = None;
        let mut real = |i, out: &mut [f32]| {
            if let Err(e) = pictures.write(spread(i, count, &pictures), out) {
                damage = Some(e);
            }
        };
        let judge = PictureJudge::new(backend, c.side, &mut real, count);
        if let Some(damage) = damage {
            return Err(damage);
        }
        let judge = judge?;
        let mut sheet = vec![0.0; SHEET.min(count) * 3 * c.side * c.side];
        for (i, out) in sheet.chunks_mut(3 * c.side * c.side).enumerate() {
            pictures.write(spread(i, SHEET.min(count), &pictures), out)?;
        }
        Ok(Self {
            seed,
            batch_size,
            shapes: c.data.is_none(),
            loader: None,
            next: 0,
            started: Instant::now(),
            judge,
            real: grid::grid(&sheet, c.side, COLUMNS),
            samples: Tensor::zeros([0, 3, c.side, c.side]),
            last: None,
            pictures: Arc::new(pictures),
        })
    }

    /// Starts the loader at `step`.
    fn load_from(&mut self, step: u64) {
        let pictures = Arc::clone(&self.pictures);
        self.loader = Some(Loader::new(pictures, self.seed, self.batch_size, step));
        (self.next, self.started) = (step, Instant::now());
    }

    /// How long training has waited for pictures, in words.
    fn waiting(&self) -> String {
        let waited = self.loader.as_ref().map_or(Duration::ZERO, Loader::waited);
        let all = self.started.elapsed().as_secs_f64().max(1e-9);
        let waited = waited.as_secs_f64();
        format!(
            "waited for pictures {waited:.1} of {all:.1} s, {:.1} %",
            100.0 * waited / all
        )
    }

    /// How well `samples` match the data.
    fn report(&mut self, samples: &Tensor) -> Result<PictureReport> {
        let seen = clamped(samples);
        let frechet = self.judge.judge(&seen)?;
        let side = self.pictures.side();
        Ok(PictureReport {
            samples: samples.shape()[0],
            frechet_random: frechet.random,
            frechet_pixels: frechet.pixels,
            shapes: self.shapes.then(|| ColouredShapesReport::new(&seen, side)),
        })
    }
}

/// The pictures as they are seen: LeCun's tanh may leave [−1, 1].
fn clamped(samples: &Tensor) -> Vec<f32> {
    samples.data().iter().map(|x| x.clamp(-1.0, 1.0)).collect()
}

impl Subject for PictureSubject {
    fn fill_batch(&mut self, step: u64, y: &mut [f32]) -> Result<()> {
        if self.loader.is_none() || self.next != step {
            self.load_from(step);
        }
        self.next += 1;
        self.loader.as_mut().map_or(Ok(()), |loader| loader.fill(y))
    }

    fn fill_gauge(&self, step: u64, y: &mut [f32]) -> Result<()> {
        let rng = &mut rng::stream(self.seed, "gauge batch", step);
        for row in y.chunks_mut(3 * self.pictures.side().pow(2)) {
            let i = rng::below(rng, self.pictures.len());
            self.pictures.write(i, row)?;
        }
        Ok(())
    }

    fn gauge_points(&self) -> usize {
        self.batch_size
    }

    fn look(&mut self, source: &mut Source) -> Result<()> {
        self.samples = source.draw(self.seed, LOOK_AT)?;
        self.last = Some(self.judge.judge(&clamped(&self.samples))?);
        Ok(())
    }

    fn draw_look(&self, step: u64) -> RgbImage {
        let side = self.pictures.side();
        let shown = SHEET * 3 * side * side;
        let shown = &self.samples.data()[..shown.min(self.samples.data().len())];
        let generated = grid::grid(shown, side, COLUMNS);
        let caption = format!("step {step}");
        grid::captioned(&[(&caption, &generated), ("real", &self.real)])
    }

    fn columns(&self) -> &'static [&'static str] {
        &["frechet_random", "frechet_pixels"]
    }

    fn values(&self) -> Vec<f64> {
        let last = self.last.map(|last| vec![last.random, last.pixels]);
        last.unwrap_or_else(|| vec![f64::NAN; 2])
    }

    fn status(&self) -> String {
        match &self.last {
            Some(last) => format!("frechet_random {:.4}", last.random),
            None => "not judged yet".into(),
        }
    }

    /// The Fréchet distance of random features.
    fn tracked(&self) -> f64 {
        self.last.map_or(f64::INFINITY, |last| last.random)
    }

    fn finish(&mut self, mut end: End) -> Result<Finished> {
        let waiting = self.waiting();
        let side = self.pictures.side();
        let samples = end.source.draw(self.seed, JUDGED)?;
        let report = self.report(&samples)?;
        let written = samples.data()[..WRITTEN * 3 * side * side].to_vec();
        let written = Tensor::new([WRITTEN, 3, side, side], written)?;
        let latents = interpolation::walks(self.seed, WALKS, WALK_STEPS, end.config.z_dim)?;
        let strip = end.source.at(&latents)?;
        let (frames, line) = training_halves(end.run, end.step);
        let lines = [Some(report.to_string()), Some(waiting), line];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        let mut finished = Finished {
            report: lines.join("\n"),
            ..Finished::default()
        };
        let mut add =
            |name, write: &dyn Fn(&Path) -> Result<()>| finished.add(end.run, name, write);
        add("samples.npy", &|path| npy::write(path, &written));
        add("samples.png", &|path| {
            figures::write_png(path, &grid::grid(written.data(), side, 2 * COLUMNS))
        });
        add("interpolation.png", &|path| {
            figures::write_png(path, &grid::grid(strip.data(), side, WALK_STEPS))
        });
        // Somebody may have removed the looks; a run that is complete makes no others.
        if !frames.is_empty() {
            add("training.gif", &|path| {
                animation::write_gif(path, &frames, 120)
            });
        }
        Ok(finished)
    }

    fn judge(&mut self, samples: &Tensor) -> Result<Report> {
        Report::new(&self.report(samples)?)
    }
}

//! Appendix A.1 as a picture: a row for every objective, from the generator that has lost a region to what becomes of it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use coulomb_gan::cli::console::{Reader, print};
use coulomb_gan::figures::{self, Panel, palette, scatter};
use coulomb_gan::numbers::atomic::{check_writable_folder, write_atomically};
use coulomb_gan::numbers::{Error, Result};
use coulomb_gan::train::collapse::{self, Collapsed, Look};
use coulomb_gan::train::config::limits::whole;
use coulomb_gan::train::method::Method;
use coulomb_gan::train::presets::preset;
use coulomb_gan::train::watch::Hear;

use super::Args;

/// Rounds of each objective unless somebody says otherwise.
const STEPS: u64 = 20_000;

/// Trains every objective from the collapsed generator on, and draws the looks into `folder`.
pub fn run(args: &Args, folder: &Path) -> Result<ExitCode> {
    let steps = args.steps.as_deref();
    let steps = steps.map_or(Ok(STEPS), |n| whole("steps", n))?;
    let seed = args.seed.as_deref();
    let seed = seed.map_or(Ok(1), |n| whole("seed", n))?;
    let mut config = preset("mixture")?;
    args.machine.apply(&mut config)?;
    let backend = args.machine.backend(&config)?;
    fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
    check_writable_folder(folder)?;

    let mut reader = Reader { quiet: args.quiet };
    let looks = [0, steps / 10, steps * 3 / 10, steps];
    let collapsed = backend.install(|| Collapsed::new(seed, &backend))?;
    let mut courses = vec![];
    for method in Method::ALL {
        reader.say(&format!(
            "{}: {steps} steps on {}",
            method.name(),
            backend.describe()
        ));
        let course = backend.install(|| collapsed.course(method, &backend, steps, &looks))?;
        courses.push((method, course));
    }
    let [picture, text] = ["collapse.png", "table.md"].map(|name| folder.join(name));
    figures::write_png(&picture, &draw(seed, &courses))?;
    let table = table(&courses);
    write_atomically(&text, |w| w.write_all(table.as_bytes()))?;
    print(&format!(
        "{table}\n{}\n{}",
        picture.display(),
        text.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Each objective's looks beside real points.
fn draw(seed: u64, courses: &[(Method, Vec<Look>)]) -> image::RgbImage {
    let real = collapse::real_points(seed);
    let titles: Vec<Vec<String>> = courses
        .iter()
        .map(|(method, looks)| {
            let looks = looks.iter();
            looks
                .map(|look| format!("{}, step {}", method.name(), look.step))
                .collect()
        })
        .collect();
    let rows = courses.iter().zip(&titles).map(|((_, looks), titles)| {
        let real = Panel {
            title: "real",
            points: &real,
            color: palette::REAL,
        };
        let generated = looks.iter().zip(titles).map(|(look, title)| Panel {
            title,
            points: &look.points,
            color: palette::GENERATED,
        });
        [real].into_iter().chain(generated).collect()
    });
    scatter::rows(&rows.collect::<Vec<_>>(), collapse::WINDOW)
}

/// The shares of the samples in both regions, a line for each objective.
fn table(courses: &[(Method, Vec<Look>)]) -> String {
    let looks = courses.first().map_or(&[][..], |(_, looks)| looks);
    let mut out = String::from("| objective, % of samples in the kept and the lost region |");
    // Writing to a string cannot fail.
    for look in looks {
        let _ = write!(out, " step {} |", look.step);
    }
    out += "\n|---|";
    out += &"---|".repeat(looks.len());
    for (method, looks) in courses {
        let _ = write!(out, "\n| {} |", method.name());
        for look in looks {
            let [kept, lost] = look.shares.map(|share| 100.0 * share);
            let _ = write!(out, " {kept:.0}, {lost:.0} |");
        }
    }
    out
}

//! Prints the limits and the rows.

use coulomb_gan::exec::Backend;

use super::limits::Limits;
use super::rows::Row;

/// A row's time on a crew of threads.
pub struct Measured<'a> {
    pub row: &'a Row,
    /// Which crew, and its name.
    pub crew: usize,
    pub name: &'a str,
    /// Median time of one call.
    pub seconds: f64,
    /// Bytes per second of a copy that moves as many bytes as the row.
    pub copy: f64,
}

/// What `backend`'s threads could do at the start and at the end of the run.
pub fn print_limits(backend: &Backend, start: &Limits, end: &Limits) {
    println!("\n{:<30} {:>10} {:>10}", backend.describe(), "start", "end");
    let line = |what: &str, scale: f64, of: fn(&Limits) -> f64| {
        let [start, end] = [start, end].map(|limits| of(limits) * scale);
        println!("  {what:<28} {start:>10.2} {end:>10.2}");
    };
    line("multiply-adds, GFLOP/s", 1e-9, |l| l.fma);
    line("copy of 128 MiB, GB/s", 1e-9, |l| l.copy);
    line("launch of a program, µs", 1e6, |l| l.launch);
    line("each further step, µs", 1e6, |l| l.step);
}

/// One line per row; `limits` holds those of each crew.
pub fn print_rows(rows: &[Measured], limits: &[Limits]) {
    println!(
        "\n{:<28} {:>7} {:>11} {:>8} {:>6} {:>8} {:>6}  {:<8} {:>15}",
        "row", "on", "median", "GFLOP/s", "% FMA", "GB/s", "% copy", "bound", "rate"
    );
    for m in rows {
        let limits = &limits[m.crew];
        let work = &m.row.work;
        let [flops, bytes] = [work.cost.flops, work.cost.bytes].map(|n| n as f64);
        let overhead = match work.steps {
            0 => 0.0,
            n => limits.launch + (n - 1) as f64 * limits.step,
        };
        let floors = [
            ("compute", flops / limits.fma),
            ("memory", bytes / m.copy),
            ("overhead", overhead),
        ];
        let bound = floors.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let line = format!(
            "{:<28} {:>7} {:>11} {:>8.1} {:>6.0} {:>8.1} {:>6.0}  {:<8} {:>15}",
            m.row.name,
            m.name,
            time(m.seconds),
            1e-9 * flops / m.seconds,
            100.0 * flops / m.seconds / limits.fma,
            1e-9 * bytes / m.seconds,
            100.0 * bytes / m.seconds / m.copy,
            bound.map_or("", |(name, _)| name),
            match work.items {
                Some((count, what)) => rate(count as f64 / m.seconds, what),
                None => String::new(),
            }
        );
        println!("{}", line.trim_end());
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.2} µs", 1e6 * s),
        s if s < 1.0 => format!("{:.2} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}

fn rate(per_second: f64, what: &str) -> String {
    match per_second {
        r if r < 1e6 => format!("{r:.0} {what}/s"),
        r if r < 1e9 => format!("{:.0} M {what}/s", r / 1e6),
        r => format!("{:.2} G {what}/s", r / 1e9),
    }
}

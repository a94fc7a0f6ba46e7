//! Floor 6: training as a user sees it. Read `trainer` first: the whole of training on one screen.
//!
//! `config` says what a run is (and `presets` names some), `model` builds its networks and tape, `run_dir` and
//! `checkpoint` keep it on disk, `progress` shows it, `interrupt` ends it politely, `report` draws the
//! pictures at the end.

pub mod checkpoint;
pub mod config;
pub mod console;
pub mod flags;
pub mod interrupt;
pub mod model;
pub mod presets;
pub mod progress;
pub mod report;
pub mod run_dir;
pub mod trained;
pub mod trainer;

pub use config::Config;
pub use run_dir::RunDir;

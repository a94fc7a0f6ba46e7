//! Floor 6: training as a user sees it. Read `trainer` first: the whole of training on one screen.
//!
//! `config` (with `picture_config`) says what a run is and `presets` names some, `model` builds its networks and
//! tape, `run_dir` and `checkpoint` keep it on disk, `progress` shows it, `interrupt` ends it politely, `machine`
//! says where it computes, `profile` times its step. `subject` holds all that depends on what is learnt: points,
//! judgement and figures.

pub mod checkpoint;
pub mod config;
pub mod console;
pub mod flags;
pub mod interrupt;
pub mod machine;
pub mod model;
pub mod picture_config;
pub mod presets;
pub mod profile;
pub mod progress;
pub mod run_dir;
pub mod subject;
pub mod trained;
pub mod trainer;

pub use config::Config;
pub use run_dir::RunDir;

//! Floor 6: training as a user sees it. Read `trainer` first: the whole of training on one screen.
//!
//! `config` (with `picture_config`) says what a run is and `presets` names some, `method` its objective; `model` builds
//! its networks and tapes, and `round` runs these. On disk, `run_dir` is a run's folder (`claim` until it begins), `checkpoint` its state, `kept` which of those
//! there are, `log` its table of metrics; `saving` keeps them whatever happens. `watch` is who looks on, `trained` opens
//! what has been trained, `profile` times a step. `subject` holds all that depends on what is learnt: points, judgement
//! and figures.

pub mod checkpoint;
pub mod claim;
pub mod config;
pub mod kept;
pub mod log;
pub mod method;
pub mod model;
pub mod picture_config;
pub mod presets;
pub mod profile;
mod round;
pub mod run_dir;
mod saving;
pub mod subject;
pub mod trained;
pub mod trainer;
pub mod watch;

pub use config::Config;
pub use run_dir::RunDir;

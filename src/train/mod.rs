//! Floor 6: training as a user sees it. Read `trainer` first: the whole of training on one screen.
//!
//! `config` says what a run is and `presets` names some, `method` its objective and `tasks` what is learnt: points,
//! networks, judgement and figures. `model` builds the networks and tapes, `round` runs these, `sampler` draws samples. On
//! disk, `run_dir` is a run's folder (`claim` until it begins), `checkpoint` its state, `kept` which of those there are,
//! `log` its table of metrics; `saving` keeps them whatever happens. `watch` is who looks on, `snapshot` opens a
//! checkpoint to draw from, `profile` times a step.

pub mod checkpoint;
pub mod claim;
pub mod collapse;
pub mod config;
pub mod kept;
pub mod log;
pub mod method;
pub mod model;
pub mod presets;
pub mod profile;
mod round;
pub mod run_dir;
pub mod sampler;
mod saving;
pub mod snapshot;
pub mod tasks;
pub mod trainer;
pub mod watch;

pub use config::Config;
pub use run_dir::RunDir;

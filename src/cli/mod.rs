//! Floor 7: what the programs in `src/bin` share. Command lines, what people see, signals; the floors below know nothing
//! of them.
//!
//! [`start`] begins and ends every program, [`console`] is the one place that writes to a terminal, [`machine`] says where to
//! compute, [`run`] which state of which run, [`training`] takes one to its end, [`progress`] shows it, [`signals`] ends it
//! politely, and [`again`] says how to go on.

pub mod again;
pub mod console;
pub mod machine;
pub mod progress;
pub mod run;
pub mod signals;
pub mod start;
pub mod training;

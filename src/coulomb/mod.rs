//! Floor 4: the paper. Read `plummer` (Eq. 5 and its derivatives), `potential` (Eqs. 8, 32-34),
//! `algorithm1` (one training step), `particles` (Theorem 1 in motion); `theory` says why it works, and where each of
//! the paper's equations is.
//!
//! Letters follow section 2.4 and A.4: `x` are generated, `y` real points, `a` any point,
//! `Φ(a) = E[k(a, y)] − E[k(a, x)]`. (The listing of Algorithm 1 swaps `x` and `y`; the authors' released
//! code flips the sign of Φ and of the generator's loss, which is the same thing.)

pub mod algorithm1;
pub mod particles;
pub mod plummer;
pub mod potential;
pub mod theory;

pub use plummer::Plummer;

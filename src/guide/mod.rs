//! The guide: pages to read beside the code.
//!
//! | page | what it answers |
//! |---|---|
//! | [`from_scratch`] | What is Algorithm 1? In sixty lines that run. |
//! | [`architecture`] | How is the crate built, and what happens to a number on its way through it? Where does something new go? |
//! | [`equal_bits`] | Why does a run end with the same bits for any number of threads, and after any interruption? |
//! | [`glossary`] | What do others call the things here? |
//!
//! A path with a name, such as `src/tape/grad.rs:grad`, is a file of the repository and what it defines. A test fails when
//! one of them points nowhere.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("equal_bits.md")]
pub mod equal_bits {}

#[doc = include_str!("from_scratch.md")]
pub mod from_scratch {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}

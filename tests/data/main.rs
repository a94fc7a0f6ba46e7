//! Picture sets from disk: what is read, what is skipped and why, what the cache trusts, and in which order
//! pictures are handed out.

mod archives;
mod cache;
mod decode;
mod folders;
mod formats;
mod layouts;
mod loader;
mod own;
mod place;
mod unreadable;
mod whole;

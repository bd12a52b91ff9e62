//! Health: what to ask a host, how to read its answer, what to make of it, and who is due. Pure but for `local`.

pub mod local;
pub mod parse;
pub mod probe;
pub mod schedule;
pub mod series;
pub mod summary;
pub mod verdict;

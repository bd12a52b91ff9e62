//! Sync as the program runs it: the task that carries the log between this store and its remote, and how remotes are opened.
//!
//! Nothing here decides what is shown or asked: facts go to the loop, and the loop says what is wanted.

mod open;

pub(crate) use open::{Means, Wanted, open_remote};

//! Sync as the program runs it: the task that carries the log between this store and its remote, and how remotes are opened.
//!
//! Nothing here decides what is shown or asked: facts go to the loop, and the loop says what is wanted. A store that syncs
//! with nobody has no task, and is asked nothing.

mod acts;
mod ask;
mod desk;
mod fetch;
mod gone;
pub mod host;
mod last;
mod look;
mod open;
mod share;
mod space;
mod worker;

pub use ask::{SyncAsk, SyncDone, SyncFact, SyncLevel, SyncRefusal};
pub(crate) use desk::Desk;
pub use desk::{Job, Recordings};

//! An embedded fleet: SSH servers on loopback with sample hosts, tickets and runbooks. Nothing here leaves the machine.
//!
//! The servers are real: they speak SSH, and what is asked of them runs, as the user who started the fleet. What makes a
//! sample host look like a machine of its own is its folder: its own `PATH` with a few programs in front, its own home, its
//! own `/proc` for those who ask for it by `QD_PROC`, and its own root for runbooks by `QD_ROOT`.

mod channel;
mod enter;
mod error;
mod fleet;
mod flow;
mod ground;
mod machine;
mod pipes;
mod plan;
mod processes;
mod sample;
mod server;
mod ssh_files;
mod stage;
mod terminal;
mod vitals;
mod walk;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_books;
#[cfg(test)]
mod tests_signals;

pub use enter::{check, open};
pub use error::DemoError;
pub use fleet::{Fleet, FleetHost};
pub use sample::{BOOKS, SampleBook, SampleTicket, TICKETS};
pub use stage::{Stage, StageError};
pub use walk::{Chapter, Page, Verdict, Walk};

/// The user that the fleet's hosts let in, and the author of what the demo writes.
pub const LOGIN: &str = "demo";

//! Quarterdeck: the terminal workstation for people who run computers.
//!
//! A tour of the house, in reading order. A room may import only rooms of lower rank; `tests/tidy.rs` checks it.
//!
//! 1. [`domain`], the nouns: tickets, hosts, runs, case events, operations. Pure values and the rules between them.
//! 2. [`term`], the terminal emulator: bytes in, an immutable screen out; keys and recordings encoded. Pure.
//! 3. [`command`], the verbs: everything a user may ask for, named once; keys, prompt, command line and help come from it.
//! 4. [`runbook`], Markdown to steps, parameters to commands, and the run as a pure state machine.
//! 5. [`inventory`], sources of hosts, each field with the file and line that set it.
//! 6. [`health`], what to probe, how to read the answer, and what to make of it.
//! 7. [`config`], settings and the places of files.
//! 8. [`store`], the operation log and its projections in SQLite: one writer, read-only readers.
//! 9. [`pty`], local programs in a pseudo-terminal.
//! 10. [`ssh`], connections: one for each destination, shared by everything that needs it.
//! 11. [`sync`], the optional replication of the log.
//! 12. [`model`], what we believe now: plain data, written only by `app::update`.
//! 13. [`ui`], seeing and touching: layout, drawing, keys, themes.
//! 14. [`app`], the loop: events, a pure update, effects, and the runtime that holds every handle.
//! 15. [`attach`], windows onto the app: the protocol, and the pump on the terminal's side.
//! 16. [`cli`], the same commands without a screen.
//! 17. [`demo`], an embedded fleet to try it all on.

pub mod app;
pub mod attach;
pub mod cli;
pub mod command;
pub mod config;
pub mod demo;
pub mod domain;
pub mod health;
pub mod inventory;
pub mod model;
pub mod pty;
pub mod runbook;
pub mod ssh;
pub mod store;
pub mod sync;
pub mod term;
pub mod ui;

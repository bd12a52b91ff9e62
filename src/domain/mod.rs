//! The nouns of the program: plain values and the rules between them. No I/O, no clock, no randomness of its own.

pub mod audit;
pub mod case;
pub mod check;
pub mod connection;
pub mod environment;
pub mod files;
pub mod forward;
pub mod host;
pub mod ids;
pub mod key;
pub mod layout;
pub mod look;
pub mod merge;
pub mod op;
pub mod pane;
pub mod paste;
pub mod pattern;
pub mod query;
pub mod recording;
pub mod run;
pub mod runbook;
pub mod sample;
pub mod session;
pub mod text;
pub mod ticket;
pub mod time;

//! The SSH engine against real OpenSSH servers on loopback.

mod at_terminal;
mod auth;
mod escapes;
mod exec;
mod exit;
mod host_key;
mod jump;
mod shared;
mod shell;
mod system;
mod tty;

//! The SSH engine against real OpenSSH servers on loopback.

mod auth;
mod exec;
mod files;
mod files_faults;
mod host_key;
mod jump;
mod shared;
mod shell;

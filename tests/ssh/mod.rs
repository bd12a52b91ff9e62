//! The SSH engine against real OpenSSH servers on loopback.

mod auth;
mod exec;
mod faults;
mod host_key;
mod jump;
mod legacy;
mod many;
mod rekey;
mod shared;
mod shell;
mod slow;

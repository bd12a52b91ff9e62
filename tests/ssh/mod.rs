//! The SSH engine against real OpenSSH servers on loopback.

mod agent_forward;
mod auth;
mod exec;
mod forward;
mod host_key;
mod jump;
mod shared;
mod shell;

//! The SSH engine against real OpenSSH servers on loopback.

mod agent_scenarios;
mod auth;
mod certs;
mod exec;
mod host_key;
mod jump;
mod kbdint;
mod known_by_command;
mod rotate;
mod shared;
mod shell;

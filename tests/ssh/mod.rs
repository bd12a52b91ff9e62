//! The SSH engine against real OpenSSH servers on loopback.

mod auth;
mod config_agrees;
mod configs;
mod configs_scenarios;
mod exec;
mod host_key;
mod jump;
mod shared;
mod shell;

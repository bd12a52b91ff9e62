//! The SSH engine against real OpenSSH servers on loopback.

mod agent_forward;
mod auth;
mod config_agrees;
mod configs;
mod configs_scenarios;
mod exec;
mod faults;
mod files;
mod files_faults;
mod forward;
mod host_key;
mod jump;
mod legacy;
mod many;
mod rekey;
mod shared;
mod shell;
mod slow;

//! The SSH engine against real OpenSSH servers on loopback.

mod agent_forward;
mod agent_scenarios;
mod auth;
mod certs;
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
mod kbdint;
mod known_by_command;
mod legacy;
mod many;
mod rekey;
mod rotate;
mod shared;
mod shell;
mod slow;

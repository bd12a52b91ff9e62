//! What the integration tests share: real servers, real agents, real terminals, a place for their files.

pub(crate) mod day;
pub(crate) mod hostile;
pub(crate) mod hostile_bytes;
pub(crate) mod lab;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod pty;
pub(crate) mod quiz;
pub(crate) mod relay;
pub(crate) mod scripted;
pub(crate) mod sshd;
pub(crate) mod tmux;

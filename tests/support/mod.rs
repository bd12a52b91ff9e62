//! What the integration tests share: real servers, real terminals.

pub(crate) mod day;
pub(crate) mod lab;
pub(crate) mod pty;
pub(crate) mod sshd;

//! What several kinds of integration tests need: real servers, real agents, a place for their files.

pub(crate) mod lab;
pub(crate) mod scripted;
pub(crate) mod sshd;

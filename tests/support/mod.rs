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

/// The home of whoever is supposed to sit at the terminal: nobody's settings of shells and editors are in it, so that the
/// programs under test are the same everywhere. It is shared by all tests, which write no more than a shell's history there.
pub(crate) fn home() -> &'static str {
    const HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/home");
    std::fs::create_dir_all(HOME).expect("the folder of tests can be written");
    HOME
}

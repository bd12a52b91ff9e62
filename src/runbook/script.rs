//! What is sent to a host for one step: the command line, and the script on its standard input.

use std::fmt;

/// A command and what it reads. Its debug form does not show the script, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// The exec request, such as `sh` or `sudo -n sh`. It never holds a parameter.
    pub command: String,
    /// The script.
    pub stdin: Vec<u8>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({:?}, {} bytes)", self.command, self.stdin.len())
    }
}

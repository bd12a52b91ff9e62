//! What can keep the embedded fleet from starting.

use std::io;
use std::path::PathBuf;

/// What was attempted, why it failed, what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file of the fleet could not be made.
    #[error("cannot write {} for the demo: {why}; set TMPDIR to a folder with space that you may write to", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },

    /// Another fleet lives there.
    #[error("cannot put the demo into {}: it already holds one; choose an empty folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },

    /// The path would mean something else inside an ssh_config file.
    #[error(
        "cannot put the demo into {}: ssh_config cannot name a path with one of the characters \" \\ $ % * ? [ or a line break; set TMPDIR to another folder",
        path.display()
    )]
    Path {
        /// The folder.
        path: PathBuf,
    },

    /// The programs of the sample hosts cannot be started.
    #[error("cannot start programs in {}: {why}; if the file system is mounted noexec, set TMPDIR to another one", path.display())]
    Execute {
        /// The program that was tried.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },

    /// No port on loopback.
    #[error(
        "cannot listen on 127.0.0.1 for the demo: {why}; check that the loopback interface is up"
    )]
    Listen {
        /// What the system said.
        why: io::Error,
    },

    /// No randomness, or no key from it.
    #[error("cannot make keys for the demo: {why}; check that the system can give random numbers")]
    Keys {
        /// What the system or the encoder said.
        why: String,
    },
}

impl DemoError {
    /// Whether trying again without changing anything is pointless.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Occupied { .. } | Self::Path { .. } | Self::Execute { .. } => true,
            Self::Write { .. } | Self::Listen { .. } | Self::Keys { .. } => false,
        }
    }
}

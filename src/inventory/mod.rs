//! Sources of hosts: foreign files read into hosts whose every field names the file and line that set it.
//!
//! Reading a source executes nothing and reaches no network. A source is never believed beyond its text: effective
//! settings of a connection come from OpenSSH itself, elsewhere.

pub mod hostlist;
pub mod import;
pub mod ssh_config;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::domain::host::Host;
pub use crate::domain::runbook::Diagnostic;

/// What a source names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// The hosts in the order of the source, each name once.
    pub hosts: Vec<Host>,
    /// What could not be understood; the rest was still read.
    pub warnings: Vec<Diagnostic>,
    /// The files that were read, the first being the one asked for.
    pub files: Vec<PathBuf>,
}

/// Why a source cannot be read at all.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// The file itself.
    #[error("cannot read {}: {why}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A folder, a device or a pipe.
    #[error("cannot read {}: it is not a regular file; name the file that lists the hosts", .0.display())]
    NotAFile(PathBuf),
    /// Larger than any hand-written or generated configuration.
    #[error("cannot read {}: it is larger than {} MiB, which no host list is; name another file", path.display(), limit / 1_048_576)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
}

//! What can go wrong with settings and places of files, in words for their owner.

use std::io;
use std::path::PathBuf;

use crate::domain::runbook::Diagnostic;

/// What was attempted, why it failed, what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a home folder nor an override is known.
    #[error(
        "cannot find your home folder: HOME is not set; set it, or name a folder with --home DIR or QD_HOME"
    )]
    NoHome,

    /// A folder could not be made or cannot be written.
    #[error("cannot write to {}: {why}; name a folder that you may write to with --home DIR or QD_HOME", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },

    /// Somebody else could plant commands here.
    #[error("refusing {}: {who} may write to it, and what lies there is run as you; run: chmod {fix} {quoted}", path.display())]
    Unsafe {
        /// The file or folder.
        path: PathBuf,
        /// `its group`, `everybody`.
        who: &'static str,
        /// The mode argument for `chmod`.
        fix: &'static str,
        /// The path as a shell takes it.
        quoted: String,
    },

    /// A file that is there cannot be read.
    #[error("cannot read {}: {why}; check that the file is yours and is UTF-8 text", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },

    /// A file that ought to change cannot be written.
    #[error("cannot write {}: {why}; check the permissions of the file and of its folder", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },

    /// The settings hold mistakes; every one of them is listed.
    #[error("{}", list(.0))]
    Invalid(Vec<Diagnostic>),
}

impl Error {
    /// Whether trying again without changing anything is pointless.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoHome | Self::Unsafe { .. } | Self::Invalid(_) => true,
            Self::Create { why, .. } | Self::Read { why, .. } | Self::Write { why, .. } => {
                why.kind() != io::ErrorKind::Interrupted
            }
        }
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
    lines.join("\n")
}

//! Why one operation on one file did not succeed, in words that fit after the file's name.

use std::io;

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing has that name.
    NotThere,
    /// It is not allowed.
    Denied,
    /// The machine cannot do it at all.
    Unsupported,
    /// Anything else, in words.
    Other(String),
    /// The connection is gone, or the host stopped answering; nothing more can succeed there.
    Lost(String),
    /// A person stopped it.
    Stopped,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotThere => f.write_str("there is no such file or folder"),
            Self::Denied => f.write_str("permission denied"),
            Self::Unsupported => f.write_str("the host's SFTP cannot do this"),
            Self::Other(why) => f.write_str(why),
            Self::Lost(why) => write!(f, "the connection was lost: {why}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::NotFound => Self::NotThere,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::StorageFull => Self::Other("no space is left on the disk".to_owned()),
            io::ErrorKind::QuotaExceeded => {
                Self::Other("the account's share of the disk is used up".to_owned())
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                Self::Other("the file system is read-only".to_owned())
            }
            io::ErrorKind::InvalidFilename => {
                Self::Other("the name is too long or not valid there".to_owned())
            }
            io::ErrorKind::FileTooLarge => {
                Self::Other("the file is larger than the system allows".to_owned())
            }
            _ => {
                let text = why.to_string();
                let words = text.split_once(" (os error").map(|(words, _)| words);
                Self::Other(words.unwrap_or(&text).to_lowercase())
            }
        }
    }
}

/// What a host's status code means (draft-ietf-secsh-filexfer-02, section 7). 0 and 1 are no failures and do not come here.
pub(crate) fn from_status(code: u32, message: &str) -> Fault {
    match code {
        2 => Fault::NotThere,
        3 => Fault::Denied,
        // OpenSSH answers so to names that the file system does not take.
        5 => Fault::Other("the name is too long or not valid there".to_owned()),
        8 => Fault::Unsupported,
        _ => {
            let message = crate::domain::text::line(message.trim());
            if message.is_empty() || message == "Failure" {
                Fault::Other("the host failed to do it and does not say why".to_owned())
            } else {
                Fault::Other(format!("the host says: {message}"))
            }
        }
    }
}

//! Sessions: a shell on a host, live or recorded.

use serde::Serialize;

use super::ids::SessionId;
use super::time::Time;

/// A session as the store knows it. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionRow {
    /// For ever.
    pub id: SessionId,
    /// What people call it: `S-2M0D`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The host's name.
    pub host: String,
    /// The ticket's reference.
    pub ticket: Option<String>,
    /// When it was opened.
    pub opened: Time,
    /// When it ended; `None` while it lives, or when its owner died.
    pub closed: Option<Time>,
    /// The remote exit status.
    pub exit: Option<i64>,
    /// Bytes in the recording.
    pub bytes: u64,
    /// The recording's file name in `recordings/`.
    pub recording: Option<String>,
    /// Whether a living process owns it.
    pub live: bool,
}

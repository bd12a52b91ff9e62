//! What sync can be asked, and what it tells: plain data.

use std::path::PathBuf;

use crate::domain::ids::{DeviceId, ReqId};
use crate::domain::session::SessionRow;
use crate::domain::sync::{Onlooker, SyncStatus};
use crate::domain::time::Time;

/// Something that somebody wants of sync; each is answered by one [`SyncFact::Done`] with its number, or
/// [`SyncFact::Asking`].
#[derive(Clone, Debug)]
pub enum SyncAsk {
    /// Make a space in this place.
    Init {
        /// The request.
        req: ReqId,
        /// The place, as the user named it.
        remote: String,
        /// What this device is to be called.
        name: Option<String>,
    },
    /// Ask to come into the space of this place, and wait.
    Join {
        /// The request.
        req: ReqId,
        /// The place, as the user named it.
        remote: String,
        /// What this device is to be called.
        name: Option<String>,
    },
    /// Say who shows this code; answers with `Asking`.
    Look {
        /// The request.
        req: ReqId,
        /// The code.
        code: String,
    },
    /// Let in whoever shows this code.
    Admit {
        /// The request.
        req: ReqId,
        /// The code.
        code: String,
        /// The fingerprint that the person said yes to.
        fingerprint: String,
    },
    /// Say how sync is, without asking the remote.
    Status {
        /// The request.
        req: ReqId,
    },
    /// Sync at once, to the end.
    Now {
        /// The request.
        req: ReqId,
    },
    /// Send a device away.
    Retire {
        /// The request.
        req: ReqId,
        /// Which.
        device: DeviceId,
    },
    /// Make a new key.
    Rotate {
        /// The request.
        req: ReqId,
    },
    /// Stop syncing.
    Leave {
        /// The request.
        req: ReqId,
    },
    /// Bring the recording of a session here, if it is not; answers with `Fetched`.
    Fetch {
        /// The request.
        req: ReqId,
        /// The session.
        row: Box<SessionRow>,
    },
    /// Whoever waits for this is gone.
    GiveUp {
        /// The request.
        req: ReqId,
    },
}

impl SyncAsk {
    /// Its number.
    pub const fn req(&self) -> ReqId {
        match self {
            Self::Init { req, .. }
            | Self::Join { req, .. }
            | Self::Look { req, .. }
            | Self::Admit { req, .. }
            | Self::Status { req }
            | Self::Now { req }
            | Self::Retire { req, .. }
            | Self::Rotate { req }
            | Self::Leave { req }
            | Self::Fetch { req, .. }
            | Self::GiveUp { req } => *req,
        }
    }
}

/// Something that sync did. Never dropped: the task waits while the loop's queue is full.
#[derive(Clone, Debug)]
pub enum SyncFact {
    /// This code is to be told to a device of the space.
    Code {
        /// The request.
        req: ReqId,
        /// The code.
        code: String,
        /// The fingerprint that must be shown there.
        fingerprint: String,
        /// Until when the code is good.
        until: Time,
    },
    /// This device shows the code.
    Asking {
        /// The request.
        req: ReqId,
        /// Which.
        device: DeviceId,
        /// By which people compare keys.
        fingerprint: String,
    },
    /// A recording is on its way.
    Fetching {
        /// The request.
        req: ReqId,
        /// Bytes that have come.
        got: u64,
        /// All of them.
        of: u64,
    },
    /// A recording is here, or cannot be.
    Fetched {
        /// The request.
        req: ReqId,
        /// The file.
        result: Result<PathBuf, SyncRefusal>,
    },
    /// A request is over.
    Done {
        /// The request.
        req: ReqId,
        /// What came of it.
        result: Result<SyncDone, SyncRefusal>,
    },
    /// Changes of others came in.
    Learned,
    /// Something is not in order that was so before; a line each.
    Troubles(Vec<String>),
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct SyncDone {
    /// A line for people, or a few.
    pub said: String,
    /// How sync is now; `None` when this store syncs with nobody.
    pub status: Option<Box<SyncStatus>>,
}

/// Why a request came to nothing: what was attempted, why it failed, what to do next.
#[derive(Clone, Debug)]
pub struct SyncRefusal {
    /// In words.
    pub text: String,
    /// The exit status that says so.
    pub exit: u8,
}

impl SyncRefusal {
    pub(super) fn new(exit: u8, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            exit,
        }
    }

    /// This store syncs with nobody.
    pub(crate) fn alone() -> Self {
        Self::new(
            3,
            "this store syncs with nobody; `qd sync init REMOTE` makes a space, `qd sync join REMOTE` comes into one",
        )
    }
}

impl From<crate::sync::SyncError> for SyncRefusal {
    fn from(why: crate::sync::SyncError) -> Self {
        let exit = match why {
            crate::sync::SyncError::Refused { .. } => 2,
            crate::sync::SyncError::Remote(_)
            | crate::sync::SyncError::Store(_)
            | crate::sync::SyncError::Local { .. }
            | crate::sync::SyncError::Elsewhere
            | crate::sync::SyncError::Broken { .. } => 1,
        };
        Self::new(exit, why.to_string())
    }
}

/// How sync is now. The newest takes the place of the one before.
#[derive(Clone, Debug, Default)]
pub struct SyncLevel {
    /// `None` when this store syncs with nobody.
    pub status: Option<SyncStatus>,
    /// Who else has a ticket open that is open here.
    pub onlookers: Vec<Onlooker>,
}

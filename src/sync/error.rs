//! What can go wrong with sync: errors that end a round, and troubles that are told while everything else goes on.

use thiserror::Error;

use super::names::SegmentName;
use super::remote::RemoteError;
use crate::domain::ids::DeviceId;
use crate::store::StoreError;

/// Why a round, or a change to the space, came to nothing. Nothing acknowledged is ever lost by any of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SyncError {
    /// The remote did not do it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine did not do it.
    #[error("{attempt} failed: {why}; check the folder and its permissions, then try again")]
    Local {
        /// What was attempted.
        attempt: String,
        /// What the system said.
        why: String,
    },
    /// Another process has the lock on syncing this store.
    #[error("another qd process syncs this store now; it is tried again later")]
    Elsewhere,
    /// Something that came from outside is not what it should be.
    #[error("{what} cannot be used: {why}")]
    Broken {
        /// Which thing.
        what: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The request made no sense; the text says why and what to do.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
}

impl SyncError {
    /// Whether trying the same again is pointless until somebody changes something.
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Remote(why) => why.is_permanent(),
            Self::Store(why) => why.is_permanent(),
            Self::Local { .. } | Self::Elsewhere => false,
            Self::Broken { .. } | Self::Refused { .. } => true,
        }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(crate) fn broken(what: impl Into<String>, why: &'static str) -> Self {
        Self::Broken {
            what: what.into(),
            why,
        }
    }
}

/// Something that is not in order and does not stop the rest. Each says what, why and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Trouble {
    /// A segment is sealed with a key that this device does not have.
    #[error(
        "the log of device {device} waits at operation {first}: it is sealed with key {epoch}, which this device has not been given; \
         run `qd sync now` on a device that can read it"
    )]
    UnknownEpoch {
        /// Whose log.
        device: DeviceId,
        /// Where it stops.
        first: u64,
        /// The key.
        epoch: String,
    },
    /// A device writes that nobody admitted.
    #[error("device {device} writes here and nobody admitted it; its operations are not taken in")]
    UnknownDevice {
        /// Which.
        device: DeviceId,
    },
    /// A segment is not what its author wrote.
    #[error(
        "{name} is not what its device wrote ({why}); it waits, and the device can mend it by `qd sync now` after the file is removed"
    )]
    BadSegment {
        /// Which.
        name: SegmentName,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A device that was retired goes on writing.
    #[error(
        "device {device} was retired at operation {last} and went on writing; what came later is not taken in"
    )]
    RetiredWrites {
        /// Which.
        device: DeviceId,
        /// The last operation that counts.
        last: u64,
    },
    /// This device was retired.
    #[error(
        "this device was retired from the space, so nothing is sent; join again with `qd sync join` if that was a mistake"
    )]
    Retired,
    /// The remote has less than it had.
    #[error(
        "the remote lost data: the log of device {device} reached {seen} and now ends at {now}; this device sends its own again, and \
         the others do when they sync"
    )]
    RemoteLost {
        /// Whose log.
        device: DeviceId,
        /// Where it ended before.
        seen: u64,
        /// Where it ends now; zero when it is gone.
        now: u64,
    },
    /// A head without its segments.
    #[error(
        "the remote says that the log of device {device} goes to {head}, but nothing continues it after {have}; it is tried again, \
         and the device itself can send it anew"
    )]
    Withheld {
        /// Whose log.
        device: DeviceId,
        /// Where it should end.
        head: u64,
        /// Where it ends here.
        have: u64,
    },
    /// Two histories under one device id.
    #[error(
        "the log of device {device} has two different operations {seq}: it is not continued here; retire that device and let it join \
         again with `qd sync join`"
    )]
    Forked {
        /// Whose log.
        device: DeviceId,
        /// From where on.
        seq: u64,
    },
    /// A foreign name in the remote.
    #[error("{name} in the remote is not ours and was left alone")]
    Strange {
        /// Which.
        name: String,
    },
    /// A roster or keyring object that is worth nothing.
    #[error("{name} in the remote is not valid ({why}) and was passed over")]
    BadObject {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// This machine was a copy of another one and got a device id of its own.
    #[error(
        "this machine was a copy of device {old}, so it is device {new} from now on; its {moved} unpublished operations went with it"
    )]
    Copied {
        /// Whose copy it was.
        old: DeviceId,
        /// What it is now.
        new: DeviceId,
        /// How many operations moved to the new log.
        moved: u64,
    },
    /// A member's excerpt told another operation than the log has.
    #[error(
        "device {maker} showed an operation {seq} of device {device} that is not the one in its log; all that {maker} showed \
         ahead of the logs was dropped, and its excerpts are not used any more. Ask whoever works there"
    )]
    Contradicted {
        /// Whose word it was.
        maker: DeviceId,
        /// Whose operation.
        device: DeviceId,
        /// Which.
        seq: u64,
    },
    /// Operations were shown that stand in no log.
    #[error("{count} operations that an excerpt showed are in no log; they were dropped")]
    Unconfirmed {
        /// How many.
        count: u64,
    },
    /// The remote does not take excerpts.
    #[error(
        "no excerpt could be left for new devices: {why}. Everything else goes on; new devices read the logs from the beginning"
    )]
    NoExcerpt {
        /// What the remote said.
        why: String,
    },
    /// An operation is too long to be sent.
    #[error(
        "operation {seq} of this device has {bytes} bytes, more than can be sent; nothing after it is sent"
    )]
    TooLong {
        /// Which.
        seq: u64,
        /// How long.
        bytes: u64,
    },
}

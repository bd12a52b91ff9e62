//! Optional replication of the operation log between the devices of a space, through a place that is trusted with nothing.
//!
//! Nothing here draws or asks: the program hands in the store, a remote, the time and randomness, and gets a report. It
//! must never hold a transaction of the store across a wait for the remote.

mod bytes;
mod cipher;
mod error;
mod identity;
mod names;
mod place;
mod random;
mod remote;
mod segment;

pub use error::{SyncError, Trouble};
pub use identity::{Identity, Public};
pub use names::{Head, ObjectKind, ObjectName, SegmentName, parse_device};
pub use random::{Random, SystemRandom};
pub use remote::{
    Changed, Listing, OBJECT_MAX, Put, Remote, RemoteError, Reply, SEGMENT_MAX, STRANGE_MAX,
};
pub use segment::{Epoch, Header, OPS_MAX, PLAIN_MAX, Segment, seal};

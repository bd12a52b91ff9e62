//! Optional replication of the operation log between the devices of a space, through a place that is trusted with nothing.
//!
//! Nothing here draws or asks: the program hands in the store, a remote, the time and randomness, and gets a report. It
//! must never hold a transaction of the store across a wait for the remote.

mod blob;
mod bytes;
mod cipher;
mod directory;
mod engine;
mod error;
mod excerpt;
mod frame;
mod host;
mod identity;
mod keyring;
mod names;
mod pairing;
mod place;
mod postgres;
mod presence;
mod random;
mod remote;
mod roster;
mod schedule;
mod segment;
mod space;
#[cfg(test)]
mod tests;

pub use blob::{BlobPart, open_blob, seal_blob};
pub use directory::{DirectoryRemote, HEADS, LOGS, wanted};
pub use engine::{Limits, Report, SyncEngine};
pub use error::{SyncError, Trouble};
pub use excerpt::{PART_MAX, Part, PartName, open_part, seal_part};
pub use frame::Epoch;
pub use host::{Carried, Carrier, HostAddress, HostRemote, Mishap, NewFile, Ran};
pub use identity::{Identity, Public};
pub use keyring::{Ring, wrap};
pub use names::{Head, ObjectKind, ObjectName, SegmentName, parse_device};
pub use pairing::{Admission, CODE_LIFE_MS, Code, Joiner, Proof, Reply as PairingReply, answer};
pub use postgres::{
    PostgresRemote, ROW_SECURITY as POSTGRES_ROW_SECURITY, SCHEMA as POSTGRES_SCHEMA,
    STATEMENTS as POSTGRES_STATEMENTS, Surroundings as PostgresSurroundings,
};
pub use presence::{PRESENCE_LIFE_MS, Presence, TICKETS_MAX};
pub use random::{Random, SystemRandom};
pub use remote::{
    Changed, Listing, OBJECT_MAX, OBJECTS_MAX, Objects, PRESENCE_MAX, PRESENCES_MAX, Presences,
    Put, Remote, RemoteError, Reply, SEGMENT_MAX, STRANGE_MAX,
};
pub use roster::{Claim, Hash, Member, Retirement, Roster, Statement};
pub use schedule::{PAUSE_MAX, PAUSE_MIN, pause};
pub use segment::{Header, OPS_MAX, PLAIN_MAX, Segment, seal};
pub use space::{
    SpaceConfig, ask_to_join, clear_pairing, enter, init, look_for_answer, own_identity, prove,
};

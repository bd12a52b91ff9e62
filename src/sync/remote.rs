//! What sync needs of the place where devices leave their segments: a bag of things that are written once.
//!
//! A remote is not trusted with anything but keeping: it may lose, withhold, repeat, swap and invent, and what is read
//! back is judged by keys and hashes elsewhere. There is no compare-and-swap; creating a name that is not there yet is
//! all that it must do in one step.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

use super::names::{Head, ObjectKind, ObjectName, SegmentName};
use crate::domain::ids::DeviceId;

/// The most bytes that a segment may have; a remote refuses to read a longer one.
pub const SEGMENT_MAX: usize = 48 << 20;

/// The most bytes that a small object may have.
pub const OBJECT_MAX: usize = 1 << 20;

/// The most bytes of what a device says it is looking at.
pub const PRESENCE_MAX: usize = 4 << 10;

/// The most devices whose presence is read at once.
pub const PRESENCES_MAX: usize = 64;

/// The most small objects that are asked for at once.
pub const OBJECTS_MAX: usize = 64;

/// What is known after several small objects were asked for at once: the bytes of one, or why there are none
/// ([`RemoteError::NotFound`] or [`RemoteError::TooLong`]). What is not named here was left for the next time.
pub type Objects = Vec<(ObjectName, Result<Vec<u8>, RemoteError>)>;

/// What each device said last of what it is looking at, sealed.
pub type Presences = Vec<(DeviceId, Vec<u8>)>;

/// The answer of a remote, when it comes. The engine puts a deadline on each; an implementation may have shorter ones.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, RemoteError>> + Send + 'a>>;

/// A listing, with what was found there and is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// What is ours.
    pub names: Vec<T>,
    /// Names that this program does not write, at most [`STRANGE_MAX`] of them; they are told to the user.
    pub strange: Vec<String>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            strange: Vec::new(),
        }
    }
}

impl<T> Listing<T> {
    /// Tells of a name that this program does not write, unless there are enough of them.
    pub(crate) fn tell_strange(&mut self, shown: impl FnOnce() -> String) {
        if self.strange.len() < STRANGE_MAX {
            self.strange.push(shown().escape_debug().to_string());
        }
    }
}

/// The most foreign names that a listing tells of.
pub const STRANGE_MAX: usize = 8;

/// What came of creating a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there now and durable.
    Created,
    /// Something of that name was there already and was left as it was.
    Exists,
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Perhaps something changed.
    Perhaps,
    /// The time is up.
    TimeUp,
}

/// A bag of immutable things. All devices of one space share one bag, and a bag holds one space.
///
/// Every method may be called again after any error, and after an answer that got lost; nothing may be half there.
pub trait Remote: Send + Sync {
    /// Where it is, for people: a path, `host:path`, a database without its password.
    fn place(&self) -> String;

    /// Every head. One cheap call, however many segments there are.
    fn heads(&self) -> Reply<'_, Listing<Head>>;

    /// The segments of `device` that may hold operations numbered `from` or higher: at least every fresh one that begins
    /// at `from` or later, the last fresh one that begins before it, and every pack that ends at `from` or later.
    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>>;

    /// The bytes of a segment, at most [`SEGMENT_MAX`].
    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>>;

    /// Creates a segment; durable when it answers. The whole name must be new: for a fresh segment that is device and
    /// first number, **whatever its last**.
    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put>;

    /// Sets the head of one's own log. A hint: a remote may lose it.
    fn set_head(&self, head: Head) -> Reply<'_, ()>;

    /// Creates a segment, then sets the head. A remote that can do both in one round trip does so.
    fn publish(&self, name: SegmentName, sealed: Vec<u8>, head: Head) -> Reply<'_, Put> {
        Box::pin(async move {
            let put = self.put_new(name, sealed).await?;
            // Not over something else: it may not be ours.
            if put == Put::Created {
                self.set_head(head).await?;
            }
            Ok(put)
        })
    }

    /// Heads that came with the last answer of [`Remote::publish`], once, if this remote gets them for nothing: a hint that
    /// others wrote meanwhile, never a whole listing that could show a loss.
    fn overheard(&self) -> Option<Listing<Head>> {
        None
    }

    /// Removes a segment of one's own after a pack took its place. One that is not there is no error.
    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()>;

    /// The names of the small objects of one sort. Where nothing of a sort was ever written, there are none.
    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>>;

    /// The bytes of a small object, at most [`OBJECT_MAX`].
    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>>;

    /// The bytes of several small objects of one sort. It tells of one at least, and of no more once they have
    /// [`OBJECT_MAX`] bytes together; of the names only the first [`OBJECTS_MAX`] need be looked at. Whoever asks asks again
    /// for the rest. By default they are read one by one; a remote that can read many in one round trip does so.
    fn get_objects<'a>(&'a self, names: &'a [ObjectName]) -> Reply<'a, Objects> {
        Box::pin(async move {
            let mut found = Objects::new();
            let mut left = OBJECT_MAX;
            for name in names.iter().take(OBJECTS_MAX) {
                let read = self.get_object(name).await;
                let one = match read {
                    Ok(bytes) => Ok(bytes),
                    Err(why @ (RemoteError::NotFound { .. } | RemoteError::TooLong { .. })) => {
                        Err(why)
                    }
                    Err(why) => return Err(why),
                };
                let len = one.as_ref().map_or(0, Vec::len);
                found.push((name.clone(), one));
                left = left.saturating_sub(len);
                if left == 0 {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Creates a small object, and the place for its sort if there is none yet; durable when it answers.
    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put>;

    /// Removes a pairing object, or a hot one or blob of one's own. One that is not there is no error.
    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()>;

    /// Says what this device is looking at, in place of whatever it said before; `None` takes that back. It may be lost, and
    /// need not be durable. `false` from a remote that keeps no such thing.
    fn set_presence(&self, device: DeviceId, sealed: Option<Vec<u8>>) -> Reply<'_, bool> {
        drop((device, sealed));
        Box::pin(async { Ok(false) })
    }

    /// What devices said last, at most [`PRESENCES_MAX`] of them and at most [`PRESENCE_MAX`] bytes of each; what is longer,
    /// or is no device's, is passed over. `None` from a remote that keeps no such thing.
    fn presences(&self) -> Reply<'_, Option<Presences>> {
        Box::pin(async { Ok(None) })
    }

    /// Waits until something may have changed, at most `limit`. A hint; by default it only waits.
    fn changed(&self, limit: Duration) -> Reply<'_, Changed> {
        Box::pin(async move {
            tokio::time::sleep(limit).await;
            Ok(Changed::TimeUp)
        })
    }
}

/// Why a remote did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// There is nothing of this name.
    #[error("{name} is not in {place}")]
    NotFound {
        /// Which.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// This account may not do it.
    #[error(
        "{attempt} in {place} is not allowed: {why}; give this account read and write permission there"
    )]
    Denied {
        /// What was attempted.
        attempt: String,
        /// Where.
        place: String,
        /// What the other side said.
        why: String,
    },
    /// The place cannot be reached now.
    #[error("{place} cannot be reached: {why}; what was written here is safe and goes out later")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
    /// No answer in time.
    #[error("{place} did not answer to {attempt} in {seconds} s; it is tried again later")]
    TimedOut {
        /// What was attempted.
        attempt: String,
        /// Where.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Longer than anything this program writes.
    #[error("{name} in {place} is longer than anything this program writes; it was not read")]
    TooLong {
        /// Which.
        name: String,
        /// Where.
        place: String,
    },
    /// It will not work until somebody sets something right: an address, a password, a certificate, a database.
    #[error("{place}: {attempt} does not work: {why}; {next}")]
    Refused {
        /// What was attempted.
        attempt: String,
        /// Where.
        place: String,
        /// Why.
        why: String,
        /// What to do.
        next: String,
    },
    /// Anything else that the other side said.
    #[error("{attempt} in {place} failed: {why}; look at the place itself, then try again")]
    Failed {
        /// What was attempted.
        attempt: String,
        /// Where.
        place: String,
        /// What it said.
        why: String,
    },
}

impl RemoteError {
    /// Whether trying the same again is pointless until somebody changes something.
    pub const fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Denied { .. } | Self::TooLong { .. } | Self::Refused { .. }
        )
    }
}

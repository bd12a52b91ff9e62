//! A bag in a folder on a host that is reached by SSH: by commands where the account has a shell, by SFTP otherwise.
//!
//! Nothing is installed there. What lies in the folder is byte for byte what [`super::DirectoryRemote`] writes, so a bag may
//! be used by both at once. Connections are the program's: see [`Carrier`].

mod address;
mod carrier;
mod script;
mod sftp;
mod shell;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::directory::{HEADS, LOGS, PRESENCE};
use super::names::{Head, ObjectKind, ObjectName, SegmentName};
use super::random::{SystemRandom, draw};
use super::remote::{
    Listing, OBJECT_MAX, Objects, Presences, Put, Remote, RemoteError, Reply, SEGMENT_MAX,
};
use super::wanted;
use crate::domain::ids::DeviceId;
use crate::domain::text;

pub use address::HostAddress;
pub use carrier::{Carried, Carrier, Mishap, NewFile, Ran};

use script::Words;

/// How long it is believed that a root is shared with its group or private.
const BELIEVED: Duration = Duration::from_secs(600);

/// The most bytes of one listing by a command.
const LISTING_BYTES: usize = 4 << 20;

/// The most names of one listing by SFTP.
const LISTING_NAMES: usize = 65_536;

/// How much of what a host says about a failure is shown, in characters.
const SAID: usize = 300;

/// A bag on a host.
#[derive(Clone)]
pub struct HostRemote {
    inner: Arc<Inner>,
}

struct Inner {
    carrier: Arc<dyn Carrier>,
    /// The folder, absolute or beginning with `./`.
    root: String,
    /// As people write it.
    place: String,
    /// How the host is worked with, once that is known. Locked while it is found out, so that it is found out once.
    way: Mutex<Option<Way>>,
    // A std mutex: held for look-ups, never across an await.
    known: StdMutex<Known>,
}

/// How a host is worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By commands, with these words.
    Shell(Words),
    /// By SFTP.
    Sftp,
}

/// What was learned of the bag, and is only believed to save round trips.
#[derive(Default)]
struct Known {
    /// Whether its group may write, and since when that is known.
    shared: Option<(bool, Instant)>,
    /// Devices whose folder is there.
    folders: BTreeSet<DeviceId>,
    /// As last listed.
    heads: Vec<Head>,
    /// Heads that came with the answer to something else.
    overheard: Option<Listing<Head>>,
    /// The host's rename was seen not to replace.
    renames: bool,
    /// Half-written files of ours whose removal was not heard of.
    left: Vec<String>,
}

impl HostRemote {
    /// The bag at `address`, over the connections of `carrier`.
    pub fn new(carrier: Arc<dyn Carrier>, address: &HostAddress) -> Self {
        Self {
            inner: Arc::new(Inner {
                carrier,
                root: address.path.clone(),
                place: address.to_string(),
                way: Mutex::default(),
                known: StdMutex::default(),
            }),
        }
    }

    /// Makes the folders of a new bag, with the permissions that [`super::DirectoryRemote::create`] gives; those that are
    /// there stay as they are.
    ///
    /// # Errors
    /// The host cannot be reached or worked with, or the folder cannot be made.
    pub async fn create(&self) -> Result<(), RemoteError> {
        match self.inner.way().await? {
            Way::Shell(words) => self.inner.shell_create(words).await,
            Way::Sftp => self.inner.sftp_create().await,
        }
    }

    /// Whether commands are used; `None` when that is not known yet.
    pub async fn has_shell(&self) -> Option<bool> {
        let way = *self.inner.way.lock().await;
        way.map(|way| matches!(way, Way::Shell(_)))
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out how the host can be worked with, or remembers it.
    async fn way(&self) -> Result<Way, RemoteError> {
        let mut way = self.way.lock().await;
        if let Some(way) = *way {
            return Ok(way);
        }
        let attempt = "finding out whether there is a shell";
        let probing = self
            .carrier
            .exec(script::probe(), Vec::new(), script::NOISE * 2);
        let no_shell = match probing.await {
            Ok(ran) => match script::probed(&ran) {
                Some(words) => {
                    *way = Some(Way::Shell(words));
                    return Ok(Way::Shell(words));
                }
                None => said(&ran),
            },
            Err(Mishap::Refused(why)) => why,
            Err(why) => return Err(self.mishap(attempt, why)),
        };
        match self.carrier.mode(&self.root).await {
            Ok(_) | Err(Mishap::NotThere | Mishap::Denied(_) | Mishap::Failed(_)) => {
                *way = Some(Way::Sftp);
                Ok(Way::Sftp)
            }
            Err(Mishap::Refused(no_sftp)) => Err(RemoteError::Failed {
                attempt: "working".to_owned(),
                place: self.place.clone(),
                why: format!(
                    "{} lets this account in, but gives it neither a POSIX shell ({}) nor SFTP ({}); it needs one of them, such as `ForceCommand internal-sftp`",
                    self.carrier.host(),
                    or_silence(&no_shell),
                    or_silence(&no_sftp)
                ),
            }),
            Err(why) => Err(self.mishap(attempt, why)),
        }
    }

    /// What was found out does not hold any more; the next call finds out again.
    async fn forget_way(&self) {
        *self.way.lock().await = None;
    }

    fn mishap(&self, attempt: &str, why: Mishap) -> RemoteError {
        let (attempt, place) = (attempt.to_owned(), self.place.clone());
        match why {
            Mishap::Unreachable(why) => RemoteError::Unreachable { place, why },
            Mishap::TimedOut(seconds) => RemoteError::TimedOut {
                attempt,
                place,
                seconds,
            },
            Mishap::NotThere => RemoteError::NotFound {
                name: attempt,
                place,
            },
            Mishap::Denied(why) => RemoteError::Denied {
                attempt,
                place,
                why,
            },
            Mishap::TooLong => RemoteError::TooLong {
                name: attempt,
                place,
            },
            Mishap::Refused(why) | Mishap::Failed(why) => RemoteError::Failed {
                attempt,
                place,
                why,
            },
        }
    }

    fn no_bag(&self, why: &str) -> RemoteError {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" ({why})")
        };
        RemoteError::Unreachable {
            place: self.place.clone(),
            why: format!("there is no sync folder, or this account may not enter it{why}"),
        }
    }

    fn failed(&self, attempt: &str, why: &str) -> RemoteError {
        self.mishap(attempt, Mishap::Failed(or_silence(why).to_owned()))
    }

    /// Whether the bag is shared, if that was seen lately.
    fn shared(&self) -> Option<bool> {
        let known = self.known().shared;
        known
            .filter(|(_, since)| since.elapsed() < BELIEVED)
            .map(|(shared, _)| shared)
    }

    fn keep_shared(&self, shared: bool) {
        self.known().shared = Some((shared, Instant::now()));
    }

    /// The numbers of old heads of a device, which go when it gets a new one.
    fn old_heads(&self, head: Head) -> Vec<u64> {
        let known = self.known();
        let old = known.heads.iter().filter(|old| old.device == head.device);
        old.map(|old| old.seq)
            .filter(|seq| *seq < head.seq)
            .collect()
    }

    /// A head was set: the old ones are gone.
    fn head_set(&self, head: Head) {
        let mut known = self.known();
        known
            .heads
            .retain(|old| old.device != head.device || old.seq > head.seq);
        known.heads.push(head);
    }

    /// Whether the heads were ever listed; without that nobody knows which are old.
    fn has_listed(&self) -> bool {
        !self.known().heads.is_empty()
    }

    async fn list_heads(&self) -> Result<Listing<Head>, RemoteError> {
        let listing = match self.way().await? {
            Way::Shell(_) => self.shell_heads().await,
            Way::Sftp => self.sftp_names(HEADS, true, Head::parse).await,
        }?;
        let mut known = self.known();
        known.heads.clone_from(&listing.names);
        known.overheard = None;
        Ok(listing)
    }

    async fn list_segments(
        &self,
        device: DeviceId,
        from: u64,
    ) -> Result<Listing<SegmentName>, RemoteError> {
        let folder = log(device);
        let parse = |file: &str| SegmentName::parse(device, file);
        let mut listing = match self.way().await? {
            Way::Shell(_) => self.shell_names(&folder, false, parse).await,
            Way::Sftp => self.sftp_names(&folder, false, parse).await,
        }?;
        listing.names = wanted(listing.names, from);
        Ok(listing)
    }

    async fn list_objects(&self, kind: ObjectKind) -> Result<Listing<ObjectName>, RemoteError> {
        let parse = |name: &str| ObjectName::parse(kind, name);
        match self.way().await? {
            Way::Shell(_) => self.shell_names(kind.word(), true, parse).await,
            Way::Sftp => self.sftp_names(kind.word(), true, parse).await,
        }
    }

    async fn read(
        &self,
        folder: &str,
        file: &str,
        name: String,
        most: usize,
    ) -> Result<Vec<u8>, RemoteError> {
        match self.way().await? {
            Way::Shell(_) => self.shell_read(folder, file, &name, most).await,
            Way::Sftp => self.sftp_read(folder, file, &name, most).await,
        }
    }

    async fn write(&self, file: &Place, bytes: Vec<u8>) -> Result<Put, RemoteError> {
        let attempt = format!("writing {}", file.shown);
        match self.way().await? {
            Way::Shell(words) => self.shell_put(words, file, bytes, &attempt).await,
            Way::Sftp => self.sftp_put(file, bytes, &attempt).await,
        }
    }

    async fn remove(&self, folder: &str, file: &str, shown: &str) -> Result<(), RemoteError> {
        let attempt = format!("removing {shown}");
        match self.way().await? {
            Way::Shell(_) => self.shell_remove(folder, file, &attempt).await,
            Way::Sftp => self.sftp_remove(folder, file, &attempt).await,
        }
    }

    async fn write_head(&self, head: Head) -> Result<(), RemoteError> {
        if !self.has_listed() {
            self.list_heads().await?;
        }
        match self.way().await? {
            Way::Shell(words) => self.shell_head(words, head).await,
            Way::Sftp => self.sftp_head(head).await,
        }?;
        self.head_set(head);
        Ok(())
    }

    async fn publish(
        &self,
        name: SegmentName,
        sealed: Vec<u8>,
        head: Head,
    ) -> Result<Put, RemoteError> {
        self.known().overheard = None;
        let mut sealed = sealed;
        if let Way::Shell(words) = self.way().await? {
            match self.shell_publish(words, name, sealed, head).await? {
                Ok(put) => return Ok(put),
                Err(back) => sealed = back,
            }
        }
        let put = self.write(&Place::segment(name), sealed).await?;
        // Not over something else: it may not be ours.
        if put == Put::Created {
            self.write_head(head).await?;
        }
        Ok(put)
    }

    /// A name for a half-written file that nobody else uses.
    fn nonce(&self) -> Result<String, RemoteError> {
        let drawn = draw::<4>(&mut SystemRandom)
            .map_err(|why| self.failed("naming a file", &why.to_string()))?;
        Ok(format!("{:08x}", u32::from_be_bytes(drawn)))
    }
}

/// A file of the bag that is to be written.
struct Place {
    folder: String,
    file: String,
    /// The device whose folder it is, which is made if it is not there.
    device: Option<DeviceId>,
    shown: String,
}

fn log(device: DeviceId) -> String {
    format!("{LOGS}/{device}")
}

fn or_silence(said: &str) -> &str {
    if said.is_empty() {
        "it says nothing"
    } else {
        said
    }
}

/// What a command said about its failure: the end of its complaints.
fn said(ran: &Ran) -> String {
    let complaints = String::from_utf8_lossy(&ran.err);
    let complaints = complaints.trim();
    let whole = if complaints.is_empty() {
        String::from_utf8_lossy(&ran.out).trim().to_owned()
    } else {
        complaints.to_owned()
    };
    let from = whole.chars().count().saturating_sub(SAID);
    text::line(&whole.chars().skip(from).collect::<String>())
}

/// Tells names of ours from others; hidden ones are half-written, or belong to whoever else keeps files there.
fn sift<'a, T>(
    folder: &str,
    names: impl Iterator<Item = &'a [u8]>,
    parse: impl Fn(&str) -> Option<T>,
) -> Listing<T> {
    let mut listing = Listing::default();
    for name in names {
        if name.is_empty() || name.starts_with(b".") {
            continue;
        }
        match std::str::from_utf8(name).ok().and_then(&parse) {
            Some(ours) => listing.names.push(ours),
            None => listing.tell_strange(|| {
                let text: String = String::from_utf8_lossy(name).chars().take(SAID).collect();
                let shown = folder.rsplit('/').next().unwrap_or(folder);
                format!("{shown}/{text}")
            }),
        }
    }
    listing.strange.sort();
    listing
}

impl Remote for HostRemote {
    fn place(&self) -> String {
        self.inner.place.clone()
    }

    fn heads(&self) -> Reply<'_, Listing<Head>> {
        Box::pin(self.inner.list_heads())
    }

    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>> {
        Box::pin(self.inner.list_segments(device, from))
    }

    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let folder = log(name.device);
            let file = name.file();
            self.inner
                .read(&folder, &file, name.to_string(), SEGMENT_MAX)
                .await
        })
    }

    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put> {
        Box::pin(async move { self.inner.write(&Place::segment(name), sealed).await })
    }

    fn set_head(&self, head: Head) -> Reply<'_, ()> {
        Box::pin(self.inner.write_head(head))
    }

    fn publish(&self, name: SegmentName, sealed: Vec<u8>, head: Head) -> Reply<'_, Put> {
        Box::pin(self.inner.publish(name, sealed, head))
    }

    fn overheard(&self) -> Option<Listing<Head>> {
        self.inner.known().overheard.take()
    }

    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()> {
        Box::pin(async move {
            let (folder, file) = (log(name.device), name.file());
            self.inner.remove(&folder, &file, &name.to_string()).await
        })
    }

    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>> {
        Box::pin(self.inner.list_objects(kind))
    }

    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>> {
        let read = self
            .inner
            .read(name.kind.word(), &name.name, name.to_string(), OBJECT_MAX);
        Box::pin(read)
    }

    fn get_objects<'a>(&'a self, names: &'a [ObjectName]) -> Reply<'a, Objects> {
        Box::pin(async move {
            match self.inner.way().await? {
                Way::Shell(_) => self.inner.shell_objects(names).await,
                Way::Sftp => self.inner.sftp_objects(names).await,
            }
        })
    }

    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put> {
        Box::pin(async move {
            let place = Place {
                folder: name.kind.word().to_owned(),
                file: name.name.clone(),
                device: None,
                shown: name.to_string(),
            };
            self.inner.write(&place, bytes).await
        })
    }

    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()> {
        Box::pin(async move {
            let folder = name.kind.word();
            self.inner
                .remove(folder, &name.name, &name.to_string())
                .await
        })
    }

    fn set_presence(&self, device: DeviceId, sealed: Option<Vec<u8>>) -> Reply<'_, bool> {
        Box::pin(async move {
            let attempt = "saying what is open";
            let Some(sealed) = sealed else {
                let file = device.to_string();
                let removing = self.inner.remove(PRESENCE, &file, PRESENCE);
                return removing.await.map(|()| true);
            };
            let said = match self.inner.way().await? {
                Way::Shell(words) => {
                    let saying = self.inner.shell_present(words, device, sealed, attempt);
                    saying.await
                }
                Way::Sftp => self.inner.sftp_present(device, sealed, attempt).await,
            };
            said.map(|()| true)
        })
    }

    fn presences(&self) -> Reply<'_, Option<Presences>> {
        Box::pin(async move {
            let attempt = "reading what others have open";
            let said = match self.inner.way().await? {
                Way::Shell(_) => self.inner.shell_presences(attempt).await,
                Way::Sftp => self.inner.sftp_presences().await,
            };
            said.map(Some)
        })
    }
}

impl Place {
    fn segment(name: SegmentName) -> Self {
        Self {
            folder: log(name.device),
            file: name.file(),
            device: Some(name.device),
            shown: name.to_string(),
        }
    }
}

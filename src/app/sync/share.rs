//! Recordings of this device on their way into the space: one part at a time, when everything else has gone out. A part is
//! counted when it is durable in the bag, so a cut goes on where it was.
//!
//! A recording is in the bag as long as it is here: when it goes here, for its age, by a purge or by hand, its parts go too.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::ask::SyncFact;
use super::desk::Recordings;
use super::look::{self, heard};
use super::worker::Worker;
use crate::app::update::HERE;
use crate::app::{clock, recordings};
use crate::domain::host::listed;
use crate::domain::ids::{DeviceId, EntityId, SessionId};
use crate::domain::session::{SessionFact, SharedRecording};
use crate::domain::time::Time;
use crate::store::{OwnRecording, StoreError};
use crate::sync::{BlobPart, Random, SyncError, SystemRandom};

/// The bytes of a recording in each part: a compressed one takes some seconds on a slow line, and a change that is made
/// meanwhile waits no longer than that.
const PART: u32 = 256 << 10;

/// How often it is looked for recordings that went, while nothing is written here.
const LOOK: Duration = Duration::from_secs(60);

/// Facts about what is under way begin so.
const FACTS: &str = "blob/";

/// Since when recordings go into the space.
const SINCE: &str = "blob/since";

/// What is to be done.
#[derive(Default)]
pub(super) struct Sharing {
    pub(super) todo: VecDeque<Task>,
    /// It is to be looked what there is to do.
    due: bool,
    /// There is something to do, and it is to be looked which recordings went meanwhile: those come first.
    pub(super) went: bool,
    pub(super) looked: Option<Instant>,
    /// Something failed, or changes wait to go out: nothing more until a round got through.
    halted: bool,
    /// What was told of failures.
    told: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Cut(Cut),
    Remove(Removal),
}

/// A recording that goes into the space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) session: SessionId,
    pub(super) path: PathBuf,
    pub(super) shared: SharedRecording,
    /// Parts that are in the bag.
    pub(super) done: u32,
}

/// Parts that go from the bag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Removal {
    pub(super) session: SessionId,
    pub(super) shared: SharedRecording,
    /// Parts that may be there still.
    pub(super) left: u32,
    /// The log says that it can be fetched.
    pub(super) listed: bool,
}

impl Sharing {
    /// A round got through.
    pub(super) fn after_round(&mut self, published: u64) {
        self.halted = false;
        let long_ago = self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        let moved = published > 0 || long_ago;
        // A backlog is not gone through anew for every change, since each recording in it would be read again.
        self.due |= moved && self.todo.is_empty();
        self.went |= moved && !self.todo.is_empty();
    }

    /// Whether there is something to do now.
    pub(super) fn wants(&self) -> bool {
        !self.halted && (self.due || self.went || !self.todo.is_empty())
    }

    /// Everything is looked at again, at once.
    pub(super) fn look_again(&mut self) {
        (self.due, self.halted) = (true, false);
    }
}

impl Task {
    fn device(&self) -> DeviceId {
        match self {
            Self::Cut(cut) => cut.shared.device,
            Self::Remove(removal) => removal.shared.device,
        }
    }
}

impl Cut {
    /// What is remembered of it: id, size, bytes of a part, hash, parts that are in the bag.
    fn fact(&self) -> (String, Option<Vec<u8>>) {
        let shared = &self.shared;
        let mut value = shared.blob.as_bytes().to_vec();
        value.extend_from_slice(&shared.bytes.to_be_bytes());
        value.extend_from_slice(&shared.part.to_be_bytes());
        value.extend_from_slice(shared.hash.as_bytes());
        value.extend_from_slice(&self.done.to_be_bytes());
        (fact_name(shared.device, self.session), Some(value))
    }

    /// Reads [`Cut::fact`] back.
    fn remembered(session: SessionId, device: DeviceId, value: &[u8]) -> Option<Self> {
        let (blob, rest) = value.split_first_chunk::<16>()?;
        let (bytes, rest) = rest.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_first_chunk::<4>()?;
        let (hash, rest) = rest.split_first_chunk::<16>()?;
        let done = u32::from_be_bytes(rest.try_into().ok()?);
        let shared = SharedRecording {
            device,
            blob: EntityId::from_bytes(*blob),
            bytes: u64::from_be_bytes(*bytes),
            part: u32::from_be_bytes(*part),
            hash: EntityId::from_bytes(*hash),
        };
        shared.parts().filter(|parts| done <= *parts)?;
        Some(Self {
            session,
            path: PathBuf::new(),
            shared,
            done,
        })
    }
}

impl Removal {
    /// All parts of a recording.
    pub(super) fn of(session: SessionId, shared: SharedRecording, listed: bool) -> Self {
        Self {
            session,
            left: shared.parts().unwrap_or(0),
            shared,
            listed,
        }
    }
}

impl Removal {
    /// The parts of one that is on its way: those that are in the bag, and the next, whose answer may have got lost.
    pub(super) fn of_begun(cut: Cut) -> Self {
        let removal = Self::of(cut.session, cut.shared, false);
        Self {
            left: cut.done.saturating_add(1).min(removal.left),
            ..removal
        }
    }
}

impl Worker {
    /// Everything that there is to share now, to the end or until something fails; what is not in order afterwards.
    pub(super) async fn share_all(&mut self) -> Option<String> {
        self.sharing.look_again();
        loop {
            while self.sharing.wants() {
                self.share_step().await;
            }
            let engine = self
                .space
                .as_ref()?
                .live
                .as_ref()
                .map(|live| &live.engine)?;
            if look::pending(&self.store, engine).await == 0 {
                let told = std::mem::take(&mut self.sharing.told);
                return Some(told).filter(|told| !told.is_empty());
            }
            // The log goes out in between: what it tells of is whole.
            if let Some(trouble) = self.more_rounds(true).await {
                return Some(trouble);
            }
        }
    }

    /// One step: a look, a part that goes, a part that is removed.
    pub(super) async fn share_step(&mut self) {
        let before = self.why_sharing_waits();
        if let Err(why) = self.try_share().await {
            self.sharing.halted = true;
            let words = format!("a recording waits to go into the space: {why}");
            // The other process does it, and says so if it cannot.
            if why != SyncError::Elsewhere {
                self.sharing_waits(Some(words.clone()));
                if words != self.sharing.told {
                    self.sharing.told.clone_from(&words);
                    self.front.tell(SyncFact::Troubles(vec![words])).await;
                }
            }
        }
        if self.why_sharing_waits() != before {
            self.publish(false).await;
        }
    }

    /// Why a recording waits, as it is told by whoever looks at sync.
    fn why_sharing_waits(&self) -> Option<String> {
        self.space.as_ref()?.last.recording.clone()
    }

    /// Remembers it, also for processes that only look.
    fn sharing_waits(&mut self, why: Option<String>) {
        if let Some(space) = &mut self.space
            && space.last.recording != why
        {
            space.last.recording = why;
            space.last.keep(&self.folder);
        }
    }

    async fn try_share(&mut self) -> Result<(), SyncError> {
        let Some(live) = self.space.as_ref().and_then(|space| space.live.as_ref()) else {
            self.sharing = Sharing::default();
            return Ok(());
        };
        let device = self.store.device();
        if self
            .sharing
            .todo
            .front()
            .is_some_and(|task| task.device() != device)
        {
            // This machine was a copy: what the other one put there is the other's.
            self.sharing = Sharing::default();
            self.sharing.due = true;
        }
        if self.sharing.due {
            self.sharing.due = false;
            self.sharing.looked = Some(Instant::now());
            self.sharing.todo = self.look_for_recordings().await?;
            if self.sharing.todo.is_empty() {
                self.sharing_waits(None);
            }
            return Ok(());
        }
        if self.sharing.went {
            return self.look_for_gone().await;
        }
        if look::pending(&self.store, &live.engine).await > 0 {
            // What people write goes first.
            self.sharing.halted = true;
            self.rhythm.hurry(Instant::now());
            return Ok(());
        }
        match self.sharing.todo.pop_front() {
            None => Ok(()),
            Some(Task::Cut(cut)) => {
                let more = self.put(cut.clone()).await;
                self.keep_task(more, || Task::Cut(cut))
            }
            Some(Task::Remove(removal)) => {
                let more = self.remove(removal.clone()).await;
                self.keep_task(more, || Task::Remove(removal))
            }
        }
    }

    /// What is left of a task stays the next one, and all of it when it failed.
    fn keep_task(
        &mut self,
        more: Result<Option<Task>, SyncError>,
        whole: impl FnOnce() -> Task,
    ) -> Result<(), SyncError> {
        match more {
            Ok(more) => {
                self.sharing.told.clear();
                self.sharing_waits(None);
                if let Some(more) = more {
                    self.sharing.todo.push_front(more);
                }
                Ok(())
            }
            Err(why) => {
                self.sharing.todo.push_front(whole());
                Err(why)
            }
        }
    }

    /// Looks which recordings are to go into the space, and which away from it.
    async fn look_for_recordings(&mut self) -> Result<VecDeque<Task>, SyncError> {
        let facts = heard(|reply| self.store.kept(FACTS, reply)).await?;
        let how = self.job.recordings.clone();
        let since = self.since(&facts, how.share).await?;
        let device = self.store.device();
        let own = heard(|reply| self.store.own_recordings(device, since, reply)).await?;
        let begins = facts_of(device);
        let begun: BTreeMap<SessionId, Cut> = facts
            .iter()
            .filter_map(|(name, value)| {
                let session = SessionId(EntityId::parse(name.strip_prefix(&begins)?)?);
                Some((session, Cut::remembered(session, device, value)?))
            })
            .collect();
        let looking = tokio::task::spawn_blocking(move || tasks(own, begun, &how, device));
        let (tasks, done) = self
            .front
            .attend(looking)
            .await
            .map_err(|why| broke(&why))?;
        let gone: Vec<_> = done
            .into_iter()
            .map(|id| (fact_name(device, id), None))
            .collect();
        if !gone.is_empty() {
            heard(|reply| self.store.keep(gone, reply)).await?;
        }
        Ok(tasks)
    }

    /// Since when recordings go into the space; what ended before that stays where it is.
    async fn since(
        &self,
        facts: &[(String, Vec<u8>)],
        share: bool,
    ) -> Result<Option<Time>, StoreError> {
        let known = facts.iter().find(|(name, _)| name == SINCE);
        let known = known.and_then(|(_, value)| {
            Some(Time(i64::from_be_bytes(value.as_slice().try_into().ok()?)))
        });
        if share == known.is_some() {
            return Ok(known);
        }
        let since = share.then(clock::now);
        let fact = (
            SINCE.to_owned(),
            since.map(|since| since.0.to_be_bytes().to_vec()),
        );
        heard(|reply| self.store.keep(vec![fact], reply)).await?;
        Ok(since)
    }

    /// Puts the next part of a recording into the bag; gives what is left to do.
    async fn put(&mut self, mut cut: Cut) -> Result<Option<Task>, SyncError> {
        let Some(live) = self.space.as_ref().and_then(|space| space.live.as_ref()) else {
            return Ok(None);
        };
        let parts = cut.shared.parts().unwrap_or(0);
        if cut.done == 0 {
            // The name of a part must not be forgotten while it is under way.
            let fact = cut.fact();
            heard(|reply| self.store.keep(vec![fact], reply)).await?;
        }
        if cut.done < parts {
            let (path, shared, part) = (cut.path.clone(), cut.shared.clone(), cut.done + 1);
            let reading = tokio::task::spawn_blocking(move || read_part(&path, &shared, part));
            let read = self
                .front
                .attend(reading)
                .await
                .map_err(|why| broke(&why))?;
            let Ok(text) = read else {
                // It changed or went meanwhile: what is in the bag goes, and it is looked anew.
                return Ok(Some(Task::Remove(Removal::of(
                    cut.session,
                    cut.shared,
                    false,
                ))));
            };
            let name = blob(&cut.shared, part);
            let mut random = SystemRandom;
            let putting = live
                .engine
                .put_blob(&*live.remote, name, &text, &mut random);
            self.front.attend(putting).await?;
            cut.done = part;
            let fact = cut.fact();
            heard(|reply| self.store.keep(vec![fact], reply)).await?;
            if cut.done < parts {
                return Ok(Some(Task::Cut(cut)));
            }
        }
        let (path, size) = (cut.path.clone(), cut.shared.bytes);
        let hashing = tokio::task::spawn_blocking(move || hash(&path, size));
        let now = self
            .front
            .attend(hashing)
            .await
            .map_err(|why| broke(&why))?;
        if now.ok() != Some(cut.shared.hash) {
            return Ok(Some(Task::Remove(Removal::of(
                cut.session,
                cut.shared,
                false,
            ))));
        }
        let fact = (fact_name(cut.shared.device, cut.session), None);
        self.tell_log(cut.session, Some(cut.shared)).await?;
        heard(|reply| self.store.keep(vec![fact], reply)).await?;
        Ok(None)
    }

    /// Removes a part from the bag, the last first; gives what is left to do. First the log says so, and nothing is removed
    /// before that is in the bag: a machine that is a copy of another finds out then.
    async fn remove(&mut self, mut removal: Removal) -> Result<Option<Task>, SyncError> {
        let Some(live) = self.space.as_ref().and_then(|space| space.live.as_ref()) else {
            return Ok(None);
        };
        if removal.listed {
            let mut shared = removal.shared.clone();
            // Never taken for a recording that goes into the space.
            shared.hash = EntityId::from_bytes([0; 16]);
            let (session, done) = (removal.session, removal.left);
            let path = PathBuf::new();
            let fact = Cut {
                session,
                path,
                shared,
                done,
            }
            .fact();
            heard(|reply| self.store.keep(vec![fact], reply)).await?;
            self.tell_log(session, None).await?;
            removal.listed = false;
            return Ok(Some(Task::Remove(removal)));
        }
        if removal.left > 0 {
            let name = blob(&removal.shared, removal.left);
            let removing = live.engine.remove_blob(&*live.remote, name);
            self.front.attend(removing).await?;
            removal.left -= 1;
            return Ok(Some(Task::Remove(removal)));
        }
        // Only now: whoever is cut before this begins again, and no part is forgotten in the bag.
        let fact = (fact_name(removal.shared.device, removal.session), None);
        heard(|reply| self.store.keep(vec![fact], reply)).await?;
        Ok(None)
    }

    /// Writes into the log what can be fetched from now on.
    async fn tell_log(
        &mut self,
        session: SessionId,
        recording: Option<SharedRecording>,
    ) -> Result<(), SyncError> {
        let at = clock::now();
        let draft = SessionFact::Shared { at, recording }.draft(session);
        heard(|reply| self.store.append(vec![draft].into(), reply)).await?;
        self.rhythm.hurry(Instant::now());
        Ok(())
    }
}

fn facts_of(device: DeviceId) -> String {
    format!("{FACTS}cut/{device}/")
}

fn fact_name(device: DeviceId, session: SessionId) -> String {
    format!("{}{session}", facts_of(device))
}

fn blob(shared: &SharedRecording, part: u32) -> BlobPart {
    BlobPart {
        maker: shared.device,
        id: shared.blob,
        part,
        parts: shared.parts().unwrap_or(0),
    }
}

pub(super) fn broke(why: &tokio::task::JoinError) -> SyncError {
    SyncError::Local {
        attempt: "reading a recording".to_owned(),
        why: why.to_string(),
    }
}

/// What is to be done about the recordings of this device, and the sessions about which nothing needs to be remembered any
/// more.
fn tasks(
    own: Vec<OwnRecording>,
    mut begun: BTreeMap<SessionId, Cut>,
    how: &Recordings,
    device: DeviceId,
) -> (VecDeque<Task>, Vec<SessionId>) {
    let (mut tasks, mut done) = (VecDeque::new(), Vec::new());
    // A folder that is not there says nothing about what was in it.
    if !how.folder.is_dir() {
        return (tasks, done);
    }
    for one in own {
        let Ok(path) = recordings::place(&how.folder, &one.file) else {
            continue;
        };
        let size = path.metadata().ok().map(|meta| meta.len());
        if let Some(shared) = one.shared {
            let finished = begun.get(&one.session);
            if finished.is_some_and(|cut| cut.shared.blob == shared.blob) {
                begun.remove(&one.session);
                done.push(one.session);
            }
            if size.is_none() {
                tasks.push_back(Task::Remove(Removal::of(one.session, shared, true)));
            }
            continue;
        }
        let host = if one.host == HERE { "local" } else { &one.host };
        // What was cut short by a full disk, or is written on, is not whole.
        let whole = one.bytes > 0 && size == Some(one.bytes);
        if !how.share || !whole || listed(&how.off, host) {
            continue;
        }
        let goes_on = begun.get(&one.session);
        if goes_on.is_some_and(|cut| cut.shared.bytes == one.bytes)
            && let Some(cut) = begun.remove(&one.session)
        {
            tasks.push_back(Task::Cut(Cut { path, ..cut }));
        } else if let Some(cut) = begin(one.session, path, one.bytes, device) {
            tasks.push_back(Task::Cut(cut));
        }
    }
    // What was begun and is not to go on: its recording went, or the settings say no.
    for cut in begun.into_values() {
        tasks.push_front(Task::Remove(Removal::of_begun(cut)));
    }
    (tasks, done)
}

fn begin(session: SessionId, path: PathBuf, bytes: u64, device: DeviceId) -> Option<Cut> {
    let mut blob = [0; 16];
    SystemRandom.fill(&mut blob).ok()?;
    let shared = SharedRecording {
        device,
        blob: EntityId::from_bytes(blob),
        bytes,
        part: PART,
        hash: hash(&path, bytes).ok()?,
    };
    shared.parts()?;
    Some(Cut {
        session,
        path,
        shared,
        done: 0,
    })
}

/// The bytes of a part, of a file that is as long as it was.
fn read_part(path: &Path, shared: &SharedRecording, part: u32) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != shared.bytes {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let at = u64::from(part.saturating_sub(1)) * u64::from(shared.part);
    file.seek(SeekFrom::Start(at))?;
    let mut text = vec![0; shared.bytes_of(part) as usize];
    file.read_exact(&mut text)?;
    Ok(text)
}

/// The hash of a whole recording that has `bytes` bytes; little of it is in memory at a time.
pub(super) fn hash(path: &Path, bytes: u64) -> std::io::Result<EntityId> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path)?;
    let read = std::io::copy(&mut file, &mut hasher)?;
    let hash = hasher.finalize();
    let short = hash.as_bytes().first_chunk::<16>();
    match short {
        Some(short) if read == bytes => Ok(EntityId::from_bytes(*short)),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

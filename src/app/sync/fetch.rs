//! Recordings of other devices that somebody here wants to see: fetched part by part, checked, and kept in a folder of their
//! own until others need the room.
//!
//! Rounds and other wishes come in between the parts. What was fetched when it is cut short is not fetched again.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::ask::{SyncFact, SyncRefusal};
use super::look;
use super::share::hash;
use super::worker::Worker;
use crate::app::recordings::{self, Wanted};
use crate::domain::ids::ReqId;
use crate::domain::recording::size_words;
use crate::domain::session::{SessionRow, SharedRecording};
use crate::sync::{BlobPart, RemoteError, SyncError};

/// How often it is told how far a recording has come.
const TELL: Duration = Duration::from_millis(500);

/// A recording that is being fetched.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    req: ReqId,
    reference: String,
    shared: SharedRecording,
    parts: u32,
    /// Where what has come is.
    begun: PathBuf,
    /// Where it will be.
    whole: PathBuf,
    /// Parts that have come.
    done: u32,
    told: Option<Instant>,
}

impl Fetch {
    pub(super) const fn req(&self) -> ReqId {
        self.req
    }

    /// How far it is.
    fn got(&self) -> u64 {
        let got = u64::from(self.done) * u64::from(self.shared.part);
        got.min(self.shared.bytes)
    }

    fn failed(&self, why: &str) -> SyncRefusal {
        SyncRefusal::new(
            1,
            format!(
                "the recording of {} ({}) cannot be fetched from the space: {why}",
                self.reference,
                size_words(self.shared.bytes)
            ),
        )
    }
}

impl Worker {
    /// Somebody wants the recording of a session; it is told at once when it is here.
    pub(super) async fn want(&mut self, req: ReqId, row: &SessionRow) {
        let begun = self.begin_fetch(req, row).await;
        let result = match begun {
            Ok(None) => Wanted::of(row)
                .find(&self.job.recordings.folder)
                .map_err(|why| SyncRefusal::new(1, why)),
            Ok(Some(fetch)) => {
                self.tell_progress(&fetch).await;
                return self.fetches.push_back(fetch);
            }
            Err(why) => Err(why),
        };
        self.front.tell(SyncFact::Fetched { req, result }).await;
    }

    async fn begin_fetch(
        &mut self,
        req: ReqId,
        row: &SessionRow,
    ) -> Result<Option<Fetch>, SyncRefusal> {
        let folder = self.job.recordings.folder.clone();
        if Wanted::of(row).find(&folder).is_ok() {
            return Ok(None);
        }
        let Some((shared, parts)) = row
            .shared
            .clone()
            .and_then(|shared| Some((shared.clone(), shared.parts()?)))
        else {
            return Err(SyncRefusal::new(
                1,
                format!(
                    "the recording of {} is neither here nor in the space",
                    row.reference
                ),
            ));
        };
        self.live().await?;
        let cache = recordings::fetched(&folder);
        let mut fetch = Fetch {
            req,
            reference: row.reference.clone(),
            begun: cache.join(format!(".{}.part", shared.blob)),
            whole: cache.join(format!("{}.cast", row.id)),
            shared,
            parts,
            done: 0,
            told: None,
        };
        let quota = self.job.recordings.quota;
        let (begun, bytes, part) = (fetch.begun.clone(), fetch.shared.bytes, fetch.shared.part);
        let making = tokio::task::spawn_blocking(move || {
            make(&cache)?;
            recordings::make_room(&folder, &begun, bytes, quota)?;
            goes_on(&begun, part, parts)
        });
        let made = self.front.attend(making).await;
        let made = made.unwrap_or_else(|why| Err(why.to_string()));
        fetch.done = made.map_err(|why| fetch.failed(&why))?;
        Ok(Some(fetch))
    }

    async fn tell_progress(&self, fetch: &Fetch) {
        let fact = SyncFact::Fetching {
            req: fetch.req,
            got: fetch.got(),
            of: fetch.shared.bytes,
        };
        self.front.tell(fact).await;
    }

    /// Fetches the next part of the first recording that is wanted.
    pub(super) async fn fetch_step(&mut self) {
        let Some(mut fetch) = self.fetches.pop_front() else {
            return;
        };
        self.means.behalf.of(Some(fetch.req));
        let fetched = self.fetch_part(&mut fetch).await;
        self.means.behalf.of(None);
        let result = match fetched {
            Ok(()) if fetch.done < fetch.parts => {
                if fetch.told.is_none_or(|told| told.elapsed() >= TELL) {
                    fetch.told = Some(Instant::now());
                    self.tell_progress(&fetch).await;
                }
                return self.fetches.push_front(fetch);
            }
            Ok(()) => self.finish_fetch(&fetch).await,
            Err(why) => Err(why),
        };
        let req = fetch.req;
        self.front.tell(SyncFact::Fetched { req, result }).await;
    }

    async fn fetch_part(&mut self, fetch: &mut Fetch) -> Result<(), SyncRefusal> {
        if fetch.done == fetch.parts {
            return Ok(());
        }
        let Some(live) = self.space.as_ref().and_then(|space| space.live.as_ref()) else {
            return Err(SyncRefusal::alone());
        };
        let part = BlobPart {
            maker: fetch.shared.device,
            id: fetch.shared.blob,
            part: fetch.done + 1,
            parts: fetch.parts,
        };
        let plain = fetch.shared.bytes_of(part.part);
        let getting = live.engine.get_blob(&*live.remote, part, plain);
        let got = self.front.attend(getting).await;
        let text = match got {
            Ok(text) => text,
            Err(why) => return Err(self.why_not(fetch, why).await),
        };
        let begun = fetch.begun.clone();
        let writing = tokio::task::spawn_blocking(move || add(&begun, &text));
        let written = self.front.attend(writing).await;
        let written = written.unwrap_or_else(|why| Err(why.to_string()));
        written.map_err(|why| fetch.failed(&why))?;
        fetch.done += 1;
        Ok(())
    }

    /// All parts are here: together they must be what the log says.
    async fn finish_fetch(&mut self, fetch: &Fetch) -> Result<PathBuf, SyncRefusal> {
        let (begun, whole, shared) = (
            fetch.begun.clone(),
            fetch.whole.clone(),
            fetch.shared.clone(),
        );
        let checking = tokio::task::spawn_blocking(move || {
            if hash(&begun, shared.bytes).ok() != Some(shared.hash) {
                drop(std::fs::remove_file(&begun));
                return Err("its parts are not together what the device recorded".to_owned());
            }
            // What has its own name is taken for whole, also after a power cut.
            File::open(&begun)
                .and_then(|file| file.sync_all())
                .and_then(|()| std::fs::rename(&begun, &whole))
                .map_err(|why| format!("{} cannot be made: {why}", whole.display()))
        });
        let checked = self.front.attend(checking).await;
        let checked = checked.unwrap_or_else(|why| Err(why.to_string()));
        checked.map_err(|why| fetch.failed(&why))?;
        Ok(fetch.whole.clone())
    }

    /// Why a part did not come, and what can be done about it.
    async fn why_not(&self, fetch: &Fetch, why: SyncError) -> SyncRefusal {
        let SyncError::Remote(RemoteError::NotFound { .. }) = why else {
            return fetch.failed(&why.to_string());
        };
        let maker = fetch.shared.device;
        let rows = look::rows(&self.store).await.unwrap_or_default();
        let row = rows
            .into_iter()
            .find(|row| row.id == maker && !row.name.is_empty());
        let called = row.map_or_else(|| crate::domain::sync::short_device(maker), |row| row.name);
        let live = self.space.as_ref().and_then(|space| space.live.as_ref());
        let there = live.is_some_and(|live| live.engine.roster().is_active(maker));
        let next = if there {
            format!(
                "it is on {called}, where `qd session export {}` writes it to a file",
                fetch.reference
            )
        } else {
            format!("{called}, which recorded it, has left the space")
        };
        fetch.failed(&format!(
            "the remote has lost part {} of {}; {next}",
            fetch.done + 1,
            fetch.parts
        ))
    }
}

/// Makes the folder, for its owner alone.
fn make(cache: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(cache);
    made.map_err(|why| format!("{} cannot be made: {why}", cache.display()))
}

/// How many parts an earlier attempt brought: whole ones only, what follows them is cut off. The hash of all of it judges
/// them in the end.
fn goes_on(begun: &Path, part: u32, parts: u32) -> Result<u32, String> {
    let Ok(meta) = begun.metadata() else {
        return Ok(0);
    };
    let done = u32::try_from(meta.len() / u64::from(part)).unwrap_or(0);
    let done = done.min(parts.saturating_sub(1));
    let file = OpenOptions::new().write(true).open(begun);
    let cut = file.and_then(|file| file.set_len(u64::from(done) * u64::from(part)));
    cut.map_err(|why| format!("{} cannot be written: {why}", begun.display()))?;
    Ok(done)
}

fn add(begun: &Path, text: &[u8]) -> Result<(), String> {
    let open = || -> std::io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(begun)
    };
    open()
        .and_then(|mut file| file.write_all(text))
        .map_err(|why| format!("{} cannot be written: {why}", begun.display()))
}

//! A world to simulate: devices on real files, a bag in a folder, clocks that jump, and a line between them that breaks.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::super::*;
use super::Fault;
use crate::domain::ids::DeviceId;
use crate::domain::time::Time;
use crate::store::{Options, Store};

/// What a step of a simulation gives; an error is a finding.
pub(super) type Found<T> = Result<T, String>;

pub(super) fn words<E: std::fmt::Display>(why: E) -> String {
    why.to_string()
}

/// Repeatable numbers (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap_or(0)
    }

    /// Once in `n` times.
    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SyncError> {
        for byte in bytes {
            *byte = (self.roll() >> 24) as u8;
        }
        Ok(())
    }
}

/// Most devices in a world: each has a clock, and a store reads its clock through a plain function.
pub(super) const SLOTS: usize = 10;

static CLOCKS: [AtomicI64; SLOTS] = [const { AtomicI64::new(0) }; SLOTS];

fn clock<const N: usize>() -> Time {
    Time(
        CLOCKS
            .get(N)
            .map_or(0, |clock| clock.load(Ordering::Relaxed)),
    )
}

const NOWS: [fn() -> Time; SLOTS] = [
    clock::<0>, clock::<1>, clock::<2>, clock::<3>, clock::<4>, clock::<5>, clock::<6>, clock::<7>,
    clock::<8>, clock::<9>,
];

/// Seeds of the device ids, so that every store of a world has its own.
const SEEDS: [fn() -> [u8; 32]; SLOTS] = [
    || [0; 32],
    || [1; 32],
    || [2; 32],
    || [3; 32],
    || [4; 32],
    || [5; 32],
    || [6; 32],
    || [7; 32],
    || [8; 32],
    || [9; 32],
];

/// Worlds share the clocks, so there is one at a time.
pub(super) static ONE_WORLD: Mutex<()> = Mutex::new(());

/// One machine.
pub(super) struct Machine {
    pub(super) slot: usize,
    pub(super) folder: PathBuf,
    pub(super) store: Option<Store>,
    pub(super) engine: Option<SyncEngine>,
    pub(super) backup: Option<PathBuf>,
}

impl Machine {
    pub(super) fn new(slot: usize, folder: PathBuf) -> Found<Self> {
        let mut machine = Self {
            slot,
            folder,
            store: None,
            engine: None,
            backup: None,
        };
        machine.reopen()?;
        Ok(machine)
    }

    pub(super) fn reopen(&mut self) -> Found<()> {
        self.engine = None;
        self.store = None;
        let (now, seed) = (NOWS.get(self.slot), SEEDS.get(self.slot));
        let (Some(now), Some(seed)) = (now, seed) else {
            return Err("too many machines".to_owned());
        };
        self.store =
            Some(Store::open(&self.folder, *now, *seed, Options::default()).map_err(words)?);
        Ok(())
    }

    pub(super) fn store(&self) -> Found<&Store> {
        self.store
            .as_ref()
            .ok_or_else(|| "the store is closed".to_owned())
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.folder.join("sync")
    }

    pub(super) fn now(&self) -> Time {
        NOWS.get(self.slot).map_or(Time(0), |now| now())
    }

    pub(super) fn set_clock(&self, to: i64) {
        if let Some(clock) = CLOCKS.get(self.slot) {
            clock.store(to, Ordering::Relaxed);
        }
    }

    pub(super) fn tick(&self, millis: i64) {
        self.set_clock(self.now().0 + millis);
    }

    pub(super) async fn open_engine(
        &mut self,
        space: crate::domain::ids::EntityId,
        fault: Option<Fault>,
    ) -> Found<()> {
        if self.engine.is_none() {
            let mut engine = SyncEngine::open(&self.keys(), space, self.store()?)
                .await
                .map_err(words)?
                .with_limits(LIMITS);
            engine.fault = fault;
            self.engine = Some(engine);
        }
        Ok(())
    }

    pub(super) async fn round(&mut self, remote: &dyn Remote, dice: &mut Dice) -> Found<Report> {
        let now = self.now();
        let store = self.store()?.clone();
        let engine = self.engine.as_mut().ok_or("there is no engine")?;
        Ok(engine.round(&store, remote, now, dice).await)
    }
}

/// Everything is small, so that a short schedule meets every seam.
pub(super) const LIMITS: Limits = Limits {
    ops: 7,
    bytes: 600,
    pack_ops: 60,
    pack_bytes: 1 << 20,
    small: 3,
    grace: Duration::from_secs(60),
    fetched: 12,
    deadline: Duration::from_secs(30),
    round_bytes: 4000,
    behind: 20,
    excerpt_every: 24,
    excerpt_share: 100,
    part: 500,
};

/// What the line does at which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It breaks before the call arrives.
    Before,
    /// It breaks after the call arrived; the answer is lost.
    After,
    /// The program is killed before the call.
    KillBefore,
    /// The program is killed after the call arrived.
    KillAfter,
}

/// A remote over a line that breaks at call `at`, repeats writes, and shows old or shuffled listings.
pub(super) struct Shaky<'a> {
    inner: &'a DirectoryRemote,
    line: Mutex<Line>,
    pub(super) killed: tokio::sync::Notify,
}

struct Line {
    left: usize,
    fate: Option<Fate>,
    dice: Dice,
    /// A listing of before, shown now and then.
    stale: Option<Listing<Head>>,
}

impl<'a> Shaky<'a> {
    pub(super) fn new(
        inner: &'a DirectoryRemote,
        at: usize,
        fate: Option<Fate>,
        dice: Dice,
        stale: Option<Listing<Head>>,
    ) -> Self {
        let line = Line {
            left: at,
            fate,
            dice,
            stale,
        };
        Self {
            inner,
            line: Mutex::new(line),
            killed: tokio::sync::Notify::new(),
        }
    }

    fn next(&self) -> (Option<Fate>, Dice) {
        let Ok(mut line) = self.line.lock() else {
            return (None, Dice(0));
        };
        let dice = Dice(line.dice.roll());
        if line.left == 0 {
            return (line.fate, dice);
        }
        line.left -= 1;
        (None, dice)
    }

    fn broken(&self) -> RemoteError {
        RemoteError::Unreachable {
            place: self.place(),
            why: "the line broke".to_owned(),
        }
    }

    fn call<'b, T: Send + 'b>(
        &'b self,
        twice: bool,
        call: impl Fn() -> Reply<'b, T> + Send + 'b,
    ) -> Reply<'b, T> {
        Box::pin(async move {
            let (fate, mut dice) = self.next();
            match fate {
                None => {
                    if twice && dice.once_in(4) {
                        drop(call().await);
                    }
                    call().await
                }
                Some(Fate::Before) => Err(self.broken()),
                Some(Fate::After) => {
                    drop(call().await);
                    Err(self.broken())
                }
                Some(kill) => {
                    if kill == Fate::KillAfter {
                        drop(call().await);
                    }
                    self.killed.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

fn shuffle<T>(items: &mut [T], dice: &mut Dice) {
    for at in (1..items.len()).rev() {
        items.swap(at, dice.below(at + 1));
    }
}

impl Remote for Shaky<'_> {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn heads(&self) -> Reply<'_, Listing<Head>> {
        Box::pin(async move {
            let mut listing = self.call(false, || self.inner.heads()).await?;
            if let Ok(mut line) = self.line.lock() {
                if line.dice.once_in(4)
                    && let Some(stale) = line.stale.take()
                {
                    listing = stale;
                }
                shuffle(&mut listing.names, &mut line.dice);
            }
            Ok(listing)
        })
    }

    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>> {
        Box::pin(async move {
            let mut listing = self.call(false, || self.inner.list(device, from)).await?;
            if let Ok(mut line) = self.line.lock() {
                shuffle(&mut listing.names, &mut line.dice);
                // The newest is not shown yet.
                if line.dice.once_in(8) {
                    listing.names.pop();
                }
            }
            Ok(listing)
        })
    }

    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>> {
        self.call(false, move || self.inner.get(name))
    }

    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put> {
        // The same request twice: the second finds the first, and its answer is the one that arrives.
        self.call(true, move || self.inner.put_new(name, sealed.clone()))
    }

    fn set_head(&self, head: Head) -> Reply<'_, ()> {
        self.call(true, move || self.inner.set_head(head))
    }

    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()> {
        self.call(true, move || self.inner.delete_own(name))
    }

    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>> {
        self.call(false, move || self.inner.objects(kind))
    }

    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>> {
        self.call(false, move || self.inner.get_object(name))
    }

    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put> {
        self.call(true, move || self.inner.put_object(name, bytes.clone()))
    }

    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()> {
        self.call(true, move || self.inner.delete_object(name))
    }
}

/// A folder for a world: in memory where the system has such a place, since flushes are not what is examined.
pub(super) fn scratch() -> Found<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.map_err(words)
}

/// Copies the keys of one machine to another.
pub(super) fn copy_keys(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

//! One round of sync: what others wrote comes in, what was written here goes out.
//!
//! Store, remote, time and randomness are handed in, so that a round can be simulated and cut at any step. A round never
//! holds a transaction of the store across a wait, and each step leaves a state from which the next round goes on.

mod blobs;
mod compact;
mod copy;
mod fetch;
mod hot;
mod make;
mod objects;
mod publish;
mod purge;
mod wait;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::Identity;
use super::keyring::Ring;
use super::names::{Head, ObjectKind};
use super::random::Random;
use super::remote::Remote;
use super::roster::{Hash, Roster, Statement};
use super::{SyncError, Trouble};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::time::Time;
use crate::store::Store;

use fetch::{Parked, Refusal};
use make::Making;
pub(crate) use objects::found;
pub(crate) use wait::{heard, within};

/// How much goes into one thing, and how long things are left in peace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations in a fresh segment.
    pub ops: u32,
    /// About so many bytes of operations in a fresh segment.
    pub bytes: usize,
    /// Operations in a pack.
    pub pack_ops: u32,
    /// Bytes of operations in a pack, about.
    pub pack_bytes: usize,
    /// More small segments than this become a pack.
    pub small: usize,
    /// How long the small ones stay after their pack is durable, for readers that listed them before.
    pub grace: Duration,
    /// The most segments that one round fetches; the report then says that there is more.
    pub fetched: u32,
    /// How long one answer of the remote may take; longer where much is carried.
    pub deadline: Duration,
    /// After about so many bytes a round fetches nothing more, so that what is written here goes out in between.
    pub round_bytes: u64,
    /// A device that lacks more operations than this takes in an excerpt first.
    pub behind: u64,
    /// After about so many operations there is a new excerpt; zero for none.
    pub excerpt_every: u64,
    /// No excerpt is made of more than this part of all operations, in percent.
    pub excerpt_share: u64,
    /// About so many bytes of operations in a part of an excerpt.
    pub part: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ops: 1000,
            bytes: 1 << 20,
            pack_ops: 65_536,
            pack_bytes: 16 << 20,
            small: 16,
            grace: Duration::from_secs(24 * 3600),
            fetched: 256,
            deadline: Duration::from_secs(120),
            // A minute on a line of 64 kbit/s.
            round_bytes: 512 << 10,
            behind: 5000,
            excerpt_every: 10_000,
            excerpt_share: 50,
            // Some ten seconds on such a line.
            part: 192 << 10,
        }
    }
}

impl Limits {
    /// How long a remote may take to carry a thing of so many bytes: a deadline, and another for each [`CARRIED`] of them.
    /// It only bounds a remote that trickles; one that is silent is given up sooner by whoever speaks to it.
    fn patience(&self, bytes: usize) -> Duration {
        let times = u32::try_from(bytes.div_ceil(CARRIED)).unwrap_or(u32::MAX);
        self.deadline.saturating_mul(times.saturating_add(1))
    }
}

/// So many bytes take one more deadline to carry: with one of 120 s that is half of what a line of 64 kbit/s carries.
const CARRIED: usize = 480_000;

/// More bytes than a fresh segment has.
const FRESH_MAX: usize = 4 << 20;

/// What a round did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Own operations that went out.
    pub published: u64,
    /// Operations of others that came in.
    pub learned: u64,
    /// Own operations that have not gone out yet.
    pub pending: u64,
    /// There is more to do; the next round should follow at once.
    pub more: bool,
    /// Operations that came in ahead of their logs: they are shown, and their logs follow.
    pub ahead: u64,
    /// Operations that are shown now and whose logs have not come as far.
    pub early: u64,
    /// Bytes of segments and excerpts that were fetched.
    pub bytes: u64,
    /// What is not in order, sorted, without repetitions.
    pub troubles: Vec<Trouble>,
    /// Why the round ended early, if it did. What was done until then counts.
    pub error: Option<SyncError>,
}

impl Report {
    /// Whether anything moved: the next round may then come soon.
    pub const fn is_idle(&self) -> bool {
        self.published == 0 && self.learned == 0 && self.ahead == 0 && !self.more
    }
}

/// Carries the log of one store to and from the bag of one space.
pub struct SyncEngine {
    /// Where the keys of this device are.
    folder: PathBuf,
    space: EntityId,
    limits: Limits,
    identity: Identity,
    statements: BTreeMap<Hash, Statement>,
    keyrings: BTreeMap<Hash, Vec<u8>>,
    roster: Roster,
    ring: Ring,
    /// Our own operations up to this number are in the remote, for all that we know.
    published: u64,
    /// Fresh segments since the last pack.
    small: u64,
    /// The highest head of each device that was ever seen.
    seen: BTreeMap<DeviceId, u64>,
    /// Logs that cannot be continued now.
    parked: BTreeMap<DeviceId, Parked>,
    /// Objects in the remote that cannot be read, and are not read again in this process.
    unreadable: BTreeMap<String, String>,
    /// Objects that count for nothing, for all that is known now.
    worthless: BTreeMap<String, &'static str>,
    /// There is no excerpt that is worth reading; looked for once.
    no_excerpt: bool,
    /// Newest segments that cannot be read, until the head moves.
    bad_newest: BTreeMap<DeviceId, (u64, Trouble)>,
    making: Making,
    /// The small objects are to be looked through: at first, and whenever something is met that they may explain.
    look_through: bool,
    /// They were looked through in this round.
    looked: bool,
    #[cfg(test)]
    pub(super) fault: Option<super::tests::Fault>,
    #[cfg(test)]
    cursors: BTreeMap<DeviceId, u64>,
    #[cfg(test)]
    taken: BTreeMap<(DeviceId, u64), crate::store::Logged>,
}

/// Whether the fault of this name was planted. In the program there are none; tests plant them to see that they are found.
#[cfg(test)]
macro_rules! planted {
    ($engine:expr, $fault:ident) => {
        $engine.fault == Some(crate::sync::tests::Fault::$fault)
    };
}
#[cfg(not(test))]
macro_rules! planted {
    ($engine:expr, $fault:ident) => {
        false
    };
}
use planted;

impl SyncEngine {
    /// Opens the engine of `space` for `store`, with the device's keys in `folder`.
    ///
    /// # Errors
    /// This device has no keys in the folder, or files or store cannot be read.
    pub async fn open(folder: &Path, space: EntityId, store: &Store) -> Result<Self, SyncError> {
        let device = store.device();
        let identity = Identity::load(folder, device)?.ok_or_else(|| {
            SyncError::refused(format!(
                "there is no key of device {device} in {}; restore it from a backup, or join again with `qd sync join`",
                folder.display()
            ))
        })?;
        let mut engine = Self {
            folder: folder.to_owned(),
            space,
            limits: Limits::default(),
            identity,
            statements: BTreeMap::new(),
            keyrings: BTreeMap::new(),
            roster: Roster::default(),
            ring: Ring::default(),
            published: 0,
            small: 0,
            seen: BTreeMap::new(),
            parked: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            worthless: BTreeMap::new(),
            no_excerpt: false,
            bad_newest: BTreeMap::new(),
            making: Making::default(),
            look_through: true,
            looked: false,
            #[cfg(test)]
            fault: None,
            #[cfg(test)]
            cursors: BTreeMap::new(),
            #[cfg(test)]
            taken: BTreeMap::new(),
        };
        engine.remember(store).await?;
        Ok(engine)
    }

    /// The same with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Does one round. It never fails as a whole: the report says what was done, and what stopped it.
    pub async fn round(
        &mut self,
        store: &Store,
        remote: &dyn Remote,
        now: Time,
        random: &mut dyn Random,
    ) -> Report {
        let mut cx = Round::new(store, remote, now, random);
        let result = self.steps(&mut cx).await;
        let mut report = cx.report;
        report.error = result.err();
        let known = heard(|reply| store.known(reply)).await.unwrap_or_default();
        let own = known
            .iter()
            .find(|(device, _)| *device == self.identity.device());
        report.pending = own.map_or(0, |(_, seq)| seq.saturating_sub(self.published));
        report.troubles.sort();
        report.troubles.dedup();
        report
    }

    async fn steps(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let _alone = crate::sync::place::lock(&self.folder)?;
        self.looked = false;
        if cx.store.device() != self.identity.device() {
            self.change_identity(cx.store).await?;
        }
        if self.look_through {
            self.look_through(cx).await?;
        }
        let heads = self.heads(cx).await?;
        self.check_own(cx, &heads).await?;
        if self.look_ahead(cx, &heads).await? {
            self.fetch(cx, &heads).await?;
        }
        // What came in may have retired somebody, and nothing may be sealed for a device that was.
        if self.look_through && !self.looked {
            self.look_through(cx).await?;
        }
        self.report_worthless(cx);
        self.settle(cx).await?;
        if !self.roster.is_active(self.identity.device()) {
            cx.report.troubles.push(Trouble::Retired);
            return Ok(());
        }
        self.tend(cx).await?;
        self.publish(cx, &heads).await?;
        self.send_blanks(cx).await?;
        self.withdraw_purged(cx).await?;
        self.compact(cx).await?;
        self.leave_excerpt(cx, &heads).await
    }

    /// [`Limits::patience`].
    fn patience(&self, bytes: usize) -> Duration {
        self.limits.patience(bytes)
    }

    /// The heads, compared with what was seen before.
    async fn heads(&mut self, cx: &mut Round<'_>) -> Result<BTreeMap<DeviceId, u64>, SyncError> {
        let mut heads = self.read_heads(cx).await?;
        let lost = |heads: &BTreeMap<DeviceId, u64>, seen: &BTreeMap<DeviceId, u64>| {
            let now = |device| heads.get(device).copied().unwrap_or(0);
            let lost = seen.iter().filter(|(device, seen)| now(device) < **seen);
            lost.map(|(device, seen)| (*device, *seen, now(device)))
                .collect::<Vec<_>>()
        };
        if !lost(&heads, &self.seen).is_empty() {
            // A listing may be stale for a moment; two in a row are believed.
            for (device, seq) in self.read_heads(cx).await? {
                let head = heads.entry(device).or_insert(seq);
                *head = seq.max(*head);
            }
        }
        for (device, seen, now) in lost(&heads, &self.seen) {
            cx.report
                .troubles
                .push(Trouble::RemoteLost { device, seen, now });
        }
        let mut facts = Vec::new();
        for (device, head) in &heads {
            let seen = self.seen.entry(*device).or_insert(0);
            if head > seen {
                *seen = *head;
                facts.push((format!("seen/{device}"), Some(head.to_be_bytes().to_vec())));
            }
        }
        if !facts.is_empty() {
            heard(|reply| cx.store.keep(facts, reply)).await?;
        }
        Ok(heads)
    }

    async fn read_heads(&self, cx: &mut Round<'_>) -> Result<BTreeMap<DeviceId, u64>, SyncError> {
        let listing = within(
            self.limits.deadline,
            cx.remote,
            "reading the heads",
            cx.remote.heads(),
        )
        .await?;
        cx.strange(listing.strange);
        let mut heads = BTreeMap::new();
        for Head { device, seq } in listing.names {
            let head = heads.entry(device).or_insert(seq);
            *head = seq.max(*head);
        }
        Ok(heads)
    }

    /// Reads what this store remembers of the space.
    async fn remember(&mut self, store: &Store) -> Result<(), SyncError> {
        let facts = heard(|reply| store.kept("", reply)).await?;
        self.published = 0;
        self.small = 0;
        let own = self.identity.device().to_string();
        for (name, value) in facts {
            let number = <[u8; 8]>::try_from(value.as_slice()).map_or(0, u64::from_be_bytes);
            match name.split_once('/') {
                Some(("published", device)) if device == own => self.published = number,
                Some(("small", device)) if device == own => self.small = number,
                Some(("seen", device)) => {
                    self.seen
                        .extend(super::parse_device(device).map(|device| (device, number)));
                }
                Some(("object", _)) => {
                    // One that this version cannot read stays for a later one.
                    let _: bool = self.take_object(&value);
                }
                _ => {}
            }
        }
        self.judge();
        Ok(())
    }

    /// Another process found out that this machine is a copy, and gave it another id.
    async fn change_identity(&mut self, store: &Store) -> Result<(), SyncError> {
        let fresh = Self::open(&self.folder, self.space, store).await?;
        let limits = self.limits;
        #[cfg(test)]
        let fault = self.fault;
        *self = fresh.with_limits(limits);
        #[cfg(test)]
        {
            self.fault = fault;
        }
        Ok(())
    }

    /// The space that is synced.
    pub const fn space(&self) -> EntityId {
        self.space
    }

    /// Who this device is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Who belongs to the space, for all that this device knows.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The keys that this device has.
    pub const fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The highest number that the remote ever said of a device's log.
    pub fn seen(&self, device: DeviceId) -> u64 {
        self.seen.get(&device).copied().unwrap_or(0)
    }

    /// The number of the last own operation that is in the remote, for all that we know.
    pub const fn published(&self) -> u64 {
        self.published
    }
}

/// What a round works with.
pub(crate) struct Round<'a> {
    pub(crate) store: &'a Store,
    pub(crate) remote: &'a dyn Remote,
    pub(crate) now: Time,
    pub(crate) random: &'a mut dyn Random,
    /// What it did and found so far.
    report: Report,
}

impl<'a> Round<'a> {
    pub(crate) fn new(
        store: &'a Store,
        remote: &'a dyn Remote,
        now: Time,
        random: &'a mut dyn Random,
    ) -> Self {
        Self {
            store,
            remote,
            now,
            random,
            report: Report::default(),
        }
    }

    fn strange(&mut self, names: Vec<String>) {
        let troubles = names.into_iter().map(|name| Trouble::Strange { name });
        self.report.troubles.extend(troubles);
    }
}

/// The fact under which an object is remembered.
fn object_fact(kind: ObjectKind, name: &str) -> String {
    format!("object/{}/{name}", kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_made_passes_a_line_of_64_kbit_in_time() {
        let limits = Limits::default();
        assert_eq!(limits.patience(0), limits.deadline);
        for bytes in [1, limits.part, limits.bytes, FRESH_MAX, limits.pack_bytes] {
            let carried = Duration::from_secs(bytes as u64 / 8000);
            let patience = limits.patience(bytes);
            assert!(patience > carried + limits.deadline, "{bytes}");
            assert!(
                patience <= carried * 3 + limits.deadline * 2,
                "{bytes}: bounded"
            );
        }
    }
}

//! A device that is far behind: what is hot comes first, from an excerpt and from the newest segments of each log, and the
//! logs themselves follow.
//!
//! What came ahead is shown and is part of no log: nothing here moves a log's end. Each step is one transaction with the
//! facts about it, so that a round that was cut goes on where it was.

use std::collections::{BTreeMap, BTreeSet};

use super::wait::{heard, within};
use super::{Refusal, Round, SyncEngine, fetch, planted};
use crate::domain::ids::DeviceId;
use crate::store::{Ahead, CONTRADICTED, Untrusted};
use crate::sync::excerpt::{self, Part, PartName};
use crate::sync::names::{ObjectKind, ObjectName};
use crate::sync::remote::{OBJECT_MAX, RemoteError};
use crate::sync::{SyncError, Trouble, parse_device};

/// Facts: parts that were taken in, up to where each log was shown, that an excerpt was taken in whole, and whose word was
/// found untrue before.
const PART: &str = "early/part";
const LOG: &str = "early/log";
const DONE: &str = "early/done";
const DISTRUST: &str = "distrust";

/// How far this store is ahead of its logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lead {
    /// The parts that were taken in.
    parts: BTreeSet<PartName>,
    /// Up to where each log is shown: by an excerpt, then by its own newest segments.
    cursors: BTreeMap<DeviceId, u64>,
    /// An excerpt was taken in whole.
    done: bool,
}

impl Lead {
    fn of(facts: &[(String, Vec<u8>)]) -> Self {
        let mut lead = Self::default();
        for (name, value) in facts {
            if name == DONE {
                lead.done = true;
            } else if let Some(name) = name.strip_prefix(PART) {
                let name = ObjectName::parse(ObjectKind::Hot, name.trim_start_matches('/'));
                lead.parts.extend(name.as_ref().and_then(PartName::parse));
            } else if let Some(name) = name.strip_prefix(LOG) {
                let seq = <[u8; 8]>::try_from(value.as_slice()).map_or(0, u64::from_be_bytes);
                let device = parse_device(name.trim_start_matches('/'));
                lead.cursors.extend(device.map(|device| (device, seq)));
            }
        }
        lead
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

fn cursor(device: DeviceId, seq: u64) -> (String, Option<Vec<u8>>) {
    (format!("{LOG}/{device}"), Some(seq.to_be_bytes().to_vec()))
}

/// Excerpts of which every part is there, the newest last.
pub(super) fn complete(names: &[ObjectName]) -> BTreeMap<(u64, DeviceId), Vec<PartName>> {
    let mut sets: BTreeMap<(u64, DeviceId, u16), BTreeSet<PartName>> = BTreeMap::new();
    for name in names.iter().filter_map(PartName::parse) {
        let set = sets.entry((name.seen, name.maker, name.parts));
        set.or_default().insert(name);
    }
    sets.retain(|(_, _, parts), set| set.len() == usize::from(*parts));
    sets.into_iter()
        .map(|((seen, maker, _), set)| ((seen, maker), set.into_iter().collect()))
        .collect()
}

impl SyncEngine {
    pub(super) async fn lead(&self, cx: &Round<'_>) -> Result<Lead, SyncError> {
        let facts = heard(|reply| cx.store.kept("early/", reply)).await?;
        Ok(Lead::of(&facts))
    }

    /// Takes in what is hot when this device is far behind. Answers whether the logs may follow in this round.
    pub(super) async fn look_ahead(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
    ) -> Result<bool, SyncError> {
        let own = self.identity.device();
        let known = heard(|reply| cx.store.known(reply)).await?;
        let known: BTreeMap<DeviceId, u64> = known.into_iter().collect();
        let have = |device| known.get(device).copied().unwrap_or(0);
        let behind: u64 = heads
            .iter()
            .filter(|(device, _)| **device != own)
            .map(|(device, head)| head.saturating_sub(have(device)))
            .sum();
        let mut lead = self.lead(cx).await?;
        if behind >= self.limits.behind && !lead.done && !self.no_excerpt {
            let most: u64 = heads.values().sum();
            let least: u64 = known.values().sum::<u64>() + self.limits.behind.min(behind) / 2;
            self.take_excerpt(cx, heads, &known, &mut lead, (least, most))
                .await?;
            if !lead.done && !self.no_excerpt {
                cx.report.more = true;
                return Ok(false);
            }
        }
        self.take_newest(cx, heads, &known, &mut lead).await?;
        cx.report.more |= self.is_enough(cx);
        Ok(!self.is_enough(cx))
    }

    /// Whether this round has fetched enough, so that what is written here goes out now and then.
    pub(super) fn is_enough(&self, cx: &Round<'_>) -> bool {
        cx.report.bytes >= self.limits.round_bytes
    }

    /// Takes in the parts of the best excerpt, as many as fit into the round.
    async fn take_excerpt(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
        known: &BTreeMap<DeviceId, u64>,
        lead: &mut Lead,
        (least, most): (u64, u64),
    ) -> Result<(), SyncError> {
        let reply = cx.remote.objects(ObjectKind::Hot);
        let listing = within(self.limits.deadline, cx.remote, "listing excerpts", reply).await?;
        let liars = self.liars(cx).await?;
        let mut sets = complete(&listing.names);
        sets.retain(|(seen, maker), parts| {
            let bad = |part: &PartName| self.unreadable.contains_key(&part.object().to_string());
            (least..=most).contains(seen)
                && self.roster.is_active(*maker)
                && !liars.contains(maker)
                && !parts.iter().any(bad)
        });
        // One that was begun is finished first, even if a newer one is there by now.
        let begun = sets
            .values()
            .find(|parts| parts.iter().any(|part| lead.parts.contains(part)));
        let Some(parts) = begun.or_else(|| sets.values().next_back()) else {
            // Looked for once in a process: the logs bring everything anyway.
            self.no_excerpt = true;
            return Ok(());
        };
        for name in parts {
            if lead.parts.contains(name) {
                continue;
            }
            if self.is_enough(cx) {
                return Ok(());
            }
            let Some(part) = self.fetch_part(cx, *name).await? else {
                return Ok(());
            };
            #[cfg(test)]
            self.remember_taken(&part.ops);
            self.take_part(cx, *name, part, heads, known, lead).await?;
        }
        heard(|reply| cx.store.keep(vec![(DONE.to_owned(), Some(vec![1]))], reply)).await?;
        lead.done = true;
        Ok(())
    }

    /// Those whose word about other devices was found untrue.
    async fn liars(&self, cx: &Round<'_>) -> Result<BTreeSet<DeviceId>, SyncError> {
        let mut liars = BTreeSet::new();
        for prefix in [CONTRADICTED, DISTRUST] {
            let facts = heard(|reply| cx.store.kept(prefix, reply)).await?;
            let names = facts.iter().filter_map(|(name, _)| name.split_once('/'));
            liars.extend(names.filter_map(|(_, device)| parse_device(device)));
        }
        Ok(liars)
    }

    /// Fetches one part; `None` when it is worth nothing, which is remembered and told.
    async fn fetch_part(
        &mut self,
        cx: &mut Round<'_>,
        name: PartName,
    ) -> Result<Option<Part>, SyncError> {
        let object = name.object();
        let reply = cx.remote.get_object(&object);
        let sealed = match within(
            self.patience(OBJECT_MAX),
            cx.remote,
            "fetching an excerpt",
            reply,
        )
        .await
        {
            Ok(sealed) => sealed,
            Err(why @ (RemoteError::NotFound { .. } | RemoteError::TooLong { .. })) => {
                // Its maker made a newer one since it was listed, or somebody withholds it.
                self.unreadable.insert(object.to_string(), why.to_string());
                return Ok(None);
            }
            Err(why) => return Err(why.into()),
        };
        cx.report.bytes += sealed.len() as u64;
        let epoch = excerpt::epoch_of(&sealed);
        let unknown = epoch.is_some_and(|epoch| self.ring.key(epoch).is_none());
        if unknown && !self.looked {
            self.look_through(cx).await?;
        }
        match self.open_excerpt(name, &sealed) {
            Ok(part) => Ok(Some(part)),
            Err(why) => {
                self.unreadable.insert(object.to_string(), why.to_owned());
                Ok(None)
            }
        }
    }

    pub(super) fn open_excerpt(&self, name: PartName, sealed: &[u8]) -> Result<Part, &'static str> {
        let maker = self
            .roster
            .member(name.maker)
            .filter(|_| self.roster.is_active(name.maker));
        let maker = maker.ok_or("its maker does not belong to the space")?;
        let epoch = excerpt::epoch_of(sealed).ok_or("it is no excerpt of this version")?;
        let key = self
            .ring
            .key(epoch)
            .ok_or("this device has not been given its key")?;
        let part = excerpt::open_part(sealed, name, self.space, key, &maker.public.signing)?;
        if fetch::is_in_time(&part.ops) {
            Ok(part)
        } else {
            Err(fetch::OUT_OF_TIME)
        }
    }

    /// Up to where operations of `device` count: what its head says, and its retirement.
    fn counts(&self, heads: &BTreeMap<DeviceId, u64>, device: DeviceId) -> u64 {
        let head = heads.get(&device).copied().unwrap_or(0);
        let Some(member) = self.roster.member(device) else {
            return 0;
        };
        let last = member.retired.as_ref().map(|retired| retired.last);
        last.map_or(head, |last| head.min(last))
    }

    async fn take_part(
        &self,
        cx: &mut Round<'_>,
        name: PartName,
        mut part: Part,
        heads: &BTreeMap<DeviceId, u64>,
        known: &BTreeMap<DeviceId, u64>,
        lead: &mut Lead,
    ) -> Result<(), SyncError> {
        part.ops
            .retain(|op| op.seq <= self.counts(heads, op.device));
        let mut facts = vec![(format!("{PART}/{}", name.object().name), Some(vec![1]))];
        for (device, last) in &part.logs {
            let mut last = (*last).min(self.counts(heads, *device));
            if planted!(self, TailSkipped) {
                last = self.counts(heads, *device);
            }
            let have = known.get(device).copied().unwrap_or(0);
            let at = lead.cursors.get(device).copied().unwrap_or(0);
            if *device != self.identity.device() && last > have && last > at {
                lead.cursors.insert(*device, last);
                facts.push(cursor(*device, last));
            }
        }
        let ahead = Ahead {
            maker: name.maker,
            ops: part.ops,
            facts,
        };
        cx.report.ahead += heard(|reply| cx.store.ahead(ahead, reply)).await?;
        lead.parts.insert(name);
        Ok(())
    }

    /// Takes in the newest segments of logs that are shown ahead, so that what colleagues do now is seen now.
    async fn take_newest(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
        known: &BTreeMap<DeviceId, u64>,
        lead: &mut Lead,
    ) -> Result<(), SyncError> {
        for (device, at) in &mut lead.cursors {
            let (device, have) = (*device, known.get(device).copied().unwrap_or(0));
            let head = self.counts(heads, device);
            if let Some((bad, why)) = self.bad_newest.get(&device)
                && *bad == head
            {
                cx.report.troubles.push(why.clone());
                continue;
            }
            // A log that has come as far goes on by itself.
            while have < *at && *at < head {
                if self.is_enough(cx) {
                    cx.report.more = true;
                    return Ok(());
                }
                let piece = match self.next_checked(cx, device, *at + 1).await {
                    Ok(Some((_, piece))) => piece,
                    // The log says so itself when it has come here.
                    Ok(None) => break,
                    Err(Refusal::Round(why)) => return Err(why),
                    Err(Refusal::Trouble(why)) => {
                        cx.report.troubles.push(why.clone());
                        self.bad_newest.insert(device, (head, why));
                        break;
                    }
                };
                let mut ops = piece.ops;
                ops.retain(|op| op.seq > *at && op.seq <= head);
                let Some(last) = ops.last().map(|op| op.seq) else {
                    break;
                };
                let mut facts = self.read_log(&ops);
                facts.push(cursor(device, last));
                let maker = device;
                let ahead = Ahead { maker, ops, facts };
                cx.report.ahead += heard(|reply| cx.store.ahead(ahead, reply)).await?;
                *at = last;
            }
        }
        Ok(())
    }

    /// After the logs moved: drops what does not count any more, tells what was found untrue, and ends when the logs have
    /// come as far as what was shown.
    pub(super) async fn settle(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let lead = self.lead(cx).await?;
        if lead.is_none() {
            return Ok(());
        }
        let mut untrusted = Untrusted::default();
        let mut facts = Vec::new();
        for (device, at) in &lead.cursors {
            let member = self.roster.member(*device);
            let last = member.map_or(Some(0), |member| {
                member.retired.as_ref().map(|retired| retired.last)
            });
            if let Some(last) = last.filter(|last| last < at) {
                untrusted.after.push((*device, last));
                facts.push(cursor(*device, last));
            }
        }
        let makers: BTreeSet<DeviceId> = lead.parts.iter().map(|part| part.maker).collect();
        let gone = makers
            .iter()
            .filter(|maker| !self.roster.is_active(**maker));
        untrusted.makers.extend(gone);
        if untrusted != Untrusted::default() {
            heard(|reply| cx.store.distrust(untrusted, reply)).await?;
            heard(|reply| cx.store.keep(facts, reply)).await?;
        }
        self.tell_contradictions(cx).await?;
        let known = heard(|reply| cx.store.known(reply)).await?;
        let known: BTreeMap<DeviceId, u64> = known.into_iter().collect();
        let lead = self.lead(cx).await?;
        let passed =
            |(device, at): (&DeviceId, &u64)| known.get(device).copied().unwrap_or(0) >= *at;
        let (done, to_come): (Vec<_>, Vec<_>) = lead.cursors.iter().partition(|one| passed(*one));
        if !to_come.is_empty() {
            cx.report.early = heard(|reply| cx.store.early_count(reply)).await?;
            return Ok(());
        }
        self.end_lead(cx, &lead, &done).await
    }

    async fn tell_contradictions(&self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        for (name, value) in heard(|reply| cx.store.kept(CONTRADICTED, reply)).await? {
            let maker = name
                .split_once('/')
                .and_then(|(_, text)| parse_device(text));
            let mut reader = crate::sync::bytes::Reader::new(&value);
            if let (Some(maker), Some(device), Some(seq)) = (maker, reader.device(), reader.u64()) {
                let trouble = Trouble::Contradicted { maker, device, seq };
                cx.report.troubles.push(trouble);
            }
        }
        Ok(())
    }

    /// Everything that was shown has its place in a log by now.
    async fn end_lead(
        &mut self,
        cx: &mut Round<'_>,
        lead: &Lead,
        done: &[(&DeviceId, &u64)],
    ) -> Result<(), SyncError> {
        let count = heard(|reply| cx.store.early_count(reply)).await?;
        if count > 0 {
            let after = done.iter().map(|(device, _)| (**device, 0)).collect();
            let makers = lead.parts.iter().map(|part| part.maker).collect();
            let untrusted = Untrusted { after, makers };
            heard(|reply| cx.store.distrust(untrusted, reply)).await?;
            cx.report.troubles.push(Trouble::Unconfirmed { count });
        }
        let mut facts = Vec::new();
        for (name, _) in heard(|reply| cx.store.kept("early/", reply)).await? {
            facts.push((name, None));
        }
        for (name, value) in heard(|reply| cx.store.kept(CONTRADICTED, reply)).await? {
            let maker = name.split_once('/').map_or("", |(_, maker)| maker);
            facts.push((format!("{DISTRUST}/{maker}"), Some(value)));
            facts.push((name, None));
        }
        heard(|reply| cx.store.keep(facts, reply)).await?;
        self.no_excerpt = true;
        Ok(())
    }
}

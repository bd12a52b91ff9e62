//! Fetching what others wrote: from the end of what is known here, one segment at a time, each in one transaction. What
//! cannot be read is parked with its reason, and the logs of all other devices go on.

use std::collections::BTreeMap;

use super::wait::{heard, within};
use super::{FRESH_MAX, Round, SyncEngine, planted};
use crate::domain::ids::DeviceId;
use crate::domain::op::Hlc;
use crate::store::{Learned, Logged, Piece};
use crate::sync::names::SegmentName;
use crate::sync::remote::{Listing, RemoteError};
use crate::sync::segment::Header;
use crate::sync::{SyncError, Trouble};

/// How often a listing is read again when what it named is gone.
const LISTINGS: u32 = 3;

/// A log that cannot be continued, until its head moves, the roster or the keys change, or some time passed.
pub(super) struct Parked {
    head: u64,
    until: i64,
    why: Trouble,
}

/// The most operations that are taken in at once.
const SLICE: usize = 1000;

/// How long a log stays parked when nothing happens.
const PARKED_MS: i64 = 3_600_000;

/// What is said of operations that the store would refuse. They are found before it sees them, so that one log waits and the
/// round goes on.
pub(super) const OUT_OF_TIME: &str = "an operation in it has a stamp that no clock can show";

/// Whether all stamps can be passed by a later write.
pub(super) fn is_in_time(ops: &[Logged]) -> bool {
    ops.iter().all(|op| op.hlc < Hlc::LIMIT)
}

/// Why a segment was not taken in.
pub(super) enum Refusal {
    /// Told to the user; the log waits.
    Trouble(Trouble),
    /// The round ends.
    Round(SyncError),
}

impl<T: Into<SyncError>> From<T> for Refusal {
    fn from(why: T) -> Self {
        Self::Round(why.into())
    }
}

impl SyncEngine {
    /// Takes in what the heads promise.
    pub(super) async fn fetch(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
    ) -> Result<(), SyncError> {
        let known = heard(|reply| cx.store.known(reply)).await?;
        let known: BTreeMap<DeviceId, u64> = known.into_iter().collect();
        let mut left = self.limits.fetched;
        // The short ones first: most devices are then soon up to date.
        let missing =
            |device, head: u64| head.saturating_sub(known.get(device).copied().unwrap_or(0));
        let mut order: Vec<(&DeviceId, &u64)> = heads.iter().collect();
        order.sort_by_key(|(device, head)| missing(*device, **head));
        for (device, head) in order {
            let have = known.get(device).copied().unwrap_or(0);
            #[cfg(test)]
            let have = if planted!(self, CursorWithoutApply) {
                self.skipped(*device, have)
            } else {
                have
            };
            if *device == self.identity.device() || *head <= have {
                continue;
            }
            if let Some(parked) = self.parked.get(device)
                && parked.head == *head
                && cx.now.0 < parked.until
            {
                cx.report.troubles.push(parked.why.clone());
                continue;
            }
            match self.fetch_log(cx, *device, *head, have, &mut left).await {
                Ok(()) => {
                    self.parked.remove(device);
                }
                Err(Refusal::Round(why)) => return Err(why),
                Err(Refusal::Trouble(why)) => {
                    cx.report.troubles.push(why.clone());
                    // What is only missing may come with the next carrying of the folder.
                    let wait = if matches!(why, Trouble::Withheld { .. }) {
                        0
                    } else {
                        PARKED_MS
                    };
                    let (head, until) = (*head, cx.now.plus(wait).0);
                    self.parked.insert(*device, Parked { head, until, why });
                    if planted!(self, TroubleStopsAll) {
                        return Ok(());
                    }
                }
            }
            if left == 0 {
                cx.report.more = true;
                break;
            }
        }
        Ok(())
    }

    async fn fetch_log(
        &mut self,
        cx: &mut Round<'_>,
        device: DeviceId,
        head: u64,
        mut have: u64,
        left: &mut u32,
    ) -> Result<(), Refusal> {
        if self.roster.member(device).is_none() && !self.looked {
            self.look_through(cx).await?;
        }
        let Some(member) = self.roster.member(device) else {
            self.look_through = true;
            return Err(Refusal::Trouble(Trouble::UnknownDevice { device }));
        };
        let last = member.retired.as_ref().map(|retired| retired.last);
        let last = if planted!(self, RetiredAccepted) {
            None
        } else {
            last
        };
        let end = last.map_or(head, |last| head.min(last));
        while have < end && *left > 0 {
            *left -= 1;
            let Some((name, mut piece)) = self.next_checked(cx, device, have + 1).await? else {
                return Err(Refusal::Trouble(Trouble::Withheld { device, head, have }));
            };
            piece
                .ops
                .retain(|op| last.is_none_or(|last| op.seq <= last));
            if planted!(self, GapAccepted) {
                close_gap(&mut piece, have);
            }
            #[cfg(test)]
            let whole = piece.ops.last().map_or(have, |op| op.seq);
            if planted!(self, CursorWithoutApply) {
                piece.ops.truncate(1);
            }
            let facts = self.read_log(&piece.ops);
            if !facts.is_empty() {
                heard(|reply| cx.store.keep(facts, reply)).await?;
            }
            #[cfg(test)]
            if planted!(self, EarlyReplacesLog) {
                self.replace_by_taken(&mut piece);
            }
            let before = have;
            have = self.learn(cx, (device, head, have), name, piece).await?;
            #[cfg(test)]
            if planted!(self, CursorWithoutApply) {
                have = whole;
                self.skip_to(device, whole);
            }
            if have <= before {
                return Err(Refusal::Trouble(Trouble::Withheld { device, head, have }));
            }
            if self.is_enough(cx) {
                *left = 0;
            }
        }
        match last {
            Some(last) if head > last => {
                Err(Refusal::Trouble(Trouble::RetiredWrites { device, last }))
            }
            _ => Ok(()),
        }
    }

    /// Takes a piece in, a slice at a time: whoever writes here meanwhile waits for one slice at most. Answers how far the
    /// log goes now.
    async fn learn(
        &self,
        cx: &mut Round<'_>,
        (device, head, mut have): (DeviceId, u64, u64),
        name: SegmentName,
        piece: Piece,
    ) -> Result<u64, Refusal> {
        for slice in piece.slices(SLICE) {
            match heard(|reply| cx.store.learn(slice, reply)).await? {
                Learned::Taken { fresh, seq } => {
                    cx.report.learned += fresh;
                    have = have.max(seq);
                }
                Learned::Gap { .. } => {
                    return Err(Refusal::Trouble(Trouble::Withheld { device, head, have }));
                }
                Learned::Forked { seq } => {
                    return Err(Refusal::Trouble(Trouble::Forked { device, seq }));
                }
                Learned::Ours { .. } => {
                    let why = "it speaks for this device";
                    return Err(Refusal::Trouble(Trouble::BadSegment { name, why }));
                }
            }
        }
        Ok(have)
    }

    /// What came ahead, for the planted fault that lets it win over the log.
    #[cfg(test)]
    pub(super) fn remember_taken(&mut self, ops: &[crate::store::Logged]) {
        let taken = ops.iter().map(|op| ((op.device, op.seq), op.clone()));
        self.taken.extend(taken);
    }

    #[cfg(test)]
    fn replace_by_taken(&self, piece: &mut Piece) {
        for op in &mut piece.ops {
            if let Some(taken) = self.taken.get(&(op.device, op.seq)) {
                *op = taken.clone();
            }
        }
    }

    /// A cursor beside the log: what the planted fault needs, and what there must never be.
    #[cfg(test)]
    fn skip_to(&mut self, device: DeviceId, seq: u64) {
        self.cursors.insert(device, seq);
    }

    #[cfg(test)]
    fn skipped(&self, device: DeviceId, have: u64) -> u64 {
        self.cursors.get(&device).copied().unwrap_or(0).max(have)
    }

    /// The piece that continues a log of ours, for comparison; troubles of it are told and end the walk.
    pub(super) async fn next_piece(
        &self,
        cx: &mut Round<'_>,
        device: DeviceId,
        next: u64,
    ) -> Result<Option<(SegmentName, Piece)>, SyncError> {
        match self.next_unlooked(cx, device, next).await {
            Ok(found) => Ok(found),
            Err(Refusal::Round(why)) => Err(why),
            Err(Refusal::Trouble(why)) => {
                cx.report.troubles.push(why);
                Ok(None)
            }
        }
    }

    /// The piece that continues a log; when its key is not known, the keys are looked through once.
    pub(super) async fn next_checked(
        &mut self,
        cx: &mut Round<'_>,
        device: DeviceId,
        next: u64,
    ) -> Result<Option<(SegmentName, Piece)>, Refusal> {
        match self.next_unlooked(cx, device, next).await {
            Err(Refusal::Trouble(Trouble::UnknownEpoch { .. })) if !self.looked => {
                self.look_through(cx).await?;
                self.next_unlooked(cx, device, next).await
            }
            Err(Refusal::Trouble(why @ Trouble::UnknownEpoch { .. })) => {
                self.look_through = true;
                Err(Refusal::Trouble(why))
            }
            other => other,
        }
    }

    async fn next_unlooked(
        &self,
        cx: &mut Round<'_>,
        device: DeviceId,
        next: u64,
    ) -> Result<Option<(SegmentName, Piece)>, Refusal> {
        for _ in 0..LISTINGS {
            let listing = self.list(cx, device, next).await?;
            let Some(name) = pick(&listing.names, next, planted!(self, GapAccepted)) else {
                cx.strange(listing.strange);
                return Ok(None);
            };
            let reply = cx.remote.get(name);
            let most = match name.pack {
                Some(_) => self.limits.pack_bytes,
                None => FRESH_MAX,
            };
            let patience = self.patience(most);
            let sealed = within(patience, cx.remote, "fetching a segment", reply).await;
            match sealed {
                // It went into a pack since it was listed.
                Err(RemoteError::NotFound { .. }) => {}
                Err(RemoteError::TooLong { .. }) => {
                    let why = "it is too long";
                    return Err(Refusal::Trouble(Trouble::BadSegment { name, why }));
                }
                Err(why) => return Err(why.into()),
                Ok(sealed) => {
                    cx.report.bytes += sealed.len() as u64;
                    let piece = self.open_segment(name, &sealed).map_err(Refusal::Trouble)?;
                    return Ok(Some((name, piece)));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn list(
        &self,
        cx: &Round<'_>,
        device: DeviceId,
        from: u64,
    ) -> Result<Listing<SegmentName>, SyncError> {
        let reply = cx.remote.list(device, from);
        Ok(within(self.limits.deadline, cx.remote, "listing segments", reply).await?)
    }

    /// Opens a segment after everything about it was checked.
    pub(super) fn open_segment(&self, name: SegmentName, sealed: &[u8]) -> Result<Piece, Trouble> {
        let bad = |why| Trouble::BadSegment { name, why };
        let header = Header::read(sealed).map_err(bad)?;
        if header.space != self.space {
            return Err(bad("it belongs to another space"));
        }
        let named = header.device == name.device
            && header.first == name.first
            && name.pack.is_none_or(|last| last == header.last);
        if !named {
            return Err(bad("it is another segment under this name"));
        }
        let device = header.device;
        let member = self
            .roster
            .member(device)
            .ok_or(Trouble::UnknownDevice { device })?;
        if !header.check(&member.public.signing) && !planted!(self, SignatureIgnored) {
            return Err(bad("its signature is wrong"));
        }
        let key = self
            .ring
            .key(header.epoch)
            .ok_or_else(|| Trouble::UnknownEpoch {
                device,
                first: header.first,
                epoch: header.epoch.to_string(),
            })?;
        let segment = header.open(key).map_err(bad)?;
        if !is_in_time(&segment.ops) {
            return Err(bad(OUT_OF_TIME));
        }
        Ok(Piece {
            before: segment.before,
            ops: segment.ops,
        })
    }
}

/// The segment to read for operation `next`: one that begins with it, else a pack that holds it, else the last that
/// begins before it.
fn pick(names: &[SegmentName], next: u64, gap: bool) -> Option<SegmentName> {
    let fresh = names.iter().filter(|name| name.pack.is_none());
    let packs = names.iter().filter(|name| {
        let (first, last) = (name.first, name.pack.unwrap_or(0));
        first <= next && next <= last
    });
    let exact = fresh.clone().find(|name| name.first == next);
    let before = fresh.clone().filter(|name| name.first < next);
    exact
        .or_else(|| packs.max_by_key(|name| name.pack))
        .or_else(|| before.max_by_key(|name| name.first))
        .or_else(|| fresh.filter(|_| gap).min_by_key(|name| name.first))
        .copied()
}

/// What a reader would do that takes any segment for the next one. Only planted.
fn close_gap(piece: &mut Piece, have: u64) {
    for (op, seq) in piece.ops.iter_mut().zip(have + 1..) {
        op.seq = seq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;

    #[test]
    fn the_right_segment_is_picked() {
        let device = DeviceId(EntityId::from_bytes([1; 16]));
        let fresh = |first| SegmentName::fresh(device, first);
        let names = [
            fresh(5),
            fresh(9),
            fresh(20),
            SegmentName::pack(device, 1, 8),
            SegmentName::pack(device, 1, 12),
        ];
        for (next, picked) in [
            (1, SegmentName::pack(device, 1, 12)),
            (5, fresh(5)),
            (12, SegmentName::pack(device, 1, 12)),
            (15, fresh(9)),
            (30, fresh(20)),
        ] {
            assert_eq!(pick(&names, next, false), Some(picked), "{next}");
        }
        assert_eq!(pick(&[fresh(9)], 5, false), None, "a gap waits");
    }
}

//! Own segments that hold content which was purged: the same operations go out again with blanks in its place, are read
//! back, and only then the old segments are removed.
//!
//! Only their owner can do that. Names are never written twice while there is another name to take, so a cut at any step
//! leaves every operation readable in the remote.

use std::collections::BTreeSet;

use super::wait::{heard, within};
use super::{Round, SyncEngine};
use crate::store::Piece;
use crate::sync::SyncError;
use crate::sync::names::SegmentName;
use crate::sync::remote::Put;

/// The fact that tells of how many purges this device's excerpts know, in 8 bytes.
const WITHDRAWN: &str = "withdrawn";

/// The fact that tells which own operations are blank in the remote: their numbers, 8 bytes each.
const BLANKED: &str = "blanked";

impl SyncEngine {
    /// Sends blanks for what was purged since the last time.
    pub(super) async fn send_blanks(&self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let (device, published) = (self.identity.device(), self.published);
        let purged = heard(|reply| cx.store.purged(device, published, reply)).await?;
        if purged.is_empty() {
            return Ok(());
        }
        let fact = format!("{BLANKED}/{device}");
        let kept = heard(|reply| cx.store.kept(&fact, reply)).await?;
        let mut done: BTreeSet<u64> = kept
            .iter()
            .flat_map(|(_, bytes)| bytes.chunks_exact(8))
            .filter_map(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)))
            .collect();
        while let Some(seq) = purged.iter().copied().find(|seq| !done.contains(seq)) {
            let names = self.list(cx, device, 1).await?.names;
            let old = holding(&names, seq, published);
            let (from, to) = old.iter().fold((seq, seq), |(from, to), (first, last, _)| {
                (from.min(*first), to.max(*last))
            });
            let Some(made) = self.send_range(cx, from, to).await? else {
                // What was written is not what is there; the next round tries again.
                return Ok(());
            };
            for (_, _, name) in &old {
                if !made.contains(name) {
                    let reply = cx.remote.delete_own(*name);
                    within(self.limits.deadline, cx.remote, "removing a segment", reply).await?;
                }
            }
            done.insert(seq);
            // Segments overlap, after a cut and while small ones stay beside their pack: a number that another one holds as
            // well is not done yet.
            let mended = |seq: &u64| {
                let mut holders = holding(&names, *seq, published).into_iter();
                (from..=to).contains(seq) && holders.all(|holder| old.contains(&holder))
            };
            done.extend(purged.iter().copied().filter(mended));
            let bytes = done.iter().flat_map(|seq| seq.to_be_bytes()).collect();
            heard(|reply| cx.store.keep(vec![(fact.clone(), Some(bytes))], reply)).await?;
        }
        Ok(())
    }

    /// Removes own excerpts when something was purged since they were made, whoever wrote it: an excerpt holds operations of
    /// everybody, and nobody but its maker removes it.
    pub(super) async fn withdraw_purged(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let purges = heard(|reply| cx.store.purges(reply)).await?;
        let fact = format!("{WITHDRAWN}/{}", self.identity.device());
        let kept = heard(|reply| cx.store.kept(&fact, reply)).await?;
        let known = kept
            .first()
            .and_then(|(_, bytes)| bytes.as_slice().try_into().ok());
        if purges == known.map_or(0, u64::from_be_bytes) {
            return Ok(());
        }
        self.withdraw_excerpts(cx).await?;
        // Only now: whoever is cut before this withdraws them again.
        let number = Some(purges.to_be_bytes().to_vec());
        heard(|reply| cx.store.keep(vec![(fact, number)], reply)).await?;
        Ok(())
    }

    /// Writes operations `from` to `to` as they are now. Answers the names that hold them; `None` when one of them cannot
    /// be read back as it was written.
    async fn send_range(
        &self,
        cx: &mut Round<'_>,
        from: u64,
        to: u64,
    ) -> Result<Option<Vec<SegmentName>>, SyncError> {
        let (mut made, mut next) = (Vec::new(), from);
        while next <= to {
            let Some(piece) = self.own_piece(cx, next, to).await? else {
                break;
            };
            let last = piece.ops.last().map_or(next, |op| op.seq);
            let Some(name) = self.send_blank(cx, next, last).await? else {
                return Ok(None);
            };
            next = name.pack.unwrap_or(last) + 1;
            made.push(name);
        }
        Ok(Some(made))
    }

    /// Own operations from `from` on, at most up to `to` and at most a pack of them.
    async fn own_piece(
        &self,
        cx: &Round<'_>,
        from: u64,
        to: u64,
    ) -> Result<Option<Piece>, SyncError> {
        let device = self.identity.device();
        let limits = (self.limits.pack_ops, self.limits.pack_bytes);
        let mut piece = heard(|reply| cx.store.piece(device, from, limits, reply)).await?;
        piece.ops.retain(|op| op.seq <= to);
        Ok((!piece.ops.is_empty()).then_some(piece))
    }

    /// Writes a pack that holds at least operation `first`, under the first name that nothing else has.
    async fn send_blank(
        &self,
        cx: &mut Round<'_>,
        first: u64,
        last: u64,
    ) -> Result<Option<SegmentName>, SyncError> {
        let device = self.identity.device();
        let mut ranges = vec![(first, last)];
        if last > first {
            ranges.push((first, last - 1));
        } else if last < self.published {
            ranges.push((first, last + 1));
        } else if first > 1 {
            ranges.push((first - 1, last));
        }
        for (first, last) in ranges {
            let name = SegmentName::pack(device, first, last);
            let Some(piece) = self.own_piece(cx, first, last).await? else {
                continue;
            };
            let sealed = self.seal(cx, piece.clone())?;
            let put = self.put(cx, name, sealed).await?;
            if self.holds(cx, name, &piece).await? {
                return Ok(Some(name));
            }
            if put == Put::Created {
                return Ok(None);
            }
        }
        self.replace(cx, SegmentName::pack(device, first, last))
            .await
    }

    /// Removes a pack and writes it anew. For a moment nothing holds its operations: only when there is no other name.
    async fn replace(
        &self,
        cx: &mut Round<'_>,
        name: SegmentName,
    ) -> Result<Option<SegmentName>, SyncError> {
        let last = name.pack.unwrap_or(name.first);
        let Some(piece) = self.own_piece(cx, name.first, last).await? else {
            return Ok(None);
        };
        let sealed = self.seal(cx, piece.clone())?;
        let reply = cx.remote.delete_own(name);
        within(self.limits.deadline, cx.remote, "removing a segment", reply).await?;
        self.put(cx, name, sealed).await?;
        Ok(self.holds(cx, name, &piece).await?.then_some(name))
    }

    async fn put(
        &self,
        cx: &Round<'_>,
        name: SegmentName,
        sealed: Vec<u8>,
    ) -> Result<Put, SyncError> {
        let patience = self.patience(sealed.len());
        let reply = cx.remote.put_new(name, sealed);
        Ok(within(patience, cx.remote, "sending a pack", reply).await?)
    }
}

/// The segments that hold operation `seq` of a log that goes up to `end`, with their ranges. A fresh one ends at the latest
/// where the next begins.
fn holding(names: &[SegmentName], seq: u64, end: u64) -> Vec<(u64, u64, SegmentName)> {
    let next = |first: u64| {
        let fresh = names.iter().filter(|name| name.pack.is_none());
        fresh
            .map(|name| name.first)
            .filter(|other| *other > first)
            .min()
    };
    names
        .iter()
        .map(|name| {
            let last = name
                .pack
                .unwrap_or_else(|| next(name.first).map_or(end, |next| next - 1));
            (name.first, last.min(end), *name)
        })
        .filter(|(first, last, _)| (*first..=*last).contains(&seq))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{DeviceId, EntityId};

    #[test]
    fn every_segment_that_may_hold_a_number_is_found() {
        let device = DeviceId(EntityId::from_bytes([1; 16]));
        let fresh = |first| SegmentName::fresh(device, first);
        let pack = |first, last| SegmentName::pack(device, first, last);
        let names = [fresh(5), fresh(9), fresh(20), pack(1, 8), pack(1, 12)];
        for (seq, wanted) in [
            (1, vec![pack(1, 8), pack(1, 12)]),
            (6, vec![fresh(5), pack(1, 8), pack(1, 12)]),
            (12, vec![fresh(9), pack(1, 12)]),
            (19, vec![fresh(9)]),
            (20, vec![fresh(20)]),
            (31, vec![]),
        ] {
            let found: Vec<_> = holding(&names, seq, 30)
                .into_iter()
                .map(|(_, _, name)| name)
                .collect();
            assert_eq!(found, wanted, "{seq}");
        }
    }
}

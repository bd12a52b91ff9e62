//! Many small segments become one pack. The pack is read back before the small ones go, and they go late, because a reader
//! may have listed them just before.

use super::wait::{heard, within};
use super::{Round, SyncEngine, planted};
use crate::domain::time::Time;
use crate::sync::SyncError;
use crate::sync::names::SegmentName;
use crate::sync::remote::Put;

/// The fact that tells of a pack whose small segments still stand: when, first, last, in 24 bytes.
const PACKED: &str = "packed";

/// A pack that waits for its grace to pass.
#[derive(Clone, Copy)]
struct Packed {
    at: Time,
    first: u64,
    last: u64,
}

impl Packed {
    fn to_bytes(self) -> Vec<u8> {
        let at = u64::try_from(self.at.0).unwrap_or(0);
        [at, self.first, self.last].map(u64::to_be_bytes).concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = crate::sync::bytes::Reader::new(bytes);
        let at = Time(i64::try_from(reader.u64()?).unwrap_or(0));
        let (first, last) = (reader.u64()?, reader.u64()?);
        reader.is_done().then_some(Self { at, first, last })
    }
}

impl SyncEngine {
    /// Packs small segments when there are many, and removes those whose pack is old enough.
    pub(super) async fn compact(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let fact = format!("{PACKED}/{}", self.identity.device());
        let kept = heard(|reply| cx.store.kept(&fact, reply)).await?;
        let packed = kept.first().and_then(|(_, bytes)| Packed::read(bytes));
        if let Some(packed) = packed {
            // A clock that stepped back begins the grace anew rather than never ending it.
            let waited = cx.now.0.abs_diff(packed.at.0);
            if u128::from(waited) < self.limits.grace.as_millis() {
                return Ok(());
            }
            self.clear(cx, packed).await?;
            heard(|reply| cx.store.keep(vec![(fact, None)], reply)).await?;
            return Ok(());
        }
        if usize::try_from(self.small).unwrap_or(usize::MAX) <= self.limits.small {
            return Ok(());
        }
        if planted!(self, PruneBeforeApply) {
            self.remove_covered(cx, 1, self.published).await?;
            return Ok(());
        }
        if let Some((first, last)) = self.worth_packing(cx).await? {
            if planted!(self, PackNotDurable) {
                self.remove_covered(cx, first, self.published).await?;
            }
            if let Some(last) = self.pack(cx, first, last).await? {
                let packed = Packed {
                    at: cx.now,
                    first,
                    last,
                };
                heard(|reply| cx.store.keep(vec![(fact, Some(packed.to_bytes()))], reply)).await?;
            }
        }
        self.small = 0;
        self.keep_number(cx, "small", 0).await
    }

    /// From where on, and up to where, a pack would replace enough: the fresh segments, or everything when there are many
    /// packs as well.
    async fn worth_packing(&self, cx: &Round<'_>) -> Result<Option<(u64, u64)>, SyncError> {
        let names = self.list(cx, self.identity.device(), 1).await?.names;
        let packs: Vec<_> = names.iter().filter(|name| name.pack.is_some()).collect();
        let fresh: Vec<_> = names.iter().filter(|name| name.pack.is_none()).collect();
        // What a pack holds already is only waiting to be removed.
        let end = packs.iter().filter_map(|name| name.pack).max().unwrap_or(0);
        let loose = fresh.iter().filter(|name| name.first > end);
        let first = if packs.len() > self.limits.small {
            packs.iter().map(|name| name.first).min()
        } else {
            loose.clone().map(|name| name.first).min()
        };
        let many = packs.len() > self.limits.small || loose.count() > self.limits.small;
        Ok(first.filter(|_| many).map(|first| (first, self.published)))
    }

    /// Writes operations from `first` on as one pack and reads it back. Answers where it ends; `None` when it is not what
    /// was written.
    async fn pack(
        &self,
        cx: &mut Round<'_>,
        first: u64,
        last: u64,
    ) -> Result<Option<u64>, SyncError> {
        let device = self.identity.device();
        let limits = (self.limits.pack_ops, self.limits.pack_bytes);
        let mut piece = heard(|reply| cx.store.piece(device, first, limits, reply)).await?;
        piece.ops.retain(|op| op.seq <= last);
        let Some(last) = piece.ops.last().map(|op| op.seq) else {
            return Ok(None);
        };
        let name = SegmentName::pack(device, first, last);
        let sealed = self.seal(cx, piece.clone())?;
        let patience = self.patience(sealed.len());
        let reply = cx.remote.put_new(name, sealed);
        // One that exists is of an earlier attempt; the reading tells.
        let (Put::Created | Put::Exists) =
            within(patience, cx.remote, "sending a pack", reply).await?;
        Ok(self.holds(cx, name, &piece).await?.then_some(last))
    }

    pub(super) async fn holds(
        &self,
        cx: &Round<'_>,
        name: SegmentName,
        piece: &crate::store::Piece,
    ) -> Result<bool, SyncError> {
        let reply = cx.remote.get(name);
        let patience = self.patience(self.limits.pack_bytes);
        let sealed = within(patience, cx.remote, "reading a pack back", reply).await;
        let found = Self::unless_missing(sealed)?;
        Ok(found.is_some_and(|sealed| {
            self.open_segment(name, &sealed)
                .is_ok_and(|found| found == *piece)
        }))
    }

    /// Removes what a pack replaced, if the pack is still there and whole.
    async fn clear(&self, cx: &Round<'_>, packed: Packed) -> Result<(), SyncError> {
        let device = self.identity.device();
        let count = u32::try_from(packed.last - packed.first + 1).unwrap_or(u32::MAX);
        let limits = (count, usize::MAX);
        let mut piece = heard(|reply| cx.store.piece(device, packed.first, limits, reply)).await?;
        piece.ops.retain(|op| op.seq <= packed.last);
        let name = SegmentName::pack(device, packed.first, packed.last);
        if self.holds(cx, name, &piece).await? {
            self.remove_covered(cx, packed.first, packed.last).await?;
        }
        Ok(())
    }

    async fn remove_covered(&self, cx: &Round<'_>, first: u64, last: u64) -> Result<(), SyncError> {
        let device = self.identity.device();
        let mut names = self.list(cx, device, 1).await?.names;
        names.sort_unstable();
        let fresh: Vec<u64> = names
            .iter()
            .filter(|name| name.pack.is_none())
            .map(|name| name.first)
            .collect();
        for name in names {
            let covered = match name.pack {
                Some(end) => {
                    name.first >= first && end <= last && (name.first, end) != (first, last)
                }
                // A fresh segment ends where the next begins; the last one may go on, so it stays.
                None => {
                    let next = fresh.iter().find(|other| **other > name.first);
                    name.first >= first && next.is_some_and(|next| *next <= last + 1)
                }
            };
            if covered {
                let reply = cx.remote.delete_own(name);
                within(self.limits.deadline, cx.remote, "removing a segment", reply).await?;
            }
        }
        Ok(())
    }
}

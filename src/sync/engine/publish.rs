//! Sending one's own operations: a segment is durable in the remote before the cursor passes it, and the head comes last.

use std::collections::BTreeMap;

use super::wait::{heard, within};
use super::{Round, SyncEngine, planted};
use crate::domain::ids::DeviceId;
use crate::store::{Learned, Piece};
use crate::sync::names::{Head, SegmentName};
use crate::sync::remote::{Put, RemoteError};
use crate::sync::segment::{self, PLAIN_MAX, Segment};
use crate::sync::{SyncError, Trouble};

impl SyncEngine {
    /// Compares the remote's head of our own log with what we believe.
    pub(super) async fn check_own(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
    ) -> Result<(), SyncError> {
        let head = heads.get(&self.identity.device()).copied().unwrap_or(0);
        if head < self.published && !planted!(self, CursorBeforePut) {
            // The remote lost it; it goes out again from there. What is still there is recognised on the way.
            self.set_published(cx, head).await?;
        } else if head > self.published && !planted!(self, NoReidentification) {
            // Our answer got lost, or another machine writes as this device. The segments themselves say which.
            self.walk_own(cx).await?;
            let known = self.own_end(cx).await?;
            if self.published < head && head > known && !planted!(self, LostReplyIsCopy) {
                let device = self.identity.device();
                cx.report.troubles.push(Trouble::Withheld {
                    device,
                    head,
                    have: self.published,
                });
            }
        }
        Ok(())
    }

    /// Where our own log ends in the store.
    pub(super) async fn own_end(&self, cx: &Round<'_>) -> Result<u64, SyncError> {
        let known = heard(|reply| cx.store.known(reply)).await?;
        let own = known
            .into_iter()
            .find(|(device, _)| *device == self.identity.device());
        Ok(own.map_or(0, |(_, seq)| seq))
    }

    pub(super) async fn set_published(
        &mut self,
        cx: &Round<'_>,
        seq: u64,
    ) -> Result<(), SyncError> {
        self.published = seq;
        self.keep_number(cx, "published", seq).await
    }

    pub(super) async fn keep_number(
        &self,
        cx: &Round<'_>,
        name: &str,
        number: u64,
    ) -> Result<(), SyncError> {
        let fact = (
            format!("{name}/{}", self.identity.device()),
            Some(number.to_be_bytes().to_vec()),
        );
        heard(|reply| cx.store.keep(vec![fact], reply)).await?;
        Ok(())
    }

    /// Reads what stands in the remote under our own name after what we know to be there. If all of it is ours, we know
    /// of more; if any of it is not, this machine is a copy.
    async fn walk_own(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        loop {
            let (device, next) = (self.identity.device(), self.published + 1);
            let Some((_, piece)) = self.next_piece(cx, device, next).await? else {
                return Ok(());
            };
            let last = piece.ops.last().map_or(0, |op| op.seq);
            if last < next {
                return Ok(());
            }
            if planted!(self, LostReplyIsCopy) {
                return self.become_other(cx, self.published).await;
            }
            match heard(|reply| cx.store.learn(piece, reply)).await? {
                Learned::Taken { .. } => self.set_published(cx, last).await?,
                Learned::Ours { same } => return self.become_other(cx, same).await,
                // The hash before it differs: the histories part earlier, where we believed to have published.
                Learned::Forked { .. } | Learned::Gap { .. } => {
                    let keep = self.last_shared(cx).await?;
                    return self.become_other(cx, keep).await;
                }
            }
        }
    }

    /// The last own operation that the remote has as we have it, by walking its segments from the beginning.
    async fn last_shared(&self, cx: &mut Round<'_>) -> Result<u64, SyncError> {
        let device = self.identity.device();
        let mut shared = 0;
        while let Some((_, piece)) = self.next_piece(cx, device, shared + 1).await? {
            let last = piece.ops.last().map_or(0, |op| op.seq);
            match heard(|reply| cx.store.learn(piece, reply)).await? {
                Learned::Taken { .. } if last > shared => shared = last,
                Learned::Ours { same } => return Ok(same.max(shared)),
                _ => break,
            }
        }
        Ok(shared)
    }

    /// Sends what was not sent yet.
    pub(super) async fn publish(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
    ) -> Result<(), SyncError> {
        let mut met = None;
        let mut head_is = heads.get(&self.identity.device()).copied().unwrap_or(0);
        loop {
            let device = self.identity.device();
            let end = self.own_end(cx).await?;
            if self.published >= end {
                break;
            }
            let limits = (self.limits.ops, self.limits.bytes);
            let from = self.published + 1;
            let piece = heard(|reply| cx.store.piece(device, from, limits, reply)).await?;
            let Some(last) = piece.ops.last().map(|op| op.seq) else {
                break;
            };
            if let Some(op) = piece
                .ops
                .first()
                .filter(|op| op.body.len() > PLAIN_MAX - 64)
            {
                let (seq, bytes) = (op.seq, op.body.len() as u64);
                cx.report.troubles.push(Trouble::TooLong { seq, bytes });
                break;
            }
            match self.send(cx, piece, last).await? {
                Put::Created => {
                    self.set_published(cx, last).await?;
                    cx.report.published += last + 1 - from;
                    self.small += 1;
                    self.keep_number(cx, "small", self.small).await?;
                    head_is = last;
                    // A head that is lower from now on is an old one, or lost.
                    self.seen.insert(device, last);
                }
                Put::Exists if planted!(self, NoReidentification) => {
                    self.set_published(cx, last).await?
                }
                // An earlier attempt whose answer got lost, or another machine that writes as this device.
                Put::Exists if met == Some((device, from)) => {
                    let name = SegmentName::fresh(device, from);
                    return Err(SyncError::refused(format!(
                        "{name} is there, and is no segment of this device; look at what it is, then remove it"
                    )));
                }
                Put::Exists => {
                    met = Some((device, from));
                    self.walk_own(cx).await?;
                    if device != self.identity.device() {
                        head_is = 0;
                    }
                }
            }
        }
        // Others wrote between the heads and now; the next round should follow at once.
        let overheard = cx.remote.overheard().unwrap_or_default();
        let seen = |head: &Head| self.seen.get(&head.device).copied().unwrap_or(0);
        if overheard.names.iter().any(|head| head.seq > seen(head)) {
            cx.report.more = true;
        }
        if head_is < self.published {
            let head = Head {
                device: self.identity.device(),
                seq: self.published,
            };
            self.set_head(cx, head).await?;
        }
        Ok(())
    }

    async fn set_head(&self, cx: &Round<'_>, head: Head) -> Result<(), RemoteError> {
        let reply = cx.remote.set_head(head);
        within(self.limits.deadline, cx.remote, "setting the head", reply).await
    }

    async fn send(
        &mut self,
        cx: &mut Round<'_>,
        piece: Piece,
        last: u64,
    ) -> Result<Put, SyncError> {
        let (device, first) = (self.identity.device(), self.published + 1);
        let sealed = self.seal(cx, piece)?;
        let head = Head { device, seq: last };
        let name = SegmentName::fresh(device, first);
        if planted!(self, CursorBeforePut) {
            self.set_published(cx, last).await?;
        }
        if planted!(self, HeadBeforeSegment) {
            self.set_head(cx, head).await?;
        }
        let patience = self.patience(sealed.len());
        let reply = cx.remote.publish(name, sealed, head);
        Ok(within(patience, cx.remote, "sending a segment", reply).await?)
    }

    /// Seals own operations with the key of now.
    pub(super) fn seal(&self, cx: &mut Round<'_>, piece: Piece) -> Result<Vec<u8>, SyncError> {
        let Some((epoch, key)) = self.ring.current(&self.roster) else {
            return Err(SyncError::refused(
                "this device has no key of the space; run `qd sync now` on another device",
            ));
        };
        let segment = Segment {
            before: piece.before,
            ops: piece.ops,
        };
        segment::seal(&segment, self.space, epoch, key, &self.identity, cx.random)
    }

    /// Whether an error of the remote only says that something is not there.
    pub(super) fn unless_missing<T>(
        result: Result<T, RemoteError>,
    ) -> Result<Option<T>, SyncError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(RemoteError::NotFound { .. }) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }
}

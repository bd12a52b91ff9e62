//! Making excerpts for devices that join later: now and then, by whoever finds that the newest one is old.
//!
//! Nobody needs an excerpt, so that making one never holds up anything: a round sends a few parts, and what a remote refuses
//! is told and not tried again in this process.

use std::collections::{BTreeMap, VecDeque};

use super::hot::complete;
use super::wait::{heard, within};
use super::{Round, SyncEngine, planted};
use crate::domain::ids::DeviceId;
use crate::store::{Excerpt, Logged};
use crate::sync::excerpt::{Part, PartName, seal_part};
use crate::sync::names::{ObjectKind, ObjectName};
use crate::sync::remote::{Put, RemoteError};
use crate::sync::{SyncError, Trouble};

/// Parts that are sealed and not sent yet.
#[derive(Default)]
pub(super) struct Making {
    /// The newest excerpt that is known, by how much its maker had seen.
    newest: Option<u64>,
    parts: VecDeque<(ObjectName, Vec<u8>)>,
}

impl SyncEngine {
    /// Makes an excerpt if one is due, or sends more of the one that was made.
    pub(super) async fn leave_excerpt(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
    ) -> Result<(), SyncError> {
        let own = self.identity.device();
        let others = heads.iter().filter(|(device, _)| **device != own);
        let total = others.map(|(_, head)| *head).sum::<u64>() + self.published;
        let done = if self.making.parts.is_empty() {
            self.make_excerpt(cx, heads, total).await
        } else {
            self.send_parts(cx).await
        };
        match done {
            Err(SyncError::Remote(
                why @ (RemoteError::Denied { .. }
                | RemoteError::Failed { .. }
                | RemoteError::NotFound { .. }),
            )) => {
                self.making.parts.clear();
                self.making.newest = Some(total);
                let why = why.to_string();
                cx.report.troubles.push(Trouble::NoExcerpt { why });
                Ok(())
            }
            other => other,
        }
    }

    /// How many operations the newest excerpt may lack: not the same number for all devices, so that they do not make one
    /// at once.
    fn lack(&self, newest: u64) -> u64 {
        let every = self.limits.excerpt_every;
        let seed = [
            self.identity.device().0.as_bytes().as_slice(),
            &newest.to_be_bytes(),
        ]
        .concat();
        let dice = blake3::hash(&seed)
            .as_bytes()
            .first()
            .map_or(0, |byte| byte % 8);
        every.saturating_add(every / 8 * u64::from(dice))
    }

    async fn make_excerpt(
        &mut self,
        cx: &mut Round<'_>,
        heads: &BTreeMap<DeviceId, u64>,
        total: u64,
    ) -> Result<(), SyncError> {
        let newest = self.making.newest.unwrap_or(0);
        if total < newest.saturating_add(self.lack(newest)) {
            return Ok(());
        }
        // Only who has everything can say what is hot.
        let known = heard(|reply| cx.store.known(reply)).await?;
        let known: BTreeMap<DeviceId, u64> = known.into_iter().collect();
        let has = |(device, head): (&DeviceId, &u64)| {
            *device == self.identity.device() || known.get(device).is_some_and(|seq| seq >= head)
        };
        if !heads.iter().all(has) || !self.lead(cx).await?.is_none() {
            return Ok(());
        }
        let names = self.list_excerpts(cx).await?;
        let sets = complete(&names);
        let newest = sets.keys().map(|(seen, _)| *seen);
        // One that has seen more than there is is a lie, or of a bag that lost data.
        let newest = newest.filter(|seen| *seen <= total).max().unwrap_or(0);
        self.making.newest = Some(newest);
        self.clear_own(cx, &names, newest).await?;
        if total < newest.saturating_add(self.lack(newest)) {
            return Ok(());
        }
        let (own, published) = (self.identity.device(), self.published);
        let mut excerpt = heard(|reply| cx.store.excerpt(own, published, reply)).await?;
        self.spoil(&mut excerpt);
        let count = excerpt.ops.len() as u64;
        if count == 0 || count * 100 > total.saturating_mul(self.limits.excerpt_share) {
            // Hardly less than the logs: it is looked at again when there is more.
            self.making.newest = Some(total);
            return Ok(());
        }
        self.making.parts = self.seal_excerpt(cx, excerpt, total)?;
        self.send_parts(cx).await
    }

    async fn list_excerpts(&self, cx: &mut Round<'_>) -> Result<Vec<ObjectName>, SyncError> {
        let reply = cx.remote.objects(ObjectKind::Hot);
        let listing = within(self.limits.deadline, cx.remote, "listing excerpts", reply).await?;
        cx.strange(listing.strange);
        Ok(listing.names)
    }

    /// Removes all own excerpts, since they may hold what was purged; a new one is made when it is due, which may be now.
    pub(super) async fn withdraw_excerpts(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let names = self.list_excerpts(cx).await?;
        self.clear_own(cx, &names, u64::MAX).await?;
        self.making = Making::default();
        Ok(())
    }

    /// Removes own parts of before `newest`.
    async fn clear_own(
        &self,
        cx: &Round<'_>,
        names: &[ObjectName],
        newest: u64,
    ) -> Result<(), SyncError> {
        for object in names {
            let old = PartName::parse(object)
                .is_some_and(|name| name.maker == self.identity.device() && name.seen < newest);
            if old {
                let reply = cx.remote.delete_object(object);
                within(
                    self.limits.deadline,
                    cx.remote,
                    "removing an old excerpt",
                    reply,
                )
                .await?;
            }
        }
        Ok(())
    }

    fn seal_excerpt(
        &self,
        cx: &mut Round<'_>,
        excerpt: Excerpt,
        seen: u64,
    ) -> Result<VecDeque<(ObjectName, Vec<u8>)>, SyncError> {
        let Some((epoch, key)) = self.ring.current(&self.roster) else {
            return Err(SyncError::refused(
                "this device has no key of the space; run `qd sync now` on another device",
            ));
        };
        let pieces = split(excerpt.ops, self.limits.part);
        let parts = u16::try_from(pieces.len())
            .map_err(|_| SyncError::refused("an excerpt has too many parts"))?;
        let mut sealed = VecDeque::new();
        for (ops, part) in pieces.into_iter().zip(1..) {
            let name = PartName {
                maker: self.identity.device(),
                seen,
                part,
                parts,
            };
            let logs = excerpt.logs.clone();
            let bytes = seal_part(
                &Part { logs, ops },
                name,
                self.space,
                (epoch, key),
                &self.identity,
                cx.random,
            )?;
            sealed.push_back((name.object(), bytes));
        }
        Ok(sealed)
    }

    /// Sends as many parts as fit into a round; with the last, the excerpt is there.
    async fn send_parts(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let mut sent = 0;
        while let Some((name, bytes)) = self.making.parts.front() {
            if sent >= self.limits.round_bytes {
                cx.report.more = true;
                return Ok(());
            }
            let (patience, reply) = (
                self.patience(bytes.len()),
                cx.remote.put_object(name, bytes.clone()),
            );
            // One that exists is of an attempt whose answer got lost; whoever reads it judges it.
            let (Put::Created | Put::Exists) =
                within(patience, cx.remote, "sending an excerpt", reply).await?;
            sent += bytes.len() as u64;
            let seen = PartName::parse(name).map(|name| name.seen);
            self.making.parts.pop_front();
            if self.making.parts.is_empty() {
                self.making.newest = seen;
            }
        }
        let names = self.list_excerpts(cx).await?;
        let newest = self.making.newest.unwrap_or(0);
        self.clear_own(cx, &names, newest).await
    }

    /// What a bad maker does. Only planted.
    fn spoil(&self, excerpt: &mut Excerpt) {
        if planted!(self, ExcerptDropsRegister) {
            let title = |op: &Logged| op.body.windows(6).any(|piece| piece == b"etitle");
            excerpt.ops.retain(|op| !title(op));
        }
        if planted!(self, EarlyReplacesLog)
            && let Some(op) = excerpt
                .ops
                .iter_mut()
                .find(|op| op.body.windows(5).any(|piece| piece == b"dnote"))
            && let Some(byte) = op.body.iter_mut().rfind(|byte| byte.is_ascii_digit())
        {
            *byte = b'0' + (*byte - b'0' + 1) % 10;
        }
    }
}

/// Operations in parts of about `most` bytes, in their order.
fn split(ops: Vec<Logged>, most: usize) -> Vec<Vec<Logged>> {
    let mut parts: Vec<Vec<Logged>> = Vec::new();
    let mut bytes = usize::MAX;
    for op in ops {
        bytes = bytes.saturating_add(op.body.len() + 16);
        if bytes > most {
            parts.push(Vec::new());
            bytes = op.body.len() + 16;
        }
        if let Some(part) = parts.last_mut() {
            part.push(op);
        }
    }
    parts
}

//! The store's face towards sync. Every call returns at once, and its reply comes from a thread of the store.

use super::carry::{Done, Found, Learned, Look, Piece, Work};
use super::early::{Ahead, Excerpt, Untrusted};
use super::reader::Question;
use super::shared::OwnRecording;
use super::writer::{Job, Reply};
use super::{Store, StoreError};
use crate::domain::ids::DeviceId;
use crate::domain::time::Time;

impl Store {
    /// Takes in a piece of a device's log: all of it in one transaction, or nothing. How far a log goes here is the cursor
    /// of sync, so that the two can never differ.
    pub fn learn(
        &self,
        piece: Piece,
        reply: impl FnOnce(Result<Learned, StoreError>) + Send + 'static,
    ) {
        let reply: Reply<Done> = Box::new(move |result| {
            reply(result.and_then(|done| match done {
                Done::Learned(learned) => Ok(learned),
                Done::Kept | Done::Departed(_) | Done::Early(_) => Err(StoreError::Closed),
            }));
        });
        self.try_write(Job::Carry(Work::Learn(piece), reply));
    }

    /// Remembers facts about a remote, or forgets them where the value is `None`. Names are paths without `sync/` before
    /// them. They stay on this machine.
    pub fn keep(
        &self,
        facts: Vec<(String, Option<Vec<u8>>)>,
        reply: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let reply: Reply<Done> = Box::new(move |result| reply(result.map(drop)));
        self.try_write(Job::Carry(Work::Keep(facts), reply));
    }

    /// Makes this store the log of the new device `to`. The operations of the log that it wrote until now stay up to
    /// number `keep`; those after it move to the new log. The reply hears how many moved.
    pub fn depart(
        &self,
        keep: u64,
        to: DeviceId,
        reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static,
    ) {
        let reply: Reply<Done> = Box::new(move |result| {
            reply(result.and_then(|done| match done {
                Done::Departed(moved) => Ok(moved),
                Done::Kept | Done::Learned(_) | Done::Early(_) => Err(StoreError::Closed),
            }));
        });
        self.try_write(Job::Carry(Work::Depart { keep, to }, reply));
    }

    /// Reads a piece of a log from number `from` on: at most `limit` operations and about `bytes` bytes, yet at least one
    /// operation if there is one. Fails when the operation before it is not known.
    pub fn piece(
        &self,
        device: DeviceId,
        from: u64,
        (limit, bytes): (u32, usize),
        reply: impl FnOnce(Result<Piece, StoreError>) + Send + 'static,
    ) {
        let look = Look::Piece {
            device,
            from,
            limit,
            bytes,
        };
        self.look(look, move |result| {
            reply(result.and_then(|found| match found {
                Found::Piece(piece) => Ok(piece),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// Reads the facts of [`Store::keep`] whose names begin with `prefix`, by name.
    pub fn kept(
        &self,
        prefix: &str,
        reply: impl FnOnce(Result<Vec<(String, Vec<u8>)>, StoreError>) + Send + 'static,
    ) {
        self.look(Look::Kept(prefix.to_owned()), move |result| {
            reply(result.and_then(|found| match found {
                Found::Kept(facts) => Ok(facts),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// Numbers of operations of `device`, up to `last`, whose content was purged here.
    pub fn purged(
        &self,
        device: DeviceId,
        last: u64,
        reply: impl FnOnce(Result<Vec<u64>, StoreError>) + Send + 'static,
    ) {
        self.look(Look::Purged { device, last }, move |result| {
            reply(result.and_then(|found| match found {
                Found::Purged(numbers) => Ok(numbers),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// How many operations of all devices were purged, for all that is known here: another number than before means that
    /// something was purged since.
    pub fn purges(&self, reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        self.look(Look::Purges, move |result| {
            reply(result.and_then(|found| match found {
                Found::Purges(count) => Ok(count),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// How far each device's log goes here.
    pub fn known(
        &self,
        reply: impl FnOnce(Result<Vec<(DeviceId, u64)>, StoreError>) + Send + 'static,
    ) {
        self.look(Look::Heads, move |result| {
            reply(result.and_then(|found| match found {
                Found::Heads(heads) => Ok(heads),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// Takes in operations ahead of their logs, folds them, and remembers facts: one transaction. The reply hears how many
    /// were new.
    pub fn ahead(
        &self,
        ahead: Ahead,
        reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static,
    ) {
        self.early(Work::Ahead(ahead), reply);
    }

    /// Drops operations ahead of their logs and what came of them. The reply hears how many there were.
    pub fn distrust(
        &self,
        untrusted: Untrusted,
        reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static,
    ) {
        self.early(Work::Distrust(untrusted), reply);
    }

    fn early(&self, work: Work, reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        let reply: Reply<Done> = Box::new(move |result| {
            reply(result.and_then(|done| match done {
                Done::Early(count) => Ok(count),
                Done::Kept | Done::Learned(_) | Done::Departed(_) => Err(StoreError::Closed),
            }));
        });
        self.try_write(Job::Carry(work, reply));
    }

    /// How many operations are shown ahead of their logs.
    pub fn early_count(&self, reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        self.look(Look::Early, move |result| {
            reply(result.and_then(|found| match found {
                Found::Early(count) => Ok(count),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// What a new device wants to see first: how far each log goes, and the operations in force about open tickets,
    /// hosts and devices. Of the own log up to number `published` only.
    pub fn excerpt(
        &self,
        own: DeviceId,
        published: u64,
        reply: impl FnOnce(Result<Excerpt, StoreError>) + Send + 'static,
    ) {
        self.look(Look::Excerpt { own, published }, move |result| {
            reply(result.and_then(|found| match found {
                Found::Excerpt(excerpt) => Ok(excerpt),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// The sessions of `device` that ended and were recorded, oldest first: those whose recording is in the space, and those
    /// that ended at `since` or later.
    pub fn own_recordings(
        &self,
        device: DeviceId,
        since: Option<Time>,
        reply: impl FnOnce(Result<Vec<OwnRecording>, StoreError>) + Send + 'static,
    ) {
        self.look(Look::Own { device, since }, move |result| {
            reply(result.and_then(|found| match found {
                Found::Own(own) => Ok(own),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    /// How many recordings are in the space, and how many bytes they have.
    pub fn shared_recordings(
        &self,
        reply: impl FnOnce(Result<(u64, u64), StoreError>) + Send + 'static,
    ) {
        self.look(Look::Tally, move |result| {
            reply(result.and_then(|found| match found {
                Found::Tally(count, bytes) => Ok((count, bytes)),
                _ => Err(StoreError::Closed),
            }));
        });
    }

    fn look(&self, look: Look, reply: impl FnOnce(Result<Found, StoreError>) + Send + 'static) {
        self.try_read(Question::Carry(look, Box::new(reply)));
    }
}

//! What sync does with the store: takes in pieces of other devices' logs, hands out pieces of our own, remembers a few
//! facts about remotes, and gives a copied machine a device id of its own. Each is one transaction.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::Logged;
use super::early::{self, Ahead, Excerpt, Untrusted};
use super::failure::{Failure, Outcome};
use super::shared::{self, OwnRecording};
use super::{fold, log, purge};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Hlc, Op};
use crate::domain::time::Time;

/// A run of one device's operations, and the hash of its log before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The hash of the device's log before the first; zeros at its beginning.
    pub before: [u8; 32],
    /// In order and without gaps; empty when there are none.
    pub ops: Vec<Logged>,
}

impl Piece {
    /// The same in pieces of at most `most` operations, so that each is a short transaction.
    pub fn slices(mut self, most: usize) -> Vec<Self> {
        let mut slices = Vec::new();
        while self.ops.len() > most.max(1) {
            let rest = self.ops.split_off(most.max(1));
            let after = self
                .ops
                .iter()
                .fold(self.before, |hash, op| log::link(&hash, op));
            let ops = std::mem::replace(&mut self.ops, rest);
            let before = std::mem::replace(&mut self.before, after);
            slices.push(Self { before, ops });
        }
        slices.push(self);
        slices
    }
}

/// What came of taking in a piece of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// So many operations were new; the log is known without gaps up to `seq`.
    Taken {
        /// How many were new.
        fresh: u64,
        /// The end of the log here.
        seq: u64,
    },
    /// Operations are missing before it. Nothing was written.
    Gap {
        /// The end of the log here.
        have: u64,
    },
    /// It tells another history than the one known here. Nothing was written.
    Forked {
        /// The first operation that differs, or before which the hash differs.
        seq: u64,
    },
    /// It holds operations of this very device that this store never wrote. Nothing was written.
    Ours {
        /// The last operation that both agree on.
        same: u64,
    },
}

/// What sync asks the writer for.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Take in a piece of a log.
    Learn(Piece),
    /// Take in operations ahead of their logs.
    Ahead(Ahead),
    /// Drop some of those.
    Distrust(Untrusted),
    /// Remember or forget facts.
    Keep(Vec<(String, Option<Vec<u8>>)>),
    /// Become another device, and take along what was written after `keep`.
    Depart {
        /// The last operation that stays in the old log.
        keep: u64,
        /// The new device.
        to: DeviceId,
    },
}

/// The answer to a [`Work`] of the same name.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Learned(Learned),
    Kept,
    Departed(u64),
    /// How many operations came ahead, or went.
    Early(u64),
}

/// What sync asks a reader for.
#[derive(Clone, Debug)]
pub(super) enum Look {
    /// A piece of a log, from a number on.
    Piece {
        device: DeviceId,
        from: u64,
        limit: u32,
        /// About so many bytes of bodies; always at least one operation.
        bytes: usize,
    },
    /// The facts whose names begin so.
    Kept(String),
    /// How far each log goes.
    Heads,
    /// How many operations are ahead of their logs.
    Early,
    /// An excerpt for new devices.
    Excerpt { own: DeviceId, published: u64 },
    /// What of a log was purged.
    Purged { device: DeviceId, last: u64 },
    /// How much was purged of all logs.
    Purges,
    /// Recordings of sessions of this device that ended.
    Own {
        device: DeviceId,
        since: Option<Time>,
    },
    /// How many recordings are in the space.
    Tally,
}

/// The answer to a [`Look`] of the same name.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Piece(Piece),
    Kept(Vec<(String, Vec<u8>)>),
    Heads(Vec<(DeviceId, u64)>),
    Early(u64),
    Excerpt(Excerpt),
    Purged(Vec<u64>),
    Purges(u64),
    Own(Vec<OwnRecording>),
    Tally(u64, u64),
}

/// Where the facts of sync stand among the other facts about the file.
const PREFIX: &str = "sync/";

pub(super) fn work(conn: &Connection, device: DeviceId, now: Time, work: &Work) -> Outcome<Done> {
    match work {
        Work::Learn(piece) => learn(conn, device, now, piece).map(Done::Learned),
        Work::Ahead(ahead) => early::take(conn, device, now, ahead).map(Done::Early),
        Work::Distrust(untrusted) => early::distrust(conn, untrusted).map(Done::Early),
        Work::Keep(facts) => keep(conn, facts).map(|()| Done::Kept),
        Work::Depart { keep, to } => depart(conn, device, *keep, *to).map(Done::Departed),
    }
}

pub(super) fn look(conn: &Connection, look: &Look) -> Outcome<Found> {
    match look {
        Look::Piece {
            device,
            from,
            limit,
            bytes,
        } => piece(conn, *device, *from, *limit, *bytes).map(Found::Piece),
        Look::Kept(prefix) => kept(conn, prefix).map(Found::Kept),
        Look::Purged { device, last } => purge::own(conn, *device, *last).map(Found::Purged),
        Look::Purges => purge::count(conn).map(Found::Purges),
        Look::Heads => Ok(Found::Heads(log::heads(conn)?)),
        Look::Early => early::count(conn).map(Found::Early),
        Look::Excerpt { own, published } => {
            early::excerpt(conn, *own, *published).map(Found::Excerpt)
        }
        Look::Own { device, since } => shared::own(conn, *device, *since).map(Found::Own),
        Look::Tally => shared::tally(conn).map(|(count, bytes)| Found::Tally(count, bytes)),
    }
}

fn learn(conn: &Connection, device: DeviceId, now: Time, piece: &Piece) -> Outcome<Learned> {
    let Some(first) = piece.ops.first() else {
        return Ok(Learned::Taken { fresh: 0, seq: 0 });
    };
    let (have, _) = log::head(conn, first.device)?;
    if first.seq > have + 1 {
        return Ok(Learned::Gap { have });
    }
    // The chain is compared where the piece begins: whoever signed it wrote on top of what is known here.
    if hash_at(conn, first.device, first.seq - 1)? != Some(piece.before) {
        return Ok(Learned::Forked { seq: first.seq });
    }
    for op in piece.ops.iter().take_while(|op| op.seq <= have) {
        if !is_known(conn, op)? {
            return Ok(if op.device == device {
                Learned::Ours { same: op.seq - 1 }
            } else {
                Learned::Forked { seq: op.seq }
            });
        }
    }
    let last = piece.ops.last().map_or(0, |op| op.seq);
    if first.device == device && last > have {
        return Ok(Learned::Ours { same: have });
    }
    let fresh = log::absorb(conn, device, now, &piece.ops)?;
    Ok(Learned::Taken {
        fresh,
        seq: last.max(have),
    })
}

pub(super) fn is_known(conn: &Connection, op: &Logged) -> rusqlite::Result<bool> {
    Ok(log::is_same(conn, op)? == Some(true))
}

/// The hash of a device's log up to and with operation `seq`; `None` when it is not known.
fn hash_at(conn: &Connection, device: DeviceId, seq: u64) -> rusqlite::Result<Option<[u8; 32]>> {
    if seq == 0 {
        return Ok(Some([0; 32]));
    }
    conn.prepare_cached("SELECT hash FROM op WHERE dev = ?1 AND seq = ?2")?
        .query_row(params![device.0.as_bytes(), seq.cast_signed()], |row| {
            row.get(0)
        })
        .optional()
}

fn piece(
    conn: &Connection,
    device: DeviceId,
    from: u64,
    limit: u32,
    bytes: usize,
) -> Outcome<Piece> {
    let before = hash_at(conn, device, from.saturating_sub(1))?.ok_or_else(|| {
        Failure::refused(format!(
            "the log of device {device} has no operation {from} here"
        ))
    })?;
    let mut statement = conn.prepare_cached(
        "SELECT seq, hlc, body FROM op WHERE dev = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![device.0.as_bytes(), from.cast_signed(), limit])?;
    let (mut ops, mut sum) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(2)?;
        sum += body.len();
        if sum > bytes && !ops.is_empty() {
            break;
        }
        ops.push(Logged {
            device,
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            hlc: Hlc(row.get::<_, i64>(1)?.cast_unsigned()),
            body,
        });
    }
    Ok(Piece { before, ops })
}

fn kept(conn: &Connection, prefix: &str) -> Outcome<Vec<(String, Vec<u8>)>> {
    let begin = format!("{PREFIX}{prefix}");
    let mut statement =
        conn.prepare_cached("SELECT name, value FROM meta WHERE name >= ?1 ORDER BY name")?;
    let mut rows = statement.query([&begin])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(&begin) {
            break;
        }
        let name = name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
        facts.push((name, row.get(1)?));
    }
    Ok(facts)
}

pub(super) fn keep(conn: &Connection, facts: &[(String, Option<Vec<u8>>)]) -> Outcome<()> {
    for (name, value) in facts {
        let name = format!("{PREFIX}{name}");
        match value {
            Some(value) => conn
                .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
                .execute(params![name, value])?,
            None => conn
                .prepare_cached("DELETE FROM meta WHERE name = ?1")?
                .execute([name])?,
        };
    }
    Ok(())
}

/// Gives the operations of `old` after `keep` to the new device `to`, which this store writes as from now on. Answers
/// how many there were.
fn depart(conn: &Connection, old: DeviceId, keep: u64, to: DeviceId) -> Outcome<u64> {
    let (have, _) = log::head(conn, old)?;
    if keep > have || log::head(conn, to)?.0 > 0 {
        return Err(Failure::refused(format!(
            "device {old} cannot go on as device {to} after operation {keep}"
        )));
    }
    let moved = log::read(conn, old, keep + 1, u32::MAX)?;
    conn.prepare_cached("DELETE FROM op WHERE dev = ?1 AND seq > ?2")?
        .execute(params![old.0.as_bytes(), keep.cast_signed()])?;
    match hash_at(conn, old, keep)?.filter(|_| keep > 0) {
        Some(hash) => conn
            .prepare_cached("UPDATE vv SET seq = ?2, hash = ?3 WHERE dev = ?1")?
            .execute(params![old.0.as_bytes(), keep.cast_signed(), hash])?,
        None => conn
            .prepare_cached("DELETE FROM vv WHERE dev = ?1")?
            .execute([old.0.as_bytes()])?,
    };
    let seq = go_on(conn, old, to, &moved)?;
    conn.prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'device'")?
        .execute([to.0.as_bytes()])?;
    log::rebuild(conn)?;
    Ok(seq)
}

/// Appends operations that `old` wrote to the log of `to`, under the new names. Answers how many there were.
pub(super) fn go_on(
    conn: &Connection,
    old: DeviceId,
    to: DeviceId,
    moved: &[Logged],
) -> Outcome<u64> {
    let (before, mut hash) = log::head(conn, to)?;
    let names = Names::new(old, to, before, moved);
    let mut seq = before;
    for op in moved {
        seq += 1;
        let op = Logged {
            device: to,
            seq,
            // When it was written stays true, and so does its order among the others.
            hlc: op.hlc,
            body: names.rename(&op.body),
        };
        hash = log::link(&hash, &op);
        log::insert(conn, &op, &hash)?;
    }
    Ok(seq - before)
}

/// How moved operations name each other, before and after.
struct Names {
    old: DeviceId,
    to: DeviceId,
    /// The stamps of those that moved.
    stamps: BTreeSet<Hlc>,
    /// The ids of comments, which are made of device and number.
    notes: BTreeMap<EntityId, EntityId>,
    /// The numbers, which a purge names.
    numbers: BTreeMap<u64, u64>,
}

impl Names {
    fn new(old: DeviceId, to: DeviceId, before: u64, moved: &[Logged]) -> Self {
        let notes = moved
            .iter()
            .zip(before + 1..)
            .map(|(op, seq)| (fold::note_id(old, op.seq), fold::note_id(to, seq)));
        Self {
            old,
            to,
            stamps: moved.iter().map(|op| op.hlc).collect(),
            numbers: moved.iter().map(|op| op.seq).zip(before + 1..).collect(),
            notes: notes.collect(),
        }
    }

    /// The body under the new names. One that names none of them, or cannot be read, stays byte for byte.
    fn rename(&self, body: &[u8]) -> Vec<u8> {
        let Ok(Some(mut op)) = Op::decode(body) else {
            return body.to_vec();
        };
        let mut renamed = false;
        if let Some(id) = self.notes.get(&op.id) {
            (op.id, renamed) = (*id, true);
        }
        if let Change::Set { prev, .. } = &mut op.change {
            for stamp in prev {
                if stamp.device == self.old && self.stamps.contains(&stamp.hlc) {
                    (stamp.device, renamed) = (self.to, true);
                }
            }
        }
        if let Change::Record { name, fields } = &mut op.change
            && name == purge::NAME
        {
            renamed = true;
            purge::retarget(fields, |target| self.target(target));
        }
        if renamed { op.encode() } else { body.to_vec() }
    }

    /// What a purge names, under the new names. Content that is gone keeps its hash, so the hash stays.
    fn target(&self, target: purge::Target) -> purge::Target {
        match self.numbers.get(&target.seq) {
            Some(seq) if target.device == self.old => purge::Target {
                device: self.to,
                seq: *seq,
                ..target
            },
            _ => target,
        }
    }
}

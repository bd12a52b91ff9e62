//! The log: stamps and appends what this device writes, takes in what other devices wrote, and chains both.
//!
//! All of it runs inside the writer's transaction, so that several processes on one file never give a number twice.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::{Batch, Committed, Logged};
use super::failure::{Failure, Outcome};
use super::fold::Fold;
use super::{age, early, local, purge, reference, tables};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Clock, Draft, Entity, Hlc, Op, Stamp, digest};
use crate::domain::time::Time;

/// The hash before a device's first operation.
const GENESIS: [u8; 32] = [0; 32];

/// Writes `batch` as operations of `device`.
pub(super) fn append(
    conn: &Connection,
    device: DeviceId,
    now: Time,
    batch: &Batch,
) -> Outcome<Committed> {
    let (seq, hash) = head(conn, device)?;
    let mut pen = Pen {
        fold: Fold::new(conn),
        device,
        now,
        seq,
        hash,
        clock: clock(conn)?,
    };
    let mut references = Vec::new();
    for draft in &batch.drafts {
        if let Draft::Reference { entity } = draft {
            references.push((entity.id, pen.refer(*entity)?));
        } else {
            pen.draft(draft)?;
        }
    }
    let seq = pen.finish()?;
    for item in &batch.local {
        local::write(conn, item)?;
    }
    Ok(Committed { references, seq })
}

/// Takes in operations of other devices, each device's in order and without gaps. What is here already is passed over.
/// Answers how many were new.
pub(super) fn absorb(
    conn: &Connection,
    device: DeviceId,
    now: Time,
    ops: &[Logged],
) -> Outcome<u64> {
    let mut fold = Fold::new(conn);
    let mut clock = clock(conn)?;
    let mut fresh = 0;
    let (mut contradicted, mut emptied) = (BTreeSet::new(), BTreeSet::new());
    for op in ops {
        let op = &*purge::censored(conn, op)?;
        let (seq, hash) = head(conn, op.device)?;
        if op.seq <= seq {
            check_same(conn, op)?;
            continue;
        }
        if op.device == device {
            return Err(Failure::refused(
                "operations arrived that this very device should have written: its store was copied or restored from \
                 a backup; give this copy a device id of its own before it syncs",
            ));
        }
        if op.seq != seq + 1 {
            return Err(Failure::refused(format!(
                "operations {} to {} of device {} are missing; fetch them first",
                seq + 1,
                op.seq - 1,
                op.device
            )));
        }
        if op.hlc >= Hlc::LIMIT {
            return Err(Failure::refused(format!(
                "operation {} of device {} has a stamp that no clock can show; set that device's clock",
                op.seq, op.device
            )));
        }
        insert(conn, op, &link(&hash, op))?;
        let arrival = early::arrived(conn, op)?;
        contradicted.extend(arrival.contradicted);
        emptied.extend(arrival.emptied);
        fold.op(op)?;
        clock.hear(now, op.hlc);
        fresh += 1;
    }
    fold.finish()?;
    keep_clock(conn, clock)?;
    if !emptied.is_empty() {
        purge::refold_all(conn, &emptied)?;
    }
    early::drop_words(conn, &contradicted)?;
    Ok(fresh)
}

/// Holds what the next operation of this device needs.
struct Pen<'a> {
    fold: Fold<'a>,
    device: DeviceId,
    now: Time,
    seq: u64,
    hash: [u8; 32],
    clock: Clock,
}

impl Pen<'_> {
    fn draft(&mut self, draft: &Draft) -> Outcome<()> {
        let (entity, change, replaced) = match draft {
            Draft::Set {
                entity,
                field,
                value,
            } => return self.set(*entity, field, value.to_cbor()),
            Draft::Flag {
                entity,
                set,
                member,
                on,
            } => {
                let replaced = self
                    .fold
                    .flag_stamp(entity.kind.name(), entity.id, set, member)?;
                let change = Change::Flag {
                    set: set.clone(),
                    member: member.clone(),
                    on: *on,
                };
                (entity, change, replaced)
            }
            Draft::Note {
                entity,
                kind,
                author,
                text,
                at,
            } => {
                let change = Change::Note {
                    sort: kind.clone(),
                    author: author.clone(),
                    text: text.clone(),
                    at: *at,
                };
                (entity, change, None)
            }
            Draft::Record {
                entity,
                name,
                fields,
            } => {
                let change = Change::Record {
                    name: name.clone(),
                    fields: fields.clone(),
                };
                (entity, change, None)
            }
            Draft::Reference { entity } => return self.refer(*entity).map(drop),
        };
        self.write(*entity, change, replaced)
    }

    fn set(&mut self, entity: Entity, field: &str, value: Vec<u8>) -> Outcome<()> {
        let register = self.fold.register(entity.kind.name(), entity.id, field)?;
        let mut prev: Vec<Stamp> = register.heads().iter().map(|(stamp, _)| *stamp).collect();
        prev.reverse();
        let change = Change::Set {
            field: field.to_owned(),
            value,
            prev,
        };
        self.write(entity, change, register.highest())
    }

    fn refer(&mut self, entity: Entity) -> Outcome<String> {
        match reference::chosen(self.fold.conn, entity)? {
            reference::Chosen::Already(text) => Ok(text),
            reference::Chosen::New(text) => {
                let value = crate::domain::op::Value::from(text.as_str()).to_cbor();
                self.set(entity, "ref", value)?;
                Ok(text)
            }
        }
    }

    fn write(&mut self, entity: Entity, change: Change, replaced: Option<Hlc>) -> Outcome<()> {
        let op = Op {
            entity: entity.kind.name().to_owned(),
            id: entity.id,
            change,
        };
        self.seq += 1;
        let logged = Logged {
            device: self.device,
            seq: self.seq,
            hlc: self.clock.tick(self.now, replaced),
            body: op.encode(),
        };
        self.hash = link(&self.hash, &logged);
        insert(self.fold.conn, &logged, &self.hash)?;
        self.fold.op(&logged)
    }

    fn finish(self) -> Outcome<u64> {
        let conn = self.fold.conn;
        self.fold.finish()?;
        keep_clock(conn, self.clock)?;
        Ok(self.seq)
    }
}

/// The last number and hash of a device's log.
pub(super) fn head(conn: &Connection, device: DeviceId) -> rusqlite::Result<(u64, [u8; 32])> {
    let head = conn
        .prepare_cached("SELECT seq, hash FROM vv WHERE dev = ?1")?
        .query_row(params![device.0.as_bytes()], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        })
        .optional()?;
    Ok(head.unwrap_or((0, GENESIS)))
}

/// One link of the chain. The body goes in as its own hash, which a blank keeps, so that the chain still holds when a body
/// is purged.
pub(super) fn link(before: &[u8; 32], op: &Logged) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(op.device.0.as_bytes());
    hasher.update(&op.seq.to_be_bytes());
    hasher.update(&op.hlc.0.to_be_bytes());
    hasher.update(&digest(&op.body));
    *hasher.finalize().as_bytes()
}

pub(super) fn insert(conn: &Connection, op: &Logged, hash: &[u8; 32]) -> Outcome<()> {
    let (seq, hlc) = (op.seq.cast_signed(), op.hlc.0.cast_signed());
    conn.prepare_cached("INSERT INTO op (dev, seq, hlc, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![op.device.0.as_bytes(), seq, hlc, op.body, hash])?;
    conn.prepare_cached(
        "INSERT INTO vv (dev, seq, hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (dev) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )?
    .execute(params![op.device.0.as_bytes(), seq, hash])?;
    Ok(())
}

/// Two different operations with one number mean that two machines write as one device.
fn check_same(conn: &Connection, op: &Logged) -> Outcome<()> {
    if is_same(conn, op)? == Some(false) {
        return Err(Failure::refused(format!(
            "operation {} of device {} differs from the one known here: two machines use that device id; give one of \
             them an id of its own",
            op.seq, op.device
        )));
    }
    Ok(())
}

/// Whether an operation is the one that is known under its number; `None` when none is. Its content may be purged here or
/// there.
pub(super) fn is_same(conn: &Connection, op: &Logged) -> rusqlite::Result<Option<bool>> {
    conn.prepare_cached("SELECT body, hlc FROM op WHERE dev = ?1 AND seq = ?2")?
        .query_row(
            params![op.device.0.as_bytes(), op.seq.cast_signed()],
            |row| {
                let body: Vec<u8> = row.get(0)?;
                let same = body == op.body || digest(&body) == digest(&op.body);
                Ok(same && row.get::<_, i64>(1)? == op.hlc.0.cast_signed())
            },
        )
        .optional()
}

pub(super) fn clock(conn: &Connection) -> rusqlite::Result<Clock> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = 'clock'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(Clock {
        last: Hlc(last.unwrap_or(0).cast_unsigned()),
    })
}

pub(super) fn keep_clock(conn: &Connection, clock: Clock) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES ('clock', ?1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
    )?
    .execute(params![clock.last.0.cast_signed()])?;
    Ok(())
}

/// Reads one device's log from number `from` on.
pub(super) fn read(
    conn: &Connection,
    device: DeviceId,
    from: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Logged>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, hlc, body FROM op WHERE dev = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![device.0.as_bytes(), from, limit], |row| {
        Ok(Logged {
            device,
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            hlc: Hlc(row.get::<_, i64>(1)?.cast_unsigned()),
            body: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// How far each device's log goes here.
pub(super) fn heads(conn: &Connection) -> rusqlite::Result<Vec<(DeviceId, u64)>> {
    let mut statement = conn.prepare_cached("SELECT dev, seq FROM vv ORDER BY dev")?;
    let rows = statement.query_map([], |row| {
        let device = DeviceId(EntityId::from_bytes(row.get(0)?));
        Ok((device, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    rows.collect()
}

/// Drops everything that is folded from the log and folds it again. Answers how many operations there were.
pub(super) fn rebuild(conn: &Connection) -> Outcome<u64> {
    for table in tables::folded_names() {
        conn.execute(&format!("DELETE FROM {table}"), [])?;
    }
    conn.execute_batch("DELETE FROM ticket_fts")?;
    age::begin(conn)?;
    let mut fold = Fold::new(conn);
    let mut statement = conn.prepare("SELECT dev, seq, hlc, body FROM op ORDER BY n")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        fold.op(&Logged {
            device: DeviceId(EntityId::from_bytes(row.get(0)?)),
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            hlc: Hlc(row.get::<_, i64>(2)?.cast_unsigned()),
            body: row.get(3)?,
        })?;
        count += 1;
    }
    early::refold(conn, &mut fold)?;
    fold.finish()?;
    Ok(count)
}

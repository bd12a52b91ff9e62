//! Folds operations into registers, sets, notes and events. The result depends on which operations there are, never on
//! the order in which they came.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::Logged;
use super::failure::Outcome;
use super::{age, project, record};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::merge::{Register, Slot, Written};
use crate::domain::op::{Change, EntityKind, Hlc, Op, Stamp, Value, is_blank};
use crate::domain::planted::planted;
use crate::domain::time::Time;

/// Folds a series of operations; [`Fold::finish`] must follow the last.
pub(super) struct Fold<'a> {
    pub(super) conn: &'a Connection,
    /// Tickets whose words changed: they are indexed once, at the end.
    reworded: BTreeSet<EntityId>,
    /// Operations that this program passed over.
    unread: u64,
}

impl<'a> Fold<'a> {
    pub(super) fn new(conn: &'a Connection) -> Self {
        Self {
            conn,
            reworded: BTreeSet::new(),
            unread: 0,
        }
    }

    /// Folds one operation. What this program does not understand stays in the log and changes nothing.
    pub(super) fn op(&mut self, logged: &Logged) -> Outcome<()> {
        let Ok(Some(op)) = Op::decode(&logged.body) else {
            self.unread += u64::from(!is_blank(&logged.body));
            return Ok(());
        };
        if EntityKind::parse(&op.entity).is_none() {
            self.unread += 1;
        }
        let at = logged.hlc.time();
        let stamp = Stamp {
            hlc: logged.hlc,
            device: logged.device,
        };
        match &op.change {
            Change::Set { field, value, prev } => {
                project::touch(self.conn, &op.entity, op.id, at)?;
                let mut register = self.register(&op.entity, op.id, field)?;
                register.write(stamp, logged.seq, value.clone(), prev);
                self.keep(&op, field, &register)?;
            }
            Change::Flag { set, member, on } => {
                project::touch(self.conn, &op.entity, op.id, at)?;
                self.flag(&op, (set, member, *on), stamp, logged.seq)?;
            }
            Change::Note {
                sort,
                author,
                text,
                at,
            } => {
                project::touch(self.conn, &op.entity, op.id, Time(*at))?;
                self.conn
                    .prepare_cached(
                        "INSERT OR IGNORE INTO note (dev, seq, id, ent, kind, sort, author, text, at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .execute(params![
                        logged.device.0.as_bytes(),
                        logged.seq.cast_signed(),
                        note_id(logged.device, logged.seq).as_bytes(),
                        op.id.as_bytes(),
                        op.entity,
                        sort,
                        author,
                        text,
                        at
                    ])?;
                if op.entity == "ticket" {
                    self.reworded.insert(op.id);
                }
            }
            Change::Record { name, fields } => {
                let known = record::fold(self.conn, &op, name, fields, logged)?;
                self.unread += u64::from(!known);
            }
        }
        Ok(())
    }

    /// Does what was put off.
    pub(super) fn finish(self) -> Outcome<()> {
        for id in &self.reworded {
            project::index(self.conn, *id)?;
        }
        age::passed_over(self.conn, self.unread)
    }

    /// What a register holds.
    pub(super) fn register(
        &self,
        kind: &str,
        id: EntityId,
        field: &str,
    ) -> rusqlite::Result<Register<Vec<u8>>> {
        register(self.conn, kind, id, field)
    }

    /// When a member of a set was last put in or taken out.
    pub(super) fn flag_stamp(
        &self,
        kind: &str,
        id: EntityId,
        set: &str,
        member: &str,
    ) -> rusqlite::Result<Option<Hlc>> {
        let hlc: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT hlc FROM flag WHERE ent = ?1 AND kind = ?2 AND set_name = ?3 AND member = ?4",
            )?
            .query_row(params![id.as_bytes(), kind, set, member], |row| row.get(0))
            .optional()?;
        Ok(hlc.map(|hlc| Hlc(hlc.cast_unsigned())))
    }

    fn flag(
        &self,
        op: &Op,
        (set, member, on): (&str, &str, bool),
        stamp: Stamp,
        seq: u64,
    ) -> Outcome<()> {
        if planted!(NoTieBreakOfSets) {
            self.conn.execute(
                "DELETE FROM flag WHERE ent = ?1 AND set_name = ?2 AND member = ?3 AND hlc = ?4",
                params![op.id.as_bytes(), set, member, stamp.hlc.0.cast_signed()],
            )?;
        }
        self.conn
            .prepare_cached(
                "INSERT INTO flag (ent, kind, set_name, member, hlc, dev, seq, present)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (ent, kind, set_name, member) DO UPDATE
                 SET hlc = excluded.hlc, dev = excluded.dev, seq = excluded.seq, present = excluded.present
                 WHERE (excluded.hlc, excluded.dev, excluded.seq) > (hlc, dev, seq)",
            )?
            .execute(params![
                op.id.as_bytes(),
                op.entity,
                set,
                member,
                stamp.hlc.0.cast_signed(),
                stamp.device.0.as_bytes(),
                seq.cast_signed(),
                on
            ])?;
        Ok(())
    }

    fn keep(&mut self, op: &Op, field: &str, register: &Register<Vec<u8>>) -> Outcome<()> {
        let mut slots = 0;
        for (device, slot) in register.slots() {
            slots += 1;
            let written = slot.write.as_ref();
            self.conn
                .prepare_cached(
                    "INSERT INTO reg (ent, kind, field, dev, named, hlc, seq, val)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (ent, kind, field, dev) DO UPDATE
                     SET named = excluded.named, hlc = excluded.hlc, seq = excluded.seq, val = excluded.val
                     WHERE (named, hlc, seq) <> (excluded.named, excluded.hlc, excluded.seq)",
                )?
                .execute(params![
                    op.id.as_bytes(),
                    op.entity,
                    field,
                    device.0.as_bytes(),
                    slot.named.0.cast_signed(),
                    written.map_or(0, |written| written.hlc.0.cast_signed()),
                    written.map_or(0, |written| written.seq.cast_signed()),
                    written.map(|written| &written.value),
                ])?;
        }
        // A register that only one device ever wrote cannot be in conflict.
        if slots > 1 {
            self.conflict(op, field, register)?;
        }
        let winner = register
            .heads()
            .first()
            .map_or(Value::Null, |(_, written)| Value::from_cbor(&written.value));
        if project::register(self.conn, &op.entity, op.id, field, &winner)? {
            self.reworded.insert(op.id);
        }
        Ok(())
    }

    fn conflict(&self, op: &Op, field: &str, register: &Register<Vec<u8>>) -> Outcome<()> {
        self.conn
            .prepare_cached("DELETE FROM conflict WHERE ent = ?1 AND kind = ?2 AND field = ?3")?
            .execute(params![op.id.as_bytes(), op.entity, field])?;
        if !register.in_conflict() {
            return Ok(());
        }
        for (stamp, written) in register.heads() {
            self.conn
                .prepare_cached(
                    "INSERT INTO conflict (ent, kind, field, dev, seq) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    op.id.as_bytes(),
                    op.entity,
                    field,
                    stamp.device.0.as_bytes(),
                    written.seq.cast_signed()
                ])?;
        }
        Ok(())
    }
}

/// The id of a comment, from its place in its author's log; a later edit of the comment is a register of this id.
pub(super) fn note_id(device: DeviceId, seq: u64) -> EntityId {
    EntityId::derived("note", &format!("{device}-{seq}"))
}

/// What a register holds.
pub(super) fn register(
    conn: &Connection,
    kind: &str,
    id: EntityId,
    field: &str,
) -> rusqlite::Result<Register<Vec<u8>>> {
    let mut statement = conn.prepare_cached(
        "SELECT dev, named, hlc, seq, val FROM reg WHERE ent = ?1 AND kind = ?2 AND field = ?3",
    )?;
    let rows = statement.query_map(params![id.as_bytes(), kind, field], |row| {
        let value: Option<Vec<u8>> = row.get(4)?;
        let (hlc, seq): (i64, i64) = (row.get(2)?, row.get(3)?);
        let slot = Slot {
            named: Hlc(row.get::<_, i64>(1)?.cast_unsigned()),
            write: value.map(|value| Written {
                hlc: Hlc(hlc.cast_unsigned()),
                seq: seq.cast_unsigned(),
                value,
            }),
        };
        Ok((DeviceId(EntityId::from_bytes(row.get(0)?)), slot))
    })?;
    let slots: Vec<_> = rows.collect::<Result<_, _>>()?;
    Ok(Register::from_slots(slots))
}

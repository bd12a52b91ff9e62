//! Operations that are shown before their logs have come as far, so that a new device is of use soon.
//!
//! They are folded like those of the logs and are part of no log: they are not sent, not counted and not chained. Each goes
//! when its log brings it; when the log brings something else under its number, all that the same maker gave goes.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::Logged;
use super::failure::{Failure, Outcome};
use super::fold::Fold;
use super::{carry, log, purge};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Hlc, digest, is_blank};
use crate::domain::time::Time;

/// Operations ahead of their logs, on somebody's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Whose word it is.
    pub maker: DeviceId,
    /// In any order, with gaps.
    pub ops: Vec<Logged>,
    /// What sync remembers in the same transaction, as [`super::Store::keep`] does.
    pub facts: Vec<(String, Option<Vec<u8>>)>,
}

/// Which operations ahead of their logs are to go, whatever their logs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untrusted {
    /// Those of these devices after these numbers.
    pub after: Vec<(DeviceId, u64)>,
    /// Those of others, on the word of these devices.
    pub makers: Vec<DeviceId>,
}

/// What somebody who has all logs shows to somebody who has none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// How far each log went.
    pub logs: Vec<(DeviceId, u64)>,
    /// The operations that make up what is hot now, what is looked at first coming first.
    pub ops: Vec<Logged>,
}

/// Under which fact the store tells that a maker's word was found untrue: the operation, as device and number.
pub const CONTRADICTED: &str = "contradicted";

/// Takes in operations ahead of their logs. Those that a log or somebody else brought are passed over, and so are those
/// of this very device. Answers how many were new.
pub(super) fn take(conn: &Connection, device: DeviceId, now: Time, ahead: &Ahead) -> Outcome<u64> {
    let mut fold = Fold::new(conn);
    let mut clock = log::clock(conn)?;
    let mut fresh = 0;
    let mut contradicted = BTreeSet::new();
    for op in &ahead.ops {
        let op = &*purge::censored(conn, op)?;
        let (have, _) = log::head(conn, op.device)?;
        if op.seq <= have {
            if !carry::is_known(conn, op)? {
                note(conn, ahead.maker, op)?;
                contradicted.insert(ahead.maker);
            }
            continue;
        }
        if op.device == device {
            continue;
        }
        if op.hlc >= Hlc::LIMIT {
            return Err(Failure::refused(format!(
                "operation {} of device {} has a stamp that no clock can show; set that device's clock",
                op.seq, op.device
            )));
        }
        let new = conn
            .prepare_cached(
                "INSERT OR IGNORE INTO early (dev, seq, hlc, body, maker) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                op.device.0.as_bytes(),
                op.seq.cast_signed(),
                op.hlc.0.cast_signed(),
                op.body,
                ahead.maker.0.as_bytes()
            ])?;
        if new > 0 {
            fold_one(&mut fold, op)?;
            clock.hear(now, op.hlc);
            fresh += 1;
        }
    }
    fold.finish()?;
    log::keep_clock(conn, clock)?;
    carry::keep(conn, &ahead.facts)?;
    drop_words(conn, &contradicted)?;
    Ok(fresh)
}

/// Folds what is ahead of its log. A purge waits for its log: what it removes could not come back, should somebody's word
/// about it prove untrue.
fn fold_one(fold: &mut Fold<'_>, op: &Logged) -> Outcome<()> {
    if purge::is_purge(&op.body) {
        return Ok(());
    }
    fold.op(op)
}

/// What came of the early operation when its log brought the true one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Whose word was another.
    pub(super) contradicted: Option<DeviceId>,
    /// The log brought a blank: what this was about shows what is gone, and must be folded anew.
    pub(super) emptied: Option<purge::Thing>,
}

/// An operation took its place in its log, so the early one goes.
pub(super) fn arrived(conn: &Connection, op: &Logged) -> Outcome<Arrival> {
    let (device, seq) = (op.device.0.as_bytes(), op.seq.cast_signed());
    let early: Option<(Vec<u8>, bool, [u8; 16])> = conn
        .prepare_cached("SELECT body, hlc = ?3, maker FROM early WHERE dev = ?1 AND seq = ?2")?
        .query_row(params![device, seq, op.hlc.0.cast_signed()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((body, stamped, maker)) = early else {
        return Ok(Arrival::default());
    };
    conn.prepare_cached("DELETE FROM early WHERE dev = ?1 AND seq = ?2")?
        .execute(params![device, seq])?;
    // A purge may have blanked one of the two.
    if !stamped || digest(&body) != digest(&op.body) {
        let maker = DeviceId(EntityId::from_bytes(maker));
        note(conn, maker, op)?;
        return Ok(Arrival {
            contradicted: Some(maker),
            emptied: None,
        });
    }
    // The purge may come much later, and it finds the operation blank: nobody else would notice.
    let emptied = if is_blank(&op.body) && !is_blank(&body) {
        purge::emptied(conn, op.device, op.hlc, &body)?
    } else {
        None
    };
    Ok(Arrival {
        contradicted: None,
        emptied,
    })
}

/// Remembers that `maker` gave another operation than the log has.
fn note(conn: &Connection, maker: DeviceId, op: &Logged) -> Outcome<()> {
    let mut value = op.device.0.as_bytes().to_vec();
    value.extend(op.seq.to_be_bytes());
    carry::keep(conn, &[(format!("{CONTRADICTED}/{maker}"), Some(value))])
}

/// Drops all that these makers gave, and what came of it.
pub(super) fn drop_words(conn: &Connection, makers: &BTreeSet<DeviceId>) -> Outcome<()> {
    for maker in makers {
        conn.prepare_cached("DELETE FROM early WHERE maker = ?1")?
            .execute([maker.0.as_bytes()])?;
    }
    // Once for each maker, not for each of its operations: a fold cannot be taken back piece by piece.
    if !makers.is_empty() {
        log::rebuild(conn)?;
    }
    Ok(())
}

/// Drops what is not trusted any more. Answers how many operations that were.
pub(super) fn distrust(conn: &Connection, untrusted: &Untrusted) -> Outcome<u64> {
    let mut gone = 0;
    for (device, last) in &untrusted.after {
        gone += conn
            .prepare_cached("DELETE FROM early WHERE dev = ?1 AND seq > ?2")?
            .execute(params![device.0.as_bytes(), last.cast_signed()])?;
    }
    for maker in &untrusted.makers {
        gone += conn
            .prepare_cached("DELETE FROM early WHERE maker = ?1 AND dev <> ?1")?
            .execute([maker.0.as_bytes()])?;
    }
    if gone > 0 {
        log::rebuild(conn)?;
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// How many operations are ahead of their logs.
pub(super) fn count(conn: &Connection) -> Outcome<u64> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM early")?
        .query_row([], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Those that should have gone when their logs brought them; there are none unless something is broken.
pub(super) fn overdue(conn: &Connection) -> Outcome<u64> {
    let count: i64 = conn.query_row(
        "SELECT count(*) FROM early JOIN vv ON vv.dev = early.dev WHERE early.seq <= vv.seq",
        [],
        |row| row.get(0),
    )?;
    Ok(count.cast_unsigned())
}

/// Folds what is ahead of the logs, as the last of a rebuild. What a log has goes: there is nothing ahead about it.
pub(super) fn refold(conn: &Connection, fold: &mut Fold<'_>) -> Outcome<()> {
    conn.execute_batch(
        "DELETE FROM early WHERE EXISTS (SELECT 1 FROM vv WHERE vv.dev = early.dev AND early.seq <= vv.seq)",
    )?;
    let mut statement = conn.prepare("SELECT dev, seq, hlc, body FROM early ORDER BY n")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        fold_one(fold, &purge::logged(row)?)?;
    }
    Ok(())
}

/// The body of an operation, wherever it stands.
pub(super) fn body(conn: &Connection, device: &[u8; 16], seq: i64) -> Outcome<Option<Vec<u8>>> {
    let logged = conn
        .prepare_cached("SELECT body FROM op WHERE dev = ?1 AND seq = ?2")?
        .query_row(params![device, seq], |row| row.get(0))
        .optional()?;
    if logged.is_some() {
        return Ok(logged);
    }
    Ok(conn
        .prepare_cached("SELECT body FROM early WHERE dev = ?1 AND seq = ?2")?
        .query_row(params![device, seq], |row| row.get(0))
        .optional()?)
}

/// A ticket that somebody may still have to do something about.
const OPEN: &str = "t.archived = 0 AND t.state IN ('new', 'open', 'waiting')";

/// The longest operation in an excerpt: a long text waits for its log.
const BODY_MAX: usize = 16 << 10;

/// What an excerpt holds, in tiers: the sooner something is looked at, the sooner it comes. In each tier a thing's operations
/// stand together, newest tickets first, and only those that still count: of a register the writes in force.
fn tiers() -> [String; 5] {
    [
        // Hosts and devices.
        "SELECT r.dev, r.seq FROM host h JOIN reg r ON r.ent = h.id WHERE r.hlc > 0
         UNION ALL SELECT f.dev, f.seq FROM host h JOIN flag f ON f.ent = h.id
         UNION ALL SELECT r.dev, r.seq FROM vv JOIN reg r ON r.ent = vv.dev WHERE r.hlc > 0"
            .to_owned(),
        // What a list of tickets shows.
        format!(
            "SELECT r.dev, r.seq FROM ticket t JOIN reg r ON r.ent = t.id
             WHERE {OPEN} AND r.hlc > 0 AND r.field <> 'body' ORDER BY t.moved DESC, t.id, r.dev, r.seq"
        ),
        format!(
            "SELECT f.dev, f.seq FROM ticket t JOIN flag f ON f.ent = t.id
             WHERE {OPEN} ORDER BY t.moved DESC, t.id, f.dev, f.seq"
        ),
        // What an opened ticket shows.
        format!(
            "SELECT dev, seq FROM
               (SELECT t.moved, t.id, r.dev, r.seq FROM ticket t JOIN reg r ON r.ent = t.id
                WHERE {OPEN} AND r.hlc > 0 AND r.field = 'body'
                UNION ALL SELECT t.moved, t.id, n.dev, n.seq FROM ticket t JOIN note n ON n.ent = t.id WHERE {OPEN}
                UNION ALL SELECT t.moved, t.id, r.dev, r.seq FROM ticket t JOIN note n ON n.ent = t.id
                JOIN reg r ON r.ent = n.id WHERE {OPEN} AND r.hlc > 0)
             ORDER BY moved DESC, id, dev, seq"
        ),
        // What happened about it.
        format!(
            "SELECT p.dev, p.seq FROM ticket t JOIN case_event e ON e.ticket = t.id JOIN case_part p ON p.id = e.id
             WHERE {OPEN} ORDER BY t.moved DESC, t.id, p.dev, p.seq"
        ),
    ]
}

/// Makes an excerpt of what is here. Of the own log only what went out counts: nobody can check the rest.
pub(super) fn excerpt(conn: &Connection, own: DeviceId, published: u64) -> Outcome<Excerpt> {
    let mut logs = log::heads(conn)?;
    for (device, last) in &mut logs {
        if *device == own {
            *last = published.min(*last);
        }
    }
    logs.retain(|(_, last)| *last > 0);
    let mut ops = Vec::new();
    for tier in tiers() {
        let mut statement = conn.prepare(&tier)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (device, seq) = (row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?);
            if device == *own.0.as_bytes() && seq.cast_unsigned() > published {
                continue;
            }
            let logged = conn
                .prepare_cached("SELECT hlc, body FROM op WHERE dev = ?1 AND seq = ?2")?
                .query_row(params![device, seq], |row| {
                    Ok(Logged {
                        device: DeviceId(EntityId::from_bytes(device)),
                        seq: seq.cast_unsigned(),
                        hlc: Hlc(row.get::<_, i64>(0)?.cast_unsigned()),
                        body: row.get(1)?,
                    })
                })
                .optional()?;
            ops.extend(logged.filter(|op| op.body.len() <= BODY_MAX));
        }
    }
    Ok(Excerpt { logs, ops })
}

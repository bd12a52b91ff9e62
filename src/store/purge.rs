//! Removes content: of a ticket, an entry, a run, a session's entries. The operations stay in their logs as blanks, so that
//! every chain still holds; what was folded from them is folded anew.
//!
//! A purge is an operation itself and does the same on every device that takes it in, whichever comes first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::{Logged, Purge};
use super::failure::{Failure, Outcome};
use super::fold::Fold;
use super::{log, project, victims};
use crate::domain::audit::{AUTHOR, Purged};
use crate::domain::case::{CaseEvent, EntryKind};
use crate::domain::ids::{DeviceId, EntityId, TicketId};
use crate::domain::op::{
    Change, Draft, Entity, EntityKind, Hlc, Op, Value, blank, digest, is_blank,
};
use crate::domain::time::Time;

/// The name of the record.
pub(super) const NAME: &str = "purge";

/// The fact that freed pages of the log beside the file may still hold what was purged.
const SCRUB: &str = "scrub";

/// The most operations that one record names, so that it stays far below what one segment of a sync can carry.
const TARGETS: usize = 10_000;

/// One operation that is to be blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) device: DeviceId,
    pub(super) seq: u64,
    /// The hash of the body that is meant: another body under this number is left alone.
    pub(super) digest: [u8; 32],
}

/// Purges the outputs of a run that is old enough.
pub(super) fn outputs(
    conn: &Connection,
    device: DeviceId,
    now: Time,
    run: EntityId,
    wanted: &Purge,
) -> Outcome<Purged> {
    let found = victims::outputs(conn, run)?;
    carry_out(conn, device, now, wanted, found)
}

/// Purges what `wanted` names, and writes down that it was done.
pub(super) fn purge(
    conn: &Connection,
    device: DeviceId,
    now: Time,
    wanted: &Purge,
) -> Outcome<Purged> {
    let found = victims::find(conn, wanted)?;
    carry_out(conn, device, now, wanted, found)
}

fn carry_out(
    conn: &Connection,
    device: DeviceId,
    now: Time,
    wanted: &Purge,
    found: victims::Found,
) -> Outcome<Purged> {
    if found.targets.is_empty() && found.recordings.is_empty() {
        return Err(Failure::refused(format!(
            "{} holds nothing that could be purged, or was purged already",
            found.what
        )));
    }
    let mut batch = Vec::new();
    let targets: Vec<Target> = found.targets.into_iter().collect();
    let pieces = targets.chunks(TARGETS);
    let none: [&[Target]; 1] = [&[]];
    let empty = targets.is_empty();
    for piece in pieces.chain(none.into_iter().filter(|_| empty)) {
        batch.push(record_of(piece, &found.what, wanted, now));
    }
    if let Some(ticket) = found.ticket {
        let mut event = CaseEvent::new(
            EntityId::derived("purge", &format!("{device}-{}", log::head(conn, device)?.0)),
            now,
            EntryKind::Edit,
            &wanted.author,
            format!("purged {}", found.what),
        );
        event.ticket = Some(TicketId(ticket));
        batch.push(event.draft());
    }
    batch.extend(found.instead);
    log::append(conn, device, now, &batch.into())?;
    Ok(Purged {
        what: found.what,
        operations: targets.len() as u64,
        recordings: found.recordings,
        unreached: Vec::new(),
    })
}

fn record_of(targets: &[Target], what: &str, wanted: &Purge, now: Time) -> Draft {
    let list = targets.iter().map(|target| {
        Value::List(vec![
            Value::Bytes(target.device.0.as_bytes().to_vec()),
            Value::Int(target.seq.cast_signed()),
            Value::Bytes(target.digest.to_vec()),
        ])
    });
    let fields = BTreeMap::from([
        ("at".to_owned(), Value::Int(now.0)),
        ("author".to_owned(), Value::from(wanted.author.as_str())),
        ("text".to_owned(), Value::from(what)),
        ("targets".to_owned(), Value::List(list.collect())),
    ]);
    let id = EntityId::derived(NAME, &format!("{what}-{}", now.0));
    Draft::Record {
        entity: Entity {
            kind: EntityKind::Audit,
            id,
        },
        name: NAME.to_owned(),
        fields,
    }
}

/// The targets that a purge names; what cannot be read as one is passed over.
pub(super) fn targets(fields: &BTreeMap<String, Value>) -> Vec<Target> {
    let Some(Value::List(items)) = fields.get("targets") else {
        return Vec::new();
    };
    items.iter().filter_map(target).collect()
}

fn target(value: &Value) -> Option<Target> {
    let Value::List(parts) = value else {
        return None;
    };
    let [device, seq, digest] = parts.as_slice() else {
        return None;
    };
    Some(Target {
        device: DeviceId(EntityId::from_slice(device.as_bytes()?)?),
        seq: u64::try_from(seq.as_int()?).ok()?,
        digest: digest.as_bytes()?.try_into().ok()?,
    })
}

/// The record of a purge, with other targets.
pub(super) fn retarget(fields: &mut BTreeMap<String, Value>, other: impl Fn(Target) -> Target) {
    let Some(Value::List(items)) = fields.get_mut("targets") else {
        return;
    };
    for item in items {
        let Some(target) = target(item).map(&other) else {
            continue;
        };
        *item = Value::List(vec![
            Value::Bytes(target.device.0.as_bytes().to_vec()),
            Value::Int(target.seq.cast_signed()),
            Value::Bytes(target.digest.to_vec()),
        ]);
    }
}

/// An operation as it may be stored: blank, when a purge that came before it says so.
pub(super) fn censored<'a>(conn: &Connection, op: &'a Logged) -> Outcome<Cow<'a, Logged>> {
    let wanted = conn
        .prepare_cached("SELECT 1 FROM purged WHERE dev = ?1 AND seq = ?2 AND digest = ?3")?
        .exists(params![
            op.device.0.as_bytes(),
            op.seq.cast_signed(),
            digest(&op.body)
        ])?;
    // The purge itself must stay readable, or nobody would know of it.
    if !wanted || is_blank(&op.body) || is_purge(&op.body) {
        return Ok(Cow::Borrowed(op));
    }
    Ok(Cow::Owned(Logged {
        body: blank(&op.body),
        ..op.clone()
    }))
}

/// Whether this is the record of a purge.
pub(super) fn is_purge(body: &[u8]) -> bool {
    matches!(
        Op::decode(body),
        Ok(Some(Op { change: Change::Record { name, .. }, entity, .. }))
            if name == NAME && entity == EntityKind::Audit.name()
    )
}

/// Carries a purge out: blanks what is here, remembers the rest for when it comes.
pub(super) fn fold(conn: &Connection, fields: &BTreeMap<String, Value>) -> Outcome<()> {
    let mut touched = BTreeSet::new();
    let mut blanked = false;
    for target in targets(fields) {
        let key = params![
            target.device.0.as_bytes(),
            target.seq.cast_signed(),
            target.digest
        ];
        conn.prepare_cached("INSERT OR IGNORE INTO purged (dev, seq, digest) VALUES (?1, ?2, ?3)")?
            .execute(key)?;
        for table in ["op", "early"] {
            if let Some(things) = blank_in(conn, table, &target)? {
                blanked = true;
                touched.extend(things);
            }
        }
    }
    if !blanked {
        return Ok(());
    }
    refold_all(conn, &touched)
}

/// A thing as it stands in an operation: its kind and its id.
pub(super) type Thing = (String, EntityId);

/// Folds things anew after content of theirs went, and sees to it that no page keeps a word of it.
pub(super) fn refold_all(conn: &Connection, touched: &BTreeSet<Thing>) -> Outcome<()> {
    for (kind, id) in touched {
        if kind == EntityKind::Case.name() {
            refold_case(conn, *id)?;
        } else {
            refold(conn, kind, *id)?;
        }
    }
    // The words stay in the index until its pieces are merged.
    conn.execute_batch("INSERT INTO ticket_fts (ticket_fts) VALUES ('optimize')")?;
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, 1)")?
        .execute([SCRUB])?;
    Ok(())
}

/// The body of an operation goes. Answers which thing it was about, if it could be read: that is to be folded anew.
pub(super) fn emptied(
    conn: &Connection,
    device: DeviceId,
    hlc: Hlc,
    body: &[u8],
) -> Outcome<Option<Thing>> {
    refold_logins(conn, device, hlc)?;
    let op = Op::decode(body).ok().flatten();
    Ok(op.map(|op| (op.entity, op.id)))
}

/// Blanks an operation where it stands, if it stands there and is not blank. Answers what it was about.
fn blank_in(conn: &Connection, table: &str, target: &Target) -> Outcome<Option<Option<Thing>>> {
    let key = params![target.device.0.as_bytes(), target.seq.cast_signed()];
    let op: Option<Logged> = conn
        .prepare_cached(&format!(
            "SELECT dev, seq, hlc, body FROM {table} WHERE dev = ?1 AND seq = ?2"
        ))?
        .query_row(key, logged)
        .optional()?;
    let Some(Logged { hlc, body, .. }) = op.filter(|op| digest(&op.body) == target.digest) else {
        return Ok(None);
    };
    if is_blank(&body) || is_purge(&body) {
        return Ok(None);
    }
    conn.prepare_cached(&format!(
        "UPDATE {table} SET body = ?3 WHERE dev = ?1 AND seq = ?2"
    ))?
    .execute(params![
        target.device.0.as_bytes(),
        target.seq.cast_signed(),
        blank(&body)
    ])?;
    emptied(conn, target.device, hlc, &body).map(Some)
}

/// Folds the logins of a device at one moment anew. There is one of them at most, unless somebody meant to confuse.
fn refold_logins(conn: &Connection, device: DeviceId, hlc: Hlc) -> Outcome<()> {
    let key = params![device.0.as_bytes(), hlc.0.cast_signed()];
    let gone = conn
        .prepare_cached("DELETE FROM login WHERE dev = ?1 AND hlc = ?2")?
        .execute(key)?;
    if gone == 0 {
        return Ok(());
    }
    let mut statement = conn.prepare_cached(
        "SELECT dev, seq, hlc, body FROM op WHERE dev = ?1 AND hlc = ?2
         UNION ALL SELECT dev, seq, hlc, body FROM early WHERE dev = ?1 AND hlc = ?2",
    )?;
    let left: Vec<Logged> = statement
        .query_map(key, logged)?
        .collect::<Result<_, _>>()?;
    for logged in left {
        if let Ok(Some(Op {
            entity,
            change: Change::Record { name, fields },
            ..
        })) = Op::decode(&logged.body)
            && (entity.as_str(), name.as_str()) == (EntityKind::Audit.name(), "login")
        {
            login(conn, &fields, &logged)?;
        }
    }
    Ok(())
}

/// Folds an event anew from those of its records that are left.
fn refold_case(conn: &Connection, id: EntityId) -> Outcome<()> {
    let key = params![id.as_bytes()];
    let ticket: Option<[u8; 16]> = conn
        .prepare_cached("SELECT ticket FROM case_event WHERE id = ?1")?
        .query_row(key, |row| row.get(0))
        .optional()?
        .flatten();
    let mut statement = conn.prepare_cached(
        "SELECT o.dev, o.seq, o.hlc, o.body FROM case_part p JOIN op o ON o.dev = p.dev AND o.seq = p.seq
         WHERE p.id = ?1
         UNION ALL
         SELECT o.dev, o.seq, o.hlc, o.body FROM case_part p JOIN early o ON o.dev = p.dev AND o.seq = p.seq
         WHERE p.id = ?1",
    )?;
    let parts: Vec<Logged> = statement
        .query_map(key, logged)?
        .collect::<Result<_, _>>()?;
    conn.prepare_cached("DELETE FROM case_part WHERE id = ?1")?
        .execute(key)?;
    conn.prepare_cached("DELETE FROM case_event WHERE id = ?1")?
        .execute(key)?;
    for part in parts {
        Fold::new(conn).op(&part)?;
    }
    if let Some(ticket) = ticket {
        project::take_in_events(conn, &ticket)?;
    }
    Ok(())
}

/// Folds a thing anew from what its log entries still say. Its row keeps its place in lists.
fn refold(conn: &Connection, kind: &str, id: EntityId) -> Outcome<()> {
    let of_kind = params![id.as_bytes(), kind];
    for table in ["reg", "flag", "conflict", "note"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE ent = ?1 AND kind = ?2"))?
            .execute(of_kind)?;
    }
    let key = params![id.as_bytes()];
    match kind {
        "ticket" => conn.execute(
            "UPDATE ticket SET ref = NULL, title = '', body = '', state = 'new', priority = 3, kind = 'task', queue = '',
             owner = NULL, requester = NULL, due = NULL, wait_until = NULL, created = NULL, archived = 0,
             born = 9223372036854775807, moved = -9223372036854775808, updated = -9223372036854775808 WHERE id = ?1",
            key,
        )?,
        "host" => conn.execute("DELETE FROM host WHERE id = ?1", key)?,
        "run" => {
            conn.execute("DELETE FROM run_step WHERE run = ?1", key)?;
            conn.execute("DELETE FROM run WHERE id = ?1", key)?
        }
        "session" => {
            conn.execute("DELETE FROM session_shared WHERE id = ?1", key)?;
            conn.execute("DELETE FROM session WHERE id = ?1", key)?
        }
        _ => 0,
    };
    let mut fold = Fold::new(conn);
    for (op, logged) in ops_about(conn, id)? {
        if op.entity == kind && op.id == id {
            fold.op(&logged)?;
        }
    }
    fold.finish()?;
    if kind == "ticket" {
        conn.execute(
            "DELETE FROM ticket_fts WHERE rowid = (SELECT n FROM ticket WHERE id = ?1 AND born = 9223372036854775807)",
            key,
        )?;
        conn.execute(
            "DELETE FROM ticket WHERE id = ?1 AND born = 9223372036854775807",
            key,
        )?;
        project::take_in_events(conn, id.as_bytes())?;
        project::index(conn, id)?;
    }
    Ok(())
}

/// Every operation whose body holds `id`. No index knows that, so the whole log is looked through: a purge is rare.
pub(super) fn ops_about(conn: &Connection, id: EntityId) -> Outcome<Vec<(Op, Logged)>> {
    let mut statement = conn.prepare_cached(
        "SELECT dev, seq, hlc, body FROM (
             SELECT n, dev, seq, hlc, body FROM op
             UNION ALL
             SELECT 9223372036854775807, dev, seq, hlc, body FROM early)
         WHERE instr(body, ?1) > 0 ORDER BY n",
    )?;
    let rows = statement.query_map(params![id.as_bytes()], logged)?;
    let mut found = Vec::new();
    for row in rows {
        let row = row?;
        if let Ok(Some(op)) = Op::decode(&row.body) {
            found.push((op, row));
        }
    }
    Ok(found)
}

/// A row of device, number, stamp and body.
pub(super) fn logged(row: &rusqlite::Row<'_>) -> rusqlite::Result<Logged> {
    Ok(Logged {
        device: DeviceId(EntityId::from_bytes(row.get(0)?)),
        seq: row.get::<_, i64>(1)?.cast_unsigned(),
        hlc: Hlc(row.get::<_, i64>(2)?.cast_unsigned()),
        body: row.get(3)?,
    })
}

/// Empties the log beside the file once nobody reads what is in it any more. Whether nothing is left to do.
pub(super) fn scrub(conn: &Connection) -> rusqlite::Result<bool> {
    let wanted = conn
        .prepare_cached("SELECT 1 FROM meta WHERE name = ?1")?
        .exists([SCRUB])?;
    if !wanted {
        return Ok(true);
    }
    // Readers are not waited for: the next pause is soon enough.
    conn.busy_timeout(std::time::Duration::ZERO)?;
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    });
    conn.busy_timeout(super::open::PATIENCE)?;
    match busy {
        Ok(0) => {
            conn.execute("DELETE FROM meta WHERE name = ?1", [SCRUB])?;
            Ok(true)
        }
        Ok(_) => Ok(false),
        Err(why) if why.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(false),
        Err(why) => Err(why),
    }
}

/// Numbers of this device's operations whose content is purged, up to `last`: what a sync must send anew.
pub(super) fn own(conn: &Connection, device: DeviceId, last: u64) -> Outcome<Vec<u64>> {
    let mut statement = conn.prepare_cached(
        "SELECT p.seq, p.digest, o.body FROM purged p JOIN op o ON o.dev = p.dev AND o.seq = p.seq
         WHERE p.dev = ?1 AND p.seq <= ?2 ORDER BY p.seq",
    )?;
    let mut rows = statement.query(params![device.0.as_bytes(), last.cast_signed()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(2)?;
        if is_blank(&body) && row.get::<_, [u8; 32]>(1)? == digest(&body) {
            found.push(row.get::<_, i64>(0)?.cast_unsigned());
        }
    }
    Ok(found)
}

/// How many operations of all devices were purged, whether they are here or not. It moves with every purge that is heard of.
pub(super) fn count(conn: &Connection) -> Outcome<u64> {
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM purged")?
        .query_row([], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Remembers a login, for whoever asks with which credential something was done.
pub(super) fn login(
    conn: &Connection,
    fields: &BTreeMap<String, Value>,
    logged: &Logged,
) -> Outcome<()> {
    let text = |name| fields.get(name).and_then(Value::as_text).unwrap_or("");
    let login = crate::domain::audit::Login {
        user: text("user").to_owned(),
        method: text("method").to_owned(),
        fingerprint: text("fingerprint").to_owned(),
        ..Default::default()
    };
    conn.prepare_cached(
        // Two under one stamp are nothing that a device of ours writes; whichever comes first, the same one stays.
        "INSERT INTO login (host, dev, hlc, credential) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (host, dev, hlc) DO UPDATE SET credential = min(credential, excluded.credential)",
    )?
    .execute(params![
        text("host"),
        logged.device.0.as_bytes(),
        logged.hlc.0.cast_signed(),
        login.credential()
    ])?;
    Ok(())
}

/// What a record of the audit changes besides the log; whether this program knows it.
pub(super) fn audited(
    conn: &Connection,
    name: &str,
    fields: &BTreeMap<String, Value>,
    logged: &Logged,
) -> Outcome<bool> {
    match name {
        NAME => fold(conn, fields)?,
        "login" => login(conn, fields, logged)?,
        // Only remembered.
        AUTHOR | "command" | "copy" | "forward" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

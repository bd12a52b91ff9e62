//! Folds the log anew into a database of its own, beside the store, and says which tables differ. The store is only read.
//!
//! The other database is SQLite's own temporary file: it has no name, and it goes when it is closed.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::failure::Outcome;
use super::{log, open};

/// The tables that are folded from the log, and how their rows are put in order. Row numbers say only what came first.
const TABLES: &[(&str, &str, &str)] = &[
    ("fields", "SELECT * FROM reg", "ent, kind, field, dev"),
    ("sets", "SELECT * FROM flag", "ent, kind, set_name, member"),
    (
        "comments",
        "SELECT dev, seq, id, ent, kind, sort, author, text, at FROM note",
        "dev, seq",
    ),
    ("conflicts", "SELECT * FROM conflict", "ent, kind, field, dev"),
    (
        "tickets",
        "SELECT id, ref, title, body, state, priority, kind, queue, owner, requester, due, wait_until, created, born,
         moved, updated, archived FROM ticket",
        "id",
    ),
    ("hosts", "SELECT * FROM host", "id"),
    ("runs", "SELECT * FROM run", "id"),
    ("steps", "SELECT * FROM run_step", "run, host, step"),
    ("sessions", "SELECT * FROM session", "id"),
    (
        "recordings in the space",
        "SELECT * FROM session_shared",
        "id, dev",
    ),
    ("entries", "SELECT * FROM case_event", "id"),
    ("parts of entries", "SELECT * FROM case_part", "id, hlc, dev, seq"),
    ("purges", "SELECT * FROM purged", "dev, seq, digest"),
    ("logins", "SELECT * FROM login", "host, dev, hlc"),
];

/// The names of the tables whose rows are not what the log says, with how many rows each has and should have.
pub(super) fn differing(conn: &Connection) -> Outcome<Vec<String>> {
    let other = fold(conn)?;
    let mut names = Vec::new();
    for (name, rows, order) in TABLES {
        let sql = format!("{rows} ORDER BY {order}");
        let (have, want) = (sum(conn, &sql)?, sum(&other, &sql)?);
        if have != want {
            names.push(format!("{name} ({} rows, {} in the log)", have.0, want.0));
        }
    }
    Ok(names)
}

fn fold(conn: &Connection) -> Outcome<Connection> {
    let other = open::temporary()?;
    {
        let mut from = conn.prepare("SELECT n, dev, seq, hlc, body, hash FROM op ORDER BY n")?;
        let mut into = other.prepare(
            "INSERT INTO op (n, dev, seq, hlc, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut rows = from.query([])?;
        other.execute_batch("BEGIN IMMEDIATE")?;
        while let Some(row) = rows.next()? {
            let (n, seq, hlc): (i64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
            let (dev, body, hash): (Vec<u8>, Vec<u8>, Vec<u8>) =
                (row.get(1)?, row.get(4)?, row.get(5)?);
            into.execute(params![n, dev, seq, hlc, body, hash])?;
        }
    }
    copy_early(conn, &other)?;
    log::rebuild(&other)?;
    other.execute_batch("COMMIT")?;
    Ok(other)
}

/// What is shown ahead of its log is folded too, so it belongs to the comparison.
fn copy_early(conn: &Connection, other: &Connection) -> Outcome<()> {
    let mut from = conn.prepare("SELECT dev, seq, hlc, body, maker FROM early ORDER BY n")?;
    let mut into = other
        .prepare("INSERT INTO early (dev, seq, hlc, body, maker) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut rows = from.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, hlc): (i64, i64) = (row.get(1)?, row.get(2)?);
        let (dev, body, maker): (Vec<u8>, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(3)?, row.get(4)?);
        into.execute(params![dev, seq, hlc, body, maker])?;
    }
    Ok(())
}

/// How many rows there are, and the hash of all their cells.
fn sum(conn: &Connection, sql: &str) -> Outcome<(u64, [u8; 32])> {
    let mut statement = conn.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut count, mut hasher) = (0, blake3::Hasher::new());
    while let Some(row) = rows.next()? {
        count += 1;
        for column in 0..columns {
            let (mark, bytes): (u8, Vec<u8>) = match row.get_ref(column)? {
                ValueRef::Null => (0, Vec::new()),
                ValueRef::Integer(number) => (1, number.to_be_bytes().to_vec()),
                ValueRef::Real(number) => (2, number.to_be_bytes().to_vec()),
                ValueRef::Text(text) => (3, text.to_vec()),
                ValueRef::Blob(blob) => (4, blob.to_vec()),
            };
            hasher.update(&[mark]);
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(&bytes);
        }
    }
    Ok((count, *hasher.finalize().as_bytes()))
}

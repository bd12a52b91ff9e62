//! Folds the log anew into a database of its own, beside the store, and says which tables differ. The store is only read.
//!
//! The other database is SQLite's own temporary file: it has no name, and it goes when it is closed.

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::failure::Outcome;
use super::tables::{Sort, TABLES};
use super::{log, open};

/// The names of the tables whose rows are not what the log says, with how many rows each has and should have.
pub(super) fn differing(conn: &Connection) -> Outcome<Vec<String>> {
    let other = fold(conn)?;
    let mut names = Vec::new();
    for table in TABLES {
        let Sort::Folded { words, rows, order } = table.sort else {
            continue;
        };
        let sql = format!("{rows} ORDER BY {order}");
        let (have, want) = (sum(conn, &sql)?, sum(&other, &sql)?);
        if have != want {
            names.push(format!("{words} ({} rows, {} in the log)", have.0, want.0));
        }
    }
    Ok(names)
}

/// All that the store's log says, whatever the store's schema, in a database of the newest schema.
pub(super) fn fold(conn: &Connection) -> Outcome<Connection> {
    let other = open::temporary()?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    carry_over(conn, &other, "op", "n, dev, seq, hlc, body, hash")?;
    carry_over(conn, &other, "vv", "dev, seq, hash")?;
    // The first schemas knew nothing ahead of the logs.
    if has(conn, "early")? {
        carry_over(conn, &other, "early", "n, dev, seq, hlc, body, maker")?;
    }
    log::rebuild(&other)?;
    other.execute_batch("COMMIT")?;
    Ok(other)
}

/// Whether the schema of this file has a table.
pub(super) fn has(conn: &Connection, table: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([table])
}

/// Copies all rows of a table.
fn carry_over(from: &Connection, to: &Connection, table: &str, columns: &str) -> Outcome<()> {
    let mut read = from.prepare(&format!("SELECT {columns} FROM {table}"))?;
    let count = read.column_count();
    let marks = vec!["?"; count].join(", ");
    let mut write = to.prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({marks})"))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let cells: Vec<Value> = (0..count)
            .map(|column| row.get(column))
            .collect::<Result<_, _>>()?;
        write.execute(rusqlite::params_from_iter(cells))?;
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

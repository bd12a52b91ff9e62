//! Rows and bytes of everything in the file, by what it is for.
//!
//! Bytes are those of whole pages, from SQLite's own table of pages where the library has it, else from the content.

use std::path::Path;

use rusqlite::Connection;

use super::failure::Outcome;
use super::read::Scene;
use super::tables::TABLES;
use crate::domain::audit::SizeRow;

/// The report, in the order of the list of tables, then the free pages.
pub(super) fn report(scene: Scene<'_>) -> Outcome<Vec<SizeRow>> {
    let conn = scene.conn;
    let mut rows = Vec::new();
    for table in TABLES {
        let bytes = table_bytes(conn, table.name)?;
        let count = if table.counted {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            let count: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            Some(count.unsigned_abs())
        } else {
            None
        };
        match rows
            .iter_mut()
            .find(|row: &&mut SizeRow| row.kind == table.kind)
        {
            Some(row) => {
                row.bytes += bytes;
                row.rows = row.rows.or(count);
            }
            None => rows.push(SizeRow {
                kind: table.kind.to_owned(),
                rows: count,
                bytes,
            }),
        }
    }
    let (free, page) = (number(conn, "freelist_count")?, number(conn, "page_size")?);
    rows.push(SizeRow {
        kind: "free pages".to_owned(),
        rows: Some(free),
        bytes: free * page,
    });
    let (count, bytes) = recordings(&scene.folder.join("recordings"));
    rows.push(SizeRow {
        kind: "recordings".to_owned(),
        rows: Some(count),
        bytes,
    });
    rows.push(SizeRow {
        kind: "file".to_owned(),
        rows: None,
        bytes: number(conn, "page_count")? * page,
    });
    Ok(rows)
}

/// The files beside the store; a folder that is not there has none.
fn recordings(folder: &Path) -> (u64, u64) {
    let files = std::fs::read_dir(folder).into_iter().flatten();
    let sizes = files.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size))
}

/// The bytes of a table and its indexes.
fn table_bytes(conn: &Connection, table: &str) -> Outcome<u64> {
    let bytes: i64 = conn
        .prepare_cached(
            "SELECT coalesce(sum(d.pgsize), 0) FROM sqlite_schema s JOIN dbstat d ON d.name = s.name
             WHERE s.tbl_name = ?1 AND d.aggregate = 1",
        )?
        .query_row([table], |row| row.get(0))?;
    Ok(bytes.unsigned_abs())
}

pub(super) fn number(conn: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    let value: i64 = conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
    Ok(value.unsigned_abs())
}

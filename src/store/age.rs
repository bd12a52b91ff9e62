//! Which program folded the views: an operation of a kind that it did not know is in the log and in no view, until a program
//! that knows the kind folds anew.

use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use super::log;

/// Which kinds of operations this program folds: one more whenever folding learns a kind. A migration that makes a column or
/// a table for what was folded otherwise before says `DELETE FROM meta WHERE name = 'fold'`.
pub(super) const FOLD: i64 = 1;

/// The fact that says which program folded: the lowest of those that passed something over since the last rebuild.
const MARK: &str = "fold";

/// How many operations were passed over since then, at least.
const UNREAD: &str = "unread";

/// Folds anew what an earlier program could not, if there is anything of the sort. Answers whether it did.
///
/// A file without a mark was folded by a program that left none: it is folded anew once if it has operations at all.
pub(super) fn freshen(conn: &mut Connection) -> Outcome<bool> {
    let mark = number(conn, MARK)?;
    if mark.is_some_and(|mark| mark >= FOLD) {
        return Ok(false);
    }
    let work = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let missed = match mark {
        Some(_) => number(&work, UNREAD)?.unwrap_or(0) > 0,
        None => work.prepare("SELECT 1 FROM op LIMIT 1")?.exists([])?,
    };
    if missed {
        log::rebuild(&work)?;
    } else {
        begin(&work)?;
    }
    work.commit()?;
    Ok(missed)
}

/// From here on this program folds, from the first operation on.
pub(super) fn begin(conn: &Connection) -> Outcome<()> {
    set(conn, MARK, FOLD)?;
    set(conn, UNREAD, 0)
}

/// Notes that operations were passed over. An older program that goes on beside a newer one leaves its own mark, so that
/// the newer one folds anew at its next start.
pub(super) fn passed_over(conn: &Connection, count: u64) -> Outcome<()> {
    if count == 0 {
        return Ok(());
    }
    let mark = number(conn, MARK)?.unwrap_or(FOLD).min(FOLD);
    set(conn, MARK, mark)?;
    let before = number(conn, UNREAD)?.unwrap_or(0);
    set(conn, UNREAD, before.saturating_add_unsigned(count))
}

fn number(conn: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn set(conn: &Connection, name: &str, value: i64) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
    )?
    .execute(params![name, value])?;
    Ok(())
}

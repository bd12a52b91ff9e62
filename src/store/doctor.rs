//! Examines the store: the file, the index, the logs and their chains, and what nobody works on any more.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::ask::{DoctorLine, DoctorReport};
use super::failure::Outcome;
use super::read::{Scene, abandoned};
use super::{aside, chain, early};
use crate::domain::op::{FAR_AHEAD_MS, Hlc};

/// Examines what a file holds, wherever it lies: the pages, the index, the logs and their chains.
pub(super) fn contents(scene: Scene<'_>) -> Outcome<DoctorReport> {
    let conn = scene.conn;
    let mut lines = vec![integrity(conn)?, index(conn)?, counts(conn)?];
    lines.extend(told(scene)?);
    Ok(DoctorReport {
        ok: lines.iter().all(|line| line.ok),
        lines,
    })
}

/// The logs of a file of any schema. What an older one has no tables for is folded from its log beside it.
pub(super) fn told(scene: Scene<'_>) -> Outcome<Vec<DoctorLine>> {
    if aside::has(scene.conn, "purged")? && aside::has(scene.conn, "early")? {
        return logs(scene);
    }
    let other = aside::fold(scene.conn)?;
    logs(Scene {
        conn: &other,
        ..scene
    })
}

/// The tables whose rows are counted.
const COUNTED: &[&str] = &[
    "op",
    "early",
    "ticket",
    "note",
    "conflict",
    "host",
    "run",
    "run_step",
    "session",
    "case_event",
    "sample",
];

/// Examines everything; reads the whole file.
pub(super) fn examine(scene: Scene<'_>) -> Outcome<DoctorReport> {
    let conn = scene.conn;
    let mut lines = vec![
        library(),
        files(scene),
        integrity(conn)?,
        index(conn)?,
        counts(conn)?,
    ];
    lines.extend(logs(scene)?);
    // What is compared with a log that is not whole differs in any case.
    if lines.iter().any(|line| line.name == "log" && !line.ok) {
        let detail = "not compared, because the log is not in order";
        lines.push(line("views", true, detail));
    } else {
        lines.push(views(conn)?);
    }
    lines.push(conflicts(conn)?);
    lines.push(runs(scene)?);
    Ok(DoctorReport {
        ok: lines.iter().all(|line| line.ok),
        lines,
    })
}

fn line(name: &str, ok: bool, detail: impl Into<String>) -> DoctorLine {
    DoctorLine {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

fn library() -> DoctorLine {
    line("sqlite", true, rusqlite::version())
}

/// Sizes and permissions come from stat(2): the file is never opened but by SQLite.
fn files(scene: Scene<'_>) -> DoctorLine {
    let mut wrong = Vec::new();
    let mut size = 0;
    // A folder that was there before us may be readable, since the files are not; writable it may not be.
    for (path, forbidden, advice) in [
        (scene.folder.to_owned(), 0o022, "go-w"),
        (scene.folder.join("store.db"), 0o077, "go="),
        (scene.folder.join("store.db-wal"), 0o077, "go="),
    ] {
        if let Ok(meta) = fs::metadata(&path) {
            if meta.permissions().mode() & forbidden != 0 {
                wrong.push(format!("chmod {advice} {}", path.display()));
            }
            if meta.is_file() {
                size += meta.len();
            }
        }
    }
    if wrong.is_empty() {
        line(
            "files",
            true,
            format!("{} KiB in {}", size / 1024, scene.folder.display()),
        )
    } else {
        let advice = wrong.join("; ");
        line(
            "files",
            false,
            format!("other accounts can get at the store; run: {advice}"),
        )
    }
}

/// What is wrong with the pages.
pub(super) fn faults(conn: &Connection) -> Outcome<Vec<String>> {
    // Tables only; the index is examined on its own, so that the advice fits.
    let mut statement = conn.prepare("PRAGMA quick_check(5)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = rows.collect::<Result<_, _>>()?;
    let ours = |text: &String| text != "ok" && !text.contains("ticket_fts");
    Ok(found.into_iter().filter(ours).collect())
}

fn integrity(conn: &Connection) -> Outcome<DoctorLine> {
    let found = faults(conn)?;
    Ok(if found.is_empty() {
        line("database", true, "every page is in order")
    } else {
        let advice = "restore the last backup with `qd restore FILE`, or read what can be read with `qd doctor --salvage NEW.db`";
        line("database", false, format!("{}; {advice}", found.join("; ")))
    })
}

fn index(conn: &Connection) -> Outcome<DoctorLine> {
    // The check trusts what this connection remembers of the index (FTS5 up to 3.53 looks for other connections' changes only
    // when a table is opened or written), and names what others changed since a damage. Opening it makes it look.
    conn.query_row("SELECT count(*) FROM ticket_fts LIMIT 1", [], |_| Ok(()))?;
    let mut statement = conn.prepare("PRAGMA integrity_check(ticket_fts)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = rows.collect::<Result<_, _>>()?;
    let mut wrong: Vec<String> = found.into_iter().filter(|text| text != "ok").collect();
    let missing: i64 = conn.query_row(
        "SELECT count(*) FROM ticket t WHERE (t.title <> '' OR t.body <> '')
         AND NOT EXISTS (SELECT 1 FROM ticket_fts_docsize d WHERE d.id = t.n)",
        [],
        |row| row.get(0),
    )?;
    if missing > 0 {
        wrong.push(format!("{missing} tickets are not in it"));
    }
    Ok(if wrong.is_empty() {
        line("search index", true, "every ticket is in it")
    } else {
        let advice = "`qd doctor --repair` makes it anew from the log";
        line(
            "search index",
            false,
            format!("{}; {advice}", wrong.join("; ")),
        )
    })
}

fn counts(conn: &Connection) -> Outcome<DoctorLine> {
    let mut parts = Vec::new();
    for table in COUNTED {
        if !aside::has(conn, table)? {
            continue;
        }
        let count: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })?;
        parts.push(format!("{table} {count}"));
    }
    Ok(line("rows", true, parts.join(", ")))
}

/// One pass over all logs: numbers without gaps, each hash following from the one before, clocks that can be right.
fn logs(scene: Scene<'_>) -> Outcome<Vec<DoctorLine>> {
    let chains = chain::walk(scene.conn)?;
    let mut faults: Vec<String> = chains
        .iter()
        .filter_map(|(device, chain)| {
            let (_, why) = chain.fault.as_ref()?;
            Some(format!("device {device}: {why}"))
        })
        .collect();
    let (ahead, overdue) = ahead(scene.conn)?;
    faults.extend(overdue);
    let far: Vec<String> = chains
        .iter()
        .filter(|(_, chain)| chain.newest > Hlc::at(scene.now.plus(FAR_AHEAD_MS)))
        .map(|(device, _)| device.to_string())
        .collect();
    let mut carried = match chains.values().map(|chain| chain.unread).sum::<u64>() {
        0 => String::new(),
        count => format!("; {count} operations of a newer program are carried unread"),
    };
    match chains.values().map(|chain| chain.purged).sum::<u64>() {
        0 => {}
        count => carried.push_str(&format!("; the content of {count} was purged")),
    }
    carried.push_str(&ahead);
    Ok(vec![
        if faults.is_empty() {
            let total: u64 = chains.values().map(|chain| chain.last).sum();
            let detail = format!(
                "{total} operations of {} devices, no gap, every hash follows{carried}",
                chains.len()
            );
            line("log", true, detail)
        } else {
            let advice = "restore the last backup with `qd restore FILE`";
            line("log", false, format!("{}; {advice}", faults.join("; ")))
        },
        if far.is_empty() {
            line("clocks", true, "no device is more than a day ahead")
        } else {
            let detail = format!(
                "more than a day ahead, set their clocks: {}",
                far.join(", ")
            );
            line("clocks", false, detail)
        },
    ])
}

/// What is shown ahead of its log, and the fault if a log has it already.
fn ahead(conn: &Connection) -> Outcome<(String, Option<String>)> {
    let words = match early::count(conn)? {
        0 => String::new(),
        count => format!("; {count} more are shown ahead of their logs"),
    };
    let overdue = match early::overdue(conn)? {
        0 => None,
        count => Some(format!(
            "{count} operations are still shown ahead of logs that have them; `qd doctor --repair` folds anew"
        )),
    };
    Ok((words, overdue))
}

/// Whether lists and fields are what the log says: it is folded anew beside the store and compared.
fn views(conn: &Connection) -> Outcome<DoctorLine> {
    let differing = aside::differing(conn)?;
    Ok(if differing.is_empty() {
        line("views", true, "lists and fields are what the log says")
    } else {
        let detail = format!(
            "{} differ from what the log says; `qd doctor --repair` makes them anew from it",
            differing.join(", ")
        );
        line("views", false, detail)
    })
}

fn conflicts(conn: &Connection) -> Outcome<DoctorLine> {
    let count: i64 = conn.query_row(
        "SELECT count(*) FROM (SELECT DISTINCT ent, kind, field FROM conflict)",
        [],
        |row| row.get(0),
    )?;
    Ok(line(
        "conflicts",
        true,
        format!("{count} fields were changed on two devices at once and wait to be settled"),
    ))
}

/// A run whose owner died is something to look at, not a fault of the store.
fn runs(scene: Scene<'_>) -> Outcome<DoctorLine> {
    let abandoned = abandoned(scene)?;
    Ok(line(
        "runs",
        true,
        if abandoned.is_empty() {
            "none was left without its owner".to_owned()
        } else {
            format!(
                "left by their owner, look with `qd run show`: {}",
                abandoned.join(", ")
            )
        },
    ))
}

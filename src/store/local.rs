//! What only this machine remembers: effective SSH settings, verdicts and samples. None of it is in a log.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::{FileStamps, Local};
use super::failure::{Failure, Outcome};
use crate::domain::check::HostState;
use crate::domain::host::{Effective, Target};
use crate::domain::ids::HostId;
use crate::domain::sample::Sample;
use crate::domain::time::Time;

/// The newest samples of a host that are kept: six hours at one in thirty seconds.
const SAMPLES_KEPT: u32 = 720;

/// Writes one item.
pub(super) fn write(conn: &Connection, item: &Local) -> Outcome<()> {
    match item {
        Local::Effective {
            target,
            stamps,
            effective,
        } => write_effective(conn, target, stamps, effective),
        Local::Sample {
            host,
            sample,
            state,
            reasons,
        } => {
            conn.prepare_cached(
                "INSERT OR REPLACE INTO sample (host, at, data) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![host.0.as_bytes(), sample.at.0, to_json(sample)?])?;
            conn.prepare_cached(
                "DELETE FROM sample WHERE host = ?1 AND at <=
                 (SELECT at FROM sample WHERE host = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![host.0.as_bytes(), SAMPLES_KEPT])?;
            write_state(conn, *host, sample.at, *state, reasons)
        }
        Local::HostState {
            host,
            at,
            state,
            reasons,
        } => write_state(conn, *host, *at, *state, reasons),
        Local::Keep { name, text } => keep(conn, name, text.as_deref()),
    }
}

fn keep(conn: &Connection, name: &str, text: Option<&str>) -> Outcome<()> {
    match text {
        Some(text) => conn
            .prepare_cached("INSERT OR REPLACE INTO kept (name, text) VALUES (?1, ?2)")?
            .execute(params![name, text])?,
        None => conn
            .prepare_cached("DELETE FROM kept WHERE name = ?1")?
            .execute(params![name])?,
    };
    Ok(())
}

/// The small texts whose names begin with `prefix`, by name.
pub(super) fn kept(conn: &Connection, prefix: &str) -> Outcome<Vec<(String, String)>> {
    let mut statement = conn.prepare_cached(
        "SELECT name, text FROM kept WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
    )?;
    let rows = statement.query_map(params![prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn write_state(
    conn: &Connection,
    host: HostId,
    at: Time,
    state: HostState,
    reasons: &[String],
) -> Outcome<()> {
    // Two processes may probe one host; an older verdict that comes later does not replace a newer one.
    conn.prepare_cached(
        "INSERT INTO host_state (host, at, state, reasons) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (host) DO UPDATE SET at = excluded.at, state = excluded.state, reasons = excluded.reasons
         WHERE excluded.at >= at",
    )?
    .execute(params![host.0.as_bytes(), at.0, state.word(), to_json(reasons)?])?;
    Ok(())
}

fn write_effective(
    conn: &Connection,
    target: &Target,
    stamps: &FileStamps,
    effective: &Effective,
) -> Outcome<()> {
    let config = config(target);
    conn.prepare_cached(
        "INSERT OR REPLACE INTO effective_cache (name, config, options) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![target.name, config, to_json(effective)?])?;
    conn.prepare_cached("DELETE FROM effective_file WHERE name = ?1 AND config = ?2")?
        .execute(params![target.name, config])?;
    for (place, (path, mtime, size)) in stamps.iter().enumerate() {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        conn.prepare_cached(
            "INSERT INTO effective_file (name, config, place, path, mtime_ns, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            target.name,
            config,
            place,
            path.as_os_str().as_bytes(),
            mtime,
            size.cast_signed()
        ])?;
    }
    Ok(())
}

/// What `ssh -G` said of a destination last time.
pub(super) fn effective(
    conn: &Connection,
    target: &Target,
) -> Outcome<Option<(FileStamps, Effective)>> {
    let config = config(target);
    let options: Option<String> = conn
        .prepare_cached("SELECT options FROM effective_cache WHERE name = ?1 AND config = ?2")?
        .query_row(params![target.name, config], |row| row.get(0))
        .optional()?;
    // A cache entry that cannot be read is as good as none.
    let Some(effective) = options.and_then(|text| serde_json::from_str(&text).ok()) else {
        return Ok(None);
    };
    let mut statement = conn.prepare_cached(
        "SELECT path, mtime_ns, size FROM effective_file WHERE name = ?1 AND config = ?2 ORDER BY place",
    )?;
    let rows = statement.query_map(params![target.name, config], |row| {
        let path: Vec<u8> = row.get(0)?;
        let path = PathBuf::from(OsStr::from_bytes(&path));
        Ok((path, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()))
    })?;
    Ok(Some((rows.collect::<Result<_, _>>()?, effective)))
}

/// The newest `limit` samples of a host, oldest first.
pub(super) fn samples(conn: &Connection, host: HostId, limit: u32) -> Outcome<Vec<Sample>> {
    let mut statement =
        conn.prepare_cached("SELECT data FROM sample WHERE host = ?1 ORDER BY at DESC LIMIT ?2")?;
    let rows = statement.query_map(params![host.0.as_bytes(), limit], |row| {
        row.get::<_, String>(0)
    })?;
    let mut samples = Vec::new();
    for text in rows {
        // A sample in another program version's form says nothing, as a host that was not measured then.
        samples.extend(serde_json::from_str(&text?).ok());
    }
    samples.reverse();
    Ok(samples)
}

/// When a host was last looked at, what was found, and why.
pub(super) fn host_state(
    conn: &Connection,
    host: HostId,
) -> Outcome<Option<(Time, HostState, Vec<String>)>> {
    let row: Option<(i64, String, String)> = conn
        .prepare_cached("SELECT at, state, reasons FROM host_state WHERE host = ?1")?
        .query_row(params![host.0.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    Ok(row.map(|(at, state, reasons)| {
        (
            Time(at),
            state.parse().unwrap_or(HostState::Unknown),
            serde_json::from_str(&reasons).unwrap_or_default(),
        )
    }))
}

/// The configuration file as bytes, since a path need not be UTF-8; empty for OpenSSH's default.
fn config(target: &Target) -> &[u8] {
    target
        .config
        .as_ref()
        .map_or(&[], |path| path.as_os_str().as_bytes())
}

fn to_json(value: &(impl serde::Serialize + ?Sized)) -> Outcome<String> {
    serde_json::to_string(value)
        .map_err(|why| Failure::refused(format!("a value cannot be stored: {why}")))
}

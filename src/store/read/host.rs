//! Reads hosts, with what was last found on them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::{Connection, Row, params};
use serde_json::Value as Json;

use super::Scene;
use crate::domain::check::HostState;
use crate::domain::host::{Host, Source};
use crate::domain::ids::{EntityId, HostId};
use crate::domain::time::Time;
use crate::store::StoreError;
use crate::store::failure::Outcome;

/// A verdict older than this is shown as stale, in milliseconds.
const STALE_AFTER_MS: u64 = 5 * 60 * 1000;

const HOSTS: &str =
    "SELECT h.id, h.name, h.address, h.port, h.user, h.notes, h.stale, h.config, h.jump, h.vars,
     h.facts, h.source, s.at, s.state FROM host h LEFT JOIN host_state s ON s.host = h.id
     WHERE h.name IS NOT NULL AND h.archived = 0";

/// All hosts in inventory order; those that no inventory placed follow by name.
pub(super) fn list(scene: Scene<'_>) -> Outcome<Vec<Host>> {
    let sql = format!("{HOSTS} ORDER BY h.place IS NULL, h.place, h.name");
    let mut statement = scene.conn.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| read(row, scene.now))?;
    let mut hosts: Vec<Host> = rows.collect::<Result<_, _>>()?;
    // One pass over all flags is much cheaper than two questions for each of ten thousand hosts.
    let mut flags = flags(scene.conn)?;
    for host in &mut hosts {
        (host.groups, host.tags) = flags.remove(&host.id.0).unwrap_or_default();
    }
    Ok(hosts)
}

/// One host by its name.
pub(super) fn one(scene: Scene<'_>, name: &str) -> Outcome<Host> {
    let sql = format!("{HOSTS} AND h.name = ?1");
    let mut statement = scene.conn.prepare_cached(&sql)?;
    let mut rows = statement.query_map(params![name], |row| read(row, scene.now))?;
    let Some(host) = rows.next() else {
        return Err(StoreError::NotFound {
            what: "host",
            reference: name.to_owned(),
        }
        .into());
    };
    let mut host = host?;
    host.groups = super::ticket::members(scene.conn, "host", host.id.0, "groups")?;
    host.tags = super::ticket::members(scene.conn, "host", host.id.0, "tags")?;
    Ok(host)
}

/// The groups and the tags of a host.
type Sets = (Vec<String>, Vec<String>);

/// Groups and tags of every host, sorted.
fn flags(conn: &Connection) -> Outcome<BTreeMap<EntityId, Sets>> {
    let mut all: BTreeMap<EntityId, Sets> = BTreeMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT ent, set_name, member FROM flag WHERE kind = 'host' AND set_name IN ('groups', 'tags')
         AND present = 1 ORDER BY set_name, member",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (set, member): (String, String) = (row.get(1)?, row.get(2)?);
        let (groups, tags) = all.entry(EntityId::from_bytes(row.get(0)?)).or_default();
        if set == "groups" {
            groups.push(member);
        } else {
            tags.push(member);
        }
    }
    Ok(all)
}

fn read(row: &Row<'_>, now: Time) -> rusqlite::Result<Host> {
    let at: Option<i64> = row.get(12)?;
    let state: Option<String> = row.get(13)?;
    let age = at.map(|at| now.since(Time(at)));
    let state = match (age, state) {
        (Some(age), _) if age > STALE_AFTER_MS => HostState::Stale,
        (_, Some(state)) => state.parse().unwrap_or(HostState::Unknown),
        (_, None) => HostState::Unknown,
    };
    let config: Option<String> = row.get(7)?;
    Ok(Host {
        id: HostId(EntityId::from_bytes(row.get(0)?)),
        name: row.get(1)?,
        address: row.get(2)?,
        port: row
            .get::<_, Option<i64>>(3)?
            .and_then(|port| u16::try_from(port).ok()),
        user: row.get(4)?,
        groups: Vec::new(),
        tags: Vec::new(),
        vars: texts(row, 9)?,
        jump: list_of(row, 8)?,
        state,
        age_s: age.map(|age| age / 1000),
        facts: texts(row, 10)?,
        notes: row.get(5)?,
        source: sources(row, 11)?,
        stale: row.get(6)?,
        config: config.map(PathBuf::from),
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Json> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or(Json::Null))
}

fn plain(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn texts(row: &Row<'_>, column: usize) -> rusqlite::Result<BTreeMap<String, String>> {
    Ok(json(row, column)?
        .as_object()
        .map(|fields| {
            fields
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect()
        })
        .unwrap_or_default())
}

fn list_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    Ok(json(row, column)?
        .as_array()
        .map(|items| items.iter().map(plain).collect())
        .unwrap_or_default())
}

/// Each source is `file:line` or a map of `file` and `line`.
fn sources(row: &Row<'_>, column: usize) -> rusqlite::Result<BTreeMap<String, Source>> {
    let source = |value: &Json| match value {
        Json::String(text) => {
            let split = text
                .rsplit_once(':')
                .and_then(|(file, line)| Some((file, line.parse().ok()?)));
            let (file, line) = split.unwrap_or((text, 0));
            Some(Source {
                file: PathBuf::from(file),
                line,
            })
        }
        Json::Object(_) => serde_json::from_value(value.clone()).ok(),
        _ => None,
    };
    Ok(json(row, column)?
        .as_object()
        .map(|fields| {
            fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), source(value)?)))
                .collect()
        })
        .unwrap_or_default())
}

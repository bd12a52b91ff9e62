//! Reads devices: what each is called, how far its log goes here, and when it last wrote.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Hlc, Value};
use crate::store::ask::DeviceRow;
use crate::store::failure::Outcome;
use crate::store::fold;

/// Every device that has a name or a log here, by id.
pub(super) fn list(conn: &Connection) -> Outcome<Vec<DeviceRow>> {
    let mut rows: BTreeMap<DeviceId, DeviceRow> = names(conn)?
        .into_iter()
        .map(|(id, name)| (id, DeviceRow::new(id, name)))
        .collect();
    let mut statement = conn.prepare_cached(
        "SELECT vv.dev, vv.seq, op.hlc FROM vv LEFT JOIN op ON op.dev = vv.dev AND op.seq = vv.seq",
    )?;
    let logs = statement.query_map(params![], |row| {
        let id = DeviceId(EntityId::from_bytes(row.get(0)?));
        let hlc: Option<i64> = row.get(2)?;
        Ok((id, row.get::<_, i64>(1)?.cast_unsigned(), hlc))
    })?;
    for log in logs {
        let (id, seq, hlc) = log?;
        let row = rows
            .entry(id)
            .or_insert_with(|| DeviceRow::new(id, String::new()));
        row.seq = seq;
        row.last = hlc.map(|hlc| Hlc(hlc.cast_unsigned()).time());
    }
    Ok(rows.into_values().collect())
}

/// What devices are called.
pub(super) fn names(conn: &Connection) -> Outcome<BTreeMap<DeviceId, String>> {
    let mut statement = conn
        .prepare_cached("SELECT DISTINCT ent FROM reg WHERE kind = 'device' AND field = 'name'")?;
    let ids = statement.query_map(params![], |row| Ok(EntityId::from_bytes(row.get(0)?)))?;
    let mut names = BTreeMap::new();
    for id in ids {
        let id = id?;
        let register = fold::register(conn, "device", id, "name")?;
        let heads = register.heads();
        let value = heads
            .first()
            .map(|(_, written)| Value::from_cbor(&written.value));
        if let Some(name) = value.as_ref().and_then(Value::as_text) {
            names.insert(DeviceId(id), name.to_owned());
        }
    }
    Ok(names)
}

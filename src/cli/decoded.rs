//! Operations in JSON, for programs that do not read CBOR. It is for reading only: what counts is the body beside it.

use serde_json::{Value as Json, json};

use crate::domain::op::{Change, Op, Value, is_blank};

/// What a body says; nothing for one that only a later program understands.
pub(super) fn op(body: &[u8]) -> Option<Json> {
    if is_blank(body) {
        return Some(json!({ "kind": "blank" }));
    }
    let op = Op::decode(body).ok().flatten()?;
    let mut out = match &op.change {
        Change::Set { field, value, prev } => {
            let prev = prev
                .iter()
                .map(|old| json!({ "hlc": old.hlc.0, "device": old.device.to_string() }));
            json!({
                "kind": "set",
                "field": field,
                "value": json_of(&Value::from_cbor(value)),
                "prev": prev.collect::<Vec<_>>(),
            })
        }
        Change::Flag { set, member, on } => {
            json!({ "kind": "flag", "set": set, "member": member, "on": on })
        }
        Change::Note {
            sort,
            author,
            text,
            at,
        } => json!({ "kind": "note", "sort": sort, "author": author, "text": text, "at": at }),
        Change::Record { name, fields } => {
            let fields = json_of(&Value::Map(fields.clone()));
            json!({ "kind": "rec", "name": name, "fields": fields })
        }
    };
    if let Json::Object(map) = &mut out {
        map.insert("entity".to_owned(), op.entity.into());
        map.insert("id".to_owned(), op.id.to_string().into());
    }
    Some(out)
}

/// Bytes are told from text: as `{"text": …}` where they are text, else as `{"hex": …}`; so is the one that an id has.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(on) => (*on).into(),
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if bytes.len() != 16 => json!({ "text": text }),
            _ => json!({ "hex": hex(bytes) }),
        },
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), json_of(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Other(raw) => json!({ "cbor": hex(raw) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::ids::{DeviceId, EntityId};
    use crate::domain::op::{Hlc, Stamp, blank};

    #[test]
    fn every_kind_is_told_in_words() {
        let id = EntityId::from_bytes([7; 16]);
        let of = |change| {
            let entity = "ticket".to_owned();
            Op { entity, id, change }.encode()
        };
        let stamp = Stamp {
            hlc: Hlc(9),
            device: DeviceId(id),
        };
        let set = of(Change::Set {
            field: "title".to_owned(),
            value: Value::from("disk full").to_cbor(),
            prev: vec![stamp],
        });
        let hex = "07".repeat(16);
        let said = json!({
            "entity": "ticket", "id": hex, "kind": "set", "field": "title", "value": "disk full",
            "prev": [{ "hlc": 9, "device": hex }],
        });
        assert_eq!(op(&set), Some(said));
        let fields = BTreeMap::from([
            ("output".to_owned(), Value::Bytes(b"ok\n".to_vec())),
            ("raw".to_owned(), Value::Bytes(vec![0xff])),
            ("run".to_owned(), Value::Bytes(vec![b'a'; 16])),
        ]);
        let record = of(Change::Record {
            name: "step.finished".to_owned(),
            fields,
        });
        let said = json!({
            "output": { "text": "ok\n" }, "raw": { "hex": "ff" }, "run": { "hex": "61".repeat(16) },
        });
        assert_eq!(op(&record).map(|op| op["fields"].clone()), Some(said));
        assert_eq!(op(&blank(&set)), Some(json!({ "kind": "blank" })));
        assert_eq!(op(b"\xa1dkinddlate"), None);
        assert_eq!(op(b"no CBOR"), None);
    }
}

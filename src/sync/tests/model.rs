//! An independent model of merging: it reads all logs at once and says by definition what the tables must hold. Slow,
//! short, and without a line of the store's folding.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::DeviceId;
use crate::domain::op::{Change, Hlc, Op, Value};
use crate::store::Logged;

type Stamp = (Hlc, DeviceId);

struct Write {
    stamp: Stamp,
    seq: u64,
    value: Vec<u8>,
    prev: BTreeSet<Stamp>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the merge tables must hold after all of `logs`, as lines.
pub(super) fn merged(logs: &[Logged]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut registers: BTreeMap<(String, String, String), Vec<Write>> = BTreeMap::new();
    let mut flags: BTreeMap<[String; 4], (Stamp, u64, bool)> = BTreeMap::new();
    // Title and body in force of each ticket: of the highest stamp.
    let mut shown: BTreeMap<String, [String; 2]> = BTreeMap::new();
    for logged in logs {
        let Ok(Some(op)) = Op::decode(&logged.body) else {
            continue;
        };
        let stamp = (logged.hlc, logged.device);
        let entity = hex(op.id.as_bytes());
        if op.entity == "ticket" && !matches!(op.change, Change::Record { .. }) {
            shown.entry(entity.clone()).or_default();
        }
        match op.change {
            Change::Set { field, value, prev } => {
                let prev = prev
                    .iter()
                    .map(|old| (old.hlc, old.device))
                    .filter(|old| old.0 < stamp.0)
                    .collect();
                let write = Write {
                    stamp,
                    seq: logged.seq,
                    value,
                    prev,
                };
                registers
                    .entry((entity, op.entity, field))
                    .or_default()
                    .push(write);
            }
            Change::Flag { set, member, on } => {
                let flag = flags
                    .entry([entity, op.entity, set, member])
                    .or_insert((stamp, logged.seq, on));
                if (stamp, logged.seq) > (flag.0, flag.1) {
                    *flag = (stamp, logged.seq, on);
                }
            }
            Change::Note { text, .. } => {
                lines.push(format!(
                    "note {} {} {entity} {}",
                    logged.device,
                    logged.seq,
                    text.to_lowercase()
                ));
            }
            Change::Record { .. } => {}
        }
    }
    for ([entity, kind, set, member], ((hlc, device), seq, on)) in flags {
        lines.push(format!(
            "flag {entity} {kind} {set} {member} {} {device} {seq} {}",
            hlc.0,
            i32::from(on)
        ));
    }
    for ((entity, kind, field), writes) in registers {
        let named: BTreeSet<Stamp> = writes
            .iter()
            .flat_map(|write| &write.prev)
            .copied()
            .collect();
        let heads: Vec<&Write> = writes
            .iter()
            .filter(|write| !named.contains(&write.stamp))
            .collect();
        let differ = heads
            .iter()
            .any(|head| heads.first().is_some_and(|first| first.value != head.value));
        let winner = heads.iter().max_by_key(|head| (head.stamp, head.seq));
        let text = winner.map(|head| Value::from_cbor(&head.value));
        let text = text.as_ref().and_then(Value::as_text).unwrap_or_default();
        let columns = shown.get_mut(&entity).filter(|_| kind == "ticket");
        match (field.as_str(), columns) {
            ("title", Some([title, _])) => text.clone_into(title),
            ("body", Some([_, body])) => text.clone_into(body),
            _ => {}
        }
        for head in &heads {
            let (hlc, device) = head.stamp;
            lines.push(format!(
                "reg {entity} {kind} {field} {device} {} {} {}",
                hlc.0,
                head.seq,
                hex(&head.value)
            ));
            if differ {
                lines.push(format!(
                    "conflict {entity} {kind} {field} {device} {}",
                    head.seq
                ));
            }
        }
    }
    let shown = shown.into_iter();
    lines.extend(shown.map(|(entity, [title, body])| format!("shown {entity} {title} {body}")));
    lines.sort();
    lines
}

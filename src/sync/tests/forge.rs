//! Makes operations that a program of ours would hardly write: known words with values that do not belong there, numbers from
//! the ends of their ranges, stamps out of order, and bodies with bytes turned.

use std::collections::BTreeMap;

use super::member::spoiled;
use super::world::Dice;
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Hlc, Op, Stamp, Value, digest};
use crate::store::Logged;

const KINDS: [&str; 8] = [
    "ticket", "host", "run", "session", "case", "device", "audit", "later",
];
const FIELDS: [&str; 28] = [
    "ref",
    "title",
    "body",
    "state",
    "priority",
    "kind",
    "queue",
    "owner",
    "requester",
    "due",
    "wait_until",
    "created",
    "archived",
    "name",
    "address",
    "port",
    "user",
    "notes",
    "stale",
    "config",
    "order",
    "jump",
    "vars",
    "facts",
    "source",
    "text",
    "addresses",
    "later",
];
const SETS: [&str; 5] = ["tags", "hosts", "links", "groups", "later"];
const RECORDS: [(&str, &str); 11] = [
    ("run", "run.started"),
    ("run", "step.started"),
    ("run", "step.finished"),
    ("run", "run.finished"),
    ("session", "session.opened"),
    ("session", "session.closed"),
    ("session", "session.shared"),
    ("case", "case"),
    ("case", "case"),
    ("audit", "login"),
    ("audit", "purge"),
];
const KEYS: [&str; 36] = [
    "at",
    "host",
    "step",
    "attempt",
    "exit",
    "took_ms",
    "output",
    "dropped",
    "reason",
    "state",
    "book",
    "hash",
    "steps",
    "hosts",
    "params",
    "ticket",
    "author",
    "recording",
    "bytes",
    "blob",
    "part",
    "kind",
    "text",
    "session",
    "run",
    "data",
    "user",
    "method",
    "fingerprint",
    "ok",
    "failed",
    "unreachable",
    "skipped",
    "signed",
    "old",
    "new",
];
const TEXTS: [&str; 14] = [
    "",
    "7k3f",
    "T-7K3F",
    "new",
    "closed",
    "web1",
    "../../etc/passwd",
    "\0",
    "\u{202e}abc",
    "ok",
    "failed",
    "running",
    "comment",
    "a word",
];
const NUMBERS: [i64; 12] = [
    0,
    1,
    2,
    -1,
    7,
    255,
    256,
    1 << 31,
    1 << 40,
    1_795_428_000_000,
    i64::MAX,
    i64::MIN,
];

/// Draws operations.
pub(super) struct Forge {
    pub(super) dice: Dice,
    /// Operations that a purge may name.
    known: Vec<Logged>,
}

impl Forge {
    pub(super) const fn new(dice: Dice, known: Vec<Logged>) -> Self {
        Self { dice, known }
    }

    fn one<T: Copy>(&mut self, of: &[T], or: T) -> T {
        of.get(self.dice.below(of.len())).copied().unwrap_or(or)
    }

    /// One of a few, so that operations meet.
    fn id(&mut self) -> EntityId {
        EntityId::derived("thing", &self.dice.below(3).to_string())
    }

    fn text(&mut self) -> String {
        if self.dice.once_in(20) {
            return "long ".repeat(400);
        }
        self.one(&TEXTS, "").to_owned()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.dice.below(if depth > 3 { 8 } else { 11 }) {
            0 => Value::Null,
            1 => Value::Bool(self.dice.once_in(2)),
            2 | 3 => Value::Int(self.one(&NUMBERS, 0)),
            4 | 5 => Value::Text(self.text()),
            6 => Value::Bytes(self.id().as_bytes().to_vec()),
            7 => match self.dice.below(3) {
                0 => Value::Bytes(vec![0xff; self.dice.below(40)]),
                1 => Value::Other(vec![0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
                _ => Value::Other(vec![0x9f, 0x01, 0xff]),
            },
            8 | 9 => Value::Map(self.fields(depth + 1)),
            _ => Value::List(
                (0..self.dice.below(4))
                    .map(|_| self.value(depth + 1))
                    .collect(),
            ),
        }
    }

    fn fields(&mut self, depth: u32) -> BTreeMap<String, Value> {
        let count = self.dice.below(if depth == 0 { 24 } else { 4 });
        (0..count)
            .map(|_| (self.one(&KEYS, "at").to_owned(), self.value(depth)))
            .collect()
    }

    fn targets(&mut self) -> Value {
        let mut list = Vec::new();
        for _ in 0..self.dice.below(4) {
            let at = self.dice.below(self.known.len());
            let Some(op) = self.known.get(at) else {
                continue;
            };
            list.push(Value::List(vec![
                Value::Bytes(op.device.0.as_bytes().to_vec()),
                Value::Int(op.seq.cast_signed()),
                Value::Bytes(digest(&op.body).to_vec()),
            ]));
        }
        list.push(self.value(2));
        Value::List(list)
    }

    /// A body, now and then one with bytes turned.
    pub(super) fn body(&mut self) -> Vec<u8> {
        let mut entity = self.one(&KINDS, "ticket").to_owned();
        let change = match self.dice.below(9) {
            0..3 => Change::Set {
                field: self.one(&FIELDS, "title").to_owned(),
                value: self.value(0).to_cbor(),
                prev: (0..self.dice.below(3))
                    .map(|_| Stamp {
                        hlc: self.hlc(),
                        device: DeviceId(self.id()),
                    })
                    .collect(),
            },
            3 => Change::Flag {
                set: self.one(&SETS, "tags").to_owned(),
                member: self.text(),
                on: self.dice.once_in(2),
            },
            4 => Change::Note {
                sort: self.text(),
                author: self.text(),
                text: self.text(),
                at: self.one(&NUMBERS, 0),
            },
            _ => {
                let (kind, name) = self.one(&RECORDS, ("case", "case"));
                if !self.dice.once_in(8) {
                    kind.clone_into(&mut entity);
                }
                let mut fields = self.fields(0);
                if name == "purge" {
                    fields.insert("targets".to_owned(), self.targets());
                }
                Change::Record {
                    name: name.to_owned(),
                    fields,
                }
            }
        };
        let id = self.id();
        let body = Op { entity, id, change }.encode();
        if self.dice.once_in(6) {
            spoiled(&body, &mut self.dice)
        } else {
            body
        }
    }

    /// One of a few, so that stamps meet, and now and then the last of all.
    fn hlc(&mut self) -> Hlc {
        match self.dice.below(12) {
            0 => Hlc(Hlc::LIMIT.0 - 1),
            1 => Hlc(0),
            _ => Hlc((1_795_428_000_000 << 16) + self.dice.below(4) as u64),
        }
    }

    /// The log of `device`: in no order of time.
    pub(super) fn log(&mut self, device: DeviceId, count: u64) -> Vec<Logged> {
        let log: Vec<Logged> = (1..=count)
            .map(|seq| Logged {
                device,
                seq,
                hlc: self.hlc(),
                body: self.body(),
            })
            .collect();
        self.known.extend(log.iter().cloned());
        log
    }
}

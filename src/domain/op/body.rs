//! The body of an operation as CBOR (RFC 8949): written once, carried for ever, read by programs older and newer than
//! its author's.

use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

use super::{DeviceId, EntityId, Hlc, Stamp, Value};

/// An operation's body that cannot be read at all. It is still kept and carried.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the body of an operation is no CBOR map: {0}")]
pub struct BodyError(String);

impl From<minicbor::decode::Error> for BodyError {
    fn from(why: minicbor::decode::Error) -> Self {
        Self(why.to_string())
    }
}

/// An operation that this program understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// The kind of the thing it is about, as text, because a later program may know more kinds than [`super::EntityKind`].
    pub entity: String,
    /// The thing it is about.
    pub id: EntityId,
    /// What it does.
    pub change: Change,
}

/// What an operation does. [`super::Draft`] is the same before it is stamped.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Writes a register.
    Set {
        /// The field.
        field: String,
        /// The value as one CBOR item, byte for byte.
        value: Vec<u8>,
        /// Every write of the register that its author saw and that nothing had replaced yet.
        prev: Vec<Stamp>,
    },
    /// Sets or clears a member of a set.
    Flag {
        /// The set.
        set: String,
        /// The member.
        member: String,
        /// In or out.
        on: bool,
    },
    /// Appends a comment or a reply.
    Note {
        /// `comment` or `reply`.
        sort: String,
        /// Who says so.
        author: String,
        /// What is said.
        text: String,
        /// When, in milliseconds since 1970.
        at: i64,
    },
    /// Appends a record.
    Record {
        /// What happened.
        name: String,
        /// The particulars.
        fields: BTreeMap<String, Value>,
    },
}

impl Op {
    /// The body as it is stored for ever. The same operation always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        let (kind, more) = match &self.change {
            Change::Set { .. } => ("set", 3),
            Change::Flag { .. } => ("flag", 3),
            Change::Note { .. } => ("note", 4),
            Change::Record { .. } => ("rec", 2),
        };
        put(&mut out, |e| {
            e.map(3 + more)?.str("kind")?.str(kind)?;
            e.str("entity")?.str(&self.entity)?;
            e.str("id")?.bytes(self.id.as_bytes()).map(drop)
        });
        match &self.change {
            Change::Set { field, value, prev } => {
                put(&mut out, |e| {
                    e.str("field")?.str(field)?.str("prev")?;
                    e.array(prev.len() as u64)?;
                    for stamp in prev {
                        e.array(2)?.u64(stamp.hlc.0)?;
                        e.bytes(stamp.device.0.as_bytes())?;
                    }
                    e.str("value").map(drop)
                });
                out.extend_from_slice(value);
            }
            Change::Flag { set, member, on } => put(&mut out, |e| {
                e.str("set")?.str(set)?.str("member")?.str(member)?;
                e.str("on")?.bool(*on).map(drop)
            }),
            Change::Note {
                sort,
                author,
                text,
                at,
            } => put(&mut out, |e| {
                e.str("sort")?.str(sort)?.str("author")?.str(author)?;
                e.str("text")?.str(text)?.str("at")?.i64(*at).map(drop)
            }),
            Change::Record { name, fields } => {
                put(&mut out, |e| {
                    e.str("name")?.str(name)?.str("fields").map(drop)
                });
                write_map(&mut out, fields);
            }
        }
        out
    }

    /// Reads a body. `None` is a body that is in order but of a kind, or with a shape, that only a later program knows:
    /// it is carried unread and read again after an update. Unknown keys are passed over.
    pub fn decode(body: &[u8]) -> Result<Option<Self>, BodyError> {
        let mut decoder = Decoder::new(body);
        let mut keys: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let count = decoder.map()?;
        let mut seen = 0;
        loop {
            match count {
                Some(count) if seen == count => break,
                None if decoder.datatype()? == Type::Break => break,
                _ => {}
            }
            let key = decoder.str()?;
            let start = decoder.position();
            keys.insert(key, raw(&mut decoder, start)?);
            seen += 1;
        }
        Ok(Self::understand(&Keys(keys)))
    }

    fn understand(keys: &Keys<'_>) -> Option<Self> {
        let change = match keys.text("kind")?.as_str() {
            "set" => Change::Set {
                field: keys.text("field")?,
                value: keys.0.get("value")?.to_vec(),
                prev: stamps(&keys.value("prev")?)?,
            },
            "flag" => Change::Flag {
                set: keys.text("set")?,
                member: keys.text("member")?,
                on: match keys.value("on")? {
                    Value::Bool(on) => on,
                    _ => return None,
                },
            },
            "note" => Change::Note {
                sort: keys.text("sort")?,
                author: keys.text("author")?,
                text: keys.text("text")?,
                at: keys.value("at")?.as_int()?,
            },
            "rec" => Change::Record {
                name: keys.text("name")?,
                fields: match keys.value("fields")? {
                    Value::Map(fields) => fields,
                    _ => return None,
                },
            },
            _ => return None,
        };
        Some(Self {
            entity: keys.text("entity")?,
            id: EntityId::from_slice(keys.value("id")?.as_bytes()?)?,
            change,
        })
    }
}

/// The keys of a body, each with its value still in CBOR.
struct Keys<'a>(BTreeMap<&'a str, &'a [u8]>);

impl Keys<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        self.0.get(key).map(|bytes| Value::from_cbor(bytes))
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The stamps of `prev`. One that no honest device can have written is left out.
fn stamps(value: &Value) -> Option<Vec<Stamp>> {
    let Value::List(items) = value else {
        return None;
    };
    let mut stamps = Vec::new();
    for item in items {
        let Value::List(pair) = item else { return None };
        let [hlc, device] = pair.as_slice() else {
            return None;
        };
        let Ok(hlc) = u64::try_from(hlc.as_int().unwrap_or(-1)) else {
            continue;
        };
        let device = DeviceId(EntityId::from_slice(device.as_bytes()?)?);
        stamps.push(Stamp {
            hlc: Hlc(hlc),
            device,
        });
    }
    Some(stamps)
}

/// The bytes of the item at `start`, which is where the decoder stands or stood.
fn raw<'a>(decoder: &mut Decoder<'a>, start: usize) -> Result<&'a [u8], BodyError> {
    decoder.set_position(start);
    decoder.skip()?;
    let end = decoder.position();
    decoder
        .input()
        .get(start..end)
        .ok_or_else(|| BodyError("it ends too early".to_owned()))
}

fn read_map(decoder: &mut Decoder<'_>, depth: u32) -> Result<BTreeMap<String, Value>, BodyError> {
    let mut fields = BTreeMap::new();
    for _ in 0..decoder.map()?.unwrap_or(0) {
        let key = decoder.str()?.to_owned();
        fields.insert(key, Value::read(decoder, depth)?);
    }
    Ok(fields)
}

fn write_map(out: &mut Vec<u8>, fields: &BTreeMap<String, Value>) {
    put(out, |e| e.map(fields.len() as u64).map(drop));
    for (name, value) in fields {
        put(out, |e| e.str(name).map(drop));
        value.write(out);
    }
}

type EncodeError = minicbor::encode::Error<std::convert::Infallible>;

fn put(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), EncodeError>,
) {
    write(&mut Encoder::new(out)).expect("writing to memory cannot fail");
}

/// Values deeper than this are carried unread, so that a hostile body cannot exhaust the stack.
const DEPTH_MAX: u32 = 16;

impl Value {
    /// The value as one CBOR item (RFC 8949).
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads one CBOR item; what it cannot read becomes [`Value::Other`].
    pub fn from_cbor(bytes: &[u8]) -> Self {
        Self::read(&mut Decoder::new(bytes), 0).unwrap_or_else(|_| Self::Other(bytes.to_vec()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => put(out, |e| e.null().map(drop)),
            Self::Bool(on) => put(out, |e| e.bool(*on).map(drop)),
            Self::Int(number) => put(out, |e| e.i64(*number).map(drop)),
            Self::Text(text) => put(out, |e| e.str(text).map(drop)),
            Self::Bytes(bytes) => put(out, |e| e.bytes(bytes).map(drop)),
            Self::List(items) => {
                put(out, |e| e.array(items.len() as u64).map(drop));
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(fields) => write_map(out, fields),
            Self::Other(raw) => out.extend_from_slice(raw),
        }
    }

    fn read(decoder: &mut Decoder<'_>, depth: u32) -> Result<Self, BodyError> {
        let start = decoder.position();
        let value = match decoder.datatype()? {
            Type::Null => decoder.null().map(|()| Self::Null)?,
            Type::Bool => Self::Bool(decoder.bool()?),
            Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                Self::Int(decoder.i64()?)
            }
            Type::U64 => match decoder.i64() {
                Ok(number) => Self::Int(number),
                Err(_) => Self::Other(raw(decoder, start)?.to_vec()),
            },
            Type::String => Self::Text(decoder.str()?.to_owned()),
            Type::Bytes => Self::Bytes(decoder.bytes()?.to_vec()),
            Type::Array if depth < DEPTH_MAX => {
                let mut items = Vec::new();
                for _ in 0..decoder.array()?.unwrap_or(0) {
                    items.push(Self::read(decoder, depth + 1)?);
                }
                Self::List(items)
            }
            Type::Map if depth < DEPTH_MAX => Self::Map(read_map(decoder, depth + 1)?),
            _ => Self::Other(raw(decoder, start)?.to_vec()),
        };
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> DeviceId {
        DeviceId(EntityId::derived("device", name))
    }

    fn ops() -> Vec<Op> {
        let id = EntityId::derived("ticket", "one");
        let changes = [
            Change::Set {
                field: "title".into(),
                value: Value::from("disk full").to_cbor(),
                prev: vec![
                    Stamp {
                        hlc: Hlc(7 << 16),
                        device: device("a"),
                    },
                    Stamp {
                        hlc: Hlc(9),
                        device: device("b"),
                    },
                ],
            },
            Change::Flag {
                set: "tags".into(),
                member: "db".into(),
                on: true,
            },
            Change::Note {
                sort: "comment".into(),
                author: "mira".into(),
                text: "größe 界".into(),
                at: -5,
            },
            Change::Record {
                name: "step.finished".into(),
                fields: BTreeMap::from([
                    ("exit".into(), Value::Null),
                    ("took_ms".into(), Value::Int(i64::MIN)),
                    ("at".into(), Value::Int(1_795_428_000_123)),
                    ("output".into(), Value::Bytes(vec![0, 255])),
                    (
                        "deep".into(),
                        Value::List(vec![Value::Map(BTreeMap::from([(
                            "on".into(),
                            Value::Bool(false),
                        )]))]),
                    ),
                ]),
            },
        ];
        changes
            .into_iter()
            .map(|change| Op {
                entity: "ticket".into(),
                id,
                change,
            })
            .collect()
    }

    #[test]
    fn bodies_round_trip() {
        for op in ops() {
            assert_eq!(Op::decode(&op.encode()), Ok(Some(op)));
        }
    }

    /// These bytes are in the logs of people: if this test fails, the change is wrong, not the test.
    #[test]
    fn the_format_is_for_ever() {
        let op = Op {
            entity: "ticket".into(),
            id: EntityId::from_bytes([1; 16]),
            change: Change::Set {
                field: "title".into(),
                value: Value::from("x").to_cbor(),
                prev: vec![Stamp {
                    hlc: Hlc(258),
                    device: DeviceId(EntityId::from_bytes([2; 16])),
                }],
            },
        };
        let hex: String = op.encode().iter().map(|b| format!("{b:02x}")).collect();
        let ones = "01".repeat(16);
        let twos = "02".repeat(16);
        assert_eq!(
            hex,
            format!(
                "a6646b696e6463736574\
                 66656e74697479667469636b6574\
                 62696450{ones}\
                 656669656c64657469746c65\
                 647072657681821901025{}{twos}\
                 6576616c75656178",
                "0"
            )
        );
    }

    #[test]
    fn unknown_keys_are_passed_over_and_unknown_kinds_carried() {
        let mut body = Vec::new();
        put(&mut body, |e| {
            e.begin_map()?.str("later")?.f64(1.5)?;
            e.str("kind")?.str("flag")?.str("entity")?.str("shelf")?;
            e.str("id")?.bytes(&[3; 16])?;
            e.str("set")?.str("tags")?.str("member")?.str("x")?;
            e.str("on")?.bool(true)?.end().map(drop)
        });
        let op = Op::decode(&body).ok().flatten().expect("it is a flag");
        assert_eq!(op.entity, "shelf");
        let mut body = Vec::new();
        put(&mut body, |e| e.map(1)?.str("kind")?.str("purge").map(drop));
        assert_eq!(Op::decode(&body), Ok(None));
    }

    #[test]
    fn nonsense_is_refused_without_a_panic() {
        assert!(Op::decode(b"").is_err());
        assert!(Op::decode(b"\x01").is_err());
        // A map that promises more than there is, and a list ten thousand deep.
        assert!(Op::decode(b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        let mut deep = vec![0x81; 10_000];
        deep.push(0xf6);
        let read = Value::from_cbor(&deep);
        assert_eq!(read.to_cbor(), deep);
        for op in ops() {
            let body = op.encode();
            for end in 0..body.len() {
                assert!(Op::decode(&body[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn a_value_of_a_later_program_survives() {
        // A float, a tag and an integer beyond 63 bits.
        for hex in [
            vec![0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
            vec![0xc1, 0x1a, 0, 0, 0, 1],
            vec![0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            let value = Value::from_cbor(&hex);
            assert!(matches!(value, Value::Other(_)), "{value:?}");
            assert_eq!(value.to_cbor(), hex);
        }
    }
}

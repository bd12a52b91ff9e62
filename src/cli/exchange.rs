//! The whole store as files that other programs can read, and back: every operation of the log, byte for byte, and each
//! ticket as a folder for people.
//!
//! `log.jsonl` has a line for each operation, `manifest.json` says what must be in it. Only these two are read back.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::start::{self, Refused};
use crate::command::{Answer, Globals, Outcome};
use crate::domain::files::is_plain_name;
use crate::domain::ids::{DeviceId, REFERENCE_MAX};
use crate::domain::op::Hlc;
use crate::domain::query::Query;
use crate::domain::ticket::Ticket;
use crate::store::{self, Ask, Logged, Store, StoreError};

use super::care::{refused, usage};
use super::{decoded, render};

/// What we write and read.
const FORMAT: u32 = 1;

/// How many operations are read or taken in at once.
const PIECE: u32 = 1_000;

/// The longest line that is read: an operation holds at most what one step of a run wrote.
const LINE: u64 = 64 * 1024 * 1024;

/// No reference of ours is longer; one that is leaves no room for an id behind it in a name.
const REFERENCE_LONG: usize = 64;

/// What a folder must hold.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// How far each device's log goes.
    devices: BTreeMap<DeviceId, u64>,
    /// Of all bytes of `log.jsonl`, in hexadecimal.
    blake3: String,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    device: DeviceId,
    seq: u64,
    hlc: u64,
    body: String,
    /// The same for programs that do not read CBOR; nobody reads it back.
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    op: Option<serde_json::Value>,
}

/// Writes everything into the new folder `to`.
pub(super) fn export(globals: &Globals, to: &Path) -> Result<Outcome, Refused> {
    let places = start::places(globals)?;
    let store = start::open_older(&places)?;
    let failed = |why: io::Error| Refused {
        text: format!(
            "the store could not be exported to {}: {why}; what is there is not whole",
            to.display()
        ),
        exit: 1,
    };
    DirBuilder::new().mode(0o700).create(to).map_err(|why| {
        if why.kind() == io::ErrorKind::AlreadyExists {
            usage(&format!(
                "{} exists already and was left alone; name another folder",
                to.display()
            ))
        } else {
            failed(why)
        }
    })?;
    let devices = heads(&store)?;
    let (count, blake3) = write_log(&store, &devices, to).map_err(|why| why.told(failed))?;
    let tickets = write_tickets(&store, to).map_err(|why| why.told(failed))?;
    // Last, so that a folder that has it is whole.
    let manifest = Manifest {
        format: FORMAT,
        devices,
        blake3,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|why| failed(why.into()))?;
    put(&to.join("manifest.json"), &text).map_err(failed)?;
    Ok(Outcome::ok(Answer::Done(format!(
        "{count} operations and {tickets} tickets are in {}",
        to.display()
    ))))
}

/// What stopped an export.
enum Broken {
    Store(StoreError),
    Io(io::Error),
}

impl Broken {
    fn told(self, failed: impl FnOnce(io::Error) -> Refused) -> Refused {
        match self {
            Self::Store(why) => refused(why),
            Self::Io(why) => failed(why),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl From<StoreError> for Broken {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

fn heads(store: &Store) -> Result<BTreeMap<DeviceId, u64>, Refused> {
    match store.ask_wait(Ask::Heads).map_err(refused)? {
        store::Answer::Heads(heads) => Ok(heads.into_iter().collect()),
        _ => Err(usage(
            "the store answered something else; please report this",
        )),
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

pub(super) fn put(path: &Path, text: &str) -> io::Result<()> {
    put_bytes(path, format!("{text}\n").as_bytes())
}

/// Writes a new file for its owner alone.
pub(super) fn put_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn write_log(
    store: &Store,
    devices: &BTreeMap<DeviceId, u64>,
    to: &Path,
) -> Result<(u64, String), Broken> {
    let mut out = BufWriter::new(private(&to.join("log.jsonl"))?);
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    for (device, last) in devices {
        let mut next = 1;
        while next <= *last {
            let ask = Ask::Log {
                device: *device,
                from: next,
                limit: PIECE,
            };
            let store::Answer::Log(ops) = store.ask_wait(ask)? else {
                break;
            };
            if ops.is_empty() {
                let missing = format!(
                    "operation {next} of device {device} is missing; `qd doctor` says more"
                );
                return Err(io::Error::other(missing).into());
            }
            for op in ops.into_iter().filter(|op| op.seq <= *last) {
                next = op.seq + 1;
                count += 1;
                let line = Line {
                    device: op.device,
                    seq: op.seq,
                    hlc: op.hlc.0,
                    body: BASE64_STANDARD.encode(&op.body),
                    op: decoded::op(&op.body),
                };
                let mut text = serde_json::to_string(&line).map_err(io::Error::from)?;
                text.push('\n');
                hasher.update(text.as_bytes());
                out.write_all(text.as_bytes())?;
            }
        }
    }
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    Ok((count, hasher.finalize().to_hex().to_string()))
}

/// Each ticket as a folder: all of it for programs, and as text for people.
fn write_tickets(store: &Store, to: &Path) -> Result<usize, Broken> {
    let folder = to.join("tickets");
    DirBuilder::new().mode(0o700).create(&folder)?;
    let ask = Ask::Tickets {
        query: Query::default(),
        limit: None,
    };
    let store::Answer::Tickets { rows, .. } = store.ask_wait(ask)? else {
        return Ok(0);
    };
    let count = rows.len();
    for row in rows {
        // By its whole id: a reference is a field, so somebody may have written anything into it, or the same into two.
        let whole = Ask::Ticket {
            reference: format!("T-{}", row.id.0.base32(REFERENCE_MAX)),
        };
        let ticket = match store.ask_wait(whole) {
            Ok(store::Answer::Ticket(ticket)) if ticket.id == row.id => *ticket,
            // Another's reference is spelt like this id: the page has what the list has.
            Ok(_) | Err(StoreError::Ambiguous { .. }) => row,
            Err(why) => return Err(why.into()),
        };
        write_ticket(&folder, &ticket)?;
    }
    Ok(count)
}

fn write_ticket(folder: &Path, ticket: &Ticket) -> io::Result<()> {
    // A reference that is no name of a folder comes from a device that nobody should trust; the id cannot be chosen so.
    let id = ticket.id.to_string();
    let plain = |name: &&String| is_plain_name(name) && name.len() <= REFERENCE_LONG;
    let name = Some(&ticket.reference).filter(plain).unwrap_or(&id);
    let mut place = folder.join(name);
    let made = DirBuilder::new().mode(0o700).create(&place);
    match made {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            place = folder.join(format!("{name}-{id}"));
            DirBuilder::new().mode(0o700).create(&place)?;
        }
        other => other?,
    }
    put(
        &place.join("ticket.json"),
        &serde_json::to_string_pretty(&json!(ticket))?,
    )?;
    put(&place.join("ticket.txt"), &render::ticket_page(ticket))
}

/// Takes in what [`export`] wrote; what is here already is passed over.
pub(super) fn import(globals: &Globals, from: &Path) -> Result<Outcome, Refused> {
    if globals.read_only {
        return Err(usage("an import changes the store; leave out --read-only"));
    }
    let bad = |why: String| Refused {
        text: format!(
            "{} was not imported: {why}. Nothing was changed",
            from.display()
        ),
        exit: 1,
    };
    let manifest = std::fs::read_to_string(from.join("manifest.json")).map_err(|why| {
        bad(format!(
            "manifest.json cannot be read ({why}); name a folder that `qd export` wrote to its end"
        ))
    })?;
    let manifest: Manifest =
        serde_json::from_str(&manifest).map_err(|why| bad(format!("manifest.json: {why}")))?;
    if manifest.format != FORMAT {
        let text = format!(
            "its format is {}, this program knows {FORMAT}; update this program",
            manifest.format
        );
        return Err(bad(text));
    }
    check(from, &manifest).map_err(&bad)?;
    let places = start::places(globals)?;
    let store = start::open_store(&places, false, None)?;
    let mut fresh = 0;
    let mut piece = Vec::new();
    each(from, |op| {
        piece.push(op);
        if piece.len() >= PIECE as usize {
            fresh += store.absorb_wait(std::mem::take(&mut piece)).map_err(|why| why.to_string())?;
        }
        Ok(())
    })
    .and_then(|()| {
        fresh += store.absorb_wait(std::mem::take(&mut piece)).map_err(|why| why.to_string())?;
        Ok(())
    })
    .map_err(|why| Refused {
        text: format!(
            "{} was imported in part: {why}. {fresh} new operations are in the store; an import of the same folder goes on there",
            from.display()
        ),
        exit: 1,
    })?;
    Ok(Outcome::ok(Answer::Done(format!(
        "{fresh} new operations; {} were here already",
        manifest.devices.values().sum::<u64>() - fresh
    ))))
}

/// Reads all of it before anything is written.
fn check(from: &Path, manifest: &Manifest) -> Result<(), String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(from.join("log.jsonl")).map_err(|why| format!("log.jsonl: {why}"))?;
    io::copy(&mut file, &mut hasher).map_err(|why| format!("log.jsonl: {why}"))?;
    if hasher.finalize().to_hex().as_str() != manifest.blake3 {
        return Err("log.jsonl is not what was exported".to_owned());
    }
    let mut found: BTreeMap<DeviceId, u64> = BTreeMap::new();
    each(from, |op| {
        let last = found.entry(op.device).or_default();
        if op.seq != *last + 1 {
            return Err(format!(
                "operation {} of device {} is missing",
                *last + 1,
                op.device
            ));
        }
        *last = op.seq;
        Ok(())
    })?;
    if found == manifest.devices {
        Ok(())
    } else {
        Err("log.jsonl does not go as far as the manifest says".to_owned())
    }
}

/// Hands on one operation after the other, in the order of the file.
fn each(from: &Path, mut take: impl FnMut(Logged) -> Result<(), String>) -> Result<(), String> {
    let file = File::open(from.join("log.jsonl")).map_err(|why| format!("log.jsonl: {why}"))?;
    let mut file = BufReader::new(file);
    for number in 1_u64.. {
        let at = |why: String| format!("log.jsonl, line {number}: {why}");
        let mut text = String::new();
        let read = io::Read::take(&mut file, LINE).read_line(&mut text);
        if read.map_err(|why| at(why.to_string()))? == 0 {
            break;
        }
        let line: Line = serde_json::from_str(&text).map_err(|why| at(why.to_string()))?;
        let body = BASE64_STANDARD
            .decode(&line.body)
            .map_err(|why| at(why.to_string()))?;
        take(Logged {
            device: line.device,
            seq: line.seq,
            hlc: Hlc(line.hlc),
            body,
        })
        .map_err(at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;
    use crate::domain::op::{Draft, Entity, EntityKind, Value};
    use crate::domain::time::Time;
    use crate::store::{Batch, Options};

    const NOW: Time = Time(1_795_428_000_000);

    /// Every path below `folder`.
    fn below(folder: &Path) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                found.extend(below(&path)?);
            }
            found.push(path.display().to_string());
        }
        Ok(found)
    }

    #[test]
    fn a_reference_that_leads_elsewhere_makes_nothing_there()
    -> Result<(), Box<dyn std::error::Error>> {
        let home = tempfile::tempdir()?;
        let store = Store::open(
            &home.path().join("data"),
            || NOW,
            || [1; 32],
            Options::default(),
        )?;
        let abs = home.path().join("abs").display().to_string();
        let long = "T".repeat(300);
        let bad = [
            "../../up", &abs, "a/b", "", "..", ".hidden", "a\0b", &long, "T-SAME", "T-SAME",
        ];
        for (number, reference) in bad.into_iter().enumerate() {
            let id = EntityId::derived("ticket", &number.to_string());
            let entity = Entity {
                kind: EntityKind::Ticket,
                id,
            };
            let set = |field: &str, value: &str| Draft::Set {
                entity,
                field: field.to_owned(),
                value: Value::from(value),
            };
            let drafts = vec![
                set("title", &format!("number {number}")),
                set("ref", reference),
            ];
            store.append_wait(Batch::from(drafts))?;
        }
        let outer = home.path().join("outer");
        let to = outer.join("export");
        std::fs::create_dir_all(&to)?;
        let Ok(count) = write_tickets(&store, &to) else {
            return Err("the export ends well".into());
        };
        assert_eq!(count, bad.len());
        assert!(!Path::new(&abs).exists() && !outer.join("up").exists());
        let pages = below(&outer)?;
        let inside = to.join("tickets").display().to_string();
        let pages: Vec<_> = pages
            .iter()
            .filter(|path| path.ends_with("ticket.json"))
            .collect();
        assert_eq!(pages.len(), bad.len(), "each has a page of its own");
        for path in pages {
            assert!(path.starts_with(&inside), "{path}");
            let rest = path.trim_start_matches(&inside);
            assert_eq!(rest.matches('/').count(), 2, "{path}");
        }
        let texts: Vec<String> = below(&to)?
            .iter()
            .filter(|path| path.ends_with("ticket.txt"))
            .map(std::fs::read_to_string)
            .collect::<Result<_, _>>()?;
        for number in 0..bad.len() {
            let title = format!("number {number}");
            assert!(texts.iter().any(|text| text.contains(&title)), "{title}");
        }
        Ok(())
    }
}

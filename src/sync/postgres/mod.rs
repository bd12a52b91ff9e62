//! A PostgreSQL database as remote, or one that speaks like it: for teams that run one already.
//!
//! Every call is one round trip and one transaction. Nothing is held open while the program waits for anything else, and
//! nothing on the server is needed but five plain tables.

mod address;
mod call;
mod link;
mod sql;
mod stream;
mod surroundings;
mod tls;
mod words;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use self::address::Address;
use self::call::{Call, Calls, LISTING, LONG, SHORT, Statement, Value};
pub use self::sql::{ROW_SECURITY, SCHEMA, STATEMENTS};
pub use self::surroundings::Surroundings;
use super::names::{Head, ObjectKind, ObjectName, SegmentName};
use super::remote::{
    Listing, OBJECT_MAX, OBJECTS_MAX, Objects, PRESENCE_MAX, PRESENCES_MAX, Presences, Put, Remote,
    RemoteError, Reply, SEGMENT_MAX,
};
use crate::domain::ids::{DeviceId, EntityId};

/// A bag in a database.
#[derive(Debug)]
pub struct PostgresRemote {
    calls: Calls,
    /// Devices that this connection's login has claimed.
    claimed: Mutex<BTreeSet<DeviceId>>,
}

impl PostgresRemote {
    /// The bag that an address names: `postgres://user@host:port/database?bag=…&sslmode=…&sslrootcert=…`. Nothing is
    /// connected yet; the first call does so.
    ///
    /// # Errors
    /// The address cannot be read, or holds a password.
    pub fn open(url: &str, around: Surroundings) -> Result<Self, RemoteError> {
        let address = Address::parse(url, &around)?;
        Ok(Self {
            calls: Calls::new(address, around),
            claimed: Mutex::default(),
        })
    }

    /// From now on tables that are missing are made by whatever call misses them. For a new space only: elsewhere a database
    /// without tables is the wrong one, not an empty one.
    #[must_use]
    pub fn making_tables(mut self) -> Self {
        self.calls.make = true;
        self
    }

    /// Makes the tables now, as far as they are missing.
    ///
    /// # Errors
    /// The server cannot be reached, or this login may not create them.
    pub async fn create(&self) -> Result<(), RemoteError> {
        // Looking first: where somebody else made them, this login need not have the right to.
        let values = vec![Value::Text(ObjectKind::Roster.word().to_owned())];
        let mut call = self.call("looking for the tables", sql::OBJECTS, values);
        call.bytes = LISTING;
        self.calls.ask_making(&call).await.map(|_| ())
    }

    fn bag(&self) -> Value {
        Value::Text(self.calls.address.bag.clone())
    }

    fn call(&self, attempt: impl Into<String>, text: &'static str, values: Vec<Value>) -> Call {
        let mut all = vec![self.bag()];
        all.extend(values);
        Call {
            attempt: attempt.into(),
            limit: SHORT,
            bytes: 1 << 16,
            before: None,
            statement: Statement { text, values: all },
        }
    }

    /// A call that writes rows of `device`. With the first one goes a word whose they are; when row security refuses them,
    /// that word may have been lost with a database that was restored, so it is said once more.
    async fn as_owner(
        &self,
        device: DeviceId,
        mut call: Call,
    ) -> Result<(Vec<Row>, u64), RemoteError> {
        let known = self.claims().contains(&device);
        let claim = self.call("", sql::CLAIM, vec![id_value(device)]).statement;
        if !known {
            call.before = Some(claim.clone());
        }
        let mut answer = self.calls.ask(&call).await;
        if known && matches!(answer, Err(RemoteError::Denied { .. })) {
            self.claims().remove(&device);
            call.before = Some(claim);
            answer = self.calls.ask(&call).await;
        }
        if answer.is_ok() {
            self.claims().insert(device);
        }
        answer
    }

    fn claims(&self) -> std::sync::MutexGuard<'_, BTreeSet<DeviceId>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self, why: &tokio_postgres::Error) -> RemoteError {
        RemoteError::Failed {
            attempt: "reading an answer".to_owned(),
            place: self.place(),
            why: why.to_string(),
        }
    }

    fn field<T: FromSqlOwned>(&self, row: &Row, at: usize) -> Result<T, RemoteError> {
        row.try_get(at).map_err(|why| self.unreadable(&why))
    }

    /// Bytes of something that has a name, from an answer of length and bytes.
    fn bytes(&self, rows: &[Row], name: String) -> Result<Vec<u8>, RemoteError> {
        let place = self.place();
        let Some(row) = rows.first() else {
            return Err(RemoteError::NotFound { name, place });
        };
        match self.field(row, 1)? {
            Some(bytes) => Ok(bytes),
            None => Err(RemoteError::TooLong { name, place }),
        }
    }
}

/// A number as the column has it. No log reaches the end of the signed numbers, so what is beyond means the end.
fn number(number: u64) -> Value {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

fn id_value(device: DeviceId) -> Value {
    Value::Bytes(device.0.as_bytes().to_vec())
}

fn length(most: usize) -> Value {
    Value::Number(i64::try_from(most).unwrap_or(i64::MAX))
}

fn key(name: SegmentName) -> Vec<Value> {
    vec![
        id_value(name.device),
        number(name.first),
        number(name.pack.unwrap_or(0)),
    ]
}

/// What was asked to be written can be written at all.
fn writable(name: SegmentName, sealed: &[u8], place: &str) -> Result<(), RemoteError> {
    let fits = |number: u64| i64::try_from(number).is_ok();
    if sealed.len() <= SEGMENT_MAX && fits(name.first) && name.pack.is_none_or(fits) {
        return Ok(());
    }
    Err(RemoteError::TooLong {
        name: name.to_string(),
        place: place.to_owned(),
    })
}

fn put_of(written: u64) -> Put {
    if written > 0 {
        Put::Created
    } else {
        Put::Exists
    }
}

impl Remote for PostgresRemote {
    fn place(&self) -> String {
        self.calls.address.place()
    }

    fn heads(&self) -> Reply<'_, Listing<Head>> {
        Box::pin(async move {
            let mut call = self.call("reading the heads", sql::HEADS, vec![]);
            call.bytes = LISTING;
            let (rows, _) = self.calls.ask(&call).await?;
            let mut listing = Listing::default();
            for row in &rows {
                let (id, seq): (Vec<u8>, i64) = (self.field(row, 0)?, self.field(row, 1)?);
                match (EntityId::from_slice(&id), u64::try_from(seq)) {
                    (Some(id), Ok(seq)) => listing.names.push(Head {
                        device: DeviceId(id),
                        seq,
                    }),
                    _ => listing
                        .tell_strange(|| format!("head/{}-{seq}", String::from_utf8_lossy(&id))),
                }
            }
            Ok(listing)
        })
    }

    fn list(&self, device: DeviceId, from: u64) -> Reply<'_, Listing<SegmentName>> {
        Box::pin(async move {
            let values = vec![id_value(device), number(from.max(1))];
            let mut call = self.call("listing segments", sql::LIST, values);
            call.bytes = LISTING;
            let (rows, _) = self.calls.ask(&call).await?;
            let mut listing = Listing::default();
            for row in &rows {
                let (first, last): (i64, i64) = (self.field(row, 0)?, self.field(row, 1)?);
                let name = match last {
                    0 => format!("{first}.seg"),
                    last => format!("{first}-{last}.pack"),
                };
                match SegmentName::parse(device, &name) {
                    Some(name) => listing.names.push(name),
                    None => listing.tell_strange(|| format!("{device}/{name}")),
                }
            }
            listing.names.sort_unstable();
            Ok(listing)
        })
    }

    fn get(&self, name: SegmentName) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let mut values = key(name);
            values.push(length(SEGMENT_MAX));
            let mut call = self.call(format!("reading {name}"), sql::GET, values);
            (call.limit, call.bytes) = (LONG, SEGMENT_MAX);
            let (rows, _) = self.calls.ask(&call).await?;
            self.bytes(&rows, name.to_string())
        })
    }

    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> Reply<'_, Put> {
        Box::pin(async move {
            writable(name, &sealed, &self.place())?;
            let mut values = key(name);
            values.push(Value::Bytes(sealed));
            let mut call = self.call(format!("writing {name}"), sql::PUT, values);
            call.limit = LONG;
            let (_, written) = self.as_owner(name.device, call).await?;
            Ok(put_of(written))
        })
    }

    fn set_head(&self, head: Head) -> Reply<'_, ()> {
        Box::pin(async move {
            let values = vec![id_value(head.device), number(head.seq)];
            let call = self.call("setting the head", sql::SET_HEAD, values);
            self.as_owner(head.device, call).await?;
            Ok(())
        })
    }

    fn publish(&self, name: SegmentName, sealed: Vec<u8>, head: Head) -> Reply<'_, Put> {
        Box::pin(async move {
            writable(name, &sealed, &self.place())?;
            let mut values = key(name);
            values.extend([Value::Bytes(sealed), number(head.seq)]);
            let mut call = self.call(format!("writing {name}"), sql::PUBLISH, values);
            call.limit = LONG;
            let (rows, _) = self.as_owner(name.device, call).await?;
            let written: i64 = match rows.first() {
                Some(row) => self.field(row, 0)?,
                None => 0,
            };
            Ok(put_of(u64::try_from(written).unwrap_or(0)))
        })
    }

    fn delete_own(&self, name: SegmentName) -> Reply<'_, ()> {
        Box::pin(async move {
            let call = self.call(format!("removing {name}"), sql::DELETE, key(name));
            self.as_owner(name.device, call).await?;
            Ok(())
        })
    }

    fn objects(&self, kind: ObjectKind) -> Reply<'_, Listing<ObjectName>> {
        Box::pin(async move {
            let values = vec![Value::Text(kind.word().to_owned())];
            let mut call = self.call("listing objects", sql::OBJECTS, values);
            call.bytes = LISTING;
            let (rows, _) = self.calls.ask(&call).await?;
            let mut listing = Listing::default();
            for row in &rows {
                let name: String = self.field(row, 0)?;
                match ObjectName::parse(kind, &name) {
                    Some(name) => listing.names.push(name),
                    None => listing.tell_strange(|| format!("{}/{name}", kind.word())),
                }
            }
            Ok(listing)
        })
    }

    fn get_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, Vec<u8>> {
        Box::pin(async move {
            let mut values = object(name);
            values.push(length(OBJECT_MAX));
            let mut call = self.call(format!("reading {name}"), sql::GET_OBJECT, values);
            call.bytes = OBJECT_MAX;
            let (rows, _) = self.calls.ask(&call).await?;
            self.bytes(&rows, name.to_string())
        })
    }

    fn get_objects<'a>(&'a self, names: &'a [ObjectName]) -> Reply<'a, Objects> {
        Box::pin(async move {
            let Some(kind) = names.first().map(|name| name.kind) else {
                return Ok(Objects::new());
            };
            let asked = names.iter().take(OBJECTS_MAX);
            let mut asked: Vec<ObjectName> =
                asked.filter(|name| name.kind == kind).cloned().collect();
            let texts = asked.iter().map(|name| name.name.clone()).collect();
            let values = vec![
                Value::Text(kind.word().to_owned()),
                Value::Texts(texts),
                length(OBJECT_MAX),
                length(OBJECT_MAX),
            ];
            let mut call = self.call("reading small objects", sql::GET_OBJECTS, values);
            (call.limit, call.bytes) = (LONG, OBJECT_MAX);
            let (rows, _) = self.calls.ask(&call).await?;
            let place = self.place();
            let mut found = Objects::new();
            for row in &rows {
                let (name, len): (String, i64) = (self.field(row, 0)?, self.field(row, 1)?);
                let Some(at) = asked.iter().position(|asked| asked.name == name) else {
                    continue;
                };
                let name = asked.swap_remove(at);
                match self.field(row, 2)? {
                    Some(bytes) => found.push((name, Ok(bytes))),
                    None if usize::try_from(len).is_ok_and(|len| len <= OBJECT_MAX) => {}
                    None => {
                        let why = RemoteError::TooLong {
                            name: name.to_string(),
                            place: place.clone(),
                        };
                        found.push((name, Err(why)));
                    }
                }
            }
            // What has no row is not there.
            found.extend(asked.into_iter().map(|name| {
                let why = RemoteError::NotFound {
                    name: name.to_string(),
                    place: place.clone(),
                };
                (name, Err(why))
            }));
            Ok(found)
        })
    }

    fn put_object<'a>(&'a self, name: &'a ObjectName, bytes: Vec<u8>) -> Reply<'a, Put> {
        Box::pin(async move {
            if bytes.len() > OBJECT_MAX {
                let (name, place) = (name.to_string(), self.place());
                return Err(RemoteError::TooLong { name, place });
            }
            let mut values = object(name);
            values.push(Value::Bytes(bytes));
            let call = self.call(format!("writing {name}"), sql::PUT_OBJECT, values);
            let (_, written) = self.calls.ask(&call).await?;
            Ok(put_of(written))
        })
    }

    fn delete_object<'a>(&'a self, name: &'a ObjectName) -> Reply<'a, ()> {
        Box::pin(async move {
            let call = self.call(format!("removing {name}"), sql::DELETE_OBJECT, object(name));
            self.calls.ask(&call).await?;
            Ok(())
        })
    }

    fn set_presence(&self, device: DeviceId, sealed: Option<Vec<u8>>) -> Reply<'_, bool> {
        Box::pin(async move {
            let mut values = vec![id_value(device)];
            let text = match sealed {
                None => sql::DELETE_PRESENCE,
                Some(sealed) => {
                    values.push(Value::Bytes(sealed));
                    sql::SET_PRESENCE
                }
            };
            let call = self.call("saying what is open", text, values);
            self.as_owner(device, call).await?;
            Ok(true)
        })
    }

    fn presences(&self) -> Reply<'_, Option<Presences>> {
        Box::pin(async move {
            let values = vec![length(PRESENCE_MAX), length(PRESENCES_MAX)];
            let mut call = self.call("reading what others have open", sql::PRESENCES, values);
            call.bytes = PRESENCES_MAX * (PRESENCE_MAX + 64);
            let (rows, _) = self.calls.ask(&call).await?;
            let mut found = Presences::new();
            for row in &rows {
                let (id, sealed): (Vec<u8>, Vec<u8>) = (self.field(row, 0)?, self.field(row, 1)?);
                found.extend(EntityId::from_slice(&id).map(|id| (DeviceId(id), sealed)));
            }
            Ok(Some(found))
        })
    }
}

fn object(name: &ObjectName) -> Vec<Value> {
    vec![
        Value::Text(name.kind.word().to_owned()),
        Value::Text(name.name.clone()),
    ]
}

//! The small objects: who belongs to the space and who has which key. They are read rarely, and mended by whoever sees
//! that something is missing.

use zeroize::Zeroizing;

use super::wait::{heard, within};
use super::{Round, SyncEngine, object_fact};
use crate::domain::ids::DeviceId;
use crate::domain::op::{Change, Op, Value};
use crate::domain::time::Time;
use crate::store::Logged;
use crate::sync::identity::Public;
use crate::sync::keyring::{self, Ring};
use crate::sync::names::{ObjectKind, ObjectName};
use crate::sync::random::{Random, draw};
use crate::sync::remote::{OBJECT_MAX, OBJECTS_MAX, RemoteError};
use crate::sync::roster::{Claim, Roster, Statement, hash};
use crate::sync::{SyncError, Trouble};

/// The kinds that make up roster and keys.
const KINDS: [ObjectKind; 2] = [ObjectKind::Roster, ObjectKind::Keyring];

impl SyncEngine {
    /// Reads what is new among the small objects, and puts back what is missing.
    pub(crate) async fn look_through(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let mut missing = self.objects();
        for kind in KINDS {
            let reply = cx.remote.objects(kind);
            let listing =
                within(self.limits.deadline, cx.remote, "listing the roster", reply).await?;
            cx.strange(listing.strange);
            let founded = listing
                .names
                .iter()
                .any(|name| name.name == self.space.to_string());
            if kind == ObjectKind::Roster && !listing.names.is_empty() && !founded {
                return Err(SyncError::refused(format!(
                    "{} holds another space; name the right place, or an empty one",
                    cx.remote.place()
                )));
            }
            let mut new = Vec::new();
            for name in listing.names {
                let known = missing.iter().position(|(have, _)| *have == name);
                if let Some(at) = known {
                    missing.swap_remove(at);
                } else if !self.unreadable.contains_key(&name.to_string()) {
                    new.push(name);
                }
            }
            self.fetch_objects(cx, new).await?;
        }
        for (name, bytes) in missing {
            let reply = cx.remote.put_object(&name, bytes);
            within(self.limits.deadline, cx.remote, "mending the roster", reply).await?;
        }
        self.judge();
        (self.look_through, self.looked) = (false, true);
        // What could not be read may be readable now.
        self.parked.clear();
        Ok(())
    }

    /// Everything that is known, as it should stand in the remote.
    fn objects(&self) -> Vec<(ObjectName, Vec<u8>)> {
        let roster = self
            .statements
            .values()
            .map(|one| (ObjectKind::Roster, one.bytes()));
        let keys = self
            .keyrings
            .values()
            .map(|bytes| (ObjectKind::Keyring, bytes.as_slice()));
        roster
            .chain(keys)
            .map(|(kind, bytes)| (ObjectName::of(kind, bytes), bytes.to_vec()))
            .collect()
    }

    /// Reads objects, many in one answer: a first sync has dozens, and each would cost a round trip.
    async fn fetch_objects(
        &mut self,
        cx: &Round<'_>,
        mut names: Vec<ObjectName>,
    ) -> Result<(), SyncError> {
        while !names.is_empty() {
            let asked = names.get(..OBJECTS_MAX).unwrap_or(&names);
            let patience = self.patience(OBJECT_MAX);
            let reply = cx.remote.get_objects(asked);
            let found = within(patience, cx.remote, "reading the roster", reply).await?;
            let left = names.len();
            for (name, read) in found {
                // What was not asked for is nothing that anybody waits for.
                if let Some(at) = names.iter().position(|asked| *asked == name) {
                    names.swap_remove(at);
                    self.take_fetched(cx, &name, read).await?;
                }
            }
            if names.len() == left {
                return Err(RemoteError::Failed {
                    attempt: "reading the roster".to_owned(),
                    place: cx.remote.place(),
                    why: "it tells nothing of what it lists".to_owned(),
                }
                .into());
            }
        }
        Ok(())
    }

    /// Judges one object and remembers it at once: what is in memory alone would be missing after the next start.
    async fn take_fetched(
        &mut self,
        cx: &Round<'_>,
        name: &ObjectName,
        read: Result<Vec<u8>, RemoteError>,
    ) -> Result<(), SyncError> {
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(RemoteError::NotFound { .. }) => return Ok(()),
            Err(why @ RemoteError::TooLong { .. }) => {
                self.unreadable.insert(name.to_string(), why.to_string());
                return Ok(());
            }
            Err(why) => return Err(why.into()),
        };
        if ObjectName::of(name.kind, &bytes) != *name || !is_object(&bytes) {
            let why = "it is not what was written, or a newer program wrote it";
            self.unreadable.insert(name.to_string(), why.to_owned());
            return Ok(());
        }
        let fact = (object_fact(name.kind, &name.name), Some(bytes.clone()));
        heard(|reply| cx.store.keep(vec![fact], reply)).await?;
        self.take_object(&bytes);
        Ok(())
    }

    /// Takes an object in; whether it is one.
    pub(super) fn take_object(&mut self, bytes: &[u8]) -> bool {
        if let Some(statement) = Statement::read(bytes) {
            self.statements.insert(statement.hash(), statement);
        } else if keyring::author(bytes).is_some() {
            self.keyrings.insert(hash(bytes), bytes.to_vec());
        } else {
            return false;
        }
        true
    }

    /// Makes roster and ring anew from all that is known.
    pub(super) fn judge(&mut self) {
        let statements: Vec<Statement> = self.statements.values().cloned().collect();
        let (roster, void) = Roster::of(self.space, &statements);
        let objects = self.keyrings.values().map(Vec::as_slice);
        let (ring, bad) = Ring::of(self.space, objects, &roster, &self.identity);
        let mut worthless = std::collections::BTreeMap::new();
        for hash in void {
            let bytes = self.statements.get(&hash).map(Statement::bytes);
            let name = ObjectName::of(ObjectKind::Roster, bytes.unwrap_or_default());
            worthless.insert(name.to_string(), "its author may not say so");
        }
        for (hash, why) in bad {
            let bytes = self.keyrings.get(&hash).map(Vec::as_slice);
            let name = ObjectName::of(ObjectKind::Keyring, bytes.unwrap_or_default());
            worthless.insert(name.to_string(), why);
        }
        self.worthless = worthless;
        (self.roster, self.ring) = (roster, ring);
    }

    pub(super) fn report_worthless(&self, cx: &mut Round<'_>) {
        let unreadable = self
            .unreadable
            .iter()
            .map(|(name, why)| (name, why.as_str()));
        let worthless = self.worthless.iter().map(|(name, why)| (name, *why));
        let troubles = unreadable
            .chain(worthless)
            .map(|(name, why)| Trouble::BadObject {
                name: name.clone(),
                why: why.to_owned(),
            });
        cx.report.troubles.extend(troubles);
    }

    /// Puts an object into the remote, then remembers it.
    pub(crate) async fn issue(
        &mut self,
        cx: &Round<'_>,
        kind: ObjectKind,
        bytes: Vec<u8>,
    ) -> Result<(), SyncError> {
        let name = ObjectName::of(kind, &bytes);
        let reply = cx.remote.put_object(&name, bytes.clone());
        within(
            self.limits.deadline,
            cx.remote,
            "writing to the roster",
            reply,
        )
        .await?;
        self.take_object(&bytes);
        let fact = (object_fact(kind, &name.name), Some(bytes));
        heard(|reply| cx.store.keep(vec![fact], reply)).await?;
        self.judge();
        Ok(())
    }

    /// Does for the space what anybody who sees it should do: a new key when somebody left who has the newest, keys for
    /// whoever lacks them, and a word for operations of a retired device that are here and do not count yet.
    pub(crate) async fn tend(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let known = heard(|reply| cx.store.known(reply)).await?;
        for (device, seq) in known {
            let retired = self
                .roster
                .member(device)
                .and_then(|member| member.retired.as_ref());
            if retired.is_some_and(|retired| seq > retired.last) {
                let claim = self.retirement(device, seq);
                let statement = Statement::sign(Some(self.space), cx.now, claim, &self.identity);
                self.issue(cx, ObjectKind::Roster, statement.bytes().to_vec())
                    .await?;
            }
        }
        if self.ring.current(&self.roster).is_none() {
            self.new_key(cx).await?;
        }
        let lacking = self.ring.lacking(&self.roster);
        if !lacking.is_empty() {
            let bytes = keyring::wrap(
                self.space,
                self.ring.keys(),
                &lacking,
                &self.identity,
                cx.random,
            )?;
            self.issue(cx, ObjectKind::Keyring, bytes).await?;
        }
        Ok(())
    }

    /// Makes a key of the next number and wraps it to every member.
    pub(crate) async fn new_key(&mut self, cx: &mut Round<'_>) -> Result<(), SyncError> {
        let members: Vec<Public> = self.roster.active().map(|member| member.public).collect();
        let bytes = first_or_next(self, &members, cx.random)?;
        self.issue(cx, ObjectKind::Keyring, bytes).await
    }

    /// That `device` belongs no longer, up to operation `last`, keeping all that is known of its words.
    pub(crate) fn retirement(&self, device: DeviceId, last: u64) -> Claim {
        let said = self.statements.values().filter(|one| one.author == device);
        let given = self
            .keyrings
            .iter()
            .filter(|(_, bytes)| keyring::author(bytes) == Some(device));
        let retired = self
            .roster
            .member(device)
            .and_then(|member| member.retired.as_ref());
        // Of a device that is retired already, nothing new is kept.
        let counts = |hash: &[u8; 16]| {
            let member = self.roster.member(device);
            retired.is_none() || member.is_some_and(|member| member.vouches_for(hash))
        };
        Claim::Retired {
            device,
            last,
            keeps: said
                .map(Statement::hash)
                .chain(given.map(|(hash, _)| *hash))
                .filter(counts)
                .collect(),
        }
    }

    /// Takes in what the log itself says about devices: a remote that hides a statement must hide the whole log.
    pub(super) fn read_log(&mut self, ops: &[Logged]) -> Vec<(String, Option<Vec<u8>>)> {
        let mut facts = Vec::new();
        for op in ops {
            if !op.body.windows(MARK.len()).any(|piece| piece == MARK) {
                continue;
            }
            let Ok(Some(Op {
                change: Change::Record { fields, .. },
                ..
            })) = Op::decode(&op.body)
            else {
                continue;
            };
            let Some(bytes) = fields.get("signed").and_then(Value::as_bytes) else {
                continue;
            };
            if Statement::read(bytes).is_some() && self.take_object(bytes) {
                let name = ObjectName::of(ObjectKind::Roster, bytes);
                facts.push((object_fact(name.kind, &name.name), Some(bytes.to_vec())));
                self.look_through = true;
            }
        }
        if !facts.is_empty() {
            self.judge();
        }
        facts
    }
}

fn is_object(bytes: &[u8]) -> bool {
    Statement::read(bytes).is_some() || keyring::author(bytes).is_some()
}

/// How the body of an operation about a device begins to say so, in CBOR.
const MARK: &[u8] = b"fentityfdevice";

fn first_or_next(
    engine: &SyncEngine,
    members: &[Public],
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    let key = Zeroizing::new(draw(random)?);
    let number = engine.ring.newest().saturating_add(1);
    let epoch = keyring::epoch(number, &key);
    keyring::wrap(
        engine.space,
        [(epoch, &*key)],
        members,
        &engine.identity,
        random,
    )
}

/// A new space: the founding statement and the first key, for the founder alone.
pub(crate) fn found(
    identity: &crate::sync::Identity,
    now: Time,
    random: &mut dyn Random,
) -> Result<(Statement, Vec<u8>), SyncError> {
    let statement = Statement::sign(None, now, Claim::Founded(identity.public()), identity);
    let space = crate::domain::ids::EntityId::from_bytes(statement.hash());
    let key = Zeroizing::new(draw(random)?);
    let epoch = keyring::epoch(1, &key);
    let keyring = keyring::wrap(
        space,
        [(epoch, &*key)],
        &[identity.public()],
        identity,
        random,
    )?;
    Ok((statement, keyring))
}

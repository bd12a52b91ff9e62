//! A space from one device's side: making one, coming in, letting others in, sending them away, leaving.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::engine::{Round, SyncEngine, found, heard, within};
use super::identity::{Identity, Public};
use super::names::{ObjectKind, ObjectName};
use super::pairing::{self, Admission, Code, Joiner, Proof};
use super::random::Random;
use super::remote::{Put, Remote, RemoteError};
use super::roster::{Claim, Statement};
use super::{SyncError, Trouble, place};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::time::Time;
use crate::store::Store;

/// The file in the sync folder.
const FILE: &str = "space.toml";

/// How long a remote may take for one answer outside of rounds.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// How long a device that was answered may take to show that it knows the code; it looks for the answer every second.
const PROOF_WAIT: std::time::Duration = std::time::Duration::from_secs(60);
/// How often it is looked whether it did.
const PROOF_LOOK: std::time::Duration = std::time::Duration::from_millis(250);

/// Which space this store belongs to and where its bag is: `space.toml` in the sync folder. No secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceConfig {
    /// The space.
    pub space: EntityId,
    /// Where its bag is, as the user named it; what the words mean is for whoever opens remotes.
    pub remote: String,
}

impl SpaceConfig {
    /// Reads the file in `folder`; `None` when this store does not sync.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn load(folder: &Path) -> Result<Option<Self>, SyncError> {
        let path = folder.join(FILE);
        let Some(bytes) = place::read_secret(&path)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        toml::from_str(text)
            .map(Some)
            .map_err(|why| SyncError::Local {
                attempt: format!("reading {}", path.display()),
                why: why.message().to_owned(),
            })
    }

    /// Writes the file; from now on this store syncs.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<(), SyncError> {
        let text = toml::to_string(self).map_err(|why| SyncError::refused(why.to_string()))?;
        place::write_secret(&folder.join(FILE), text.as_bytes())
    }

    /// Removes the file; from now on this store is alone. Keys and log stay.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(folder: &Path) -> Result<(), SyncError> {
        place::remove(&folder.join(FILE))
    }
}

/// The keys of this store's device, made now when there are none.
///
/// # Errors
/// The file cannot be read or written.
pub fn own_identity(
    folder: &Path,
    store: &Store,
    random: &mut dyn Random,
) -> Result<Identity, SyncError> {
    let device = store.device();
    if let Some(identity) = Identity::load(folder, device)? {
        return Ok(identity);
    }
    let identity = Identity::generate(device, random)?;
    identity.keep(folder)?;
    Ok(identity)
}

/// Makes a new space in an empty bag, with this device as its first.
///
/// # Errors
/// The bag holds a space already, or cannot be written.
pub async fn init(
    folder: &Path,
    store: &Store,
    remote: &dyn Remote,
    now: Time,
    random: &mut dyn Random,
) -> Result<SyncEngine, SyncError> {
    let there = within(
        DEADLINE,
        remote,
        "looking for a space",
        remote.objects(ObjectKind::Roster),
    )
    .await?;
    if !there.names.is_empty() {
        return Err(SyncError::refused(format!(
            "{} holds a space already; run `qd sync join` to come in, or name an empty place",
            remote.place()
        )));
    }
    let identity = own_identity(folder, store, random)?;
    let (statement, keyring) = found(&identity, now, random)?;
    let space = EntityId::from_bytes(statement.hash());
    let mut facts = Vec::new();
    for (kind, bytes) in [
        (ObjectKind::Keyring, keyring),
        (ObjectKind::Roster, statement.bytes().to_vec()),
    ] {
        let name = ObjectName::of(kind, &bytes);
        within(
            DEADLINE,
            remote,
            "writing the roster",
            remote.put_object(&name, bytes.clone()),
        )
        .await?;
        facts.push((format!("object/{name}"), Some(bytes)));
    }
    heard(|reply| store.keep(facts, reply)).await?;
    SyncEngine::open(folder, space, store).await
}

/// Puts the request of `joiner` into the bag.
///
/// # Errors
/// The bag cannot be written, or another request has the same name.
pub async fn ask_to_join(joiner: &Joiner, remote: &dyn Remote) -> Result<(), SyncError> {
    let name = joiner.code().request_name();
    let put = remote.put_object(&name, joiner.request().to_vec());
    match within(DEADLINE, remote, "writing the request", put).await? {
        Put::Created => Ok(()),
        Put::Exists => Err(SyncError::refused(
            "another request has this code; run `qd sync join` again",
        )),
    }
}

/// Looks for the answer to `joiner`; `None` while there is none.
///
/// # Errors
/// The bag cannot be read.
pub async fn look_for_answer(
    code: &Code,
    remote: &dyn Remote,
) -> Result<Option<Vec<u8>>, SyncError> {
    let name = code.answer_name();
    match within(
        DEADLINE,
        remote,
        "looking for an answer",
        remote.get_object(&name),
    )
    .await
    {
        Ok(bytes) => Ok(Some(bytes)),
        Err(RemoteError::NotFound { .. }) => Ok(None),
        Err(why) => Err(why.into()),
    }
}

/// Shows that this device knows the code, after [`Joiner::hear`]; the other one then lets it in.
///
/// # Errors
/// The bag cannot be written.
pub async fn prove(
    admission: &Admission,
    code: &Code,
    remote: &dyn Remote,
) -> Result<(), SyncError> {
    let name = code.proof_name();
    let put = remote.put_object(&name, admission.proof.to_vec());
    within(DEADLINE, remote, "showing that the code is known", put).await?;
    Ok(())
}

/// Takes away what a pairing has left in the bag.
///
/// # Errors
/// The bag cannot be written.
pub async fn clear_pairing(code: &Code, remote: &dyn Remote) -> Result<(), RemoteError> {
    let names = [code.request_name(), code.answer_name(), code.proof_name()];
    clear_away(&names, remote).await
}

async fn clear_away(names: &[ObjectName], remote: &dyn Remote) -> Result<(), RemoteError> {
    for name in names {
        let gone = remote.delete_object(name);
        within(DEADLINE, remote, "clearing the request away", gone).await?;
    }
    Ok(())
}

/// Waits until the device that shows `code` has shown that it knows it.
async fn await_proof(code: &Code, proof: Proof, remote: &dyn Remote) -> Result<(), SyncError> {
    let (name, request) = (code.proof_name(), code.request_name());
    let since = std::time::Instant::now();
    let mut looks = 0_u32;
    loop {
        looks += 1;
        // Whoever could not open the answer takes its request away. Looked at before the proof: a device that proves and comes
        // in at once takes it away too.
        let gone = looks.is_multiple_of(4)
            && matches!(
                within(
                    DEADLINE,
                    remote,
                    "looking for the request",
                    remote.get_object(&request)
                )
                .await,
                Err(RemoteError::NotFound { .. })
            );
        let look = remote.get_object(&name);
        match within(
            DEADLINE,
            remote,
            "looking for the other device's proof",
            look,
        )
        .await
        {
            Ok(shown) if shown == proof => {
                // It has done its work; whoever showed it leaves it for us, since it may be in the space already.
                drop(remote.delete_object(&name).await);
                return Ok(());
            }
            Err(RemoteError::NotFound { .. }) if gone => {
                return Err(SyncError::refused(
                    "the device with that code has given up, so nobody was let in: perhaps the code was typed wrongly; run `qd sync join` \
                     there again",
                ));
            }
            Ok(_) => {
                return Err(SyncError::refused(
                    "whoever asks to come in does not know the code: somebody between the devices changed something. Nobody was let in; \
                     if it happens twice, do not trust this remote",
                ));
            }
            Err(RemoteError::NotFound { .. }) if since.elapsed() < PROOF_WAIT => {
                tokio::time::sleep(PROOF_LOOK).await;
            }
            Err(RemoteError::NotFound { .. }) => {
                return Err(SyncError::refused(format!(
                    "the device with that code did not go on within {} s, so nobody was let in: it may have given up, or the code was typed \
                     wrongly; run `qd sync join` there again",
                    PROOF_WAIT.as_secs()
                )));
            }
            Err(why) => return Err(why.into()),
        }
    }
}

/// Comes in after [`Joiner::hear`] and [`prove`], once the other device has let this one in: checks that the roster says what the answer said, and that the keys fit, before
/// anything is written. Clears the request away.
///
/// # Errors
/// Roster or keys do not fit the answer. Nothing was written.
pub async fn enter(
    folder: &Path,
    admission: Admission,
    code: &Code,
    store: &Store,
    remote: &dyn Remote,
    now: Time,
    random: &mut dyn Random,
) -> Result<SyncEngine, SyncError> {
    let mut engine = SyncEngine::open(folder, admission.space, store).await?;
    let mut cx = Round::new(store, remote, now, random);
    engine.look_through(&mut cx).await?;
    let by = engine
        .roster()
        .member(admission.by.device)
        .map(|member| member.public);
    let me = engine.identity().public();
    let mine = engine
        .roster()
        .member(me.device)
        .map(|member| member.public);
    if by != Some(admission.by)
        || mine != Some(me)
        || engine.ring().current(engine.roster()).is_none()
    {
        return Err(SyncError::refused(
            "the roster in the remote is not what the other device answered: something is missing or was changed; run \
             `qd sync now` there, then `qd sync join` here again",
        ));
    }
    // The proof is left for whoever waits for it.
    clear_away(&[code.request_name(), code.answer_name()], remote).await?;
    Ok(engine)
}

/// The request that `code` stands for.
async fn request_of(code: &Code, remote: &dyn Remote) -> Result<Vec<u8>, SyncError> {
    let name = code.request_name();
    match within(
        DEADLINE,
        remote,
        "looking for the request",
        remote.get_object(&name),
    )
    .await
    {
        Err(RemoteError::NotFound { .. }) => Err(SyncError::refused(
            "no device in this remote shows that code; look at it again, or run `qd sync join` there anew",
        )),
        other => Ok(other?),
    }
}

impl SyncEngine {
    /// Who shows `code`, so that a person can compare before letting it in.
    ///
    /// # Errors
    /// No device shows this code, or the bag cannot be read.
    pub async fn asking(&self, code: &Code, remote: &dyn Remote) -> Result<Public, SyncError> {
        pairing::asks(&request_of(code, remote).await?)
    }

    /// Lets in the device that shows `code`: answers it, waits until it has shown that it knows the code, and only then gives
    /// it the keys. With `expected`, a device with other keys than those that a person has seen is refused.
    ///
    /// # Errors
    /// No device shows this code, it does not go on within [`PROOF_WAIT`], or the bag cannot be written.
    pub async fn admit(
        &mut self,
        code: &Code,
        expected: Option<Public>,
        store: &Store,
        remote: &dyn Remote,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Public, SyncError> {
        let request = request_of(code, remote).await?;
        let reply = pairing::answer(code, &request, self.space(), self.identity(), now, random)?;
        if expected.is_some_and(|expected| expected != reply.joiner) {
            return Err(SyncError::refused(
                "the request of that code has changed since it was shown; run `qd sync join` there again, and if it happens twice, do \
                 not trust this remote",
            ));
        }
        let put = within(
            DEADLINE,
            remote,
            "answering",
            remote.put_object(&code.answer_name(), reply.answer),
        )
        .await;
        if put? == Put::Exists {
            return Err(SyncError::refused(
                "that code was answered already; run `qd sync join` there again for a new one",
            ));
        }
        await_proof(code, reply.proof, remote).await?;
        self.welcome(reply.joiner, store, remote, now, random)
            .await?;
        Ok(reply.joiner)
    }

    /// Puts a device into the roster and gives it the keys. [`SyncEngine::admit`] does so after it saw a code.
    ///
    /// # Errors
    /// A device of that id was here with other keys, or was retired; or the bag cannot be written.
    pub async fn welcome(
        &mut self,
        device: Public,
        store: &Store,
        remote: &dyn Remote,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<(), SyncError> {
        let mut cx = Round::new(store, remote, now, random);
        self.look_through(&mut cx).await?;
        match self.roster().member(device.device) {
            Some(member) if member.public != device || member.retired.is_some() => {
                return Err(SyncError::refused(format!(
                    "device {} was here before; give that machine a new device id before it joins",
                    device.device
                )));
            }
            Some(_) => {}
            None => {
                self.tend(&mut cx).await?;
                self.say(&cx, "device.added", Claim::Added(device)).await?;
            }
        }
        let bytes = pairing::welcome(
            self.ring(),
            self.space(),
            device,
            self.identity(),
            cx.random,
        )?;
        self.issue(&cx, ObjectKind::Keyring, bytes).await
    }

    /// Sends a device away: what it wrote until now counts, nothing later does, and a new key shuts it out.
    ///
    /// # Errors
    /// It is no member, or the bag cannot be written.
    pub async fn retire(
        &mut self,
        device: DeviceId,
        store: &Store,
        remote: &dyn Remote,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<(), SyncError> {
        let mut cx = Round::new(store, remote, now, random);
        self.look_through(&mut cx).await?;
        if !self.roster().is_active(device) {
            return Err(SyncError::refused(format!(
                "device {device} does not belong to this space; `qd sync devices` lists those that do"
            )));
        }
        let known = heard(|reply| store.known(reply)).await?;
        let last = known
            .iter()
            .find(|(one, _)| *one == device)
            .map_or(0, |(_, seq)| *seq);
        let claim = self.retirement(device, last);
        self.say(&cx, "device.retired", claim).await?;
        if device == self.identity().device() {
            return Ok(());
        }
        self.tend(&mut cx).await
    }

    /// Makes a new key for everything that is written from now on.
    ///
    /// # Errors
    /// The bag cannot be written.
    pub async fn rotate(
        &mut self,
        store: &Store,
        remote: &dyn Remote,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<(), SyncError> {
        let mut cx = Round::new(store, remote, now, random);
        self.look_through(&mut cx).await?;
        if !self.roster().is_active(self.identity().device()) {
            return Err(SyncError::refused(Trouble::Retired.to_string()));
        }
        self.new_key(&mut cx).await
    }

    /// Says something of a device: in the roster, and in the log, so that a remote which hides the one must hide the other.
    async fn say(&mut self, cx: &Round<'_>, name: &str, claim: Claim) -> Result<(), SyncError> {
        let subject = match &claim {
            Claim::Founded(public) | Claim::Added(public) => public.device,
            Claim::Retired { device, .. } => *device,
        };
        let statement = Statement::sign(Some(self.space()), cx.now, claim, self.identity());
        self.issue(cx, ObjectKind::Roster, statement.bytes().to_vec())
            .await?;
        let signed = Value::Bytes(statement.bytes().to_vec());
        let record = Draft::Record {
            entity: Entity {
                kind: EntityKind::Device,
                id: subject.0,
            },
            name: name.to_owned(),
            fields: [("signed".to_owned(), signed)].into(),
        };
        heard(|reply| cx.store.append(vec![record].into(), reply)).await?;
        Ok(())
    }
}

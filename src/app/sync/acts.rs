//! What somebody asks of sync: making a space, coming in, letting in, sending away, leaving. Each ends with words for people.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ask::{SyncAsk, SyncDone, SyncFact, SyncRefusal};
use super::last::Last;
use super::look::{self, Rhythm, heard};
use super::open::Wanted;
use super::space::{self, Live, Space};
use super::worker::Worker;
use crate::app::clock;
use crate::domain::ids::{DeviceId, EntityId, ReqId};
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::time::Time;
use crate::sync::{
    Admission, CODE_LIFE_MS, Code, Identity, Joiner, Remote, Report, SpaceConfig, SyncEngine,
    SyncError, SystemRandom, Trouble, ask_to_join, clear_pairing, enter, init, look_for_answer,
    own_identity, prove,
};

/// How often the joining device looks for an answer.
const ANSWER_LOOK: Duration = Duration::from_secs(1);

/// How long a device that has shown that it knows the code waits until the roster names it.
const LET_IN: Duration = Duration::from_secs(90);

/// How long somebody who asks for a round waits for another process that is at it.
const OTHERS: Duration = Duration::from_secs(30);

/// How often it is looked whether that one is done.
const OTHERS_LOOK: Duration = Duration::from_millis(200);

/// How long the last round before leaving may take, and taking back what was said.
const FAREWELL: Duration = Duration::from_secs(30);

type Acted = Result<SyncDone, SyncRefusal>;

impl Worker {
    /// Does what was asked, and says what came of it.
    pub(super) async fn answer(&mut self, ask: SyncAsk) {
        let req = ask.req();
        if self.space.is_none() && !matches!(ask, SyncAsk::GiveUp { .. }) {
            // A description that cannot be read is not "syncs with nobody".
            match Space::load(&self.folder) {
                Ok(space) => self.space = space,
                Err(why) => return self.front.done(req, Err(why.into())).await,
            }
        }
        // Whoever does this by hand can be asked; rounds that come by themselves ask nobody.
        self.means.behalf.of(Some(req));
        let result = match ask {
            SyncAsk::GiveUp { req } => {
                self.fetches.retain(|fetch| fetch.req() != req);
                return self.means.behalf.of(None);
            }
            SyncAsk::Fetch { row, .. } => {
                self.want(req, &row).await;
                return self.means.behalf.of(None);
            }
            SyncAsk::Status { .. } => {
                self.ready().await.ok();
                self.publish(false).await;
                let said = String::new();
                let status = self.front.status().map(Box::new);
                Ok(SyncDone { said, status })
            }
            SyncAsk::Look { code, .. } => match self.who_asks(req, &code).await {
                Ok(()) => return self.means.behalf.of(None),
                Err(why) => Err(why),
            },
            SyncAsk::Init { remote, name, .. } => self.init(&remote, name).await,
            SyncAsk::Join { remote, name, .. } => self.join(req, &remote, name).await,
            SyncAsk::Admit {
                code, fingerprint, ..
            } => self.admit(&code, &fingerprint).await,
            SyncAsk::Now { .. } => self.now().await,
            SyncAsk::Retire { device, .. } => self.retire(device).await,
            SyncAsk::Rotate { .. } => self.rotate().await,
            SyncAsk::Leave { .. } => self.leave().await,
        };
        self.means.behalf.of(None);
        self.front.done(req, result).await;
    }

    /// The engine of this store's space.
    pub(super) async fn live(&mut self) -> Result<(), SyncRefusal> {
        if self.space.is_none() {
            return Err(SyncRefusal::alone());
        }
        Ok(self.ready().await?)
    }

    fn said(&self, said: String) -> SyncDone {
        let status = self.front.status().map(Box::new);
        SyncDone { said, status }
    }

    async fn init(&mut self, remote: &str, name: Option<String>) -> Acted {
        if let Some(space) = &self.space {
            return Err(already(space));
        }
        let opening = space::open(remote, &self.means, Wanted::New);
        let bag = self.front.attend(opening).await?;
        let mut random = SystemRandom;
        let making = init(&self.folder, &self.store, &*bag, clock::now(), &mut random);
        let engine = self.front.attend(making).await?;
        self.belong(engine, bag, remote)?;
        let name = self.name(name).await?;
        let trouble = self.rounds().await;
        let print = self.fingerprint();
        let shown = space::shown(remote);
        let mut said = format!(
            "{shown} holds a new space now, with this device as its first: {name}, fingerprint {print}\n\
             on another device: `qd sync join {}`, then here `qd sync admit CODE`",
            space::quoted(&shown)
        );
        if let Some(trouble) = trouble {
            said.push_str(&format!("\nyet: {trouble}"));
        }
        Ok(self.said(said))
    }

    /// From now on this store belongs to a space.
    fn belong(
        &mut self,
        engine: SyncEngine,
        remote: Box<dyn Remote>,
        words: &str,
    ) -> Result<(), SyncRefusal> {
        let config = SpaceConfig {
            space: engine.space(),
            remote: words.trim().to_owned(),
        };
        config.keep(&self.folder)?;
        self.space = Some(Space {
            config,
            live: Some(Live { engine, remote }),
            last: Last::default(),
        });
        self.rhythm = Rhythm::new(Instant::now());
        Ok(())
    }

    fn fingerprint(&self) -> String {
        let live = self.space.as_ref().and_then(|space| space.live.as_ref());
        let public = live.map(|live| live.engine.identity().public());
        public
            .map(|public| public.fingerprint())
            .unwrap_or_default()
    }

    async fn join(&mut self, req: ReqId, remote: &str, name: Option<String>) -> Acted {
        self.ready().await.ok();
        if let Some(space) = &self.space {
            if !self.is_retired() {
                return Err(already(space));
            }
            // It was sent away, and wants to come back: as another device, because the old one is gone for ever.
            self.forget().await?;
        }
        let opening = space::open(remote, &self.means, Wanted::There);
        let bag = self.front.attend(opening).await?;
        let mut random = SystemRandom;
        let identity = own_identity(&self.folder, &self.store, &mut random)?;
        let joiner = Joiner::start(&identity, clock::now(), &mut random)?;
        let code = joiner.code().clone();
        self.front.attend(ask_to_join(&joiner, &*bag)).await?;
        let fact = SyncFact::Code {
            req,
            code: code.to_string(),
            fingerprint: identity.public().fingerprint(),
            until: clock::now().plus(CODE_LIFE_MS),
        };
        self.front.tell(fact).await;
        let joined = self.come_in(req, joiner, &code, &*bag).await;
        let (engine, by) = match joined {
            Ok(joined) => joined,
            Err(why) => {
                // Nobody is to be let in by a code that nobody waits with.
                self.front.attend(clear_pairing(&code, &*bag)).await.ok();
                return Err(why);
            }
        };
        self.belong(engine, bag, remote)?;
        // The first round brings the names of the others, among which this device's must be its own.
        let trouble = self.rounds().await;
        let learned = self.space.as_ref().map_or(0, |space| space.last.learned);
        let name = self.name(name).await?;
        let trouble = trouble.or(self.rounds().await);
        let print = self.fingerprint();
        let mut said = format!(
            "this device belongs to the space of {} now: {name}, fingerprint {print}; let in by {by}, {learned} changes came in",
            space::shown(remote)
        );
        if let Some(trouble) = trouble {
            said.push_str(&format!("\nyet: {trouble}"));
        }
        Ok(self.said(said))
    }

    /// From the shown code to the engine of the space; also who let us in.
    async fn come_in(
        &mut self,
        req: ReqId,
        joiner: Joiner,
        code: &Code,
        bag: &dyn Remote,
    ) -> Result<(SyncEngine, String), SyncRefusal> {
        let given_up = || {
            SyncRefusal::new(
                2,
                "nobody waits for this code any more, so it was taken back",
            )
        };
        let answer = self.front.wait_in(req, answered(&joiner, code, bag)).await;
        let answer = answer.ok_or_else(given_up)??;
        let admission = joiner.hear(&answer, clock::now())?;
        let shown = prove(&admission, code, bag);
        self.front.attend(shown).await?;
        let entering = entered(self, admission, code, bag);
        let by = admission.by.fingerprint();
        Ok((entering.await?, format!("the device with fingerprint {by}")))
    }

    async fn who_asks(&mut self, req: ReqId, code: &str) -> Result<(), SyncRefusal> {
        let code = typed(code)?;
        self.live().await?;
        let Some(live) = self.space.as_ref().and_then(|space| space.live.as_ref()) else {
            return Err(SyncRefusal::alone());
        };
        let asking = live.engine.asking(&code, &*live.remote);
        let public = self.front.attend(asking).await.map_err(|why| match why {
            // The one thing that is refused here is a code that nobody shows.
            SyncError::Refused { why } => SyncRefusal::new(3, why),
            why => why.into(),
        })?;
        let fact = SyncFact::Asking {
            req,
            device: public.device,
            fingerprint: public.fingerprint(),
        };
        self.front.tell(fact).await;
        Ok(())
    }

    async fn admit(&mut self, code: &str, fingerprint: &str) -> Acted {
        let code = typed(code)?;
        self.live().await?;
        let (front, store) = (&mut self.front, &self.store);
        let Some(live) = self.space.as_mut().and_then(|space| space.live.as_mut()) else {
            return Err(SyncRefusal::alone());
        };
        let mut random = SystemRandom;
        let Live { engine, remote } = live;
        let admitting = async {
            let seen = engine.asking(&code, &**remote).await?;
            if seen.fingerprint() != fingerprint {
                return Err(SyncRefusal::new(
                    2,
                    "the request of that code has changed since it was shown, so nobody was let in; run `qd sync join` there again",
                ));
            }
            let now = clock::now();
            let admitted = engine
                .admit(&code, Some(seen), store, &**remote, now, &mut random)
                .await?;
            Ok(admitted)
        };
        let public = front.attend(admitting).await?;
        let trouble = self.rounds().await;
        let mut said = format!(
            "the device with fingerprint {} is in; its name comes with its first changes",
            public.fingerprint()
        );
        if let Some(trouble) = trouble {
            said.push_str(&format!("\nyet: {trouble}"));
        }
        Ok(self.said(said))
    }

    async fn now(&mut self) -> Acted {
        if self.space.is_none() {
            return Err(SyncRefusal::alone());
        }
        if let Some(trouble) = self.rounds().await {
            return Err(SyncRefusal::new(1, trouble));
        }
        if !self.job.auto {
            // An app does this in the background.
            if let Some(trouble) = self.share_all().await {
                return Err(SyncRefusal::new(1, trouble));
            }
        }
        let last = self.space.as_ref().map(|space| space.last.clone());
        let last = last.unwrap_or_default();
        Ok(self.said(format!(
            "synced: {} sent, {} came in",
            last.published, last.learned
        )))
    }

    /// Rounds until nothing is left to send or to fetch; what is not in order afterwards, for people.
    async fn rounds(&mut self) -> Option<String> {
        self.more_rounds(false).await
    }

    /// The same; `goes_on`: they belong to the request of those before.
    pub(super) async fn more_rounds(&mut self, mut goes_on: bool) -> Option<String> {
        let since = Instant::now();
        loop {
            let report = self.round(goes_on).await?;
            if report.error == Some(SyncError::Elsewhere) && since.elapsed() < OTHERS {
                self.front.attend(sleep(OTHERS_LOOK)).await;
                continue;
            }
            let more = report.more || report.pending > 0;
            if !more || report.error.is_some() || still(&report) {
                break;
            }
            goes_on = true;
        }
        self.space.as_ref()?.last.words()
    }

    async fn retire(&mut self, device: DeviceId) -> Acted {
        self.live().await?;
        if device == self.store.device() {
            return Err(SyncRefusal::new(
                2,
                "that is this device; `qd sync leave` stops syncing here, and another device can retire this one",
            ));
        }
        // What it has sent so far counts, so it is fetched first.
        let first = self.rounds().await;
        let (front, store) = (&mut self.front, &self.store);
        let Some(live) = self.space.as_mut().and_then(|space| space.live.as_mut()) else {
            return Err(SyncRefusal::alone());
        };
        let mut random = SystemRandom;
        let Live { engine, remote } = live;
        let retiring = engine.retire(device, store, &**remote, clock::now(), &mut random);
        front.attend(retiring).await?;
        let rows = look::rows(&self.store).await.unwrap_or_default();
        let row = rows.iter().find(|row| row.id == device);
        let name = row
            .map(|row| row.name.clone())
            .filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| crate::domain::sync::short_device(device));
        let seq = row.map_or(0, |row| row.seq);
        let trouble = self.rounds().await.or(first);
        let mut said = format!(
            "{name} is retired: its {seq} changes stay, nothing later counts, and it cannot read what is written from now on. What it \
             had read it keeps: change the passwords that stood there"
        );
        if let Some(trouble) = trouble {
            said.push_str(&format!("\nyet: {trouble}"));
        }
        Ok(self.said(said))
    }

    async fn rotate(&mut self) -> Acted {
        self.live().await?;
        let (front, store) = (&mut self.front, &self.store);
        let Some(live) = self.space.as_mut().and_then(|space| space.live.as_mut()) else {
            return Err(SyncRefusal::alone());
        };
        let mut random = SystemRandom;
        let Live { engine, remote } = live;
        let rotating = engine.rotate(store, &**remote, clock::now(), &mut random);
        front.attend(rotating).await?;
        let trouble = self.rounds().await;
        let mut said =
            "what is written from now on is sealed with a new key; the devices of the space have it already".to_owned();
        if let Some(trouble) = trouble {
            said.push_str(&format!("\nyet: {trouble}"));
        }
        Ok(self.said(said))
    }

    async fn leave(&mut self) -> Acted {
        let Some(space) = &self.space else {
            return Err(SyncRefusal::alone());
        };
        let remote = space::shown(&space.config.remote);
        let name = self.called().await;
        let last = tokio::time::timeout(FAREWELL, self.rounds()).await;
        let retired = self.is_retired();
        self.forget().await?;
        self.publish(false).await;
        let mut said = format!(
            "this store syncs with nobody now. All tickets, runs and sessions stay here, and what was sent stays in {remote}"
        );
        if retired {
            said.push_str("; it was sent away, so it comes back only as a new device");
            return Ok(self.said(said));
        }
        said.push_str(&format!(
            "; the others still count this device until one of them says `qd sync retire {name}`"
        ));
        match last {
            Ok(None) => {}
            Ok(Some(why)) => said.push_str(&format!("\nthe last round did not go well: {why}")),
            Err(_) => said.push_str(&format!(
                "\nthe last round was cut off after {} s: what had not gone out stays here alone",
                FAREWELL.as_secs()
            )),
        }
        Ok(self.said(said))
    }

    /// What this device is called in its space.
    async fn called(&self) -> String {
        let me = self.store.device();
        let rows = look::rows(&self.store).await.unwrap_or_default();
        let row = rows.into_iter().find(|row| row.id == me);
        let name = row.map(|row| row.name).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| crate::domain::sync::short_device(me))
    }

    fn is_retired(&self) -> bool {
        let live = self.space.as_ref().and_then(|space| space.live.as_ref());
        live.is_some_and(|live| !live.engine.roster().is_active(self.store.device()))
    }

    /// Forgets the space: where it is, and what was known of its bag. Log and keys stay. A device that was sent away becomes
    /// another one, with all that nobody has taken in, so that it may come in again some day.
    async fn forget(&mut self) -> Result<(), SyncRefusal> {
        let retired = self.space.as_ref().and_then(|space| {
            let live = space.live.as_ref()?;
            let member = live.engine.roster().member(self.store.device())?;
            member.retired.as_ref().map(|retired| retired.last)
        });
        if let Some(Space {
            live: Some(live), ..
        }) = &self.space
        {
            let mut random = SystemRandom;
            let what = (clock::now(), "", &[][..]);
            let silent = live.engine.say_presence(&*live.remote, what, &mut random);
            tokio::time::timeout(FAREWELL, silent).await.ok();
        }
        SpaceConfig::forget(&self.folder)?;
        Last::forget(&self.folder);
        self.space = None;
        let facts = heard(|reply| self.store.kept("", reply))
            .await
            .map_err(SyncError::from)?;
        let gone = facts.into_iter().map(|(name, _)| (name, None)).collect();
        heard(|reply| self.store.keep(gone, reply))
            .await
            .map_err(SyncError::from)?;
        if let Some(last) = retired {
            let mut random = SystemRandom;
            let seed = clock::seed().map_err(|why| SyncRefusal::new(1, why.to_string()))?;
            let id = EntityId::from_slice(&seed[..16]).unwrap_or(self.store.device().0);
            let fresh = Identity::generate(DeviceId(id), &mut random)?;
            fresh.keep(&self.folder)?;
            heard(|reply| self.store.depart(last, DeviceId(id), reply))
                .await
                .map_err(SyncError::from)?;
        }
        Ok(())
    }

    /// Gives this device a name that no other of the space has: the wanted one, the one that it has, or its host's.
    pub(super) async fn name(&mut self, wanted: Option<String>) -> Result<String, SyncRefusal> {
        let me = self.store.device();
        let rows = look::rows(&self.store).await.map_err(SyncError::from)?;
        let own = rows.iter().find(|row| row.id == me);
        let own = own
            .map(|row| row.name.clone())
            .filter(|name| !name.is_empty());
        let taken: Vec<&str> = rows
            .iter()
            .filter(|row| row.id != me)
            .map(|row| row.name.as_str())
            .collect();
        let name = match (wanted, own) {
            (None, Some(own)) => return Ok(own),
            (Some(wanted), _) => look::free_name(&wanted, &taken),
            (None, None) => look::free_name(&host_name(), &taken),
        };
        let draft = Draft::Set {
            entity: Entity {
                kind: EntityKind::Device,
                id: me.0,
            },
            field: "name".to_owned(),
            value: Value::from(name.as_str()),
        };
        heard(|reply| self.store.append(vec![draft].into(), reply))
            .await
            .map_err(SyncError::from)?;
        self.rhythm.hurry(Instant::now());
        Ok(name)
    }
}

/// Whether another round would do just the same.
fn still(report: &Report) -> bool {
    report.is_idle() || report.troubles.contains(&Trouble::Retired)
}

fn already(space: &Space) -> SyncRefusal {
    let place = space::shown(&space.config.remote);
    SyncRefusal::new(
        4,
        format!(
            "this store belongs to the space of {place} already; `qd sync leave` leaves it, and everything stays"
        ),
    )
}

fn typed(code: &str) -> Result<Code, SyncRefusal> {
    Code::parse(code).ok_or_else(|| {
        SyncRefusal::new(
            2,
            format!(
                "{code:?} is no code; it has twelve letters and digits, such as 7K3F-9QXA-2M0D, and stands on the new device"
            ),
        )
    })
}

/// What this machine calls itself, up to the first dot.
fn host_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Waits for the answer to a code. A remote that cannot be reached for a while is no reason to give up.
async fn answered(joiner: &Joiner, code: &Code, bag: &dyn Remote) -> Result<Vec<u8>, SyncRefusal> {
    loop {
        let look = match look_for_answer(code, bag).await {
            Ok(Some(answer)) => return Ok(answer),
            Err(why) if why.is_permanent() => return Err(why.into()),
            look => look,
        };
        if !joiner.is_alive(clock::now()) {
            let why = look.err();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            return Err(SyncRefusal::new(
                124,
                format!(
                    "nobody let this device in while its code was good{why}; run `qd sync join` again, then `qd sync admit CODE` on a \
                     device of the space"
                ),
            ));
        }
        sleep(ANSWER_LOOK).await;
    }
}

/// Comes in once the roster names us; it may take a moment until all of it has come through the bag.
async fn entered(
    worker: &mut Worker,
    admission: Admission,
    code: &Code,
    bag: &dyn Remote,
) -> Result<SyncEngine, SyncRefusal> {
    let since = Instant::now();
    let (front, store, folder) = (&mut worker.front, &worker.store, &worker.folder);
    loop {
        let mut random = SystemRandom;
        let now: Time = clock::now();
        let entering = enter(folder, admission, code, store, bag, now, &mut random);
        match front.attend(entering).await {
            Ok(engine) => return Ok(engine),
            Err(why) if since.elapsed() >= LET_IN => return Err(why.into()),
            Err(_) => front.attend(sleep(OTHERS_LOOK)).await,
        }
    }
}

//! All connections: one for each destination, made once for everybody who waits for it, kept while nobody needs it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::domain::connection::ConnectionRow;
use crate::domain::host::{Effective, Target};

use super::agent;
use super::config::{Resolver, Spec};
use super::engine::{AgentChoice, Closing, EngineOptions};
use super::error::Error;
use super::fact::{Asking, KeysReport, SshFact};
use super::forward::Forwards;
use super::gate::Gates;
use super::jump;
use super::link::{Held, Link, NoChannel, User};
use super::pool::{Flight, Lane, Path, Pool, Trouble};
use super::pulse;
use super::question::Questions;
use super::settings::Settings;
use super::usage::Use;

/// How many connections are being made at once in all; the rest wait.
const IN_ALL: usize = 128;

/// How many connections one destination may have when its server limits the channels of each.
const LINKS: usize = 5;

/// How many destinations are remembered before those that nobody needs are forgotten.
const POOLS: usize = 4096;

/// How long a full connection is waited for before another is made.
pub(super) const CROWDED: Duration = Duration::from_millis(250);

/// How often an ask that found a dead connection or a refusal tries again.
const TRIES: usize = 3;

/// How many agents of people who came in are remembered; the oldest is forgotten.
const AGENTS: usize = 16;

/// How long a server that gave channels before may refuse them: it counts those that just closed until their programs are
/// gone.
pub(super) const LINGER: Duration = Duration::from_secs(10);

/// How a connection is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// What for.
    pub(crate) what: Use,
    /// On whose behalf; whether a person may be asked.
    pub(crate) asking: Asking,
    /// Nobody waits for it, so it keeps to the pauses after a failure.
    pub(crate) background: bool,
}

/// Makes and keeps connections.
pub(crate) struct Manager {
    /// For the tasks it starts, which must not keep it alive.
    me: Weak<Self>,
    pub(super) options: EngineOptions,
    resolver: Resolver,
    pub(super) questions: Arc<Questions>,
    facts: mpsc::Sender<SshFact>,
    closing: Closing,
    // A std mutex: held for look-ups, never across an await.
    pools: Mutex<HashMap<Path, Pool>>,
    /// The forwards through all of them.
    pub(crate) forwards: Arc<Forwards>,
    pub(super) gates: Gates,
    pub(super) all: Semaphore,
    /// Of those who came in, newest first.
    agents: Mutex<Vec<PathBuf>>,
    /// Where programs in panes find the agent.
    pub(super) signpost: agent::Signpost,
    /// The next connection's number.
    next: AtomicU64,
}

impl Manager {
    pub(crate) fn new(
        options: EngineOptions,
        questions: Arc<Questions>,
        facts: mpsc::Sender<SshFact>,
        closing: Closing,
    ) -> Arc<Self> {
        let resolver = Resolver::new(options.ssh_program.clone(), Arc::clone(&options.cache));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            options,
            resolver,
            questions,
            forwards: Forwards::new(facts.clone()),
            facts,
            closing,
            pools: Mutex::default(),
            gates: Gates::default(),
            all: Semaphore::new(IN_ALL),
            agents: Mutex::default(),
            signpost: agent::Signpost::default(),
            next: AtomicU64::new(1),
        })
    }

    /// The effective settings of `target`, or why they cannot be read, in words.
    pub(crate) async fn explain(&self, target: &Target) -> Result<Effective, String> {
        let spec = Spec::of(target);
        let found = self.resolver.resolve(&spec).await;
        found
            .map(|effective| Effective::clone(&effective))
            .map_err(|error| error.to_string())
    }

    /// Somebody came in whose agent is there.
    pub(crate) fn use_agent(&self, socket: PathBuf) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.retain(|known| *known != socket);
        agents.insert(0, socket);
        agents.truncate(AGENTS);
    }

    /// The agent to use now, where the engine has no other orders: of those who came in the newest that still answers, because
    /// the agent of a login ends with it.
    pub(super) fn agent(&self) -> AgentChoice {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = |socket: &&PathBuf| std::os::unix::net::UnixStream::connect(socket).is_ok();
        match (&self.options.agent, agents.iter().find(alive)) {
            (AgentChoice::FromEnv, Some(socket)) => AgentChoice::Path(socket.clone()),
            (choice, _) => choice.clone(),
        }
    }

    /// Leads programs in panes to the agent that is to be used now.
    ///
    /// # Errors
    /// The path that leads there cannot be made.
    pub(super) fn point(&self) -> std::io::Result<()> {
        let socket = agent::usual(&self.agent());
        // Nobody came in with one that answers, so it is the one of whoever started the app, which may have ended too.
        let alive = |socket: &PathBuf| std::os::unix::net::UnixStream::connect(socket).is_ok();
        let socket = socket.filter(|socket| !self.signpost.is(socket) && alive(socket));
        self.signpost.lead(socket.as_deref())
    }

    /// Which keys `target` would be offered, or why nobody knows, in words.
    pub(crate) async fn keys(&self, target: &Target) -> Result<KeysReport, String> {
        let found = self.resolver.resolve(&Spec::of(target)).await;
        let settings = found.and_then(|effective| Settings::read(&Spec::of(target), &effective));
        match settings {
            Ok(settings) => Ok(agent::report(&settings, &self.agent()).await),
            Err(why) => Err(why.to_string()),
        }
    }

    /// A session channel to `target`, on a connection that is up or is made for it; with the environment to set there.
    ///
    /// # Errors
    /// Everything that can keep one from a host.
    pub(crate) async fn channel(
        &self,
        target: &Target,
        asking: Asking,
        what: Use,
    ) -> Result<(Held, Arc<Settings>), Error> {
        let how = How {
            what,
            asking: asking.only_if(self.options.interactive),
            background: false,
        };
        self.open(target, how).await
    }

    /// The same for work that nobody waits for: it asks nobody, and stays away for a while from what failed.
    ///
    /// # Errors
    /// The same, and [`Error::Waiting`] or [`Error::Paused`] when it is too early to try again.
    pub(crate) async fn background(
        &self,
        target: &Target,
        what: Use,
    ) -> Result<(Held, Arc<Settings>), Error> {
        let how = How {
            what,
            asking: Asking::Nobody,
            background: true,
        };
        self.open(target, how).await
    }

    /// A connection to `target` for channels that are no sessions; its user counts until it is dropped.
    ///
    /// # Errors
    /// Everything that can keep one from a host.
    pub(crate) async fn connection(
        &self,
        target: &Target,
        asking: Asking,
        what: Use,
    ) -> Result<(User, Arc<Settings>), Error> {
        let how = How {
            what,
            asking: asking.only_if(self.options.interactive),
            background: false,
        };
        self.reach(target, how).await
    }

    /// The same for what asks nobody and is tried again by itself.
    ///
    /// # Errors
    /// The same, and [`Error::Waiting`] or [`Error::Paused`] when it is too early to try again.
    pub(crate) async fn unattended(
        &self,
        target: &Target,
        what: Use,
    ) -> Result<(User, Arc<Settings>), Error> {
        let how = How {
            what,
            asking: Asking::Nobody,
            background: true,
        };
        self.reach(target, how).await
    }

    async fn reach(&self, target: &Target, how: How) -> Result<(User, Arc<Settings>), Error> {
        let (route, last) = self.route(target).await?;
        let link = self.link(&route, how, Lane::Shared, false).await?;
        Ok((link.user(how.what), last))
    }

    pub(super) async fn route(
        &self,
        target: &Target,
    ) -> Result<(Vec<Arc<Settings>>, Arc<Settings>), Error> {
        let route = jump::route(&self.resolver, target).await?;
        match route.last().cloned() {
            Some(last) => Ok((route, last)),
            None => Err(Error::Closing {
                hop: target.name.clone(),
            }),
        }
    }

    async fn open(&self, target: &Target, how: How) -> Result<(Held, Arc<Settings>), Error> {
        let (route, last) = self.route(target).await?;
        let mut more = false;
        let mut refusals = 0;
        let mut refused: Option<Instant> = None;
        let mut deaths = 0;
        loop {
            let link = match self.suited(&route, how, more).await {
                Ok(link) => link,
                // One more connection was a wish; the channels of those that are there come free in time.
                Err(why) if more => match self.any(&Path::of(&route)) {
                    Some(link) => {
                        tokio::time::timeout(CROWDED * 4, link.freed()).await.ok();
                        link
                    }
                    None => return Err(why),
                },
                Err(why) => return Err(why),
            };
            more = false;
            match link.session(how.what).await {
                Ok(held) => return Ok((held, last)),
                Err(NoChannel::Full) => {
                    more = tokio::time::timeout(CROWDED, link.freed()).await.is_err();
                }
                Err(NoChannel::Refused(why)) => {
                    refusals += 1;
                    let since = refused.get_or_insert_with(Instant::now).elapsed();
                    if refusals >= TRIES && !(link.slots.gave() && since < LINGER) {
                        return Err(Error::Channel {
                            hop: last.place(),
                            why: format!("{why}; look at MaxSessions and ForceCommand of its sshd"),
                        });
                    }
                    // A channel that just closed may still count on the other side.
                    tokio::time::sleep(CROWDED).await;
                }
                Err(NoChannel::Dead(why)) => {
                    deaths += 1;
                    self.forget(&Path::of(&route), &link);
                    // What was closed on purpose is not opened again for those who waited for it.
                    if deaths >= TRIES || link.ended().by_us() {
                        return Err(Error::Lost {
                            hop: last.place(),
                            why,
                        });
                    }
                }
            }
        }
    }

    /// The agent's socket for a host that may use it.
    pub(crate) fn agent_of(&self, settings: &Settings) -> Option<PathBuf> {
        agent::socket(settings, &self.agent())
    }

    /// Runs `work` until it is done or the engine ends.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = closing.wait() => {}
            }
        });
    }

    /// Closes the connections to `target`.
    pub(crate) async fn disconnect(&self, target: &Target) -> Result<(), Error> {
        let route = jump::route(&self.resolver, target).await?;
        let pool = self.lock().remove(&Path::of(&route));
        let Some(pool) = pool else { return Ok(()) };
        pool.give_up();
        for link in pool.links() {
            link.hang_up("closed by the user").await;
        }
        Ok(())
    }

    /// The connections as they are now, those that are being made, and those that are waited for; by number.
    pub(crate) fn connections(&self) -> Vec<ConnectionRow> {
        let mut rows: Vec<ConnectionRow> = self.lock().values().flat_map(Pool::rows).collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// A connection that suits what it is wanted for: bulk data to a far host has one with wide windows of its own, unless
    /// a person would have to log in again for it.
    async fn suited(
        &self,
        route: &[Arc<Settings>],
        how: How,
        more: bool,
    ) -> Result<Arc<Link>, Error> {
        let link = self.link(route, how, Lane::Shared, more).await?;
        if how.what != Use::Files || link.is_wide() || link.asked() {
            return Ok(link);
        }
        let how = How {
            asking: Asking::Nobody,
            ..how
        };
        let bulk = self.link(route, how, Lane::Bulk, true).await;
        Ok(bulk.unwrap_or(link))
    }

    /// A connection along `route`: one with room, the attempt under way, or a new attempt. `more` wants one with room
    /// beside those that are full.
    pub(super) async fn link(
        &self,
        route: &[Arc<Settings>],
        how: How,
        lane: Lane,
        more: bool,
    ) -> Result<Arc<Link>, Error> {
        let path = Path::of(route);
        loop {
            let flight = {
                let mut pools = self.lock();
                if pools.len() > POOLS {
                    pools.retain(|_, pool| !pool.is_empty());
                }
                let pool = pools
                    .entry(path.clone())
                    .or_insert_with(|| Pool::new(route));
                let track = pool.track(lane);
                track.links.retain(|link| link.is_alive());
                let roomy = track.links.iter().find(|link| link.has_room());
                let enough = !more || track.is_vain() || track.links.len() >= LINKS;
                if let Some(link) = roomy.or(track.links.first().filter(|_| enough)) {
                    return Ok(Arc::clone(link));
                }
                match track.flight.clone() {
                    Some(flight) => flight,
                    None if lane == Lane::Bulk && track.is_vain() => {
                        return Err(Error::Closing { hop: String::new() });
                    }
                    None => {
                        let held = pool.trouble.as_mut().filter(|_| how.background);
                        if let Some(why) = held.and_then(Trouble::holds) {
                            return Err(why);
                        }
                        let flight = self.take_off(&path, route, how, lane);
                        pool.track(lane).flight = Some(flight.clone());
                        flight
                    }
                }
            };
            let asked = flight.interactive;
            let mut done = flight.done;
            let landed = match done.wait_for(Option::is_some).await {
                Ok(result) => result.clone(),
                Err(_) => None,
            };
            match landed {
                Some(Ok(link)) => return Ok(link),
                // It failed for want of a person, and now there is one.
                Some(Err(why)) if why.needs_person() && how.asking.is_someone() && !asked => {}
                // It failed because the background must wait, and this is not the background.
                Some(Err(Error::Waiting { .. } | Error::Paused { .. })) if !how.background => {}
                Some(Err(why)) => return Err(why),
                None => {
                    let hop = route.last().map(|hop| hop.place()).unwrap_or_default();
                    return Err(Error::Closing { hop });
                }
            }
        }
    }

    /// Starts an attempt in a task of its own, so that nobody who gives up waiting takes it away from the others.
    fn take_off(&self, path: &Path, route: &[Arc<Settings>], how: How, lane: Lane) -> Flight {
        let (tell, done) = watch::channel(None);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (me, path, route) = (Weak::clone(&self.me), path.clone(), route.to_vec());
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        tokio::spawn(async move {
            let Some(manager) = me.upgrade() else { return };
            let closing = manager.closing.clone();
            let result = tokio::select! {
                result = manager.connect(id, &route, how, lane) => result,
                () = closing.wait() => return,
                () = stopped.notified() => {
                    // Who gave it up has forgotten the destination already; a newer attempt may be under way.
                    let hop = route.last().map(|hop| hop.place()).unwrap_or_default();
                    tell.send_replace(Some(Err(Error::GivenUp { hop })));
                    return;
                }
            };
            if let (Ok(link), Some(last)) = (&result, route.last()) {
                manager.announce(last, link).await;
            }
            manager.land(id, &path, &route, lane, &result);
            let watched = result.as_ref().ok().cloned();
            tell.send_replace(Some(result));
            // It holds the result, and with it the connection.
            drop(tell);
            if let (Some(link), Some(last)) = (watched, route.last()) {
                drop(manager);
                let (me, last) = (me, Arc::clone(last));
                bury(me, path, link, last).await;
            }
        });
        Flight {
            id,
            since: Instant::now(),
            interactive: how.asking.is_someone(),
            stop,
            done,
        }
    }

    /// Notes how an attempt ended.
    fn land(
        &self,
        id: u64,
        path: &Path,
        route: &[Arc<Settings>],
        lane: Lane,
        result: &Result<Arc<Link>, Error>,
    ) {
        let mut pools = self.lock();
        let pool = pools
            .entry(path.clone())
            .or_insert_with(|| Pool::new(route));
        pool.track(lane).landed(result);
        match result {
            Ok(_) => {
                // Whoever could not get through here may try again, behind it too.
                for (other, pool) in pools.iter_mut() {
                    if other.leads_through(path) {
                        pool.trouble = None;
                    }
                }
                drop(pools);
            }
            // Bulk connections and further ones are a wish; their failure says nothing about the others.
            Err(why) if lane == Lane::Shared && pool.links().next().is_none() => {
                let hop = route.last().map(|hop| hop.place()).unwrap_or_default();
                pool.trouble = Some(Trouble::after(pool.trouble.take(), id, &hop, why));
            }
            Err(_) => {}
        }
    }

    async fn announce(&self, hop: &Settings, link: &Arc<Link>) {
        let fact = SshFact::Connected {
            target: target_of(hop),
            info: link.info.clone(),
        };
        // The loop is gone when this fails; then nobody needs to know.
        self.facts.send(fact).await.ok();
    }

    fn any(&self, path: &Path) -> Option<Arc<Link>> {
        let mut pools = self.lock();
        let links = &pools.get_mut(path)?.track(Lane::Shared).links;
        links.iter().find(|link| link.is_alive()).cloned()
    }

    pub(super) fn forget(&self, path: &Path, link: &Arc<Link>) {
        if let Some(pool) = self.lock().get_mut(path) {
            pool.forget(link);
        }
    }

    /// A connection ended by itself: background work comes back after a while.
    fn lost(&self, path: &Path, link: &Arc<Link>, why: &str) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut pools = self.lock();
        let Some(pool) = pools.get_mut(path) else {
            return;
        };
        pool.forget(link);
        if pool.links().next().is_none() && !link.ended().by_us() {
            let why = Error::Lost {
                hop: link.hop.clone(),
                why: why.to_owned(),
            };
            pool.trouble = Some(Trouble::after(pool.trouble.take(), id, &link.hop, &why));
        }
        if pool.is_empty() {
            pools.remove(path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches a connection to its end, forgets it and tells.
async fn bury(manager: Weak<Manager>, path: Path, link: Arc<Link>, hop: Arc<Settings>) {
    // The watcher must not keep the connection: it holds only what tells of its end.
    let (watched, ended) = (Arc::downgrade(&link), link.ended());
    drop(link);
    let reason = tokio::select! {
        reason = ended.wait() => reason,
        () = pulse::measure(Weak::clone(&watched)) => return,
    };
    let Some(manager) = manager.upgrade() else {
        return;
    };
    if let Some(link) = watched.upgrade() {
        manager.lost(&path, &link, &reason);
    }
    let fact = SshFact::Disconnected {
        target: target_of(&hop),
        reason,
    };
    // The loop is gone when this fails; then nobody needs to know.
    manager.facts.send(fact).await.ok();
}

pub(super) fn target_of(hop: &Settings) -> Target {
    Target {
        name: hop.label.clone(),
        config: hop.spec.config.clone(),
    }
}

//! All connections: one for each destination, made once for everybody who waits for it, kept while nobody needs it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use russh::ChannelOpenFailure;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::domain::host::{Effective, Target};

use super::agent;
use super::auth::{self, Ears, Login};
use super::config::{Resolver, Spec};
use super::engine::{Closing, EngineOptions};
use super::error::Error;
use super::fact::{KeysReport, SshFact};
use super::host_key::{self, Known, Rotation};
use super::jump;
use super::link::{DeadEnd, Held, Link, NoChannel};
use super::question::{Asker, Elapsed, Patience, Questions};
use super::settings::{Settings, Strict, address};
use super::transport;
use super::wire::{self, Complaints, Wire};

/// How many connections are being made to one server, or through one bastion, at once: half of sshd's MaxStartups stays
/// for others, and more at once would be refused by chance.
const PER_SERVER: usize = 10;

/// How many are being made at once in all; the rest wait.
const IN_ALL: usize = 128;

/// How many connections one destination may have when its server limits the channels of each.
const LINKS: usize = 5;

/// How long a full connection is waited for before another is made.
const CROWDED: Duration = Duration::from_millis(250);

/// How long after a failed further connection none is tried.
const VAIN: Duration = Duration::from_secs(60);

/// How often an ask that found a dead connection or a refusal tries again.
const TRIES: usize = 3;

/// How long a server that gave channels before may refuse them: it counts those that just closed until their programs are
/// gone.
const LINGER: Duration = Duration::from_secs(10);

/// Where a connection leads: every hop. What agrees in all of it shares a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Path(Vec<Stop>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stop {
    user: String,
    host: String,
    port: u16,
    proxy: Option<String>,
    /// By which rules its key was believed: a name with strict rules must not share what another let through.
    trust: (Strict, Option<String>, Vec<PathBuf>),
}

impl Path {
    fn of(route: &[Arc<Settings>]) -> Self {
        let stops = route.iter().enumerate().map(|(index, hop)| Stop {
            user: hop.user.clone(),
            host: hop.host.to_ascii_lowercase(),
            port: hop.port,
            // Behind a jump host a ProxyCommand is overruled, as in OpenSSH.
            proxy: hop.proxy_command.clone().filter(|_| index == 0),
            trust: (
                hop.strict,
                hop.host_key_alias.clone(),
                hop.known_hosts
                    .iter()
                    .chain(&hop.global_known_hosts)
                    .chain(&hop.revoked_keys)
                    .cloned()
                    .chain(hop.known_hosts_command.as_ref().map(PathBuf::from))
                    .collect(),
            ),
        });
        Self(stops.collect())
    }
}

#[derive(Default)]
struct Pool {
    links: Vec<Arc<Link>>,
    flight: Option<Flight>,
    /// When making one more connection failed; for a while nobody tries again, lest the server takes us for an attacker.
    vain: Option<Instant>,
}

/// An attempt under way; everybody who wants the same waits for it.
#[derive(Clone)]
struct Flight {
    interactive: bool,
    done: watch::Receiver<Option<Result<Arc<Link>, Error>>>,
}

/// Makes and keeps connections.
pub(crate) struct Manager {
    /// For the tasks it starts, which must not keep it alive.
    me: Weak<Self>,
    options: EngineOptions,
    resolver: Resolver,
    questions: Arc<Questions>,
    facts: mpsc::Sender<SshFact>,
    closing: Closing,
    // Std mutexes: held for look-ups, never across an await.
    pools: Mutex<HashMap<Path, Pool>>,
    gates: Mutex<HashMap<Path, Arc<Semaphore>>>,
    all: Semaphore,
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
            facts,
            closing,
            pools: Mutex::default(),
            gates: Mutex::default(),
            all: Semaphore::new(IN_ALL),
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

    /// Which keys `target` would be offered, or why nobody knows, in words.
    pub(crate) async fn keys(&self, target: &Target) -> Result<KeysReport, String> {
        let found = self.resolver.resolve(&Spec::of(target)).await;
        let settings = found.and_then(|effective| Settings::read(&Spec::of(target), &effective));
        match settings {
            Ok(settings) => Ok(agent::report(&settings, &self.options.agent).await),
            Err(why) => Err(why.to_string()),
        }
    }

    /// A session channel to `target`, on a connection that is up or is made for it; with the environment to set there.
    ///
    /// # Errors
    /// Everything that can keep one from a host.
    pub(crate) async fn session(
        &self,
        target: &Target,
        interactive: bool,
    ) -> Result<(Held, Arc<Settings>), Error> {
        let interactive = interactive && self.options.interactive;
        let route = jump::route(&self.resolver, target).await?;
        let Some(last) = route.last().cloned() else {
            return Err(Error::Closing {
                hop: target.name.clone(),
            });
        };
        let mut more = false;
        let mut refusals = 0;
        let mut refused: Option<Instant> = None;
        let mut deaths = 0;
        loop {
            let link = match self.link(&route, interactive, more).await {
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
            match link.session().await {
                Ok(held) => return Ok((held, last)),
                Err(NoChannel::Full) => {
                    more = tokio::time::timeout(CROWDED, link.freed()).await.is_err();
                }
                Err(NoChannel::Refused(why)) => {
                    refusals += 1;
                    let since = refused.get_or_insert_with(Instant::now).elapsed();
                    if refusals >= TRIES && !(link.gave() && since < LINGER) {
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
                    if deaths >= TRIES {
                        return Err(Error::Lost {
                            hop: last.place(),
                            why,
                        });
                    }
                }
            }
        }
    }

    /// Closes the connections to `target`.
    pub(crate) async fn disconnect(&self, target: &Target) -> Result<(), Error> {
        let route = jump::route(&self.resolver, target).await?;
        let pool = self.lock().remove(&Path::of(&route));
        for link in pool.map(|pool| pool.links).unwrap_or_default() {
            link.hang_up("closed by the user").await;
        }
        Ok(())
    }

    /// A connection along `route`: one with room, the attempt under way, or a new attempt. `more` wants one with room
    /// beside those that are full.
    async fn link(
        &self,
        route: &[Arc<Settings>],
        interactive: bool,
        more: bool,
    ) -> Result<Arc<Link>, Error> {
        let path = Path::of(route);
        loop {
            let flight = {
                let mut pools = self.lock();
                let pool = pools.entry(path.clone()).or_default();
                pool.links.retain(|link| link.is_alive());
                let roomy = pool.links.iter().find(|link| link.has_room());
                let vain = pool.vain.is_some_and(|since| since.elapsed() < VAIN);
                let enough = !more || vain || pool.links.len() >= LINKS;
                if let Some(link) = roomy.or(pool.links.first().filter(|_| enough)) {
                    return Ok(Arc::clone(link));
                }
                match &pool.flight {
                    Some(flight) => flight.clone(),
                    None => {
                        let flight = self.take_off(&path, route, interactive);
                        pool.flight = Some(flight.clone());
                        flight
                    }
                }
            };
            let Flight {
                interactive: asked,
                mut done,
            } = flight;
            let landed = match done.wait_for(Option::is_some).await {
                Ok(result) => result.clone(),
                Err(_) => None,
            };
            match landed {
                Some(Ok(link)) => return Ok(link),
                // It failed for want of a person, and now there is one.
                Some(Err(why)) if why.needs_person() && interactive && !asked => {}
                Some(Err(why)) => return Err(why),
                None => {
                    let hop = route.last().map(|hop| hop.place()).unwrap_or_default();
                    return Err(Error::Closing { hop });
                }
            }
        }
    }

    /// Starts an attempt in a task of its own, so that nobody who gives up waiting takes it away from the others.
    fn take_off(&self, path: &Path, route: &[Arc<Settings>], interactive: bool) -> Flight {
        let (tell, done) = watch::channel(None);
        let (me, path, route) = (Weak::clone(&self.me), path.clone(), route.to_vec());
        tokio::spawn(async move {
            let Some(manager) = me.upgrade() else { return };
            let closing = manager.closing.clone();
            let result = tokio::select! {
                result = manager.connect(&route, interactive) => result,
                () = closing.wait() => return,
            };
            if let (Ok(link), Some(last)) = (&result, route.last()) {
                manager.announce(last, link).await;
            }
            {
                let mut pools = manager.lock();
                let pool = pools.entry(path.clone()).or_default();
                pool.flight = None;
                pool.vain = result.is_err().then(Instant::now);
                pool.links.extend(result.iter().cloned());
                if pool.links.is_empty() {
                    pools.remove(&path);
                }
            }
            let watched = result.as_ref().ok().cloned();
            tell.send_replace(Some(result));
            // It holds the result, and with it the connection.
            drop(tell);
            if let (Some(link), Some(last)) = (watched, route.last()) {
                let facts = manager.facts.clone();
                let me = Weak::clone(&manager.me);
                drop(manager);
                bury(me, facts, path, link, target_of(last)).await;
            }
        });
        Flight { interactive, done }
    }

    async fn announce(&self, hop: &Settings, link: &Arc<Link>) {
        let fact = SshFact::Connected {
            target: target_of(hop),
            info: link.info.clone(),
        };
        // The loop is gone when this fails; then nobody needs to know.
        self.facts.send(fact).await.ok();
    }

    async fn connect(
        &self,
        route: &[Arc<Settings>],
        interactive: bool,
    ) -> Result<Arc<Link>, Error> {
        let Some((last, before)) = route.split_last() else {
            return Err(Error::Closing { hop: String::new() });
        };
        let via = if before.is_empty() {
            None
        } else {
            Some(Box::pin(self.link(before, interactive, false)).await?)
        };
        // Permits are taken after the bastion is reached, so no attempt waits for another that waits for it.
        let gate = self.gate(if before.is_empty() { route } else { before });
        let _place = gate.acquire().await.ok();
        let _turn = self.all.acquire().await.ok();
        let patience = Arc::new(Patience::new(last.connect_timeout));
        let asker = Asker {
            questions: Arc::clone(&self.questions),
            target: target_of(last),
            hop: last.label.clone(),
            interactive,
            patience: Arc::clone(&patience),
        };
        let started = Instant::now();
        let (wire, complaints, peer) = self.wire(last, via.as_ref(), &patience).await?;
        let round_trip = started.elapsed();
        let settings = Arc::clone(last);
        let known = Known::gather(&settings, peer).await?;
        let name = known.name.clone();
        let greeting = transport::greet(wire, settings, known, asker.clone(), round_trip);
        let mut greeted = match patience.within(greeting).await {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(why)) => {
                let said = complaints.text().await;
                return Err(transport::handshake_error(last, why, &said));
            }
            Err(late) => return Err(silent(last, &late, "shaking hands")),
        };
        let asker = Asker {
            patience: Arc::new(Patience::new(last.connect_timeout.max(auth::PATIENCE))),
            ..asker
        };
        let ears = Ears {
            seen: greeted.seen.clone(),
            gone: greeted.gone.clone(),
        };
        let login = Login::new(&mut greeted.handle, last, &self.options.agent, &asker, ears);
        let how = login.run().await?;
        let mut info = greeted.seen.lock().clone();
        info.user.clone_from(&last.user);
        info.address.clone_from(&last.host);
        info.port = last.port;
        info.via = before.iter().map(|hop| hop.label.clone()).collect();
        info.auth = how;
        let link = Arc::new(Link::new(
            greeted.handle,
            last.place(),
            info,
            greeted.gone,
            via,
        ));
        let rotation = Rotation {
            settings: Arc::clone(last),
            name,
            asker,
            announced: greeted.announced,
        };
        host_key::follow(&link, rotation);
        Ok(link)
    }

    /// The bytes' way to a hop.
    async fn wire(
        &self,
        hop: &Settings,
        via: Option<&Arc<Link>>,
        patience: &Patience,
    ) -> Result<(Box<dyn Wire>, Complaints, Option<IpAddr>), Error> {
        if let Some(bastion) = via {
            let opening = bastion.forward(&hop.host, hop.port);
            return match patience.within(opening).await {
                Ok(Ok(channel)) => Ok((Box::new(channel.into_stream()), Complaints::none(), None)),
                Ok(Err(why)) => Err(Error::Through {
                    hop: hop.place(),
                    bastion: bastion.hop.clone(),
                    why: dead_end(&why, hop),
                }),
                Err(late) => Err(Error::Through {
                    hop: hop.place(),
                    bastion: bastion.hop.clone(),
                    why: format!(
                        "no answer in {} s; is the host up, and its port open to the bastion?",
                        late.seconds
                    ),
                }),
            };
        }
        if let Some(command) = &hop.proxy_command {
            return match wire::proxy(command) {
                Ok((piped, complaints)) => Ok((Box::new(piped), complaints, None)),
                Err(why) => Err(Error::Connect {
                    hop: hop.place(),
                    why: format!("its ProxyCommand cannot be started: {why}"),
                    hint: format!("try it by hand: {command}"),
                }),
            };
        }
        let opening = wire::tcp(&hop.host, hop.port, hop.ipv4, hop.ipv6);
        match patience.within(opening).await {
            Ok(Ok(stream)) => {
                let peer = stream.peer();
                Ok((Box::new(stream), Complaints::none(), peer))
            }
            Ok(Err(why)) => Err(Error::Connect {
                hop: hop.place(),
                hint: connect_hint(&why).to_owned(),
                why: plain(&why),
            }),
            Err(late) => Err(silent(hop, &late, "connecting")),
        }
    }

    fn gate(&self, route: &[Arc<Settings>]) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        // Gates that nobody stands at are forgotten when there are many.
        if gates.len() > 4096 {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        let gate = gates
            .entry(Path::of(route))
            .or_insert_with(|| Arc::new(Semaphore::new(PER_SERVER)));
        Arc::clone(gate)
    }

    fn any(&self, path: &Path) -> Option<Arc<Link>> {
        let pools = self.lock();
        let links = &pools.get(path)?.links;
        links.iter().find(|link| link.is_alive()).cloned()
    }

    fn forget(&self, path: &Path, link: &Arc<Link>) {
        let mut pools = self.lock();
        if let Some(pool) = pools.get_mut(path) {
            pool.links.retain(|kept| !Arc::ptr_eq(kept, link));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a connection, forgets it and tells.
async fn bury(
    manager: Weak<Manager>,
    facts: mpsc::Sender<SshFact>,
    path: Path,
    link: Arc<Link>,
    target: Target,
) {
    // The watcher must not keep the connection: it holds only what tells of its end.
    let (watched, ended) = (Arc::downgrade(&link), link.ended());
    drop(link);
    let reason = ended.wait().await;
    if let (Some(manager), Some(link)) = (manager.upgrade(), watched.upgrade()) {
        manager.forget(&path, &link);
    }
    facts
        .send(SshFact::Disconnected { target, reason })
        .await
        .ok();
}

fn target_of(hop: &Settings) -> Target {
    Target {
        name: hop.label.clone(),
        config: hop.spec.config.clone(),
    }
}

fn silent(hop: &Settings, late: &Elapsed, doing: &'static str) -> Error {
    Error::Timeout {
        hop: hop.place(),
        seconds: late.seconds,
        doing,
        hint: "is the host up, and the network? ConnectTimeout in ssh_config sets how long to wait",
    }
}

fn dead_end(why: &DeadEnd, hop: &Settings) -> String {
    let there = address(&hop.host, hop.port);
    match why {
        DeadEnd::Refused(ChannelOpenFailure::ConnectFailed) => format!(
            "it gets no connection to {there}: refused, not reachable from there, or a name it does not know"
        ),
        DeadEnd::Refused(ChannelOpenFailure::AdministrativelyProhibited) => format!(
            "it forbids going on to {there}; look at AllowTcpForwarding and PermitOpen in its sshd_config"
        ),
        DeadEnd::Refused(other) => {
            format!("it refused to go on to {there}: {}", other.description())
        }
        DeadEnd::Lost(why) => format!("the connection to it was lost: {why}"),
    }
}

fn connect_hint(why: &std::io::Error) -> &'static str {
    match why.kind() {
        std::io::ErrorKind::ConnectionRefused => "is sshd running there, on that port?",
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
            "check the network, the VPN and the address"
        }
        _ => "check HostName and Port in ssh_config",
    }
}

/// The system's words without its error number.
fn plain(why: &std::io::Error) -> String {
    let text = why.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

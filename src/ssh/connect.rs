//! Making one connection: the way there, the handshake, the login; again after a while when the server was only too busy.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use russh::ChannelOpenFailure;

use super::auth::{self, Ears, Login};
use super::backoff::Backoff;
use super::error::Error;
use super::fact::{Asking, ConnectionInfo};
use super::handshake;
use super::host_key::{self, Known, Rotation};
use super::link::{DeadEnd, Link, Parts, User};
use super::manager::{How, Manager, target_of};
use super::meter::{Meter, Metered};
use super::pool::Lane;
use super::question::{Asker, Elapsed, Patience};
use super::settings::{Settings, address};
use super::transport::{self, Greeting, Seen};
use super::usage::Use;
use super::wire::{self, Complaints, Wire};

/// How often a server that closes connections before it has named itself is tried: sshd does that while too many log in
/// (MaxStartups).
const TURNED_AWAY: u32 = 10;

/// The first pause after that.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How an attempt failed.
enum Failed {
    /// The server closed the connection before it named itself; it may only be busy.
    Busy(Error),
    /// Trying again would not help.
    For(Error),
}

impl From<Error> for Failed {
    fn from(why: Error) -> Self {
        Self::For(why)
    }
}

/// One attempt: where, and how.
struct Attempt<'a> {
    id: u64,
    hop: &'a Arc<Settings>,
    before: &'a [Arc<Settings>],
    via: Option<&'a Arc<Link>>,
    asking: Asking,
    lane: Lane,
}

/// The bytes' way to a hop, and what was learned on it.
struct Way {
    wire: Box<dyn Wire>,
    complaints: Complaints,
    /// One round trip, where building the way took one.
    round_trip: Option<Duration>,
    user: Option<User>,
    /// The address at the other end, where it is ours to see.
    peer: Option<IpAddr>,
}

impl Manager {
    /// Makes a connection along `route`.
    pub(super) async fn connect(
        &self,
        id: u64,
        route: &[Arc<Settings>],
        how: How,
        lane: Lane,
    ) -> Result<Arc<Link>, Error> {
        let Some((hop, before)) = route.split_last() else {
            return Err(Error::Closing { hop: String::new() });
        };
        let via = if before.is_empty() {
            None
        } else {
            let how = How {
                what: Use::Jump,
                ..how
            };
            Some(Box::pin(self.link(before, how, Lane::Shared, false)).await?)
        };
        // Permits are taken after the bastion is reached, so no attempt waits for another that waits for it.
        let gate = self
            .gates
            .of(if before.is_empty() { route } else { before });
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut begun = None;
        loop {
            let place = gate.enter().await;
            let turn = self.all.acquire().await.ok();
            let begun = *begun.get_or_insert_with(Instant::now);
            let attempt = Attempt {
                id,
                hop,
                before,
                via: via.as_ref(),
                asking: how.asking,
                lane,
            };
            let why = match self.attempt(attempt).await {
                Ok(link) => {
                    gate.calm();
                    return Ok(link);
                }
                Err(Failed::For(why)) => return Err(why),
                Err(Failed::Busy(why)) => why,
            };
            gate.crowded(place);
            drop(turn);
            let pause = backoff.pause();
            if backoff.tries() >= TURNED_AWAY || begun.elapsed() + pause >= hop.connect_timeout {
                return Err(why);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, attempt: Attempt<'_>) -> Result<Arc<Link>, Failed> {
        let hop = attempt.hop;
        let patience = Arc::new(Patience::new(hop.connect_timeout));
        let asker = Asker {
            questions: Arc::clone(&self.questions),
            target: target_of(hop),
            hop: hop.label.clone(),
            asking: attempt.asking,
            patience: Arc::clone(&patience),
            asked: Arc::new(AtomicBool::new(false)),
        };
        let way = self.way(hop, attempt.via, &patience).await?;
        let known = Known::gather(hop, way.peer).await?;
        let name = known.name.clone();
        let meter = Arc::new(Meter::default());
        let silence = silence(hop);
        let window = match attempt.lane {
            Lane::Shared => transport::window(way.round_trip),
            Lane::Bulk => transport::BULK,
        };
        let greeting = transport::greet(Greeting {
            wire: Metered::new(way.wire, Arc::clone(&meter), silence),
            settings: Arc::clone(hop),
            known,
            asker: asker.clone(),
            window,
        });
        let mut greeted = match patience.within(greeting).await {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(why)) => {
                let busy = !meter.named() && why.is_hangup() && hop_is_retried(&attempt);
                let said = way.complaints.text().await;
                let error = handshake::error(hop, why, &said, &meter);
                return Err(if busy {
                    Failed::Busy(error)
                } else {
                    Failed::For(error)
                });
            }
            Err(late) => return Err(silent(hop, &late, "shaking hands").into()),
        };
        let asker = Asker {
            patience: Arc::new(Patience::new(hop.connect_timeout.max(auth::PATIENCE))),
            ..asker
        };
        let agent = self.agent();
        let ears = Ears {
            seen: greeted.seen.clone(),
            gone: greeted.gone.clone(),
        };
        let login = Login::new(&mut greeted.handle, hop, &agent, &asker, ears);
        let how = login.run().await?;
        let info = info(&greeted.seen, &attempt, how);
        let link = Arc::new(Link::new(Parts {
            handle: greeted.handle,
            id: attempt.id,
            label: hop.label.clone(),
            hop: hop.place(),
            info,
            gone: greeted.gone,
            doors: greeted.doors,
            meter,
            round_trip: way.round_trip,
            silence,
            bulk: attempt.lane == Lane::Bulk,
            wide: attempt.lane == Lane::Bulk || transport::is_wide(way.round_trip),
            asked: asker.asked.load(Ordering::Relaxed),
            via: way.user,
        }));
        let rotation = Rotation {
            settings: Arc::clone(hop),
            name,
            asker,
            announced: greeted.announced,
        };
        host_key::follow(&link, rotation);
        Ok(link)
    }

    async fn way(
        &self,
        hop: &Settings,
        via: Option<&Arc<Link>>,
        patience: &Patience,
    ) -> Result<Way, Error> {
        let started = Instant::now();
        if let Some(bastion) = via {
            let opening = bastion.direct_tcpip(Use::Jump, &hop.host, hop.port);
            return match patience.within(opening).await {
                Ok(Ok(carried)) => Ok(Way {
                    wire: Box::new(carried.channel.into_stream()),
                    complaints: Complaints::none(),
                    round_trip: Some(started.elapsed()),
                    user: Some(carried.user),
                    peer: None,
                }),
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
                Ok((piped, complaints)) => Ok(Way {
                    wire: Box::new(piped),
                    complaints,
                    round_trip: None,
                    user: None,
                    peer: None,
                }),
                Err(why) => Err(Error::Connect {
                    hop: hop.place(),
                    why: format!("its ProxyCommand cannot be started: {why}"),
                    hint: format!("try it by hand: {command}"),
                }),
            };
        }
        let opening = wire::tcp(&hop.host, hop.port, hop.ipv4, hop.ipv6);
        match patience.within(opening).await {
            Ok(Ok((stream, round_trip))) => Ok(Way {
                peer: stream.peer(),
                wire: Box::new(stream),
                complaints: Complaints::none(),
                round_trip: Some(round_trip),
                user: None,
            }),
            Ok(Err(why)) => Err(Error::Connect {
                hop: hop.place(),
                hint: connect_hint(&why).to_owned(),
                why: handshake::plain(&why),
            }),
            Err(late) => Err(silent(hop, &late, "connecting")),
        }
    }
}

/// What is known of a connection that has just come up.
fn info(seen: &Seen, attempt: &Attempt<'_>, how: String) -> ConnectionInfo {
    let (hop, before) = (attempt.hop, attempt.before);
    ConnectionInfo {
        user: hop.user.clone(),
        address: hop.host.clone(),
        port: hop.port,
        via: before.iter().map(|hop| hop.label.clone()).collect(),
        auth: how,
        ..seen.lock().clone()
    }
}

/// A proxy that ends at once has its own reasons, and may have asked somebody something.
fn hop_is_retried(attempt: &Attempt<'_>) -> bool {
    attempt.via.is_some() || attempt.hop.proxy_command.is_none()
}

/// How long a host may give no sign of life.
fn silence(hop: &Settings) -> Duration {
    let questions = u32::try_from(hop.alive_max).unwrap_or(u32::MAX);
    hop.alive_interval
        .saturating_mul(questions.saturating_add(1))
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

//! The life of a forward: its connection is made, it listens, it serves, and when the connection is lost it comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::domain::forward::{Endpoint, ForwardRule, ForwardState};
use crate::domain::host::Target;
use crate::ssh::backoff::Backoff;
use crate::ssh::error::Error;
use crate::ssh::fact::Asking;
use crate::ssh::link::{Ended, Link, User};
use crate::ssh::manager::Manager;
use crate::ssh::settings::Settings;
use crate::ssh::usage::Use;

use super::carry::Carrier;
use super::doors::Open;
use super::listen::Listeners;
use super::table::Entry;

/// How many connections a forward carries at once. The next waits in the kernel's queue, or is refused on the host.
const CONNECTIONS: usize = 256;

/// The first pause before a lost connection is tried again.
const FIRST: Duration = Duration::from_millis(500);

/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// How long a host may take to answer the wish to listen there.
const REQUEST: Duration = Duration::from_secs(20);

/// How long the connections of a stopped forward may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// A forward that stood for so long begins with short waits again.
const STABLE: Duration = Duration::from_secs(30);

/// How long the next connection is waited for after the system refused one, for want of descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// How a time of service ended.
enum End {
    Stopped,
    /// The connection is gone.
    Lost(String),
    /// It cannot listen.
    Failed(String),
}

/// A forward with a connection of its own asking: runs until it is stopped or fails for good.
pub(super) async fn keep(
    manager: Arc<Manager>,
    entry: Arc<Entry>,
    target: Target,
    interactive: bool,
) {
    let forwards = &manager.forwards;
    let mut stop = entry.stop.subscribe();
    let mut backoff = Backoff::new(FIRST, LONGEST);
    let mut connections = JoinSet::new();
    // Nobody sits there for ever: questions are asked for the first connection only.
    let mut asking = Asking::Forward(entry.id).only_if(interactive);
    let mut stood = false;
    let last = loop {
        let connected = tokio::select! {
            connected = reach(&manager, &target, asking) => connected,
            () = told(&mut stop) => break ForwardState::Stopped,
        };
        let mut apart = Duration::ZERO;
        let why = match connected {
            Err(error) if hopeless(&error) => {
                let why = error.to_string();
                break ForwardState::Failed { why };
            }
            Err(error) => {
                // Whoever tries before the connection's own pause is over is only told to wait.
                if let Error::Waiting { left, .. } = &error {
                    apart = *left;
                }
                error.to_string()
            }
            Ok((user, settings)) => {
                let link = Arc::clone(&user.link);
                asking = Asking::Nobody;
                entry.reach();
                let begun = Instant::now();
                match serve(&manager, &entry, link, settings, &mut connections).await {
                    End::Stopped => break ForwardState::Stopped,
                    // A server that lost us may hold the address until it has noticed.
                    End::Failed(why) if !stood => break ForwardState::Failed { why },
                    End::Failed(why) => why,
                    End::Lost(why) => {
                        stood = true;
                        if begun.elapsed() > STABLE {
                            backoff.reset();
                        }
                        why
                    }
                }
            }
        };
        forwards.tell(&entry, ForwardState::Waiting { why }).await;
        tokio::select! {
            () = tokio::time::sleep(backoff.pause().max(apart)) => {}
            () = told(&mut stop) => break ForwardState::Stopped,
        }
    };
    finish(&entry, &mut connections).await;
    forwards.tell(&entry, last).await;
}

/// A connection: the first time for a person who may be asked, later as background work that keeps its distance.
async fn reach(
    manager: &Manager,
    target: &Target,
    asking: Asking,
) -> Result<(User, Arc<Settings>), Error> {
    if asking.is_someone() {
        manager.connection(target, asking, Use::Forward).await
    } else {
        manager.unattended(target, Use::Forward).await
    }
}

/// A forward on a connection that is there: ends with it.
pub(super) async fn ride(
    manager: Arc<Manager>,
    entry: Arc<Entry>,
    link: Arc<Link>,
    settings: Arc<Settings>,
) {
    entry.reach();
    let mut connections = JoinSet::new();
    let last = match serve(&manager, &entry, link, settings, &mut connections).await {
        End::Failed(why) => ForwardState::Failed { why },
        End::Stopped | End::Lost(_) => ForwardState::Stopped,
    };
    finish(&entry, &mut connections).await;
    manager.forwards.tell(&entry, last).await;
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // A forward that nobody can stop any more ends too.
    stop.wait_for(|stop| *stop).await.ok();
}

/// Whether another attempt would fail as this one did, or do harm: what is not the network's fault is not tried again.
fn hopeless(error: &Error) -> bool {
    !matches!(
        error,
        Error::Connect { .. }
            | Error::Through { .. }
            | Error::Handshake { .. }
            | Error::Timeout { .. }
            | Error::Lost { .. }
            | Error::Channel { .. }
            | Error::Waiting { .. }
    )
}

/// Tells the connections to close, and waits a little.
async fn finish(entry: &Entry, connections: &mut JoinSet<()>) {
    entry.stop.send_replace(true);
    let ending = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(CLOSING, ending).await.ok();
}

/// Where connections come from.
enum Source {
    Here(Listeners),
    There { open: Open, listen: Listen },
}

/// What the host listens at for us.
enum Listen {
    Tcp(String, u16),
    Unix(String),
}

async fn serve(
    manager: &Manager,
    entry: &Arc<Entry>,
    link: Arc<Link>,
    settings: Arc<Settings>,
    connections: &mut JoinSet<()>,
) -> End {
    let mut stop = entry.stop.subscribe();
    let ended = link.ended();
    let starting = start(&link, &settings, entry.rule());
    let started = tokio::select! {
        started = starting => started,
        () = told(&mut stop) => return End::Stopped,
        why = ended.clone().wait() => return End::Lost(why),
    };
    let (source, place) = match started {
        Ok(started) => started,
        Err(why) => return End::Failed(why),
    };
    entry.listens(entry.rule().listening_at(place));
    manager.forwards.tell(entry, ForwardState::Listening).await;
    let carrier = Carrier {
        link: Arc::clone(&link),
        settings,
        entry: Arc::clone(entry),
        stop: entry.stop.subscribe(),
        user: None,
    };
    match source {
        Source::Here(listeners) => local(&listeners, carrier, ended, connections).await,
        Source::There { mut open, listen } => {
            let end = remote(&mut open, carrier, ended, connections).await;
            if matches!(end, End::Stopped) {
                cancel(&link, listen).await;
            }
            end
        }
    }
}

/// Begins to listen; says where.
async fn start(
    link: &Link,
    settings: &Settings,
    rule: ForwardRule,
) -> Result<(Source, Endpoint), String> {
    match rule {
        ForwardRule::Local { listen, .. } | ForwardRule::Dynamic { listen } => {
            let (listeners, place) = Listeners::bind(&listen, settings).await?;
            Ok((Source::Here(listeners), place))
        }
        ForwardRule::Remote { listen, .. } => {
            let asking = tokio::time::timeout(REQUEST, request(link, settings, listen));
            asking.await.unwrap_or_else(|_| {
                Err(format!(
                    "{} gave no answer in {} s to the wish to listen there",
                    link.hop,
                    REQUEST.as_secs()
                ))
            })
        }
    }
}

/// Asks the host to listen. The door is opened before, so that nobody who connects at once is refused.
async fn request(
    link: &Link,
    settings: &Settings,
    place: Endpoint,
) -> Result<(Source, Endpoint), String> {
    let refused = |what: String, why: russh::Error| match why {
        russh::Error::RequestDenied => format!(
            "{} refuses to listen at {what}: the address is taken there, or its sshd_config (AllowTcpForwarding, PermitListen, GatewayPorts, AllowStreamLocalForwarding) or the options of our key forbid it",
            link.hop
        ),
        other => format!(
            "the connection to {} was lost: {}",
            link.hop,
            link.why_gone().unwrap_or_else(|| other.to_string())
        ),
    };
    match place {
        Endpoint::Tcp { host, port } => {
            // RFC 4254, section 7.1: an empty address is every one.
            let address = match host.as_str() {
                "" => "localhost",
                "*" => "",
                given => given,
            };
            let open = link.doors().open_tcp(address, port);
            let asked = link.handle().tcpip_forward(address, u32::from(port)).await;
            let chosen =
                asked.map_err(|why| refused(Endpoint::tcp(&host, port).to_string(), why))?;
            let port = match u16::try_from(chosen) {
                Ok(chosen) if port == 0 => chosen,
                _ => port,
            };
            open.port(port);
            let listen = Listen::Tcp(address.to_owned(), port);
            Ok((Source::There { open, listen }, Endpoint::tcp(host, port)))
        }
        Endpoint::Unix { path } => {
            let path = settings.path(&path).map_err(|why| why.to_string())?;
            let path = path.to_string_lossy().into_owned();
            let open = link.doors().open_unix(&path);
            let asked = link.handle().streamlocal_forward(path.as_str()).await;
            asked.map_err(|why| refused(path.clone(), why))?;
            let listen = Listen::Unix(path.clone());
            Ok((Source::There { open, listen }, Endpoint::unix(path)))
        }
    }
}

/// Asks the host to listen no more. When it does not answer nothing is lost: its connections are refused from now on.
async fn cancel(link: &Link, listen: Listen) {
    let asking = async {
        match listen {
            Listen::Tcp(address, port) => {
                link.handle()
                    .cancel_tcpip_forward(address, u32::from(port))
                    .await
            }
            Listen::Unix(path) => link.handle().cancel_streamlocal_forward(path).await,
        }
    };
    tokio::time::timeout(CLOSING, asking).await.ok();
}

async fn local(
    listeners: &Listeners,
    mut carrier: Carrier,
    ended: Ended,
    connections: &mut JoinSet<()>,
) -> End {
    let mut gone = std::pin::pin!(ended.wait());
    let rule = carrier.entry.rule();
    loop {
        let room = connections.len() < CONNECTIONS;
        tokio::select! {
            why = &mut gone => return End::Lost(why),
            () = told(&mut carrier.stop) => return End::Stopped,
            Some(_) = connections.join_next() => {}
            accepted = listeners.accept(), if room => match accepted {
                Ok(peer) => {
                    let carrier = carrier.clone();
                    match &rule {
                        ForwardRule::Local { to, .. } => {
                            connections.spawn(carrier.local(peer, to.clone()));
                        }
                        ForwardRule::Dynamic { .. } | ForwardRule::Remote { .. } => {
                            connections.spawn(carrier.dynamic(peer));
                        }
                    }
                }
                Err(why) => {
                    carrier.entry.trouble(format!("a connection could not be taken: {why}"));
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn remote(
    open: &mut Open,
    mut carrier: Carrier,
    ended: Ended,
    connections: &mut JoinSet<()>,
) -> End {
    let mut gone = std::pin::pin!(ended.wait());
    let rule = carrier.entry.rule();
    loop {
        let room = connections.len() < CONNECTIONS;
        tokio::select! {
            why = &mut gone => return End::Lost(why),
            () = told(&mut carrier.stop) => return End::Stopped,
            Some(_) = connections.join_next() => {}
            arrival = open.arrivals.recv() => match arrival {
                None => return End::Lost("the connection ended".to_owned()),
                Some(arrival) if !room => {
                    let from = &arrival.from;
                    let text = format!("{from} was refused: {CONNECTIONS} connections are open already");
                    carrier.entry.trouble(text);
                }
                Some(arrival) => {
                    let carrier = carrier.clone();
                    match &rule {
                        ForwardRule::Remote { to: Some(to), .. } => {
                            connections.spawn(carrier.remote(arrival, to.clone()));
                        }
                        ForwardRule::Remote { to: None, .. }
                        | ForwardRule::Local { .. }
                        | ForwardRule::Dynamic { .. } => {
                            connections.spawn(carrier.remote_dynamic(arrival));
                        }
                    }
                }
            },
        }
    }
}

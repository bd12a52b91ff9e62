//! One connection that is up: it opens channels, and knows who uses it and how it is.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use russh::client::{Handle, Msg};
use russh::keys::PublicKey;
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::sync::{oneshot, watch};

use crate::domain::connection::{ConnectionRow, ConnectionState};

use crate::domain::forward::Endpoint;

use super::fact::ConnectionInfo;
use super::forward::Doors;
use super::meter::Meter;
use super::slots::Slots;
use super::spare::Spare;
use super::transport::Client;
use super::usage::{Use, Users};

/// How long a server may take to open a channel before the connection is taken for dead.
pub(crate) const OPENING: Duration = Duration::from_secs(30);

/// How long a connection may take to end in order before it is cut.
const FAREWELL: Duration = Duration::from_secs(1);

/// From this round trip on a host is far: its windows are small, and a round trip saved is worth something.
pub(crate) const FAR: Duration = Duration::from_millis(40);

/// From this long without an answer on a host is said to be silent.
const SILENT: Duration = Duration::from_secs(3);

/// What a connection is made of.
pub(crate) struct Parts {
    pub(crate) handle: Handle<Client>,
    pub(crate) id: u64,
    /// As people call the host.
    pub(crate) label: String,
    /// Name, address and port for error texts.
    pub(crate) hop: String,
    pub(crate) info: ConnectionInfo,
    pub(crate) gone: watch::Receiver<Option<String>>,
    /// What the server may open towards us.
    pub(crate) doors: Doors,
    pub(crate) meter: Arc<Meter>,
    /// One round trip, as far as it is known.
    pub(crate) round_trip: Option<Duration>,
    /// How long the peer may be silent before it is taken for dead.
    pub(crate) silence: Duration,
    /// It is a second connection for bulk data.
    pub(crate) bulk: bool,
    /// Its windows are wide enough for bulk data.
    pub(crate) wide: bool,
    /// A person was asked for a secret when it was made.
    pub(crate) asked: bool,
    /// The connection that carries it.
    #[expect(dead_code, reason = "held, so that it stays up and counts its user")]
    pub(crate) via: Option<User>,
}

/// A connection. It ends when the last `Arc` of it is gone; a connection through a bastion holds the bastion's.
pub(crate) struct Link {
    pub(crate) hop: String,
    pub(crate) info: ConnectionInfo,
    pub(crate) slots: Slots,
    pub(crate) users: Users,
    pub(crate) spare: Spare,
    parts: Parts,
    born: Instant,
    ended: Ended,
    /// The last measured round trip in microseconds; 0 until there is one.
    round_trip: AtomicU32,
    /// When a sign of life was asked for that has not come. A std mutex: held to copy, never across an await.
    asked: Mutex<Option<Instant>>,
}

/// The end of a connection, for those who must not keep it alive.
#[derive(Clone)]
pub(crate) struct Ended {
    gone: watch::Receiver<Option<String>>,
    /// Why we hung up ourselves.
    bye: Arc<OnceLock<String>>,
}

impl Ended {
    /// Waits for it, and says why it ended.
    pub(crate) async fn wait(mut self) -> String {
        let reason = match self.gone.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "it was closed".to_owned(),
        };
        self.bye.get().cloned().unwrap_or(reason)
    }

    /// Whether we ended it ourselves.
    pub(crate) fn by_us(&self) -> bool {
        self.bye.get().is_some()
    }
}

/// Why no session channel was opened.
#[derive(Debug)]
pub(crate) enum NoChannel {
    /// The server has as many as it allows.
    Full,
    /// The server refuses even the only one.
    Refused(String),
    /// The connection is dead.
    Dead(String),
}

/// Why a host does not lead on.
#[derive(Debug)]
pub(crate) enum DeadEnd {
    /// It says no.
    Refused(ChannelOpenFailure),
    /// The connection to it is gone.
    Lost(String),
}

impl Link {
    pub(crate) fn new(parts: Parts) -> Self {
        let round_trip = parts.round_trip.map_or(0, micros);
        Self {
            hop: parts.hop.clone(),
            info: parts.info.clone(),
            slots: Slots::default(),
            users: Users::default(),
            spare: Spare::default(),
            born: Instant::now(),
            ended: Ended {
                gone: parts.gone.clone(),
                bye: Arc::default(),
            },
            round_trip: AtomicU32::new(round_trip),
            asked: Mutex::default(),
            parts,
        }
    }

    /// What the server may open towards us.
    pub(crate) fn doors(&self) -> &Doors {
        &self.parts.doors
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.parts.handle.is_closed() && !self.ended.by_us()
    }

    /// Whether it broke by itself.
    pub(crate) fn is_lost(&self) -> bool {
        self.parts.handle.is_closed() && !self.ended.by_us()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.spare.is_there() || self.slots.has_room()
    }

    /// Whether its windows are wide enough for bulk data.
    pub(crate) fn is_wide(&self) -> bool {
        self.parts.wide
    }

    /// Whether a person was asked for a secret when it was made.
    pub(crate) fn asked(&self) -> bool {
        self.parts.asked
    }

    /// The library's handle, for requests that are no channels.
    pub(crate) fn handle(&self) -> &Handle<Client> {
        &self.parts.handle
    }

    /// Waits until a channel was closed. Wakes one waiter for each.
    pub(crate) async fn freed(&self) {
        self.slots.freed.notified().await;
    }

    /// Asks for fresh keys at the next opportunity.
    pub(crate) async fn rekey(&self) {
        // A connection that is gone needs none.
        self.handle().rekey_soon().await.ok();
    }

    /// Its end.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.clone()
    }

    /// Why the connection is gone, if it is.
    pub(crate) fn why_gone(&self) -> Option<String> {
        let bye = self.ended.bye.get().cloned();
        bye.or_else(|| self.ended.gone.borrow().clone())
    }

    /// The last measured round trip.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(u64::from(micros)))
    }

    /// Measures a round trip inside the connection. A host that does not answer is the business of the keep-alives.
    pub(crate) async fn ping(&self) {
        let asked = Instant::now();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        let answered =
            tokio::time::timeout(self.parts.silence, self.parts.handle.send_ping()).await;
        if matches!(answered, Ok(Ok(()))) && self.is_alive() {
            self.round_trip
                .store(micros(asked.elapsed()), Ordering::Relaxed);
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Waits until the host has read everything that was sent before: requests and channel data keep their order.
    pub(crate) async fn answer(&self) {
        // A connection that is gone ends everything that waits for it.
        self.parts.handle.send_ping().await.ok();
    }

    /// How long a sign of life has been waited for, once that is longer than any healthy line takes.
    fn silence(&self) -> Option<Duration> {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked
            .map(|asked| asked.elapsed())
            .filter(|waited| *waited >= SILENT)
    }

    /// Counts somebody who uses the connection until the value is dropped.
    pub(crate) fn user(self: &Arc<Self>, what: Use) -> User {
        self.users.enter(what);
        User {
            link: Arc::clone(self),
            what,
        }
    }

    /// How it is, for people.
    pub(crate) fn row(&self) -> ConnectionRow {
        let info = &self.info;
        ConnectionRow {
            id: self.parts.id,
            host: self.parts.label.clone(),
            user: info.user.clone(),
            address: info.address.clone(),
            port: info.port,
            via: info.via.clone(),
            state: ConnectionState::Up,
            age_ms: millis(self.born.elapsed()),
            // Less than a millisecond is shown as one, because 0 looks like nothing measured.
            rtt_ms: self
                .round_trip()
                .map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)),
            silent_ms: self.silence().map(millis),
            users: self.users.now(),
            bytes_in: self.parts.meter.received(),
            bytes_out: self.parts.meter.sent(),
            kex: info.kex.clone(),
            post_quantum: is_post_quantum(&info.kex),
            cipher: info.cipher.clone(),
            host_key: info.host_key.clone(),
            server: info.server.clone(),
            auth: info.auth.clone(),
            bulk: self.parts.bulk,
            channel_limit: self.slots.limit(),
            notes: info.notes.clone(),
        }
    }

    /// Opens a session channel.
    pub(crate) async fn session(self: &Arc<Self>, what: Use) -> Result<Held, NoChannel> {
        if let Some(channel) = self.spare.take(self).await {
            let slot = Slot {
                user: self.user(what),
                open: true,
            };
            self.spare.refill(self);
            return Ok(Held { channel, slot });
        }
        if !self.slots.reserve() {
            return Err(NoChannel::Full);
        }
        let slot = Slot {
            user: self.user(what),
            open: false,
        };
        let link = Arc::clone(self);
        let opening = taken_or_closed(async move { link.open(slot).await }, |held| held.channel);
        // The task is never cancelled; it is gone only when the runtime is.
        let opened = opening
            .await
            .unwrap_or_else(|| Err(NoChannel::Dead("the program ends".to_owned())));
        if opened.is_ok() {
            self.spare.refill(self);
        }
        opened
    }

    /// Opens a session channel for work that can wait: not when no other would be left.
    pub(crate) async fn surplus(self: &Arc<Self>, what: Use) -> Result<Held, NoChannel> {
        if self.slots.is_tight(self.spare.is_there()) {
            return Err(NoChannel::Full);
        }
        self.session(what).await
    }

    async fn open(&self, mut slot: Slot) -> Result<Held, NoChannel> {
        match tokio::time::timeout(OPENING, self.handle().channel_open_session()).await {
            Ok(Ok(channel)) => {
                self.slots.confirm();
                slot.open = true;
                Ok(Held { channel, slot })
            }
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                drop(slot);
                if self.slots.refuse() {
                    Err(NoChannel::Full)
                } else {
                    Err(NoChannel::Refused(reason.description().to_owned()))
                }
            }
            Ok(Err(why)) => Err(NoChannel::Dead(
                self.why_gone().unwrap_or_else(|| why.to_string()),
            )),
            Err(_) => {
                // Whoever does not answer this will not answer anything.
                self.hang_up("the host stopped answering").await;
                Err(NoChannel::Dead(format!(
                    "no answer in {} s",
                    OPENING.as_secs()
                )))
            }
        }
    }

    /// Opens a channel that leads on to `host` and `port`, as seen from there. Servers do not count these against their
    /// session limit. The caller brings the deadline.
    pub(crate) async fn direct_tcpip(
        self: &Arc<Self>,
        what: Use,
        host: &str,
        port: u16,
    ) -> Result<Carried, DeadEnd> {
        let (link, host) = (Arc::clone(self), host.to_owned());
        self.carry(what, async move {
            let handle = link.handle();
            handle
                .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0)
                .await
        })
        .await
    }

    async fn carry(
        self: &Arc<Self>,
        what: Use,
        opening: impl Future<Output = Result<Channel<Msg>, russh::Error>> + Send + 'static,
    ) -> Result<Carried, DeadEnd> {
        let user = self.user(what);
        let link = Arc::clone(self);
        let work = async move {
            match opening.await {
                Ok(channel) => Ok(Carried { channel, user }),
                Err(russh::Error::ChannelOpenFailure(reason)) => Err(DeadEnd::Refused(reason)),
                Err(why) => Err(DeadEnd::Lost(
                    link.why_gone().unwrap_or_else(|| why.to_string()),
                )),
            }
        };
        let opened = taken_or_closed(work, |carried: Carried| carried.channel);
        opened
            .await
            .unwrap_or_else(|| Err(DeadEnd::Lost("the program ends".to_owned())))
    }

    /// Has the server prove that it holds host keys that it announced.
    ///
    /// # Errors
    /// It does not, in words.
    pub(crate) async fn prove(&self, keys: Vec<PublicKey>) -> Result<(), String> {
        let proved = self.handle().hostkeys_prove(keys).await;
        proved.map_err(|why| why.to_string())
    }

    /// Opens a channel for a forward: to a TCP address or a Unix-domain socket as the host sees it. `from` is who connected
    /// here, for the host's log. The caller brings the deadline.
    pub(crate) async fn toward(
        self: &Arc<Self>,
        to: Endpoint,
        from: (String, u16),
    ) -> Result<Carried, DeadEnd> {
        let link = Arc::clone(self);
        self.carry(Use::Forward, async move {
            let handle = link.handle();
            match to {
                Endpoint::Tcp { host, port } => {
                    let (port, origin) = (u32::from(port), u32::from(from.1));
                    handle
                        .channel_open_direct_tcpip(host, port, from.0, origin)
                        .await
                }
                Endpoint::Unix { path } => handle.channel_open_direct_streamlocal(path).await,
            }
        })
        .await
    }

    /// Says good-bye. What still runs on the connection ends.
    pub(crate) async fn hang_up(&self, why: &str) {
        // Set once: the first reason is the true one.
        self.ended.bye.set(why.to_owned()).ok();
        let mut gone = self.ended.gone.clone();
        let farewell = async {
            let bye = self
                .handle()
                .disconnect(Disconnect::ByApplication, why, "en");
            // The connection's task may be gone already; then there is nothing to end.
            if bye.await.is_ok() {
                gone.wait_for(Option::is_some).await.ok();
            }
        };
        // A peer that takes nothing keeps the task from ever reading this.
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            self.parts.meter.cut();
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether recorded traffic stays secret from later quantum computers: only hybrid exchanges keep it so.
fn is_post_quantum(kex: &str) -> bool {
    kex.contains("mlkem") || kex.contains("sntrup")
}

/// Opens a channel in a task of its own. If nobody waits for it any more when it is open, it is closed again: a channel
/// without an owner would count against the server's limit for as long as the connection lives.
async fn taken_or_closed<T: Send + 'static, E: Send + 'static>(
    opening: impl Future<Output = Result<T, E>> + Send + 'static,
    channel: impl FnOnce(T) -> Channel<Msg> + Send + 'static,
) -> Option<Result<T, E>> {
    let (give, take) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(Ok(orphan)) = give.send(opening.await) {
            channel(orphan).close().await.ok();
        }
    });
    take.await.ok()
}

/// A session channel and its place among those the server allows.
pub(crate) struct Held {
    pub(crate) channel: Channel<Msg>,
    pub(crate) slot: Slot,
}

/// A channel that leads on, and its user, to be kept as long as the channel is used.
pub(crate) struct Carried {
    pub(crate) channel: Channel<Msg>,
    pub(crate) user: User,
}

/// Somebody who uses a connection; counted until dropped. Holds the connection.
pub(crate) struct User {
    pub(crate) link: Arc<Link>,
    what: Use,
}

impl Drop for User {
    fn drop(&mut self) {
        self.link.users.leave(self.what);
    }
}

/// A place among a connection's channels, and its user; free again when dropped.
pub(crate) struct Slot {
    user: User,
    open: bool,
}

impl Slot {
    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.user.link
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.user.link.slots.release(self.open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_exchanges_are_told_from_classical_ones() {
        assert!(is_post_quantum("mlkem768x25519-sha256"));
        assert!(is_post_quantum("sntrup761x25519-sha512@openssh.com"));
        assert!(!is_post_quantum("curve25519-sha256"));
        assert!(!is_post_quantum(""));
    }
}

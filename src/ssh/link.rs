//! One connection that is up, and its channels: how many there may be at once is learned from the server's refusals.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure, Disconnect};
use tokio::sync::{Notify, oneshot, watch};

use super::fact::ConnectionInfo;
use super::transport::Client;

/// How long a server may take to open a channel before the connection is taken for dead.
const OPENING: Duration = Duration::from_secs(30);

/// After this long without a refusal a full server is tried with one more channel; the limit may have been a moment's.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// A connection. It ends when the last `Arc` of it is gone; a connection through a bastion holds the bastion's.
pub(crate) struct Link {
    handle: Handle<Client>,
    pub(crate) hop: String,
    pub(crate) info: ConnectionInfo,
    ended: Ended,
    slots: Slots,
    _via: Option<Arc<Link>>,
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
}

/// Why no channel was opened.
#[derive(Debug)]
pub(crate) enum NoChannel {
    /// The server has as many as it allows.
    Full,
    /// The server refuses even the only one.
    Refused(String),
    /// The connection is dead.
    Dead(String),
}

impl Link {
    pub(crate) fn new(
        handle: Handle<Client>,
        hop: String,
        info: ConnectionInfo,
        gone: watch::Receiver<Option<String>>,
        via: Option<Arc<Link>>,
    ) -> Self {
        Self {
            handle,
            hop,
            info,
            ended: Ended {
                gone,
                bye: Arc::default(),
            },
            slots: Slots::default(),
            _via: via,
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.handle.is_closed()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.slots.has_room()
    }

    /// Whether the server ever opened a channel for us.
    pub(crate) fn gave(&self) -> bool {
        self.slots.lock().gave
    }

    /// Waits until a channel was closed. Wakes one waiter for each.
    pub(crate) async fn freed(&self) {
        self.slots.freed.notified().await;
    }

    /// Asks for fresh keys at the next opportunity.
    pub(crate) async fn rekey(&self) {
        // A connection that is gone needs none.
        self.handle.rekey_soon().await.ok();
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

    /// Opens a session channel.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Held, NoChannel> {
        if !self.slots.reserve() {
            return Err(NoChannel::Full);
        }
        let slot = Slot {
            link: Arc::clone(self),
            open: false,
        };
        let link = Arc::clone(self);
        let opening = taken_or_closed(async move { link.open(slot).await }, |held| held.channel);
        // The task is never cancelled; it is gone only when the runtime is.
        opening
            .await
            .unwrap_or_else(|| Err(NoChannel::Dead("the program ends".to_owned())))
    }

    async fn open(&self, mut slot: Slot) -> Result<Held, NoChannel> {
        match tokio::time::timeout(OPENING, self.handle.channel_open_session()).await {
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

    /// Opens a channel that leads on to another host. Servers do not count these against their session limit.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        host: &str,
        port: u16,
    ) -> Result<Channel<Msg>, DeadEnd> {
        let (link, host) = (Arc::clone(self), host.to_owned());
        let work = async move {
            let open = link
                .handle
                .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
            match open.await {
                Ok(channel) => Ok(channel),
                Err(russh::Error::ChannelOpenFailure(reason)) => Err(DeadEnd::Refused(reason)),
                Err(why) => Err(DeadEnd::Lost(
                    link.why_gone().unwrap_or_else(|| why.to_string()),
                )),
            }
        };
        let opening = taken_or_closed(work, |channel| channel);
        opening
            .await
            .unwrap_or_else(|| Err(DeadEnd::Lost("the program ends".to_owned())))
    }

    /// Says good-bye. What still runs on the connection ends.
    pub(crate) async fn hang_up(&self, why: &str) {
        // Set once: the first reason is the true one.
        self.ended.bye.set(why.to_owned()).ok();
        // The connection's task may be gone already, or so stuck that its queue is full; neither may keep us.
        let bye = self.handle.disconnect(Disconnect::ByApplication, why, "en");
        tokio::time::timeout(Duration::from_secs(1), bye).await.ok();
    }
}

/// Why a bastion does not lead on.
#[derive(Debug)]
pub(crate) enum DeadEnd {
    /// It says no.
    Refused(ChannelOpenFailure),
    /// The connection to it is gone.
    Lost(String),
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

/// An open channel and its place among those the server allows.
pub(crate) struct Held {
    pub(crate) channel: Channel<Msg>,
    pub(crate) slot: Slot,
}

/// A place among a connection's channels; free again when dropped. Holds the connection.
pub(crate) struct Slot {
    pub(crate) link: Arc<Link>,
    open: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.link.slots.release(self.open);
    }
}

/// How many channels a connection has and may have.
#[derive(Default)]
struct Slots {
    // A std mutex: held for arithmetic, never across an await.
    state: Mutex<Counts>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    opening: usize,
    /// One was opened at least once.
    gave: bool,
    /// As many as were open when the server last refused one.
    limit: Option<usize>,
    refused: Option<Instant>,
}

impl Counts {
    fn has_room(&self) -> bool {
        let busy = self.open + self.opening;
        match self.limit {
            None => true,
            Some(limit) if busy < limit => true,
            Some(limit) => busy == limit && self.refused.is_none_or(|at| at.elapsed() > TRY_AGAIN),
        }
    }
}

impl Slots {
    fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    fn reserve(&self) -> bool {
        let mut counts = self.lock();
        let room = counts.has_room();
        if room {
            counts.opening += 1;
        }
        room
    }

    fn confirm(&self) {
        let mut counts = self.lock();
        counts.opening = counts.opening.saturating_sub(1);
        counts.open += 1;
        counts.gave = true;
        counts.limit = counts.limit.map(|limit| limit.max(counts.open));
    }

    /// Notes a refusal; the reservation was released before. False if there was no other channel that could be in the way.
    fn refuse(&self) -> bool {
        let mut counts = self.lock();
        if counts.open == 0 && counts.opening == 0 {
            return false;
        }
        counts.limit = Some(counts.open.max(1));
        counts.refused = Some(Instant::now());
        true
    }

    fn release(&self, open: bool) {
        let mut counts = self.lock();
        let count = if open {
            &mut counts.open
        } else {
            &mut counts.opening
        };
        *count = count.saturating_sub(1);
        drop(counts);
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_learned_and_unlearned() {
        let slots = Slots::default();
        for _ in 0..3 {
            assert!(slots.reserve());
        }
        slots.confirm();
        slots.confirm();
        slots.release(false);
        assert!(slots.refuse(), "two are in the way");
        assert!(!slots.has_room());
        slots.release(true);
        assert!(slots.reserve(), "one was closed");
        slots.confirm();
        assert!(!slots.has_room());
        slots.lock().refused = Instant::now().checked_sub(TRY_AGAIN * 2);
        assert!(slots.reserve(), "after a while one more is tried");
        slots.confirm();
        assert_eq!(slots.lock().limit, Some(3));
    }

    #[test]
    fn a_refusal_of_the_only_channel_is_final() {
        let slots = Slots::default();
        assert!(slots.reserve());
        slots.release(false);
        assert!(!slots.refuse());
        assert!(slots.has_room());
    }
}

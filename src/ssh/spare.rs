//! One session channel that is open before anybody asks: on a far host it saves every command a round trip.
//!
//! It must never be in anybody's way: whoever needs a channel gets this one first, a server that refuses it is not asked
//! again, and it goes when the connection is idle. Only OpenSSH is known to bear channels on which nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::Channel;
use russh::ChannelMsg;
use russh::client::Msg;

use super::link::{FAR, Link, OPENING};

/// The place of the spare channel.
#[derive(Default)]
pub(crate) struct Spare {
    /// Locked while the channel is being opened, so that whoever comes meanwhile waits for it and gets it.
    channel: Arc<tokio::sync::Mutex<Option<Channel<Msg>>>>,
    there: AtomicBool,
    /// The server refused one.
    never: AtomicBool,
}

impl Spare {
    /// Whether there is one, or soon will be.
    pub(crate) fn is_there(&self) -> bool {
        self.there.load(Ordering::Acquire)
    }

    /// Takes it, waiting for one that is being opened. Its place among the connection's channels stays taken.
    pub(crate) async fn take(&self, link: &Link) -> Option<Channel<Msg>> {
        if !self.is_there() {
            return None;
        }
        let mut channel = self.channel.lock().await.take()?;
        self.there.store(false, Ordering::Release);
        if is_open(&mut channel).await {
            return Some(channel);
        }
        link.slots.release(true);
        None
    }

    /// Opens another one in the background, if that is worth it.
    pub(crate) fn refill(&self, link: &Arc<Link>) {
        let wanted = link.round_trip().is_some_and(|time| time >= FAR)
            && link.info.server.contains("OpenSSH")
            && !self.never.load(Ordering::Relaxed)
            && !self.is_there();
        if !wanted {
            return;
        }
        // Locked here and not in the task, so that nobody gets in between.
        let Ok(mut place) = Arc::clone(&self.channel).try_lock_owned() else {
            return;
        };
        if place.is_some() || !link.slots.reserve_surplus() {
            return;
        }
        self.there.store(true, Ordering::Release);
        let link = Arc::clone(link);
        tokio::spawn(async move {
            let opening = link.handle().channel_open_session();
            let opened = tokio::time::timeout(OPENING, opening).await;
            if let Ok(Ok(channel)) = opened {
                link.slots.confirm();
                *place = Some(channel);
                return;
            }
            link.spare.never.store(true, Ordering::Relaxed);
            link.spare.there.store(false, Ordering::Release);
            link.slots.release(false);
            if matches!(opened, Ok(Err(russh::Error::ChannelOpenFailure(_)))) {
                link.slots.refuse();
            }
        });
    }

    /// Closes it.
    pub(crate) async fn release(&self, link: &Link) {
        if let Some(channel) = self.take(link).await {
            channel.close().await.ok();
            link.slots.release(true);
        }
    }
}

/// Whether the server has not closed it meanwhile. A server says nothing on a channel that was asked for nothing.
async fn is_open(channel: &mut Channel<Msg>) -> bool {
    loop {
        match tokio::time::timeout(Duration::ZERO, channel.wait()).await {
            // Nothing waits to be read.
            Err(_) => return true,
            Ok(None | Some(ChannelMsg::Close | ChannelMsg::Eof)) => return false,
            Ok(Some(_)) => {}
        }
    }
}

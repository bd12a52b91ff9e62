//! Files over SFTP: looking at them, and copying them between hosts and this machine.
//!
//! The protocol's packets are in `packet`, one session on one channel in `session`; `side` makes a host and this machine
//! answer the same questions. `look` lists and changes names; `copy` leads a copy, `walk` finds what it has to do, `one`
//! moves a file and `stream` its bytes. A session never outlives those who use it, but for the warm one of each host.

mod copy;
mod durable;
mod fault;
mod glob;
mod here;
mod look;
mod names;
mod one;
mod packet;
mod progress;
mod reader;
mod session;
mod side;
mod stream;
mod walk;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::domain::host::Target;

use super::ask::FilesAsk;
use super::fact::{Asking, FileListing};
use super::manager::Manager;

pub(crate) use fault::Fault;
pub(crate) use session::Sftp;
use side::Side;

pub(crate) use copy::{Order, run as copy};

/// How long a host's session for looking around is kept while nobody looks.
const IDLE: Duration = Duration::from_secs(60);

/// The sessions for looking around: one for each host, kept warm for a while.
#[derive(Default)]
pub(crate) struct Warm {
    // A std mutex: held for look-ups, never across an await.
    doors: std::sync::Mutex<HashMap<Target, Arc<Door>>>,
}

/// A host's session, or the wait for it: whoever comes second waits for the first.
#[derive(Default)]
struct Door {
    open: Mutex<Option<(Arc<Sftp>, Instant)>>,
}

impl Warm {
    /// Answers one question about files.
    ///
    /// # Errors
    /// In words that say what was attempted and why it failed.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        manager: &Manager,
        target: Option<&Target>,
        ask: &FilesAsk,
        asking: Asking,
    ) -> Result<FileListing, String> {
        let Some(target) = target else {
            return told(&Side::Here, ask).await.map_err(|(words, _)| words);
        };
        let (session, kept) = self.session(manager, target, asking).await?;
        match told(&Side::There(session), ask).await {
            // One that was kept may have died meanwhile; what only looks is simply asked again.
            Err((_, Fault::Lost(_)))
                if kept && matches!(ask, FilesAsk::List(_) | FilesAsk::Stat(_)) =>
            {
                let (session, _) = self.session(manager, target, asking).await?;
                let told = told(&Side::There(session), ask).await;
                told.map_err(|(words, _)| words)
            }
            answer => answer.map_err(|(words, _)| words),
        }
    }

    /// The host's session, and whether it was there already.
    async fn session(
        self: &Arc<Self>,
        manager: &Manager,
        target: &Target,
        asking: Asking,
    ) -> Result<(Arc<Sftp>, bool), String> {
        let door = Arc::clone(self.lock().entry(target.clone()).or_default());
        let mut open = door.open.lock().await;
        if let Some((session, used)) = open.as_mut().filter(|(session, _)| session.is_alive()) {
            *used = Instant::now();
            return Ok((Arc::clone(session), true));
        }
        let session = Sftp::open(manager, target, asking).await?;
        *open = Some((Arc::clone(&session), Instant::now()));
        drop(open);
        // It holds nothing that keeps the session, so that the engine's end is not delayed.
        tokio::spawn(cool(Arc::downgrade(self), target.clone()));
        Ok((session, false))
    }

    /// Forgets the session of a host whose connections are closed.
    pub(crate) fn forget(&self, target: &Target) {
        self.lock().remove(target);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Target, Arc<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn told(side: &Side, ask: &FilesAsk) -> Result<FileListing, (String, Fault)> {
    look::answer(side, ask)
        .await
        .map_err(|why| (format!("{}: {why}", look::words(side, ask)), why))
}

/// Closes a host's session when nobody has used it for a while.
async fn cool(warm: Weak<Warm>, target: Target) {
    let mut pause = IDLE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(warm) = warm.upgrade() else { return };
        let Some(door) = warm.lock().get(&target).cloned() else {
            return;
        };
        let mut open = door.open.lock().await;
        let Some((_, used)) = open.as_ref() else {
            return;
        };
        pause = IDLE.saturating_sub(used.elapsed());
        if pause.is_zero() {
            *open = None;
            return;
        }
    }
}

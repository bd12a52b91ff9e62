//! The task that syncs: rounds by themselves while the app lives, and whatever somebody asks for in between.
//!
//! It never holds a transaction of the store across a wait, and the loop never waits for it. How sync is can be told at any
//! moment, also while a round waits for a remote that does not answer.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::ask::{SyncAsk, SyncDone, SyncFact, SyncLevel, SyncRefusal};
use super::desk::Job;
use super::fetch::Fetch;
use super::look::{self, Rhythm};
use super::open::Means;
use super::share::Sharing;
use super::space::{Live, Space};
use crate::app::clock;
use crate::app::event::Event;
use crate::domain::ids::{ReqId, TicketId};
use crate::domain::sync::{Onlooker, SyncStatus};
use crate::domain::time::Time;
use crate::store::Store;
use crate::sync::{Changed, RemoteError, Report, SyncError, SystemRandom, Trouble};

/// Wishes that wait while a round is under way. When it is full the next waits in the queue before it.
const BACKLOG: usize = 64;

/// How often it is said anew that a ticket is open here.
const SAY: Duration = Duration::from_secs(60);

/// How often it is looked who else has it open.
const LOOK: Duration = Duration::from_secs(15);

/// The tickets that are open here, and since when.
type Open = Vec<(TicketId, Time)>;

/// The task's side of the desk.
pub(super) struct Front {
    asks: mpsc::Receiver<SyncAsk>,
    /// The desk is gone.
    closed: bool,
    /// How sync is has been published, so that it can be told from that.
    published: bool,
    pub(super) backlog: VecDeque<SyncAsk>,
    level: watch::Sender<SyncLevel>,
    facts: mpsc::Sender<Event>,
}

impl Front {
    pub(super) fn new(
        asks: mpsc::Receiver<SyncAsk>,
        level: watch::Sender<SyncLevel>,
        facts: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            asks,
            closed: false,
            published: false,
            backlog: VecDeque::new(),
            level,
            facts,
        }
    }

    /// Tells the loop; waits while its queue is full, because facts are never dropped.
    pub(super) async fn tell(&self, fact: SyncFact) {
        // A loop that has ended needs no facts.
        drop(self.facts.send(Event::Sync(Box::new(fact))).await);
    }

    pub(super) async fn done(&self, req: ReqId, result: Result<SyncDone, SyncRefusal>) {
        self.tell(SyncFact::Done { req, result }).await;
    }

    /// How sync is, as last published.
    pub(super) fn status(&self) -> Option<SyncStatus> {
        self.level.borrow().status.clone()
    }

    pub(super) fn publish(&mut self, change: impl FnOnce(&mut SyncLevel)) {
        self.published = true;
        self.level.send_modify(change);
    }

    /// The answer to a question that is told from what was published.
    async fn say_status(&self, req: ReqId) {
        let status = self.status().map(Box::new);
        let said = String::new();
        self.done(req, Ok(SyncDone { said, status })).await;
    }

    /// Does `job`; meanwhile questions are answered, and wishes are kept for later.
    pub(super) async fn attend<T>(&mut self, job: impl Future<Output = T>) -> T {
        let mut job = std::pin::pin!(job);
        loop {
            tokio::select! {
                biased;
                done = &mut job => return done,
                ask = self.asks.recv(), if !self.closed && self.backlog.len() < BACKLOG => match ask {
                    None => self.closed = true,
                    Some(SyncAsk::Status { req }) if self.published => self.say_status(req).await,
                    Some(SyncAsk::GiveUp { req }) => {
                        self.backlog.retain(|kept| kept.req() != req);
                        // What is under way by steps ends before its next one.
                        self.backlog.push_back(SyncAsk::GiveUp { req });
                    }
                    Some(ask) => self.backlog.push_back(ask),
                },
            }
        }
    }

    /// Waits in `job` to be let in; `None` when whoever asked for it is gone, or somebody wants another place.
    pub(super) async fn wait_in<T>(
        &mut self,
        waiting: ReqId,
        job: impl Future<Output = T>,
    ) -> Option<T> {
        let mut job = std::pin::pin!(job);
        loop {
            let ask = tokio::select! {
                biased;
                done = &mut job => return Some(done),
                ask = self.asks.recv(), if !self.closed => ask,
            };
            match ask {
                None => self.closed = true,
                Some(SyncAsk::GiveUp { req }) if req == waiting => return None,
                Some(SyncAsk::GiveUp { .. }) => {}
                Some(
                    ask @ (SyncAsk::Init { .. } | SyncAsk::Join { .. } | SyncAsk::Leave { .. }),
                ) => {
                    self.backlog.push_back(ask);
                    return None;
                }
                Some(SyncAsk::Status { req }) => self.say_status(req).await,
                Some(ask) => {
                    let why = "this store waits to be let into a space; that comes first";
                    self.done(ask.req(), Err(SyncRefusal::new(2, why))).await;
                }
            }
        }
    }
}

/// What to do next.
enum Next {
    End,
    Ask(SyncAsk),
    Round,
    /// A part of a recording that somebody waits for.
    Fetch,
    /// A part of a recording that goes into the space.
    Share,
}

/// The task.
pub(super) struct Worker {
    pub(super) front: Front,
    pub(super) store: Store,
    /// Where keys and the description of the space are.
    pub(super) folder: PathBuf,
    pub(super) means: Means,
    pub(super) job: Job,
    pub(super) space: Option<Space>,
    pub(super) rhythm: Rhythm,
    /// Recordings that somebody here waits for.
    pub(super) fetches: VecDeque<Fetch>,
    /// Recordings that go into the space.
    pub(super) sharing: Sharing,
    /// Local writes and open tickets.
    wrote: Arc<Notify>,
    shown: watch::Receiver<Open>,
    /// When it was last said what is open here; `None` when nothing is said.
    said: Option<Instant>,
    /// When it is next looked who has what open.
    look: Instant,
}

impl Worker {
    pub(super) fn new(
        front: Front,
        (store, folder): (Store, PathBuf),
        means: Means,
        job: Job,
        (wrote, shown): (Arc<Notify>, watch::Receiver<Open>),
    ) -> Self {
        let now = Instant::now();
        Self {
            front,
            store,
            folder,
            means,
            job,
            space: None,
            rhythm: Rhythm::new(now),
            fetches: VecDeque::new(),
            sharing: Sharing::default(),
            wrote,
            shown,
            said: None,
            look: now,
        }
    }

    /// Works until the desk is gone.
    pub(super) async fn run(mut self) {
        match Space::load(&self.folder) {
            Ok(space) => self.space = space,
            Err(why) => {
                let troubles = vec![why.to_string()];
                self.front.tell(SyncFact::Troubles(troubles)).await;
            }
        }
        self.ready().await.ok();
        self.publish(false).await;
        loop {
            match self.next().await {
                Next::End => return,
                Next::Ask(ask) => self.answer(ask).await,
                Next::Round => {
                    self.round(false).await;
                }
                Next::Fetch => self.fetch_step().await,
                Next::Share => self.share_step().await,
            }
        }
    }

    async fn next(&mut self) -> Next {
        if let Some(ask) = self.front.backlog.pop_front() {
            return Next::Ask(ask);
        }
        if self.front.closed {
            return Next::End;
        }
        let Self {
            front,
            store,
            job,
            space,
            rhythm,
            wrote,
            shown,
            said,
            look,
            fetches,
            sharing,
            ..
        } = self;
        let auto = job.auto && space.is_some();
        let live = space.as_ref().and_then(|space| space.live.as_ref());
        let mut hint = std::pin::pin!(hint(live, rhythm.left(Instant::now())));
        let mut hinted = !auto;
        loop {
            let open = !shown.borrow().is_empty();
            tokio::select! {
                biased;
                ask = front.asks.recv() => return ask.map_or(Next::End, Next::Ask),
                () = wrote.notified(), if auto => {
                    let Some(live) = live else { continue };
                    let pending = look::pending(store, &live.engine).await;
                    if pending > 0 {
                        rhythm.hurry(Instant::now());
                    }
                    front.publish(|level| level.status.iter_mut().for_each(|status| status.pending = pending));
                }
                changed = shown.changed(), if auto => {
                    if changed.is_err() {
                        return Next::End;
                    }
                    if !shown.borrow_and_update().is_empty() {
                        // Something else is open now, which is said at once.
                        (*said, *look) = (None, Instant::now());
                    } else if said.is_some() {
                        present(front, live, (job, store), (shown, said)).await;
                    }
                }
                () = sleep_until(*look), if auto && open => {
                    present(front, live, (job, store), (shown, said)).await;
                    *look = Instant::now() + LOOK;
                }
                changed = &mut hint, if !hinted => {
                    hinted = true;
                    if changed == Ok(Changed::Perhaps) {
                        rhythm.hurry(Instant::now());
                    }
                }
                () = sleep_until(rhythm.wake), if auto => return Next::Round,
                // These come last: whatever else is to be done comes between two parts.
                () = std::future::ready(()), if !fetches.is_empty() => return Next::Fetch,
                () = std::future::ready(()), if auto && sharing.wants() => return Next::Share,
            }
        }
    }

    /// One round, if the space can be opened; `None` when there is no space. `goes_on`: it belongs to the same request as
    /// the one before.
    pub(super) async fn round(&mut self, goes_on: bool) -> Option<Report> {
        let report = match self.ready().await {
            Err(why) => Report {
                error: Some(why),
                ..Report::default()
            },
            Ok(()) => {
                self.publish(true).await;
                let (front, store) = (&mut self.front, &self.store);
                let live = self.space.as_mut().and_then(|space| space.live.as_mut())?;
                let mut random = SystemRandom;
                let round = live
                    .engine
                    .round(store, &*live.remote, clock::now(), &mut random);
                front.attend(round).await
            }
        };
        let space = self.space.as_mut()?;
        let before = std::mem::take(&mut space.last);
        space.last = before.after(&report, clock::now(), goes_on);
        space.last.keep(&self.folder);
        let fresh = |text: &&String| !before.troubles.contains(text);
        let troubles: Vec<String> = space.last.troubles.iter().filter(fresh).cloned().collect();
        self.rhythm.after(&report, Instant::now(), clock::dice());
        if report.error.is_none() {
            self.sharing.after_round(report.published);
        }
        if report.learned > 0 || report.ahead > 0 {
            self.front.tell(SyncFact::Learned).await;
        }
        if !troubles.is_empty() {
            self.front.tell(SyncFact::Troubles(troubles)).await;
        }
        let copied = |trouble: &Trouble| matches!(trouble, Trouble::Copied { .. });
        if report.error.is_none() && report.troubles.iter().any(copied) {
            self.name(None).await.ok();
        }
        self.publish(false).await;
        Some(report)
    }

    /// Opens what is not open yet.
    ///
    /// # Errors
    /// The keys cannot be used, or the words of the remote mean nothing.
    pub(super) async fn ready(&mut self) -> Result<(), SyncError> {
        let Some(space) = &mut self.space else {
            return Ok(());
        };
        if space.live.is_some() {
            return Ok(());
        }
        let opening = Live::open(&space.config, &self.means, &self.folder, &self.store);
        match self.front.attend(opening).await {
            Ok(live) => {
                space.live = Some(live);
                Ok(())
            }
            Err(why) => {
                space.last = space.last.failed(&why, clock::now());
                Err(why)
            }
        }
    }

    /// Publishes how sync is.
    pub(super) async fn publish(&mut self, syncing: bool) {
        let next = self.job.auto.then(|| self.rhythm.left(Instant::now()));
        let status = match &self.space {
            None => None,
            Some(space) => Some(space.status(&self.store, syncing, next).await),
        };
        self.front.publish(|level| {
            if status.is_none() {
                level.onlookers.clear();
            }
            level.status = status;
        });
    }
}

/// Waits until the remote says that something changed; for ever when there is none.
async fn hint(live: Option<&Live>, limit: Duration) -> Result<Changed, RemoteError> {
    match live {
        Some(live) if !limit.is_zero() => live.remote.changed(limit).await,
        _ => std::future::pending().await,
    }
}

/// Says what is open here, when that is due, and looks who else has it open. Whatever fails is left: nothing waits for it.
async fn present(
    front: &mut Front,
    live: Option<&Live>,
    (job, store): (&Job, &Store),
    (shown, said): (&mut watch::Receiver<Open>, &mut Option<Instant>),
) {
    let Some(live) = live else { return };
    let tickets = shown.borrow().clone();
    let due = said.is_none_or(|at| at.elapsed() >= SAY);
    let work = async {
        let mut random = SystemRandom;
        if due || tickets.is_empty() {
            let what = (clock::now(), job.me.as_str(), tickets.as_slice());
            let told = live
                .engine
                .say_presence(&*live.remote, what, &mut random)
                .await;
            if told.is_ok() {
                *said = (!tickets.is_empty()).then(Instant::now);
            }
        }
        if tickets.is_empty() {
            return Vec::new();
        }
        let others = live
            .engine
            .others_present(&*live.remote, clock::now())
            .await;
        let others = others.ok().flatten().unwrap_or_default();
        if others.is_empty() {
            return Vec::new();
        }
        let rows = look::rows(store).await.unwrap_or_default();
        let called = |id| {
            let row = rows.iter().find(|row| row.id == id && !row.name.is_empty());
            row.map_or_else(
                || crate::domain::sync::short_device(id),
                |row| row.name.clone(),
            )
        };
        let open = |ticket: &TicketId| tickets.iter().any(|(open, _)| open == ticket);
        let mut onlookers: Vec<Onlooker> = Vec::new();
        for one in others {
            let device = called(one.device);
            let theirs = one.tickets.iter().filter(|(ticket, _)| open(ticket));
            onlookers.extend(theirs.map(|(ticket, since)| Onlooker {
                ticket: *ticket,
                who: one.who.clone(),
                device: device.clone(),
                since: *since,
            }));
        }
        onlookers
    };
    let onlookers = front.attend(work).await;
    front.level.send_if_modified(|level| {
        let changed = level.onlookers != onlookers;
        level.onlookers = onlookers;
        changed
    });
}

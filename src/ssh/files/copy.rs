//! A copy from its ask to its report: who goes where, in what order, how much at once.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::domain::files::{CopyJob, CopyReport, FileKind};
use crate::domain::host::Target;
use crate::domain::ids::ReqId;
use crate::ssh::fact::{Asking, SshFact};
use crate::ssh::manager::Manager;

use super::fault::Fault;
use super::glob;
use super::names;
use super::one::{self, Job, Trouble};
use super::progress::{PAUSE, Tally};
use super::session::Sftp;
use super::side::{Meta, Side};
use super::walk::{self, Item, Root};

/// How many small files are under way at once: each waits for several answers, so that together they fill a long line.
const TOGETHER: u32 = 16;

/// What is larger has the line to itself, in bytes.
const SMALL: u64 = 256 * 1024;

/// How many files are found in advance. When it is full the search waits.
const AHEAD: usize = 1024;

/// How long what is under way may take to settle when a copy is stopped.
const SETTLING: Duration = Duration::from_secs(10);

/// A copy to make.
pub(crate) struct Order {
    pub(crate) req: ReqId,
    pub(crate) job: CopyJob,
    pub(crate) targets: BTreeMap<String, Target>,
    pub(crate) interactive: bool,
    /// True once a person wants it to stop.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Carries it out and tells how far it is.
///
/// # Errors
/// In words: nothing was copied, because a host could not be reached or has no SFTP.
pub(crate) async fn run(
    manager: &Manager,
    facts: &mpsc::Sender<SshFact>,
    order: Order,
) -> Result<CopyReport, String> {
    let Order {
        req,
        job: asked,
        targets,
        interactive,
        mut stop,
    } = order;
    let asking = Asking::Request(req).only_if(interactive);
    let opening = sides(manager, &asked, &targets, asking);
    let sides = tokio::select! {
        sides = opening => sides?,
        () = wanted(&mut stop) => return Ok(Tally::new().report(true, None)),
    };
    let to = side(&sides, asked.to.host.as_deref());
    let job = Arc::new(Job {
        to: to.clone(),
        preserve: asked.preserve,
        resume: asked.resume,
        tally: Tally::new(),
        halt: watch::Sender::new(None),
    });
    let working = async {
        match roots(&job, &sides, &asked).await {
            Ok(roots) => through(&job, roots, to, asked.recursive).await,
            Err(why) => job.tally.failed(why),
        }
    };
    watched(&job, facts, req, &mut stop, working).await;
    let (stopped, lost) = match &*job.halt.borrow() {
        None => (false, None),
        Some(Fault::Lost(why)) => (false, Some(why.clone())),
        Some(_) => (true, None),
    };
    // The last word of progress is the whole.
    let progress = job.tally.progress();
    facts
        .send(SshFact::CopyProgress { req, progress })
        .await
        .ok();
    Ok(job.tally.report(stopped, lost))
}

async fn wanted(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody can stop it any more; the engine ends everything itself when it goes.
        std::future::pending::<()>().await;
    }
}

/// Works until it is done, tells how far it is, and passes on the wish to stop.
async fn watched(
    job: &Job,
    facts: &mpsc::Sender<SshFact>,
    req: ReqId,
    stop: &mut watch::Receiver<bool>,
    working: impl Future<Output = ()>,
) {
    let mut working = pin!(working);
    let mut beat = tokio::time::interval(PAUSE);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut working => return,
            () = wanted(stop) => break,
            _ = beat.tick() => {
                let progress = job.tally.progress();
                let told = facts.send(SshFact::CopyProgress { req, progress });
                tokio::select! {
                    () = &mut working => return,
                    // A slow reader of facts does not hold up the copy.
                    _ = told => {}
                }
            }
        }
    }
    halt(job, Fault::Stopped);
    tokio::time::timeout(SETTLING, working).await.ok();
}

fn halt(job: &Job, fault: Fault) {
    // The first reason is the true one.
    job.halt.send_if_modified(|halt| {
        let first = halt.is_none();
        if first {
            *halt = Some(fault);
        }
        first
    });
}

/// A session for each host, opened side by side.
async fn sides(
    manager: &Manager,
    job: &CopyJob,
    targets: &BTreeMap<String, Target>,
    asking: Asking,
) -> Result<BTreeMap<String, Side>, String> {
    let mut sides = BTreeMap::new();
    let places = job.from.iter().chain([&job.to]);
    for host in places.filter_map(|place| place.host.as_ref()) {
        if sides.contains_key(host) {
            continue;
        }
        let Some(target) = targets.get(host) else {
            return Err(format!("it was not said where {host} is"));
        };
        let sftp = Sftp::open(manager, target, asking).await?;
        sides.insert(host.clone(), Side::There(sftp));
    }
    Ok(sides)
}

fn side(sides: &BTreeMap<String, Side>, host: Option<&str>) -> Side {
    match host.and_then(|host| sides.get(host)) {
        Some(side) => side.clone(),
        None => Side::Here,
    }
}

/// What is copied and under which names: into the destination if that is a folder, else under its name.
async fn roots(
    job: &Job,
    sides: &BTreeMap<String, Side>,
    asked: &CopyJob,
) -> Result<Vec<Root>, String> {
    let mut sources = Vec::new();
    for place in &asked.from {
        let from = side(sides, place.host.as_deref());
        let failed = |why: Fault, path: &[u8]| {
            if let Fault::Lost(_) = why {
                halt(job, why.clone());
            }
            job.tally
                .failed(format!("cannot copy {}: {why}", from.place(path)));
        };
        let path = match from.meant(place.path.as_bytes()).await {
            Ok(path) => path,
            Err(why) => {
                failed(why, place.path.as_bytes());
                continue;
            }
        };
        if from.host().is_none() || !names::has_pattern(&path) {
            sources.push((from, path));
            continue;
        }
        match glob::expand(&from, &path).await {
            Ok(paths) => sources.extend(paths.into_iter().map(|path| (from.clone(), path))),
            Err(why) => failed(why, &path),
        }
    }
    let to = &job.to;
    let cannot = |why: &Fault| {
        format!(
            "cannot copy to {}: {why}",
            to.place(asked.to.path.as_bytes())
        )
    };
    let goal = to
        .meant(asked.to.path.as_bytes())
        .await
        .map_err(|why| cannot(&why))?;
    let found = match to.stat(&goal).await {
        Ok(meta) => Some(meta.kind),
        Err(Fault::NotThere) => None,
        Err(why) => return Err(cannot(&why)),
    };
    let folder = found == Some(FileKind::Folder);
    let several = sources.len() > 1 || asked.from.len() > 1;
    let slash = goal.ends_with(b"/") && !(asked.recursive && found.is_none() && !several);
    if (several || slash) && !folder {
        let why = match found {
            None => "there is no such folder; make it first",
            Some(_) => "it is not a folder",
        };
        return Err(cannot(&Fault::Other(why.to_owned())));
    }
    let mut roots = Vec::new();
    for (from, path) in sources {
        let to = match names::own(&path) {
            Some(name) if folder => names::join(&goal, name),
            // `folder/.` is what is in it.
            _ => names::trimmed(&goal).to_vec(),
        };
        roots.push(Root {
            side: from,
            from: path,
            to,
        });
    }
    Ok(roots)
}

/// Goes through everything that is found.
async fn through(job: &Arc<Job>, roots: Vec<Root>, to: Side, recursive: bool) {
    // When it is full the search waits for the copying.
    let (give, mut items) = mpsc::channel(AHEAD);
    let mut searching = pin!(walk::walk(roots, to, recursive, give));
    let mut searched = false;
    let mut work = Work {
        job: Arc::clone(job),
        room: Arc::new(Semaphore::new(TOGETHER as usize)),
        under_way: JoinSet::new(),
        busy: HashSet::new(),
        lost_folders: Vec::new(),
        finals: Vec::new(),
    };
    let mut copying = pin!(work.all(&mut items));
    loop {
        tokio::select! {
            () = &mut searching, if !searched => searched = true,
            () = &mut copying => break,
        }
    }
}

/// The work that is under way.
struct Work {
    job: Arc<Job>,
    room: Arc<Semaphore>,
    under_way: JoinSet<Vec<u8>>,
    /// The files that are written now: no two may get one name at the same time.
    busy: HashSet<Vec<u8>>,
    /// Folders that could not be made.
    lost_folders: Vec<Vec<u8>>,
    /// What folders get when all is in them.
    finals: Vec<(Vec<u8>, Meta)>,
}

impl Work {
    async fn all(&mut self, items: &mut mpsc::Receiver<Item>) {
        let mut halted = self.job.halt.subscribe();
        loop {
            let item = tokio::select! {
                biased;
                _ = halted.wait_for(Option::is_some) => break,
                item = items.recv() => item,
            };
            match item {
                None => break,
                Some(Item::Failed(words, fault)) => self.failed(words, fault),
                Some(Item::Folder { to, meta }) => self.folder(to, meta).await,
                Some(Item::File {
                    side,
                    from,
                    to,
                    size,
                }) => {
                    if !self.orphan(&to) {
                        self.file(side, from, to, size).await;
                    }
                }
            }
        }
        while self.rest().await {}
        if self.job.halt.borrow().is_none() {
            self.settle().await;
        }
    }

    fn failed(&self, words: String, fault: Fault) {
        match fault {
            Fault::Stopped => {}
            Fault::Lost(_) => {
                // Said once for the whole copy, not for every file.
                halt(&self.job, fault);
            }
            _ => self.job.tally.failed(words),
        }
    }

    /// Whether its folder could not be made, which was said already.
    fn orphan(&self, path: &[u8]) -> bool {
        let below = |folder: &Vec<u8>| {
            let rest = path.strip_prefix(folder.as_slice());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        self.lost_folders.iter().any(below)
    }

    async fn folder(&mut self, to: Vec<u8>, meta: Meta) {
        if self.orphan(&to) {
            return;
        }
        let bits = meta.mode & 0o777;
        // We must be able to write into it; its own bits come at the end.
        let made = match self.job.to.make_folder(&to, bits | 0o700).await {
            Ok(()) => Ok(()),
            Err(why) => match self.job.to.stat(&to).await {
                Ok(found) if found.kind == FileKind::Folder => Ok(()),
                Ok(_) => Err(Fault::Other("a file has that name".to_owned())),
                Err(_) => Err(why),
            },
        };
        match made {
            Ok(()) if self.job.preserve => self.finals.push((to, meta)),
            Ok(()) => {}
            Err(why) => {
                let place = self.job.to.place(&to);
                self.failed(
                    format!(
                        "cannot make the folder {place}: {why}; what belongs in it is left out"
                    ),
                    why,
                );
                self.lost_folders.push(to);
            }
        }
    }

    async fn file(&mut self, side: Side, from: Vec<u8>, to: Vec<u8>, size: u64) {
        self.job.tally.found(size);
        while self.busy.contains(&to) && self.rest().await {}
        let weight = if size > SMALL { TOGETHER } else { 1 };
        let room = Arc::clone(&self.room);
        // Nobody closes it.
        let Ok(place) = room.acquire_many_owned(weight).await else {
            return;
        };
        while let Some(done) = self.under_way.try_join_next() {
            self.busy.remove(&done.unwrap_or_default());
        }
        if self.job.halt.borrow().is_some() {
            return;
        }
        self.busy.insert(to.clone());
        let job = Arc::clone(&self.job);
        self.under_way.spawn(async move {
            if let Err(Trouble { words, fault }) = one::copy(&job, &side, &from, &to).await {
                match fault {
                    Fault::Stopped => {}
                    Fault::Lost(_) => halt(&job, fault),
                    _ => job.tally.failed(words),
                }
            }
            drop(place);
            to
        });
    }

    /// Waits for one of those under way; false when there is none.
    async fn rest(&mut self) -> bool {
        match self.under_way.join_next().await {
            Some(done) => {
                self.busy.remove(&done.unwrap_or_default());
                true
            }
            None => false,
        }
    }

    /// Gives folders their bits and times, the innermost first: what is put into a folder changes its time.
    async fn settle(&mut self) {
        for (path, meta) in std::mem::take(&mut self.finals).into_iter().rev() {
            let bits = Some(meta.mode & 0o777);
            if let Err(why) = self.job.to.set_folder(&path, bits, meta.times()).await {
                let place = self.job.to.place(&path);
                self.job.tally.note(format!(
                    "{place}: its times or permissions could not be kept: {why}"
                ));
            }
        }
    }
}

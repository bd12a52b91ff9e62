//! The one thread that writes: it puts what is queued into one transaction, commits once, then answers all.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;
use super::ask::{Batch, Committed, Logged, Purge};
use super::carry::{self, Work};
use super::failure::{Failure, Outcome};
use super::open::{self, Opener};
use super::upkeep::Upkeep;
use super::watch::Watch;
use super::{log, purge};
use crate::domain::audit::Purged;
use crate::domain::ids::DeviceId;
use crate::domain::time::Time;

/// Most jobs in one transaction, so that the first of them does not wait for ever.
const GROUP_MAX: usize = 1024;

/// How often another process's commits are looked for.
const POLL: Duration = Duration::from_millis(250);

/// Where an answer goes. It is called on the writer thread, so it must not block.
pub(super) type Reply<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Something to do in a transaction.
pub(super) enum Job {
    /// Write what this device did.
    Append(Batch, Reply<Committed>),
    /// Take in what other devices did.
    Absorb(Vec<Logged>, Reply<u64>),
    /// Do what sync asks for.
    Carry(Work, Reply<carry::Done>),
    /// Fold everything anew.
    Rebuild(Reply<u64>),
    /// Remove content.
    Purge(Purge, Reply<Purged>),
}

impl Job {
    /// Answers without having done anything.
    pub(super) fn refuse(self, why: StoreError) {
        match self {
            Self::Append(_, reply) => reply(Err(why)),
            Self::Carry(_, reply) => reply(Err(why)),
            Self::Purge(_, reply) => reply(Err(why)),
            Self::Absorb(_, reply) | Self::Rebuild(reply) => reply(Err(why)),
        }
    }
}

/// A job that was done in a transaction which is not yet on the disk.
enum Done {
    Append(Result<Committed, StoreError>, Reply<Committed>),
    Carry(Result<carry::Done, StoreError>, Reply<carry::Done>),
    Count(Result<u64, StoreError>, Reply<u64>),
    Purge(Result<Purged, StoreError>, Reply<Purged>),
}

impl Done {
    /// Answers; `broken` says why nothing of the transaction is on the disk.
    fn answer(self, broken: Option<&StoreError>) {
        match self {
            Self::Append(result, reply) => reply(judge(result, broken)),
            Self::Carry(result, reply) => reply(judge(result, broken)),
            Self::Count(result, reply) => reply(judge(result, broken)),
            Self::Purge(result, reply) => reply(judge(result, broken)),
        }
    }
}

/// A job that failed by itself keeps its own reason.
fn judge<T>(result: Result<T, StoreError>, broken: Option<&StoreError>) -> Result<T, StoreError> {
    match (result, broken) {
        (Ok(_), Some(why)) => Err(why.clone()),
        (result, _) => result,
    }
}

/// Whose log this process writes. The writer thread sets it, everybody reads it, and nobody holds it for longer than that.
#[derive(Clone)]
pub(super) struct Whose(Arc<Mutex<DeviceId>>);

impl Whose {
    pub(super) fn new(device: DeviceId) -> Self {
        Self(Arc::new(Mutex::new(device)))
    }

    pub(super) fn get(&self) -> DeviceId {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, device: DeviceId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = device;
    }
}

/// The writer's side of the store.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) opener: Opener,
    pub(super) device: Whose,
    pub(super) now: fn() -> Time,
    /// Called after another process committed.
    pub(super) changed: Option<Box<dyn Fn() + Send>>,
    /// What [`data_version`] said last.
    pub(super) seen: Option<i64>,
    /// The store may be written.
    pub(super) writes: bool,
    /// What is done in pauses.
    pub(super) upkeep: Upkeep,
    pub(super) watch: Watch,
}

/// A number that moves when another connection commits, here or in another process, and never for the connection's own
/// commits (<https://sqlite.org/pragma.html#pragma_data_version>).
pub(super) fn data_version(conn: &Connection) -> Option<i64> {
    conn.prepare_cached("PRAGMA data_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .ok()
}

impl Writer {
    /// Works until the last handle is dropped and the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(POLL) {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(jobs.try_iter().take(GROUP_MAX - 1));
                    self.group(group);
                }
                Err(RecvTimeoutError::Timeout) if self.writes && self.may_go_on() => {
                    self.upkeep
                        .slice(&self.conn, self.device.get(), (self.now)());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let version = data_version(&self.conn);
            if version != self.seen && version.is_some() {
                self.seen = version;
                if let Some(changed) = &self.changed {
                    changed();
                }
            }
        }
        // Statistics for the query planner; they are worth a try, not an error.
        if self.writes && self.may_go_on() {
            drop(self.conn.execute_batch("PRAGMA optimize"));
        }
    }

    fn may_go_on(&self) -> bool {
        self.watch.halted().is_none() && self.watch.check(&self.conn).is_ok()
    }

    /// Does all `jobs` in one transaction. A job that fails takes only itself back; one that meets damage takes all back.
    pub(super) fn group(&self, jobs: Vec<Job>) {
        let mut done = Vec::with_capacity(jobs.len());
        let mut broken = self.watch.halted();
        if broken.is_none() {
            // Nobody else can migrate or replace the file's content between the look and the commit.
            broken = self
                .batch("BEGIN IMMEDIATE")
                .and_then(|()| self.watch.check(&self.conn))
                .err();
        }
        if broken.is_none() {
            self.look_up_device(&mut broken);
        }
        for job in jobs {
            done.push(self.job(job, &mut broken));
        }
        if broken.is_none() {
            broken = self.batch("COMMIT").err();
        }
        if broken.is_some() && !self.conn.is_autocommit() {
            // When even this fails, the next BEGIN says so.
            drop(self.batch("ROLLBACK"));
        }
        // A job may have changed it, or the end of the transaction may have taken that back.
        self.look_up_device(&mut None);
        for done in done {
            done.answer(broken.as_ref());
        }
    }

    /// Another process may have found out that this machine is a copy, and given it another device id.
    fn look_up_device(&self, broken: &mut Option<StoreError>) {
        match open::device(&self.conn, None) {
            Ok(device) => self.device.set(device),
            Err(why) => *broken = Some(why.at(&self.opener.path)),
        }
    }

    fn job(&self, job: Job, broken: &mut Option<StoreError>) -> Done {
        let (device, now) = (self.device.get(), (self.now)());
        match job {
            Job::Append(batch, reply) => {
                let work = |conn: &Connection| log::append(conn, device, now, &batch);
                Done::Append(self.savepoint(broken, work), reply)
            }
            Job::Absorb(ops, reply) => {
                let work = |conn: &Connection| log::absorb(conn, device, now, &ops);
                Done::Count(self.savepoint(broken, work), reply)
            }
            Job::Carry(work, reply) => {
                let work = |conn: &Connection| carry::work(conn, device, now, &work);
                let result = self.savepoint(broken, work);
                // The jobs after it in this transaction write as the new device.
                if let Ok(carry::Done::Departed(_)) = &result {
                    self.look_up_device(broken);
                }
                Done::Carry(result, reply)
            }
            Job::Purge(wanted, reply) => {
                let work = |conn: &Connection| purge::purge(conn, device, now, &wanted);
                Done::Purge(self.savepoint(broken, work), reply)
            }
            Job::Rebuild(reply) => Done::Count(self.savepoint(broken, log::rebuild), reply),
        }
    }

    /// Runs `work` so that a failure takes back just what it did.
    fn savepoint<T>(
        &self,
        broken: &mut Option<StoreError>,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(why) = broken {
            return Err(why.clone());
        }
        let result = self
            .batch("SAVEPOINT job")
            .and_then(|()| work(&self.conn).map_err(|why| why.at(&self.opener.path)))
            .and_then(|value| self.batch("RELEASE job").map(|()| value));
        let Err(why) = result else { return result };
        self.watch.hear(&why);
        if let Some(halted) = self.watch.halted() {
            *broken = Some(halted);
            return Err(why);
        }
        // A full disk ends the whole transaction inside SQLite, and with it the jobs before this one.
        let undone = if self.conn.is_autocommit() {
            Err(why.clone())
        } else {
            self.batch("ROLLBACK TO job; RELEASE job")
        };
        if let Err(cause) = undone {
            *broken = Some(cause);
        }
        Err(why)
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.conn
            .execute_batch(sql)
            .map_err(|why| Failure::Sql(why).at(&self.opener.path))
            .inspect_err(|why| self.watch.hear(why))
    }
}

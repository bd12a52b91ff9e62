//! The threads that read. Two of them, so that a long examination does not hold up a list on the screen.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::StoreError;
use super::ask::{Answer, Ask};
use super::carry::{self, Found, Look};
use super::copy;
use super::failure::{Failure, Outcome};
use super::open::Opener;
use super::read::{self, Scene};
use super::upkeep::Copying;
use super::watch::Watch;
use super::writer::Reply;
use crate::domain::time::Time;

/// How many threads read.
pub(super) const READERS: usize = 2;

/// Something to do without writing.
pub(super) enum Question {
    /// Answer.
    Ask(Ask, Reply<Answer>),
    /// Answer sync.
    Carry(Look, Reply<Found>),
    /// Copy the database into a new file.
    Backup(PathBuf, Reply<()>),
}

impl Question {
    /// Answers without having looked.
    pub(super) fn refuse(self, why: StoreError) {
        match self {
            Self::Ask(_, reply) => reply(Err(why)),
            Self::Carry(_, reply) => reply(Err(why)),
            Self::Backup(_, reply) => reply(Err(why)),
        }
    }
}

/// One reading thread.
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) opener: Opener,
    pub(super) folder: PathBuf,
    pub(super) now: fn() -> Time,
    pub(super) copying: Copying,
    pub(super) watch: Watch,
}

impl Reader {
    /// Works until the last handle is dropped and the queue is empty.
    pub(super) fn run(self, questions: &Arc<Mutex<Receiver<Question>>>) {
        loop {
            // Whoever has the lock waits for the next question; the other one is busy with the last.
            let next = questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            match next {
                Ok(Question::Ask(ask, reply)) => reply(self.answer(&ask)),
                Ok(Question::Carry(look, reply)) => reply(self.look(&look)),
                Ok(Question::Backup(to, reply)) => {
                    self.copying.set(true);
                    let done = copy::copy(&self.conn, &to);
                    self.copying.set(false);
                    reply(done.map_err(|why| why.at(&self.opener.path)));
                }
                Err(_) => break,
            }
        }
    }

    fn look(&self, look: &Look) -> Result<Found, StoreError> {
        self.snapshot(|conn| carry::look(conn, look))
    }

    fn answer(&self, ask: &Ask) -> Result<Answer, StoreError> {
        self.snapshot(|conn| {
            let scene = Scene {
                conn,
                folder: &self.folder,
                now: (self.now)(),
            };
            read::answer(scene, ask)
        })
    }

    /// Does `work` on what the file holds at one moment, if this program still knows what that is.
    fn snapshot<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T, StoreError> {
        self.conn
            .unchecked_transaction()
            .map_err(Failure::from)
            .and_then(|snapshot| {
                self.watch.check(&self.conn)?;
                let found = work(&self.conn)?;
                snapshot.finish()?;
                Ok(found)
            })
            .map_err(|why| why.at(&self.opener.path))
            .inspect_err(|why| self.watch.hear(why))
    }
}

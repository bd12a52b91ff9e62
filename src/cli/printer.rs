//! Writes what a command says from a thread of its own, so that a pager that waits never keeps anybody from hearing Ctrl-C.

use tokio::sync::{mpsc, oneshot, watch};

use crate::app::clock;
use crate::app::effect::Emission;
use crate::command::Outcome;

use super::output::Output;

/// How many pieces wait for standard output. When it is full the loop takes no more from the app, whose own back-pressure
/// then holds the hosts; signals and keys are heard all the same.
const WAITING: usize = 16;

/// The loop's end of the thread. The thread ends when this is dropped and everything is written.
pub(super) struct Printer {
    jobs: mpsc::Sender<Job>,
    closed: watch::Receiver<bool>,
}

enum Job {
    Emit(Emission),
    /// The terminal is raw from now on, or no more.
    Raw(bool),
    /// Say more, or less, about connections.
    Louder(bool),
    /// A text of ours for standard error.
    Say(String),
    /// Take back what a dead program left switched on.
    Undo,
    Flush(oneshot::Sender<()>),
    Finish(Box<Outcome>, oneshot::Sender<u8>),
}

impl Printer {
    /// Starts the thread.
    pub(super) fn start(output: Output) -> Self {
        let (jobs, queue) = mpsc::channel(WAITING);
        let (tell, closed) = watch::channel(false);
        drop(std::thread::spawn(move || work(output, queue, &tell)));
        Self { jobs, closed }
    }

    /// Waits for room for one more piece.
    pub(super) async fn room(&self) {
        drop(self.jobs.reserve().await);
    }

    /// Takes a piece of output; gives it back when there is no room.
    pub(super) fn offer(&self, emission: Emission) -> Option<Emission> {
        match self.jobs.try_send(Job::Emit(emission)) {
            Err(mpsc::error::TrySendError::Full(Job::Emit(emission))) => Some(emission),
            _ => None,
        }
    }

    /// What we have to say ourselves; left out when nobody reads.
    pub(super) fn say(&self, text: String) {
        self.jobs.try_send(Job::Say(text)).ok();
    }

    /// How line ends are to be written from now on.
    pub(super) async fn raw(&self, raw: bool) {
        self.jobs.send(Job::Raw(raw)).await.ok();
    }

    /// Says more, or less, about connections.
    pub(super) fn louder(&self, louder: bool) {
        self.jobs.try_send(Job::Louder(louder)).ok();
    }

    /// Takes back what a dead program left switched on in the terminal.
    pub(super) async fn undo(&self) {
        self.jobs.send(Job::Undo).await.ok();
    }

    /// Waits until everything is written.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        self.jobs.send(Job::Flush(done)).await.ok();
        written.await.ok();
    }

    /// Writes the end of a command; the answer is its exit status.
    pub(super) async fn finish(&self, outcome: Box<Outcome>) -> u8 {
        let (done, exit) = oneshot::channel();
        let otherwise = outcome.exit;
        self.jobs.send(Job::Finish(outcome, done)).await.ok();
        exit.await.unwrap_or(otherwise)
    }

    /// Waits until nobody reads standard output any more.
    pub(super) async fn closed(&self) {
        let mut closed = self.closed.clone();
        if closed.wait_for(|closed| *closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn work(mut output: Output, mut jobs: mpsc::Receiver<Job>, closed: &watch::Sender<bool>) {
    while let Some(job) = jobs.blocking_recv() {
        match job {
            Job::Emit(emission) => output.emit(emission),
            Job::Raw(raw) => output.raw(raw),
            Job::Louder(louder) => output.louder(louder),
            Job::Say(text) => output.say(&text),
            Job::Undo => output.undo(),
            Job::Flush(done) => {
                done.send(()).ok();
            }
            Job::Finish(outcome, done) => {
                done.send(output.finish(&outcome, clock::now())).ok();
            }
        }
        if output.is_closed() {
            closed.send_if_modified(|known| !std::mem::replace(known, true));
        }
    }
}

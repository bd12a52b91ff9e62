//! Errands on a host for work that can wait: commands and files, each answered to whoever asked and to nobody else.
//!
//! They ride on the connection that the destination has, or make it. They never take the last channel that a server allows
//! while somebody else uses the connection, and ask a person only if they are told for whom.

use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use crate::domain::host::{self, Target};
use crate::domain::ids::ReqId;
use crate::domain::run::Exit;

use super::ask::{ExecSpec, Sink, Stdin};
use super::ending::Ending;
use super::engine::Closing;
use super::error::Error;
use super::exec::{self, Job};
use super::fact::{Asking, SshFact};
use super::files::{Fault, Sftp};
use super::forward::Company;
use super::link::{Held, NoChannel, Slot};
use super::manager::{CROWDED, How, LINGER, Manager};
use super::pool::{Lane, Path};
use super::settings::Settings;
use super::system;
use super::usage::Use;

/// How long nothing may move while a command runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The slowest line that is waited for, in bytes a second: what was handed to the connection takes so long to get there.
const SLOWEST: u64 = 1000;

/// How much input is handed to the connection at once.
const PIECE: usize = 32 * 1024;

/// How much of what a command complains about is kept, in bytes.
const COMPLAINTS: usize = 4096;

/// How long anything may take on an SFTP session; whoever asks may have less patience.
const LONGEST: Duration = Duration::from_secs(600);

/// How long an SFTP session is kept while nobody uses it.
const IDLE: Duration = Duration::from_secs(60);

/// What an errand's command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// How it ended.
    pub exit: Exit,
    /// Standard output.
    pub out: Vec<u8>,
    /// The beginning of standard error.
    pub err: Vec<u8>,
    /// It wrote more than the limit, and was stopped.
    pub endless: bool,
}

/// Why an errand was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The host cannot be reached, or was lost on the way; in words.
    Unreachable(String),
    /// No answer in so many seconds.
    TimedOut(u64),
    /// The host lets us in and does not do this; in words.
    Refused(String),
    /// Nothing has that name.
    NotThere,
    /// Not allowed; in words.
    Denied(String),
    /// More than the limit.
    TooLong,
    /// Anything else, in words.
    Failed(String),
}

impl From<Fault> for Mishap {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotThere => Self::NotThere,
            Fault::Denied => Self::Denied(fault.to_string()),
            Fault::Lost(why) => Self::Unreachable(why),
            Fault::Unsupported | Fault::Other(_) | Fault::Stopped => {
                Self::Failed(fault.to_string())
            }
        }
    }
}

/// Runs errands on one host. Clones share the SFTP session, which is closed after a minute without use, or at once when
/// somebody needs its channel.
#[derive(Clone)]
pub struct Errands {
    shared: Arc<Shared>,
}

struct Shared {
    /// The engine may end while errands are still wished for.
    manager: Weak<Manager>,
    closing: Closing,
    facts: mpsc::Sender<SshFact>,
    ssh_program: std::path::PathBuf,
    /// Patterns of the hosts that are reached by the system's `ssh`, as they were when this was made.
    system: Vec<String>,
    target: Target,
    // A std mutex: held to copy, never across an await.
    asking: StdMutex<Asking>,
    /// Locked while it is being opened, so that whoever comes second gets the same.
    session: Mutex<Option<Kept>>,
}

struct Kept {
    session: Arc<Sftp>,
    used: Instant,
}

impl Errands {
    pub(super) fn new(
        manager: &Arc<Manager>,
        closing: Closing,
        facts: mpsc::Sender<SshFact>,
        ssh_program: std::path::PathBuf,
        system: Vec<String>,
        target: Target,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                manager: Arc::downgrade(manager),
                closing,
                facts,
                ssh_program,
                system,
                target,
                asking: StdMutex::new(Asking::Nobody),
                session: Mutex::default(),
            }),
        }
    }

    /// On whose behalf the next errands are run: with [`Asking::Nobody`], as at first, nobody is asked anything, and a host
    /// that failed is left alone for a while.
    pub fn ask(&self, asking: Asking) {
        *self
            .shared
            .asking
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = asking;
    }

    /// On whose behalf they are run now.
    pub fn asking(&self) -> Asking {
        *self
            .shared
            .asking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where they lead.
    pub fn host(&self) -> &str {
        &self.shared.target.name
    }

    /// Runs a command by the login shell; at most `limit` bytes of output are taken, and more of it ends the command.
    ///
    /// # Errors
    /// It could not be run, or its end was not heard.
    pub async fn exec(
        &self,
        command: String,
        input: Vec<u8>,
        limit: usize,
    ) -> Result<Errand, Mishap> {
        let shared = Arc::clone(&self.shared);
        // In a task of its own: a channel that is only dropped would count against the server's limit.
        let (mut give, take) = oneshot::channel();
        tokio::spawn(async move {
            let unwanted = Arc::new(Notify::new());
            let work = shared.run(command, input, limit, Arc::clone(&unwanted));
            let mut work = std::pin::pin!(work);
            let done = tokio::select! {
                done = &mut work => done,
                () = give.closed() => {
                    unwanted.notify_one();
                    work.await
                }
            };
            give.send(done).ok();
        });
        take.await.unwrap_or_else(|_| Err(ends()))
    }

    /// Does something on the SFTP session. One that was kept may have died meanwhile; then a new one is tried once.
    pub(super) async fn files<T, F>(&self, work: impl Fn(Arc<Sftp>) -> F) -> Result<T, Mishap>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let (session, kept) = self.session().await?;
        match self.at_work(&session, work(Arc::clone(&session))).await {
            Err(Mishap::Unreachable(_)) if kept => self.files_once(work).await,
            done => done,
        }
    }

    /// The same, without a second try.
    pub(super) async fn files_once<T, F>(
        &self,
        work: impl FnOnce(Arc<Sftp>) -> F,
    ) -> Result<T, Mishap>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let (session, _) = self.session().await?;
        self.at_work(&session, work(Arc::clone(&session))).await
    }

    async fn at_work<T>(
        &self,
        session: &Arc<Sftp>,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Mishap> {
        let done = tokio::time::timeout(LONGEST, work).await;
        let mut place = self.shared.session.lock().await;
        if let Some(kept) = place
            .as_mut()
            .filter(|kept| Arc::ptr_eq(&kept.session, session))
        {
            kept.used = Instant::now();
        }
        drop(place);
        match done {
            Ok(done) => done.map_err(Mishap::from),
            Err(_) => Err(Mishap::TimedOut(LONGEST.as_secs())),
        }
    }

    /// The session, and whether it was there already.
    async fn session(&self) -> Result<(Arc<Sftp>, bool), Mishap> {
        let shared = &self.shared;
        if host::listed(&shared.system, &shared.target.name) {
            return Err(Mishap::Refused(
                "hosts that are reached by the system's ssh have no SFTP here".to_owned(),
            ));
        }
        let mut place = shared.session.lock().await;
        if let Some(kept) = place.as_ref().filter(|kept| kept.session.is_alive()) {
            return Ok((Arc::clone(&kept.session), true));
        }
        let (Held { channel, slot }, _) = shared.channel().await?;
        let (read, write) = channel.split();
        let link = Arc::clone(slot.link());
        let session = Sftp::over(read, write, slot, &shared.target.name).await;
        let session = session.map_err(|why| match link.why_gone() {
            Some(gone) => Mishap::Unreachable(gone),
            None => Mishap::Refused(why),
        })?;
        *place = Some(Kept {
            session: Arc::clone(&session),
            used: Instant::now(),
        });
        drop(place);
        tokio::spawn(cool(
            Arc::downgrade(shared),
            Arc::downgrade(&session),
            Arc::downgrade(&link),
        ));
        Ok((session, false))
    }
}

/// Closes a session when nobody has used it for a while, or when its channel is needed.
async fn cool(shared: Weak<Shared>, session: Weak<Sftp>, link: Weak<super::link::Link>) {
    let mut pause = IDLE;
    loop {
        let crowded = {
            let Some(link) = link.upgrade() else { return };
            link.slots.crowded()
        };
        let needed = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = crowded => true,
        };
        let (Some(shared), Some(session)) = (shared.upgrade(), session.upgrade()) else {
            return;
        };
        let mut place = shared.session.lock().await;
        let Some(kept) = place
            .as_ref()
            .filter(|kept| Arc::ptr_eq(&kept.session, &session))
        else {
            return;
        };
        pause = IDLE.saturating_sub(kept.used.elapsed());
        if pause.is_zero() || needed || !session.is_alive() {
            *place = None;
            return;
        }
    }
}

impl Manager {
    /// A session channel for work that can wait: it makes no second connection, and never takes the last channel. With
    /// [`Asking::Nobody`] it asks nobody, and stays away for a while from what failed.
    ///
    /// # Errors
    /// Everything that can keep one from a host, and that all channels stay in use.
    pub(crate) async fn surplus(
        &self,
        target: &Target,
        asking: Asking,
    ) -> Result<(Held, Arc<Settings>), Error> {
        let how = How {
            what: Use::Probe,
            asking: asking.only_if(self.options.interactive),
            background: !asking.is_someone(),
        };
        let (route, last) = self.route(target).await?;
        let begun = Instant::now();
        loop {
            let link = self.link(&route, how, Lane::Shared, false).await?;
            match link.surplus(how.what).await {
                Ok(held) => return Ok((held, last)),
                Err(NoChannel::Full | NoChannel::Refused(_)) if begun.elapsed() < LINGER => {
                    // Not by waiting for one that comes free: that wakes one waiter, and somebody else needs it more.
                    tokio::time::sleep(CROWDED).await;
                }
                Err(NoChannel::Full) => {
                    return Err(Error::Lost {
                        hop: last.place(),
                        why: "sessions use all channels that the server allows; it is tried again later".to_owned(),
                    });
                }
                Err(NoChannel::Refused(why)) => {
                    return Err(Error::Channel {
                        hop: last.place(),
                        why: format!("{why}; look at MaxSessions and ForceCommand of its sshd"),
                    });
                }
                Err(NoChannel::Dead(why)) => {
                    self.forget(&Path::of(&route), &link);
                    if begun.elapsed() >= LINGER || link.ended().by_us() {
                        return Err(Error::Lost {
                            hop: last.place(),
                            why,
                        });
                    }
                }
            }
        }
    }
}

fn ends() -> Mishap {
    Mishap::Unreachable("the program ends".to_owned())
}

impl Shared {
    fn asking(&self) -> Asking {
        *self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel that is in nobody's way.
    async fn channel(&self) -> Result<(Held, Arc<Settings>), Mishap> {
        let manager = self.manager.upgrade().ok_or_else(ends)?;
        let asking = self.asking();
        let opened = tokio::select! {
            opened = manager.surplus(&self.target, asking) => opened,
            () = self.closing.clone().wait() => return Err(ends()),
        };
        opened.map_err(|why| {
            let refused = matches!(why, Error::Channel { .. });
            let unasked = why.needs_person() && !asking.is_someone();
            let mut words = why.to_string();
            if unasked {
                words.push_str("; nothing is asked in the background: log in once, or call `qd sync now`, which asks");
            }
            if refused {
                Mishap::Refused(words)
            } else {
                Mishap::Unreachable(words)
            }
        })
    }

    async fn run(
        &self,
        command: String,
        input: Vec<u8>,
        limit: usize,
        unwanted: Arc<Notify>,
    ) -> Result<Errand, Mishap> {
        if host::listed(&self.system, &self.target.name) {
            return self.by_system(command, input, limit, &unwanted).await;
        }
        let (Held { channel, slot }, settings) = tokio::select! {
            opened = self.channel() => opened?,
            () = unwanted.notified() => return Err(ends()),
        };
        let (read, write) = channel.split();
        let spec = ExecSpec::collect(command, limit);
        if let Err(why) = exec::begin(&write, &settings, &spec, &Company::none()).await {
            exec::give_up(&write).await;
            return Err(Mishap::Unreachable(why));
        }
        let patience = PATIENCE + Duration::from_secs(input.len() as u64 / SLOWEST);
        let mut running = Running {
            read,
            slot: &slot,
            limit,
            ending: Ending::default(),
            out: Vec::new(),
            err: Vec::new(),
        };
        let done = tokio::select! {
            done = running.drive(&write, &input, patience) => done,
            () = unwanted.notified() => Err(ends()),
            () = self.closing.clone().wait() => Err(ends()),
        };
        if !matches!(&done, Ok(Errand { endless: false, .. })) {
            exec::give_up(&write).await;
        }
        done
    }

    /// The same by the system's `ssh`, which asks nothing without a terminal.
    async fn by_system(
        &self,
        command: String,
        input: Vec<u8>,
        limit: usize,
        unwanted: &Notify,
    ) -> Result<Errand, Mishap> {
        let patience = PATIENCE * 2 + Duration::from_secs(input.len() as u64 / SLOWEST);
        let mut spec = ExecSpec::collect(command, limit);
        spec.stdin = Stdin::Bytes(input);
        spec.sink = Sink::Collect { limit };
        spec.timeout = Some(patience);
        // Nothing more is put in; the queue is closed at once.
        let (_, inputs) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(None);
        let (_pause, pause) = watch::channel(false);
        let job = Job {
            req: ReqId(0),
            target: self.target.clone(),
            spec,
            inputs,
            stop: stopped,
            pause,
            rekey: Arc::default(),
        };
        let work = system::exec(&self.ssh_program, &self.facts, job);
        let mut work = std::pin::pin!(work);
        let outcome = tokio::select! {
            outcome = &mut work => outcome,
            () = unwanted.notified() => {
                stop.send_replace(Some(exec::Stop::Cancelled));
                work.await
            }
        };
        match outcome.fact(ReqId(0)) {
            SshFact::ExecDone {
                exit: Exit::Unreachable(why),
                ..
            } => Err(Mishap::Unreachable(why)),
            SshFact::ExecDone {
                exit: Exit::TimedOut,
                ..
            } => Err(Mishap::TimedOut(patience.as_secs())),
            SshFact::ExecDone {
                exit,
                stdout,
                stderr,
                dropped,
                ..
            } => Ok(Errand {
                exit,
                out: stdout,
                err: stderr,
                endless: dropped > 0,
            }),
            _ => Err(ends()),
        }
    }
}

/// A command that runs.
struct Running<'a> {
    read: ChannelReadHalf,
    slot: &'a Slot,
    limit: usize,
    ending: Ending,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Running<'_> {
    async fn drive(
        &mut self,
        write: &ChannelWriteHalf<Msg>,
        input: &[u8],
        patience: Duration,
    ) -> Result<Errand, Mishap> {
        let moved = Notify::new();
        let feeding = async {
            for piece in input.chunks(PIECE) {
                write.data_bytes(piece.to_vec()).await?;
                moved.notify_one();
            }
            write.eof().await
        };
        let mut feeding = std::pin::pin!(feeding);
        let mut fed = false;
        loop {
            let message = tokio::select! {
                message = self.read.wait() => message,
                // When writing fails the reading side says why: a command need not read all.
                _ = &mut feeding, if !fed => { fed = true; continue }
                () = moved.notified() => continue,
                () = tokio::time::sleep(patience) => return Err(Mishap::TimedOut(patience.as_secs())),
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    let room = self.limit.saturating_sub(self.out.len());
                    self.out
                        .extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
                    if data.len() > room {
                        return Ok(self.ended(true));
                    }
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = COMPLAINTS.saturating_sub(self.err.len());
                    self.err.extend(data.iter().take(room));
                }
                Some(ChannelMsg::Failure) => {
                    return Err(Mishap::Refused("it runs no commands".to_owned()));
                }
                Some(ChannelMsg::Close) => return Ok(self.ended(false)),
                None => {
                    let exit = exec::lost(self.slot, "the connection ended".to_owned()).await;
                    return Err(Mishap::Unreachable(match exit {
                        Exit::Unreachable(why) => why,
                        _ => "the connection ended".to_owned(),
                    }));
                }
                Some(other) => self.ending.see(&other),
            }
        }
    }

    fn ended(&mut self, endless: bool) -> Errand {
        Errand {
            exit: self.ending.exit(),
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
            endless,
        }
    }
}

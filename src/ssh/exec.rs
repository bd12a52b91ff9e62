//! One command on one channel, from the ask to its last fact.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::domain::host::Target;
use crate::domain::ids::ReqId;
use crate::domain::run::Exit;

use super::ask::{Along, ExecSpec, SessionKind, Sink, Stdin};
use super::ending::Ending;
use super::error::Error;
use super::fact::{Asking, SshFact, Stream};
use super::forward::Company;
use super::link::{Held, OPENING, Slot};
use super::manager::Manager;
use super::settings::Settings;
use super::spool::Spool;
use super::usage::Use;

/// How many inputs wait for a host that does not read. When it is full the command is stopped, with words: input must
/// not be lost. `StdinTaken` tells the sender how fast it may go.
pub(crate) const INPUTS: usize = 64;

/// How long a stopped command may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait for the reason of a broken connection, which comes by another way than the end of the channel.
const REASON: Duration = Duration::from_millis(500);

/// Input for a running command.
#[derive(Debug)]
pub(crate) enum Input {
    Data(Vec<u8>),
    End,
    Window(u16, u16),
}

/// Why a command is stopped from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    /// Whoever sat at it is gone: the channel is closed at once.
    HungUp,
    /// Input came faster than the host took it.
    Overrun,
}

/// A command to run.
pub(crate) struct Job {
    pub(crate) req: ReqId,
    pub(crate) target: Target,
    pub(crate) spec: ExecSpec,
    pub(crate) inputs: mpsc::Receiver<Input>,
    pub(crate) stop: watch::Receiver<Option<Stop>>,
    /// Whether the reader of its output is behind.
    pub(crate) pause: watch::Receiver<bool>,
    /// Wakes when fresh keys are wanted.
    pub(crate) rekey: Arc<Notify>,
}

/// What was collected, and how it ended.
pub(crate) struct Outcome {
    exit: Exit,
    collected: Collected,
    took: Duration,
}

impl Outcome {
    /// The fact about it.
    pub(crate) fn fact(self, req: ReqId) -> SshFact {
        SshFact::ExecDone {
            req,
            exit: self.exit,
            stdout: self.collected.out,
            stderr: self.collected.err,
            merged: self.collected.merged,
            dropped: self.collected.dropped,
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn of(exit: Exit, collected: Collected, took: Duration) -> Self {
        Self {
            exit,
            collected,
            took,
        }
    }

    pub(crate) fn early(exit: Exit, since: Instant) -> Self {
        Self {
            exit,
            collected: Collected::default(),
            took: since.elapsed(),
        }
    }
}

/// Runs it to its end. Output of `Sink::Stream` is reported on the way.
pub(crate) async fn run(
    manager: &Arc<Manager>,
    facts: &mpsc::Sender<SshFact>,
    job: Job,
) -> Outcome {
    let asked = Instant::now();
    let mut stop = job.stop.clone();
    if let Some(along) = job.spec.along.as_ref().filter(|along| along.nothing) {
        let exit = tokio::select! {
            exit = stay(manager, &job, along) => exit,
            reason = stopped(&mut stop) => reason.exit(),
        };
        return Outcome::early(exit, asked);
    }
    let opened = tokio::select! {
        opened = opened(manager, &job) => opened,
        reason = stopped(&mut stop) => return Outcome::early(reason.exit(), asked),
    };
    let (held, settings) = match opened {
        Ok(opened) => opened,
        Err(why) => return Outcome::early(Exit::Unreachable(why.to_string()), asked),
    };
    let Held { channel, slot } = held;
    let (read, write) = channel.split();
    let begun = Instant::now();
    let prepared = tokio::select! {
        prepared = prepare(manager, &job, &write, &slot, &settings) => prepared,
        reason = stopped(&mut stop) => Err(reason.exit()),
    };
    let company = match prepared {
        Ok(company) => company,
        Err(exit) => {
            give_up(&write).await;
            return Outcome::early(exit, asked);
        }
    };
    if matches!(job.spec.stdin, Stdin::Stream) {
        facts.send(SshFact::ExecStarted { req: job.req }).await.ok();
    }
    let mut late = stop.clone();
    let running = Running {
        req: job.req,
        read,
        write: &write,
        stop,
        rekey: job.rekey,
        deadline: job.spec.timeout.map(|limit| begun + limit),
        sink: job.spec.sink,
        command: !job.spec.command.is_empty(),
        pty: job.spec.pty.is_some(),
        facts,
        spool: Arc::new(Spool::default()),
        collected: Collected::default(),
        ending: Ending::default(),
        pause: job.pause,
    };
    let feeding = feed(&write, job.req, job.spec.stdin, job.inputs, facts);
    let (exit, collected) = running.drive(feeding, &slot).await;
    tokio::select! {
        () = company.linger() => {}
        _ = stopped(&mut late) => {}
    }
    Outcome {
        exit,
        collected,
        took: begun.elapsed(),
    }
}

/// The channel for it. What has a terminal or no command of its own is a session in the eyes of people.
async fn opened(manager: &Manager, job: &Job) -> Result<(Held, Arc<Settings>), Error> {
    let spec = &job.spec;
    let what = if spec.pty.is_some() || spec.command.is_empty() {
        Use::Session
    } else {
        Use::Command
    };
    if spec.background {
        manager.background(&job.target, what).await
    } else {
        let asking = Asking::Request(job.req).only_if(spec.interactive);
        manager.channel(&job.target, asking, what).await
    }
}

/// Runs nothing: forwards until the connection is lost.
async fn stay(manager: &Arc<Manager>, job: &Job, along: &Along) -> Exit {
    let connected = manager
        .connection(
            &job.target,
            Asking::Request(job.req).only_if(job.spec.interactive),
            Use::Forward,
        )
        .await;
    let (user, settings) = match connected {
        Ok(connected) => connected,
        Err(why) => return Exit::Unreachable(why.to_string()),
    };
    let link = Arc::clone(&user.link);
    let bringing = Company::bring(manager, &job.target, &link, &settings, along);
    let _company = match bringing.await {
        Ok(company) => company,
        Err(why) => return Exit::Unreachable(why),
    };
    let why = link.ended().wait().await;
    let hop = link.hop.clone();
    Exit::Unreachable(Error::Lost { hop, why }.to_string())
}

impl Stop {
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Cancelled | Self::HungUp => Exit::Cancelled,
            Self::Overrun => Exit::Unreachable(
                "the command was stopped: its input came faster than the host took it".to_owned(),
            ),
        }
    }
}

pub(crate) async fn stopped(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    let reason = stop.wait_for(Option::is_some).await.map(|reason| *reason);
    match reason {
        Ok(reason) => reason.unwrap_or(Stop::Cancelled),
        // Nobody can stop it any more; the engine ends everything itself when it goes.
        Err(_) => std::future::pending().await,
    }
}

/// Closes a channel: one that is only dropped would count against the server's limit. A connection that takes nothing does not
/// keep us.
pub(crate) async fn give_up(write: &ChannelWriteHalf<Msg>) {
    tokio::time::timeout(GRACE, write.close()).await.ok();
}

/// Sees to what comes along with the command, and starts it.
async fn prepare(
    manager: &Arc<Manager>,
    job: &Job,
    write: &ChannelWriteHalf<Msg>,
    slot: &Slot,
    settings: &Arc<Settings>,
) -> Result<Company, Exit> {
    let company = match &job.spec.along {
        None => Company::none(),
        Some(along) => Company::bring(manager, &job.target, slot.link(), settings, along)
            .await
            .map_err(Exit::Unreachable)?,
    };
    match begin(write, settings, &job.spec, &company).await {
        Ok(()) => Ok(company),
        Err(why) => Err(lost(slot, why).await),
    }
}

/// Sends the requests that start the command; their answers come with the output.
///
/// # Errors
/// The connection is gone, or takes nothing; in words.
pub(crate) async fn begin(
    write: &ChannelWriteHalf<Msg>,
    settings: &Settings,
    spec: &ExecSpec,
    company: &Company,
) -> Result<(), String> {
    let requests = request(write, settings, spec, company);
    match tokio::time::timeout(OPENING, requests).await {
        Ok(sent) => sent.map_err(|why| why.to_string()),
        Err(_) => Err(format!("it took nothing for {} s", OPENING.as_secs())),
    }
}

async fn request(
    write: &ChannelWriteHalf<Msg>,
    settings: &Settings,
    spec: &ExecSpec,
    company: &Company,
) -> Result<(), russh::Error> {
    if spec.manner.kind == SessionKind::Nothing {
        return Ok(());
    }
    company.announce(write).await?;
    for (name, value) in &settings.env {
        // Servers accept few names (AcceptEnv) and refuse the others silently, so no answer is asked for.
        write.set_env(false, name.as_str(), value.as_str()).await?;
    }
    if let Some((term, size)) = &spec.pty {
        let (cols, rows) = (u32::from(size.cols), u32::from(size.rows));
        let modes: Vec<(Pty, u32)> = spec
            .manner
            .modes
            .iter()
            .filter_map(|(code, value)| Some((Pty::from_u8(*code)?, *value)))
            .collect();
        write
            .request_pty(true, term, cols, rows, 0, 0, &modes)
            .await?;
    }
    if spec.manner.kind == SessionKind::Subsystem {
        return write.request_subsystem(true, spec.command.as_str()).await;
    }
    match (spec.command.as_str(), &settings.remote_command) {
        ("", Some(command)) => write.exec(true, command.as_str()).await,
        ("", None) => write.request_shell(true).await,
        (command, _) => write.exec(true, command).await,
    }
}

/// Writes the input. It waits where the host does not read; the output is drained beside it.
async fn feed(
    write: &ChannelWriteHalf<Msg>,
    req: ReqId,
    stdin: Stdin,
    mut inputs: mpsc::Receiver<Input>,
    facts: &mpsc::Sender<SshFact>,
) -> Result<(), russh::Error> {
    match stdin {
        Stdin::None => write.eof().await?,
        Stdin::Bytes(bytes) => {
            write.data_bytes(bytes).await?;
            write.eof().await?;
        }
        Stdin::Stream => {}
    }
    while let Some(input) = inputs.recv().await {
        match input {
            Input::Data(data) => {
                let bytes = data.len();
                write.data_bytes(data).await?;
                facts.send(SshFact::StdinTaken { req, bytes }).await.ok();
            }
            Input::End => write.eof().await?,
            Input::Window(cols, rows) => {
                write
                    .window_change(u32::from(cols), u32::from(rows), 0, 0)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Moves streamed output from the spool to the queue of facts, at the pace of whoever reads them.
pub(crate) async fn report(
    spool: Arc<Spool>,
    req: ReqId,
    facts: mpsc::Sender<SshFact>,
    mut pause: watch::Receiver<bool>,
) -> std::io::Result<()> {
    while let Some(piece) = spool.pop().await {
        let (stream, data) = piece?;
        // When nobody can hold it back any more, it comes.
        pause.wait_for(|paused| !*paused).await.ok();
        let fact = SshFact::Output { req, stream, data };
        if facts.send(fact).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Output kept for `ExecDone`.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    out: Vec<u8>,
    err: Vec<u8>,
    merged: Vec<u8>,
    dropped: u64,
}

impl Collected {
    pub(crate) fn add(&mut self, stream: Stream, data: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.merged.len()).min(data.len());
        let (kept, rest) = data.split_at(room);
        self.merged.extend_from_slice(kept);
        match stream {
            Stream::Out => self.out.extend_from_slice(kept),
            Stream::Err => self.err.extend_from_slice(kept),
        }
        self.dropped += rest.len() as u64;
    }
}

struct Running<'a> {
    req: ReqId,
    read: ChannelReadHalf,
    write: &'a ChannelWriteHalf<Msg>,
    stop: watch::Receiver<Option<Stop>>,
    rekey: Arc<Notify>,
    deadline: Option<Instant>,
    sink: Sink,
    command: bool,
    pty: bool,
    facts: &'a mpsc::Sender<SshFact>,
    spool: Arc<Spool>,
    collected: Collected,
    ending: Ending,
    pause: watch::Receiver<bool>,
}

/// What came out of one message.
enum Flow {
    On,
    /// The host closed the channel.
    Closed,
    /// The connection is gone.
    Lost,
    /// We stop it.
    Stop(Exit),
    /// We close its channel without a word.
    HangUp,
}

impl Running<'_> {
    async fn drive(
        mut self,
        feeding: impl Future<Output = Result<(), russh::Error>>,
        slot: &Slot,
    ) -> (Exit, Collected) {
        let mut feeding = pin!(feeding);
        let mut fed = false;
        // A task of its own, because the reader below waits for it; it dies with the set.
        let mut reporting = JoinSet::new();
        if self.sink == Sink::Stream {
            let spool = Arc::clone(&self.spool);
            let pause = self.pause.clone();
            reporting.spawn(report(spool, self.req, self.facts.clone(), pause));
        }
        let exit = loop {
            let flow = tokio::select! {
                message = self.read.wait() => self.take(message).await,
                // When writing fails the reading side says why.
                _ = &mut feeding, if !fed => { fed = true; Flow::On }
                Some(done) = reporting.join_next() => Flow::Stop(match done {
                    Ok(Err(why)) => spool_failed(&why),
                    // Nobody listens any more.
                    Ok(Ok(())) | Err(_) => Exit::Cancelled,
                }),
                reason = stopped(&mut self.stop) => match reason {
                    Stop::HungUp => Flow::HangUp,
                    reason => Flow::Stop(reason.exit()),
                },
                () = self.rekey.notified() => { slot.link().rekey().await; Flow::On }
                () = at(self.deadline) => Flow::Stop(Exit::TimedOut),
            };
            match flow {
                Flow::On => {}
                Flow::Closed => break self.ending.exit(),
                Flow::Lost => {
                    break lost(slot, "the connection ended".to_owned()).await;
                }
                Flow::Stop(exit) => {
                    self.end().await;
                    break exit;
                }
                Flow::HangUp => {
                    tokio::time::timeout(GRACE, self.write.close()).await.ok();
                    break Exit::Cancelled;
                }
            }
        };
        self.spool.close();
        if let Some(Ok(Err(why))) = reporting.join_next().await {
            return (spool_failed(&why), self.collected);
        }
        (exit, self.collected)
    }

    async fn take(&mut self, message: Option<ChannelMsg>) -> Flow {
        let (stream, data) = match message {
            Some(ChannelMsg::Data { data }) => (Stream::Out, data),
            Some(ChannelMsg::ExtendedData { data, ext: 1 }) => (Stream::Err, data),
            Some(ChannelMsg::Success) => {
                // The answers come in order: the pseudo-terminal's first.
                self.pty = false;
                return Flow::On;
            }
            Some(ChannelMsg::Failure) => return self.refused(),
            Some(ChannelMsg::Close) => return Flow::Closed,
            None => return Flow::Lost,
            Some(other) => {
                self.ending.see(&other);
                return Flow::On;
            }
        };
        match self.sink {
            Sink::Collect { limit } => self.collected.add(stream, &data, limit),
            Sink::Stream => {
                if let Err(why) = self.spool.push(stream, &data).await {
                    return Flow::Stop(spool_failed(&why));
                }
            }
        }
        Flow::On
    }

    /// The host refused a request.
    fn refused(&self) -> Flow {
        let what = if self.pty {
            "give a pseudo-terminal"
        } else if self.command {
            "run the command"
        } else {
            "start a shell"
        };
        Flow::Stop(refusal(what))
    }

    /// Ends a command that runs: politely, then by closing its channel. What it still says is kept.
    async fn end(&mut self) {
        let closing = async {
            self.write.signal(Sig::TERM).await.ok();
            self.write.eof().await.ok();
        };
        tokio::time::timeout(GRACE, closing).await.ok();
        let ended = async {
            loop {
                let message = self.read.wait().await;
                if !matches!(self.take(message).await, Flow::On) {
                    break;
                }
            }
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            // The connection may be stuck; its own keep-alives will find that out.
            tokio::time::timeout(GRACE, self.write.close()).await.ok();
        }
    }
}

pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

pub(crate) fn spool_failed(why: &std::io::Error) -> Exit {
    Exit::Unreachable(format!(
        "the command was stopped: its output could not be kept: {why}"
    ))
}

/// The exit of what the host refused to start.
pub(crate) fn refusal(what: &str) -> Exit {
    Exit::Unreachable(format!(
        "the host let us in but refused to {what}; the account may be restricted (ForceCommand, PermitTTY, nologin)"
    ))
}

/// The exit of a command whose connection broke.
pub(crate) async fn lost(slot: &Slot, otherwise: String) -> Exit {
    let link = slot.link();
    let reason = tokio::time::timeout(REASON, link.ended().wait()).await;
    let error = Error::Lost {
        hop: link.hop.clone(),
        why: reason.unwrap_or(otherwise),
    };
    Exit::Unreachable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_for_both_streams_together() {
        let mut collected = Collected::default();
        collected.add(Stream::Out, b"abc", 5);
        collected.add(Stream::Err, b"defg", 5);
        collected.add(Stream::Out, b"h", 5);
        assert_eq!(collected.out, b"abc");
        assert_eq!(collected.err, b"de");
        assert_eq!(collected.merged, b"abcde");
        assert_eq!(collected.dropped, 3);
    }
}

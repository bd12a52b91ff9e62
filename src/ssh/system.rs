//! The second transport: the system's `ssh`, in a pane or with pipes, for hosts that the engine itself cannot reach; and
//! local programs in panes.
//!
//! Everything that `ssh` asks, it asks in its pane. Without a pane it is told to ask nothing.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::domain::host::Target;
use crate::domain::ids::{ReqId, SessionId};
use crate::domain::run::Exit;
use crate::pty::{self, Outlet, Program, Pty};
use crate::term::Size;

use super::ask::{SessionKind, Sink, Stdin};
use super::config::{check_name, check_user};
use super::exec::{self, Collected, Input, Job, Outcome};
use super::fact::{SshFact, Stream};
use super::recording::Recorded;
use super::remains::Remains;
use super::screens::Screens;
use super::shell::{self, Frame, Inlets, Pane, Reader, View};
use super::spool::{PIECE, Spool};
use super::surroundings::Surroundings;
use super::writer::{Answers, PaneInput};

/// How long a program may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(1);

/// How much of what `ssh` complains about is kept to explain its exit status 255, in bytes.
const COMPLAINT: usize = 4 * 1024;

/// A pane with a program of this machine.
pub(crate) struct LocalPane {
    pub(crate) session: SessionId,
    /// The program and its arguments; empty is the login shell.
    pub(crate) argv: Vec<String>,
    /// What the recording is called.
    pub(crate) title: String,
    pub(crate) size: Size,
    pub(crate) term: String,
    pub(crate) recording: Option<std::path::PathBuf>,
    /// The reference that the program is told; none for one that leads to a host.
    pub(crate) inside: Option<String>,
}

/// The pane that reaches a host by the system's `ssh`.
///
/// # Errors
/// The name is unfit for a command line, in words.
pub(crate) fn pane_of(program: &Path, pane: Pane) -> Result<LocalPane, String> {
    if let Some(why) = unfit(&pane.target) {
        return Err(why);
    }
    let mut argv = words(program, &pane.target);
    argv.extend(["--".to_owned(), pane.target.name.clone()]);
    Ok(LocalPane {
        session: pane.session,
        argv,
        title: pane.target.name,
        size: pane.size,
        term: pane.term,
        recording: pane.recording,
        inside: None,
    })
}

/// The program and the file that explains the host.
fn words(program: &Path, target: &Target) -> Vec<String> {
    let mut argv = vec![program.display().to_string()];
    if let Some(config) = &target.config {
        argv.extend(["-F".to_owned(), config.display().to_string()]);
    }
    argv
}

/// Names that could be taken for options never get as far as a command line.
fn unfit(target: &Target) -> Option<String> {
    let (user, host) = match target.name.rsplit_once('@') {
        Some((user, host)) => (Some(user.trim_start_matches("ssh://")), host),
        None => (None, target.name.as_str()),
    };
    let bad = check_name(&target.name, host).err();
    let bad = bad.or_else(|| check_user(&target.name, user?).err());
    bad.map(|why| why.to_string())
}

/// Runs a program in a pane to its end and returns the last fact about it.
pub(crate) async fn run(
    facts: &mpsc::Sender<SshFact>,
    screens: &Screens,
    (pane, around): (LocalPane, &Surroundings),
    inlets: Inlets,
) -> (SshFact, Option<Remains>) {
    let session = pane.session;
    let (exit, recorded, remains) = live(facts, screens, (pane, around), inlets).await;
    let fact = SshFact::SessionClosed {
        session,
        exit,
        bytes: recorded.bytes,
        recording_error: recorded.error,
    };
    (fact, remains)
}

async fn live(
    facts: &mpsc::Sender<SshFact>,
    screens: &Screens,
    (pane, around): (LocalPane, &Surroundings),
    mut inlets: Inlets,
) -> (Exit, Recorded, Option<Remains>) {
    let program = Program {
        argv: pane.argv.clone(),
        env: around.set(&pane.term, pane.inside.as_deref()),
        without: around.unset(std::env::vars_os().map(|(name, _)| name)),
        folder: None,
        cols: pane.size.cols,
        rows: pane.size.rows,
    };
    let (pty, outlet) = match pty::spawn(&program) {
        Ok(started) => started,
        Err(why) => {
            return (
                Exit::Unreachable(why.to_string()),
                Recorded::default(),
                None,
            );
        }
    };
    let frame = Frame {
        session: pane.session,
        size: pane.size,
        title: &pane.title,
        term: &pane.term,
        recording: pane.recording.as_ref(),
    };
    let (mut reader, answers) = Reader::start(frame, screens, facts, false).await;
    reader.gauge = Arc::clone(&inlets.gauge);
    reader.heir = inlets.heir;
    // It dies with the set.
    let mut writing = JoinSet::new();
    writing.spawn(type_in(pty.input(), inlets.inputs, answers));
    reader.inherit().await;
    reader.news.opened();
    let exit = drive(
        &mut reader,
        pty,
        outlet,
        &mut inlets.views,
        &mut inlets.close,
    )
    .await;
    let (recorded, remains) = reader.finish(inlets.views, inlets.close).await;
    (exit, recorded, remains)
}

/// Types keys, pastes and the terminal's own answers. A program that does not read stops only this.
async fn type_in(
    typed: mpsc::Sender<Vec<u8>>,
    mut inputs: mpsc::Receiver<PaneInput>,
    mut answers: Answers,
) {
    while let Some(bytes) = answers.next(&mut inputs).await {
        if typed.send(bytes).await.is_err() {
            return;
        }
    }
}

async fn drive(
    reader: &mut Reader<'_>,
    pty: Pty,
    outlet: Outlet,
    views: &mut mpsc::Receiver<View>,
    close: &mut watch::Receiver<bool>,
) -> Exit {
    let Outlet { mut output, exit } = outlet;
    let mut exit = std::pin::pin!(exit);
    let mut ended: Option<Exit> = None;
    let mut until: Option<Instant> = None;
    // What a program wrote before its end is in the queue, or on its way there. Whoever holds the terminal then and writes
    // on gets no more time than that takes.
    let mut rest = output.max_capacity() + 2;
    loop {
        let due = reader.due();
        tokio::select! {
            piece = output.recv() => match piece {
                Some(piece) => {
                    reader.feed(&piece);
                    if ended.is_some() && rest > 0 {
                        rest -= 1;
                        until = Some(Instant::now() + GRACE);
                    }
                }
                None => return match ended {
                    Some(ended) => ended,
                    None => told(&mut exit).await,
                },
            },
            // What it wrote before its end is still to come, unless somebody else holds its terminal.
            how = told(&mut exit), if ended.is_none() => {
                ended = Some(how);
                until = Some(Instant::now() + GRACE);
            }
            () = exec::at(until), if until.is_some() => match ended.take() {
                Some(ended) => return ended,
                None => {
                    pty.kill();
                    return Exit::Cancelled;
                }
            },
            Some(view) = views.recv() => if let Some(size) = reader.look(view) {
                pty.resize(size.cols, size.rows);
            },
            () = shell::at(due) => reader.show(),
            () = shell::closed(close), if until.is_none() => {
                pty.hang_up();
                return Exit::Cancelled;
            }
        }
    }
}

async fn told(exit: &mut std::pin::Pin<&mut oneshot::Receiver<Exit>>) -> Exit {
    exit.as_mut()
        .await
        .unwrap_or_else(|_| Exit::Unreachable("the program's end was not told".to_owned()))
}

/// Runs one command by the system's `ssh`, with pipes. It never asks: `qd ssh` is the place to log in by hand.
pub(crate) async fn exec(program: &Path, facts: &mpsc::Sender<SshFact>, job: Job) -> Outcome {
    let asked = Instant::now();
    if let Some(why) = unfit(&job.target) {
        return Outcome::early(Exit::Unreachable(why), asked);
    }
    let mut child = match started(program, &job) {
        Ok(child) => child,
        Err(why) => return Outcome::early(Exit::Unreachable(why), asked),
    };
    if matches!(job.spec.stdin, Stdin::Stream) {
        facts.send(SshFact::ExecStarted { req: job.req }).await.ok();
    }
    let spool = Arc::new(Spool::default());
    let (pieces_in, pieces) = mpsc::channel(16);
    // All die with the set.
    let mut helpers = JoinSet::new();
    if let Some(stdin) = child.stdin.take() {
        helpers.spawn(feed(
            stdin,
            job.req,
            job.spec.stdin,
            job.inputs,
            facts.clone(),
        ));
    }
    let mut streams = 0;
    if let Some(out) = child.stdout.take() {
        helpers.spawn(drain(out, Stream::Out, pieces_in.clone()));
        streams += 1;
    }
    if let Some(err) = child.stderr.take() {
        helpers.spawn(drain(err, Stream::Err, pieces_in.clone()));
        streams += 1;
    }
    drop(pieces_in);
    let mut reporting = JoinSet::new();
    if job.spec.sink == Sink::Stream {
        reporting.spawn(exec::report(
            Arc::clone(&spool),
            job.req,
            facts.clone(),
            job.pause.clone(),
        ));
    }
    let mut running = Running {
        child,
        pieces,
        streams,
        stop: job.stop,
        deadline: job.spec.timeout.map(|limit| asked + limit),
        sink: job.spec.sink,
        spool: Arc::clone(&spool),
        collected: Collected::default(),
        complaint: Vec::new(),
        host: job.target.name,
    };
    let exit = running.drive().await;
    spool.close();
    let kept = match reporting.join_next().await {
        Some(Ok(Err(why))) => exec::spool_failed(&why),
        _ => exit,
    };
    Outcome::of(kept, running.collected, asked.elapsed())
}

fn started(program: &Path, job: &Job) -> Result<Child, String> {
    let argv = command_line(program, job);
    let (name, arguments) = argv
        .split_first()
        .map_or(("ssh", &[][..]), |(name, rest)| (name.as_str(), rest));
    // A group of its own: Ctrl-C at our terminal is for us to understand.
    let spawned = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    spawned.map_err(|why| {
        format!(
            "{}: {name} cannot be started: {why}; install OpenSSH's client, or take the host out of openssh_hosts",
            job.target.name
        )
    })
}

fn command_line(program: &Path, job: &Job) -> Vec<String> {
    let mut argv = words(program, &job.target);
    argv.extend(["-o".to_owned(), "BatchMode=yes".to_owned()]);
    argv.push(if job.spec.pty.is_some() { "-tt" } else { "-T" }.to_owned());
    match job.spec.manner.kind {
        SessionKind::Program => {}
        SessionKind::Subsystem => argv.push("-s".to_owned()),
        SessionKind::Nothing => argv.push("-N".to_owned()),
    }
    argv.extend(["--".to_owned(), job.target.name.clone()]);
    if !job.spec.command.is_empty() {
        argv.push(job.spec.command.clone());
    }
    argv
}

async fn feed(
    mut stdin: ChildStdin,
    req: ReqId,
    kind: Stdin,
    mut inputs: mpsc::Receiver<Input>,
    facts: mpsc::Sender<SshFact>,
) {
    match kind {
        Stdin::None => return,
        Stdin::Bytes(bytes) => {
            // A command that ends without reading its input is no error.
            stdin.write_all(&bytes).await.ok();
            return;
        }
        Stdin::Stream => {}
    }
    while let Some(input) = inputs.recv().await {
        match input {
            Input::Data(data) => {
                let bytes = data.len();
                if stdin.write_all(&data).await.is_err() {
                    return;
                }
                facts.send(SshFact::StdinTaken { req, bytes }).await.ok();
            }
            Input::End => return,
            // There is no terminal whose size could change.
            Input::Window(..) => {}
        }
    }
}

async fn drain(
    mut source: impl AsyncRead + Unpin,
    stream: Stream,
    pieces: mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let mut buffer = vec![0; PIECE];
    while let Ok(got @ 1..) = source.read(&mut buffer).await {
        let piece = buffer.get(..got).unwrap_or_default().to_vec();
        if pieces.send((stream, piece)).await.is_err() {
            return;
        }
    }
}

/// How long nothing may come from the pipes of a program that has ended until they are no longer read.
const PIPES: Duration = Duration::from_millis(500);

struct Running {
    child: Child,
    pieces: mpsc::Receiver<(Stream, Vec<u8>)>,
    streams: usize,
    stop: watch::Receiver<Option<exec::Stop>>,
    deadline: Option<Instant>,
    sink: Sink,
    spool: Arc<Spool>,
    collected: Collected,
    complaint: Vec<u8>,
    host: String,
}

impl Running {
    async fn drive(&mut self) -> Exit {
        let mut open = self.streams > 0;
        // Set once the program has ended while somebody still holds its pipes, as a ControlPersist master does.
        let mut ended: Option<(Exit, Instant)> = None;
        // As for a pane: what it wrote before its end, and not for ever what others write.
        let mut rest = self.pieces.max_capacity() + 16;
        loop {
            if let (Some((exit, _)), false) = (&ended, open) {
                // Only now everything that it said is known.
                return self.explain(exit.clone());
            }
            let last = ended.as_ref().map(|(_, at)| *at + PIPES);
            tokio::select! {
                biased;
                piece = self.pieces.recv(), if open => match piece {
                    Some((stream, data)) => {
                        if let Some(exit) = self.take(stream, &data).await {
                            self.end().await;
                            return exit;
                        }
                        if let (Some((_, at)), 1..) = (&mut ended, rest) {
                            rest -= 1;
                            *at = Instant::now();
                        }
                    }
                    None => open = false,
                },
                status = self.child.wait(), if ended.is_none() => {
                    let exit = match status {
                        Ok(status) => pty::exit_of(status),
                        Err(why) => Exit::Unreachable(format!("{}: ssh cannot be waited for: {why}", self.host)),
                    };
                    ended = Some((exit, Instant::now()));
                }
                () = exec::at(last) => open = false,
                reason = exec::stopped(&mut self.stop) => {
                    self.end().await;
                    return reason.exit();
                }
                () = exec::at(self.deadline) => {
                    self.end().await;
                    return Exit::TimedOut;
                }
            }
        }
    }

    async fn take(&mut self, stream: Stream, data: &[u8]) -> Option<Exit> {
        if stream == Stream::Err {
            self.complaint.extend_from_slice(data);
            let surplus = self.complaint.len().saturating_sub(COMPLAINT);
            self.complaint.drain(..surplus);
        }
        match self.sink {
            Sink::Collect { limit } => self.collected.add(stream, data, limit),
            Sink::Stream => {
                for part in data.chunks(PIECE) {
                    if let Err(why) = self.spool.push(stream, part).await {
                        return Some(exec::spool_failed(&why));
                    }
                }
            }
        }
        None
    }

    /// 255 is what `ssh` says when it did not get there; its last words say why.
    fn explain(&self, exit: Exit) -> Exit {
        if exit != Exit::Code(255) {
            return exit;
        }
        let said = String::from_utf8_lossy(&self.complaint);
        let last = said
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or("it said nothing");
        Exit::Unreachable(format!(
            "{}: the system's ssh ended with 255: {}; if it must ask something, log in once with `qd ssh {}`",
            self.host,
            crate::domain::text::line(last),
            self.host
        ))
    }

    async fn end(&mut self) {
        let group = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(group) = group {
            kill_process_group(group, Signal::TERM).ok();
        }
        if tokio::time::timeout(GRACE, self.child.wait())
            .await
            .is_err()
        {
            self.child.start_kill().ok();
        }
    }
}

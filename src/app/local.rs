//! Runs a step on this machine: a program with a script on its standard input, in a process group of its own, which ends
//! as a whole.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use crate::domain::ids::ReqId;
use crate::domain::run::Exit;
use crate::ssh::{SshFact, Stream};

use super::event::Event;

/// What is to run.
pub(super) struct Job {
    /// Names it in every fact.
    pub(super) req: ReqId,
    /// The command line for `sh -c`.
    pub(super) command: String,
    /// What it reads.
    pub(super) stdin: Vec<u8>,
    /// Time limit in milliseconds.
    pub(super) timeout_ms: Option<u64>,
    /// Ends when its sender is dropped: then the step is cut off.
    pub(super) stopped: watch::Receiver<()>,
}

/// Runs `job` and reports its output and its end as the facts of an exec.
pub(super) async fn run(job: Job, facts: mpsc::Sender<Event>) {
    let begun = Instant::now();
    let (req, command) = (job.req, job.command.clone());
    let exit = match execute(job, &facts).await {
        Ok(exit) => exit,
        Err(error) => Exit::Unreachable(format!(
            "{command} could not be run on this machine: {error}"
        )),
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let done = SshFact::ExecDone {
        req,
        exit,
        stdout: Vec::new(),
        stderr: Vec::new(),
        merged: Vec::new(),
        dropped: 0,
        took_ms,
    };
    // The app is gone when nobody takes the fact; then nobody wants it.
    drop(facts.send(Event::Ssh(Box::new(done))).await);
}

async fn execute(job: Job, facts: &mpsc::Sender<Event>) -> std::io::Result<Exit> {
    let Job {
        req,
        command,
        stdin,
        timeout_ms,
        mut stopped,
    } = job;
    let mut child = Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = Group(child.id());
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut input) = input {
                // A script that ends early closes its standard input; that is no failure.
                drop(input.write_all(&stdin).await);
            }
        };
        let ((), out, err) = tokio::join!(
            feed,
            pump(req, Stream::Out, out, facts),
            pump(req, Stream::Err, err, facts)
        );
        out.and(err)?;
        child.wait().await
    };
    let limit = timeout_ms.map_or(Duration::MAX, Duration::from_millis);
    let ended = tokio::select! {
        status = work => Ok(status?),
        () = elapsed(limit) => Err(Exit::TimedOut),
        // Nothing is ever sent: this is the end of the sender.
        _ = stopped.changed() => Err(Exit::Cancelled),
    };
    drop(group);
    match ended {
        Ok(status) => Ok(exit_of(status)),
        Err(cut_off) => {
            reap(&mut child).await?;
            Ok(cut_off)
        }
    }
}

/// Kills its process group when dropped, however that comes about: a step leaves nobody behind.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self
            .0
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // The group is empty when the step ended by itself; then there is nothing to kill.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

async fn elapsed(limit: Duration) {
    if limit == Duration::MAX {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(limit).await;
}

async fn reap(child: &mut Child) -> std::io::Result<ExitStatus> {
    child.wait().await
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(name_of(signal.unwrap_or_default())),
    }
}

/// The name of a signal without `SIG`, as RFC 4254 (section 6.10) has them; the number for others.
fn name_of(signal: i32) -> String {
    let known = [
        (1, "HUP"),
        (2, "INT"),
        (3, "QUIT"),
        (6, "ABRT"),
        (9, "KILL"),
        (11, "SEGV"),
        (13, "PIPE"),
        (14, "ALRM"),
        (15, "TERM"),
    ];
    known
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or_else(|| signal.to_string(), |(_, name)| (*name).to_owned())
}

async fn pump(
    req: ReqId,
    stream: Stream,
    source: Option<impl AsyncRead + Unpin>,
    facts: &mpsc::Sender<Event>,
) -> std::io::Result<()> {
    let Some(mut source) = source else {
        return Ok(());
    };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let got = source.read(&mut buffer).await?;
        if got == 0 {
            return Ok(());
        }
        let data = buffer[..got].to_vec();
        drop(
            facts
                .send(Event::Ssh(Box::new(SshFact::Output { req, stream, data })))
                .await,
        );
    }
}

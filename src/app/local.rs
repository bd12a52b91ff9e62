//! Runs a step on this machine: a program with a script on its standard input, in a process group of its own.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::domain::ids::ReqId;
use crate::domain::run::Exit;
use crate::ssh::{SshFact, Stream};

use super::event::Event;

/// Runs `command` and reports its output and its end as the facts of an exec.
pub(super) async fn run(
    req: ReqId,
    command: String,
    stdin: Vec<u8>,
    timeout_ms: Option<u64>,
    facts: mpsc::Sender<Event>,
) {
    let begun = Instant::now();
    let exit = match execute(req, &command, stdin, timeout_ms, &facts).await {
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

async fn execute(
    req: ReqId,
    command: &str,
    stdin: Vec<u8>,
    timeout_ms: Option<u64>,
    facts: &mpsc::Sender<Event>,
) -> std::io::Result<Exit> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
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
    let ended = match timeout_ms {
        None => Some(work.await?),
        Some(limit) => match tokio::time::timeout(Duration::from_millis(limit), work).await {
            Ok(status) => Some(status?),
            Err(_) => None,
        },
    };
    Ok(match ended {
        None => Exit::TimedOut,
        Some(status) => {
            use std::os::unix::process::ExitStatusExt;
            match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(
                    signal.map_or_else(|| "KILL".to_owned(), |number| number.to_string()),
                ),
            }
        }
    })
}

async fn pump(
    req: ReqId,
    stream: Stream,
    source: Option<impl tokio::io::AsyncRead + Unpin>,
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
        drop(
            facts
                .send(Event::Ssh(Box::new(SshFact::Output {
                    req,
                    stream,
                    data: buffer[..got].to_vec(),
                })))
                .await,
        );
    }
}

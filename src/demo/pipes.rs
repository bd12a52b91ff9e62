//! A command without a terminal: three pipes, an exit status, signals.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use russh::ChannelMsg;
use rustix::process::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::channel::{Ending, Ends, hang_up, signal_of};
use super::flow::{self, Input, Overflow};
use super::machine::Machine;
use super::processes::Processes;

/// Runs `program` with `arguments` until it has ended and all its output is delivered, or the client goes away.
pub(super) async fn run(
    mut ends: Ends,
    machine: &Machine,
    processes: &Arc<Processes>,
    arguments: &[String],
) {
    let started = Instant::now();
    let (mut child, leader) = match spawn(machine, processes, arguments) {
        Ok(running) => running,
        Err(why) => return ends.refuse(&why).await,
    };
    let (mut input, queue) = Input::new();
    // Dropping the sets aborts their tasks, so whatever way this function ends, nothing keeps a pipe open.
    let mut feeding = JoinSet::new();
    let mut pumping = JoinSet::new();
    if let Some(stdin) = child.stdin.take() {
        feeding.spawn(flow::feed(queue, stdin));
    }
    if let Some(stdout) = child.stdout.take() {
        pumping.spawn(flow::pump(
            stdout,
            ends.writer.make_writer(),
            machine.delay(),
        ));
    }
    if let Some(stderr) = child.stderr.take() {
        pumping.spawn(flow::pump(
            stderr,
            ends.writer.make_writer_ext(Some(1)),
            machine.delay(),
        ));
    }

    let mut status = None;
    // As OpenSSH does it: a command is over when it has exited and nobody holds its output open any more.
    while status.is_none() || !pumping.is_empty() {
        let gone = tokio::select! {
            message = ends.reader.wait() => !react(message, &mut input, processes, leader),
            ended = child.wait(), if status.is_none() => {
                processes.finished(leader);
                status = Some(ended);
                false
            }
            _ = pumping.join_next(), if !pumping.is_empty() => false,
        };
        if gone {
            hang_up(processes, leader).await;
            // Nobody may be listening any more; if it was too much input, this tells the client.
            return ends.finish(Ending::Status(255)).await;
        }
    }
    tokio::time::sleep_until(started + machine.delay()).await;
    let ending = match status {
        Some(Ok(status)) => ending(status),
        Some(Err(_)) | None => Ending::Status(255),
    };
    ends.finish(ending).await;
}

/// Does what the client says; whether the client is still there.
fn react(
    message: Option<ChannelMsg>,
    input: &mut Input,
    processes: &Processes,
    leader: Pid,
) -> bool {
    match message {
        Some(ChannelMsg::Data { data }) => input.push(data.to_vec()) != Err(Overflow),
        Some(ChannelMsg::Eof) => {
            input.end();
            true
        }
        Some(ChannelMsg::Signal { signal }) => {
            if let Some(signal) = signal_of(&signal) {
                processes.signal(leader, signal);
            }
            true
        }
        Some(ChannelMsg::Close) | None => false,
        Some(_) => true,
    }
}

fn spawn(
    machine: &Machine,
    processes: &Processes,
    arguments: &[String],
) -> io::Result<(Child, Pid)> {
    let (program, arguments) = arguments.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(machine.environment(processes.mark()))
        .current_dir(machine.home())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    processes.launch(|| {
        let child = command.spawn()?;
        let number = child.id();
        Ok((child, number))
    })
}

fn ending(status: ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Status(code.unsigned_abs()),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Status(255),
    }
}

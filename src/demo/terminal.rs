//! A program in a pseudo-terminal. Terminals are read and written by threads of their own, because they block.

use std::io::{self, Read, Write};
use std::sync::Arc;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, native_pty_system};
use russh::ChannelMsg;
use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::channel::{Ending, Ends, Terminal, hang_up, signal_of, size};
use super::flow::{self, Input};
use super::machine::Machine;
use super::processes::Processes;

/// Chunks that the reading thread is ahead. When it is full the thread waits, so the program waits, as on a slow line.
const AHEAD: usize = 16;

/// How long the last output may take after the program ended, should something else still hold the terminal.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running program in its terminal. Dropping `master` hangs the terminal up.
struct Running {
    master: Box<dyn MasterPty + Send>,
    leader: Pid,
    output: mpsc::Receiver<(Instant, Vec<u8>)>,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
    input: Input,
}

/// Runs `command`, or a login shell, in a terminal until it has ended or the client goes away.
pub(super) async fn run(
    mut ends: Ends,
    machine: &Machine,
    processes: &Arc<Processes>,
    terminal: Terminal,
    command: Option<String>,
) {
    let shell = command.is_none();
    let running = match start(machine, processes, &terminal, command) {
        Ok(running) => running,
        Err(why) => return ends.refuse(&why).await,
    };
    let Running {
        master,
        leader,
        output,
        mut ended,
        input,
    } = running;
    let mut stdout = ends.writer.make_writer();
    if shell {
        stdout
            .write_all(machine.greeting().as_bytes())
            .await
            .unwrap_or_default();
    }
    let mut pumping = JoinSet::new();
    pumping.spawn(flow::deliver(output, stdout, machine.delay()));

    let status = loop {
        tokio::select! {
            message = ends.reader.wait() => match message {
                Some(ChannelMsg::Data { data }) => {
                    if input.push(data.to_vec()).is_err() {
                        break None;
                    }
                }
                // As with OpenSSH, a terminal does not end with its client's input; a person types Ctrl-D for that.
                Some(ChannelMsg::Eof) => {}
                Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                    // The program may just have ended; then nobody needs the new size.
                    master.resize(size(col_width, row_height)).unwrap_or_default();
                }
                Some(ChannelMsg::Signal { signal }) => interrupt(&*master, processes, leader, signal_of(&signal)),
                Some(ChannelMsg::Close) | None => break None,
                Some(_) => {}
            },
            status = &mut ended => break Some(status),
        }
    };
    let ending = match status {
        Some(Ok(Ok(status))) => ending(&status),
        Some(Ok(Err(_)) | Err(_)) => Ending::Status(255),
        None => {
            drop(master);
            hang_up(processes, leader).await;
            Ending::Signal(Signal::HUP.as_raw())
        }
    };
    // What the shell left in the background keeps the terminal open; its last words are not waited for.
    tokio::time::timeout(LAST_WORDS, pumping.join_next())
        .await
        .unwrap_or_default();
    ends.finish(ending).await;
}

fn start(
    machine: &Machine,
    processes: &Arc<Processes>,
    terminal: &Terminal,
    command: Option<String>,
) -> io::Result<Running> {
    let pair = native_pty_system()
        .openpty(terminal.size)
        .map_err(io::Error::other)?;
    let builder = builder(machine, processes.mark(), terminal, command);
    let (child, leader) = processes.launch(|| {
        let child = pair
            .slave
            .spawn_command(builder)
            .map_err(io::Error::other)?;
        let number = child.process_id();
        Ok((child, number))
    })?;
    // Our copy of the slave would keep the terminal open after the program has ended.
    drop(pair.slave);
    let reader = pair.master.try_clone_reader().map_err(io::Error::other)?;
    let writer = pair.master.take_writer().map_err(io::Error::other)?;
    let (sender, output) = mpsc::channel(AHEAD);
    let (input, queue) = Input::new();
    let (told, ended) = oneshot::channel();
    let processes = Arc::clone(processes);
    std::thread::spawn(move || read(reader, &sender));
    std::thread::spawn(move || write(writer, queue));
    std::thread::spawn(move || told.send(wait(child, leader, &processes)));
    Ok(Running {
        master: pair.master,
        leader,
        output,
        ended,
        input,
    })
}

fn builder(
    machine: &Machine,
    mark: &str,
    terminal: &Terminal,
    command: Option<String>,
) -> CommandBuilder {
    let mut builder = match command {
        Some(command) => {
            let mut builder = CommandBuilder::new("/bin/sh");
            builder.args(["-c", &command]);
            builder
        }
        None => {
            let (program, arguments) = machine.shell();
            let mut builder = CommandBuilder::new(program);
            builder.args(arguments);
            builder
        }
    };
    builder.env_clear();
    for (name, value) in machine.environment(mark) {
        builder.env(name, value);
    }
    builder.env("TERM", &terminal.name);
    builder.cwd(machine.home());
    builder
}

/// Signals the job in the foreground, as the terminal's own keys would.
fn interrupt(
    master: &(dyn MasterPty + Send),
    processes: &Processes,
    leader: Pid,
    signal: Option<Signal>,
) {
    let Some(signal) = signal else { return };
    match master.process_group_leader().and_then(Pid::from_raw) {
        // The group may end in this moment.
        Some(foreground) => {
            rustix::process::kill_process_group(foreground, signal).unwrap_or_default()
        }
        None => processes.signal(leader, signal),
    }
}

fn read(mut reader: Box<dyn Read + Send>, sender: &mpsc::Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; flow::CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(count @ 1..) => {
                let chunk = buffer.get(..count).unwrap_or_default().to_vec();
                if sender.blocking_send((Instant::now(), chunk)).is_err() {
                    return;
                }
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            // The end of a terminal is an error on some systems and nothing to read on others.
            Ok(0) | Err(_) => return,
        }
    }
}

fn write(mut writer: Box<dyn Write + Send>, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(data) = queue.blocking_recv() {
        if writer
            .write_all(&data)
            .and_then(|()| writer.flush())
            .is_err()
        {
            return;
        }
    }
    // Dropping the writer types an end of file, which by now nobody reads.
}

fn wait(
    mut child: Box<dyn Child + Send + Sync>,
    leader: Pid,
    processes: &Processes,
) -> io::Result<ExitStatus> {
    let status = child.wait();
    processes.finished(leader);
    status
}

/// The signal comes by the text that the C library has for it.
fn ending(status: &ExitStatus) -> Ending {
    let signal = match status.signal() {
        None => return Ending::Status(status.exit_code()),
        Some("Hangup") => Signal::HUP,
        Some("Interrupt") => Signal::INT,
        Some("Quit") => Signal::QUIT,
        Some("Aborted") => Signal::ABORT,
        Some("Segmentation fault") => Signal::SEGV,
        Some("Terminated") => Signal::TERM,
        Some(_) => Signal::KILL,
    };
    Ending::Signal(signal.as_raw())
}

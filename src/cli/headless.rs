//! One command through the app, without a window: opens the store, starts the loop, shows what comes back.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::app::clock;
use crate::app::effect::{Emission, Inquiry};
use crate::app::event::LineEvent;
use crate::app::runtime::{Line, LineClient, ToLine};
use crate::app::start::{self, Interactive, Refused};
use crate::command::{Command, Globals};
use crate::model::QuestionId;
use crate::ssh::Reply;

use super::output::Output;
use super::signals::{Received, Signals};
use super::terminal::{self, Raw};
use super::{Rides, ride};

/// How many pieces of standard input are on their way at once.
const AHEAD: usize = 32;

/// Runs one command and shows what comes of it.
pub(super) fn run(globals: &Globals, command: Command, rides: &Rides) -> Result<u8, Refused> {
    let places = start::places(globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        let person = std::fs::File::open("/dev/tty").is_ok();
        if ride::stops(&command) && (rides.end_other)(&places, globals.yes).await? {
            return Ok(0);
        }
        if ride::wanted(&command, globals)
            && let Some(line) = (rides.line)(&places, person).await?
        {
            let stops = ride::stops(&command);
            let exit = drive(line, command, globals).await?;
            if stops && exit == 0 {
                (rides.gone)(&places).await?;
            }
            return Ok(exit);
        }
        if let Some(refused) = ride::alone(&command) {
            return Err(refused);
        }
        let someone = if person {
            Interactive::Line
        } else {
            Interactive::Nobody
        };
        let (app, client) = start::assemble(&places, globals, someone)?;
        let app = tokio::spawn(app.run());
        let line = client.line(person).await.map_err(|gone| Refused {
            text: gone.to_string(),
            exit: 1,
        })?;
        let exit = drive(line, command, globals).await;
        // The thread that reads standard input may hold on to the app for ever; so it is told to end.
        client.stop().await.ok();
        app.await.ok();
        exit
    })?;
    // A thread may still wait for standard input; it has nothing left to say.
    runtime.shutdown_background();
    Ok(exit)
}

/// Asks, and shows until the end.
async fn drive(line: Line, command: Command, globals: &Globals) -> Result<u8, Refused> {
    let mut signals = Signals::new()?;
    let fold = matches!(&command, Command::Exec(exec) if exec.fold);
    let call = matches!(&command, Command::Ssh(_)).then(|| wants_terminal(&command));
    let mut output = Output::new(globals, fold);
    let mut raw: Option<Raw> = None;
    let gone = |gone: crate::app::runtime::Gone| Refused {
        text: gone.to_string(),
        exit: 1,
    };
    line.ask(command).await.map_err(gone)?;
    let client = line.client();
    let mut messages = line.out;
    let credit = Arc::new(Semaphore::new(AHEAD));
    let mut waiting: VecDeque<Inquiry> = VecDeque::new();
    let mut asking: Option<Asking> = None;
    let mut was_raw = false;
    // Whoever is interrupted at a hidden question gets the terminal back as it was.
    let cooked = terminal::Settings::keep();
    loop {
        if asking.is_none()
            && let Some(inquiry) = waiting.pop_front()
        {
            was_raw = raw.take().is_some();
            asking = Some(ask(inquiry, globals.yes));
        }
        tokio::select! {
            message = messages.recv() => match message {
                None => return Err(Refused { text: "the app ended without an answer; see its log".to_owned(), exit: 1 }),
                Some(ToLine::Emit(Emission::Attached)) => {
                    if call == Some(true) {
                        raw = Raw::enter()?;
                    }
                    if let Some(size) = terminal::size() {
                        client.send(LineEvent::Resized(size)).await.map_err(gone)?;
                    }
                    feed_stdin(client.clone(), Arc::clone(&credit));
                }
                Some(ToLine::Emit(Emission::Taken)) => credit.add_permits(1),
                Some(ToLine::Emit(emission)) => output.emit(emission),
                Some(ToLine::Question(inquiry)) => waiting.push_back(inquiry),
                Some(ToLine::Done(outcome)) => {
                    drop(raw.take());
                    drop(cooked);
                    return Ok(output.finish(&outcome, clock::now()));
                }
            },
            // One question at a time, on a thread of its own: signals and output go on meanwhile.
            (id, reply) = answered(&mut asking), if asking.is_some() => {
                asking = None;
                if was_raw {
                    raw = Raw::enter()?;
                }
                client.send(LineEvent::Answered(id, reply)).await.map_err(gone)?;
            },
            received = signals.next() => match received {
                Received::Interrupt | Received::End => client.send(LineEvent::Interrupted).await.map_err(gone)?,
                Received::Resized => if let Some(size) = terminal::size() {
                    client.send(LineEvent::Resized(size)).await.map_err(gone)?;
                },
            },
        }
    }
}

/// A question that a person is looking at.
struct Asking {
    id: QuestionId,
    reply: JoinHandle<Reply>,
}

fn ask(inquiry: Inquiry, yes: bool) -> Asking {
    Asking {
        id: inquiry.id,
        reply: tokio::task::spawn_blocking(move || terminal::ask(&inquiry, yes)),
    }
}

async fn answered(asking: &mut Option<Asking>) -> (QuestionId, Reply) {
    match asking {
        Some(asked) => (asked.id, (&mut asked.reply).await.unwrap_or(Reply::No)),
        None => std::future::pending().await,
    }
}

/// Whether the terminal should go raw: for a shell, or when a terminal was asked for.
fn wants_terminal(command: &Command) -> bool {
    matches!(command, Command::Ssh(ssh) if !ssh.nothing && (ssh.command.is_empty() || ssh.tty))
}

/// Passes standard input on from a thread of its own, because reading it cannot be cancelled. It waits while [`AHEAD`]
/// pieces are on their way, so a host that reads slowly slows down what fills the pipe.
fn feed_stdin(client: LineClient, credit: Arc<Semaphore>) {
    let runtime = Handle::current();
    drop(std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match runtime.block_on(credit.acquire()) {
                Ok(permit) => permit.forget(),
                Err(_) => return,
            }
            let data = match std::io::stdin().lock().read(&mut buffer) {
                Ok(0) | Err(_) => None,
                Ok(got) => Some(buffer[..got].to_vec()),
            };
            let over = data.is_none();
            if client.send_blocking(LineEvent::Stdin(data)).is_err() || over {
                return;
            }
        }
    }));
}

//! The tty side of a window: a small pump between somebody's terminal and the app. It decides nothing and draws nothing.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_core::Stream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::protocol::{Hello, PROTOCOL, Size, ToApp, ToWindow, WindowLink};
use super::terminal::{Terminal, caps, clipboard, size};

/// How long the last frame may take to be written before the terminal is given back all the same.
const LAST_FRAME: Duration = Duration::from_millis(500);

/// Shows the app behind `link` in this terminal until one of them leaves, and gives the terminal back.
///
/// # Errors
/// The terminal cannot be taken, or cannot be read.
pub(super) async fn show(mut link: WindowLink) -> io::Result<()> {
    let Signals {
        mut ends,
        mut resumed,
    } = Signals::new()?;
    // Our own stop ends with the same signal as a foreign one; it has been dealt with by then.
    let mut ours = false;
    let mut terminal = Terminal::take()?;
    let mut events = EventStream::new();
    let caps = caps(|name| std::env::var(name).ok());
    let hello = Hello {
        version: PROTOCOL,
        size: measured(),
        colours: caps.colors,
        unicode: caps.unicode,
    };
    let mut said = link.to_app.send(ToApp::Hello(hello)).await.is_ok();
    // At most one frame is being written; the terminal may be slow, and this task must still hear keys and signals.
    let mut writing: Option<(u64, JoinHandle<io::Result<()>>)> = None;
    let mut message = String::new();
    while said {
        tokio::select! {
            biased;
            () = end(&mut ends) => said = false,
            _ = resumed.recv() => {
                if !std::mem::take(&mut ours) {
                    take_back(&mut terminal)?;
                    said = link.to_app.send(ToApp::Resize(measured())).await.is_ok();
                }
            }
            event = next(&mut events) => match event {
                Some(Ok(Event::Resize(cols, rows))) => {
                    said = link.to_app.send(ToApp::Resize(Size { cols, rows })).await.is_ok();
                }
                Some(Ok(event)) => said = link.to_app.send(ToApp::Input(event)).await.is_ok(),
                // The terminal is gone, as after a hang-up.
                Some(Err(_)) | None => said = false,
            },
            seq = written(&mut writing) => match seq {
                Ok(seq) => said = link.to_app.send(ToApp::Ack { seq }).await.is_ok(),
                Err(_) => said = false,
            },
            told = link.from_app.recv(), if writing.is_none() => match told {
                Some(ToWindow::Frame { seq, bytes }) => writing = Some((seq, write(terminal.out(), bytes))),
                Some(ToWindow::Clipboard(text)) => {
                    if let Some(bytes) = clipboard(&text) {
                        // A clipboard that cannot be written is no reason to close the window.
                        write(terminal.out(), bytes).await.ok();
                    }
                }
                Some(ToWindow::Suspend) => {
                    suspend(&mut terminal)?;
                    ours = true;
                    said = link.to_app.send(ToApp::Resize(measured())).await.is_ok();
                }
                Some(ToWindow::RunHere { argv }) => {
                    // Two readers of one terminal would share its keys out by chance.
                    drop(events);
                    let status = run_here(&mut terminal, argv).await?;
                    events = EventStream::new();
                    said = link.to_app.send(ToApp::Ran { status }).await.is_ok();
                }
                Some(ToWindow::Bye { message: words }) => {
                    message = words;
                    said = false;
                }
                None => said = false,
            },
        }
    }
    // Whether the app still listens does not matter any more.
    link.to_app.send(ToApp::Bye).await.ok();
    if let Some((_, frame)) = writing {
        tokio::time::timeout(LAST_FRAME, frame).await.ok();
    }
    leave(terminal, &message);
    Ok(())
}

/// The shell had the terminal meanwhile.
fn take_back(terminal: &mut Terminal) -> io::Result<()> {
    terminal.release();
    terminal.hold()
}

/// Gives the terminal back, then says what is left to say, below the shell's prompt.
fn leave(terminal: Terminal, message: &str) {
    drop(terminal);
    if !message.is_empty() {
        writeln!(io::stderr(), "{message}").ok();
    }
}

/// The signals that concern a window.
struct Signals {
    ends: [Signal; 3],
    resumed: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            ends: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::interrupt())?,
            ],
            resumed: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

/// Waits for a signal that ends the window.
async fn end(ends: &mut [Signal; 3]) {
    let [terminate, hangup, interrupt] = ends;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn next(events: &mut EventStream) -> Option<io::Result<Event>> {
    poll_fn(|cx| Pin::new(&mut *events).poll_next(cx)).await
}

/// Waits for the frame that is being written, and for ever when none is.
async fn written(writing: &mut Option<(u64, JoinHandle<io::Result<()>>)>) -> io::Result<u64> {
    let Some((seq, frame)) = writing.as_mut() else {
        return std::future::pending().await;
    };
    let (seq, result) = (*seq, frame.await);
    *writing = None;
    result.map_err(io::Error::other)?.map(|()| seq)
}

/// Writes on a thread that may block.
fn write(out: Arc<File>, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
    tokio::task::spawn_blocking(move || (&*out).write_all(&bytes))
}

fn measured() -> Size {
    let (cols, rows) = size();
    Size { cols, rows }
}

/// Stops as other programs stop at Ctrl-Z: the terminal is the shell's until it continues us.
fn suspend(terminal: &mut Terminal) -> io::Result<()> {
    terminal.release();
    // The whole job stops, whoever wrapped us. Without a shell that waits for it the system ignores this.
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    terminal.hold()
}

/// Gives the terminal to a program until it ends.
async fn run_here(terminal: &mut Terminal, argv: Vec<String>) -> io::Result<i32> {
    use std::os::unix::process::ExitStatusExt;
    terminal.release();
    let ran = tokio::task::spawn_blocking(move || {
        let (program, args) = argv.split_first()?;
        Command::new(program).args(args).status().ok()
    });
    let status = ran.await.map_err(io::Error::other)?;
    terminal.hold()?;
    Ok(status.map_or(127, |status| {
        let signal = status.signal().map(|signal| 128 + signal);
        status.code().or(signal).unwrap_or(1)
    }))
}

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
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::features::Features;
use super::protocol::{Hello, PROTOCOL, Size, ToApp, ToWindow, WindowLink};
use super::terminal::{Terminal, caps, clipboard, size};

/// How long the last frame may take to be written before the terminal is given back all the same.
const LAST_FRAME: Duration = Duration::from_millis(500);

/// A frame that is being written: its number, and the thread's end.
type Writing = Option<(u64, JoinHandle<io::Result<()>>)>;

/// Shows the app behind `link` in this terminal until one of them leaves, and gives the terminal back.
///
/// # Errors
/// The terminal cannot be taken, or cannot be read.
pub(super) async fn show(link: WindowLink, focus: Option<String>) -> io::Result<()> {
    let Signals {
        mut ends,
        mut resumed,
    } = Signals::new()?;
    let WindowLink {
        to_app,
        mut from_app,
    } = link;
    let mut pump = Pump {
        to_app,
        terminal: Terminal::take()?,
        ours: false,
        message: String::new(),
    };
    let mut events = Some(EventStream::new());
    // At most one frame is being written; the terminal may be slow, and this task must still hear keys and signals.
    let mut writing: Writing = None;
    let mut stays = pump.greet(focus).await;
    while stays {
        stays = tokio::select! {
            biased;
            () = end(&mut ends) => false,
            _ = resumed.recv() => pump.resumed().await?,
            event = next(&mut events) => pump.typed(event).await,
            seq = written(&mut writing) => match seq {
                Ok(seq) => pump.say(ToApp::Ack { seq }).await,
                Err(_) => false,
            },
            told = from_app.recv(), if writing.is_none() => match told {
                Some(ToWindow::Frame { seq, bytes }) => {
                    writing = Some((seq, write(pump.terminal.out(), bytes)));
                    true
                }
                Some(told) => pump.told(told, &mut events).await?,
                None => false,
            },
        };
    }
    pump.say(ToApp::Bye).await;
    if let Some((_, frame)) = writing {
        tokio::time::timeout(LAST_FRAME, frame).await.ok();
    }
    let message = std::mem::take(&mut pump.message);
    drop(pump);
    if !message.is_empty() {
        writeln!(io::stderr(), "{message}").ok();
    }
    Ok(())
}

/// What a window holds while it is open. Every method says whether the window stays.
struct Pump {
    to_app: mpsc::Sender<ToApp>,
    terminal: Terminal,
    /// Our own stop ends with the same signal as a foreign one; it has been dealt with by then.
    ours: bool,
    /// What is printed once the terminal is given back.
    message: String,
}

impl Pump {
    async fn say(&self, message: ToApp) -> bool {
        self.to_app.send(message).await.is_ok()
    }

    async fn greet(&self, focus: Option<String>) -> bool {
        let caps = caps(|name| std::env::var(name).ok());
        let hello = Hello {
            version: PROTOCOL,
            size: measured(),
            colours: caps.colors,
            unicode: caps.unicode,
            features: Features::of(|name| std::env::var(name).ok()),
            focus,
        };
        self.say(ToApp::Hello(hello)).await
    }

    async fn typed(&self, event: Option<io::Result<Event>>) -> bool {
        match event {
            Some(Ok(Event::Resize(cols, rows))) => {
                self.say(ToApp::Resize(Size { cols, rows })).await
            }
            Some(Ok(event)) => self.say(ToApp::Input(event)).await,
            // The terminal is gone, as after a hang-up.
            Some(Err(_)) | None => false,
        }
    }

    /// The process goes on after it was stopped.
    async fn resumed(&mut self) -> io::Result<bool> {
        if std::mem::take(&mut self.ours) {
            return Ok(true);
        }
        // The shell had the terminal meanwhile.
        self.terminal.release();
        self.terminal.hold()?;
        Ok(self.say(ToApp::Resize(measured())).await)
    }

    async fn told(&mut self, told: ToWindow, events: &mut Option<EventStream>) -> io::Result<bool> {
        match told {
            ToWindow::Frame { .. } => {}
            ToWindow::Clipboard(text) => {
                if let Some(bytes) = clipboard(&text) {
                    // A clipboard that cannot be written is no reason to close the window.
                    write(self.terminal.out(), bytes).await.ok();
                }
            }
            ToWindow::Suspend => {
                suspend(&mut self.terminal)?;
                self.ours = true;
                return Ok(self.say(ToApp::Resize(measured())).await);
            }
            ToWindow::RunHere { argv } => {
                // Two readers of one terminal would share its keys out by chance.
                *events = None;
                let status = run_here(&mut self.terminal, argv).await?;
                *events = Some(EventStream::new());
                return Ok(self.say(ToApp::Ran { status }).await);
            }
            ToWindow::Bye { message } => {
                self.message = message;
                return Ok(false);
            }
        }
        Ok(true)
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

async fn next(events: &mut Option<EventStream>) -> Option<io::Result<Event>> {
    match events {
        Some(events) => poll_fn(|cx| Pin::new(&mut *events).poll_next(cx)).await,
        None => std::future::pending().await,
    }
}

/// Waits for the frame that is being written, and for ever when none is.
async fn written(writing: &mut Writing) -> io::Result<u64> {
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

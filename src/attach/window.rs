//! The tty side of a window: a small pump between somebody's terminal and the app. It decides nothing and draws nothing.

use std::fs::File;
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::features::Features;
use super::input::{Came, Parser};
use super::pace::{Next, Pace};
use super::protocol::{Hello, PROTOCOL, Size, ToApp, ToWindow, WindowLink};
use super::terminal::{Terminal, caps, clipboard, size};
use super::tty::Keyboard;
use crate::config::Screen;

/// How long the last frame may take to be written before the terminal is given back all the same.
const LAST_FRAME: Duration = Duration::from_millis(500);

/// How a window is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Manner {
    /// Lines that are only ever added to, for screen readers.
    pub(super) plain: bool,
    /// What the settings say.
    pub(super) screen: Screen,
    /// The session to show first, by reference.
    pub(super) focus: Option<String>,
}

/// A frame that is being written: its number, and the thread's end.
type Writing = Option<(u64, JoinHandle<io::Result<()>>)>;

/// Shows the app behind `link` in this terminal until one of them leaves, and gives the terminal back.
///
/// # Errors
/// The terminal cannot be taken, or cannot be read.
pub(super) async fn show(link: WindowLink, manner: Manner) -> io::Result<()> {
    let Signals {
        mut ends,
        mut resumed,
        mut resized,
    } = Signals::new()?;
    let WindowLink {
        to_app,
        mut from_app,
    } = link;
    let now = Instant::now();
    let pace = Pace::new(manner.screen.bytes_per_second, manner.screen.escape, now);
    let mut pump = Pump {
        to_app,
        terminal: Terminal::take(manner.plain)?,
        plain: manner.plain,
        focus: manner.focus,
        ours: false,
        message: String::new(),
        lost: false,
        parser: Parser::new(pace.escape(), now),
        pace,
        shown: None,
    };
    let mut keyboard = Some(Keyboard::open()?);
    // At most one frame is being written; the terminal may be slow, and this task must still hear keys and signals.
    let mut writing: Writing = None;
    let mut stays = pump.greet().await;
    while stays {
        let due = pump.due();
        stays = tokio::select! {
            biased;
            () = end(&mut ends) => false,
            _ = resumed.recv() => pump.resumed().await?,
            _ = resized.recv() => pump.say(ToApp::Resize(measured())).await,
            bytes = read(&mut keyboard) => match bytes {
                // The terminal is gone, as after a hang-up.
                Ok([]) | Err(_) => false,
                Ok(bytes) => pump.typed(bytes).await,
            },
            seq = written(&mut writing) => match seq {
                Ok(seq) => pump.written(seq).await,
                Err(_) => false,
            },
            () = at(due) => pump.tick().await,
            told = from_app.recv(), if writing.is_none() => match told {
                Some(ToWindow::Frame { seq, bytes }) => {
                    writing = Some((seq, write(pump.terminal.out(), pump.probed(bytes))));
                    true
                }
                Some(told) => pump.told(told, &mut keyboard).await?,
                // It always says goodbye.
                None => {
                    pump.lost = true;
                    false
                }
            },
        };
    }
    pump.say(ToApp::Bye).await;
    if let Some((_, frame)) = writing {
        tokio::time::timeout(LAST_FRAME, frame).await.ok();
    }
    let message = std::mem::take(&mut pump.message);
    let lost = pump.lost;
    drop(pump);
    if lost {
        return Err(io::Error::other(
            "the app is gone without a word; `qd` starts it again, with the tabs as they were",
        ));
    }
    if !message.is_empty() {
        writeln!(io::stderr(), "{message}").ok();
    }
    Ok(())
}

/// What a window holds while it is open. Every method says whether the window stays.
struct Pump {
    to_app: mpsc::Sender<ToApp>,
    terminal: Terminal,
    /// Lines only: nothing is asked of the terminal, and nothing steers it.
    plain: bool,
    focus: Option<String>,
    /// Our own stop ends with the same signal as a foreign one; it has been dealt with by then.
    ours: bool,
    /// What is printed once the terminal is given back.
    message: String,
    /// The app broke off.
    lost: bool,
    parser: Parser,
    pace: Pace,
    /// The frame that was written and that the app is not told of yet, because the terminal has not taken enough of it.
    shown: Option<u64>,
}

impl Pump {
    async fn say(&self, message: ToApp) -> bool {
        self.to_app.send(message).await.is_ok()
    }

    async fn greet(&self) -> bool {
        let caps = caps(|name| std::env::var(name).ok());
        let hello = Hello {
            version: PROTOCOL,
            size: measured(),
            colours: caps.colors,
            unicode: caps.unicode,
            features: Features::of(|name| std::env::var(name).ok()),
            focus: self.focus.clone(),
            plain: self.plain,
            program: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        self.say(ToApp::Hello(hello)).await
    }

    /// Takes what the terminal sent.
    async fn typed(&mut self, bytes: &[u8]) -> bool {
        let came = self.parser.feed(bytes, Instant::now());
        self.came(came).await
    }

    async fn came(&mut self, came: Vec<Came>) -> bool {
        for came in came {
            let stays = match came {
                Came::Event(event) => self.say(ToApp::Input(event)).await,
                Came::Alive => {
                    self.pace.answered(Instant::now());
                    self.parser.set_escape(self.pace.escape());
                    self.go_on().await
                }
                Came::Answer => true,
            };
            if !stays {
                return false;
            }
        }
        true
    }

    /// When something is to be done though nothing comes.
    fn due(&mut self) -> Option<Instant> {
        let held = match (self.shown, self.pace.next(Instant::now())) {
            (Some(_), Next::At(until)) => Some(until),
            (Some(_), Next::Now) => Some(Instant::now()),
            (None, _) => None,
        };
        [held, self.parser.due()].into_iter().flatten().min()
    }

    async fn tick(&mut self) -> bool {
        let came = self.parser.tick(Instant::now());
        self.came(came).await && self.go_on().await
    }

    /// A frame with the question whether the terminal has taken it.
    fn probed(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.plain {
            return bytes;
        }
        self.pace.sent(bytes, Instant::now())
    }

    /// A frame has been written; the next may come when the terminal has taken enough of it.
    async fn written(&mut self, seq: u64) -> bool {
        self.shown = Some(seq);
        self.go_on().await
    }

    /// Has the next frame come, if it may.
    async fn go_on(&mut self) -> bool {
        let Some(seq) = self.shown else { return true };
        if self.pace.next(Instant::now()) != Next::Now {
            return true;
        }
        self.shown = None;
        let way = self.pace.way();
        self.say(ToApp::Ack { seq, way }).await
    }

    /// The process goes on after it was stopped.
    async fn resumed(&mut self) -> io::Result<bool> {
        if std::mem::take(&mut self.ours) {
            return Ok(true);
        }
        // The shell had the terminal meanwhile.
        self.terminal.release();
        self.terminal.hold()?;
        self.pace.forget();
        Ok(self.say(ToApp::Resize(measured())).await)
    }

    async fn told(&mut self, told: ToWindow, keyboard: &mut Option<Keyboard>) -> io::Result<bool> {
        match told {
            ToWindow::Frame { .. } => {}
            ToWindow::Clipboard(text) => {
                if let Some(bytes) = clipboard(&text).filter(|_| !self.plain) {
                    // A clipboard that cannot be written is no reason to close the window.
                    write(self.terminal.out(), bytes).await.ok();
                }
            }
            ToWindow::Suspend => {
                suspend(&mut self.terminal)?;
                self.ours = true;
                self.pace.forget();
                return Ok(self.say(ToApp::Resize(measured())).await);
            }
            ToWindow::RunHere { argv } => {
                // Two readers of one terminal would share its keys out by chance.
                *keyboard = None;
                let status = run_here(&mut self.terminal, argv).await?;
                *keyboard = Some(Keyboard::open()?);
                self.pace.forget();
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
    resized: Signal,
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
            resized: signal(SignalKind::window_change())?,
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

async fn read(keyboard: &mut Option<Keyboard>) -> io::Result<&[u8]> {
    match keyboard {
        Some(keyboard) => keyboard.read().await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
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

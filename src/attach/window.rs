//! The tty side of a window: a small pump between somebody's terminal and the app. It decides nothing and draws nothing.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use super::features::Features;
use super::guest;
use super::input::{Came, Parser};
use super::keeper::Kept;
use super::out::Out;
use super::pace::{Next, Pace};
use super::protocol::{Hello, PROTOCOL, Size, ToApp, ToWindow, WindowLink};
use super::silence::{Doubt, Silence};
use super::terminal::{Terminal, caps, clipboard, size};
use super::tty::Keyboard;
use crate::config::{Screen, Session};
use crate::domain::key::Key;
use crate::ui::{UiInput, keys};

/// How much the app may leave unheard before the terminal is not read any more, in messages; signals are heard all the same.
const UNSAID: usize = 4096;

/// How long a stop that was asked for may take to happen. A system that knows nobody who could continue us ignores it.
const STOP: Duration = Duration::from_millis(100);

/// How long answers of the terminal are waited for that would be typed into whatever has it next.
const ANSWERS: Duration = Duration::from_millis(300);

/// How long the last words of an app that hears nothing more may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a window is to be.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// Lines that are only ever added to, for screen readers.
    pub(super) plain: bool,
    /// What the settings say.
    pub(super) screen: Screen,
    /// The session to show first, by reference.
    pub(super) focus: Option<String>,
    /// The prefix that this person chose.
    pub(super) prefix: Option<Key>,
    /// Who keeps the terminal.
    pub(super) kept: Kept,
}

/// What is being written: the number of the frame, if it is one, and the thread's end.
type Writing = Option<(Option<u64>, JoinHandle<io::Result<()>>)>;

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
        unsaid: VecDeque::new(),
        terminal: Terminal::take(manner.plain, manner.kept)?,
        plain: manner.plain,
        focus: manner.focus,
        ours: false,
        message: String::new(),
        lost: false,
        parser: Parser::new(pace.escape(), now),
        pace,
        shown: None,
        silence: Silence::new([
            manner.prefix.unwrap_or(Session::DEFAULT_PREFIX),
            Session::DEFAULT_PREFIX,
        ]),
    };
    let mut keyboard = Some(Keyboard::open()?);
    // At most one frame is being written; the terminal may be slow, and this task must still hear keys and signals.
    let mut writing: Writing = None;
    let mut stays = pump.greet();
    while stays {
        let due = pump.due();
        stays = tokio::select! {
            biased;
            () = end(&mut ends) => false,
            _ = resumed.recv() => pump.resumed()?,
            _ = resized.recv() => pump.say(ToApp::Resize(measured())),
            place = pump.to_app.clone().reserve_owned(), if !pump.unsaid.is_empty() => match place {
                Ok(place) => pump.say_first(place),
                Err(_) => pump.broken(),
            },
            bytes = read(&mut keyboard), if pump.unsaid.len() < UNSAID => match bytes {
                // The terminal is gone, as after a hang-up.
                Ok([]) | Err(_) => false,
                Ok(bytes) => pump.typed(bytes),
            },
            done = written(&mut writing) => match done {
                Ok(Some(seq)) => pump.written(seq),
                Ok(None) => true,
                Err(_) => false,
            },
            () = at(due) => pump.tick(writing.is_some()),
            told = from_app.recv(), if writing.is_none() => match told {
                Some(told) => {
                    pump.silence.heard();
                    let mut around = Around { keyboard: &mut keyboard, writing: &mut writing, ends: &mut ends, resumed: &mut resumed };
                    pump.told(told, &mut around).await?
                }
                // It always says goodbye.
                None => pump.broken(),
            },
        };
    }
    if pump.lost {
        pump.last_words(&mut from_app).await;
    }
    pump.hear_out(&mut keyboard).await;
    // An app that hears nothing learns of it when the conversation is dropped.
    pump.to_app.try_send(ToApp::Bye).ok();
    pump.leave()
}

/// What a window holds while it is open. Every method says whether the window stays.
struct Pump {
    to_app: mpsc::Sender<ToApp>,
    /// What the app has not taken yet; this task never waits for it, because it must hear signals. Up to [`UNSAID`] and what
    /// one read of the terminal gives; then the terminal's own buffer holds what is typed.
    unsaid: VecDeque<ToApp>,
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
    silence: Silence,
}

/// What else a window has to do with, outside of its pump.
struct Around<'a> {
    keyboard: &'a mut Option<Keyboard>,
    writing: &'a mut Writing,
    ends: &'a mut [Signal; 3],
    resumed: &'a mut Signal,
}

impl Pump {
    fn say(&mut self, message: ToApp) -> bool {
        if !self.unsaid.is_empty() {
            self.unsaid.push_back(message);
            return true;
        }
        match self.to_app.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(message)) => {
                self.unsaid.push_back(message);
                true
            }
            Err(TrySendError::Closed(_)) => self.broken(),
        }
    }

    /// There is a place for what waits longest.
    fn say_first(&mut self, place: OwnedPermit<ToApp>) -> bool {
        if let Some(message) = self.unsaid.pop_front() {
            place.send(message);
        }
        true
    }

    /// The app broke off.
    fn broken(&mut self) -> bool {
        self.lost = true;
        false
    }

    /// An app that ends says so, and may hear nothing any more before that was read.
    async fn last_words(&mut self, from_app: &mut mpsc::Receiver<ToWindow>) {
        while let Ok(Some(told)) = tokio::time::timeout(LAST_WORDS, from_app.recv()).await {
            if let ToWindow::Bye { message } = told {
                (self.message, self.lost) = (message, false);
                return;
            }
        }
    }

    /// Takes in what the terminal still answers before somebody else reads it. What is typed meanwhile is lost, as it would be
    /// to a window that is slower to leave.
    async fn hear_out(&mut self, keyboard: &mut Option<Keyboard>) {
        let until = tokio::time::Instant::now() + ANSWERS;
        while self.pace.awaits() {
            let Ok(Ok(bytes @ [_, ..])) = tokio::time::timeout_at(until, read(keyboard)).await
            else {
                return;
            };
            let came = self.parser.feed(bytes, Instant::now());
            let answers = came.iter().filter(|came| **came == Came::Alive);
            answers.for_each(|_| self.pace.answered(Instant::now()));
        }
    }

    /// Gives the terminal back, and says what is to be said below it.
    fn leave(mut self) -> io::Result<()> {
        // A terminal that takes nothing is not spoken to: this process would never end.
        if !self.terminal.release() {
            return Ok(());
        }
        if self.lost {
            return Err(io::Error::other(
                "the app is gone without a word; `qd` starts it again, with the tabs as they were",
            ));
        }
        if !self.message.is_empty() {
            writeln!(io::stderr(), "{}", self.message).ok();
        }
        Ok(())
    }

    fn greet(&mut self) -> bool {
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
        self.say(ToApp::Hello(hello))
    }

    /// Takes what the terminal sent.
    fn typed(&mut self, bytes: &[u8]) -> bool {
        let came = self.parser.feed(bytes, Instant::now());
        self.came(came)
    }

    fn came(&mut self, came: Vec<Came>) -> bool {
        for came in came {
            let stays = match came {
                Came::Event(event) => {
                    // An app answers no question there that only a frame could answer.
                    if !self.plain
                        && let Some(UiInput::Key(key)) = keys::input(event.clone())
                    {
                        self.silence.pressed(key, Instant::now());
                    }
                    self.say(ToApp::Input(event))
                }
                Came::Alive => {
                    self.pace.answered(Instant::now());
                    self.parser.set_escape(self.pace.escape());
                    self.go_on()
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
        [held, self.parser.due(), self.silence.due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self, writing: bool) -> bool {
        let came = self.parser.tick(Instant::now());
        self.came(came) && self.go_on() && self.doubt(writing)
    }

    /// Whether an app that somebody wants to leave answers.
    fn doubt(&mut self, writing: bool) -> bool {
        // The next frame is not asked for before the terminal has taken this one.
        if writing || self.shown.is_some() {
            self.silence.heard();
        }
        match self.silence.tick(Instant::now()) {
            Doubt::None => true,
            // The answer is a whole frame.
            Doubt::Probe => self.say(ToApp::Resize(measured())),
            Doubt::Leave => {
                "the app does not answer; it was left as it is. `qd attach` comes back to it, `qd server status` asks how it is"
                    .clone_into(&mut self.message);
                false
            }
        }
    }

    /// A frame with the question whether the terminal has taken it.
    fn probed(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.plain {
            return bytes;
        }
        self.pace.sent(bytes, Instant::now())
    }

    /// A frame has been written; the next may come when the terminal has taken enough of it.
    fn written(&mut self, seq: u64) -> bool {
        self.shown = Some(seq);
        self.go_on()
    }

    /// Has the next frame come, if it may.
    fn go_on(&mut self) -> bool {
        let Some(seq) = self.shown else { return true };
        if self.pace.next(Instant::now()) != Next::Now {
            return true;
        }
        self.shown = None;
        let way = self.pace.way();
        self.say(ToApp::Ack { seq, way })
    }

    /// The process goes on after it was stopped.
    fn resumed(&mut self) -> io::Result<bool> {
        if std::mem::take(&mut self.ours) {
            return Ok(true);
        }
        // The shell had the terminal meanwhile.
        self.terminal.release();
        self.terminal.hold()?;
        self.pace.forget();
        Ok(self.say(ToApp::Resize(measured())))
    }

    async fn told(&mut self, told: ToWindow, around: &mut Around<'_>) -> io::Result<bool> {
        match told {
            ToWindow::Frame { seq, bytes } => {
                let bytes = self.probed(bytes);
                *around.writing = Some((Some(seq), write(self.terminal.out(), bytes)));
            }
            ToWindow::Clipboard(text) => {
                if let Some(bytes) = clipboard(&text).filter(|_| !self.plain) {
                    *around.writing = Some((None, write(self.terminal.out(), bytes)));
                }
            }
            ToWindow::Suspend => {
                self.hear_out(around.keyboard).await;
                self.ours = suspend(&mut self.terminal, around.resumed).await?;
                self.pace.forget();
                return Ok(self.say(ToApp::Resize(measured())));
            }
            ToWindow::RunHere { argv } => {
                self.hear_out(around.keyboard).await;
                // Two readers of one terminal would share its keys out by chance.
                *around.keyboard = None;
                self.terminal.release();
                let Some(status) = guest::run(argv, around.ends).await? else {
                    return Ok(false);
                };
                self.terminal.hold()?;
                *around.keyboard = Some(Keyboard::open()?);
                self.pace.forget();
                return Ok(self.say(ToApp::Ran { status }));
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

/// Waits for the end of what is being written, and for ever when nothing is.
async fn written(writing: &mut Writing) -> io::Result<Option<u64>> {
    let Some((seq, frame)) = writing.as_mut() else {
        return std::future::pending().await;
    };
    let (seq, result) = (*seq, frame.await);
    *writing = None;
    result.map_err(io::Error::other)?.map(|()| seq)
}

/// Writes on a thread that may block.
fn write(out: Arc<Out>, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
    tokio::task::spawn_blocking(move || out.write(&bytes))
}

fn measured() -> Size {
    let (cols, rows) = size();
    Size { cols, rows }
}

/// Stops as other programs stop at Ctrl-Z: the terminal is the shell's until it continues us. Says whether the signal that
/// continued us is still to come.
async fn suspend(terminal: &mut Terminal, resumed: &mut Signal) -> io::Result<bool> {
    terminal.release();
    // The whole job stops, whoever wrapped us. Without a shell that waits for it the system ignores this.
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    // Another thread may run on for a moment; the terminal must not be ours again before it was the shell's.
    let continued = tokio::time::timeout(STOP, resumed.recv()).await;
    terminal.hold()?;
    Ok(continued.is_err())
}

//! Plays a recording in this terminal. What a host wrote never reaches it as it came: it goes through our emulator, and
//! cells come out again.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;

use super::encoder::Encoder;
use super::features::Features;
use super::input::{Came, Parser};
use super::keeper::Kept;
use super::terminal::{Terminal, caps, size};
use crate::app::reel;
use crate::app::start::Refused;
use crate::command::Playing;
use crate::domain::key::{Key, KeyCode};
use crate::model::Reel;
use crate::term::deck::{Deck, DeckAsk};
use crate::ui::{self, Theme, UiInput, keys};

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_millis(16);

/// How long an Escape may be the beginning of more: who plays a recording in a terminal is not measured.
const ESCAPE: Duration = Duration::from_millis(50);

/// How much is read at once, in bytes; a terminal line discipline gives at most 4,095.
const READ: usize = 4096;

/// How much of a film is looked at in one go while nobody needs the time, in bytes.
const SPARE: usize = 256 * 1024;

/// Plays the recording in `file` until it is left.
///
/// # Errors
/// It cannot be read, or there is no terminal.
pub fn replay(reference: &str, file: &Path, how: Playing, kept: Kept) -> Result<u8, Refused> {
    super::terminal_here(false)?;
    let failed = |why: String| Refused {
        text: format!("the recording of {reference} cannot be played: {why}"),
        exit: 1,
    };
    let deck = reel::deck(file, how).map_err(failed)?;
    let stop = Stop::watch().map_err(|why| failed(why.to_string()))?;
    let mut player = Screen {
        deck,
        reel: Reel {
            reference: reference.to_owned(),
            view: None,
            error: None,
        },
        encoder: Encoder::new(
            caps(|name| std::env::var(name).ok()),
            Features::of(|name| std::env::var(name).ok()),
        ),
        theme: Theme::default(),
        typed: None,
        wanted: None,
        parser: Parser::new(ESCAPE, Instant::now()),
    };
    let terminal = Terminal::take(false, kept).map_err(|why| failed(why.to_string()))?;
    let played = player.play(&terminal, &stop);
    // Given back before anything is said.
    drop(terminal);
    played.map(|()| 0).map_err(|why| failed(why.to_string()))
}

/// Signals: those that end us, when the terminal is given back first, and that of another size. Each wakes whoever waits for
/// keys.
struct Stop {
    ended: Arc<AtomicBool>,
    woken: OwnedFd,
}

impl Stop {
    fn watch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (woken, wake) = rustix::pipe::pipe_with(flags)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut ends, mut hangs, mut resized) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::window_change())?,
            )
        };
        // The thread ends with the process.
        drop(std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let end = tokio::select! {
                        _ = ends.recv() => true,
                        _ = hangs.recv() => true,
                        _ = resized.recv() => false,
                    };
                    seen.fetch_or(end, Ordering::Relaxed);
                    // A full pipe wakes as well.
                    rustix::io::write(&wake, b"!").ok();
                }
            });
        }));
        Ok(Self { ended, woken })
    }

    fn is_set(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Waits for keys, a signal or the end of the time; the bytes of the keys, none when the terminal is gone.
    fn wait(&self, time: Duration) -> io::Result<Option<Vec<u8>>> {
        let input = io::stdin();
        let mut ready = [
            PollFd::new(&input, PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        let time = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        match poll(&mut ready, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        let [keys, signals] = ready.map(|ready| !ready.revents().is_empty());
        if signals {
            rustix::io::read(&self.woken, &mut [0; 64]).ok();
        }
        if !keys {
            return Ok(None);
        }
        let mut bytes = vec![0; READ];
        let got = rustix::io::read(&input, &mut bytes)?;
        bytes.truncate(got);
        Ok(Some(bytes))
    }
}

struct Screen {
    deck: Deck,
    reel: Reel,
    encoder: Encoder,
    theme: Theme,
    /// What is being typed after `/`.
    typed: Option<String>,
    /// What was looked for last.
    wanted: Option<String>,
    parser: Parser,
}

impl Screen {
    fn play(&mut self, terminal: &Terminal, stop: &Stop) -> io::Result<()> {
        let out = terminal.out();
        let mut turned = Instant::now();
        let mut spare = true;
        let mut shown = size();
        while !stop.is_set() {
            out.write(&self.frame())?;
            let bytes = stop.wait(self.patience(spare))?;
            self.deck.turn(turned.elapsed());
            turned = Instant::now();
            let came = match bytes {
                None => self.parser.tick(turned),
                Some(bytes) if bytes.is_empty() => return Ok(()),
                Some(bytes) => self.parser.feed(&bytes, turned),
            };
            let inputs = came.into_iter().filter_map(|came| match came {
                Came::Event(event) => keys::input(event),
                Came::Alive | Came::Answer => None,
            });
            let (inputs, now) = (inputs.collect::<Vec<_>>(), size());
            if std::mem::replace(&mut shown, now) != now {
                self.encoder.reset();
            } else if inputs.is_empty() {
                spare = self.deck.prepare(SPARE);
                continue;
            }
            for input in inputs {
                if self.input(input) {
                    return Ok(());
                }
            }
            // What a search takes is no time of the recording.
            turned = Instant::now();
        }
        Ok(())
    }

    /// How long keys may be waited for.
    fn patience(&self, spare: bool) -> Duration {
        if spare {
            return Duration::ZERO;
        }
        let picture = self.deck.wait().unwrap_or(Duration::from_millis(250));
        let key = self.parser.due();
        let key = key.map(|due| due.saturating_duration_since(Instant::now()));
        picture.max(FRAME).min(key.unwrap_or(Duration::MAX))
    }

    /// Something that a person did; true leaves.
    fn input(&mut self, input: UiInput) -> bool {
        match input {
            UiInput::Key(key) => return self.key(key),
            UiInput::Paste(text) => {
                if let Some(typed) = &mut self.typed {
                    typed.push_str(&crate::domain::text::line(&text));
                }
            }
            UiInput::Resize { .. }
            | UiInput::FocusGained
            | UiInput::FocusLost
            | UiInput::Mouse(_) => {}
        }
        false
    }

    fn frame(&mut self) -> Vec<u8> {
        self.reel.view = Some(self.deck.view());
        let below = self.typed.as_ref().map(|typed| format!("/{typed}"));
        let caps = caps(|name| std::env::var(name).ok());
        let frame = ui::reel_frame(&self.theme, caps, &self.reel, size(), below.as_deref());
        self.encoder.encode(&frame)
    }

    /// A key; true leaves.
    fn key(&mut self, key: Key) -> bool {
        if self.typed.is_some() {
            self.type_in(key);
            return false;
        }
        let ask = match key.code {
            KeyCode::Char('c' | 'd') if key.ctrl => return true,
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char(' ') => DeckAsk::Toggle,
            KeyCode::Char('.') => DeckAsk::Step(1),
            KeyCode::Char(',') => DeckAsk::Step(-1),
            KeyCode::Right => DeckAsk::Seek(5_000),
            KeyCode::Left => DeckAsk::Seek(-5_000),
            KeyCode::Up => DeckAsk::Seek(60_000),
            KeyCode::Down => DeckAsk::Seek(-60_000),
            KeyCode::Home => DeckAsk::To(0),
            KeyCode::End => DeckAsk::To(u64::MAX),
            KeyCode::Char(']') => DeckAsk::Marker(1),
            KeyCode::Char('[') => DeckAsk::Marker(-1),
            KeyCode::Char('+' | '=') => DeckAsk::Speed(1),
            KeyCode::Char('-') => DeckAsk::Speed(-1),
            KeyCode::Char('/') => {
                self.typed = Some(String::new());
                return false;
            }
            KeyCode::Char('n') => match &self.wanted {
                Some(wanted) => DeckAsk::Find(wanted.clone()),
                None => return false,
            },
            _ => return false,
        };
        self.deck.act(ask);
        false
    }

    fn type_in(&mut self, key: Key) {
        let Some(typed) = &mut self.typed else {
            return;
        };
        match key.code {
            KeyCode::Enter => {
                let text = self.typed.take().filter(|text| !text.is_empty());
                self.wanted = text.or(self.wanted.take());
                if let Some(wanted) = &self.wanted {
                    self.deck.act(DeckAsk::Find(wanted.clone()));
                }
            }
            KeyCode::Esc => self.typed = None,
            KeyCode::Backspace if typed.is_empty() => self.typed = None,
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Char('c') if key.ctrl => self.typed = None,
            KeyCode::Char(c) if !key.ctrl && !key.alt => typed.push(c),
            _ => {}
        }
    }
}

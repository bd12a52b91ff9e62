//! Plays a recording in this terminal. What a host wrote never reaches it as it came: it goes through our emulator, and
//! cells come out again.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossterm::event;

use super::encoder::Encoder;
use super::features::Features;
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

/// How much of a film is looked at in one go while nobody needs the time, in bytes.
const SPARE: usize = 256 * 1024;

/// Plays the recording in `file` until it is left.
///
/// # Errors
/// It cannot be read, or there is no terminal.
pub fn replay(reference: &str, file: &Path, how: Playing) -> Result<u8, Refused> {
    super::terminal_here()?;
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
    };
    let terminal = Terminal::take(false).map_err(|why| failed(why.to_string()))?;
    let played = player.play(&terminal, &stop);
    // Given back before anything is said.
    drop(terminal);
    played.map(|()| 0).map_err(|why| failed(why.to_string()))
}

/// Signals that end us: the terminal is given back first.
struct Stop(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Stop {
    fn watch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = std::sync::Arc::clone(&flag);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut ends, mut hangs) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        // The thread ends with the process.
        drop(std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ends.recv() => {}
                    _ = hangs.recv() => {}
                }
            });
            seen.store(true, std::sync::atomic::Ordering::Relaxed);
        }));
        Ok(Self(flag))
    }

    fn is_set(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
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
}

impl Screen {
    fn play(&mut self, terminal: &Terminal, stop: &Stop) -> io::Result<()> {
        let out = terminal.out();
        let mut turned = Instant::now();
        let mut spare = true;
        while !stop.is_set() {
            (&*out).write_all(&self.frame())?;
            let wait = if spare {
                Duration::ZERO
            } else {
                self.deck
                    .wait()
                    .unwrap_or(Duration::from_millis(250))
                    .max(FRAME)
            };
            let ready = event::poll(wait)?;
            self.deck.turn(turned.elapsed());
            turned = Instant::now();
            if !ready {
                spare = self.deck.prepare(SPARE);
                continue;
            }
            match keys::input(event::read()?) {
                Some(UiInput::Key(key)) => {
                    if self.key(key) {
                        return Ok(());
                    }
                    // What a search takes is no time of the recording.
                    turned = Instant::now();
                }
                Some(UiInput::Paste(text)) => {
                    if let Some(typed) = &mut self.typed {
                        typed.push_str(&crate::domain::text::line(&text));
                    }
                }
                Some(UiInput::Resize { .. }) => self.encoder.reset(),
                Some(UiInput::FocusGained | UiInput::FocusLost | UiInput::Mouse(_)) | None => {}
            }
        }
        Ok(())
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

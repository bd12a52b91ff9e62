//! Predictive echo of one pane: brings keys, acknowledgements and screens together for `term::predict`, which decides alone.
//!
//! The host acknowledges keys with the answer to a keep-alive that is sent behind them: requests and channel data keep their
//! order, so whoever answers it has read them. At most one is on its way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::config::Predict;
use crate::term::predict::{Predictor, State, Typed, When};
use crate::term::{Emulator, Screen};

use super::link::Link;
use super::writer::PaneInput;

/// How many keys wait for the reader. When it is full the next is not told: its number is missing then, and nothing that is
/// on its way is guessed.
const KEYS: usize = 256;

/// What the writing half tells of keys.
pub(crate) struct Teller {
    keys: mpsc::Sender<(u64, Typed)>,
    /// The number of the last key that has gone to the connection: a level, the newest counts.
    sent: watch::Sender<u64>,
    seq: u64,
}

impl Teller {
    /// An input is about to be sent.
    pub(crate) fn typed(&mut self, input: &PaneInput) {
        let typed = match input {
            PaneInput::Key(key) => Typed::of(*key),
            PaneInput::Paste(_) | PaneInput::Raw(_) => Typed::Other,
            // Only sent to programs that ask for them, which are none that edit a line.
            PaneInput::Mouse(_) | PaneInput::Focus(_) => return,
        };
        self.seq += 1;
        // See KEYS for why a full queue does no harm.
        self.keys.try_send((self.seq, typed)).ok();
    }

    /// Everything that was told so far has gone to the connection.
    pub(crate) fn sent(&self) {
        self.sent.send_replace(self.seq);
    }
}

type Ping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What happened that concerns the guesses.
pub(crate) enum Word {
    /// A key goes out.
    Typed(u64, Typed),
    /// The host has read keys.
    Read,
    /// Keys went out that are to be acknowledged.
    Sent,
}

/// The reader's end: nothing until it has begun.
#[derive(Default)]
pub(crate) struct Echo(Option<Begun>);

struct Begun {
    predictor: Predictor,
    keys: mpsc::Receiver<(u64, Typed)>,
    sent: watch::Receiver<u64>,
    link: Arc<Link>,
    /// The question that is on its way, when it went, and the key it follows.
    ping: Option<(Ping, Instant, u64)>,
}

impl Echo {
    /// Begins to guess for a pane on this connection, unless the settings say not to; the writing half tells of keys.
    pub(crate) fn begin(&mut self, when: Predict, link: &Arc<Link>) -> Option<Teller> {
        let when = match when {
            Predict::Auto => When::Far,
            Predict::Always => When::Always,
            Predict::Never => return None,
        };
        let (keys, typed) = mpsc::channel(KEYS);
        let (sent, gone) = watch::channel(0);
        let mut predictor = Predictor::new(when);
        if let Some(round_trip) = link.round_trip() {
            predictor.measured(round_trip);
        }
        self.0 = Some(Begun {
            predictor,
            keys: typed,
            sent: gone,
            link: Arc::clone(link),
            ping: None,
        });
        Some(Teller { keys, sent, seq: 0 })
    }

    /// Waits until something happens; for ever where nothing is guessed. It may be cancelled.
    pub(crate) async fn word(&mut self) -> Word {
        let Some(echo) = &mut self.0 else {
            return std::future::pending().await;
        };
        let waits = echo.ping.is_some();
        tokio::select! {
            biased;
            Some((seq, typed)) = echo.keys.recv() => Word::Typed(seq, typed),
            () = answered(&mut echo.ping), if waits => Word::Read,
            Ok(()) = echo.sent.changed(), if !waits => Word::Sent,
            // The writing half is gone: the host's side says why.
            else => std::future::pending().await,
        }
    }

    /// Takes what happened; whether the screen may look different now.
    pub(crate) fn take(&mut self, word: Word, emulator: &mut Emulator) -> bool {
        let Some(echo) = &mut self.0 else {
            return false;
        };
        let now = Instant::now();
        match word {
            Word::Typed(seq, typed) => {
                let screen = emulator.screen();
                echo.predictor.typed(seq, typed, &screen, now);
                return true;
            }
            Word::Sent => echo.ask(),
            Word::Read => {
                if let Some((_, asked, seq)) = echo.ping.take() {
                    echo.predictor.measured(asked.elapsed());
                    echo.predictor.acked(seq, now);
                }
                if echo.sent.has_changed().unwrap_or(false) {
                    echo.ask();
                }
            }
        }
        false
    }

    /// Compares the guesses, if there are any, with what the host wrote; whether there were.
    pub(crate) fn judge(&mut self, emulator: &mut Emulator) -> bool {
        let waiting = self.0.as_mut().filter(|echo| echo.predictor.is_waiting());
        let Some(echo) = waiting else {
            return false;
        };
        echo.predictor.judge(&emulator.screen(), Instant::now());
        true
    }

    /// The pane has another size.
    pub(crate) fn forget(&mut self) {
        if let Some(echo) = &mut self.0 {
            echo.predictor.forget();
        }
    }

    /// When something is to be judged or shown though nothing comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.0.as_ref()?.predictor.due()?;
        // Never at once again: what could not be judged now cannot be judged in the next microsecond.
        Some(due.max(Instant::now() + Duration::from_millis(1)))
    }

    /// The screen as it is to be shown.
    pub(crate) fn over(&mut self, screen: Arc<Screen>) -> Arc<Screen> {
        match &mut self.0 {
            Some(echo) => echo.predictor.over(screen, Instant::now()),
            None => screen,
        }
    }

    /// What is being done.
    pub(crate) fn state(&self) -> State {
        self.0
            .as_ref()
            .map_or(State::Off, |echo| echo.predictor.state())
    }
}

impl Begun {
    fn ask(&mut self) {
        let seq = *self.sent.borrow_and_update();
        let link = Arc::clone(&self.link);
        let ping = Box::pin(async move { link.answer().await });
        self.ping = Some((ping, Instant::now(), seq));
    }
}

async fn answered(ping: &mut Option<(Ping, Instant, u64)>) {
    match ping {
        Some((ping, ..)) => ping.as_mut().await,
        None => std::future::pending().await,
    }
}

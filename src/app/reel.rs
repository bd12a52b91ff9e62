//! Plays a recording for the screen: a thread that reads it, turns it, and tells what is to be seen.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::command::Playing;
use crate::term::deck::{Deck, DeckAsk, DeckView};
use crate::term::film::{Film, Player};

use super::event::Event;

/// How many wishes wait for the player. When it is full the next is dropped: a person presses again.
const WISHES: usize = 64;

/// The shortest time between two pictures.
const FRAME: Duration = Duration::from_millis(33);

/// How much of a film is looked at in one go while there is nothing else to do, in bytes: a few milliseconds.
const SPARE: usize = 256 * 1024;

/// What the player of the screen is to do.
#[derive(Clone, Debug)]
pub enum ReelAsk {
    /// Play this instead of whatever it has.
    Open {
        /// The session's reference.
        reference: String,
        /// The recording.
        file: PathBuf,
        /// How.
        how: Playing,
    },
    /// A button.
    Act(DeckAsk),
    /// Stop: nobody looks any more.
    Close,
}

/// What the player shows.
#[derive(Debug)]
pub struct ReelFact {
    /// Of which session.
    pub reference: String,
    /// The picture, or why there is none.
    pub view: Result<DeckView, String>,
}

/// The player of the screen. Dropping it ends its thread.
pub(super) struct Reel {
    wishes: SyncSender<DeckAsk>,
}

impl Reel {
    /// Starts playing.
    pub(super) fn open(
        reference: String,
        file: PathBuf,
        how: Playing,
        facts: mpsc::Sender<Event>,
    ) -> Self {
        let (wishes, asked) = sync_channel(WISHES);
        drop(tokio::task::spawn_blocking(move || {
            let tell = |view: Result<DeckView, String>| {
                let reference = reference.clone();
                let fact = ReelFact { reference, view };
                facts.blocking_send(Event::Reel(Box::new(fact))).is_ok()
            };
            match deck(&file, how) {
                Ok(deck) => play(deck, &asked, tell),
                Err(why) => drop(tell(Err(why))),
            }
        }));
        Self { wishes }
    }

    /// Presses a button.
    pub(super) fn act(&self, ask: DeckAsk) {
        // A full queue is a person who leans on a key.
        self.wishes.try_send(ask).ok();
    }
}

/// A recording in a player, where and how it is to begin.
///
/// # Errors
/// It cannot be read, in words.
pub fn deck(file: &std::path::Path, how: Playing) -> Result<Deck, String> {
    let read = super::files::bytes(file)?;
    let film = Film::read(&String::from_utf8_lossy(&read)).map_err(|why| why.to_string())?;
    let mut from = how.from_ms;
    if let Some(number) = how.marker {
        let marker = number.checked_sub(1).and_then(|at| film.markers().get(at));
        from = match marker {
            Some((time, _)) => *time,
            None => {
                return Err(format!(
                    "there is no marker {number}; the recording has {}",
                    film.markers().len()
                ));
            }
        };
    }
    drop(read);
    let mut deck = Deck::new(Player::new(Arc::new(film)), how.speed, how.idle_ms);
    match how.before_last {
        Some(lines) => deck.stand_before(lines),
        None => deck.act(DeckAsk::To(from)),
    }
    Ok(deck)
}

fn play(
    mut deck: Deck,
    asked: &Receiver<DeckAsk>,
    tell: impl Fn(Result<DeckView, String>) -> bool,
) {
    let mut turned = Instant::now();
    let mut shown: Option<(Instant, DeckView)> = None;
    let mut spare = true;
    loop {
        // What is wanted now goes before what may be wanted later.
        let wish = if spare {
            match asked.try_recv() {
                Ok(wish) => Some(wish),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            match asked.recv_timeout(deck.wait().unwrap_or(Duration::from_secs(3_600))) {
                Ok(wish) => Some(wish),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        let now = Instant::now();
        deck.turn(now.duration_since(turned));
        turned = now;
        let pressed = wish.is_some();
        if let Some(wish) = wish {
            deck.act(wish);
            turned = Instant::now();
        }
        let due = shown.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRAME);
        if pressed || due {
            let view = deck.view();
            if shown.as_ref().is_none_or(|(_, last)| *last != view) {
                if !tell(Ok(view.clone())) {
                    return;
                }
                shown = Some((Instant::now(), view));
            }
        }
        spare = deck.prepare(SPARE);
    }
}

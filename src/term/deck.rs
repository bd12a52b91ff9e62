//! The buttons of a player: plays a film at a speed, pauses, jumps. It reads no clock; whoever turns it says how much time
//! has passed.

use std::sync::Arc;
use std::time::Duration;

use super::Screen;
use super::film::{Player, pattern};

/// The slowest and the fastest that is played.
const SPEEDS: (f64, f64) = (1.0 / 16.0, 1_024.0);

/// What a person wants of a player.
#[derive(Clone, Debug, PartialEq)]
pub enum DeckAsk {
    /// Play, or pause; at the end, from the start again.
    Toggle,
    /// So many outputs on, or back.
    Step(i64),
    /// So many milliseconds on, or back.
    Seek(i64),
    /// To this time.
    To(u64),
    /// To the next marker, or the one before.
    Marker(i64),
    /// Twice or half as fast.
    Speed(i64),
    /// To where this appears next.
    Find(String),
}

/// What a player shows.
#[derive(Clone, Debug, PartialEq)]
pub struct DeckView {
    /// The picture.
    pub screen: Arc<Screen>,
    /// Where it is, in milliseconds.
    pub at: u64,
    /// Where the end is.
    pub length: u64,
    /// Whether it plays.
    pub playing: bool,
    /// How many times faster than it happened.
    pub speed: f64,
    /// The last marker that was passed.
    pub marker: Option<String>,
    /// What there is to say about the last wish.
    pub said: Option<String>,
}

/// A film in a player.
#[derive(Debug)]
pub struct Deck {
    player: Player,
    playing: bool,
    speed: f64,
    idle: Option<u64>,
    said: Option<String>,
    /// How long the next event has been waited for, in milliseconds of the film.
    waited: f64,
}

impl Deck {
    /// Plays from the start. Pauses are cut to `idle` milliseconds.
    pub fn new(player: Player, speed: f64, idle: Option<u64>) -> Self {
        Self {
            player,
            playing: true,
            speed: speed.clamp(SPEEDS.0, SPEEDS.1),
            idle,
            said: None,
            waited: 0.0,
        }
    }

    /// Does what is wanted.
    pub fn act(&mut self, ask: DeckAsk) {
        self.said = None;
        self.waited = 0.0;
        match ask {
            DeckAsk::Toggle => {
                self.playing = !self.playing;
                if self.playing && self.player.next_at().is_none() {
                    self.player.seek(0);
                }
            }
            DeckAsk::Step(by) => {
                self.playing = false;
                self.player.step(by);
            }
            DeckAsk::Seek(by) => self.player.seek(self.player.at().saturating_add_signed(by)),
            DeckAsk::To(at) => self.player.seek(at),
            DeckAsk::Marker(by) => self.marker(by),
            DeckAsk::Speed(by) => {
                let factor = if by > 0 { 2.0 } else { 0.5 };
                self.speed = (self.speed * factor).clamp(SPEEDS.0, SPEEDS.1);
            }
            DeckAsk::Find(text) => match pattern(&text, false) {
                Err(why) => self.said = Some(why),
                Ok(wanted) => {
                    if self.player.find(&wanted) {
                        self.playing = false;
                    } else {
                        self.said = Some(format!("{text:?} does not appear after this"));
                    }
                }
            },
        }
    }

    /// Stands still where all was written that lies further back than the last `lines`.
    pub fn stand_before(&mut self, lines: u64) {
        self.player.before_last(lines);
        self.playing = false;
    }

    fn marker(&mut self, by: i64) {
        let at = self.player.at();
        let film = Arc::clone(self.player.film());
        let mut times = film.markers().iter().map(|(time, _)| *time);
        // One that was just passed is not the one before: there must be time to press the key twice.
        let found = if by > 0 {
            times.find(|time| *time > at)
        } else {
            let grace = if self.playing { 1_000 } else { 0 };
            times.rfind(|time| time.saturating_add(grace) < at)
        };
        match found {
            Some(time) => self.player.seek(time),
            None if film.markers().is_empty() => {
                self.said = Some("there are no markers".to_owned());
            }
            None => self.said = Some("there is no further marker".to_owned()),
        }
    }

    /// So much time has passed; true when there may be something new to see.
    pub fn turn(&mut self, passed: Duration) -> bool {
        if !self.playing {
            return false;
        }
        let mut left = passed.as_secs_f64() * 1_000.0 * self.speed;
        loop {
            let Some(next) = self.player.next_at() else {
                self.playing = false;
                self.player.seek(u64::MAX);
                return true;
            };
            let gap = self.gap(next) - self.waited;
            if left < gap {
                self.waited += left;
                // The clock is shown in whole seconds, and moves in pauses too.
                return true;
            }
            left -= gap.max(0.0);
            self.waited = 0.0;
            self.player.seek(next);
        }
    }

    /// How long the film waits for its next event.
    fn gap(&self, next: u64) -> f64 {
        let gap = next.saturating_sub(self.player.at());
        self.idle.map_or(gap, |idle| gap.min(idle)) as f64
    }

    /// When it is to be turned again; `None` while it stands still.
    pub fn wait(&self) -> Option<Duration> {
        if !self.playing {
            return None;
        }
        let gap = self
            .player
            .next_at()
            .map_or(0.0, |next| self.gap(next) - self.waited);
        Some(Duration::from_secs_f64(
            (gap / self.speed / 1_000.0).clamp(0.005, 0.5),
        ))
    }

    /// Uses time that nobody needs; see [`Player::prepare`].
    pub fn prepare(&mut self, bytes: usize) -> bool {
        self.player.prepare(bytes)
    }

    /// What is to be seen.
    pub fn view(&mut self) -> DeckView {
        let film = Arc::clone(self.player.film());
        let length = film.length();
        // In a pause of the film the clock goes on; where a pause is cut short it stands for the rest.
        let waited = (self.waited as u64).min(length);
        let ceiling = self.player.next_at().unwrap_or(length);
        let at = self.player.at().saturating_add(waited).min(ceiling);
        let marker = film.markers().iter().rfind(|(time, _)| *time <= at);
        DeckView {
            screen: self.player.screen(),
            at,
            length,
            playing: self.playing,
            speed: self.speed,
            marker: marker.map(|(_, label)| label.clone()),
            said: self.said.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::film::Film;

    fn deck(speed: f64, idle: Option<u64>) -> Deck {
        let film = Film::read(
            "{\"version\": 2, \"width\": 20, \"height\": 5}\n\
             [1, \"o\", \"one\"]\n[1.5, \"m\", \"first\"]\n[2, \"o\", \" two\"]\n[62, \"o\", \" three\"]\n[63, \"m\", \"last\"]\n",
        );
        let film = Arc::new(film.expect("a recording"));
        Deck::new(Player::new(film), speed, idle)
    }

    fn text(deck: &mut Deck) -> String {
        deck.view().screen.text()
    }

    #[test]
    fn it_plays_at_its_speed_and_cuts_pauses() {
        let mut slow = deck(1.0, None);
        assert_eq!(slow.wait(), Some(Duration::from_millis(500)), "at most");
        slow.turn(Duration::from_millis(999));
        assert_eq!(text(&mut slow), "");
        slow.turn(Duration::from_millis(2));
        assert_eq!(text(&mut slow), "one");
        slow.act(DeckAsk::Speed(1));
        slow.turn(Duration::from_millis(500));
        assert_eq!(text(&mut slow), "one two", "twice as fast");
        let mut cut = deck(1.0, Some(100));
        cut.turn(Duration::from_millis(350));
        assert_eq!(text(&mut cut), "one two three");
        cut.turn(Duration::from_millis(1));
        let view = cut.view();
        assert!(!view.playing, "the end");
        assert_eq!((view.at, view.length), (63_000, 63_000));
        cut.act(DeckAsk::Toggle);
        assert_eq!(text(&mut cut), "", "from the start again");
    }

    #[test]
    fn keys_jump_and_say_when_they_cannot() {
        let mut deck = deck(1.0, None);
        deck.act(DeckAsk::Toggle);
        assert!(!deck.turn(Duration::from_secs(100)), "it stands still");
        deck.act(DeckAsk::Marker(1));
        let view = deck.view();
        assert_eq!((view.at, view.marker.as_deref()), (1_500, Some("first")));
        deck.act(DeckAsk::Marker(1));
        deck.act(DeckAsk::Marker(1));
        assert!(
            deck.view()
                .said
                .is_some_and(|said| said.contains("no further"))
        );
        deck.act(DeckAsk::Marker(-1));
        assert_eq!(deck.view().at, 1_500);
        deck.act(DeckAsk::Seek(60_500));
        assert_eq!(text(&mut deck), "one two three");
        deck.act(DeckAsk::Seek(-5_000));
        assert_eq!(text(&mut deck), "one two");
        deck.act(DeckAsk::To(0));
        deck.act(DeckAsk::Find("thr".to_owned()));
        assert_eq!(deck.view().at, 62_000);
        deck.act(DeckAsk::Find("four".to_owned()));
        assert!(deck.view().said.is_some_and(|said| said.contains("four")));
    }
}

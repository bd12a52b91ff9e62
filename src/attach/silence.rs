//! Whether an app that says nothing is busy or dead, asked only when somebody wants to leave it. Pure: it is handed the time.

use std::time::{Duration, Instant};

use crate::domain::key::{Key, KeyCode};

/// How long an app may take to say anything after the chord that leaves a pane.
const BUSY: Duration = Duration::from_secs(1);

/// How long it may take for the whole frame that it is asked for then.
const DEAD: Duration = Duration::from_secs(2);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing.
    None,
    /// Ask for something that a living app always answers.
    Probe,
    /// Leave without it.
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Still,
    /// The prefix was pressed.
    Chord,
    /// The chord is whole, and nothing was said since.
    Asked(Instant),
    Probed(Instant),
}

/// Watches for the chord that leaves, and for an app that does not hear it.
#[derive(Debug)]
pub(super) struct Silence {
    /// The prefix of this person, and the one of people who never chose.
    prefixes: [Key; 2],
    state: State,
}

impl Silence {
    pub(super) fn new(prefixes: [Key; 2]) -> Self {
        Self {
            prefixes,
            state: State::Still,
        }
    }

    /// A key was pressed.
    pub(super) fn pressed(&mut self, key: Key, now: Instant) {
        self.state = match self.state {
            State::Chord if key == Key::plain(KeyCode::Char('d')) => State::Asked(now),
            // Whoever presses on does not start the time anew.
            State::Asked(_) | State::Probed(_) => self.state,
            _ if self.prefixes.contains(&key) => State::Chord,
            State::Still | State::Chord => State::Still,
        };
    }

    /// The app said something.
    pub(super) fn heard(&mut self) {
        if matches!(self.state, State::Asked(_) | State::Probed(_)) {
            self.state = State::Still;
        }
    }

    /// When [`Silence::tick`] is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Still | State::Chord => None,
            State::Asked(at) => Some(at + BUSY),
            State::Probed(at) => Some(at + DEAD),
        }
    }

    pub(super) fn tick(&mut self, now: Instant) -> Doubt {
        if self.due().is_none_or(|due| due > now) {
            return Doubt::None;
        }
        if matches!(self.state, State::Asked(_)) {
            self.state = State::Probed(now);
            Doubt::Probe
        } else {
            Doubt::Leave
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_app_that_never_answers_is_left() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let (prefix, d) = (Key::ctrl('b'), Key::plain(KeyCode::Char('d')));
        let x = Key::plain(KeyCode::Char('x'));
        let mut silence = Silence::new([prefix, Key::ctrl(']')]);
        for key in [d, prefix, x, d] {
            silence.pressed(key, begun);
        }
        assert_eq!((silence.due(), silence.tick(at(9))), (None, Doubt::None));
        // A busy one answers what it is asked.
        silence.pressed(prefix, begun);
        silence.pressed(d, begun);
        silence.pressed(x, at(1));
        assert_eq!(silence.tick(begun), Doubt::None);
        assert_eq!(silence.tick(at(1)), Doubt::Probe);
        silence.heard();
        assert_eq!((silence.due(), silence.tick(at(9))), (None, Doubt::None));
        silence.pressed(Key::ctrl(']'), begun);
        silence.pressed(d, begun);
        assert_eq!(silence.tick(at(1)), Doubt::Probe);
        assert_eq!(silence.tick(at(2)), Doubt::None);
        assert_eq!(silence.tick(at(3)), Doubt::Leave);
    }
}

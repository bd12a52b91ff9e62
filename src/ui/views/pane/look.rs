//! What a window remembers of looking around in a pane: what it asked for and has not seen yet, and half-typed commands.

use std::collections::BTreeMap;

use ratatui::layout::Position;

use crate::domain::ids::SessionId;
use crate::domain::look::Find;
use crate::domain::time::Time;
use crate::model::SessionView;

/// Whether the keys are copy mode's. The pane itself knows, but its word comes a moment after the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Copy mode was begun; what is typed now must not reach the program.
    Begun,
    /// Copy mode was left; what is typed now is for the program.
    Left,
}

/// What a window remembers.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    /// By session, for as long as the screen does not say the same: two panes may be looked at one after the other faster
    /// than the first of them answers.
    asked: BTreeMap<SessionId, Asked>,
    /// The number typed before a command.
    pub(crate) count: u32,
    /// The next character is looked for.
    pub(crate) find: Option<Find>,
    /// How many notices there were when a key of copy mode was pressed last: those need not be told again.
    pub(crate) told: u64,
    /// What the left button holds.
    pub(crate) hold: Option<Hold>,
    /// The last press, to tell double clicks.
    pub(crate) pressed: Option<(Time, Position, u8)>,
}

/// The left button is held in a pane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) session: SessionId,
    /// Where it went down, in cells of the pane.
    pub(crate) row: u16,
    pub(crate) col: u16,
    /// It went down with Alt.
    pub(crate) alt: bool,
    /// Something is being selected.
    pub(crate) begun: bool,
}

impl Looking {
    /// Copy mode was asked for in a session.
    pub(crate) fn begun(&mut self, session: SessionId) {
        self.asked.insert(session, Asked::Begun);
    }

    /// Copy mode was left in a session.
    pub(crate) fn left(&mut self, session: SessionId) {
        self.asked.insert(session, Asked::Left);
        (self.count, self.find) = (0, None);
    }

    /// It is as the screen of the session says.
    pub(crate) fn unsure(&mut self, session: SessionId) {
        self.asked.remove(&session);
    }

    /// Another pane is on the screen: what was begun there with keys or the mouse is no more. What the panes were asked for
    /// is still on its way.
    pub(crate) fn elsewhere(&mut self) {
        *self = Self {
            asked: std::mem::take(&mut self.asked),
            ..Self::default()
        };
    }

    /// Whether the keys are copy mode's in this session.
    pub(crate) fn is_on(&mut self, id: SessionId, session: Option<&SessionView>) -> bool {
        let shown = session.and_then(|session| session.screen.as_ref());
        let copying = shown.is_some_and(|shown| shown.copy.is_some());
        let asked = self.asked.get(&id).copied();
        // The screen has come to what was asked for, or there is none any more.
        if session.is_none() || asked.is_some_and(|asked| (asked == Asked::Begun) == copying) {
            self.asked.remove(&id);
            return copying;
        }
        asked.map_or(copying, |asked| asked == Asked::Begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;
    use crate::term::{Emulator, Look, Size};

    #[test]
    fn two_panes_that_are_asked_at_once_are_not_taken_for_each_other() {
        let ids = [1, 2].map(|byte| SessionId(EntityId::from_bytes([byte; 16])));
        let [one, other] = ids;
        let view = |id, copying| {
            let mut view = SessionView::opening(id, "web1", None);
            let mut emulator = Emulator::new(Size::new(20, 5));
            if copying {
                emulator.look(Look::Begin);
            }
            view.screen = Some(emulator.screen());
            view
        };
        let mut look = Looking::default();
        look.begun(one);
        assert!(look.is_on(one, Some(&view(one, false))));
        assert!(!look.is_on(other, Some(&view(other, false))));
        // The window went to the other pane and came back before the first one answered.
        look.elsewhere();
        assert!(
            look.is_on(one, Some(&view(one, false))),
            "its keys reach no program"
        );
        look.left(other);
        assert!(!look.is_on(other, Some(&view(other, true))));
        assert!(look.is_on(one, Some(&view(one, true))));
        // The screen has answered: from now on it alone decides.
        assert!(!look.is_on(one, Some(&view(one, false))));
    }
}

//! What a window remembers of looking around in a pane: what it asked for and has not seen yet, and half-typed commands.

use ratatui::layout::Position;

use crate::domain::ids::SessionId;
use crate::domain::look::Find;
use crate::domain::time::Time;
use crate::model::SessionView;

/// Whether the keys are copy mode's. The pane itself knows, but its word comes a moment after the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// Nothing: it is as the screen says.
    #[default]
    Nothing,
    /// Copy mode was begun; what is typed now must not reach the program.
    Begun,
    /// Copy mode was left; what is typed now is for the program.
    Left,
}

/// What a window remembers.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    asked: Asked,
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
    /// Copy mode was asked for.
    pub(crate) fn begun(&mut self) {
        self.asked = Asked::Begun;
    }

    /// Copy mode was left.
    pub(crate) fn left(&mut self) {
        self.asked = Asked::Left;
        (self.count, self.find) = (0, None);
    }

    /// It is as the screen says.
    pub(crate) fn unsure(&mut self) {
        self.asked = Asked::Nothing;
    }

    /// Whether the keys are copy mode's.
    pub(crate) fn is_on(&mut self, session: Option<&SessionView>) -> bool {
        let shown = session.and_then(|session| session.screen.as_ref());
        let copying = shown.is_some_and(|shown| shown.copy.is_some());
        match (self.asked, copying) {
            (Asked::Begun, true) | (Asked::Left, false) => self.asked = Asked::Nothing,
            (Asked::Begun, false) | (Asked::Left, true) | (Asked::Nothing, _) => {}
        }
        match self.asked {
            Asked::Nothing => copying,
            Asked::Begun => true,
            Asked::Left => false,
        }
    }
}

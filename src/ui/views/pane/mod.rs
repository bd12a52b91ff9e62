//! A live session: its tabs, its screen and a status line. Every key but the prefix chord belongs to the remote.

mod draw;
mod dress;
mod look;

use ratatui::layout::{Rect, Size};

pub(crate) use look::{Hold, Looking};

use crate::domain::ids::SessionId;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    /// The prefix was pressed; the next key is ours.
    pub(crate) prefix: bool,
    /// What this window knows of looking around.
    pub(crate) look: Looking,
    session: Option<SessionId>,
    tabs: Rect,
    screen: Rect,
    status: Rect,
}

impl Pane {
    pub(crate) fn opened(&mut self, id: SessionId) {
        if self.session != Some(id) {
            (self.prefix, self.look) = (false, Looking::default());
        }
        self.session = Some(id);
    }

    /// The whole window is the pane's, but for a row of tabs and a row of status.
    pub(crate) fn layout(&mut self, area: Rect) {
        let row = |y: u16, height: u16| Rect { y, height, ..area };
        let bars = u16::from(area.height >= 3);
        self.tabs = row(area.y, bars);
        self.screen = row(area.y + bars, area.height - 2 * bars);
        self.status = row(area.bottom() - bars, bars);
    }

    /// The status line.
    pub(crate) fn status(&self) -> Rect {
        self.status
    }

    /// Where each session that is on the screen is drawn.
    pub(crate) fn places(&self) -> Vec<(SessionId, Rect)> {
        self.session
            .map(|id| (id, self.screen))
            .into_iter()
            .collect()
    }

    /// The size that the remote terminal must have.
    pub(crate) fn size(&self) -> Size {
        self.places()
            .first()
            .map_or(self.screen.as_size(), |(_, area)| area.as_size())
    }

    /// How many rows a page of the scrollback has.
    pub(crate) fn page(&self) -> i32 {
        i32::from(self.screen.height).max(1)
    }
}

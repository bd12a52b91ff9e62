//! A tab of live sessions: the tabs, the screens and a status line. Every key but the prefix chord belongs to the remote.

mod draw;
mod dress;
mod frame;
mod look;
mod lost;
mod status;

use ratatui::layout::{Rect, Size};

pub(crate) use look::{Hold, Looking};

use super::Cx;
use crate::domain::ids::SessionId;
use crate::domain::key::Key;
use crate::domain::layout::{Area, Places, Seam, Tab, TabId};
use crate::domain::time::Time;
use crate::model::Model;

/// How many tabs are remembered that were shown before; older ones are forgotten.
const VISITED: usize = 32;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct Pane {
    /// The prefix was pressed; the next key is ours.
    pub(crate) prefix: bool,
    /// When a border was moved by a key: its like needs no prefix for a moment.
    pub(crate) moved: Option<Time>,
    /// The line that the mouse holds, and where it took it.
    pub(crate) held: Option<(Seam, u16)>,
    /// The mouse was pressed for us: what follows until it is released is ours too.
    pub(crate) pressed: bool,
    /// The last key that went to a session, and when.
    pub(crate) typed: Option<(SessionId, Key, Time)>,
    /// How many notices were seen: what was there when a key was pressed need not be shown any longer.
    pub(crate) seen: u64,
    /// What this window knows of looking around.
    pub(crate) look: Looking,
    session: Option<SessionId>,
    /// The tab that is shown, and those before it, the last one last; at most [`VISITED`].
    here: Option<TabId>,
    visited: Vec<TabId>,
    tabs: Rect,
    /// The boxes of the tabs, each with the pane that it leads to.
    boxes: Vec<(Rect, SessionId)>,
    /// Tabs that do not fit, at the left and at the right.
    beyond: (bool, bool),
    screen: Rect,
    status: Rect,
    /// The panes, in cells of the tab.
    panes: Vec<(SessionId, Area)>,
    seams: Vec<Seam>,
    /// There is no room for all panes.
    crowded: bool,
    /// The cells of the tab, which may be more or fewer than those of the window.
    room: Area,
    /// The first cell of the tab that is on the window.
    pan: (u16, u16),
}

/// What is under the mouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A pane's screen.
    Screen(SessionId),
    /// The head of a pane, or a line: the pane, if it is one's head, and the line that can be moved.
    Line(Option<SessionId>, Option<Seam>),
}

/// The cells that a window of this size has for a tab: all but a row of tabs and a row of status.
pub(crate) fn room(size: Size) -> Area {
    Area::of(size.width, size.height - 2 * bars(size.height))
}

fn bars(height: u16) -> u16 {
    u16::from(height >= 3)
}

impl Pane {
    pub(crate) fn opened(&mut self, id: SessionId) {
        if self.session != Some(id) {
            (self.moved, self.held) = (None, None);
            self.prefix = false;
            self.look.elsewhere();
        }
        self.session = Some(id);
    }

    /// Finds the place of everything for the tab that holds `id`.
    pub(crate) fn layout(&mut self, cx: Cx<'_>, id: SessionId, area: Rect) {
        let row = |y: u16, height: u16| Rect { y, height, ..area };
        let bars = bars(area.height);
        self.tabs = row(area.y, bars);
        self.screen = row(area.y + bars, area.height - 2 * bars);
        self.status = row(area.bottom() - bars, bars);
        let own = Area::of(self.screen.width, self.screen.height);
        let tab = cx.model.tab_of(id).map(|(_, tab)| tab);
        let known = tab.map(|tab| tab.room).filter(|room| room.cols > 0);
        self.room = known.unwrap_or(own);
        // The view is about this pane, wherever the tab believes its keys to be.
        let places = tab.map(|tab| {
            let mut tab = tab.clone();
            tab.focus_on(id);
            tab.places(self.room)
        });
        let Places {
            panes,
            seams,
            crowded,
        } = places.unwrap_or_else(|| Places {
            panes: vec![(id, self.room)],
            seams: Vec::new(),
            crowded: false,
        });
        (self.panes, self.seams, self.crowded) = (panes, seams, crowded);
        let tab = tab.map(|tab| tab.id);
        if tab.is_some() && tab != self.here {
            let left = std::mem::replace(&mut self.here, tab);
            self.visited.retain(|known| Some(*known) != left);
            self.visited.extend(left);
            if self.visited.len() > VISITED {
                self.visited.remove(0);
            }
        }
        self.pan_to(cx, id);
        self.lay_tabs(cx, id);
    }

    /// A window that is smaller than the tab shows the part where the cursor is.
    fn pan_to(&mut self, cx: Cx<'_>, id: SessionId) {
        let area = self.panes.iter().find(|(pane, _)| *pane == id);
        let area = area.map_or(self.room, |(_, area)| *area);
        let screen = cx
            .model
            .session(id)
            .and_then(|session| session.screen.as_ref());
        let cursor = screen.and_then(|screen| match &screen.copy {
            Some(copy) => Some(copy.cursor),
            None => screen.cursor,
        });
        let (row, col) = cursor.unwrap_or((0, 0));
        let pan = |old: u16, at: u16, shown: u16, all: u16| {
            let most = all.saturating_sub(shown);
            let seen = at >= old && at < old.saturating_add(shown);
            let new = if seen {
                old
            } else {
                at.saturating_sub(shown / 2)
            };
            new.min(most)
        };
        self.pan = (
            pan(self.pan.0, area.x + col, self.screen.width, self.room.cols),
            pan(self.pan.1, area.y + row, self.screen.height, self.room.rows),
        );
    }

    /// The status line.
    pub(crate) fn status(&self) -> Rect {
        self.status
    }

    /// Where each session that is on the screen is drawn.
    pub(crate) fn places(&self) -> Vec<(SessionId, Rect)> {
        let placed = |(id, area): &(SessionId, Area)| {
            let (x, cols) = shown(area.x, area.cols, self.pan.0, self.screen.width);
            let (y, rows) = shown(area.y, area.rows, self.pan.1, self.screen.height);
            let rect = Rect::new(self.screen.x + x, self.screen.y + y, cols, rows);
            (!rect.is_empty()).then_some((*id, rect))
        };
        self.panes.iter().filter_map(placed).collect()
    }

    /// How many columns and rows of a session's screen lie beyond the left and the upper edge of the window, because the view
    /// of a larger tab was moved.
    pub(crate) fn hidden(&self, session: SessionId) -> (u16, u16) {
        let mut panes = self.panes.iter();
        let area = panes.find(|(id, _)| *id == session);
        area.map_or((0, 0), |(_, area)| {
            (
                self.pan.0.saturating_sub(area.x),
                self.pan.1.saturating_sub(area.y),
            )
        })
    }

    /// The sizes that the remote terminals must have.
    pub(crate) fn sizes(&self) -> Vec<(SessionId, Size)> {
        let size = |(id, area): &(SessionId, Area)| (*id, Size::new(area.cols, area.rows));
        self.panes.iter().map(size).collect()
    }

    /// The tab that was shown before this one, of those that are still there.
    pub(crate) fn last_tab<'m>(&self, model: &'m Model) -> Option<&'m Tab> {
        let mut visited = self.visited.iter().rev();
        visited.find_map(|id| {
            let mut tabs = model.tabs.iter();
            tabs.find(|tab| tab.id == *id && Some(tab.id) != self.here)
        })
    }

    /// The boxes of the tabs, for the mouse.
    pub(crate) fn boxes(&self) -> &[(Rect, SessionId)] {
        &self.boxes
    }

    /// A cell of the window as a cell of the tab.
    pub(crate) fn cell(&self, col: u16, row: u16) -> (u16, u16) {
        (
            col.saturating_sub(self.screen.x) + self.pan.0,
            row.saturating_sub(self.screen.y) + self.pan.1,
        )
    }

    /// What is at a cell of the window; `None` outside of the tab.
    pub(crate) fn hit(&self, col: u16, row: u16) -> Option<Hit> {
        if !self.screen.contains((col, row).into()) {
            return None;
        }
        let (x, y) = self.cell(col, row);
        let pane = |y: u16| {
            let mut panes = self.panes.iter();
            panes
                .find(|(_, area)| area.contains(x, y))
                .map(|(id, _)| *id)
        };
        if let Some(id) = pane(y) {
            return Some(Hit::Screen(id));
        }
        let seam = self.seams.iter().find(|seam| seam.area.contains(x, y));
        // Below a head there is its pane; below a line that stands there is nothing but the line.
        let head = pane(y + 1).filter(|_| self.panes.len() > 1);
        (seam.is_some() || head.is_some()).then(|| Hit::Line(head, seam.cloned()))
    }

    /// How many rows a page of the scrollback has.
    pub(crate) fn page(&self) -> i32 {
        let own = self.panes.iter().find(|(id, _)| Some(*id) == self.session);
        i32::from(own.map_or(self.screen.height, |(_, area)| area.rows)).max(1)
    }
}

/// The part of `len` cells from `from` on that is seen through a window of `width` cells that begins at `pan`: where it
/// begins on the window, and how long it is.
fn shown(from: u16, len: u16, pan: u16, width: u16) -> (u16, u16) {
    let end = (from + len).saturating_sub(pan).min(width);
    let from = from.saturating_sub(pan).min(width);
    (from, end.saturating_sub(from))
}

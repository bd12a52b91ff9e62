//! The mouse and the keyboard's focus over panes: what belongs to the program in a pane, and what stays ours.

use ratatui::layout::{Position, Rect};

use super::view::View;
use super::{Intent, SessionInput, Ui};
use crate::domain::ids::SessionId;
use crate::model::{Model, SessionState};
use crate::term::encode::{MouseAction, MouseEvent};
use crate::term::{Modes, Mouse};

/// What is remembered between two events.
#[derive(Debug)]
pub(super) struct Touch {
    /// The window takes the mouse at all.
    pub(super) mouse: bool,
    /// The window has the keyboard, as far as its terminal tells.
    focused: bool,
    /// The pane that was told it has the keyboard.
    told: Option<SessionId>,
    /// The pane in which a button went down: the mouse is its own until the button comes up.
    held: Option<SessionId>,
}

impl Default for Touch {
    fn default() -> Self {
        Self {
            mouse: true,
            // A terminal that says nothing of its focus has it.
            focused: true,
            told: None,
            held: None,
        }
    }
}

impl Ui {
    /// Whether the window takes the mouse.
    pub fn set_mouse(&mut self, on: bool) {
        self.touch.mouse = on;
    }

    /// The window got or lost the keyboard; [`Ui::focus`] says who is to be told.
    pub fn focused(&mut self, on: bool) -> Vec<Intent> {
        self.touch.focused = on;
        Vec::new()
    }

    /// Tells programs that asked for it whether their pane has the keyboard now. To be called when anything may have
    /// changed; it says something only when something did.
    pub fn focus(&mut self, model: &Model) -> Vec<Intent> {
        let now = match self.view {
            View::Pane(id) if self.touch.focused => {
                modes(model, id).filter(|modes| modes.focus).map(|_| id)
            }
            _ => None,
        };
        let before = std::mem::replace(&mut self.touch.told, now);
        if before == now {
            return Vec::new();
        }
        let tell = |id: Option<SessionId>, gained| {
            id.map(|id| Intent::Session(id, SessionInput::Focus(gained)))
        };
        tell(before, false)
            .into_iter()
            .chain(tell(now, true))
            .collect()
    }

    /// While a button that went down in a pane is held, the mouse is that pane's, wherever it goes.
    pub(super) fn held_mouse(&mut self, model: &Model, mouse: MouseEvent) -> Option<Vec<Intent>> {
        let id = self.touch.held?;
        let release = match mouse.action {
            MouseAction::Release(_) => true,
            MouseAction::Move(Some(_)) => false,
            // Its release was lost, as happens when the mouse leaves the window.
            MouseAction::Press(_) | MouseAction::Move(None) => {
                self.touch.held = None;
                return None;
            }
            MouseAction::WheelUp | MouseAction::WheelDown => return None,
        };
        if release {
            self.touch.held = None;
        }
        let (_, area) = self.places().into_iter().find(|(place, _)| *place == id)?;
        modes(model, id).filter(|modes| modes.mouse != Mouse::None)?;
        Some(vec![told(id, area, mouse)])
    }

    /// The mouse over a pane whose program asked for it, without Shift; and the wheel over a full-screen program that did
    /// not, which gets arrows. Everything else stays ours.
    pub(super) fn pane_mouse(&mut self, model: &Model, mouse: MouseEvent) -> Option<Vec<Intent>> {
        let View::Pane(shown) = self.view else {
            return None;
        };
        if mouse.shift || !self.layers.is_empty() {
            return None;
        }
        let position = Position::new(mouse.col, mouse.row);
        let (id, area) = self
            .places()
            .into_iter()
            .find(|(_, area)| area.contains(position))?;
        let modes = modes(model, id)?;
        // What scrolled away is not where the program believes it is.
        let back = model.session(id)?.screen.as_ref()?.scrolled_back > 0;
        if back || self.looks(model, id) {
            return None;
        }
        let wheel = matches!(mouse.action, MouseAction::WheelUp | MouseAction::WheelDown);
        if modes.mouse == Mouse::None {
            let arrows = wheel && modes.alt_screen && modes.alternate_scroll;
            return arrows.then(|| vec![told(id, area, mouse)]);
        }
        match mouse.action {
            // The first click on another pane gives it the keyboard.
            MouseAction::Press(_) if id != shown => return None,
            MouseAction::Press(_) => self.touch.held = Some(id),
            // A button that went down elsewhere is none of its business.
            MouseAction::Release(_) | MouseAction::Move(Some(_)) => return None,
            MouseAction::Move(None) if modes.mouse != Mouse::Motion => return None,
            MouseAction::Move(None) | MouseAction::WheelUp | MouseAction::WheelDown => {}
        }
        Some(vec![told(id, area, mouse)])
    }
}

/// The modes of a live pane.
fn modes(model: &Model, id: SessionId) -> Option<Modes> {
    let session = model.session(id)?;
    let live = session.state == SessionState::Live;
    session
        .screen
        .as_ref()
        .filter(|_| live)
        .map(|screen| screen.modes)
}

/// The event in cells of the pane; beyond its edge is its edge.
fn told(id: SessionId, area: Rect, mouse: MouseEvent) -> Intent {
    let within =
        |at: u16, from: u16, size: u16| at.saturating_sub(from).min(size.saturating_sub(1));
    let event = MouseEvent {
        col: within(mouse.col, area.x, area.width),
        row: within(mouse.row, area.y, area.height),
        ..mouse
    };
    Intent::Session(id, SessionInput::Mouse(event))
}

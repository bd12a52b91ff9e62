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
        Some(vec![self.told(id, area, mouse)])
    }

    /// The event in cells of the pane; beyond its edge is its edge.
    fn told(&self, id: SessionId, area: Rect, mouse: MouseEvent) -> Intent {
        let within =
            |at: u16, from: u16, size: u16| at.saturating_sub(from).min(size.saturating_sub(1));
        let (left, above) = self.views.pane.hidden(id);
        let event = MouseEvent {
            col: within(mouse.col, area.x, area.width).saturating_add(left),
            row: within(mouse.row, area.y, area.height).saturating_add(above),
            ..mouse
        };
        Intent::Session(id, SessionInput::Mouse(event))
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
            return arrows.then(|| vec![self.told(id, area, mouse)]);
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
        Some(vec![self.told(id, area, mouse)])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{EntityId, SessionId};
    use crate::model::SessionView;
    use crate::term::encode::Button;
    use crate::term::{Emulator, Size};
    use crate::ui::{Caps, Keymap, Theme, UiInput};

    /// A window with a pane whose program wrote `text`.
    fn scene(text: &str) -> (Ui, Model) {
        let id = SessionId(EntityId::from_bytes([7; 16]));
        let mut emulator = Emulator::new(Size::new(80, 22));
        emulator.feed(text.as_bytes());
        let mut view = SessionView::opening(id, "web1", None);
        view.state = SessionState::Live;
        view.screen = Some(emulator.screen());
        let mut model = Model::default();
        model.sessions.push(view);
        let mut ui = Ui::new(Theme::default(), Keymap::default(), Caps::default());
        ui.open(&model, View::Pane(id));
        ui.layout(&model);
        (ui, model)
    }

    fn at(action: MouseAction, col: u16, row: u16, shift: bool) -> UiInput {
        UiInput::Mouse(MouseEvent {
            action,
            col,
            row,
            shift,
            alt: false,
            ctrl: false,
        })
    }

    /// Column and row of what reached the pane, if something did.
    fn reached(ui: &mut Ui, model: &Model, input: UiInput) -> Option<(u16, u16)> {
        ui.input(model, input)
            .into_iter()
            .find_map(|intent| match intent {
                Intent::Session(_, SessionInput::Mouse(event)) => Some((event.col, event.row)),
                _ => None,
            })
    }

    #[test]
    fn the_mouse_is_the_programs_that_asked_for_it() {
        let press = MouseAction::Press(Button::Left);
        let wheel = MouseAction::WheelUp;
        let bare = MouseAction::Move(None);
        for (text, input, expected) in [
            ("", at(press, 5, 3, false), None),
            ("\x1b[?1000h", at(press, 5, 3, false), Some((5, 2))),
            ("\x1b[?1000h", at(press, 5, 3, true), None),
            // The rows of tabs and of status are ours.
            ("\x1b[?1000h", at(press, 5, 0, false), None),
            ("\x1b[?1000h", at(press, 5, 23, false), None),
            ("\x1b[?1000h", at(wheel, 5, 3, false), Some((5, 2))),
            ("\x1b[?1002h", at(bare, 5, 3, false), None),
            ("\x1b[?1003h", at(bare, 5, 3, false), Some((5, 2))),
            ("", at(wheel, 5, 3, false), None),
            ("\x1b[?1049h", at(wheel, 5, 3, false), Some((5, 2))),
            ("\x1b[?1049h\x1b[?1007l", at(wheel, 5, 3, false), None),
        ] {
            let (mut ui, model) = scene(text);
            let found = reached(&mut ui, &model, input.clone());
            assert_eq!(found, expected, "{text:?} {input:?}");
        }
    }

    #[test]
    fn a_drag_stays_with_the_pane_it_began_in() {
        let (mut ui, model) = scene("\x1b[?1002h");
        let button = Button::Left;
        let drag = MouseAction::Move(Some(button));
        // One that began elsewhere is none of its business.
        assert_eq!(reached(&mut ui, &model, at(drag, 5, 3, false)), None);
        let press = at(MouseAction::Press(button), 5, 3, false);
        assert_eq!(reached(&mut ui, &model, press), Some((5, 2)));
        assert_eq!(
            reached(&mut ui, &model, at(drag, 9, 0, false)),
            Some((9, 0))
        );
        assert_eq!(
            reached(&mut ui, &model, at(drag, 9, 23, false)),
            Some((9, 21))
        );
        let release = at(MouseAction::Release(button), 9, 23, false);
        assert_eq!(reached(&mut ui, &model, release.clone()), Some((9, 21)));
        assert_eq!(reached(&mut ui, &model, release), None);
    }
}

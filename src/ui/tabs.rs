//! Tabs and panes under the hands: going from one to the other, and the mouse on heads, lines and screens.

use super::layers::confirm::Confirm;
use super::layers::{Act, Layer};
use super::view::View;
use super::views::pane::{self, Hit};
use super::{Intent, Ui};
use crate::command::{Command, LayoutCommand, PaneVerb, Row};
use crate::domain::ids::SessionId;
use crate::domain::key::Key;
use crate::domain::layout::{Area, Axis, Tab};
use crate::model::Model;
use crate::term::encode::{Button, MouseAction, MouseEvent};

/// How long the key of a border works again without the prefix, in milliseconds; at least half of it, because the time is
/// known by ticks.
const QUICK: u64 = 500;

impl Ui {
    /// The cells that this window has for a tab; `None` when it shows none.
    pub fn room(&self) -> Option<Area> {
        matches!(self.view, View::Pane(_)).then(|| pane::room(self.size))
    }

    /// The session that was shown is gone, and its tab too: the tab that was shown before it comes back, else its neighbour.
    /// When no tab is left this leads where one came from.
    pub fn leave_lost(&mut self, model: &Model, neighbour: Option<SessionId>) {
        let last = self.views.pane.last_tab(model).map(|tab| tab.focus);
        match last.or(neighbour) {
            Some(next) => self.open(model, View::Pane(next)),
            None => self.leave_pane(model),
        }
    }

    fn tab<'m>(&self, model: &'m Model) -> Option<(usize, &'m Tab)> {
        match self.view {
            View::Pane(id) => model.tab_of(id),
            _ => None,
        }
    }

    /// Goes to another pane or tab.
    pub(super) fn go_to(&mut self, model: &Model, verb: PaneVerb) {
        let there = match verb {
            PaneVerb::Tab(number) => self.numbered(model, number),
            PaneVerb::LastTab => {
                let last = self.views.pane.last_tab(model);
                last.map(|tab| tab.focus)
                    .ok_or_else(|| "There is no tab before this one.".to_owned())
            }
            PaneVerb::Toward(_) | PaneVerb::Cycle | PaneVerb::Last => self.neighbour(model, verb),
        };
        match there {
            Ok(id) => self.open(model, View::Pane(id)),
            Err(why) => self.refused = Some(why),
        }
    }

    fn neighbour(&self, model: &Model, verb: PaneVerb) -> Result<SessionId, String> {
        let (_, tab) = self.tab(model).ok_or("There is no pane here.")?;
        // The keys may be on their way: the view knows best where they are.
        let mut tab = tab.clone();
        if let View::Pane(id) = self.view {
            tab.focus_on(id);
        }
        let there = match verb {
            PaneVerb::Toward(direction) => tab.toward(direction),
            PaneVerb::Last => tab.last,
            _ => Some(tab.beyond(1)).filter(|id| *id != tab.focus),
        };
        there.ok_or_else(|| "There is no other pane.".to_owned())
    }

    fn numbered(&self, model: &Model, number: u16) -> Result<SessionId, String> {
        let tab = model.tabs.get(usize::from(number));
        tab.map(|tab| tab.focus)
            .ok_or_else(|| format!("There is no tab {number}."))
    }

    /// Goes to the tab so many places on, around the ends.
    pub(super) fn cycle(&mut self, model: &Model, by: isize) {
        let count = model.tabs.len();
        let Some((here, _)) = self.tab(model) else {
            return;
        };
        let next = (here + count).saturating_add_signed(by) % count.max(1);
        if let Some(tab) = model.tabs.get(next) {
            self.open(model, View::Pane(tab.focus));
        }
    }

    /// The key after the prefix moved a border: for a moment its like need no prefix.
    pub(super) fn repeats(&mut self, model: &Model, row: Option<&Row>) {
        let again = row.is_some_and(crate::command::repeats);
        self.views.pane.moved = again.then_some(model.now);
    }

    /// What a key means that may repeat the one before.
    pub(super) fn repeated(&self, model: &Model, key: Key) -> Option<&'static Row> {
        let moved = self.views.pane.moved?;
        if model.now.since(moved) > QUICK {
            return None;
        }
        match self.keymap.lookup(&[crate::command::Scope::Prefix], &[key]) {
            super::Lookup::Row(row) if crate::command::repeats(row) => Some(row),
            _ => None,
        }
    }

    /// What the mouse does to panes: a click on another one gives it the keys and goes no further, a line follows the hand.
    /// `None` when it is for the session, or for others.
    pub(super) fn tab_mouse(&mut self, model: &Model, mouse: &MouseEvent) -> Option<Vec<Intent>> {
        let View::Pane(id) = self.view else {
            return None;
        };
        if self
            .layers
            .last()
            .is_some_and(|layer| !matches!(layer, Layer::Help(_)))
        {
            return None;
        }
        match mouse.action {
            MouseAction::Press(Button::Left) => {
                let hit = self.views.pane.hit(mouse.col, mouse.row)?;
                self.press(model, id, hit, mouse)
            }
            MouseAction::Move(_) if self.views.pane.pressed => Some(self.pull(mouse)),
            MouseAction::Release(_) if self.views.pane.pressed => {
                (self.views.pane.pressed, self.views.pane.held) = (false, None);
                Some(Vec::new())
            }
            MouseAction::Press(_)
            | MouseAction::Move(_)
            | MouseAction::Release(_)
            | MouseAction::WheelUp
            | MouseAction::WheelDown => None,
        }
    }

    /// Shows one pane of a tab alone, or all of them again. While keys go to several at once, hiding some is asked first.
    pub(super) fn zoom(&mut self, model: &Model) -> Vec<Intent> {
        let command = Command::Layout(LayoutCommand::Zoom);
        let asked = match self.view {
            View::Pane(id) => model
                .tab_of(id)
                .filter(|(_, tab)| tab.is_split() && !tab.zoomed)
                .and_then(|_| model.zoom_question(id)),
            _ => None,
        };
        let Some(body) = asked else {
            return vec![Intent::Command(command)];
        };
        let title = "zoom while a broadcast goes on?".to_owned();
        let act = Act::Sure(Box::new(command));
        let confirm = Confirm::new(title, body, "Zoom", act);
        self.layers.push(Layer::Confirm(confirm));
        Vec::new()
    }

    fn press(
        &mut self,
        model: &Model,
        id: SessionId,
        hit: Hit,
        mouse: &MouseEvent,
    ) -> Option<Vec<Intent>> {
        let (pane, seam) = match hit {
            Hit::Screen(pane) if pane == id => return None,
            Hit::Screen(pane) => (Some(pane), None),
            Hit::Line(pane, seam) => (pane, seam),
        };
        if let Some(pane) = pane {
            self.open(model, View::Pane(pane));
        }
        let (x, y) = self.views.pane.cell(mouse.col, mouse.row);
        self.views.pane.held = seam.map(|seam| {
            let at = match seam.axis {
                Axis::Beside => x,
                Axis::Below => y,
            };
            (seam, at)
        });
        self.views.pane.pressed = true;
        Some(Vec::new())
    }

    /// The line that is held goes where the mouse is.
    fn pull(&mut self, mouse: &MouseEvent) -> Vec<Intent> {
        let (x, y) = self.views.pane.cell(mouse.col, mouse.row);
        let Some((seam, at)) = &mut self.views.pane.held else {
            return Vec::new();
        };
        let to = match seam.axis {
            Axis::Beside => x,
            Axis::Below => y,
        };
        let by = i32::from(to) - i32::from(*at);
        if by == 0 {
            return Vec::new();
        }
        *at = to;
        vec![Intent::Command(Command::Layout(LayoutCommand::Drag {
            path: seam.path.clone(),
            before: seam.before,
            by,
        }))]
    }
}

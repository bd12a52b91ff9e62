//! Copy mode at a window: keys with numbers before them, searches, and the mouse, turned into what is asked of the pane.

use ratatui::layout::{Position, Rect};

use super::layers::Layer;
use super::layers::prompt::Prompt;
use super::view::View;
use super::views::pane::Hold;
use super::{Intent, SessionInput, Ui};
use crate::command::{Command, LookVerb, Playing, SessionCommand};
use crate::domain::ids::SessionId;
use crate::domain::key::{Key, KeyCode};
use crate::domain::look::{CopyKeys, Deed, Motion, Shape};
use crate::model::{Model, SessionState};
use crate::term::encode::{Button, MouseAction, MouseEvent};
use crate::term::{Look, Mouse, ShellState};

/// Two presses within this time are a double click, in milliseconds.
const DOUBLE: u64 = 400;

/// The largest number before a command.
const COUNT: u32 = 99_999;

impl Ui {
    /// Whether the keys are copy mode's.
    pub(super) fn looks(&mut self, model: &Model, id: SessionId) -> bool {
        self.views.pane.look.is_on(id, model.session(id))
    }

    /// The keys of an ended pane led nowhere in copy mode: unless it is there, they are the pane's again.
    fn unbegun(&mut self, model: &Model) {
        let View::Pane(id) = self.view else { return };
        let ended = model
            .session(id)
            .is_some_and(|session| matches!(session.state, SessionState::Closed(_)));
        if ended {
            self.views.pane.look.unsure(id);
        }
    }

    /// Asks something of the pane that is shown.
    pub(super) fn look(&self, look: Look) -> Vec<Intent> {
        match self.view {
            View::Pane(id) => vec![Intent::Session(id, SessionInput::Look(look))],
            _ => Vec::new(),
        }
    }

    /// A pattern is typed, or was.
    pub(super) fn looked_for(&self, pattern: String, backward: bool, done: bool) -> Vec<Intent> {
        self.look(Look::Search {
            pattern,
            backward,
            done,
        })
    }

    /// A key in copy mode. None of them reaches the program.
    pub(super) fn look_key(&mut self, model: &Model, key: Key) -> Vec<Intent> {
        let pane = &mut self.views.pane.look;
        pane.told = model.notices.count();
        if let Some(find) = pane.find.take() {
            let count = std::mem::take(&mut pane.count);
            return match key.code {
                KeyCode::Char(c) if !key.ctrl && !key.alt => {
                    self.look(Look::Go(Motion::Find(find, c), count))
                }
                _ => Vec::new(),
            };
        }
        let digit = match key.code {
            KeyCode::Char(c) if !key.ctrl && self.chord.is_empty() => c.to_digit(10),
            _ => None,
        };
        let counts = key.alt == (self.keymap.copy_keys() == CopyKeys::Emacs);
        if let Some(digit) = digit.filter(|digit| counts && (*digit > 0 || pane.count > 0)) {
            pane.count = (pane.count * 10 + digit).min(COUNT);
            return Vec::new();
        }
        let scope = self.keymap.copy_scope();
        let intents = self.mapped(model, &[scope], key);
        if self.chord.is_empty() && self.views.pane.look.find.is_none() {
            self.views.pane.look.count = 0;
        }
        if intents.is_empty() && self.chord.is_empty() && self.layers.is_empty() {
            self.unbegun(model);
        }
        intents
    }

    /// A key that looks back in a pane whose program has ended, where no prefix is needed. Only if it means something in copy
    /// mode, or begins to, are the next keys copy mode's too.
    pub(super) fn look_back(&mut self, model: &Model, id: SessionId, key: Key) -> Vec<Intent> {
        let layers = self.layers.len();
        let intents = self.look_key(model, key);
        if !intents.is_empty() || self.layers.len() > layers || !self.chord.is_empty() {
            self.views.pane.look.begun(id);
        }
        intents
    }

    // tidy: table
    /// Does a verb of copy mode.
    pub(super) fn look_verb(&mut self, model: &Model, verb: &LookVerb) -> Vec<Intent> {
        let View::Pane(id) = self.view else {
            if let LookVerb::Save { path } = verb {
                return vec![Intent::SaveCopied(path.clone())];
            }
            self.refused = Some("This is for a session's pane.".to_owned());
            return Vec::new();
        };
        let count = std::mem::take(&mut self.views.pane.look.count);
        self.views.pane.look.told = model.notices.count();
        match verb {
            LookVerb::Begin => {
                self.views.pane.look.begun(id);
                self.look(Look::Begin)
            }
            LookVerb::BeginUp => {
                self.views.pane.look.begun(id);
                self.look(Look::Go(Motion::PageUp, 1))
            }
            LookVerb::Go(motion @ (Motion::PromptBack | Motion::PromptNext)) => {
                if self.is_unmarked(model, id) {
                    return Vec::new();
                }
                self.views.pane.look.begun(id);
                self.look(Look::Go(*motion, count))
            }
            LookVerb::Go(motion) => self.look(Look::Go(*motion, count)),
            LookVerb::Find(find) => {
                (self.views.pane.look.find, self.views.pane.look.count) = (Some(*find), count);
                Vec::new()
            }
            LookVerb::Do(Deed::YankOutput) if self.is_unmarked(model, id) => Vec::new(),
            LookVerb::Do(deed) => {
                match deed {
                    Deed::Leave | Deed::YankAndLeave => self.views.pane.look.left(id),
                    // Whether it leaves, only the pane knows.
                    Deed::Escape => self.views.pane.look.unsure(id),
                    _ => {}
                }
                self.look(Look::Do(*deed))
            }
            LookVerb::Search { backward } => {
                let prompt = Prompt::search(*backward);
                self.layers.push(Layer::Prompt(Box::new(prompt)));
                Vec::new()
            }
            LookVerb::Older => self.older(model, id),
            LookVerb::Paste => match &model.copied {
                Some(text) if self.is_live(model, id) => {
                    let text = text.to_string();
                    self.guard_paste(model, id, text)
                }
                Some(_) => {
                    self.refused = Some("This session takes no input.".to_owned());
                    Vec::new()
                }
                None => {
                    self.refused = Some("Nothing was copied yet.".to_owned());
                    Vec::new()
                }
            },
            LookVerb::Save { path } => vec![Intent::SaveCopied(path.clone())],
        }
    }

    fn is_live(&self, model: &Model, id: SessionId) -> bool {
        let session = model.session(id);
        session.is_some_and(|session| session.state == SessionState::Live)
    }

    /// Whether the shell sends no marks, which is then said.
    fn is_unmarked(&mut self, model: &Model, id: SessionId) -> bool {
        let screen = model
            .session(id)
            .and_then(|session| session.screen.as_ref());
        let unmarked = screen.is_none_or(|screen| screen.shell == ShellState::Unknown);
        if unmarked {
            let why = "No command was seen here yet; this shell marks none (OSC 133, see the user guide on sessions).";
            self.refused = Some(why.to_owned());
        }
        unmarked
    }

    /// The recording holds what the pane does not keep: it is opened where that ends.
    fn older(&mut self, model: &Model, id: SessionId) -> Vec<Intent> {
        let session = model.session(id);
        let Some(session) =
            session.filter(|session| session.recording && !session.reference.is_empty())
        else {
            self.refused = Some("This session is not recorded.".to_owned());
            return Vec::new();
        };
        let reference = session.reference.clone();
        let view = session
            .screen
            .as_ref()
            .and_then(|screen| screen.copy.as_ref());
        let kept = view.filter(|view| view.gone > 0).map(|view| view.lines);
        self.open(model, View::Recording(reference.clone()));
        let Some(kept) = kept else { return Vec::new() };
        let how = Playing {
            before_last: Some(kept),
            ..Playing::default()
        };
        let replay = SessionCommand::Replay { reference, how };
        vec![Intent::Command(Command::Session(replay))]
    }

    /// What the mouse does in a pane whose program does not want it: dragging selects, two clicks take a word, three a line.
    /// `None` when it is for somebody else.
    pub(super) fn look_mouse(&mut self, model: &Model, mouse: MouseEvent) -> Option<Vec<Intent>> {
        if !self.layers.is_empty() || !matches!(self.view, View::Pane(_)) {
            return None;
        }
        let at = Position::new(mouse.col, mouse.row);
        match mouse.action {
            MouseAction::Press(Button::Left) => self.pressed(model, mouse, at),
            MouseAction::Move(Some(Button::Left)) => {
                let mut hold = self.views.pane.look.hold?;
                let (_, area) = self.place(hold.session)?;
                let mut intents = Vec::new();
                if !std::mem::replace(&mut hold.begun, true) {
                    let shape = if hold.alt { Shape::Block } else { Shape::Chars };
                    let (row, col) = (hold.row, hold.col);
                    intents.push(ask(hold.session, Look::Press { row, col, shape }));
                }
                self.views.pane.look.hold = Some(hold);
                let (left, above) = self.views.pane.hidden(hold.session);
                let row = i32::from(at.y) - i32::from(area.y) + i32::from(above);
                let col = at.x.clamp(area.x, area.right().saturating_sub(1)) - area.x + left;
                intents.push(ask(hold.session, Look::Drag { row, col }));
                Some(intents)
            }
            MouseAction::Release(Button::Left) => {
                let hold = self.views.pane.look.hold.take()?;
                if hold.begun {
                    return Some(vec![ask(hold.session, Look::Release)]);
                }
                let (row, col) = (hold.row, hold.col);
                let on = self.looks(model, hold.session);
                on.then(|| vec![ask(hold.session, Look::Click { row, col })])
            }
            MouseAction::Press(_)
            | MouseAction::Move(_)
            | MouseAction::Release(_)
            | MouseAction::WheelUp
            | MouseAction::WheelDown => None,
        }
    }

    fn place(&self, session: SessionId) -> Option<(SessionId, Rect)> {
        let places = self.views.pane.places();
        places.into_iter().find(|(id, _)| *id == session)
    }

    fn pressed(&mut self, model: &Model, mouse: MouseEvent, at: Position) -> Option<Vec<Intent>> {
        let places = self.views.pane.places();
        let (session, area) = places.into_iter().find(|(_, area)| area.contains(at))?;
        let screen = model.session(session)?.screen.as_ref()?;
        // Shift takes the mouse from a program that wants it.
        if screen.modes.mouse != Mouse::None && screen.copy.is_none() && !mouse.shift {
            return None;
        }
        let (left, above) = self.views.pane.hidden(session);
        let look = &mut self.views.pane.look;
        let clicks = match look.pressed {
            Some((time, place, clicks)) if place == at && model.now.since(time) <= DOUBLE => {
                clicks % 3 + 1
            }
            _ => 1,
        };
        look.pressed = Some((model.now, at, clicks));
        let (row, col) = (at.y - area.y + above, at.x - area.x + left);
        look.hold = Some(Hold {
            session,
            row,
            col,
            alt: mouse.alt,
            begun: clicks > 1,
        });
        let shape = match clicks {
            2 => Shape::Words,
            3 => Shape::Lines,
            // A plain click may be for somebody else; what follows decides.
            _ => return None,
        };
        Some(vec![ask(session, Look::Press { row, col, shape })])
    }
}

fn ask(session: SessionId, look: Look) -> Intent {
    Intent::Session(session, SessionInput::Look(look))
}

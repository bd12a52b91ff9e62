//! Inputs find their way: a question first, then the topmost layer, then the pane, then the keymap.

use ratatui::layout::{Position, Size};

use super::keymap::Lookup;
use super::layers::{After, Layer, Reaction};
use super::view::View;
use super::{Intent, SessionInput, Ui, UiInput};
use crate::command::{Command, LayoutCommand, Scope};
use crate::domain::ids::SessionId;
use crate::domain::key::{Key, KeyCode};
use crate::domain::look::Deed;
use crate::model::{Model, SessionState};
use crate::term::Look;
use crate::term::encode::{Button, MouseAction, MouseEvent};
use crate::ui::layers::question::Answering;

/// Rows that one notch of the wheel goes.
const NOTCH: i32 = 3;

/// Keys this close together, in milliseconds, are typed in one go.
const TYPING: u64 = 700;

/// How long an error is surely shown, in milliseconds, before a key takes it away.
const ERROR: u64 = 1_500;

impl Ui {
    /// Takes one input and says what the user wants because of it.
    pub fn input(&mut self, model: &Model, input: UiInput) -> Vec<Intent> {
        if let Some(plain) = &mut self.plain {
            plain.touched = true;
        }
        self.sync(model);
        let mut intents = self.settle(model);
        intents.extend(match input {
            UiInput::Key(key) => self.key(model, key),
            UiInput::Paste(text) => self.paste(model, text),
            UiInput::Resize { cols, rows } => {
                self.size = Size::new(cols, rows);
                Vec::new()
            }
            UiInput::Mouse(mouse) => self.mouse(model, mouse),
            UiInput::FocusGained => self.focused(true),
            UiInput::FocusLost => self.focused(false),
        });
        // What was just done may have opened another view: its rows are adopted before the next key.
        self.sync(model);
        intents
    }

    fn key(&mut self, model: &Model, key: Key) -> Vec<Intent> {
        self.refused = None;
        if model
            .notices
            .last()
            .is_some_and(|notice| model.now.since(notice.at) > ERROR)
        {
            self.seen = model.notices.count();
        }
        if let Some(question) = self.question(model) {
            let reply = self
                .answering
                .as_mut()
                .and_then(|answering| answering.key(question, key, model.now));
            return reply
                .map(|reply| Intent::Answer(question.id, reply))
                .into_iter()
                .collect();
        }
        if let Some(layer) = self.layers.last_mut() {
            let reaction = layer.key(key, model);
            return self.react(model, reaction);
        }
        if self.is_astray(model, key) {
            return self.dropped();
        }
        if let View::Pane(id) = self.view {
            return self.pane_key(model, id, key);
        }
        if self.type_ahead(model, key) {
            return Vec::new();
        }
        self.mapped(model, self.view.scopes(), key)
    }

    /// Looks a key up and does what it means. A chord that leads nowhere is forgotten, with its last key.
    pub(super) fn mapped(&mut self, model: &Model, scopes: &[Scope], key: Key) -> Vec<Intent> {
        self.chord.push(key);
        match self.keymap.lookup(scopes, &self.chord) {
            Lookup::Row(row) => {
                self.chord.clear();
                self.invoke(model, row)
            }
            Lookup::More => Vec::new(),
            Lookup::Nothing => {
                self.chord.clear();
                if !key.alt {
                    return Vec::new();
                }
                // Escape and a key that came at once look like one key with Alt; nothing of ours is on this one.
                let mut intents = self.key(model, Key::plain(KeyCode::Esc));
                intents.extend(self.key(model, Key { alt: false, ..key }));
                intents
            }
        }
    }

    fn react(&mut self, model: &Model, reaction: Reaction) -> Vec<Intent> {
        match reaction {
            Reaction::Stay => Vec::new(),
            Reaction::Close => {
                self.layers.pop();
                Vec::new()
            }
            Reaction::Filter(query) => {
                self.views.set_query(&self.view, &query);
                Vec::new()
            }
            Reaction::Search(pattern, backward) => self.looked_for(pattern, backward, false),
            Reaction::Then(after) => {
                self.layers.pop();
                match after {
                    After::Line(text) => self.line(model, &text),
                    After::Do(act) => self.act(model, act),
                    After::Search(Some((pattern, backward))) => {
                        self.looked_for(pattern, backward, true)
                    }
                    After::Search(None) => self.look(Look::Do(Deed::CancelSearch)),
                    After::Resume(pending) => self.go_on(model, *pending),
                }
            }
        }
    }

    /// Everything belongs to the remote but the prefix chord and the key after it.
    fn pane_key(&mut self, model: &Model, id: SessionId, key: Key) -> Vec<Intent> {
        let prefix = self.keymap.prefix();
        if self.views.pane.prefix {
            return self.after_prefix(model, id, key);
        }
        if let Some(row) = self.repeated(model, key) {
            self.repeats(model, Some(row));
            return self.invoke(model, row);
        }
        self.views.pane.moved = None;
        if key == prefix {
            // A question that waited because somebody typed here is taken up now.
            match model.questions.front() {
                Some(question) => self.answering = Some(Answering::new(question, model.now)),
                None => self.views.pane.prefix = true,
            }
            return Vec::new();
        }
        if self.looks(model, id) {
            return self.look_key(model, key);
        }
        match model.session(id).map(|session| &session.state) {
            Some(SessionState::Live) => {
                self.views.pane.typed = Some((id, key, model.now));
                vec![Intent::Session(id, SessionInput::Key(key))]
            }
            // Esc leads away without giving up.
            Some(SessionState::Opening(_)) => {
                if !self.type_ahead(model, key) {
                    self.leave_pane(model);
                }
                Vec::new()
            }
            // What is typed is meant for the shell that comes; what is there can be looked at meanwhile.
            Some(SessionState::Closed(_))
                if key.code != KeyCode::PageUp && self.is_opening(model, id) =>
            {
                if !self.type_ahead(model, key) {
                    self.leave_pane(model);
                }
                Vec::new()
            }
            Some(SessionState::Closed(_)) => self.ended_key(model, id, key),
            None => {
                if matches!(key.code, KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q')) {
                    self.leave_pane(model);
                }
                Vec::new()
            }
        }
    }

    /// A key in a pane whose session has ended.
    fn ended_key(&mut self, model: &Model, id: SessionId, key: Key) -> Vec<Intent> {
        let looks = matches!(key.code, KeyCode::Char('/' | 'k' | 'g'));
        if !looks && matches!(key.code, KeyCode::Char(_) | KeyCode::Enter) {
            self.astray = Some(model.now);
        }
        if self.types_on(model, id) {
            self.astray = Some(model.now);
            return self.dropped();
        }
        match key.code {
            // Where the window goes then is known when the pane is gone.
            KeyCode::Enter => vec![Intent::Dismiss(id)],
            KeyCode::Esc | KeyCode::Char('q') => {
                self.leave_pane(model);
                Vec::new()
            }
            KeyCode::Char('r') => self.reopen(model, id),
            KeyCode::Char('R') => vec![Intent::Command(Command::Layout(LayoutCommand::ReopenAll))],
            // Nothing is typed any more, so the keys that look back need no prefix.
            KeyCode::PageUp | KeyCode::Up | KeyCode::Home | KeyCode::Char('k' | 'g' | '/') => {
                self.look_back(model, id, key)
            }
            _ => Vec::new(),
        }
    }

    /// Whether somebody was in the middle of typing when the session ended, and types on: those keys were meant for what is
    /// gone, and must do nothing here.
    fn types_on(&mut self, model: &Model, id: SessionId) -> bool {
        let Some((session, last, at)) = self.views.pane.typed.take() else {
            return false;
        };
        // Whoever ended it by Enter or Ctrl-d waits for what comes of it.
        let done = last.code == KeyCode::Enter || last == Key::ctrl('d');
        session == id && !done && model.now.since(at) < TYPING
    }

    /// Keys that follow one another fast are typed in one go. Once they began in a pane whose session is gone, all of them were
    /// meant for that session: none may act, nor reach another one.
    fn is_astray(&mut self, model: &Model, key: Key) -> bool {
        let Some(last) = self.astray else {
            return false;
        };
        if key == self.keymap.prefix() || model.now.since(last) >= TYPING {
            self.astray = None;
            return false;
        }
        self.astray = Some(model.now);
        true
    }

    fn dropped(&mut self) -> Vec<Intent> {
        self.refused = Some("The session has ended; what you typed was dropped.".to_owned());
        Vec::new()
    }

    fn after_prefix(&mut self, model: &Model, id: SessionId, key: Key) -> Vec<Intent> {
        if key == self.keymap.prefix() && self.chord.is_empty() {
            self.views.pane.prefix = false;
            return vec![Intent::Session(id, SessionInput::Key(key))];
        }
        let row = match self.keymap.lookup(&[Scope::Prefix], &[key]) {
            Lookup::Row(row) if self.chord.is_empty() => Some(row),
            _ => None,
        };
        let intents = self.mapped(model, &[Scope::Prefix], key);
        self.repeats(model, row);
        // The keys stay on the screen while a longer chord is on its way.
        self.views.pane.prefix = !self.chord.is_empty();
        intents
    }

    fn paste(&mut self, model: &Model, text: String) -> Vec<Intent> {
        if let Some(question) = self.question(model) {
            if let Some(answering) = &mut self.answering {
                answering.paste(question, &text);
            }
            return Vec::new();
        }
        if let Some(layer) = self.layers.last_mut() {
            let reaction = layer.paste(&text, model);
            return self.react(model, reaction);
        }
        match self.view {
            View::Pane(id)
                if model
                    .session(id)
                    .is_some_and(|session| session.state == SessionState::Live) =>
            {
                self.guard_paste(model, id, text)
            }
            // Pasted text is never taken for keys: in a list it would start commands.
            _ => Vec::new(),
        }
    }

    fn mouse(&mut self, model: &Model, mouse: MouseEvent) -> Vec<Intent> {
        if let Some(intents) = self.held_mouse(model, mouse) {
            return intents;
        }
        if self.question(model).is_some() || self.layers.last().is_some_and(Layer::is_typed_into) {
            return Vec::new();
        }
        if let Some(intents) = self.tab_mouse(model, &mouse) {
            return intents;
        }
        if let Some(intents) = self.pane_mouse(model, mouse) {
            return intents;
        }
        if let Some(intents) = self.look_mouse(model, mouse) {
            return intents;
        }
        let by = match mouse.action {
            MouseAction::WheelUp => -NOTCH,
            MouseAction::WheelDown => NOTCH,
            MouseAction::Press(Button::Left) => {
                return self.click(model, Position::new(mouse.col, mouse.row));
            }
            MouseAction::Press(_) | MouseAction::Release(_) | MouseAction::Move(_) => {
                return Vec::new();
            }
        };
        if let Some(layer) = self.layers.last_mut() {
            let key = Key::plain(if by < 0 { KeyCode::Up } else { KeyCode::Down });
            let reaction = layer.key(key, model);
            return self.react(model, reaction);
        }
        // The wheel turns what is under it, whoever has the keyboard.
        let at = Position::new(mouse.col, mouse.row);
        let pane = self
            .places()
            .into_iter()
            .find(|(_, area)| area.contains(at));
        if let Some((id, _)) = pane {
            let look = Look::Scroll(-by);
            return vec![Intent::Session(id, SessionInput::Look(look))];
        }
        self.step(by)
    }

    fn click(&mut self, model: &Model, position: Position) -> Vec<Intent> {
        if !self.layers.is_empty() {
            return Vec::new();
        }
        let tab = self
            .areas
            .boxes
            .iter()
            .find(|(area, _)| area.contains(position));
        if let Some((_, view)) = tab {
            let view = view.clone();
            self.open(model, view);
            return Vec::new();
        }
        let before = self.views.target(&self.view, model);
        if self.views.click(&self.view, position) {
            // A click on what is selected already opens it.
            let after = self.views.target(&self.view, model);
            if let Some(view) = after.filter(|after| before.as_ref() == Some(after)) {
                self.open(model, view);
            }
        }
        Vec::new()
    }
}

//! Seeing and touching: a stack of layers over one view, laid out before it is drawn.
//!
//! The screen reads the model and keeps only what belongs to the eye: which view, which row (by id), which letters are in
//! a prompt. It never waits, never fails, and changes nothing but itself: what the user wants leaves as an [`Intent`].

mod act;
mod ahead;
mod beyond;
mod chrome;
mod doc;
mod files;
mod guard;
mod input;
mod intent;
mod keymap;
pub mod keys;
mod layers;
mod list;
mod looking;
mod marks;
mod paint;
mod plain;
mod reel;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_anew;
#[cfg(test)]
mod stories_frames;
#[cfg(test)]
mod stories_guard;
#[cfg(test)]
mod stories_links;
#[cfg(test)]
mod stories_messages;
#[cfg(test)]
mod stories_panes;
#[cfg(test)]
mod stories_tabs;
mod tabs;
mod text;
pub mod theme;
mod touch;
mod view;
mod views;
mod widgets;
mod wizard;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use crate::command::Subject;
use crate::domain::ids::SessionId;
use crate::domain::key::Key;
use crate::model::{Model, Question, SessionState};

use chrome::Areas;
use layers::Layer;
use layers::question::Answering;
use paint::{Look, Painter};
use views::{Cx, Views};

pub use beyond::{Beyond, LINKED, Link, MouseUse, underline};
pub use intent::{GuardOrder, Intent, Reply, SessionInput, UiInput, Want};
pub use keymap::{Keymap, KeymapError, Lookup};
pub use theme::{Colors, Role, Theme, ThemeError};
pub use view::View;
pub use views::alarms::alarm_ticket;
pub use views::recording::reel_frame;

/// What the window's terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// How many colours.
    pub colors: Colors,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            colors: Colors::TrueColor,
            unicode: true,
        }
    }
}

/// A drawn screen: cells, and where the cursor is.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The cells.
    pub buffer: Buffer,
    /// Where the cursor is; `None` when it is hidden.
    pub cursor: Option<Position>,
    /// What a terminal does besides showing cells.
    pub beyond: Beyond,
}

/// The screen.
#[derive(Debug)]
pub struct Ui {
    look: Look,
    keymap: Keymap,
    view: View,
    /// Where Esc leads, the last place last; at most [`act::TRAIL`].
    trail: Vec<View>,
    views: Views,
    layers: Vec<Layer>,
    /// What was typed into the question that is asked.
    answering: Option<Answering>,
    /// The keys of an unfinished chord.
    chord: Vec<Key>,
    /// Lines of the prompt, oldest first; at most [`act::HISTORY`].
    history: Vec<String>,
    /// Why the last key did nothing; until the next key.
    refused: Option<String>,
    /// Keys that were typed for a session that is not there yet.
    ahead: Option<ahead::Ahead>,
    /// When the last key came of those that are typed into what is gone.
    astray: Option<crate::domain::time::Time>,
    /// How many notices were seen.
    seen: u64,
    size: Size,
    areas: Areas,
    /// The mouse and the keyboard's focus, as far as panes are concerned.
    touch: touch::Touch,
    /// It speaks in words instead of drawing.
    plain: Option<Box<plain::Plain>>,
}

impl Ui {
    /// A screen of 80 columns and 24 rows that shows the first view; a resize comes as input.
    pub fn new(theme: Theme, keymap: Keymap, caps: Caps) -> Self {
        Self {
            look: Look {
                theme,
                caps,
                spoken: false,
            },
            keymap,
            view: View::Home,
            trail: Vec::new(),
            views: Views::default(),
            layers: Vec::new(),
            answering: None,
            chord: Vec::new(),
            history: Vec::new(),
            refused: None,
            ahead: None,
            astray: None,
            seen: 0,
            size: Size::new(80, 24),
            areas: Areas::default(),
            touch: touch::Touch::default(),
            plain: None,
        }
    }

    /// The view that is shown.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The size of the window in cells.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Shows a longer text over everything, such as the answer of a command.
    pub fn show(&mut self, title: &str, text: &str) {
        self.layers
            .push(Layer::Text(layers::text_box::TextBox::new(title, text)));
    }

    /// Switches to another theme.
    pub fn set_theme(&mut self, theme: Theme) {
        self.look.theme = theme;
    }

    /// Adapts to another terminal.
    pub fn set_caps(&mut self, caps: Caps) {
        self.look.caps = caps;
    }

    /// Computes everything that drawing needs: sizes of panes, offsets of lists, boxes that can be hit. To be called
    /// after inputs and changes of the model, before [`Ui::draw`], [`Ui::wants`] and [`Ui::pane_sizes`].
    pub fn layout(&mut self, model: &Model) {
        self.sync(model);
        let whole = Rect::from((Position::ORIGIN, self.size));
        self.areas = Areas::new(whole, matches!(self.view, View::Pane(_)));
        let cx = Cx {
            model,
            keymap: &self.keymap,
            look: &self.look,
        };
        self.views.pane.seen = self.seen;
        self.views.layout(&self.view, cx, self.areas.body);
        if matches!(self.view, View::Pane(_)) {
            let boxes = self.views.pane.boxes().iter();
            self.areas.boxes = boxes.map(|(area, id)| (*area, View::Pane(*id))).collect();
            self.areas.said = self.views.pane.status();
        }
        for layer in &mut self.layers {
            layer.layout(cx, whole);
        }
    }

    /// Draws what [`Ui::layout`] computed; says where the cursor is, if it is to be seen. It cannot fail: what does not
    /// fit is left out.
    pub fn draw(&self, model: &Model, buffer: &mut Buffer) -> Option<Position> {
        let cx = Cx {
            model,
            keymap: &self.keymap,
            look: &self.look,
        };
        let mut painter = Painter::new(buffer, &self.look);
        painter.clear(self.areas.whole);
        let mut cursor = self.views.draw(&self.view, cx, &mut painter);
        if !matches!(self.view, View::Pane(_)) {
            self.draw_bars(model, &mut painter);
        }
        if let (View::Pane(_), Some(words)) = (&self.view, &self.refused) {
            // A pane has no bar for it.
            let last = self.areas.whole.height.saturating_sub(1);
            let area = paint::below(self.areas.whole, last);
            painter.tint(area, Role::Warn);
            painter.clear(area);
            painter.put(area, 0, &format!(" {words}"), Role::Warn);
        }
        for layer in &self.layers {
            cursor = layer.draw(cx, &mut painter, self.areas.whole);
        }
        if let (Some(question), Some(answering)) = (self.question(model), &self.answering) {
            cursor = answering.draw(question, model, &mut painter, self.areas.whole);
        }
        cursor
    }

    /// Draws into a buffer of the window's size.
    pub fn frame(&self, model: &Model) -> Frame {
        let mut buffer = Buffer::empty(Rect::from((Position::ORIGIN, self.size)));
        let cursor = self.draw(model, &mut buffer);
        let beyond = self.beyond(model, &buffer);
        Frame {
            buffer,
            cursor,
            beyond,
        }
    }

    /// What data the visible view needs.
    pub fn wants(&self, model: &Model) -> Vec<Want> {
        let mut wants = self.view_wants(model);
        for layer in &self.layers {
            if let Layer::Chooser(chooser) = layer
                && chooser.subject() == Subject::Book
            {
                wants.push(Want::Books);
            }
        }
        wants
    }

    fn view_wants(&self, model: &Model) -> Vec<Want> {
        let tickets = Want::Tickets {
            query: self.views.tickets.query.clone(),
        };
        match &self.view {
            View::Home => vec![tickets, Want::Runs, Want::Books],
            View::Tickets => vec![tickets],
            View::Case(reference) => {
                let hosts = model
                    .ticket(reference)
                    .map_or(&[][..], |ticket| &ticket.hosts);
                let hosts = hosts.iter().filter_map(|name| model.host_named(name));
                vec![
                    Want::Case(reference.clone()),
                    Want::Health(hosts.map(|host| host.id).collect()),
                ]
            }
            View::Hosts => vec![Want::Health(self.views.hosts.on_screen())],
            View::Host(name) => {
                let id = model.host_named(name).map(|host| host.id);
                vec![
                    Want::Host(name.clone()),
                    Want::Health(id.into_iter().collect()),
                ]
            }
            View::Sessions => vec![Want::Recorded],
            View::Pane(_) => {
                let panes = self.views.pane.places().into_iter();
                let screens = panes.map(|(id, _)| Want::Screen(id));
                screens.chain([Want::Connections]).collect()
            }
            View::Connections | View::Connection { .. } | View::Forwards => {
                vec![Want::Connections]
            }
            View::Files => self.views.files.wants(),
            View::Alarms | View::Found | View::Sync | View::Messages => Vec::new(),
            View::Recording(reference) => vec![Want::Recording(reference.clone())],
            View::Runs => vec![Want::Runs],
            View::Run(reference) => vec![Want::Run(reference.clone())],
            View::Books | View::Book(_) => vec![Want::Books],
        }
    }

    /// The sessions whose panes are shown, and the size that each one's terminal has.
    pub fn pane_sizes(&self) -> Vec<(SessionId, Size)> {
        match self.view {
            View::Pane(_) => self.views.pane.sizes(),
            _ => Vec::new(),
        }
    }

    /// The question that is asked now. One that has nothing to do with what is being typed waits: keys must not land in
    /// it by accident.
    fn question<'m>(&self, model: &'m Model) -> Option<&'m Question> {
        let question = model.questions.front()?;
        let taken_up = self
            .answering
            .as_ref()
            .is_some_and(|answering| answering.id == question.id);
        if taken_up {
            return Some(question);
        }
        if self.layers.last().is_some_and(Layer::is_typed_into) {
            return None;
        }
        if let View::Pane(id) = self.view {
            let live = model
                .session(id)
                .is_some_and(|session| session.state == SessionState::Live);
            if live && question.session != Some(id) {
                return None;
            }
        }
        Some(question)
    }

    /// Adopts the model as it is now.
    fn sync(&mut self, model: &Model) {
        self.views.sync(&self.view, model);
        let asked = self.question(model);
        let known = self.answering.as_ref().map(|answering| answering.id);
        if asked.map(|question| question.id) != known {
            self.answering = asked.map(|question| Answering::new(question, model.now));
        }
    }
}

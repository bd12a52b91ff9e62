//! Layers: what lies over the view and takes the keys first. A stack of a closed enum; the topmost is asked first, and a
//! key that a layer does not want is swallowed by it, so that nothing below acts on keys that were meant for above.

pub(crate) mod broadcast;
pub(crate) mod chooser;
pub(crate) mod confirm;
pub(crate) mod form;
pub(crate) mod help;
pub(crate) mod paste;
pub(crate) mod prompt;
pub(crate) mod question;
mod sheet;
pub(crate) mod text_box;

use ratatui::layout::{Position, Rect};

use super::GuardOrder;
use super::paint::Painter;
use super::views::Cx;
use super::wizard::Pending;
use crate::command::Command;
use crate::domain::key::Key;
use crate::model::Model;

/// One layer.
#[derive(Debug)]
pub(crate) enum Layer {
    /// What every key does here.
    Help(help::Help),
    /// A line at the bottom: a command or a filter.
    Prompt(Box<prompt::Prompt>),
    /// A yes that must be given.
    Confirm(confirm::Confirm),
    /// Fields to fill in.
    Form(Box<form::Form>),
    /// One or some of many.
    Chooser(Box<chooser::Chooser>),
    /// A text before it is pasted.
    Paste(Box<paste::PasteSheet>),
    /// Who would get what is typed.
    Broadcast(Box<broadcast::BroadcastSheet>),
    /// A text to read.
    Text(text_box::TextBox),
}

/// What a layer makes of a key.
#[derive(Debug)]
pub(crate) enum Reaction {
    /// It stays.
    Stay,
    /// It goes.
    Close,
    /// It goes, and this happens.
    Then(After),
    /// It stays, and the filter of the view below is this now.
    Filter(String),
    /// It stays, and the pane below looks for this pattern, towards the beginning if so.
    Search(String, bool),
}

/// What happens after a layer has gone.
#[derive(Debug)]
pub(crate) enum After {
    /// A line of the prompt was given.
    Line(String),
    /// It was confirmed.
    Do(Act),
    /// A pattern was given, with whether it goes towards the beginning; or none is wanted after all.
    Search(Option<(String, bool)>),
    /// A command goes on with what it was given.
    Resume(Box<Pending>),
}

/// What a confirmation is about.
#[derive(Debug)]
pub(crate) enum Act {
    /// A command.
    Command(Box<Command>),
    /// A command whose last question was answered.
    Sure(Box<Command>),
    /// A paste into a session.
    Paste(paste::Way, String),
    /// Who gets what is typed.
    Guard(GuardOrder),
}

impl Layer {
    pub(crate) fn key(&mut self, key: Key, model: &Model) -> Reaction {
        match self {
            Self::Help(help) => help.key(key),
            Self::Prompt(prompt) => prompt.key(key, model),
            Self::Confirm(confirm) => confirm.key(key),
            Self::Form(form) => form.key(key),
            Self::Chooser(chooser) => chooser.key(key, model),
            Self::Paste(sheet) => sheet.key(key),
            Self::Broadcast(sheet) => sheet.key(key),
            Self::Text(text) => text.key(key),
        }
    }

    pub(crate) fn paste(&mut self, words: &str, model: &Model) -> Reaction {
        match self {
            Self::Prompt(prompt) => prompt.paste(words),
            Self::Form(form) => form.paste(words),
            Self::Chooser(chooser) => chooser.paste(words, model),
            Self::Help(help) => {
                help.paste(words);
                Reaction::Stay
            }
            Self::Confirm(_) | Self::Paste(_) | Self::Broadcast(_) | Self::Text(_) => {
                Reaction::Stay
            }
        }
    }

    /// Whether letters are typed into it; a question waits until that is done.
    pub(crate) fn is_typed_into(&self) -> bool {
        match self {
            Self::Prompt(_) | Self::Form(_) | Self::Chooser(_) => true,
            Self::Confirm(confirm) => confirm.is_typed(),
            // A question must not take the keys that are meant for these.
            Self::Paste(_) | Self::Broadcast(_) => true,
            Self::Help(help) => help.is_typed(),
            Self::Text(_) => false,
        }
    }

    /// Computes what drawing needs; `area` is the whole window.
    pub(crate) fn layout(&mut self, cx: Cx<'_>, area: Rect) {
        match self {
            Self::Help(help) => help.layout(cx, area),
            Self::Text(text) => text.layout(area),
            Self::Chooser(chooser) => chooser.layout(cx.model, area),
            Self::Form(form) => form.layout(area),
            Self::Prompt(_) | Self::Confirm(_) | Self::Paste(_) | Self::Broadcast(_) => {}
        }
    }

    /// Draws it; gives the place of its cursor.
    pub(crate) fn draw(
        &self,
        cx: Cx<'_>,
        painter: &mut Painter<'_>,
        area: Rect,
    ) -> Option<Position> {
        match self {
            Self::Help(help) => return help.draw(painter),
            Self::Text(text) => text.draw(painter),
            Self::Confirm(confirm) => return confirm.draw(painter, area),
            Self::Paste(sheet) => sheet.draw(painter, area),
            Self::Broadcast(sheet) => return sheet.draw(painter, area),
            Self::Prompt(prompt) => return prompt.draw(cx.model, painter, area),
            Self::Form(form) => return form.draw(painter),
            Self::Chooser(chooser) => return chooser.draw(cx, painter),
        }
        None
    }
}

//! Seeing and touching: a stack of layers over one view, laid out before it is drawn.
//!
//! The screen reads the model and keeps only what belongs to the eye: which view, which row (by id), which letters are in
//! a prompt. It never waits, never fails, and changes nothing but itself: what the user wants leaves as an [`Intent`].

mod frame;
mod intent;
mod keymap;
pub mod keys;
mod theme;
mod view;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Size};

use crate::command::{Row, ScreenCommand};
use crate::domain::ids::SessionId;
use crate::model::Model;

pub use frame::{Frame, extent};
pub use intent::{Intent, Mouse, MouseKind, Reply, SessionInput, UiInput, Want};
pub use keymap::{Keymap, KeymapError, Lookup};
pub use theme::{Colors, Role, Theme, ThemeError};
pub use view::View;

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

/// The screen.
#[derive(Debug)]
pub struct Ui {
    theme: Theme,
    keymap: Keymap,
    caps: Caps,
    view: View,
}

impl Ui {
    /// A screen that shows the first view.
    pub fn new(theme: Theme, keymap: Keymap, caps: Caps) -> Self {
        Self {
            theme,
            keymap,
            caps,
            view: View::Home,
        }
    }

    /// Takes one input and says what the user wants because of it.
    pub fn input(&mut self, _model: &Model, _input: UiInput) -> Vec<Intent> {
        Vec::new()
    }

    /// Does what a command of the screen says, wherever it came from.
    pub fn perform(&mut self, _model: &Model, _command: &ScreenCommand) -> Vec<Intent> {
        Vec::new()
    }

    /// Starts a command as if its key had been pressed: what is missing is taken from the selection, then asked for.
    pub fn invoke(&mut self, _model: &Model, _row: &'static Row) -> Vec<Intent> {
        Vec::new()
    }

    /// Goes to a view; Esc leads back.
    pub fn open(&mut self, _model: &Model, view: View) {
        self.view = view;
    }

    /// The view that is shown.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Shows a longer text over everything, such as the answer of a command.
    pub fn show(&mut self, _title: &str, _text: &str) {}

    /// Switches to another theme.
    pub fn set_theme(&mut self, theme: Theme) {
        self.theme = theme;
    }

    /// Adapts to another window.
    pub fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Computes everything that drawing needs: sizes of panes, offsets of lists, boxes that can be hit.
    pub fn layout(&mut self, _model: &Model, _size: Size) {}

    /// Draws what [`Ui::layout`] computed; says where the cursor is, if it is to be seen.
    pub fn draw(&self, _model: &Model, _buffer: &mut Buffer) -> Option<Position> {
        None
    }

    /// What data the visible view needs.
    pub fn wants(&self, _model: &Model) -> Vec<Want> {
        Vec::new()
    }

    /// The session whose pane is shown and the size its terminal must have.
    pub fn pane_size(&self) -> Option<(SessionId, Size)> {
        None
    }
}

//! What a window's terminal does besides showing cells: its title, the cursor's shape, the mouse, links.
//!
//! Of a cell's looks the buffer's crate knows one underline and no link. Bits that its modifiers leave free carry the rest
//! to the encoder, so that whatever is drawn over a pane takes them away like everything else.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::Ui;
use super::view::View;
use crate::domain::ids::SessionId;
use crate::model::{Model, SessionState};
use crate::term::{Mouse, Screen, Underline};

/// The cell leads to an address.
pub const LINKED: Modifier = Modifier::from_bits_retain(0x1000);

/// The modifiers of an underline.
pub const fn underline(kind: Underline) -> Modifier {
    let free = match kind {
        Underline::Single => 0,
        Underline::Double => 0x200,
        Underline::Curly => 0x400,
        Underline::Dotted => 0x600,
        Underline::Dashed => 0x800,
    };
    Modifier::from_bits_retain(Modifier::UNDERLINED.bits() | free)
}

/// How much a window needs of its terminal's mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MouseUse {
    /// Nothing: it is the terminal's own.
    #[default]
    Off,
    /// Buttons, the wheel, and motion while a button is held.
    Buttons,
    /// Also motion without a button.
    Motion,
}

/// Neighbouring cells that lead to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The first cell.
    pub at: Position,
    /// How many cells.
    pub width: u16,
    /// The address; it holds nothing but printable ASCII.
    pub address: Arc<str>,
}

/// What a window's terminal does besides showing cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// The window's title: one line, without controls.
    pub title: String,
    /// The cursor's style by the number that sets it (DECSCUSR); 0 is the reader's own.
    pub cursor_style: u8,
    /// The mouse.
    pub mouse: MouseUse,
    /// The links that can be seen, from top to bottom.
    pub links: Vec<Link>,
}

impl Ui {
    /// What the terminal does besides showing `buffer`, which was just drawn.
    pub(super) fn beyond(&self, model: &Model, buffer: &Buffer) -> Beyond {
        let mut beyond = Beyond {
            title: "qd".to_owned(),
            ..Beyond::default()
        };
        let places = self.places();
        if let View::Pane(id) = self.view
            && let Some(session) = model.session(id)
        {
            beyond.title = format!("qd: {} {}", session.host, session.reference);
            beyond.title = crate::domain::text::line(beyond.title.trim_end());
            let screen = session.screen.as_ref();
            let typed_into = self.layers.is_empty() && self.question(model).is_none();
            if session.state == SessionState::Live && typed_into {
                beyond.cursor_style = screen.map_or(0, |screen| screen.cursor_style);
            }
        }
        let motion = places.iter().any(|(id, _)| {
            model.session(*id).is_some_and(|session| {
                let modes = session.screen.as_ref().map(|screen| screen.modes.mouse);
                session.state == SessionState::Live && modes == Some(Mouse::Motion)
            })
        });
        beyond.mouse = match (self.touch.mouse, motion) {
            (false, _) => MouseUse::Off,
            (true, false) => MouseUse::Buttons,
            (true, true) => MouseUse::Motion,
        };
        for (id, area) in places {
            let screen = model
                .session(id)
                .and_then(|session| session.screen.as_ref());
            if let Some(screen) = screen.filter(|screen| !screen.links.is_empty()) {
                let hidden = self.views.pane.hidden(id);
                links(screen, (area, hidden), buffer, &mut beyond.links);
            }
        }
        beyond
    }

    /// Where each session that is on the screen is drawn.
    pub(super) fn places(&self) -> Vec<(SessionId, Rect)> {
        match self.view {
            View::Pane(_) => self.views.pane.places(),
            _ => Vec::new(),
        }
    }
}

/// Gathers the links of `screen`, which was drawn into an area without its first columns and rows, where they can still be
/// seen.
fn links(
    screen: &Screen,
    (area, (left, above)): (Rect, (u16, u16)),
    buffer: &Buffer,
    links: &mut Vec<Link>,
) {
    let rows = screen.rows.iter().skip(usize::from(above));
    for (y, row) in (area.y..area.bottom()).zip(rows) {
        let mut last: Option<(u16, u16)> = None;
        let cells = row.cells.iter().skip(usize::from(left));
        for (x, cell) in (area.x..area.right()).zip(cells) {
            let seen = cell.style.link != 0
                && buffer
                    .cell((x, y))
                    .is_some_and(|drawn| drawn.modifier.contains(LINKED));
            let Some(address) = screen.link(&cell.style).filter(|_| seen) else {
                continue;
            };
            match (links.last_mut(), last) {
                (Some(link), Some((before, number)))
                    if number == cell.style.link && before + 1 == x =>
                {
                    link.width += 1;
                }
                _ => links.push(Link {
                    at: Position::new(x, y),
                    width: 1,
                    address: Arc::clone(address),
                }),
            }
            last = Some((x, cell.style.link));
        }
    }
}

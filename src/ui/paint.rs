//! The brush: writes harmless, clipped text in the style of a role. All drawing goes through it, so nothing foreign can
//! reach a cell unclean and nothing can be drawn outside of its area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Caps;
use super::text;
use super::theme::{Role, Theme};
use crate::domain::text::line;

/// A theme on a certain terminal.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) theme: Theme,
    pub(crate) caps: Caps,
    /// It is drawn to be read out: nothing is cut that must be known before somebody agrees to it.
    pub(crate) spoken: bool,
}

impl Look {
    /// How a role looks.
    pub(crate) fn style(&self, role: Role) -> Style {
        self.theme.style(role, self.caps.colors)
    }

    /// The first where the terminal shows more than ASCII, else the second.
    pub(crate) fn glyph<'a>(&self, rich: &'a str, ascii: &'a str) -> &'a str {
        if self.caps.unicode { rich } else { ascii }
    }
}

/// A buffer and how to draw on it.
pub(crate) struct Painter<'a> {
    buffer: &'a mut Buffer,
    look: &'a Look,
}

impl<'a> Painter<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer, look: &'a Look) -> Self {
        Self { buffer, look }
    }

    pub(crate) fn look(&self) -> &'a Look {
        self.look
    }

    /// The cells themselves, for the one widget that brings its own (session panes).
    pub(crate) fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// Fills an area with the ordinary ground, for what lies above something else.
    pub(crate) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
        self.tint(area, Role::Bg);
        self.tint(area, Role::Fg);
    }

    /// Lays a role's style over what is there.
    pub(crate) fn tint(&mut self, area: Rect, role: Role) {
        let style = self.look.style(role);
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style);
    }

    /// Writes `words` at the left of `area`'s row `row`; what does not fit is cut and marked. Gives the columns used.
    pub(crate) fn put(&mut self, area: Rect, row: u16, words: &str, role: Role) -> u16 {
        self.put_at(area, 0, row, words, role)
    }

    /// As [`Painter::put`], from column `col` of the area.
    pub(crate) fn put_at(
        &mut self,
        area: Rect,
        col: u16,
        row: u16,
        words: &str,
        role: Role,
    ) -> u16 {
        let style = self.look.style(role);
        self.put_styled(area, col, row, words, style)
    }

    /// As [`Painter::put_at`] in any style.
    pub(crate) fn put_styled(
        &mut self,
        area: Rect,
        col: u16,
        row: u16,
        words: &str,
        style: Style,
    ) -> u16 {
        let area = area.intersection(self.buffer.area);
        if row >= area.height || col >= area.width {
            return 0;
        }
        let room = area.width - col;
        let mark = self.look.glyph("…", "~");
        let mut words = text::fit(&line(words), usize::from(room), mark);
        if !self.look.caps.unicode {
            words = text::ascii(&words);
        }
        let (end, _) =
            self.buffer
                .set_stringn(area.x + col, area.y + row, words, usize::from(room), style);
        end - (area.x + col)
    }

    /// Writes at the right edge of the row. Gives the columns used.
    pub(crate) fn put_right(&mut self, area: Rect, row: u16, words: &str, role: Role) -> u16 {
        let wide = u16::try_from(text::width(&line(words))).unwrap_or(u16::MAX);
        let wide = wide.min(area.width);
        self.put_at(area, area.width - wide, row, words, role)
    }

    /// Writes pieces one after another, each in its role. Gives the columns used.
    pub(crate) fn spans(&mut self, area: Rect, row: u16, spans: &[(&str, Role)]) -> u16 {
        let mut col = 0;
        for (words, role) in spans {
            col += self.put_at(area, col, row, words, *role);
        }
        col
    }

    /// Lays the style of a match over the characters of `words` (written at `col`) whose places are in `positions`.
    pub(crate) fn highlight(
        &mut self,
        area: Rect,
        col: u16,
        row: u16,
        words: &str,
        positions: &[usize],
    ) {
        let mut at = col;
        for (index, c) in line(words).chars().enumerate() {
            let wide = u16::try_from(text::width(c.encode_utf8(&mut [0; 4]))).unwrap_or(0);
            if at + wide > area.width {
                break;
            }
            if positions.contains(&index) {
                let cell = Rect::new(area.x + at, area.y + row, wide, 1);
                self.tint(cell.intersection(area), Role::Match);
            }
            at += wide;
        }
    }

    /// A frame around `area` with a title; gives what is inside.
    pub(crate) fn frame(&mut self, area: Rect, title: &str, border: Role) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.clear(area);
        if area.width < 2 || area.height < 2 {
            return area;
        }
        let across = self
            .look
            .glyph("─", "-")
            .repeat(usize::from(area.width - 2));
        let corner = |rich| self.look.glyph(rich, "+");
        let top = format!("{}{across}{}", corner("┌"), corner("┐"));
        let bottom = format!("{}{across}{}", corner("└"), corner("┘"));
        let side = self.look.glyph("│", "|");
        self.put(area, 0, &top, border);
        self.put(area, area.height - 1, &bottom, border);
        for row in 1..area.height - 1 {
            self.put(area, row, side, border);
            self.put_at(area, area.width - 1, row, side, border);
        }
        if area.width > 6 && !title.is_empty() {
            let inner = Rect {
                x: area.x + 2,
                width: area.width - 4,
                height: 1,
                ..area
            };
            let title = format!(" {title} ");
            self.put(inner, 0, &title, Role::Title);
        }
        Rect {
            x: area.x + 2.min(area.width / 2),
            y: area.y + 1,
            width: area.width.saturating_sub(4),
            height: area.height - 2,
        }
    }

    /// A line across with a heading: `── hosts ─────`.
    pub(crate) fn rule(&mut self, area: Rect, row: u16, heading: &str) {
        let dash = self.look.glyph("─", "-");
        let across = dash.repeat(usize::from(area.width));
        self.put(area, row, &across, Role::Border);
        if area.width > 8 && !heading.is_empty() {
            let inner = Rect {
                x: area.x + 2,
                width: area.width - 4,
                ..area
            };
            self.put(inner, row, &format!(" {heading} "), Role::Header);
        }
    }
}

/// `area` without its first `rows`.
pub(crate) fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    }
}

/// A box of at most this size in the middle of `area`.
pub(crate) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

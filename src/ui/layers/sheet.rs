//! A sheet over the view: lines in their roles and a row of buttons, for what must be read before it is agreed to.

use ratatui::layout::Rect;

use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;

/// The widest sheet, in columns.
const WIDEST: u16 = 100;

/// What a sheet shows.
pub(super) struct Sheet<'a> {
    pub(super) title: &'a str,
    /// The role of its border.
    pub(super) border: Role,
    /// Lines that are always there, in their roles; they are wrapped.
    pub(super) head: Vec<(String, Role)>,
    /// Lines that may be cut when the window is low; each is cut at the border.
    pub(super) body: Vec<(String, Role)>,
    /// How many lines of that kind there are besides.
    pub(super) more: usize,
    /// Lines below, always there.
    pub(super) foot: Vec<(String, Role)>,
    pub(super) buttons: &'a [&'a str],
    pub(super) chosen: usize,
    pub(super) hint: &'a str,
}

impl Sheet<'_> {
    /// Draws it; gives the row of the buttons.
    pub(super) fn draw(self, painter: &mut Painter<'_>, area: Rect) -> Rect {
        let width = area.width.saturating_sub(4).min(WIDEST);
        let room = usize::from(width.saturating_sub(4));
        let wrapped = |lines: Vec<(String, Role)>| -> Vec<(String, Role)> {
            let wrap = |(line, role): (String, Role)| {
                let parts = text::wrap(&line, room);
                parts.into_iter().map(move |part| (part, role))
            };
            lines.into_iter().flat_map(wrap).collect()
        };
        let (head, foot) = (wrapped(self.head), wrapped(self.foot));
        let most = usize::from(area.height.saturating_sub(6));
        let left = most.saturating_sub(head.len() + foot.len());
        let mut body = self.body;
        if body.len() + usize::from(self.more > 0) > left {
            let hidden = body.len() - left.saturating_sub(1).min(body.len()) + self.more;
            body.truncate(left.saturating_sub(1));
            body.push((format!("  ... and {hidden} more"), Role::Dim));
        } else if self.more > 0 {
            body.push((format!("  ... and {} more", self.more), Role::Dim));
        }
        let lines: Vec<_> = head.into_iter().chain(body).chain(foot).collect();
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(4);
        let inside = painter.frame(centred(area, width, height), self.title, self.border);
        for (row, (line, role)) in (0..inside.height.saturating_sub(1)).zip(&lines) {
            painter.put(inside, row, line, *role);
        }
        let last = inside.height.saturating_sub(1);
        let mut col = 0;
        for (index, label) in self.buttons.iter().enumerate() {
            let (words, role) = if index == self.chosen {
                (format!("> {label} <"), Role::Selected)
            } else {
                (format!("  {label}  "), Role::Hint)
            };
            col += painter.put_at(inside, col, last, &words, role) + 1;
        }
        if usize::from(inside.width.saturating_sub(col)) > text::width(self.hint) {
            painter.put_right(inside, last, self.hint, Role::Dim);
        }
        Rect {
            y: inside.y + last,
            height: inside.height.min(1),
            ..inside
        }
    }
}

//! A sheet over the view: lines in their roles and a row of buttons, for what must be read before it is agreed to.

use ratatui::layout::Rect;

use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;

/// The widest sheet, in columns.
const WIDEST: u16 = 100;

/// A window lower than this has no room for blank lines in a box, one narrower none beside it.
pub(super) const LOW: u16 = 12;
const NARROW: u16 = 30;

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
        let width = margin(area).min(WIDEST);
        let room = usize::from(width.saturating_sub(4));
        let wrapped = |lines: Vec<(String, Role)>| -> Vec<(String, Role)> {
            let wrap = |(line, role): (String, Role)| {
                let parts = text::wrap(&line, room);
                parts.into_iter().map(move |part| (part, role))
            };
            lines.into_iter().flat_map(wrap).collect()
        };
        let (head, foot) = (wrapped(self.head), wrapped(self.foot));
        let low = area.height < LOW;
        let most = usize::from(area.height.saturating_sub(if low { 3 } else { 6 }));
        let left = most.saturating_sub(head.len() + foot.len());
        let mut body = if painter.look().spoken {
            wrapped(self.body)
        } else {
            self.body
        };
        if body.len() + usize::from(self.more > 0) > left {
            let hidden = body.len() - left.saturating_sub(1).min(body.len()) + self.more;
            body.truncate(left.saturating_sub(1));
            body.push((format!("  ... and {hidden} more"), Role::Dim));
        } else if self.more > 0 {
            body.push((format!("  ... and {} more", self.more), Role::Dim));
        }
        let lines: Vec<_> = if low {
            // What it does comes first where not all has room.
            foot.into_iter().chain(head).chain(body).collect()
        } else {
            head.into_iter().chain(body).chain(foot).collect()
        };
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(4);
        let inside = painter.frame(centred(area, width, height), self.title, self.border);
        for (row, (line, role)) in (0..inside.height.saturating_sub(1)).zip(&lines) {
            painter.put(inside, row, line, *role);
        }
        let last = inside.height.saturating_sub(1);
        let col = buttons(painter, inside, (self.buttons, self.chosen), 1);
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

/// The columns of a box: all of a narrow window.
pub(super) fn margin(area: Rect) -> u16 {
    if area.width < NARROW {
        area.width
    } else {
        area.width.saturating_sub(4)
    }
}

/// Draws buttons in the last row; gives the column behind them. The chosen one is marked by its arrows, and where not all have
/// room it is the one that is seen. Between them are `apart` columns.
pub(super) fn buttons(
    painter: &mut Painter<'_>,
    inside: Rect,
    (labels, chosen): (&[&str], usize),
    apart: u16,
) -> u16 {
    let last = inside.height.saturating_sub(1);
    let words: Vec<(String, Role)> = labels
        .iter()
        .enumerate()
        .map(|(index, label)| match index == chosen {
            true => (format!("> {label} <"), Role::Selected),
            false => (format!("  {label}  "), Role::Hint),
        })
        .collect();
    let room = usize::from(inside.width);
    let needed: usize = words
        .iter()
        .map(|(words, _)| text::width(words) + usize::from(apart))
        .sum();
    if needed > room + usize::from(apart) {
        let Some((words, role)) = words.get(chosen) else {
            return 0;
        };
        let more = if labels.len() > 1 { " Tab" } else { "" };
        return painter.put_at(inside, 0, last, &format!("{words}{more}"), *role);
    }
    let mut col = 0;
    for (words, role) in words {
        col += painter.put_at(inside, col, last, &words, role) + apart;
    }
    col
}

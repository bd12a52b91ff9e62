//! Draws what is around the screens of a tab: the bar of tabs, the heads of panes and the lines between them.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::Pane;
use super::dress::{self, Line};
use crate::domain::ids::SessionId;
use crate::domain::layout::{Area, Axis, Tab};
use crate::model::{Model, SessionState, SessionView};
use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::{Cx, sessions};

/// The longest label of a tab, in columns.
const LABEL: usize = 28;

impl Pane {
    /// Places the tabs. Where they do not fit, those around the shown one are kept.
    pub(super) fn lay_tabs(&mut self, cx: Cx<'_>, id: SessionId) {
        self.boxes.clear();
        self.beyond = (false, false);
        let tabs = &cx.model.tabs;
        let wide = |(number, tab): (usize, &Tab)| {
            let label = text::width(&label(cx, number, tab, false));
            u16::try_from(label).unwrap_or(u16::MAX)
        };
        let widths: Vec<u16> = tabs.iter().enumerate().map(wide).collect();
        let here = cx.model.tab_of(id).map_or(0, |(number, _)| number);
        let sum = |from: usize, to: usize| -> u32 {
            let some = widths.get(from..to).unwrap_or_default();
            some.iter().map(|width| u32::from(*width)).sum()
        };
        let all = u32::from(self.tabs.width);
        // One column at each end says that there are more.
        let fits = sum(0, widths.len()) <= all;
        let room = if fits { all } else { all.saturating_sub(2) };
        let mut first = 0;
        while first < here && sum(first, here + 1) > room {
            first += 1;
        }
        let mut col = u16::from(!fits);
        let mut last = first;
        for (tab, width) in tabs.iter().zip(&widths).skip(first) {
            let end = u32::from(col) + u32::from(*width);
            if end > room + u32::from(!fits) && last > first {
                break;
            }
            let area = Rect {
                x: self.tabs.x + col.min(self.tabs.width),
                width: (*width).min(self.tabs.width.saturating_sub(col)),
                ..self.tabs
            };
            self.boxes.push((area, tab.focus));
            col = col.saturating_add(*width);
            last += 1;
        }
        self.beyond = (first > 0, last < tabs.len());
    }

    pub(super) fn draw_tabs(&self, cx: Cx<'_>, id: SessionId, painter: &mut Painter<'_>) {
        painter.tint(self.tabs, Role::Prompt);
        for (area, pane) in &self.boxes {
            let Some((number, tab)) = cx.model.tab_of(*pane) else {
                continue;
            };
            let here = tab.contains(id);
            let loud = loudest(cx, tab);
            // What is dangerous looks so where one is, too; the brackets say that one is there.
            let dangerous = matches!(loud, Role::Prod | Role::Broadcast);
            let role = if here && !dangerous {
                Role::Selected
            } else {
                loud
            };
            painter.put(*area, 0, &label(cx, number, tab, here), role);
            if here {
                painter.tint(*area, Role::Title);
                painter.tint(*area, role);
            }
        }
        if self.beyond.0 {
            painter.put(self.tabs, 0, "<", Role::Key);
        }
        if self.beyond.1 {
            painter.put_right(self.tabs, 0, ">", Role::Key);
        }
        if let Some(words) = cx.model.broadcast_words() {
            painter.put_right(self.tabs, 0, &format!(" {words} "), Role::Broadcast);
        }
    }

    /// The lines between panes and the heads on them.
    pub(super) fn draw_frame(
        &self,
        cx: Cx<'_>,
        id: SessionId,
        origin: Position,
        painter: &mut Painter<'_>,
    ) {
        let own = self.panes.iter().find(|(pane, _)| *pane == id);
        let Some((_, own)) = own.filter(|_| self.panes.len() > 1) else {
            return;
        };
        let at = |area: Area| Rect::new(origin.x + area.x, origin.y + area.y, area.cols, area.rows);
        let lines = self.lines(cx, own);
        let quiet = Line::quiet(painter.look(), Role::Border);
        let line = |x: u16, y: u16| {
            let near = lines.iter().find(|(near, _)| near.contains(x, y));
            near.map_or(quiet, |(_, line)| *line)
        };
        if let Some((_, first)) = self.panes.first().filter(|(_, area)| area.y > self.room.y) {
            let row = Area {
                y: first.y - 1,
                rows: 1,
                ..self.room
            };
            for x in 0..row.cols {
                let line = line(row.x + x, row.y);
                painter.put_at(at(row), x, 0, line.across, line.role);
            }
        }
        for seam in &self.seams {
            for y in 0..seam.area.rows {
                for x in 0..seam.area.cols {
                    let line = line(seam.area.x + x, seam.area.y + y);
                    let sign = match seam.axis {
                        Axis::Beside => line.down,
                        Axis::Below => line.across,
                    };
                    painter.put_at(at(seam.area), x, y, sign, line.role);
                }
            }
        }
        for (pane, area) in self.panes.iter().filter(|(_, area)| area.y > 0) {
            let head = Area {
                y: area.y - 1,
                rows: 1,
                ..*area
            };
            draw_head(cx, *pane, *pane == id, at(head), painter);
        }
    }

    /// The panes whose lines say something, with the cells around them: those that warn before the one with the keys.
    fn lines(&self, cx: Cx<'_>, own: &Area) -> Vec<(Area, Line)> {
        let around = |area: &Area| Area {
            x: area.x.saturating_sub(1),
            y: area.y.saturating_sub(1),
            cols: area.cols + u16::from(area.x > 0) + 1,
            rows: area.rows + 1,
        };
        let mut lines: Vec<(Area, Line)> = self
            .panes
            .iter()
            .filter_map(|(pane, area)| {
                let line = Line::loud(cx, cx.model.session(*pane)?)?;
                Some((around(area), line))
            })
            .collect();
        let receives = Line::receiving(cx.look);
        lines.sort_by_key(|(_, line)| line.across != receives);
        lines.push((around(own), Line::quiet(cx.look, Role::BorderFocus)));
        lines
    }

    /// Draws the tab on a sheet of its own and lays the part of it that fits on the window. Gives the cursor's place there.
    pub(super) fn draw_part(
        &self,
        painter: &mut Painter<'_>,
        draw: impl FnOnce(&mut Painter<'_>) -> Option<Position>,
    ) -> Option<Position> {
        let mut sheet = Buffer::empty(Rect::new(0, 0, self.room.cols, self.room.rows));
        let look = painter.look();
        let mut brush = Painter::new(&mut sheet, look);
        brush.clear(Rect::new(0, 0, self.room.cols, self.room.rows));
        let cursor = draw(&mut brush);
        let dot = look.glyph("·", ".");
        for position in self.screen.positions() {
            let (x, y) = self.cell(position.x, position.y);
            let cell = sheet.cell((x, y)).cloned();
            let Some(to) = painter.buffer().cell_mut(position) else {
                continue;
            };
            match cell {
                Some(cell) => *to = cell,
                None => {
                    to.set_symbol(dot);
                }
            }
            // A wide character that is cut by the edge shows neither half.
            let cut = to.symbol().is_empty() && position.x == self.screen.x;
            if cut || text::width(to.symbol()) > usize::from(self.screen.right() - position.x) {
                to.set_symbol(" ");
            }
        }
        let cursor = cursor?;
        let (x, y) = (
            cursor.x.checked_sub(self.pan.0)?,
            cursor.y.checked_sub(self.pan.1)?,
        );
        let seen = x < self.screen.width && y < self.screen.height;
        seen.then(|| Position::new(self.screen.x + x, self.screen.y + y))
    }
}

/// The head of a pane: its host, what must be known of it, its reference, how far it is. The one with the keys is told by
/// a sign too, for terminals without colours.
fn draw_head(cx: Cx<'_>, id: SessionId, own: bool, area: Rect, painter: &mut Painter<'_>) {
    let Some(session) = cx.model.session(id) else {
        return;
    };
    let dress = dress::of(cx, session);
    let mark = if own {
        painter.look().glyph("▸", ">")
    } else {
        " "
    };
    let mut rest = String::new();
    if !session.reference.is_empty() {
        rest.push_str(&format!(" {}", session.reference));
    }
    if session.state != SessionState::Live {
        rest.push_str(&format!(" {}", sessions::state(&session.state).0));
    }
    if cx.model.broadcast.marked.contains(&id) {
        rest.push_str(" *");
    }
    rest.extend(session.sign().into_iter().flat_map(|sign| [' ', sign]));
    rest.push(' ');
    let host = format!("{mark}{}", session.host);
    let warns: String = dress.words.iter().map(|part| format!(" {part}")).collect();
    let inner = Rect {
        x: area.x + u16::from(area.width > 8),
        width: area.width.saturating_sub(2 * u16::from(area.width > 8)),
        ..area
    };
    let loud = Line::loud(cx, session);
    let line = loud.unwrap_or_else(|| {
        let role = if own { Role::BorderFocus } else { Role::Border };
        Line::quiet(cx.look, role)
    });
    let words = line.across.repeat(usize::from(area.width));
    painter.put(area, 0, &words, line.role);
    // Without colours only what warns has the look that warns: where everything is reversed nothing stands out.
    let role = match loud.map(|loud| loud.role) {
        _ if own => Role::Selected,
        Some(role @ (Role::Broadcast | Role::Prod)) => role,
        Some(_) | None => Role::Hint,
    };
    painter.spans(
        inner,
        0,
        &[(&host, role), (&warns, dress.role), (&rest, role)],
    );
}

/// How loud a tab must be because of those in it.
fn loudest(cx: Cx<'_>, tab: &Tab) -> Role {
    let panes = tab.root.leaves().into_iter();
    let roles: Vec<Role> = panes
        .filter_map(|id| cx.model.session(*id))
        .map(|session| dress::tab(cx, session))
        .collect();
    [Role::Broadcast, Role::Prod, Role::Warn]
        .into_iter()
        .find(|loud| roles.contains(loud))
        .unwrap_or(Role::Hint)
}

/// What the bar says of a tab: its number, its name or its host, how many panes it has, and what happened in it. The one that
/// is shown stands in brackets.
fn label(cx: Cx<'_>, number: usize, tab: &Tab, here: bool) -> String {
    let host = |model: &Model| model.session(tab.focus).map(|session| session.host.clone());
    let name = tab.name.clone().or_else(|| host(cx.model));
    let mut name = text::fit(&name.unwrap_or_default(), LABEL, "~");
    if tab.is_split() {
        let zoomed = if tab.zoomed { " Z" } else { "" };
        name.push_str(&format!(" ({}{zoomed})", tab.panes().len()));
    }
    let sessions = || {
        let panes = tab.root.leaves().into_iter();
        panes.filter_map(|id| cx.model.session(*id))
    };
    let closed = |state: &SessionState| matches!(state, SessionState::Closed(_));
    let opening = |state: &SessionState| matches!(state, SessionState::Opening(_));
    let called = sessions()
        .find_map(|session| session.sign())
        .map(String::from)
        .unwrap_or_default();
    let coming = |session: &SessionView| cx.model.successor(session.id).is_some();
    let sign = if sessions().any(|session| opening(&session.state) || coming(session)) {
        cx.look.glyph("…", "..")
    } else if sessions().all(|session| closed(&session.state)) {
        " ended"
    } else {
        &called
    };
    let marked = sessions().any(|session| cx.model.broadcast.marked.contains(&session.id));
    let mark = if marked { "*" } else { "" };
    let (open, close) = if here { ('[', ']') } else { (' ', ' ') };
    // Without colours the word must do it all.
    let loud = sessions().find_map(|session| dress::shout(cx, session));
    let loud = loud.map_or_else(String::new, |word| format!(" {word}"));
    format!("{open}{number} {name}{mark}{sign}{loud}{close}")
}

//! Draws a session's pane, its tabs and its status line.

use ratatui::layout::{Position, Rect};

use super::Pane;
use super::dress::{self, Dress};
use super::status;
use crate::command::Scope;
use crate::domain::ids::SessionId;
use crate::domain::layout::Area;
use crate::model::{SessionState, SessionView};
use crate::ui::keymap::written;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::words::{placeholder, plural};
use crate::ui::views::{Cx, sessions};
use crate::ui::widgets::{copy, screen};

/// The columns of one line of the keys.
const KEYS: u16 = 37;

impl Pane {
    pub(crate) fn draw(
        &self,
        cx: Cx<'_>,
        id: SessionId,
        painter: &mut Painter<'_>,
    ) -> Option<Position> {
        self.draw_tabs(cx, id, painter);
        let Some(session) = cx.model.session(id) else {
            placeholder(
                painter,
                self.screen,
                "This session is gone. Esc leads back.",
            );
            return None;
        };
        let fits = self.room == Area::of(self.screen.width, self.screen.height);
        let cursor = if fits {
            self.draw_panes(cx, id, self.screen.as_position(), painter)
        } else {
            self.draw_part(painter, |sheet| {
                self.draw_panes(cx, id, Position::ORIGIN, sheet)
            })
        };
        self.draw_status(cx, session, painter);
        if self.prefix {
            self.draw_keys(cx, painter);
            return None;
        }
        let ended = matches!(session.state, SessionState::Closed(_));
        let copying = session
            .screen
            .as_ref()
            .is_some_and(|shown| shown.copy.is_some());
        cursor.filter(|_| copying || !ended)
    }

    /// Draws all panes of the tab, its first cell at `origin`; gives the place of the cursor in the one with the keys.
    fn draw_panes(
        &self,
        cx: Cx<'_>,
        id: SessionId,
        origin: Position,
        painter: &mut Painter<'_>,
    ) -> Option<Position> {
        let mut cursor = None;
        for (pane, area) in &self.panes {
            let area = Rect::new(origin.x + area.x, origin.y + area.y, area.cols, area.rows);
            let Some(session) = cx.model.session(*pane) else {
                continue;
            };
            let own = *pane == id;
            let place = draw_screen(cx, session, area, painter);
            cursor = cursor.or(place.filter(|_| own));
            if let SessionState::Closed(how) = &session.state {
                let coming = cx.model.successor(*pane);
                match (coming, &session.failed) {
                    (Some(coming), _) => draw_coming(coming, area, painter),
                    (None, Some(why)) => draw_end("Not opened again: ", why, own, area, painter),
                    (None, None) => draw_end("Ended: ", how, own, area, painter),
                }
            }
        }
        self.draw_frame(cx, id, origin, painter);
        cursor
    }

    fn draw_status(&self, cx: Cx<'_>, session: &SessionView, painter: &mut Painter<'_>) {
        painter.tint(self.status, Role::Prompt);
        let Dress { role, words } = dress::of(cx, session);
        painter.tint(self.status, role);
        let mut parts = status::parts(cx, session);
        if let Some(part) = self.tab_words(cx, session.id) {
            parts.insert((1 + words.len()).min(parts.len()), part);
        }
        let looked = session
            .screen
            .as_ref()
            .and_then(|shown| shown.copy.as_ref());
        // In copy mode the line tells where one is, so the next key uncovers it.
        let fresh = looked.is_none() || cx.model.notices.count() > self.look.told;
        let said = status::said(cx).filter(|_| fresh);
        let plain = cx.model.questions.is_empty() && said.is_none();
        if let Some(looked) = looked.filter(|_| plain) {
            let width = usize::from(self.status.width);
            let line = copy::words(looked, cx.keymap, session.recording, &session.host, width);
            painter.put(self.status, 0, &line, role);
            return;
        }
        let right = if let Some(said) = said {
            format!("{said} ")
        } else if !cx.model.questions.is_empty() {
            format!("a question waits, {} ", cx.keymap.prefix())
        } else {
            format!("{} for commands ", cx.keymap.prefix())
        };
        let room = usize::from(self.status.width);
        let mut right = format!(" {right}");
        if plain && text::width(&status::fit(&parts, usize::MAX)) + text::width(&right) > room {
            right = format!("  {} ", cx.keymap.prefix());
        }
        if said.is_some() {
            // A warning takes what the most important parts leave.
            let first = parts
                .get(..parts.len().min(status::FIRST))
                .unwrap_or(&parts);
            let least = text::width(&status::fit(first, room));
            right = text::fit(&right, room.saturating_sub(least), "…");
        }
        let wide = u16::try_from(text::width(&right)).unwrap_or(u16::MAX);
        if self.status.width >= wide + 12 {
            let left = Rect {
                width: self.status.width - wide,
                ..self.status
            };
            let words = status::fit(&parts, usize::from(left.width));
            painter.put(left, 0, &words, role);
            painter.put_right(self.status, 0, &right, role);
        } else {
            painter.put(self.status, 0, &status::fit(&parts, room), role);
        }
    }

    /// What must be known of the tab: panes that are not seen.
    fn tab_words(&self, cx: Cx<'_>, id: SessionId) -> Option<String> {
        let (_, tab) = cx.model.tab_of(id)?;
        let others = tab.panes().len().saturating_sub(1);
        let others = plural(others, "other pane");
        let part = self.room.cols > self.screen.width || self.room.rows > self.screen.height;
        match (self.crowded, tab.zoomed && tab.is_split(), part) {
            (true, ..) => Some(format!("no room for {others}")),
            (false, true, _) => Some(format!("zoomed, {others}")),
            (false, false, true) => Some("part of a larger window".to_owned()),
            (false, false, false) => None,
        }
    }

    /// What can be pressed after the prefix.
    fn draw_keys(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let mut lines: Vec<(Vec<String>, &str)> = Vec::new();
        for (keys, row) in cx.keymap.bindings(Scope::Prefix) {
            let number = row
                .id
                .strip_prefix("pane.")
                .is_some_and(|rest| rest.len() == 1);
            let title = if number { "tab by number" } else { row.title };
            match lines.iter_mut().find(|(_, known)| *known == title) {
                Some((chords, _)) => chords.push(written(&keys)),
                None => lines.push((vec![written(&keys)], title)),
            }
        }
        let prefix = cx.keymap.prefix().to_string();
        lines.push((vec![prefix.clone()], "sends the chord itself"));
        let room = usize::from(self.screen.height.saturating_sub(2)).max(1);
        let columns = lines.len().div_ceil(room);
        let rows = lines.len().div_ceil(columns.max(1));
        let count = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let width = count(columns).saturating_mul(KEYS).saturating_add(4);
        let width = width.min(self.screen.width);
        let height = count(rows).saturating_add(2).min(self.screen.height);
        let area = Rect {
            x: self.screen.right() - width,
            y: self.screen.bottom() - height,
            width,
            height,
        };
        let inside = painter.frame(area, &format!("after {prefix}"), Role::BorderFocus);
        for (index, (chords, title)) in lines.iter().enumerate() {
            let column = Rect {
                x: inside.x + count(index / rows).saturating_mul(KEYS).min(inside.width),
                width: KEYS - 1,
                ..inside
            };
            let column = column.intersection(inside);
            let row = count(index % rows);
            painter.put(column, row, &several(chords), Role::Key);
            painter.put_at(column, 12, row, title, Role::Fg);
        }
    }
}

/// The chords of one line, the four arrows and the ten digits in one word.
fn several(chords: &[String]) -> String {
    let all = |names: &[&str], with: &str| {
        let has = |name: &&str| chords.iter().any(|chord| *chord == format!("{with}{name}"));
        chords.len() >= names.len() && names.iter().all(has)
    };
    for with in ["", "Ctrl-", "Alt-"] {
        if all(&["Left", "Right", "Up", "Down"], with) {
            return format!("{with}arrows");
        }
    }
    if all(&["0", "1", "8", "9"], "") {
        return "0-9 '".to_owned();
    }
    chords.join(" ")
}

/// The screen of one session, or what it waits for.
fn draw_screen(
    cx: Cx<'_>,
    session: &SessionView,
    area: Rect,
    painter: &mut Painter<'_>,
) -> Option<Position> {
    if let Some(shown) = &session.screen {
        let cursor = screen::draw(painter, area, shown);
        return match &shown.copy {
            Some(looked) => copy::draw(painter, area, looked),
            None => cursor,
        };
    }
    let (words, _) = sessions::state(&session.state);
    let said = match session.state {
        SessionState::Opening(_) => cx.model.said_by(&session.host),
        SessionState::Live | SessionState::Closed(_) => None,
    };
    let said = said.map_or_else(String::new, |said| format!("\n\n{said}"));
    let words = format!("{}: {words}{said}", session.host);
    placeholder(painter, area, &words);
    None
}

/// The last row of a pane whose session is being opened anew.
fn draw_coming(coming: &SessionView, pane: Rect, painter: &mut Painter<'_>) {
    let (state, _) = sessions::state(&coming.state);
    let width = usize::from(pane.width);
    let words = format!(" Opening it again: {state}. What you type waits; Esc leads away.");
    last_row(&text::fit(&words, width, "…"), pane, painter);
}

/// The last row of a pane that has ended; what can be pressed is said where the keys are.
fn draw_end(what: &str, how: &str, own: bool, pane: Rect, painter: &mut Painter<'_>) {
    let words = if own {
        ended(what, how, usize::from(pane.width))
    } else {
        format!(" {what}{how}")
    };
    last_row(&words, pane, painter);
}

fn last_row(words: &str, pane: Rect, painter: &mut Painter<'_>) {
    let height = 1.min(pane.height);
    let area = below(pane, pane.height - height);
    painter.clear(area);
    painter.tint(area, Role::Prompt);
    painter.put(area, 0, words, Role::Prompt);
}

/// What is said under a pane that has ended. The way out is never cut; the reason is, if it must be.
fn ended(what: &str, how: &str, width: usize) -> String {
    const WAYS: &str = "r opens it again, Enter closes it, Esc leaves it in the list";
    const SHORT: &str = "r again  Enter close  Esc leave";
    let whole = format!(" {what}{how}. {WAYS}.");
    if text::width(&whole) <= width {
        return whole;
    }
    let room = width.saturating_sub(what.len() + SHORT.len() + 3);
    format!(" {what}{}  {SHORT}", text::fit(how, room, "…"))
}

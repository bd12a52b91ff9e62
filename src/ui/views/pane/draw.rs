//! Draws a session's pane, its tabs and its status line.

use ratatui::layout::{Position, Rect};

use super::Pane;
use super::dress::{self, Dress};
use super::lost;
use super::status;
use crate::command::Scope;
use crate::domain::ids::SessionId;
use crate::domain::layout::Area;
use crate::model::{Notice, SessionState, SessionView};
use crate::term::CopyView;
use crate::ui::keymap::written;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::words::{placeholder, plural};
use crate::ui::views::{Cx, sessions};
use crate::ui::widgets::{copy, screen};

/// The columns of one line of the keys.
const KEYS: u16 = 37;

/// How many columns of a notice are worth reading; with fewer it takes the place of what matters less.
const READABLE: usize = 32;

/// How many columns copy mode's line needs to say more than where one is.
const ROOMY: usize = 48;

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
                match (coming, &session.lost, &session.failed) {
                    (Some(coming), ..) if !coming.quiet => draw_coming(coming, area, painter),
                    (_, Some(lost), failed) => {
                        let how = failed.as_ref().unwrap_or(how);
                        let line = lost::line(lost, how, cx.model.now, own, area.width);
                        last_row(&line, area, painter);
                    }
                    (_, None, Some(why)) => {
                        draw_end("Not opened again: ", why, own, area, painter);
                    }
                    (_, None, None) => draw_end("Ended: ", how, own, area, painter),
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
        let (mut parts, mut needed) = status::parts(cx, session);
        if let Some(part) = self.tab_words(cx, session.id) {
            parts.insert((1 + words.len()).min(parts.len()), part);
            needed += 1;
        }
        let looked = session
            .screen
            .as_ref()
            .and_then(|shown| shown.copy.as_ref());
        // In copy mode the line tells where one is, so the next key uncovers it.
        let fresh = looked.is_none() || cx.model.notices.count() > self.look.told;
        let said = status::said(cx, self.seen).filter(|_| fresh);
        let prefix = cx.keymap.prefix();
        let asks = !cx.model.questions.is_empty();
        let waits = asks.then(|| format!("a question waits, {prefix}"));
        let room = usize::from(self.status.width);
        if let Some(looked) = looked {
            let told = said.map(|notice| notice.text.clone()).or(waits);
            let line =
                |room| copy::words(looked, cx.keymap, session.recording, &session.host, room);
            return self.draw_copying(looked, line, told.as_deref(), role, painter);
        }
        let above = said.filter(|notice| {
            let wanted = text::width(&notice.text) + 2;
            let shown = parts.get(..needed.min(parts.len())).unwrap_or(&parts);
            // Beside what must be seen, if there is room; else above, if there is room.
            text::width(&status::fit(shown, usize::MAX)) + wanted > room
                && self.draw_above(cx, notice, painter)
        });
        let said = said.filter(|_| above.is_none());
        let right = match (said, waits) {
            (Some(said), _) => format!("{} ", said.text),
            (None, Some(waits)) => format!("{waits} "),
            (None, None) => format!("{prefix} for commands "),
        };
        let mut right = format!(" {right}");
        let plain = !asks && said.is_none();
        if plain && text::width(&status::fit(&parts, usize::MAX)) + text::width(&right) > room {
            right = format!("  {prefix} ");
        }
        if said.is_some() {
            // A warning takes what the most important parts leave.
            let kept = |count: usize| {
                let first = parts.get(..parts.len().min(count)).unwrap_or(&parts);
                text::width(&status::fit(first, room))
            };
            let least = Some(kept(needed)).filter(|least| least + READABLE <= room);
            let least = least.unwrap_or_else(|| kept(status::FIRST));
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

    /// The line of copy mode. What was said stands beside the mode, never over it.
    fn draw_copying(
        &self,
        looked: &CopyView,
        line: impl Fn(usize) -> String,
        told: Option<&str>,
        role: Role,
        painter: &mut Painter<'_>,
    ) {
        let room = usize::from(self.status.width);
        let Some(told) = told else {
            painter.put(self.status, 0, &line(room), role);
            return;
        };
        let brief = copy::brief(looked);
        let left = room.saturating_sub(text::width(&brief) + 1);
        let told = text::fit(&format!("{told} "), left, "…");
        let left = room.saturating_sub(text::width(&told) + 1);
        let whole = line(left);
        let fits = left >= ROOMY && text::width(&whole) <= left;
        painter.put(self.status, 0, if fits { &whole } else { &brief }, role);
        painter.put_right(self.status, 0, &told, role);
    }

    /// Says something beside the tabs. False when there is no room for all of it.
    fn draw_above(&self, cx: Cx<'_>, notice: &Notice, painter: &mut Painter<'_>) -> bool {
        let broadcast = cx.model.broadcast_words();
        let broadcast = broadcast.map_or(0, |words| text::width(&words) + 2);
        let taken = self.boxes().last().map_or(0, |(area, _)| {
            usize::from(area.right().saturating_sub(self.tabs.x)) + 1
        });
        let room = usize::from(self.tabs.width).saturating_sub(taken + broadcast);
        let words = format!(" {} ", notice.text);
        if text::width(&words) > room || self.tabs.height == 0 {
            return false;
        }
        let area = Rect {
            width: self.tabs.width - u16::try_from(broadcast).unwrap_or(0),
            ..self.tabs
        };
        painter.put_right(area, 0, &words, Role::from(notice.level));
        true
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

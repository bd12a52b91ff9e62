//! Draws a session's pane, its tabs and its status line.

use ratatui::layout::{Position, Rect};

use super::Pane;
use super::dress::{self, Dress};
use crate::command::Scope;
use crate::domain::connection::ConnectionState;
use crate::domain::forward::{ForwardRow, ForwardState};
use crate::domain::ids::SessionId;
use crate::model::{SessionState, SessionView};
use crate::term::ShellState;
use crate::ui::keymap::written;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::words::{placeholder, plural};
use crate::ui::views::{Cx, connections, sessions};
use crate::ui::widgets::{copy, screen};

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
        let cursor = match &session.screen {
            Some(shown) => screen::draw(painter, self.screen, shown),
            None => {
                let (words, _) = sessions::state(&session.state);
                let said = match session.state {
                    SessionState::Opening(_) => cx.model.said_by(&session.host),
                    SessionState::Live | SessionState::Closed(_) => None,
                };
                let said = said.map_or_else(String::new, |said| format!("\n\n{said}"));
                let words = format!("{}: {words}{said}", session.host);
                placeholder(painter, self.screen, &words);
                None
            }
        };
        self.draw_status(cx, session, painter);
        if let SessionState::Closed(how) = &session.state {
            self.draw_end(how, painter);
            return None;
        }
        if self.prefix {
            self.draw_keys(cx, painter);
            return None;
        }
        match session
            .screen
            .as_ref()
            .and_then(|shown| shown.copy.as_ref())
        {
            Some(copy) => copy::draw(painter, self.screen, copy),
            None => cursor,
        }
    }

    fn draw_tabs(&self, cx: Cx<'_>, id: SessionId, painter: &mut Painter<'_>) {
        painter.tint(self.tabs, Role::Prompt);
        let mut col = 0;
        for (index, session) in cx.model.sessions.iter().enumerate() {
            let sign = match (&session.state, session.bell, session.activity) {
                (SessionState::Closed(_), ..) => " ended",
                (SessionState::Opening(_), ..) => painter.look().glyph("…", "~"),
                (SessionState::Live, true, _) => "!",
                (SessionState::Live, false, true) => "+",
                (SessionState::Live, false, false) => "",
            };
            let tab = format!(" {index} {}{sign} ", session.host);
            let role = if session.id == id {
                Role::Selected
            } else {
                Role::Hint
            };
            let wide = painter.put_at(self.tabs, col, 0, &tab, role);
            if session.id == id {
                let area = Rect {
                    x: self.tabs.x + col,
                    width: wide,
                    ..self.tabs
                };
                painter.tint(area, Role::Title);
                painter.tint(area, Role::Selected);
            }
            col += wide;
        }
    }

    fn draw_status(&self, cx: Cx<'_>, session: &SessionView, painter: &mut Painter<'_>) {
        painter.tint(self.status, Role::Prompt);
        let Dress { role, words: said } = dress::of(cx, session);
        painter.tint(self.status, role);
        let mut words = format!(" {}", session.host);
        for part in &said {
            words.push_str("  ");
            words.push_str(part);
        }
        for part in [Some(&session.reference), session.ticket.as_ref()]
            .into_iter()
            .flatten()
        {
            if !part.is_empty() {
                words.push_str("  ");
                words.push_str(part);
            }
        }
        if session.recording {
            words.push_str("  recording");
        }
        for part in carried(cx, session) {
            words.push_str("  ");
            words.push_str(&part);
        }
        if session.title != session.host && !session.title.is_empty() {
            words.push_str("  ");
            words.push_str(&session.title);
        }
        let copy = session
            .screen
            .as_ref()
            .and_then(|shown| shown.copy.as_ref());
        let plain = copy.is_none() && cx.model.questions.is_empty();
        if let Some(copy) = copy.filter(|_| cx.model.questions.is_empty()) {
            let width = usize::from(self.status.width);
            let line = copy::words(copy, cx.keymap, session.recording, &session.host, width);
            painter.put(self.status, 0, &line, role);
            return;
        }
        let right = match () {
            () if !cx.model.questions.is_empty() => {
                format!("a question waits, {} ", cx.keymap.prefix())
            }
            () => format!("{} for commands ", cx.keymap.prefix()),
        };
        let room = usize::from(self.status.width);
        let mut right = format!(" {right}");
        if plain && text::width(&words) + text::width(&right) > room {
            right = format!("  {} ", cx.keymap.prefix());
        }
        let wide = u16::try_from(text::width(&right)).unwrap_or(u16::MAX);
        if self.status.width >= wide + 12 {
            let left = Rect {
                width: self.status.width - wide,
                ..self.status
            };
            painter.put(left, 0, &words, role);
            painter.put_right(self.status, 0, &right, role);
        } else {
            painter.put(self.status, 0, &words, role);
        }
    }

    /// What can be pressed after the prefix.
    fn draw_keys(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let mut lines: Vec<(String, &str)> = Vec::new();
        for (keys, row) in cx.keymap.bindings(Scope::Prefix) {
            match lines.iter_mut().find(|(_, title)| *title == row.title) {
                Some((chords, _)) => {
                    chords.push(' ');
                    chords.push_str(&written(&keys));
                }
                None if row.id.starts_with("pane.") && row.id.len() == 6 => {
                    if !lines.iter().any(|(_, title)| *title == "session by number") {
                        lines.push(("0-9".to_owned(), "session by number"));
                    }
                }
                None => lines.push((written(&keys), row.title)),
            }
        }
        let prefix = cx.keymap.prefix().to_string();
        lines.push((prefix.clone(), "sends the chord itself"));
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(2);
        let (width, height) = (38.min(self.screen.width), height.min(self.screen.height));
        let area = Rect {
            x: self.screen.right() - width,
            y: self.screen.bottom() - height,
            width,
            height,
        };
        let inside = painter.frame(area, &format!("after {prefix}"), Role::BorderFocus);
        for (row, (chords, title)) in (0..inside.height).zip(&lines) {
            painter.put(inside, row, chords, Role::Key);
            painter.put_at(inside, 10, row, title, Role::Fg);
        }
    }

    fn draw_end(&self, how: &str, painter: &mut Painter<'_>) {
        let height = 1.min(self.screen.height);
        let area = below(self.screen, self.screen.height - height);
        painter.clear(area);
        painter.tint(area, Role::Prompt);
        painter.put(area, 0, &ended(how, usize::from(area.width)), Role::Prompt);
    }
}

/// What else the status line tells of a session: that our agent goes with it, forwards, how far away the host is, and a
/// connection that is not there.
fn carried(cx: Cx<'_>, session: &SessionView) -> Vec<String> {
    let mut parts = Vec::new();
    if session.agent {
        parts.push("agent forwarded".to_owned());
    }
    if let Some(ShellState::Ready(Some(status @ 1..))) = session.screen.as_ref().map(|s| s.shell) {
        parts.push(format!("exit {status}"));
    }
    let live = matches!(session.state, SessionState::Live);
    let listening =
        |row: &&ForwardRow| row.host == session.host && row.state == ForwardState::Listening;
    let forwards = cx.model.forwards.iter().filter(listening).count();
    if forwards > 0 {
        parts.push(plural(forwards, "forward"));
    }
    if let Some(row) = cx.model.connection(&session.host).filter(|_| live) {
        match (&row.state, row.rtt_ms) {
            (ConnectionState::Up, _) if row.silent_ms.is_some() => {
                parts.push(connections::state(row).0);
            }
            (ConnectionState::Up, Some(millis)) => parts.push(format!("{millis}ms")),
            (ConnectionState::Up, None) => {}
            (ConnectionState::Connecting | ConnectionState::Waiting { .. }, _) => {
                parts.push(connections::state(row).0);
            }
        }
    }
    parts
}
/// What is said under a pane that has ended. The way out is never cut; the reason is, if it must be.
fn ended(how: &str, width: usize) -> String {
    const WAYS: &str = "r opens it again, Enter closes it, Esc leaves it in the list";
    let whole = format!(" Ended: {how}. {WAYS}.");
    if whole.chars().count() <= width {
        return whole;
    }
    let room = width.saturating_sub(" Ended:   r again  Enter close  Esc leave".len());
    let mut reason: String = how.chars().take(room.saturating_sub(1)).collect();
    if reason.len() < how.len() {
        reason.push('…');
    }
    format!(" Ended: {reason}  r again  Enter close  Esc leave")
}

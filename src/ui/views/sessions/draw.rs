//! Draws the list of sessions.

use ratatui::layout::Rect;

use super::{Row, SessionList, rows};
use crate::command::Scope;
use crate::domain::time::short;
use crate::model::{Model, SessionState};
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::words::{age, no_match, placeholder, whole};
use crate::ui::views::{Cx, connections};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("HOST", 14, 0).growing_to(28),
    Column::new("STATE", 16, 0).growing_to(32),
    Column::new("REF", 7, 1),
    Column::new("TICKET", 7, 2),
    Column::new("BEGAN", 5, 3).right(),
    Column::new("LASTED", 6, 4).right(),
    Column::new("SIZE", 6, 5).right(),
    Column::new("TITLE", 20, 6).growing(),
];

impl SessionList {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, area, &self.empty(cx));
        }
        let rows = rows(cx.model);
        for (at, id) in self.list.visible() {
            let Some(row) = rows.iter().find(|row| row.id() == *id) else {
                continue;
            };
            let line = Line {
                cells: cells(cx.model, *row),
                selected: self.list.is_selected(id),
                marked: cx.model.broadcast.marked.contains(id),
                matches: (0, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
        self.draw_whole(cx, area, painter);
    }

    /// The state of the selected session where its column is too narrow for it: why it ended is worth a line.
    fn draw_whole(&self, cx: Cx<'_>, area: Rect, painter: &mut Painter<'_>) {
        let selected = self.list.selected().and_then(|id| cx.model.session(*id));
        let Some(session) = selected else {
            return;
        };
        let used = u16::try_from(self.list.visible().count()).unwrap_or(u16::MAX);
        let mut words = match &session.monitor.matched {
            Some(found) => format!("{}: {found}", session.host),
            None => format!("{}: {}", session.host, state(&session.state).0),
        };
        if matches!(session.state, SessionState::Live) && session.monitor.matched.is_none() {
            return;
        }
        if let (SessionState::Opening(_), Some(row)) =
            (&session.state, cx.model.connection(&session.host))
        {
            words = format!("{}: {}", session.host, connections::state(row).0);
        }
        whole(painter, area, used, &words, Role::Dim);
    }

    fn empty(&self, cx: Cx<'_>) -> String {
        if !self.list.query().trim().is_empty() {
            return no_match(self.list.query());
        }
        let hosts = cx.key(&[Scope::Global], "view.hosts");
        let open = cx.key(&[Scope::Hosts, Scope::List, Scope::Global], "session.open");
        format!("No sessions yet. Go to a host ({hosts}) or a ticket and press {open}.")
    }
}

fn cells(model: &Model, row: Row<'_>) -> Vec<(String, Role)> {
    match row {
        Row::Live(session) => {
            let (state, role) = match &session.lost {
                Some(lost) => (lost.brief().to_owned(), Role::Warn),
                None => state(&session.state),
            };
            let mut state = state;
            for (on, word) in [
                (
                    session.recording && session.state == SessionState::Live,
                    ", recorded",
                ),
                (session.monitor.matched.is_some(), ", matched"),
                (session.bell, ", rang"),
                (session.monitor.silent, ", silent"),
                (session.activity && !session.bell, ", new output"),
            ] {
                if on {
                    state.push_str(word);
                }
            }
            let began = model.recorded.iter().find(|row| row.id == session.id);
            vec![
                (session.host.clone(), Role::Title),
                (state, role),
                (session.reference.clone(), Role::Accent),
                (session.ticket.clone().unwrap_or_default(), Role::Accent),
                (
                    began.map_or_else(String::new, |row| age(model.now, row.opened)),
                    Role::Dim,
                ),
                (String::new(), Role::Dim),
                (String::new(), Role::Dim),
                (session.title.clone(), Role::Dim),
            ]
        }
        Row::Recorded(row) => {
            let (state, role) = match (row.live, row.exit) {
                (true, _) => ("open elsewhere".to_owned(), Role::Ok),
                (false, Some(0)) => ("exit 0".to_owned(), Role::Dim),
                (false, Some(exit)) => (format!("exit {exit}"), Role::Warn),
                (false, None) => ("ended, how is not known".to_owned(), Role::Unknown),
            };
            let lasted = row
                .closed
                .map_or_else(String::new, |closed| short(closed.since(row.opened)));
            vec![
                (row.host.clone(), Role::Fg),
                (state, role),
                (row.reference.clone(), Role::Accent),
                (row.ticket.clone().unwrap_or_default(), Role::Accent),
                (age(model.now, row.opened), Role::Dim),
                (lasted, Role::Dim),
                (bytes(row.bytes), Role::Dim),
                (String::new(), Role::Dim),
            ]
        }
    }
}

/// How far a live session is, in words.
pub(crate) fn state(state: &SessionState) -> (String, Role) {
    match state {
        SessionState::Opening(how) if how.is_empty() => ("connecting".to_owned(), Role::Warn),
        SessionState::Opening(how) => (format!("connecting: {how}"), Role::Warn),
        SessionState::Live => ("live".to_owned(), Role::Ok),
        SessionState::Closed(how) => (format!("ended: {how}"), Role::Dim),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0 => String::new(),
        1..10_000 => format!("{count}B"),
        10_000..10_000_000 => format!("{}K", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

//! Draws the list of connections.

use ratatui::layout::Rect;

use super::ConnectionList;
use crate::command::Scope;
use crate::domain::connection::{ConnectionRow, ConnectionState, ConnectionUsers};
use crate::domain::time::short;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{bytes, no_match, placeholder, plural, whole};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("HOST", 13, 0).growing_to(28),
    Column::new("STATE", 14, 0).growing_to(48),
    Column::new("AGE", 4, 4).right(),
    Column::new("RTT", 6, 2).right(),
    Column::new("USED BY", 14, 1).growing_to(44),
    Column::new("IN", 4, 5).right(),
    Column::new("OUT", 4, 6).right(),
    Column::new("QUANTUM", 8, 3),
    Column::new("VIA", 14, 7).growing_to(24),
    Column::new("KEY EXCHANGE", 24, 8).growing_to(34),
    Column::new("LOGIN", 14, 9).growing_to(30),
    Column::new("ADDRESS", 18, 10).growing_to(36),
];
/// The place of the column that says who uses a connection.
const USERS: usize = 4;

impl ConnectionList {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        self.draw_sorted(painter, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, area, &self.empty(cx));
        }
        let room = places.get(USERS).map_or(0, |(_, wide)| usize::from(wide));
        for (at, id) in self.list.visible() {
            let Some(row) = cx.model.connections.iter().find(|row| row.id == *id) else {
                continue;
            };
            let line = Line {
                cells: cells(cx, row, room),
                selected: self.list.is_selected(id),
                marked: false,
                matches: (0, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
        self.draw_why(cx, painter, area);
    }

    /// Why the selected connection waits, in full: the column may be too narrow for it.
    fn draw_why(&self, cx: Cx<'_>, painter: &mut Painter<'_>, area: Rect) {
        let used = u16::try_from(self.list.visible().count()).unwrap_or(u16::MAX);
        if let Some(row) = self.selected(cx.model)
            && let ConnectionState::Waiting { .. } = row.state
        {
            let (words, role) = state(row);
            whole(painter, area, used, &format!("{}: {words}", row.host), role);
        }
    }

    /// The column that the rows are sorted by stands out.
    fn draw_sorted(&self, painter: &mut Painter<'_>, places: &Places) {
        let index = COLUMNS
            .iter()
            .position(|column| column.title == self.sort.column());
        if let Some((x, wide)) = index.and_then(|index| places.get(index)) {
            let area = Rect {
                x: self.table.x + x,
                width: wide,
                height: 1.min(self.table.height),
                ..self.table
            };
            painter.tint(area.intersection(self.table), Role::Match);
        }
    }

    fn empty(&self, cx: Cx<'_>) -> String {
        if !self.list.query().trim().is_empty() {
            return no_match(self.list.query());
        }
        if cx.model.connections_at.is_none() {
            return "Looking at the connections.".to_owned();
        }
        let hosts = cx.key(&[Scope::Global], "view.hosts");
        let open = cx.key(&[Scope::Hosts, Scope::List, Scope::Global], "session.open");
        format!(
            "No connections. One is made when a host is used: go to a host ({hosts}) and press {open}."
        )
    }
}

fn cells(cx: Cx<'_>, row: &ConnectionRow, room: usize) -> Vec<(String, Role)> {
    let production = cx.model.is_production(&row.host);
    let up = row.state == ConnectionState::Up;
    let fresh = if up { Role::Fg } else { Role::Stale };
    let name = if row.bulk {
        format!("{} (bulk)", row.host)
    } else {
        row.host.clone()
    };
    let quantum = match (row.kex.is_empty(), row.post_quantum) {
        (true, _) => (String::new(), Role::Dim),
        (false, true) => ("safe".to_owned(), Role::Ok),
        (false, false) => ("not safe".to_owned(), Role::Warn),
    };
    let arrow = cx.look.glyph(" → ", " > ");
    vec![
        (name, if production { Role::Title } else { Role::Fg }),
        state(row),
        (lasting(row.age_ms), Role::Dim),
        (
            row.rtt_ms
                .map_or_else(String::new, |millis| format!("{millis}ms")),
            fresh,
        ),
        (users(&row.users, room), fresh),
        (bytes(row.bytes_in), fresh),
        (bytes(row.bytes_out), fresh),
        quantum,
        (row.via.join(arrow), Role::Dim),
        (row.kex.clone(), Role::Dim),
        (row.auth.clone(), Role::Dim),
        (
            format!("{}@{}:{}", row.user, row.address, row.port),
            Role::Dim,
        ),
    ]
}

/// How long something lasts; a table has no room for milliseconds.
pub(crate) fn lasting(millis: u64) -> String {
    if millis < 1_000 {
        "now".to_owned()
    } else {
        short(millis)
    }
}

/// How a connection is, in words.
pub(crate) fn state(row: &ConnectionRow) -> (String, Role) {
    match &row.state {
        ConnectionState::Up => match row.silent_ms {
            Some(silent) => (format!("no answer {}s", silent / 1_000), Role::Warn),
            None => ("up".to_owned(), Role::Ok),
        },
        ConnectionState::Connecting => ("connecting".to_owned(), Role::Warn),
        ConnectionState::Waiting { retry_ms, why } => {
            let seconds = retry_ms.div_ceil(1_000);
            let words = if *retry_ms == 0 {
                format!("paused: {why}")
            } else {
                format!("waiting {seconds}s: {why}")
            };
            (words, Role::Unreachable)
        }
    }
}

/// Who uses a connection: in words where they fit into `room` columns, else by letters.
pub(crate) fn users(users: &ConnectionUsers, room: usize) -> String {
    let all = [
        (users.sessions, "session", "s"),
        (users.commands, "command", "c"),
        (users.probes, "probe", "p"),
        (users.files, "file", "f"),
        (users.forwards, "forward", "fw"),
        (users.jumps, "jump", "j"),
    ];
    let there = || all.iter().filter(|(count, ..)| *count > 0);
    let words: Vec<_> = there()
        .map(|(count, noun, _)| plural(*count as usize, noun))
        .collect();
    let words = words.join(", ");
    if text::width(&words) <= room {
        return words;
    }
    let letters: Vec<_> = there()
        .map(|(count, _, letter)| format!("{count}{letter}"))
        .collect();
    letters.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_words_where_they_fit() {
        let all = ConnectionUsers {
            sessions: 2,
            probes: 1,
            forwards: 3,
            ..ConnectionUsers::default()
        };
        assert_eq!(users(&all, 40), "2 sessions, 1 probe, 3 forwards");
        assert_eq!(users(&all, 14), "2s 1p 3fw");
        assert_eq!(users(&ConnectionUsers::default(), 14), "");
    }
}

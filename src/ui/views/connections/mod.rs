//! The list of connections: how each is, who uses it, how it was secured.

mod draw;

use ratatui::layout::{Position, Rect};

pub(crate) use draw::{lasting, state, users};

use crate::domain::connection::{ConnectionRow, ConnectionState};
use crate::model::Model;
use crate::model::SessionState;
use crate::ui::list::ListState;
use crate::ui::paint::below;
use crate::ui::views::words::plural;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct ConnectionList {
    pub(crate) list: ListState<u64>,
    sort: Sort,
    table: Rect,
}

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Host,
    /// What needs a look first.
    State,
    /// The youngest first.
    Age,
    /// The slowest first.
    Rtt,
    /// The busiest first.
    Traffic,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Host => Self::State,
            Self::State => Self::Age,
            Self::Age => Self::Rtt,
            Self::Rtt => Self::Traffic,
            Self::Traffic => Self::Host,
        }
    }

    /// The heading of the column.
    fn column(self) -> &'static str {
        match self {
            Self::Host => "HOST",
            Self::State => "STATE",
            Self::Age => "AGE",
            Self::Rtt => "RTT",
            Self::Traffic => "IN",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Host => "by host",
            Self::State => "troubled first",
            Self::Age => "youngest first",
            Self::Rtt => "slowest first",
            Self::Traffic => "busiest first",
        }
    }
}

impl ConnectionList {
    pub(crate) fn sync(&mut self, model: &Model) {
        let mut rows: Vec<&ConnectionRow> = model.connections.iter().collect();
        // The host's name decides between equals, so that rows do not dance.
        rows.sort_by(|a, b| (&a.host, a.bulk, a.id).cmp(&(&b.host, b.bulk, b.id)));
        match self.sort {
            Sort::Host => {}
            Sort::State => rows.sort_by_key(|row| trouble(row)),
            Sort::Age => rows.sort_by_key(|row| row.age_ms),
            Sort::Rtt => rows.sort_by_key(|row| std::cmp::Reverse(row.rtt_ms)),
            Sort::Traffic => {
                rows.sort_by_key(|row| {
                    std::cmp::Reverse(row.bytes_in.saturating_add(row.bytes_out))
                });
            }
        }
        self.list.sync(rows, |row| row.id, text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m ConnectionRow> {
        let id = self.list.selected()?;
        model.connections.iter().find(|row| row.id == *id)
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }

    /// Sorts by the next column, the first row selected.
    pub(crate) fn sort(&mut self) {
        self.sort = self.sort.next();
    }

    pub(crate) fn order(&self) -> &'static str {
        self.sort.words()
    }
}

fn trouble(row: &ConnectionRow) -> u8 {
    match row.state {
        ConnectionState::Waiting { .. } => 0,
        ConnectionState::Connecting => 1,
        ConnectionState::Up => 2,
    }
}

/// What the filter looks at; the host first, because its letters are shown as matches. Of a reason only that there is
/// one: its words would match almost everything.
fn text(row: &ConnectionRow) -> String {
    let word = match row.state {
        ConnectionState::Up => "up",
        ConnectionState::Connecting => "connecting",
        ConnectionState::Waiting { .. } => "waiting",
    };
    format!(
        "{} {} {} {} {} {}",
        row.host,
        word,
        row.user,
        row.address,
        row.via.join(" "),
        row.auth
    )
}

/// Whether a connection to `host` is being made, or is waited for.
pub(crate) fn attempted(model: &Model, host: &str) -> bool {
    let rows = model.connections.iter();
    rows.filter(|row| row.host == host)
        .any(|row| row.state != ConnectionState::Up)
}

/// What would end with the connections to `host`, a line each; nothing when there is no connection.
pub(crate) fn losses(model: &Model, host: &str) -> Vec<String> {
    let rows: Vec<_> = model
        .connections
        .iter()
        .filter(|row| row.host == host && row.state == ConnectionState::Up)
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let sum =
        |of: fn(&ConnectionRow) -> u32| -> usize { rows.iter().map(|row| of(row) as usize).sum() };
    let sessions: Vec<_> = model
        .sessions
        .iter()
        .filter(|session| session.host == host && session.state == SessionState::Live)
        .map(|session| session.reference.as_str())
        .collect();
    let behind: Vec<_> = behind(model, host).map(|row| row.host.as_str()).collect();
    let counted = [
        (
            sum(|row| row.users.sessions).max(sessions.len()),
            "session",
            sessions.join(" "),
        ),
        (sum(|row| row.users.commands), "command", String::new()),
        (sum(|row| row.users.files), "file transfer", String::new()),
        (
            sum(|row| row.users.forwards),
            "forwarded connection",
            String::new(),
        ),
        (
            behind.len(),
            "connection to hosts behind it",
            behind.join(" "),
        ),
    ];
    let mut lines: Vec<String> = counted
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, noun, names)| {
            let words = match noun.split_once(' ') {
                Some(("connection", rest)) => format!("{} {rest}", plural(count, "connection")),
                _ => plural(count, noun),
            };
            if names.is_empty() {
                words
            } else {
                format!("{words}: {names}")
            }
        })
        .collect();
    if lines.is_empty() {
        lines.push("Nothing but probes uses it.".to_owned());
    } else {
        lines.insert(0, "This ends:".to_owned());
    }
    lines
}

/// The connections that go through `host`.
pub(crate) fn behind<'m>(
    model: &'m Model,
    host: &'m str,
) -> impl Iterator<Item = &'m ConnectionRow> {
    model
        .connections
        .iter()
        .filter(move |row| row.via.iter().any(|hop| hop == host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::model;

    #[test]
    fn what_would_end_is_counted_and_named() {
        let model = model();
        let lines = losses(&model, "bastion").join("\n");
        assert!(lines.contains("1 session: S-5RTZ"), "{lines}");
        assert!(
            lines.contains("1 connection to hosts behind it: db1"),
            "{lines}"
        );
        assert!(losses(&model, "mail2").is_empty());
        // A connection that waits carries nothing.
        assert!(losses(&model, "mail1").is_empty());
    }
}

//! Sessions as tables and as JSON.

use serde_json::{Value, json};

use crate::cli::table::Table;
use crate::command::SessionLine;
use crate::domain::session::SessionRow;

use super::Style;

/// One object: what the store knows, and what is known of the pane.
pub(super) fn line_json(line: &SessionLine) -> Value {
    let mut value = json!(line.row);
    if let Value::Object(map) = &mut value {
        let size = line
            .size
            .map(|(cols, rows)| json!({ "cols": cols, "rows": rows }));
        map.insert("state".to_owned(), json!(line.state));
        map.insert("size".to_owned(), json!(size));
        map.insert("title".to_owned(), json!(line.title));
        map.insert("tab".to_owned(), json!(line.tab));
        map.insert("recorded".to_owned(), json!(line.recorded));
    }
    value
}

/// Sessions with their panes.
pub(super) fn line_table(lines: &[SessionLine], style: Style) -> String {
    let rows = lines.iter().map(|line| (line.state.as_str(), &line.row));
    rendered(rows, style)
}

/// Sessions as the store knows them.
pub(super) fn table(sessions: &[SessionRow], style: Style) -> String {
    let rows = sessions.iter().map(|row| (state(row), row));
    rendered(rows, style)
}

fn state(row: &SessionRow) -> &'static str {
    match (row.live, row.closed) {
        (true, _) => "live",
        (false, Some(_)) => "closed",
        (false, None) => "lost",
    }
}

fn rendered<'a>(rows: impl Iterator<Item = (&'a str, &'a SessionRow)>, style: Style) -> String {
    let mut table = Table::new(["REF", "STATE", "HOST", "TICKET", "OPENED", "BYTES", "EXIT"]);
    for (state, row) in rows {
        let exit = row.exit.map_or("-".to_owned(), |exit| exit.to_string());
        let ticket = row.ticket.as_deref().unwrap_or("-");
        let (opened, bytes) = (row.opened.local(), row.bytes.to_string());
        table.row([
            row.reference.as_str(),
            state,
            &row.host,
            ticket,
            &opened,
            &bytes,
            &exit,
        ]);
    }
    table.render(style.width)
}

//! Forwards as text: a line for each change, a table for the list.

use crate::cli::table::Table;
use crate::domain::forward::{ForwardRow, ForwardState};
use crate::domain::text;

use super::Style;

/// A change, as a line; the answer says too whether it is news of what went wrong.
pub(in crate::cli) fn forward_line(row: &ForwardRow) -> Option<(String, bool)> {
    let place = text::line(&format!("{} through {}", row.rule, row.host));
    let (words, bad) = match &row.state {
        ForwardState::Starting | ForwardState::Stopped => return None,
        ForwardState::Listening if let Some(why) = &row.trouble => (
            format!("a connection failed: {place}: {}", text::line(why)),
            true,
        ),
        ForwardState::Listening => (format!("listening: {place}"), false),
        ForwardState::Waiting { why } => (
            format!("waiting: {place}: {}; trying again", text::line(why)),
            true,
        ),
        // The end of the command says why.
        ForwardState::Failed { .. } => (format!("failed: {place}"), true),
    };
    Some((words, bad))
}

pub(super) fn forward_table(rows: &[ForwardRow], style: Style) -> String {
    let mut table = Table::new([
        "ID", "STATE", "HOST", "FORWARD", "OPEN", "TOTAL", "IN", "OUT",
    ]);
    for row in rows {
        table.row([
            &row.id.to_string(),
            state(&row.state),
            &row.host,
            &row.rule.to_string(),
            &row.open.to_string(),
            &row.total.to_string(),
            &row.bytes_in.to_string(),
            &row.bytes_out.to_string(),
        ]);
    }
    table.render(style.width)
}

fn state(state: &ForwardState) -> &'static str {
    match state {
        ForwardState::Starting => "starting",
        ForwardState::Listening => "listening",
        ForwardState::Waiting { .. } => "waiting",
        ForwardState::Failed { .. } => "failed",
        ForwardState::Stopped => "stopped",
    }
}

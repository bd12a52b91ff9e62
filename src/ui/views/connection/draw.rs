//! Writes a connection as a document.

use crate::domain::connection::{ConnectionRow, ConnectionState};
use crate::model::{Model, SessionState};
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::view::View;
use crate::ui::views::Cx;
use crate::ui::views::connections::{behind, lasting, state, users};
use crate::ui::views::forwards;
use crate::ui::views::words::{bytes, plural};

/// How it is and how it was secured.
pub(super) fn head(cx: Cx<'_>, row: &ConnectionRow, writer: &mut Writer) {
    writer.anchor("head");
    let (words, role) = state(row);
    let mut head = vec![(format!("{}  ", row.host), Role::Title)];
    match &row.state {
        ConnectionState::Waiting { .. } => {}
        ConnectionState::Up | ConnectionState::Connecting => head.push((words.clone(), role)),
    }
    if let ConnectionState::Waiting { .. } = row.state {
        head.push(("not connected".to_owned(), Role::Unreachable));
    }
    head.push((
        format!("  for {}", lasting(row.age_ms)).replace("for now", "just now"),
        Role::Dim,
    ));
    if cx.model.is_production(&row.host) {
        head.push(("  ".to_owned(), Role::Fg));
        head.push((" production ".to_owned(), Role::Prod));
    }
    if row.bulk {
        head.push(("  second connection, for bulk data".to_owned(), Role::Dim));
    }
    writer.spans(head);
    if let ConnectionState::Waiting { .. } = row.state {
        writer.text(&words, 0, role);
    }
    writer.gap();
    let arrow = cx.look.glyph(" → ", " > ");
    let place = format!("{}@{}:{}", row.user, row.address, row.port);
    writer.field("login", &place, Role::Fg);
    writer.field("by", &row.auth, Role::Fg);
    writer.field("via", &row.via.join(arrow), Role::Fg);
    writer.field("server", &row.server, Role::Fg);
    let rtt = row
        .rtt_ms
        .map_or_else(|| "not measured yet".to_owned(), |ms| format!("{ms}ms"));
    writer.field("round trip", &rtt, Role::Fg);
    writer.field(
        "bytes",
        &format!("in {}  out {}", bytes(row.bytes_in), bytes(row.bytes_out)),
        Role::Fg,
    );
    let used = users(&row.users, usize::MAX);
    let used = if used.is_empty() { "nobody" } else { &used };
    writer.field("used by", used, Role::Fg);
    if let Some(limit) = row.channel_limit {
        let words = format!("the server allows {limit} at once");
        writer.field("channels", &words, Role::Warn);
    }
    secured(row, writer);
}

fn secured(row: &ConnectionRow, writer: &mut Writer) {
    if row.kex.is_empty() {
        return;
    }
    writer.heading("how it is secured", "secured");
    writer.field("exchange", &row.kex, Role::Fg);
    if row.post_quantum {
        let words = "safe against later quantum computers";
        writer.field("", words, Role::Ok);
    } else {
        let words = "not safe against later quantum computers: who records this now may read it then. OpenSSH 9.0 and later servers can do better.";
        writer.field("", words, Role::Warn);
    }
    writer.field("cipher", &row.cipher, Role::Fg);
    writer.field("host key", &row.host_key, Role::Fg);
}

/// What the server said, and what else is worth telling. It is foreign text: the writer makes it harmless.
pub(super) fn notes(row: &ConnectionRow, writer: &mut Writer) {
    if row.notes.is_empty() {
        return;
    }
    writer.heading("notes", "notes");
    for note in &row.notes {
        writer.text(note.trim_end(), 0, Role::Fg);
    }
}

/// The sessions on it and the connections through it.
pub(super) fn riders(cx: Cx<'_>, row: &ConnectionRow, writer: &mut Writer) {
    let sessions: Vec<_> = cx
        .model
        .sessions
        .iter()
        .filter(|session| session.host == row.host && session.state == SessionState::Live)
        .collect();
    if !sessions.is_empty() {
        writer.heading(&plural(sessions.len(), "session"), "sessions");
    }
    for session in sessions {
        let ticket = session.ticket.as_deref().unwrap_or_default();
        writer.link(
            vec![
                (format!("{}  ", session.reference), Role::Accent),
                (format!("{ticket:<8}"), Role::Accent),
                (session.title.clone(), Role::Dim),
            ],
            View::Pane(session.id),
        );
    }
    let behind: Vec<_> = behind(cx.model, &row.host).collect();
    if !behind.is_empty() {
        writer.heading("connections through it", "behind");
    }
    for other in behind {
        let (words, role) = state(other);
        writer.link(
            vec![(format!("{}  ", other.host), Role::Fg), (words, role)],
            View::Connection {
                id: other.id,
                host: other.host.clone(),
            },
        );
    }
}

/// The forwards through a host; they lead to the page where they can be stopped.
pub(super) fn forwards_of(model: &Model, host: &str, writer: &mut Writer) {
    let rows: Vec<_> = model
        .forwards
        .iter()
        .filter(|row| row.host == host)
        .collect();
    if rows.is_empty() {
        return;
    }
    writer.heading(&plural(rows.len(), "forward"), "forwards");
    for row in rows {
        let (words, role) = forwards::state(row);
        let counts = format!(
            "  {} open, {} in all, in {} out {}",
            row.open,
            row.total,
            bytes(row.bytes_in),
            bytes(row.bytes_out)
        );
        writer.link(
            vec![
                (format!("{}  ", row.rule), Role::Fg),
                (words, role),
                (counts, Role::Dim),
            ],
            View::Forwards,
        );
        if let Some(trouble) = &row.trouble {
            writer.text(trouble, 4, Role::Warn);
        }
    }
}

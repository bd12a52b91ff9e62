//! Answers as text for people and as JSON for programs. Pure: it only makes strings.

mod care;
mod forward;
mod host;
mod run;
mod session;
mod sync;
mod ticket;

use std::fmt::{Arguments, Write as _};

use serde_json::{Value, json};

use crate::command::Answer;
use crate::domain::text;
use crate::domain::ticket::Ticket;
use crate::domain::time::Time;

pub(in crate::cli) use forward::forward_line;
pub(in crate::cli) use sync::code_text;

/// For whom an answer is written.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Style {
    /// The terminal's width; `None` when the output is no terminal.
    pub width: Option<usize>,
    /// The time now, for ages.
    pub now: Time,
    /// Show equal outputs once.
    pub fold: bool,
}

/// The answer as one JSON document, a list for lists.
pub(in crate::cli) fn json(answer: &Answer) -> Value {
    match answer {
        Answer::Done(text) => json!({ "done": text }),
        Answer::Error(text) => json!({ "error": text }),
        Answer::Tickets(tickets) => json!(tickets),
        Answer::Ticket(ticket) => json!(ticket),
        Answer::Hosts { hosts, .. } => json!(hosts),
        Answer::Host { host, effective } => {
            let mut value = json!(host);
            if let Value::Object(map) = &mut value {
                match effective {
                    Ok(effective) => map.insert("effective".to_owned(), json!(effective.options)),
                    Err(why) => map.insert("effective_error".to_owned(), json!(why)),
                };
            }
            value
        }
        Answer::Import(report) => json!(report),
        Answer::Health(rows) => json!(rows),
        Answer::Sessions(sessions) => json!(sessions),
        Answer::SessionLines(lines) => lines.iter().map(session::line_json).collect(),
        Answer::Opened { reference, host } => json!({ "ref": reference, "host": host }),
        Answer::Captured(row) => json!(row),
        Answer::Matched { reference, line } => json!({ "ref": reference, "line": line }),
        Answer::Session { session, text } => {
            let mut value = json!(session);
            if let Value::Object(map) = &mut value {
                map.insert("text".to_owned(), json!(text));
            }
            value
        }
        Answer::Books { books, broken } => {
            let mut list: Vec<Value> = books.iter().map(|book| json!(book)).collect();
            list.extend(broken.iter().map(|finding| json!({ "error": finding })));
            Value::Array(list)
        }
        Answer::Book(book) => json!(book),
        Answer::Diagnostics(findings) => json!(findings),
        Answer::Preview {
            hosts,
            steps,
            merged,
        } => json!({ "hosts": hosts, "steps": steps, "merged": merged }),
        Answer::Runs(runs) => json!(runs),
        Answer::Run(run) => json!(run),
        Answer::Exec(cells) => json!(cells),
        Answer::Forwards(rows) => json!(rows),
        Answer::Copy(report) => json!(report),
        Answer::Doctor(lines) => json!({ "ok": lines.iter().all(|line| line.ok), "lines": lines }),
        Answer::Audit(rows) => json!(rows),
        Answer::Chains(chains) => care::chains_json(chains),
        Answer::Purged(purged) => json!(purged),
        Answer::Found(found) => json!(found),
        Answer::Size(rows) => json!(rows),
        Answer::Info(info) => json!(info),
        Answer::Server(status) => json!(status),
        Answer::Sync(status) => sync::status_json(status.as_deref()),
        Answer::SyncDevices(devices) => json!(devices),
        Answer::Synced { said, status } => sync::done_json(said, status.as_deref()),
        Answer::Names(names) => json!(names),
        Answer::Silent => Value::Null,
    }
}

/// A ticket with its whole history, as a page of text.
pub(in crate::cli) fn ticket_page(ticket: &Ticket) -> String {
    let style = Style {
        width: None,
        now: ticket.updated,
        fold: false,
    };
    ticket::ticket_text(ticket, style)
}

/// The answer as text.
pub(in crate::cli) fn text(answer: &Answer, style: Style) -> String {
    match answer {
        Answer::Done(line) | Answer::Error(line) => text::block(line) + "\n",
        Answer::Tickets(tickets) => ticket::ticket_table(tickets, style),
        Answer::Ticket(ticket) => ticket::ticket_text(ticket, style),
        Answer::Hosts { hosts, columns } => host::host_table(hosts, columns.as_deref(), style),
        Answer::Host { host, effective } => host::host_text(host, effective),
        Answer::Import(report) => host::import_text(report),
        Answer::Health(rows) => host::health_table(rows, style),
        Answer::Sessions(sessions) => session::table(sessions, style),
        Answer::SessionLines(lines) => session::line_table(lines, style),
        Answer::Opened { reference, .. } => text::line(reference) + "\n",
        // Made of cells by ourselves: the only escape sequences in it set colours.
        Answer::Captured(row) => row.text.clone() + "\n",
        Answer::Matched { line, .. } => text::line(line) + "\n",
        Answer::Session { session, text } => format!(
            "{} on {}, opened {}, {} bytes recorded\n\n{}\n",
            session.reference,
            text::line(&session.host),
            session.opened.local(),
            session.bytes,
            text::block(text)
        ),
        Answer::Books { books, broken } => run::book_table(books, broken, style),
        Answer::Book(book) => run::book_text(book),
        Answer::Diagnostics(findings) if findings.is_empty() => "no errors\n".to_owned(),
        Answer::Diagnostics(findings) => findings
            .iter()
            .map(|finding| text::line(&finding.to_string()) + "\n")
            .collect(),
        Answer::Preview {
            hosts,
            steps,
            merged,
        } => run::preview_text(hosts, steps, merged),
        Answer::Runs(runs) => run::run_table(runs, style),
        Answer::Run(run) => run::run_text(run),
        Answer::Exec(cells) => run::exec_text(cells, style),
        Answer::Forwards(rows) => forward::forward_table(rows, style),
        Answer::Sync(status) => sync::status_text(status.as_deref(), style),
        Answer::SyncDevices(devices) => sync::device_table(devices, style),
        Answer::Synced { said, .. } => text::block(said) + "\n",
        // What there is to say about it goes to standard error.
        Answer::Copy(_) => String::new(),
        Answer::Audit(rows) => care::audit_table(rows, style),
        Answer::Found(found) => care::found_table(found, style),
        Answer::Chains(_)
        | Answer::Purged(_)
        | Answer::Size(_)
        | Answer::Doctor(_)
        | Answer::Info(_)
        | Answer::Server(_)
        | Answer::Names(_) => {
            let lines = answer.listing().map(|(_, lines)| lines).unwrap_or_default();
            lines.iter().map(|line| text::line(line) + "\n").collect()
        }
        Answer::Silent => String::new(),
    }
}

fn indent(script: &str) -> String {
    text::block(script.trim_end())
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect()
}

/// Adds a line. Writing to a string cannot fail.
fn say(out: &mut String, line: Arguments<'_>) {
    out.write_fmt(line).ok();
    out.push('\n');
}

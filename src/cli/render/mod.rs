//! Answers as text for people and as JSON for programs. Pure: it only makes strings.

mod host;
mod run;
mod ticket;

use std::fmt::{Arguments, Write as _};

use serde_json::{Value, json};

use crate::command::Answer;
use crate::domain::text;
use crate::domain::time::Time;

use super::table::Table;

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
        Answer::Doctor(lines) => json!({ "ok": lines.iter().all(|line| line.ok), "lines": lines }),
        Answer::Info(info) => json!(info),
        Answer::Names(names) => json!(names),
        Answer::Silent => Value::Null,
    }
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
        Answer::Sessions(sessions) => {
            let mut table =
                Table::new(["REF", "STATE", "HOST", "TICKET", "OPENED", "BYTES", "EXIT"]);
            for session in sessions {
                let state = if session.live {
                    "live"
                } else if session.closed.is_some() {
                    "closed"
                } else {
                    "lost"
                };
                let exit = session.exit.map_or("-".to_owned(), |exit| exit.to_string());
                let ticket = session.ticket.as_deref().unwrap_or("-");
                table.row([
                    &session.reference,
                    state,
                    &session.host,
                    ticket,
                    &session.opened.local(),
                    &session.bytes.to_string(),
                    &exit,
                ]);
            }
            table.render(style.width)
        }
        Answer::Session { session, text } => format!(
            "{} on {}, opened {}, {} bytes recorded\n\n{}\n",
            session.reference,
            text::line(&session.host),
            session.opened.local(),
            session.bytes,
            text::block(text)
        ),
        Answer::Books { books, broken } => {
            let mut table = Table::new(["NAME", "STEPS", "PARAMETERS", "TITLE"]);
            for book in books {
                let params: Vec<&str> = book
                    .params
                    .iter()
                    .map(|param| param.name.as_str())
                    .collect();
                table.row([
                    book.name.clone(),
                    book.steps.len().to_string(),
                    params.join(","),
                    book.title.clone(),
                ]);
            }
            let mut out = table.render(style.width);
            broken.iter().for_each(|finding| {
                say(
                    &mut out,
                    format_args!("{}", text::line(&finding.to_string())),
                )
            });
            out
        }
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
        } => {
            let mut out = format!(
                "would run on {} hosts: {}\n",
                hosts.len(),
                text::line(&hosts.join(" "))
            );
            merged
                .iter()
                .for_each(|note| say(&mut out, format_args!("{}", text::line(note))));
            for (index, step) in steps.iter().enumerate() {
                say(
                    &mut out,
                    format_args!(
                        "\n{}. {}\n{}",
                        index + 1,
                        text::line(&step.name),
                        indent(&step.text)
                    ),
                );
            }
            out
        }
        Answer::Runs(runs) => {
            let mut table = Table::new(["REF", "STATE", "BOOK", "HOSTS", "TICKET", "STARTED"]);
            for run in runs {
                let ticket = run.ticket.as_deref().unwrap_or("-");
                table.row([
                    &run.reference,
                    run.state.word(),
                    &run.book,
                    &run.hosts.len().to_string(),
                    ticket,
                    &run.started.local(),
                ]);
            }
            table.render(style.width)
        }
        Answer::Run(run) => run::run_text(run),
        Answer::Exec(cells) => run::exec_text(cells, style),
        Answer::Doctor(lines) => lines
            .iter()
            .map(|line| {
                format!(
                    "{}  {}: {}\n",
                    if line.ok { "ok " } else { "BAD" },
                    line.name,
                    text::line(&line.detail)
                )
            })
            .collect(),
        Answer::Info(info) => format!(
            "version   {}\nsqlite    {}\nsettings  {}\nstore     {}\nlog       {}\ndevice    {}\n",
            info.version, info.sqlite, info.config, info.data, info.state, info.device
        ),
        Answer::Names(names) => names.iter().map(|name| text::line(name) + "\n").collect(),
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

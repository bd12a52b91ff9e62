//! Answers as text for people and as JSON for programs. Pure: it only makes strings.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::command::{Answer, HostHealth, ImportReport};
use crate::domain::case::Entry;
use crate::domain::host::{Effective, Host};
use crate::domain::run::{Cell, RunRow};
use crate::domain::runbook::{Action, Runbook};
use crate::domain::sample::Sample;
use crate::domain::text;
use crate::domain::ticket::Ticket;
use crate::domain::time::{Time, short};

use super::table::Table;

/// For whom an answer is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// The terminal's width; `None` when the output is no terminal.
    pub width: Option<usize>,
    /// The time now, for ages.
    pub now: Time,
    /// Show equal outputs once.
    pub fold: bool,
}

/// The answer as one JSON document, a list for lists.
pub(super) fn json(answer: &Answer) -> Value {
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
pub(super) fn text(answer: &Answer, style: Style) -> String {
    match answer {
        Answer::Done(line) | Answer::Error(line) => text::block(line) + "\n",
        Answer::Tickets(tickets) => ticket_table(tickets, style),
        Answer::Ticket(ticket) => ticket_text(ticket, style),
        Answer::Hosts { hosts, columns } => host_table(hosts, columns.as_deref(), style),
        Answer::Host { host, effective } => host_text(host, effective),
        Answer::Import(report) => import_text(report),
        Answer::Health(rows) => health_table(rows, style),
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
            broken
                .iter()
                .for_each(|finding| drop(writeln!(out, "{}", text::line(&finding.to_string()))));
            out
        }
        Answer::Book(book) => book_text(book),
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
                .for_each(|note| drop(writeln!(out, "{}", text::line(note))));
            for (index, step) in steps.iter().enumerate() {
                let _unfailing = write!(
                    out,
                    "\n{}. {}\n{}\n",
                    index + 1,
                    text::line(&step.name),
                    indent(&step.text)
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
        Answer::Run(run) => run_text(run),
        Answer::Exec(cells) => exec_text(cells, style),
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

fn ticket_table(tickets: &[Ticket], style: Style) -> String {
    let mut table = Table::new(["REF", "P", "STATE", "OWNER", "AGE", "HOSTS", "TITLE"]);
    for ticket in tickets {
        let owner = ticket.owner.as_deref().unwrap_or("-");
        let hosts = if ticket.hosts.is_empty() {
            "-".to_owned()
        } else {
            ticket.hosts.join(",")
        };
        table.row([
            &ticket.reference,
            &ticket.priority.to_string(),
            ticket.state.word(),
            owner,
            &short(style.now.since(ticket.created)),
            &hosts,
            &ticket.title,
        ]);
    }
    table.render(style.width)
}

fn ticket_text(ticket: &Ticket, style: Style) -> String {
    let list = |items: &[String]| {
        if items.is_empty() {
            "-".to_owned()
        } else {
            text::line(&items.join(" "))
        }
    };
    let mut out = format!(
        "{}  {}\nstate {}  priority {}  kind {}  queue {}  owner {}  requester {}\nhosts {}\ntags {}\n",
        ticket.reference,
        text::line(&ticket.title),
        ticket.state,
        ticket.priority,
        ticket.kind,
        if ticket.queue.is_empty() {
            "-".to_owned()
        } else {
            text::line(&ticket.queue)
        },
        text::line(ticket.owner.as_deref().unwrap_or("-")),
        text::line(ticket.requester.as_deref().unwrap_or("-")),
        list(&ticket.hosts),
        list(&ticket.tags),
    );
    if !ticket.links.is_empty() {
        let _unfailing = writeln!(out, "links {}", list(&ticket.links));
    }
    if let Some(due) = ticket.due {
        let _unfailing = writeln!(out, "due {}", due.local());
    }
    if !ticket.conflicts.is_empty() {
        let _unfailing = writeln!(
            out,
            "edited on two devices at once: {}",
            list(&ticket.conflicts)
        );
    }
    if !ticket.body.is_empty() {
        let _unfailing = write!(out, "\n{}\n", text::block(ticket.body.trim_end()));
    }
    if !ticket.entries.is_empty() {
        out.push('\n');
        ticket
            .entries
            .iter()
            .for_each(|entry| out.push_str(&entry_text(entry, style.now)));
    }
    out
}

fn entry_text(entry: &Entry, now: Time) -> String {
    let mut tail = Vec::new();
    tail.extend(entry.host.iter().map(|host| format!("host {host}")));
    tail.extend(entry.session.iter().cloned());
    tail.extend(entry.run.iter().cloned());
    for name in ["state", "exit"] {
        tail.extend(entry.data.get(name).map(|value| {
            format!(
                "{name} {}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            )
        }));
    }
    tail.extend(entry.data.get("took_ms").and_then(Value::as_u64).map(short));
    tail.extend(
        entry
            .data
            .get("bytes")
            .map(|bytes| format!("{bytes} bytes")),
    );
    let tail = if tail.is_empty() {
        String::new()
    } else {
        format!("  ({})", text::line(&tail.join(", ")))
    };
    let body = text::block(entry.text.trim_end()).replace('\n', "\n      ");
    format!(
        "{:>5}  {:<8} {:<10} {body}{tail}\n",
        short(now.since(entry.at)),
        entry.kind.word(),
        text::line(&entry.author)
    )
}

fn host_table(hosts: &[Host], columns: Option<&[String]>, style: Style) -> String {
    let usual: Vec<String> = ["name", "state", "age", "address", "user", "jump", "tags"]
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let columns = columns.unwrap_or(&usual);
    let headings: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let mut table = Table::new(headings.iter().map(String::as_str));
    for host in hosts {
        table.row(columns.iter().map(|column| host_field(host, column)));
    }
    table.render(style.width)
}

fn host_field(host: &Host, column: &str) -> String {
    let dash = |text: Option<String>| {
        text.filter(|text| !text.is_empty())
            .unwrap_or_else(|| "-".to_owned())
    };
    match column {
        "name" if host.stale => format!("{} (stale)", host.name),
        "name" => host.name.clone(),
        "state" => host.state.word().to_owned(),
        "age" | "age_s" => dash(host.age_s.map(|age| short(age.saturating_mul(1000)))),
        "address" => match (&host.address, host.port) {
            (Some(address), Some(port)) => format!("{address}:{port}"),
            (address, _) => dash(address.clone()),
        },
        "port" => dash(host.port.map(|port| port.to_string())),
        "user" => dash(host.user.clone()),
        "jump" => dash(Some(host.jump.join(","))),
        "groups" => dash(Some(host.groups.join(","))),
        "tags" => dash(Some(host.tags.join(","))),
        "notes" => dash(Some(host.notes.clone())),
        "id" => host.id.to_string(),
        "stale" => host.stale.to_string(),
        "source" => dash(
            host.source
                .get("name")
                .map(|source| format!("{}:{}", source.file.display(), source.line)),
        ),
        other => dash(
            host.facts
                .get(other)
                .or_else(|| host.vars.get(other))
                .cloned(),
        ),
    }
}

fn host_text(host: &Host, effective: &Result<Effective, String>) -> String {
    let mut out = format!("{}  {}\n", text::line(&host.name), host.state);
    for field in ["address", "user", "jump", "groups", "tags", "notes"] {
        let source = host
            .source
            .get(field)
            .map(|source| format!("  ({}:{})", source.file.display(), source.line))
            .unwrap_or_default();
        let _unfailing = writeln!(
            out,
            "{field:<9} {}{}",
            text::line(&host_field(host, field)),
            text::line(&source)
        );
    }
    if let Some(source) = host.source.get("name") {
        let _unfailing = writeln!(
            out,
            "named in  {}:{}",
            text::line(&source.file.display().to_string()),
            source.line
        );
    }
    host.facts.iter().for_each(|(name, value)| {
        drop(writeln!(
            out,
            "{:<9} {}",
            text::line(name),
            text::line(value)
        ))
    });
    match effective {
        Err(why) => drop(write!(
            out,
            "\neffective settings are not known: {}\n",
            text::block(why)
        )),
        Ok(effective) => {
            out.push_str("\neffective settings (ssh -G)\n");
            for name in [
                "hostname",
                "port",
                "user",
                "proxyjump",
                "proxycommand",
                "identityfile",
                "identitiesonly",
                "userknownhostsfile",
                "stricthostkeychecking",
            ] {
                for value in effective.all(name) {
                    let _unfailing = writeln!(out, "  {name} {}", text::line(value));
                }
            }
        }
    }
    out
}

fn import_text(report: &ImportReport) -> String {
    let mut out = String::new();
    report.warnings.iter().for_each(|finding| {
        drop(writeln!(
            out,
            "warning: {}",
            text::line(&finding.to_string())
        ))
    });
    report
        .added
        .iter()
        .for_each(|name| drop(writeln!(out, "+ {}", text::line(name))));
    report.changed.iter().for_each(|(name, fields)| {
        drop(writeln!(
            out,
            "~ {} ({})",
            text::line(name),
            fields.join(", ")
        ))
    });
    report
        .returned
        .iter()
        .for_each(|name| drop(writeln!(out, "+ {} is there again", text::line(name))));
    report
        .stale
        .iter()
        .for_each(|name| drop(writeln!(out, "- {} is stale now", text::line(name))));
    let verb = if report.dry_run {
        "would import"
    } else {
        "imported"
    };
    let _unfailing = writeln!(
        out,
        "{verb}: {} new, {} changed, {} stale, {} as they were",
        report.added.len(),
        report.changed.len() + report.returned.len(),
        report.stale.len(),
        report.unchanged
    );
    out
}

fn health_table(rows: &[HostHealth], style: Style) -> String {
    let mut table = Table::new([
        "HOST",
        "STATE",
        "AGE",
        "LOAD",
        "CPU",
        "MEM",
        "WORST DISK",
        "WHY",
    ]);
    for row in rows {
        let sample = row.sample.as_ref();
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row([
            row.host.clone(),
            row.state.word().to_owned(),
            dash(row.age_s.map(|age| short(age.saturating_mul(1000)))),
            dash(
                sample
                    .and_then(|sample| sample.load)
                    .map(|load| format!("{:.2}", load[0])),
            ),
            dash(
                sample
                    .and_then(|sample| sample.cpu_percent)
                    .map(|percent| format!("{percent:.0}%")),
            ),
            dash(
                sample
                    .and_then(memory_percent)
                    .map(|percent| format!("{percent:.0}%")),
            ),
            dash(sample.and_then(worst_disk)),
            row.reasons.join("; "),
        ]);
    }
    table.render(style.width)
}

fn memory_percent(sample: &Sample) -> Option<f32> {
    let (total, available) = (sample.mem_total_kib?, sample.mem_available_kib?);
    (total > 0).then(|| total.saturating_sub(available) as f32 * 100.0 / total as f32)
}

fn worst_disk(sample: &Sample) -> Option<String> {
    let disk = sample
        .disks
        .iter()
        .max_by(|a, b| a.used_percent().total_cmp(&b.used_percent()))?;
    Some(format!("{} {:.0}%", disk.mount, disk.used_percent()))
}

fn book_text(book: &Runbook) -> String {
    let mut out = format!("{}: {}\n", book.name, text::line(&book.title));
    if !book.description.is_empty() {
        let _unfailing = writeln!(out, "{}", text::block(&book.description));
    }
    for param in &book.params {
        let default = param
            .default
            .as_ref()
            .map(|value| format!(" = {value}"))
            .unwrap_or_default();
        let must = if param.required && param.default.is_none() {
            ", required"
        } else {
            ""
        };
        let _unfailing = writeln!(
            out,
            "  -p {} ({}{must}){}  {}",
            param.name,
            param.kind,
            text::line(&default),
            text::line(&param.description)
        );
    }
    for (index, step) in book.steps.iter().enumerate() {
        let _unfailing = write!(out, "\n{}. {}\n", index + 1, text::line(&step.name));
        match &step.action {
            Action::Script { text, .. } => out.push_str(&indent(text)),
            Action::Checklist { items } => items
                .iter()
                .for_each(|item| drop(writeln!(out, "    [ ] {}", text::line(item)))),
        }
    }
    out
}

fn indent(script: &str) -> String {
    text::block(script.trim_end())
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect()
}

fn run_text(run: &RunRow) -> String {
    let mut out = format!(
        "{}  {}  {}  started {}{}\n",
        run.reference,
        text::line(&run.book),
        run.state,
        run.started.local(),
        run.ticket
            .as_ref()
            .map(|ticket| format!("  for {ticket}"))
            .unwrap_or_default()
    );
    let tally = run.tally;
    let _unfailing = writeln!(
        out,
        "hosts: {} ok, {} failed, {} unreachable, {} skipped",
        tally.ok, tally.failed, tally.unreachable, tally.skipped
    );
    for cell in &run.cells {
        let exit = cell
            .exit
            .map(|exit| format!(" exit {exit}"))
            .unwrap_or_default();
        let took = cell
            .took_ms
            .map(|took| format!(" {}", short(took)))
            .unwrap_or_default();
        let why = if cell.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", text::line(&cell.reason))
        };
        let _unfailing = writeln!(
            out,
            "\n{}  {}. {}  {}{exit}{took}{why}",
            text::line(&cell.host),
            cell.index + 1,
            text::line(&cell.step),
            cell.state
        );
        out.push_str(&indent(&cell.output));
        if cell.dropped > 0 {
            let _unfailing = writeln!(out, "    ({} bytes were not kept)", cell.dropped);
        }
    }
    out
}

/// With folding, equal outputs once under all their hosts; else only the sum, because the output went out already.
fn exec_text(cells: &[Cell], style: Style) -> String {
    let mut out = String::new();
    if style.fold {
        let mut groups: Vec<(&Cell, Vec<&str>)> = Vec::new();
        for cell in cells {
            match groups.iter_mut().find(|(first, _)| {
                first.output == cell.output && first.exit == cell.exit && first.state == cell.state
            }) {
                Some((_, hosts)) => hosts.push(&cell.host),
                None => groups.push((cell, vec![&cell.host])),
            }
        }
        groups.sort_by_key(|(_, hosts)| std::cmp::Reverse(hosts.len()));
        for (cell, hosts) in groups {
            let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let exit = cell
                .exit
                .map(|exit| format!(", exit {exit}"))
                .unwrap_or_default();
            let _unfailing = writeln!(
                out,
                "--- {} ({}{exit})",
                text::line(&crate::inventory::hostlist::fold(&names)),
                hosts.len()
            );
            out.push_str(&text::block(&cell.output));
            if !cell.output.is_empty() && !cell.output.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    for cell in cells.iter().filter(|cell| !cell.reason.is_empty()) {
        let _unfailing = writeln!(
            out,
            "{}: {}: {}",
            text::line(&cell.host),
            cell.state,
            text::line(&cell.reason)
        );
    }
    out
}

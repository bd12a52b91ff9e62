//! Hosts, imports and health as text.

use crate::command::{HostHealth, ImportReport};
use crate::domain::host::{Effective, Host};
use crate::domain::sample::Sample;
use crate::domain::text;
use crate::domain::time::short;
use crate::health::verdict::memory_percent;

use super::super::table::Table;
use super::{Style, say};

pub(super) fn host_table(hosts: &[Host], columns: Option<&[String]>, style: Style) -> String {
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

pub(super) fn host_text(host: &Host, effective: &Result<Effective, String>) -> String {
    let mut out = format!("{}  {}\n", text::line(&host.name), host.state);
    for field in ["address", "user", "jump", "groups", "tags", "notes"] {
        let source = host
            .source
            .get(field)
            .map(|source| format!("  ({}:{})", source.file.display(), source.line))
            .unwrap_or_default();
        say(
            &mut out,
            format_args!(
                "{field:<9} {}{}",
                text::line(&host_field(host, field)),
                text::line(&source)
            ),
        );
    }
    if let Some(source) = host.source.get("name") {
        say(
            &mut out,
            format_args!(
                "named in  {}:{}",
                text::line(&source.file.display().to_string()),
                source.line
            ),
        );
    }
    host.facts.iter().for_each(|(name, value)| {
        say(
            &mut out,
            format_args!("{:<9} {}", text::line(name), text::line(value)),
        )
    });
    match effective {
        Err(why) => say(
            &mut out,
            format_args!("\neffective settings are not known: {}", text::block(why)),
        ),
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
                    say(&mut out, format_args!("  {name} {}", text::line(value)));
                }
            }
        }
    }
    out
}

pub(super) fn import_text(report: &ImportReport) -> String {
    let mut out = String::new();
    report.warnings.iter().for_each(|finding| {
        say(
            &mut out,
            format_args!("warning: {}", text::line(&finding.to_string())),
        )
    });
    report
        .added
        .iter()
        .for_each(|name| say(&mut out, format_args!("+ {}", text::line(name))));
    report.changed.iter().for_each(|(name, fields)| {
        say(
            &mut out,
            format_args!("~ {} ({})", text::line(name), fields.join(", ")),
        )
    });
    report.returned.iter().for_each(|name| {
        say(
            &mut out,
            format_args!("+ {} is there again", text::line(name)),
        )
    });
    report.stale.iter().for_each(|name| {
        say(
            &mut out,
            format_args!("- {} is stale now", text::line(name)),
        )
    });
    let verb = if report.dry_run {
        "would import"
    } else {
        "imported"
    };
    say(
        &mut out,
        format_args!(
            "{verb}: {} new, {} changed, {} stale, {} as they were",
            report.added.len(),
            report.changed.len() + report.returned.len(),
            report.stale.len(),
            report.unchanged
        ),
    );
    out
}

pub(super) fn health_table(rows: &[HostHealth], style: Style) -> String {
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

fn worst_disk(sample: &Sample) -> Option<String> {
    let disk = sample
        .disks
        .iter()
        .max_by(|a, b| a.used_percent().total_cmp(&b.used_percent()))?;
    Some(format!("{} {:.0}%", disk.mount, disk.used_percent()))
}

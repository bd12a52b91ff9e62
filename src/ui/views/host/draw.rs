//! Writes a host as a document.

use crate::domain::host::Host;
use crate::domain::sample::Sample;
use crate::domain::time::short;
use crate::model::{HostDetail, Model};
use crate::ui::doc::Writer;
use crate::ui::paint::Look;
use crate::ui::theme::Role;
use crate::ui::view::View;
use crate::ui::views::Cx;
use crate::ui::views::case::timeline;
use crate::ui::views::vitals::{Vitals, is_production, memory, trend};
use crate::ui::views::words::{age, plural};
use crate::ui::widgets::bar;

/// The options of `ssh -G` that people ask for; all others are in `qd host show`.
const EFFECTIVE: &[&str] = &[
    "hostname",
    "port",
    "user",
    "proxyjump",
    "proxycommand",
    "identityfile",
    "certificatefile",
    "forwardagent",
    "stricthostkeychecking",
    "userknownhostsfile",
];

/// The state, what speaks for it, and the latest measurement.
pub(super) fn health(cx: Cx<'_>, host: &Host, writer: &mut Writer) {
    let vitals = Vitals::of(cx.model, host);
    writer.anchor("head");
    let mut head = vec![
        (format!("{}  ", host.name), Role::Title),
        (vitals.state.to_string(), vitals.state.into()),
    ];
    if !vitals.age.is_empty() {
        head.push((
            format!("  {} old", vitals.age).replace("now old", "just now"),
            Role::Dim,
        ));
    }
    if is_production(cx.model, host) {
        head.push(("  ".to_owned(), Role::Fg));
        head.push((" production ".to_owned(), Role::Prod));
    }
    if host.stale {
        head.push(("  its source no longer names it".to_owned(), Role::Stale));
    }
    writer.spans(head);
    if !vitals.reason.is_empty() {
        writer.text(&vitals.reason, 0, vitals.role());
    }
    if let Some(health) = cx.model.health.get(&host.id)
        && let Some(error) = health
            .last_error
            .as_ref()
            .filter(|error| **error != vitals.reason)
    {
        writer.text(&format!("last probe failed: {error}"), 0, Role::Warn);
    }
    match vitals.sample {
        Some(sample) => measured(cx, host, sample, vitals.role(), writer),
        None => {
            writer.text("Not measured yet.", 0, Role::Dim);
        }
    }
}

fn measured(cx: Cx<'_>, host: &Host, sample: &Sample, role: Role, writer: &mut Writer) {
    writer.anchor("health");
    writer.gap();
    if let Some([one, five, fifteen]) = sample.load {
        let cpus = sample.cpus.map_or_else(String::new, |cpus| {
            format!(" on {}", plural(cpus as usize, "cpu"))
        });
        writer.field(
            "load",
            &format!("{one:.2}  {five:.2}  {fifteen:.2}{cpus}"),
            role,
        );
    }
    let look = cx.look;
    if let Some(percent) = sample.cpu_percent {
        writer.field("cpu", &gauge(percent, "", look), role);
    }
    if let (Some(percent), Some(total)) = (memory(sample), sample.mem_total_kib) {
        writer.field(
            "memory",
            &gauge(percent, &format!(" of {}", size(total)), look),
            role,
        );
    }
    if let (Some(total), Some(free)) = (
        sample.swap_total_kib.filter(|total| *total > 0),
        sample.swap_free_kib,
    ) {
        let percent = total.saturating_sub(free) as f32 * 100.0 / total as f32;
        writer.field(
            "swap",
            &gauge(percent, &format!(" of {}", size(total)), look),
            role,
        );
    }
    for disk in &sample.disks {
        let rest = format!(" of {}  {}", size(disk.size_kib), disk.mount);
        writer.field("disk", &gauge(disk.used_percent(), &rest, look), role);
    }
    if let Some([received, sent]) = sample.net_bps {
        writer.field(
            "network",
            &format!(
                "in {}/s  out {}/s",
                size(received / 1024),
                size(sent / 1024)
            ),
            role,
        );
    }
    if let Some(seconds) = sample.uptime_s {
        writer.field("up", &short(seconds.saturating_mul(1000)), role);
    }
    if let Some(millis) = sample.rtt_ms {
        writer.field("answer in", &format!("{millis}ms"), role);
    }
    let columns = writer.width().saturating_sub(11).min(60);
    writer.field(
        "trend",
        trend(cx.model, host, columns, look).trim_start(),
        role,
    );
}

/// `████░░░░ 52% of 8G`.
fn gauge(percent: f32, rest: &str, look: &Look) -> String {
    format!("{} {percent:>3.0}%{rest}", bar::fill(percent, 20, look))
}

/// KiB in the unit that people would say.
fn size(kib: u64) -> String {
    let (mut value, mut unit) = (kib as f64, "K");
    for next in ["M", "G", "T"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if value < 10.0 && unit != "K" {
        format!("{value:.1}{unit}")
    } else {
        format!("{value:.0}{unit}")
    }
}

fn detail<'m>(model: &'m Model, name: &str) -> Option<&'m HostDetail> {
    model.host.as_ref().filter(|detail| detail.name == name)
}

/// Its open tickets.
pub(super) fn tickets(model: &Model, name: &str, writer: &mut Writer) {
    let Some(detail) = detail(model, name) else {
        return;
    };
    if detail.tickets.is_empty() {
        return;
    }
    writer.heading(&plural(detail.tickets.len(), "ticket"), "tickets");
    for ticket in &detail.tickets {
        writer.link(
            vec![
                (format!("{}  ", ticket.reference), Role::Accent),
                (format!("{:<8} ", ticket.state), ticket.state.into()),
                (ticket.title.clone(), Role::Fg),
                (format!("  {}", age(model.now, ticket.created)), Role::Dim),
            ],
            View::Case(ticket.reference.clone()),
        );
    }
}

/// What the inventory and `ssh -G` say, with the file and line that said so.
pub(super) fn settings(model: &Model, host: &Host, writer: &mut Writer) {
    writer.heading("inventory", "inventory");
    let port = host.port.map_or_else(String::new, |port| port.to_string());
    for (name, value) in [
        ("address", host.address.clone().unwrap_or_default()),
        ("port", port),
        ("user", host.user.clone().unwrap_or_default()),
        ("jump", host.jump.join(" → ")),
        ("groups", host.groups.join(" ")),
        ("tags", host.tags.join(" ")),
    ] {
        if value.is_empty() {
            continue;
        }
        let from = host.source.get(name).map_or_else(String::new, |source| {
            format!("   {}:{}", source.file.display(), source.line)
        });
        writer.spans(vec![
            (format!("{name:<11}"), Role::Dim),
            (value, Role::Fg),
            (from, Role::Dim),
        ]);
    }
    for (name, value) in host.vars.iter().chain(&host.facts) {
        writer.field(name, value, Role::Fg);
    }
    writer.text(host.notes.trim_end(), 0, Role::Fg);
    match detail(model, &host.name).and_then(|detail| detail.effective.as_ref()) {
        Some(Ok(effective)) => {
            writer.heading("effective ssh settings", "effective");
            for option in EFFECTIVE {
                for value in effective.all(option) {
                    writer.spans(vec![
                        (format!("{option:<23}"), Role::Dim),
                        (value.clone(), Role::Fg),
                    ]);
                }
            }
        }
        Some(Err(why)) => {
            writer.heading("effective ssh settings", "effective");
            writer.text(why, 0, Role::Warn);
        }
        None => {}
    }
}

/// What happened on it, the newest first.
pub(super) fn history(model: &Model, name: &str, writer: &mut Writer) {
    let Some(detail) = detail(model, name) else {
        return;
    };
    if detail.entries.is_empty() {
        return;
    }
    writer.heading("history, newest first", "history");
    timeline(model, detail.entries.iter().rev(), writer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_fitting_unit() {
        for (kib, words) in [
            (512, "512K"),
            (2048, "2.0M"),
            (8 * 1024 * 1024, "8.0G"),
            (64 * 1024 * 1024, "64G"),
            (u64::MAX, "17179869184T"),
        ] {
            assert_eq!(size(kib), words);
        }
    }
}

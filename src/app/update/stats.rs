//! `:stats`: what windows, panes and connections cost and how far they are, as one text.

use std::fmt::Write;

use crate::app::event::Looked;
use crate::app::state::State;
use crate::domain::ids::WindowId;
use crate::model::WindowCost;

/// Shows what was looked up.
pub(super) fn show(state: &mut State, window: WindowId, looked: &Looked) {
    let text = text(state, looked);
    if let Some(ui) = state.windows.get_mut(&window) {
        ui.show("stats", &text);
    }
}

fn text(state: &State, looked: &Looked) -> String {
    // Formatting into a string cannot fail.
    let mut out = String::from("Windows\n");
    for (index, (id, cost)) in state.costs.iter().enumerate() {
        let size = state.windows.get(id).map(crate::ui::Ui::size);
        let size = size.map_or_else(String::new, |size| {
            format!("{}x{}", size.width, size.height)
        });
        writeln!(out, "  {} {size}  {}", index + 1, window(cost)).ok();
    }
    if state.costs.is_empty() {
        out.push_str("  nothing was counted yet\n");
    }
    out.push_str("\nPanes\n");
    for pane in &looked.panes {
        let name = state.model.session(pane.session).map_or_else(
            || pane.session.to_string(),
            |view| format!("{} {}", view.reference, view.host),
        );
        writeln!(
            out,
            "  {name}  {} in, {}/s, {} of lines, echo ahead: {}",
            size(pane.bytes_in),
            size(pane.bytes_per_second),
            size(pane.memory),
            pane.guessing.word()
        )
        .ok();
    }
    if looked.panes.is_empty() {
        out.push_str("  none\n");
    }
    out.push_str("\nConnections\n");
    for row in &looked.connections {
        let far = row.rtt_ms.map_or_else(
            || "not measured yet".to_owned(),
            |millis| format!("{millis} ms there and back"),
        );
        writeln!(
            out,
            "  {}  {far}, {} in, {} out",
            row.host,
            size(row.bytes_in),
            size(row.bytes_out)
        )
        .ok();
    }
    if looked.connections.is_empty() {
        out.push_str("  none\n");
    }
    out
}

fn window(cost: &WindowCost) -> String {
    let far = cost.round_trip_us.map_or_else(
        || "the terminal does not answer".to_owned(),
        |micros| {
            format!(
                "{}.{} ms to the terminal",
                micros / 1_000,
                micros % 1_000 / 100
            )
        },
    );
    let link = cost.link_bytes_per_second.map_or_else(String::new, |rate| {
        format!(", it takes {}/s", size(u64::from(rate)))
    });
    format!(
        "{} sent, {}/s, {} frames, {} skipped, {far}{link}",
        size(cost.bytes),
        size(cost.bytes_per_second),
        cost.frames,
        cost.skipped
    )
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

//! The audit and what a search found, as tables.

use serde_json::{Value, json};

use super::Style;
use crate::cli::table::Table;
use crate::domain::audit::{AuditRow, ChainReport, Found};

/// The audit. Device ids are cut to what tells them apart on the screen; a pipe gets them whole.
pub(super) fn audit_table(rows: &[AuditRow], style: Style) -> String {
    let mut table = Table::new([
        "TIME",
        "WHO",
        "DEVICE",
        "ACTION",
        "HOST",
        "TICKET",
        "OBJECT",
        "CREDENTIAL",
    ]);
    for row in rows {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let device = match style.width {
            Some(_) => row.device.chars().take(8).collect(),
            None => row.device.clone(),
        };
        table.row([
            row.at.local(),
            or_dash(&row.who),
            device,
            row.action.clone(),
            or_dash(&row.host),
            or_dash(&row.ticket),
            row.object.clone(),
            or_dash(&row.credential),
        ]);
    }
    table.render(style.width)
}

/// What each log's chain came to.
pub(super) fn chains_json(chains: &[ChainReport]) -> Value {
    let logs: Vec<Value> = chains
        .iter()
        .map(|chain| {
            json!({
                "device": chain.device,
                "operations": chain.last,
                "purged": chain.purged,
                "broken": chain.broken.as_ref().map(|(seq, _)| seq),
                "why": chain.broken.as_ref().map(|(_, why)| why),
            })
        })
        .collect();
    json!({ "ok": chains.iter().all(|chain| chain.broken.is_none()), "logs": logs })
}

/// What a search found.
pub(super) fn found_table(found: &Found, style: Style) -> String {
    let mut table = Table::new(["KIND", "REF", "WHEN", "HOST", "TEXT"]);
    for hit in &found.hits {
        let when = if hit.at.0 == 0 {
            "-".to_owned()
        } else {
            hit.at.local()
        };
        let host = hit.host.clone().unwrap_or_else(|| "-".to_owned());
        table.row([&hit.kind, &hit.reference, &when, &host, &hit.text]);
    }
    let mut out = table.render(style.width);
    if style.width.is_some() {
        for note in &found.notes {
            out.push_str(note);
            out.push('\n');
        }
    }
    out
}

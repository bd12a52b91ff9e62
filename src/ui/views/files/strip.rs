//! Copies under way, a line each below the folders, and the text about those that have ended.

use ratatui::layout::Rect;

use crate::domain::files::{CopyJob, Place};
use crate::domain::time::{Time, short};
use crate::model::{CopyView, Model};
use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{bytes, plural};
use crate::ui::widgets::bar;

/// How long a copy that has ended stays in the strip, in milliseconds; one that failed stays longer.
const SHOWN: u64 = 10_000;
const FAILED: u64 = 60_000;

/// Columns of the bar.
const BAR: usize = 12;

/// `web1:/var/log/syslog and 2 more → /home/mira`.
pub(crate) fn what(job: &CopyJob) -> String {
    let from = job.from.first().map(spelled).unwrap_or_default();
    let more = match job.from.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    format!("{from}{more} → {}", spelled(&job.to))
}

/// `web1:/etc/hosts`, as scp has it; of this machine the path alone.
pub(super) fn spelled(place: &Place) -> String {
    match &place.host {
        Some(host) => format!("{host}:{}", place.path),
        None => place.path.clone(),
    }
}

fn visible(model: &Model) -> impl Iterator<Item = &CopyView> {
    let now: Time = model.now;
    model.copies.iter().filter(move |copy| {
        let stays = if copy.is_whole() { SHOWN } else { FAILED };
        copy.end
            .as_ref()
            .is_none_or(|end| now.since(end.at) < stays)
    })
}

/// How many lines the strip wants.
pub(super) fn lines(model: &Model) -> usize {
    visible(model).count()
}

/// Draws the newest copies; those for which there is no line are counted in the last one.
pub(super) fn draw(cx: Cx<'_>, painter: &mut Painter<'_>, area: Rect) {
    let copies: Vec<_> = visible(cx.model).collect();
    let room = usize::from(area.height);
    let hidden = copies.len().saturating_sub(room);
    for (row, copy) in (0..area.height).zip(copies.iter().skip(hidden)) {
        painter.tint(
            Rect {
                y: area.y + row,
                height: 1,
                ..area
            },
            Role::Prompt,
        );
        line(copy, hidden > 0 && row == 0, hidden, painter, area, row);
    }
}

fn line(
    copy: &CopyView,
    first: bool,
    hidden: usize,
    painter: &mut Painter<'_>,
    area: Rect,
    row: u16,
) {
    let (right, role) = right(copy, painter);
    let right = if first {
        format!("{right}  +{hidden} more copies ")
    } else {
        format!("{right} ")
    };
    let wide = u16::try_from(text::width(&right)).unwrap_or(u16::MAX);
    let left = Rect {
        width: area.width.saturating_sub(wide.saturating_add(1)),
        ..area
    };
    painter.put(left, row, &format!(" {}", what(&copy.job)), Role::Prompt);
    painter.put_right(area, row, &right, role);
}

/// How far it is, or what came of it.
fn right(copy: &CopyView, painter: &Painter<'_>) -> (String, Role) {
    if let Some(end) = &copy.end {
        return match &end.result {
            Ok(report) if report.failed.is_empty() => (
                format!(
                    "copied {}, {} in {}",
                    plural(usize::try_from(report.files).unwrap_or(usize::MAX), "file"),
                    bytes(report.bytes),
                    short(report.took_ms)
                ),
                Role::Ok,
            ),
            Ok(report) => (
                format!("{} failed, v shows why", report.failed.len()),
                Role::Crit,
            ),
            Err(why) => (format!("failed: {}", text::fit(why, 48, "~")), Role::Crit),
        };
    }
    let progress = &copy.progress;
    if progress.bytes == 0 {
        return ("beginning".to_owned(), Role::Prompt);
    }
    let percent = progress.bytes_done as f64 * 100.0 / progress.bytes as f64;
    let mut parts = vec![format!(
        "{} {:>3.0}%",
        bar::fill(percent as f32, BAR, painter.look()),
        percent.min(100.0).floor()
    )];
    if progress.files > 1 {
        parts.push(format!("{}/{} files", progress.files_done, progress.files));
    }
    parts.push(format!("{}/s", bytes(progress.speed)));
    parts.extend(
        progress
            .left_s
            .map(|seconds| format!("{} left", short(seconds.saturating_mul(1000)))),
    );
    (parts.join("  "), Role::Prompt)
}

/// All copies that are remembered, the newest first, with what failed.
pub(crate) fn results(model: &Model) -> String {
    let mut text = Vec::new();
    for copy in model.copies.iter().rev() {
        text.push(what(&copy.job));
        match copy.end.as_ref().map(|end| &end.result) {
            None => text.push(format!(
                "  under way: {} of {}",
                bytes(copy.progress.bytes_done),
                bytes(copy.progress.bytes)
            )),
            Some(Err(why)) => text.push(format!("  failed: {why}")),
            Some(Ok(report)) => {
                text.push(format!(
                    "  {} files, {} in {}",
                    report.files,
                    bytes(report.bytes),
                    short(report.took_ms)
                ));
                if report.resumed > 0 {
                    text.push(format!(
                        "  {} were there from an earlier attempt",
                        bytes(report.resumed)
                    ));
                }
                text.extend(report.failed.iter().map(|why| format!("  failed: {why}")));
            }
        }
        text.extend(
            copy.ticket
                .as_ref()
                .map(|ticket| format!("  recorded on {ticket}")),
        );
        text.push(String::new());
    }
    if text.is_empty() {
        "Nothing was copied yet.".to_owned()
    } else {
        text.join("\n")
    }
}

//! Copies on a command line: one line that shows how far they are, and what they came to. Pure: it only makes strings.

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::files::{CopyProgress, CopyReport};
use crate::domain::text;

/// The event of `--jsonl`.
pub(super) fn event(progress: &CopyProgress) -> Value {
    json!({
        "event": "copy.progress", "file": progress.file, "files_done": progress.files_done, "files": progress.files,
        "bytes_done": progress.bytes_done, "bytes": progress.bytes, "speed": progress.speed, "left_s": progress.left_s,
    })
}

/// The last event of `--jsonl`.
pub(super) fn finished(report: &CopyReport) -> Value {
    let mut value = json!(report);
    let mut event = json!({ "event": "copy.finished" });
    if let (Value::Object(event), Value::Object(fields)) = (&mut event, &mut value) {
        event.append(fields);
    }
    event
}

/// One line of at most `width` columns: the file and how far it is, then the whole, the speed and what is left.
pub(super) fn line(progress: &CopyProgress, width: usize) -> String {
    let mut parts = Vec::new();
    if progress.files > 1 {
        parts.push(format!("{}/{} files", progress.files_done, progress.files));
    }
    let done = size(progress.bytes_done);
    parts.push(format!("{done} of {}", size(progress.bytes)));
    parts.push(format!("{}%", percent(progress.bytes_done, progress.bytes)));
    parts.push(format!("{}/s", size(progress.speed)));
    let left = progress
        .left_s
        .filter(|_| progress.bytes_done < progress.bytes);
    parts.push(left.map_or("--:--".to_owned(), clock));
    // The speed and the time stay longest when the line is short.
    while parts.len() > 1 && parts.join("  ").width() + 12 > width {
        parts.remove(0);
    }
    let right = parts.join("  ");
    let mut file = text::line(&progress.file);
    if progress.files > 1 && progress.file_bytes > 0 {
        let share = percent(progress.file_done, progress.file_bytes);
        file.push_str(&format!(" {share}%"));
    }
    let room = width.saturating_sub(right.width() + 2);
    let file = fit(&file, room);
    let gap = room.saturating_sub(file.width());
    let line = format!("{file}{}  {right}", " ".repeat(gap));
    fit(&line, width)
}

/// What failed and what is worth knowing, for standard error; a line each.
pub(super) fn words(report: &CopyReport, quiet: bool) -> String {
    let mut out = String::new();
    let mut say = |text: &str| out.push_str(&format!("qd: {}\n", text::line(text)));
    report.failed.iter().for_each(|failed| say(failed));
    if !quiet {
        report.notes.iter().for_each(|note| say(note));
    }
    if let Some(why) = &report.lost {
        say(&format!(
            "the connection was lost: {why}; the same command with --resume goes on where it stopped"
        ));
    }
    if report.stopped {
        say("stopped; the same command with --resume goes on where it stopped");
    }
    out
}

fn percent(done: u64, whole: u64) -> u64 {
    match whole {
        0 => 0,
        // 100 is said only of what is complete.
        whole => (u128::from(done.min(whole)) * 100 / u128::from(whole))
            .try_into()
            .unwrap_or(100),
    }
}

/// Bytes for people, in powers of 1,024.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" || value >= 99.95 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// Seconds as `m:ss`, or `h:mm:ss`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The end of a text that fits: of a path, its name says most.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut kept, mut used) = (Vec::new(), 1);
    for grapheme in text.graphemes(true).rev() {
        used += grapheme.width();
        if used > width {
            break;
        }
        kept.push(grapheme);
    }
    if width == 0 {
        return String::new();
    }
    kept.push("…");
    kept.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> CopyProgress {
        CopyProgress {
            file: "/var/log/größe/a\u{1b}[31mb".to_owned(),
            files_done: 3,
            files: 12,
            bytes_done: 1_500_000,
            bytes: 3_000_000,
            speed: 750_000,
            left_s: Some(2),
            file_done: 10,
            file_bytes: 40,
        }
    }

    #[test]
    fn the_line_never_is_wider_than_the_terminal() {
        for width in 0..150 {
            let line = line(&progress(), width);
            assert!(line.width() <= width, "{width}: {line:?}");
            assert!(!line.contains('\u{1b}'));
        }
        let whole = line(&progress(), 100);
        for part in [
            "a␛[31mb 25%",
            "3/12 files",
            "1.4 MiB of 2.9 MiB",
            "50%",
            "732 KiB/s",
            "0:02",
        ] {
            assert!(whole.contains(part), "{part}: {whole}");
        }
        assert!(line(&progress(), 30).ends_with("732 KiB/s  0:02"));
    }

    #[test]
    fn numbers_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1 << 20, "1.0 MiB"),
            (150 << 20, "150 MiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(
            (clock(59), clock(3661)),
            ("0:59".to_owned(), "1:01:01".to_owned())
        );
        assert_eq!(
            (percent(0, 0), percent(999, 1000), percent(5, 5)),
            (0, 99, 100)
        );
    }

    #[test]
    fn what_became_of_it_is_said() {
        let report = CopyReport {
            failed: vec!["cannot read web1:a\u{7}: permission denied".to_owned()],
            notes: vec!["b grew".to_owned()],
            stopped: true,
            ..CopyReport::default()
        };
        let said = words(&report, false);
        assert!(said.contains("a␇") && said.contains("b grew") && said.contains("--resume"));
        assert!(!words(&report, true).contains("b grew"));
        assert_eq!(finished(&report)["event"], "copy.finished");
        assert_eq!(finished(&report)["stopped"], true);
    }
}

//! Words that several views share: ages, counts, what an empty list says.

use ratatui::layout::Rect;

use crate::domain::time::{Time, short};
use crate::ui::list::ListState;
use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;

/// How long ago: `4m`, `now` below a second.
pub(crate) fn age(now: Time, at: Time) -> String {
    match now.since(at) {
        0..1_000 => "now".to_owned(),
        millis => short(millis),
    }
}

/// Until when, seen from now: `in 2h`, or `3d late`.
pub(crate) fn due(now: Time, at: Time) -> String {
    if at < now {
        format!("{} late", short(now.since(at)))
    } else {
        format!("in {}", short(at.since(now)))
    }
}

/// `1 host`, `2 hosts`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

/// What a cell of the selected row had no room for, whole, at the foot of a table whose rows leave some; as many lines as
/// there is room for below `used` rows.
pub(crate) fn whole(painter: &mut Painter<'_>, area: Rect, used: u16, words: &str, role: Role) {
    let room = usize::from(area.width.saturating_sub(3));
    let free = area.height.saturating_sub(used.saturating_add(1));
    let lines = text::wrap(&crate::domain::text::line(words), room);
    let shown = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(free);
    for (row, line) in (area.height.saturating_sub(shown)..area.height).zip(&lines) {
        painter.put_at(area, 2, row, line, role);
    }
}

/// `3 of 12 hosts, filter "web", 2 marked`.
pub(crate) fn counted<I: Clone + Ord>(list: &ListState<I>, noun: &str) -> String {
    let (shown, total) = (list.ids().len(), list.total());
    let mut parts = Vec::new();
    if list.query().trim().is_empty() {
        parts.push(plural(total, noun));
    } else {
        parts.push(format!("{shown} of {}", plural(total, noun)));
        parts.push(format!("filter \"{}\"", list.query().trim()));
    }
    if list.marked() > 0 {
        parts.push(format!("{} marked", list.marked()));
    }
    parts.join(", ")
}

/// What stands where rows would be: lines of text in the middle of nothing.
pub(crate) fn placeholder(painter: &mut Painter<'_>, area: Rect, words: &str) {
    let inside = Rect {
        x: area.x + 2.min(area.width),
        width: area.width.saturating_sub(4),
        ..area
    };
    for (row, line) in (1..inside.height).zip(text::wrap(words, usize::from(inside.width))) {
        painter.put(inside, row, &line, Role::Dim);
    }
}

/// What a list says that shows nothing because of its filter.
pub(crate) fn no_match(query: &str) -> String {
    format!(
        "Nothing matches \"{}\". Esc takes the filter away.",
        query.trim()
    )
}

/// Bytes in the unit that people would say: `512B`, `3.2K`, `14M`.
pub(crate) fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for next in ["K", "M", "G", "T", "P"] {
        // What would be written with four digits is written in the next unit.
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if value < 9.95 && unit != "B" {
        format!("{value:.1}{unit}")
    } else {
        format!("{value:.0}{unit}")
    }
}

/// `97%`, or nothing.
pub(crate) fn percent(value: Option<f32>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.0}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_at_most_four_columns() {
        for (count, words) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1.0K"),
            (10_000, "9.8K"),
            (10_240, "10K"),
            (1_048_575, "1.0M"),
            (15 << 30, "15G"),
        ] {
            assert_eq!(bytes(count), words);
            assert!(words.len() <= 4);
        }
    }

    #[test]
    fn times_are_said_as_people_do() {
        let now = Time(1_000_000_000);
        assert_eq!(age(now, now), "now");
        assert_eq!(age(now, now.plus(-240_000)), "4m");
        assert_eq!(
            age(now, now.plus(5_000)),
            "now",
            "a clock that stepped back"
        );
        assert_eq!(due(now, now.plus(7_200_000)), "in 2h");
        assert_eq!(due(now, now.plus(-300_000_000)), "3d late");
    }
}

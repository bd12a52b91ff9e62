//! The last row of a pane whose connection was lost: what is done about it, and what can be pressed.

use crate::domain::time::Time;
use crate::model::Lost;
use crate::ui::text;

/// How many columns of a reason are worth reading.
const READABLE: usize = 16;

/// The row; `how` is why the connection was lost, or why it could not be made anew. What is done about it and the keys are
/// whole where there is room for them, the reason is cut.
pub(super) fn line(lost: &Lost, how: &str, now: Time, own: bool, width: u16) -> String {
    let width = usize::from(width);
    let (words, reason) = (lost.words(now), lost.why().unwrap_or(how));
    if !own {
        return text::fit(&format!(" {words}"), width, "…");
    }
    let whole = format!(" {words}. Enter closes it, Esc leaves it in the list ({reason}).");
    if text::width(&whole) <= width {
        return whole;
    }
    let keys = "  Enter close  Esc leave";
    let used = text::width(&words) + text::width(keys) + 1;
    let left = width.saturating_sub(used + 2);
    match left {
        READABLE.. => format!(" {words}: {}{keys}", text::fit(reason, left, "…")),
        _ if used <= width => format!(" {words}{keys}"),
        _ => text::fit(&format!(" {words}"), width, "…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_and_the_keys_are_whole_before_the_reason() {
        let now = Time(0);
        let why =
            "the connection to web1 (192.0.2.7:22) was lost: it gave no sign of life for 45 s";
        for lost in [
            Lost::Trying,
            Lost::Waiting(now.plus(43_000)),
            Lost::Answers,
            Lost::Opening,
            Lost::Person(why.to_owned()),
            Lost::GivenUp(30),
        ] {
            for width in [80, 120, 200] {
                let line = line(&lost, why, now, true, width);
                assert!(text::width(&line) <= usize::from(width), "{line}");
                assert!(line.contains(&lost.words(now)), "{line}");
                assert!(
                    line.contains("Enter close") && line.contains("Esc leave"),
                    "{line}"
                );
            }
            assert!(line(&lost, why, now, true, 200).contains("192.0.2.7"));
            assert_eq!(text::width(&line(&lost, why, now, false, 12)), 12);
        }
    }
}

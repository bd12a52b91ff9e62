//! Draws a recording that is played: what the terminal showed at that moment, and a line that says which moment it is.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::model::Reel;
use crate::term::Screen;
use crate::term::cast::clock;
use crate::term::deck::DeckView;
use crate::ui::paint::{Look, Painter};
use crate::ui::text;
use crate::ui::theme::{Role, Theme};
use crate::ui::views::words::placeholder;
use crate::ui::widgets::screen;
use crate::ui::{Beyond, Caps, Frame};

/// The keys, as far as there is room for them.
const KEYS: &str = "Space pause  , . step  arrows 5/60 s  [ ] markers  + - speed  / find  q leave";

/// Draws the picture and its line; gives the place of the recorded cursor.
pub(crate) fn draw(painter: &mut Painter<'_>, area: Rect, reel: &Reel) -> Option<Position> {
    let line = Rect {
        y: area.bottom().saturating_sub(1),
        height: area.height.min(1),
        ..area
    };
    let picture = Rect {
        height: area.height.saturating_sub(1),
        ..area
    };
    let Some(view) = &reel.view else {
        let words = reel.error.as_deref().unwrap_or("Reading the recording.");
        placeholder(painter, picture, words);
        return None;
    };
    let cursor = cropped(painter, picture, &view.screen);
    painter.tint(line, Role::Prompt);
    painter.put(
        line,
        0,
        &words(reel, view, picture, line.width),
        Role::Prompt,
    );
    cursor
}

/// A frame of its own, for a terminal that shows nothing else. `below` takes the place of the line when something is typed
/// there.
pub fn reel_frame(
    theme: &Theme,
    caps: Caps,
    reel: &Reel,
    (cols, rows): (u16, u16),
    below: Option<&str>,
) -> Frame {
    let area = Rect::new(0, 0, cols, rows);
    let mut buffer = Buffer::empty(area);
    let look = Look {
        theme: theme.clone(),
        caps,
        spoken: false,
    };
    let mut painter = Painter::new(&mut buffer, &look);
    painter.clear(area);
    let mut cursor = draw(&mut painter, area, reel);
    if let (Some(words), Some(y)) = (below, rows.checked_sub(1)) {
        let line = Rect::new(0, y, cols, 1);
        painter.clear(line);
        let used = painter.put(line, 0, words, Role::Prompt);
        cursor = Some(Position::new(used.min(cols.saturating_sub(1)), y));
    }
    Frame {
        buffer,
        cursor,
        beyond: Beyond::default(),
    }
}

/// The part of the screen around its cursor, where all of it does not fit.
fn cropped(painter: &mut Painter<'_>, area: Rect, shown: &Screen) -> Option<Position> {
    let (row, col) = shown.cursor.unwrap_or((0, 0));
    let top = row.saturating_sub(area.height.saturating_sub(1));
    let left = col.saturating_sub(area.width.saturating_sub(1));
    if (top, left) == (0, 0) {
        return screen::draw(painter, area, shown);
    }
    let mut part = shown.clone();
    part.rows.drain(..usize::from(top).min(part.rows.len()));
    for line in &mut part.rows {
        let mut cut = (**line).clone();
        cut.cells.drain(..usize::from(left).min(cut.cells.len()));
        *line = cut.into();
    }
    part.cursor = shown.cursor.map(|(row, col)| (row - top, col - left));
    screen::draw(painter, area, &part)
}

fn words(reel: &Reel, view: &DeckView, picture: Rect, width: u16) -> String {
    let sign = if view.playing { "playing" } else { "paused" };
    let mut words = format!(
        " {}  {sign}  {} / {}",
        reel.reference,
        clock(view.at),
        clock(view.length)
    );
    if (view.speed - 1.0).abs() > f64::EPSILON {
        words.push_str(&format!("  x{}", view.speed));
    }
    match (&view.said, &view.marker) {
        (Some(said), _) => words.push_str(&format!("  {said}")),
        (None, Some(marker)) => words.push_str(&format!("  at {marker}")),
        (None, None) => {}
    }
    let size = view.screen.size;
    if size.cols > picture.width || size.rows > picture.height {
        words.push_str(&format!("  a part of {}x{}", size.cols, size.rows));
    }
    let room = usize::from(width).saturating_sub(text::width(&words) + 3);
    if text::width(KEYS) <= room {
        let gap = room - text::width(KEYS) + 2;
        words.push_str(&" ".repeat(gap));
        words.push_str(KEYS);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Emulator, Size};

    fn reel(size: Size, shown: &str) -> Reel {
        let mut emulator = Emulator::new(size);
        emulator.feed(shown.as_bytes());
        Reel {
            reference: "S-2M0D".to_owned(),
            view: Some(DeckView {
                screen: emulator.screen(),
                at: 65_000,
                length: 3_607_000,
                playing: false,
                speed: 2.0,
                marker: Some("make".to_owned()),
                said: None,
            }),
            error: None,
        }
    }

    fn text(frame: &Frame) -> Vec<String> {
        let width = usize::from(frame.buffer.area.width);
        let rows = frame.buffer.content.chunks(width);
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>())
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_large_recording_shows_the_part_around_its_cursor() {
        let theme = Theme::default();
        let large = reel(Size::new(100, 40), "\u{1b}[40;91Hat the end");
        let frame = reel_frame(&theme, Caps::default(), &large, (80, 10), None);
        let lines = text(&frame);
        assert!(
            lines
                .get(8)
                .is_some_and(|line| line.ends_with("at the end")),
            "{lines:?}"
        );
        let line = lines.get(9).cloned().unwrap_or_default();
        for part in [
            "S-2M0D",
            "paused",
            "1:05 / 1:00:07",
            "x2",
            "a part of 100x40",
        ] {
            assert!(line.contains(part), "{line}");
        }
        let small = reel(Size::new(20, 5), "hello");
        let lines = text(&reel_frame(
            &theme,
            Caps::default(),
            &small,
            (60, 10),
            Some("/find"),
        ));
        assert_eq!(lines.first().map(String::as_str), Some("hello"));
        assert_eq!(lines.get(9).map(String::as_str), Some("/find"));
    }
}

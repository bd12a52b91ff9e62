//! Packing: what goes in comes out cell by cell, numbers stay, and the limit in bytes holds.

use proptest::prelude::*;

use super::*;
use crate::term::screen::{Color, Glyph, Style};

fn cells(text: &str, style: Style) -> Vec<Cell> {
    let text = text.chars().map(|c| Glyph::new(c, &[]));
    text.map(|text| Cell { text, style }).collect()
}

fn unpacked(history: &History, number: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    history.cells(number, &mut cells);
    cells
}

#[test]
fn numbers_stay_while_the_oldest_go() {
    let mut history = History::new(64 * 1024);
    for number in 0..20_000u64 {
        history.push(&cells(&format!("line {number}"), Style::default()), false);
        assert!(
            history.size() <= 64 * 1024,
            "line {number}: {}",
            history.size()
        );
    }
    assert_eq!(history.end(), 20_000);
    let first = history.first();
    assert!(first > 10_000 && first < 19_900, "{first}");
    for number in first..20_000 {
        assert_eq!(history.text(number), format!("line {number}"));
    }
    for gone in [0, first - 1, 20_000, u64::MAX] {
        assert_eq!(history.text(gone), "");
        assert!(unpacked(&history, gone).is_empty());
    }
    history.keep(0);
    assert_eq!((history.first(), history.size()), (20_000, 0));
    history.push(&cells("nothing is kept", Style::default()), false);
    assert_eq!((history.first(), history.end()), (20_001, 20_001));
    history.keep(1_000_000);
    history.clear(5);
    history.push(&cells("after", Style::default()), true);
    assert_eq!(history.text(20_006), "after");
    assert!(history.is_open(20_006) && !history.is_open(20_005));
}

#[test]
fn what_is_plain_costs_little_more_than_its_text() {
    let mut history = History::new(usize::MAX / 2);
    for number in 0..10_000 {
        let line = format!("{number:>8} Nov 23 16:17:16 web1 sshd[4711]: session opened");
        history.push(&cells(&line, Style::default()), false);
    }
    assert!(history.size() < 80 * 10_000, "{}", history.size());
}

fn any_cell() -> impl Strategy<Value = Vec<Cell>> {
    let color = prop_oneof![
        3 => Just(Color::Default),
        1 => any::<u8>().prop_map(Color::Indexed),
        1 => any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
    ];
    let style = (color.clone(), color, any::<[bool; 3]>()).prop_map(|(fg, bg, on)| Style {
        fg,
        bg,
        bold: on[0],
        reverse: on[1],
        underline: on[2],
        ..Style::default()
    });
    let glyph = prop_oneof![
        6 => prop::char::range(' ', '~').prop_map(|c| vec![Glyph::new(c, &[])]),
        1 => Just(vec![Glyph::new('e', &['\u{301}', '\u{308}'])]),
        1 => Just(vec![Glyph::new('界', &[]), Glyph::EMPTY]),
        1 => Just(vec![Glyph::new('😀', &['\u{fe0f}']), Glyph::EMPTY]),
        // What widths alone would not tell: a mark alone, half a wide character.
        1 => Just(vec![Glyph::new('\u{301}', &[])]),
        1 => Just(vec![Glyph::EMPTY]),
        1 => Just(vec![Glyph::new('界', &[])]),
    ];
    (glyph, style, 1usize..4).prop_map(|(glyphs, style, times)| {
        let cells = glyphs.into_iter().map(|text| Cell { text, style });
        cells.collect::<Vec<_>>().repeat(times)
    })
}

proptest! {
    #[test]
    fn a_line_comes_back_as_it_was(
        lines in proptest::collection::vec(proptest::collection::vec(any_cell(), 0..20), 1..30)
    ) {
        let mut history = History::new(8 * 1024);
        let lines: Vec<Vec<Cell>> = lines.into_iter().map(|line| line.concat()).collect();
        for line in &lines {
            history.push(line, false);
            prop_assert!(history.size() <= 8 * 1024);
        }
        for number in history.first()..history.end() {
            let mut expected = lines.get(number as usize).cloned().unwrap_or_default();
            while expected.last() == Some(&blank()) {
                expected.pop();
            }
            prop_assert_eq!(unpacked(&history, number), expected);
        }
    }
}

//! The emulator against whole screens, and against hostile bytes.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A screen of ten columns and four rows that was fed with `text`.
fn fed(text: &str) -> Emulator {
    let mut emulator = Emulator::new(Size::new(10, 4));
    emulator.feed(text.as_bytes());
    emulator
}

/// The rows of the screen, joined with `|`, and the cursor.
fn shown(emulator: &mut Emulator) -> String {
    let screen = emulator.screen();
    let rows: Vec<String> = screen.rows.iter().map(|row| row.text()).collect();
    let cursor = match screen.cursor {
        Some((row, col)) => format!("{row},{col}"),
        None => "-".to_owned(),
    };
    format!("{} @{cursor}", rows.join("|"))
}

#[test]
fn whole_screens() {
    for (text, expected) in [
        ("", "||| @0,0"),
        ("hi\r\nthere", "hi|there|| @1,5"),
        // Wrapping is put off until the next character.
        ("0123456789", "0123456789||| @0,9"),
        ("0123456789ab", "0123456789|ab|| @1,2"),
        ("\x1b[?7l0123456789ab", "012345678b||| @0,9"),
        ("1\r\n2\r\n3\r\n4\r\n5", "2|3|4|5 @3,1"),
        // Wide characters take two cells and are not cut at the edge.
        ("界x", "界x||| @0,3"),
        ("012345678界", "012345678|界|| @1,2"),
        ("界\rx", "x||| @0,1"),
        ("e\u{301}x", "e\u{301}x||| @0,2"),
        ("a\tb", "a       b||| @0,9"),
        // Cursor movement, erasing, inserting, deleting.
        ("\x1b[2;3Hx", "|  x|| @1,3"),
        ("abc\x1b[2D\x1b[Kx", "ax||| @0,2"),
        ("abc\x1b[1;1H\x1b[2@", "  abc||| @0,0"),
        ("abc\x1b[1;1H\x1b[P", "bc||| @0,0"),
        ("abc\x1b[2;2Hd\x1b[2J", "||| @1,2"),
        ("ab\x1b[3b", "abbbb||| @0,5"),
        // A scroll region moves alone.
        ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n", "1|3||4 @2,0"),
        ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bM", "1||2|4 @1,0"),
        ("1\r\n2\x1b[1;1H\x1b[L", "|1|2| @0,0"),
        ("1\r\n2\x1b[1;1H\x1b[M", "2||| @0,0"),
        // Line drawing.
        ("\x1b(0qx\x1b(B q", "─│ q||| @0,4"),
        // The alternate screen leaves the first as it was.
        ("main\x1b[?1049h\x1b[Halt", "alt||| @0,3"),
        ("main\x1b[?1049halt\x1b[?1049l!", "main!||| @0,5"),
        ("\x1b[?25lx", "x||| @-"),
        // Held back until the update is complete.
        ("a\x1b[?2026hb", "a||| @0,1"),
        ("a\x1b[?2026hb\x1b[?2026l", "ab||| @0,2"),
        // Invalid UTF-8 is handled below; unknown sequences vanish.
        (
            "a\x1b_apc\x1b\\\x1bPdcs\x1b\\\x1b^pm\x1b\\b\x1b[999zc",
            "abc||| @0,3",
        ),
    ] {
        let mut emulator = fed(text);
        assert_eq!(shown(&mut emulator), expected, "{text:?}");
        // However the bytes are cut, the screen is the same.
        let mut emulator = fed("");
        for byte in text.as_bytes() {
            emulator.feed(&[*byte]);
            emulator.screen();
        }
        assert_eq!(shown(&mut emulator), expected, "{text:?} byte by byte");
    }
}

#[test]
fn invalid_utf_8_is_replaced() {
    let mut emulator = fed("");
    emulator.feed(b"a\xffb\xe2\x82");
    emulator.feed(b"\xacc");
    assert_eq!(shown(&mut emulator), "a\u{fffd}b€c||| @0,5");
}

#[test]
fn cells_hold_characters_with_marks_and_the_right_half_of_wide_ones_is_empty() {
    let mut emulator = fed("e\u{301}界");
    let screen = emulator.screen();
    let cells: Vec<&str> = screen
        .rows
        .first()
        .map(|row| {
            row.cells
                .iter()
                .take(4)
                .map(|cell| cell.text.as_str())
                .collect()
        })
        .unwrap_or_default();
    assert_eq!(cells, ["e\u{301}", "界", "", " "]);
    assert!(screen.rows.iter().all(|row| row.cells.len() == 10));
}

fn style(text: &str) -> Style {
    let screen = fed(text).screen();
    let first = screen.rows.first().and_then(|row| row.cells.first());
    first.map(|cell| cell.style).unwrap_or_default()
}

#[test]
fn styles() {
    let plain = Style::default();
    for (sgr, expected) in [
        ("", plain),
        (
            "31",
            Style {
                fg: Color::Indexed(1),
                ..plain
            },
        ),
        (
            "94;41",
            Style {
                fg: Color::Indexed(12),
                bg: Color::Indexed(1),
                ..plain
            },
        ),
        (
            "38;5;200",
            Style {
                fg: Color::Indexed(200),
                ..plain
            },
        ),
        (
            "48;2;1;2;3",
            Style {
                bg: Color::Rgb(1, 2, 3),
                ..plain
            },
        ),
        (
            "38:2::1:2:3",
            Style {
                fg: Color::Rgb(1, 2, 3),
                ..plain
            },
        ),
        (
            "1;3",
            Style {
                bold: true,
                italic: true,
                ..plain
            },
        ),
        (
            "2;4",
            Style {
                dim: true,
                underline: true,
                ..plain
            },
        ),
        (
            "4:3",
            Style {
                underline: true,
                underline_kind: Underline::Curly,
                ..plain
            },
        ),
        (
            "7;8;9",
            Style {
                reverse: true,
                hidden: true,
                strike: true,
                ..plain
            },
        ),
        ("1;31;0", plain),
    ] {
        assert_eq!(style(&format!("\x1b[{sgr}mx")), expected, "{sgr}");
    }
    // A redefined colour is the colour meant; resetting gives it back to the theme.
    let redefined = "\x1b]4;1;#102030\x07\x1b[31mx";
    assert_eq!(style(redefined).fg, Color::Rgb(16, 32, 48));
    assert_eq!(
        style(&format!("{redefined}\x1b]104\x07")).fg,
        Color::Indexed(1)
    );
}

#[test]
fn an_emulator_may_live_in_any_task() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&fed(""));
}

#[test]
fn modes_follow_the_program() {
    let modes = |text: &str| fed(text).modes();
    assert!(modes("\x1b[?1h").app_cursor);
    assert!(!modes("\x1b[?1h\x1b[?1l").app_cursor);
    assert!(modes("\x1b=").app_keypad);
    assert!(modes("\x1b[?2004h").bracketed_paste);
    assert!(modes("\x1b[?1004h").focus);
    assert!(modes("\x1b[?1049h").alt_screen);
    assert!(modes("\x1b[20h").newline);
    assert_eq!(modes("\x1b[?1000h").mouse, Mouse::Click);
    assert_eq!(modes("\x1b[?1002h").mouse, Mouse::Drag);
    let modes = modes("\x1b[?1003h\x1b[?1006h");
    assert_eq!((modes.mouse, modes.mouse_sgr), (Mouse::Motion, true));
}

#[test]
fn questions_are_answered() {
    for (question, answer) in [
        ("\x1b[5n", "\x1b[0n"),
        ("ab\x1b[6n", "\x1b[1;3R"),
        ("\x1b[c", "\x1b[?62;22c"),
        ("\x1b[>c", "\x1b[>0;2600;1c"),
        ("\x1b[?2004$p", "\x1b[?2004;2$y"),
        ("\x1b[?2004h\x1b[?2004$p", "\x1b[?2004;1$y"),
        ("\x1b[18t", "\x1b[8;4;10t"),
        ("\x1b[14t", "\x1b[4;64;80t"),
        ("\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000\x07"),
        ("\x1b]4;196;?\x1b\\", "\x1b]4;196;rgb:ffff/0000/0000\x1b\\"),
        ("\x1b[?u", "\x1b[?0u"),
        // What the reader copied is nobody's business.
        ("\x1b]52;c;?\x07", ""),
    ] {
        let mut emulator = fed(question);
        let replies = emulator.take_replies();
        assert_eq!(String::from_utf8_lossy(&replies), answer, "{question:?}");
        assert!(emulator.take_replies().is_empty());
    }
    let mut emulator = fed("");
    emulator.set_ground((1, 2, 3), (255, 254, 253));
    emulator.feed(b"\x1b]11;?\x07");
    assert_eq!(emulator.take_replies(), b"\x1b]11;rgb:ffff/fefe/fdfd\x07");
    // A host that asks without end is answered only so far.
    for _ in 0..100 {
        emulator.feed("\x1b[6n".repeat(1_000).as_bytes());
    }
    assert!(emulator.take_replies().len() <= 64 * 1024);
}

#[test]
fn notices_are_told_once() {
    let mut emulator = fed("\x1b]0;one\x07\x07\x07\x1b]2;tw\u{9b}o\u{202e}\x07\x1b]52;c;aGk=\x07");
    assert_eq!(
        emulator.take_notices(),
        [
            Notice::Title("tw\u{fffd}o\u{fffd}".to_owned()),
            Notice::Bell,
            Notice::Clipboard("hi".to_owned())
        ]
    );
    assert!(emulator.take_notices().is_empty());
    assert_eq!(emulator.screen().title, "tw\u{fffd}o\u{fffd}");
    emulator.feed(format!("\x1b]2;{}\x07", "é".repeat(1_500)).as_bytes());
    assert_eq!(emulator.title().chars().count(), 256);
    // The stack of titles restores it.
    emulator.feed(b"\x1b[22t\x1b]2;x\x07\x1b[23t");
    assert_eq!(emulator.title().chars().count(), 256);
}

#[test]
fn rows_that_did_not_change_are_shared() {
    let mut emulator = fed("1\r\n2\r\n3\r\n4");
    let before = emulator.screen();
    assert!(Arc::ptr_eq(&before, &emulator.screen()), "nothing happened");
    emulator.feed(b"\x1b[2;1Hx");
    let after = emulator.screen();
    let shared: Vec<bool> = before
        .rows
        .iter()
        .zip(&after.rows)
        .map(|(old, new)| Arc::ptr_eq(old, new))
        .collect();
    assert_eq!(shared, [true, false, true, true]);
    // Rows that moved up are shared at their new place.
    emulator.feed(b"\x1b[4;1H\n\n");
    let moved = emulator.screen();
    let pairs = after.rows.iter().skip(2).zip(&moved.rows);
    assert!(pairs.into_iter().all(|(old, new)| Arc::ptr_eq(old, new)));
    // The screen before is as it was.
    assert_eq!(before.text(), "1\n2\n3\n4");
}

#[test]
fn history_is_kept_and_scrolled() {
    let mut emulator = fed("");
    for line in 0..20 {
        emulator.feed(format!("line {line}\r\n").as_bytes());
    }
    assert_eq!(emulator.history_len(), 17);
    emulator.scroll(3);
    let screen = emulator.screen();
    assert_eq!(screen.text(), "line 14\nline 15\nline 16\nline 17");
    assert_eq!(
        (screen.scrolled_back, screen.history, screen.cursor),
        (3, 17, None)
    );
    // What arrives meanwhile does not move the view.
    emulator.feed(b"more\r\n");
    assert_eq!(
        emulator.screen().text(),
        "line 14\nline 15\nline 16\nline 17"
    );
    emulator.scroll(1_000_000);
    assert_eq!(
        emulator.screen().rows.first().map(|row| row.text()),
        Some("line 0".to_owned())
    );
    emulator.scroll(-1);
    assert_eq!(
        emulator.screen().rows.first().map(|row| row.text()),
        Some("line 1".to_owned())
    );
    emulator.scroll(0);
    assert_eq!(emulator.screen().text(), "line 18\nline 19\nmore");
    let text = emulator.text();
    assert!(
        text.starts_with("line 0\nline 1\n") && text.ends_with("line 19\nmore"),
        "{text}"
    );
    emulator.scroll(5);
    assert!(emulator.take_history().starts_with("line 0\n"));
    assert_eq!(
        (emulator.history_len(), emulator.text().as_str()),
        (0, "line 18\nline 19\nmore")
    );
    assert_eq!(shown(&mut emulator), "line 18|line 19|more| @3,0");
    for line in 0..3_000 {
        emulator.feed(format!("{line}\r\n").as_bytes());
    }
    assert_eq!(
        emulator.history_len(),
        3_000,
        "what the grid drops is packed"
    );
}

#[test]
fn resizing_wraps_long_lines_anew() {
    let mut emulator = fed("0123456789abcde\r\n$ ");
    assert_eq!(emulator.text(), "0123456789abcde\n$");
    emulator.resize(Size::new(5, 4));
    assert_eq!(shown(&mut emulator), "56789|abcde|$| @2,2");
    assert_eq!(emulator.text(), "0123456789abcde\n$");
    emulator.resize(Size::new(20, 4));
    assert_eq!(shown(&mut emulator), "0123456789abcde|$|| @1,2");
    let modes: Vec<bool> = fed("0123456789abc")
        .screen()
        .rows
        .iter()
        .map(|row| row.wrapped)
        .collect();
    assert_eq!(modes, [true, false, false, false]);
    // Below two columns the emulator does not go, whoever asks.
    for size in [
        Size::new(0, 0),
        Size::new(1, 1),
        Size::new(u16::MAX, u16::MAX),
    ] {
        emulator.feed("界界".as_bytes());
        emulator.resize(size);
        assert_eq!(emulator.screen().size, size.clamped());
    }
    assert_eq!(Emulator::new(Size::new(0, 0)).screen().size, Size::MIN);
}

#[test]
fn half_an_update_is_shown_when_its_time_is_up() {
    let mut emulator = fed("a\x1b[?2026hb");
    assert!(emulator.sync_deadline().is_some());
    emulator.stop_sync();
    assert!(emulator.sync_deadline().is_none());
    assert_eq!(shown(&mut emulator), "ab||| @0,2");
    emulator.stop_sync();
    assert_eq!(shown(&mut emulator), "ab||| @0,2");
}

#[test]
fn a_cell_does_not_collect_marks_without_end() {
    let mut emulator = fed("e");
    emulator.feed("\u{301}".repeat(100_000).as_bytes());
    let cell = emulator
        .screen()
        .rows
        .first()
        .and_then(|row| row.cells.first().copied());
    assert!(cell.is_some_and(|cell| cell.text.chars().count() <= 9));
    assert_eq!(emulator.text().chars().count(), 9);
}

#[test]
fn repetition_is_paid_for() {
    // Each of these eight bytes asks for 65,535 characters.
    let mut emulator = Emulator::new(Size::new(80, 24));
    emulator.feed(b"x");
    emulator.feed("\x1b[65535b".repeat(2_000).as_bytes());
    assert!(emulator.screen().text().starts_with("xxx"));
}

#[test]
fn an_endless_line_stays_within_the_history() {
    let mut emulator = fed("");
    for _ in 0..64 {
        emulator.feed(&[b'x'; 16 * 1024]);
    }
    assert!(emulator.packed_bytes() <= Keep::default().bytes);
    assert_eq!(
        emulator.text(),
        "x".repeat(64 * 16 * 1024),
        "nothing is lost either"
    );
    emulator.keep(Keep {
        bytes: 100_000,
        ..Keep::default()
    });
    assert!(emulator.packed_bytes() <= 100_000);
    let kept = emulator.text();
    assert!(!kept.contains('\n') && kept.len() > 50_000 && kept.len() < 150_000);
}

fn whole(screen: &Screen) -> Vec<Row> {
    screen.rows.iter().map(|row| (**row).clone()).collect()
}

/// Bytes as a hostile host might send them: sequences, text and noise.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "\x1b\\[[?>=!]?[0-9;:]{0,8}[ $'\"]?[@-~]".prop_map(String::into_bytes),
        1 => "\x1b\\][0-9]{1,3};[#;?a-z0-9/:=]{0,20}(\x07|\x1b\\\\|\x18)?".prop_map(String::into_bytes),
        1 => "\x1b[ -/]?[0-~]".prop_map(String::into_bytes),
        3 => "[a-z0-9 \r\n\t\x08\x0e\x0f]{0,20}".prop_map(String::into_bytes),
        1 => "[界e\u{301}\u{200d}😀\u{fe0f}\u{ad}\u{202e}\u{9b}]{0,6}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..10),
        1 => Just(b"\x1b[?1049h".to_vec()),
        1 => Just(b"\x1b[4h".to_vec()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_do_no_harm(
        parts in proptest::collection::vec((hostile(), 0u16..14, 0u16..6, -3i32..4), 1..6)
    ) {
        let mut emulator = Emulator::new(Size::new(8, 3));
        for (bytes, cols, rows, scroll) in parts {
            emulator.feed(&bytes);
            let screen = emulator.screen();
            // What damage tracking left out would differ from rows read anew.
            prop_assert_eq!(whole(&screen), emulator.rows_afresh());
            prop_assert!(screen.rows.len() == usize::from(screen.size.rows));
            for row in &screen.rows {
                prop_assert_eq!(row.cells.len(), usize::from(screen.size.cols));
                prop_assert!(!row.text().chars().any(char::is_control));
            }
            prop_assert!(!screen.title.chars().any(char::is_control));
            if cols % 3 == 0 {
                emulator.resize(Size::new(cols, rows));
            }
            emulator.scroll(scroll);
            let screen = emulator.screen();
            if screen.copy.is_none() {
                prop_assert_eq!(whole(&screen), emulator.rows_afresh());
            }
            prop_assert!(screen.rows.iter().all(|row| row.cells.len() == usize::from(screen.size.cols)));
            emulator.scroll(0);
        }
        emulator.stop_sync();
        drop(emulator.text());
        emulator.take_replies();
    }
}

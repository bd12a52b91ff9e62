//! What terminals are expected to do, area by area: each check is a text and the screen, the looks, the modes or the answer
//! that must come of it.

use proptest::prelude::*;

use super::encode;
use super::*;
use crate::domain::key::Key;

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

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(shown(&mut fed(text)), *expected, "{text:?}");
        let mut emulator = fed("");
        for byte in text.as_bytes() {
            emulator.feed(&[*byte]);
        }
        assert_eq!(shown(&mut emulator), *expected, "{text:?} byte by byte");
    }
}

#[test]
fn widths() {
    check(&[
        ("界界界界界界", "界界界界界|界|| @1,2"),
        ("012345678界", "012345678|界|| @1,2"),
        ("\x1b[?7l012345678界", "012345678||| @0,9"),
        ("界\x1b[2Dx", "x||| @0,1"),
        ("a界\x1b[1;3Hx", "a x||| @0,3"),
        ("界界\x1b[1;1H\x1b[P", " 界||| @0,0"),
        ("界x\x1b[1;2H\x1b[P", " x||| @0,1"),
        ("e\u{301}\u{302}x", "e\u{301}\u{302}x||| @0,2"),
        ("0123456789\u{301}", "0123456789\u{301}||| @0,9"),
        // As wcwidth counts, and so the shells and editors of today's servers: a selector adds nothing to its character, and
        // joined pictures are counted one by one.
        ("\u{2764}\u{fe0f}x", "\u{2764}\u{fe0f}x||| @0,2"),
        (
            "\u{1f469}\u{200d}\u{1f4bb}x",
            "\u{1f469}\u{200d}\u{1f4bb}x||| @0,5",
        ),
        ("\u{1f1e9}\u{1f1ea}", "\u{1f1e9}\u{1f1ea}||| @0,2"),
        ("\u{feff}\u{200b}x", "x||| @0,1"),
    ]);
}

#[test]
fn editing() {
    check(&[
        ("abcdef\x1b[1;3H\x1b[2P", "abef||| @0,2"),
        ("abcdef\x1b[1;3H\x1b[2X", "ab  ef||| @0,2"),
        ("abcdef\x1b[1;3H\x1b[2@", "ab  cdef||| @0,2"),
        ("0123456789\x1b[1;1H\x1b[3@", "   0123456||| @0,0"),
        ("ab\x1b[1;1H\x1b[4hX\x1b[4lY", "XYb||| @0,2"),
        ("abc\x1b[1K", "||| @0,3"),
        ("abc\x1b[1;2H\x1b[1K", "  c||| @0,1"),
        ("abc\x1b[2K", "||| @0,3"),
        ("1\r\n2\r\n3\x1b[2;1H\x1b[J", "1||| @1,0"),
        ("1\r\n2\r\n3\x1b[2;1H\x1b[1J", "||3| @1,0"),
        ("ab\x1b[4b", "abbbbb||| @0,6"),
        ("\x1b[3b", "||| @0,0"),
        ("\x1b#8\x1b[2J", "||| @0,0"),
        ("ab\x08\x08x", "xb||| @0,1"),
        ("\x08x", "x||| @0,1"),
    ]);
}

#[test]
fn moving() {
    check(&[
        ("\x1b[9;99Hx", "|||         x @3,9"),
        ("\x1b[2;2H\x1b[9A\x1b[9Dx", "x||| @0,1"),
        ("\x1b[3G\x1b[2dx", "|  x|| @1,3"),
        ("a\x1b[2Ex\x1b[Fy", "a|y|x| @1,1"),
        ("\x1b7\x1b[3;3Hx\x1b8y", "y||  x| @0,1"),
        ("\x1b[s\x1b[3;3Hx\x1b[uy", "y||  x| @0,1"),
        ("a\tb\x1b[Zc", "a       c||| @0,9"),
        ("\x1b[3g\tx", "         x||| @0,9"),
        ("\x1b[1;4H\x1bH\r\tx", "   x||| @0,4"),
        ("\x1b[2;3r\x1b[?6h\x1b[1;1Hx", "|x|| @1,1"),
        ("\x1b[2;3r\x1b[?6h\x1b[9;1Hx", "||x| @2,1"),
        ("0123456789\r\nx", "0123456789|x|| @1,1"),
        ("0123456789\x1b[Dx", "01234567x9||| @0,9"),
        ("1\x1bD2\x1bE3\x1bM4", "1| 4|3| @1,2"),
        ("a\x0bb\x0cc", "a| b|  c| @2,3"),
    ]);
}

#[test]
fn regions() {
    let four = "1\r\n2\r\n3\r\n4";
    for (text, expected) in [
        ("\x1b[2;3r\x1b[S", "1|3||4 @0,0"),
        ("\x1b[2;3r\x1b[T", "1||2|4 @0,0"),
        ("\x1b[2;3r\x1b[2;1H\x1b[L", "1||2|4 @1,0"),
        ("\x1b[2;3r\x1b[2;1H\x1b[M", "1|3||4 @1,0"),
        ("\x1b[2;3r\x1b[4;1H\n", "1|2|3|4 @3,0"),
        ("\x1b[3;2r\x1b[1;1H", "1|2|3|4 @0,0"),
        ("\x1b[2;3r\x1b[r\x1b[4;1H\n", "2|3|4| @3,0"),
    ] {
        let mut emulator = fed(four);
        emulator.feed(text.as_bytes());
        assert_eq!(shown(&mut emulator), expected, "{text:?}");
    }
}

#[test]
fn screens_and_charsets() {
    check(&[
        ("\x1b(0lqk\x1b(B", "┌─┐||| @0,3"),
        ("\x1b)0a\x0eq\x0fq", "a─q||| @0,3"),
        ("main\x1b[?47halt\x1b[?47l", "main||| @0,4"),
        ("main\x1b[?1047h\x1b[Halt", "alt||| @0,3"),
        ("ab\x1b[?1048h\x1b[3;3H\x1b[?1048lc", "abc||| @0,3"),
        ("main\x1b[?1049h\x1b[?1049hx\x1b[?1049l", "main||| @0,4"),
        ("main\x1b[?1049halt\x1bc", "||| @0,0"),
    ]);
}

#[test]
fn a_soft_reset_keeps_the_picture_and_the_place() {
    let reset =
        fed("ab\x1b[4h\x1b[?6h\x1b[?25l\x1b[?1h\x1b=\x1b[2;3r\x1b[2;2H\x1b[1;31m\x1b(0\x1b[!p")
            .screen();
    assert_eq!(
        (reset.cursor, reset.modes.app_cursor, reset.modes.app_keypad),
        (Some((2, 1)), false, false)
    );
    let mut emulator = fed("ab\x1b[4h\x1b[2;3r\x1b[31m\x1b(0\x1b[!p\x1b[1;1Hq");
    assert_eq!(shown(&mut emulator), "qb||| @0,1");
    let first = emulator
        .screen()
        .rows
        .first()
        .and_then(|row| row.cells.first().copied());
    assert_eq!(first.map(|cell| cell.style), Some(Style::default()));
    // The margins are the whole screen again.
    emulator.feed(b"\x1b[4;1Hx\r\n");
    assert_eq!(shown(&mut emulator), "||x| @3,0");
}

fn style(sgr: &str) -> Style {
    let screen = fed(&format!("\x1b[{sgr}mx")).screen();
    let first = screen.rows.first().and_then(|row| row.cells.first());
    first.map(|cell| cell.style).unwrap_or_default()
}

#[test]
fn looks() {
    for (sgr, kind) in [
        ("4", Underline::Single),
        ("4:1", Underline::Single),
        ("4:2", Underline::Double),
        ("21", Underline::Double),
        ("4:3", Underline::Curly),
        ("4:4", Underline::Dotted),
        ("4:5", Underline::Dashed),
    ] {
        let found = style(sgr);
        assert_eq!(
            (found.underline, found.underline_kind),
            (true, kind),
            "{sgr}"
        );
        assert!(!style(&format!("{sgr};24")).underline);
        assert!(!style(&format!("{sgr};4:0")).underline);
    }
    for (sgr, expected) in [
        ("4;58:2::1:2:3", Color::Rgb(1, 2, 3)),
        ("4;58;5;9", Color::Indexed(9)),
        ("4;58;5;9;59", Color::Default),
    ] {
        assert_eq!(style(sgr).underline_color, expected, "{sgr}");
    }
    for (sgr, blink) in [
        ("5", true),
        ("6", true),
        ("5;25", false),
        ("5;0", false),
        ("1", false),
    ] {
        assert_eq!(style(sgr).blink, blink, "{sgr}");
    }
    // What is erased does not blink.
    let mut emulator = fed("\x1b[5mab\x1b[2J");
    assert!(
        emulator
            .screen()
            .rows
            .iter()
            .all(|row| row.cells.iter().all(|cell| !cell.style.blink))
    );
}

#[test]
fn cursor_styles() {
    for (text, style, shape) in [
        ("", 0, CursorShape::Block),
        ("\x1b[2 q", 2, CursorShape::Block),
        ("\x1b[3 q", 3, CursorShape::Underline),
        ("\x1b[6 q", 6, CursorShape::Bar),
        ("\x1b[6 q\x1b[0 q", 0, CursorShape::Block),
        ("\x1b[6 q\x1bc", 0, CursorShape::Block),
        ("\x1b[9 q", 0, CursorShape::Block),
    ] {
        let screen = fed(text).screen();
        assert_eq!(
            (screen.cursor_style, screen.cursor_shape),
            (style, shape),
            "{text:?}"
        );
    }
}

#[test]
fn links_are_kept_and_bounded() {
    let address = |emulator: &mut Emulator, col: usize| {
        let screen = emulator.screen();
        let cell = screen.rows.first().and_then(|row| row.cells.get(col));
        cell.and_then(|cell| screen.link(&cell.style).map(|link| link.to_string()))
    };
    let mut emulator =
        fed("\x1b]8;id=1;https://a/;b\x1b\\x\x1b]8;;\x1b\\y\x1b]8;;javascript:x\x07z");
    assert_eq!(address(&mut emulator, 0).as_deref(), Some("https://a/;b"));
    assert_eq!(
        (address(&mut emulator, 1), address(&mut emulator, 2)),
        (None, None)
    );
    // A number that means another address now must not be seen on a row of before.
    for index in 0..2_000 {
        emulator.feed(format!("\x1b[2;1H\x1b]8;;https://b/{index}\x07x").as_bytes());
        if index % 500 == 0 {
            emulator.screen();
        }
    }
    assert_eq!(address(&mut emulator, 0), None);
    assert_eq!(emulator.screen().links.len(), 1_024);
}

#[test]
fn keyboards_are_stacked_for_each_screen() {
    for (text, bits) in [
        ("\x1b[>1u", 1),
        ("\x1b[>31u", 25),
        ("\x1b[>1u\x1b[>8u\x1b[<u", 1),
        ("\x1b[>1u\x1b[<9u", 0),
        ("\x1b[=8;1u\x1b[=1;2u", 9),
        ("\x1b[=9;1u\x1b[=8;3u", 1),
        ("\x1b[>1u\x1b[?1049h", 0),
        ("\x1b[>1u\x1b[?1049h\x1b[>8u\x1b[?1049l", 1),
        ("\x1b[>1u\x1bc", 0),
    ] {
        let mut emulator = fed(text);
        assert_eq!(emulator.modes().keyboard.bits(), bits, "{text:?}");
        emulator.feed(b"\x1b[?u");
        let told = format!("\x1b[?{bits}u");
        assert_eq!(
            String::from_utf8_lossy(&emulator.take_replies()),
            told,
            "{text:?}"
        );
    }
    // More than the stack holds: the lowest go.
    let mut emulator = fed(&"\x1b[>1u".repeat(10_000));
    emulator.feed(b"\x1b[<16u");
    assert_eq!(emulator.modes().keyboard.bits(), 1);
    emulator.feed(b"\x1b[<u");
    assert_eq!(emulator.modes().keyboard.bits(), 0);
}

#[test]
fn answers() {
    for (question, answer) in [
        ("\x1b[>q", "\x1bP>|quarterdeck("),
        ("\x1b[=c", "\x1bP!|00000000\x1b\\"),
        (
            "\x1b[1;4:3;38;5;200m\x1bP$qm\x1b\\",
            "\x1bP1$r0;1;4:3;38:5:200m\x1b\\",
        ),
        ("\x1b[31;102m\x1bP$qm\x1b\\", "\x1bP1$r0;31;102m\x1b\\"),
        ("\x1b[5 q\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"),
        ("\x1bP$qz\x1b\\", "\x1bP0$r\x1b\\"),
        (
            "\x1bP+q436f;6b31\x1b\\",
            "\x1bP1+r436f=323536\x1b\\\x1bP0+r6b31\x1b\\",
        ),
        ("\x1b[?2026$p", "\x1b[?2026;2$y"),
        ("\x1b[?1006h\x1b[?1006$p", "\x1b[?1006;1$y"),
        ("\x1b[?9999$p", "\x1b[?9999;0$y"),
        (
            "\x1b]11;#010203\x07\x1b]11;?\x07",
            "\x1b]11;rgb:0101/0202/0303\x07",
        ),
        ("\x1b]12;?\x07", "\x1b]12;rgb:"),
        // In the order of the questions.
        ("\x1b[5n\x1b[>q\x1b[5n", "\x1b[0n\x1bP>|quarterdeck("),
    ] {
        let told = fed(question).take_replies();
        let told = String::from_utf8_lossy(&told);
        assert!(told.starts_with(answer), "{question:?}: {told:?}");
    }
    assert!(
        fed("\x1b[5n\x1b[>q\x1b[5n")
            .take_replies()
            .ends_with(b"\x1b[0n")
    );
}

#[test]
fn notifications_are_told() {
    let mut emulator = fed("\x1b]9;one\x07\x1b]777;notify;make;done\x1b\\\x1b]9;4;1;50\x07");
    assert_eq!(
        emulator.take_notices(),
        [Notice::Notify("make: done".to_owned())]
    );
}

/// What may be on when a program dies.
const EVERYTHING: &str = "\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[?1h\x1b=\x1b[20h\x1b[?25l\x1b[4h\x1b[?7l\
    \x1b[>1u\x1b[5 q\x1b[1;31;44m\x1b(0\x0e\x1b[2;3r\x1b[?6h\x1b]10;#ff0000\x07\x1b]8;;https://a\x07";

#[test]
fn nothing_of_a_dead_program_holds() {
    // Cut off in the middle of everything that can be cut off.
    for cut in [
        "",
        "\x1b",
        "\x1b[12;",
        "\x1b]0;title",
        "\x1bP$q",
        "\x1b]52;c;",
        "\x1b[?2026h\x1b[31m",
    ] {
        for (screen, alternate) in [("", false), ("\x1b[?1049h\x1b[>8u", true)] {
            let mut emulator = fed(&format!("text{screen}{EVERYTHING}{cut}"));
            emulator.over();
            let modes = Modes {
                alt_screen: alternate,
                alternate_scroll: true,
                ..Modes::default()
            };
            assert_eq!(emulator.modes(), modes, "{cut:?}");
            let screen = emulator.screen();
            assert!(screen.cursor.is_some());
            assert_eq!(screen.cursor_style, 0, "{cut:?}");
            if !alternate {
                assert_eq!(
                    screen.rows.first().map(|row| row.text()).as_deref(),
                    Some("text")
                );
            }
            // What is written from now on looks plain, and lines scroll the whole screen.
            emulator.feed(b"\x1b[1;1Hqq\x1b[4;1Hxx\n");
            let screen = emulator.screen();
            let looks: Vec<(&str, Style)> = screen
                .rows
                .get(2)
                .map(|row| {
                    row.cells
                        .iter()
                        .take(2)
                        .map(|cell| (cell.text.as_str(), cell.style))
                        .collect()
                })
                .unwrap_or_default();
            assert_eq!(
                looks,
                [("x", Style::default()), ("x", Style::default())],
                "{cut:?}"
            );
            emulator.feed(b"\x1b[?1049l");
            assert_eq!(emulator.modes().keyboard, Keyboard::default(), "{cut:?}");
        }
    }
}

#[test]
fn keys_follow_the_keyboard_of_the_program() {
    let mut emulator = fed("");
    let key: Key = "Ctrl-Enter".parse().expect("it is a key");
    assert_eq!(encode::key(key, emulator.modes()), b"\r");
    emulator.feed(b"\x1b[>1u");
    assert_eq!(encode::key(key, emulator.modes()), b"\x1b[13;5u");
    emulator.over();
    assert_eq!(encode::key(key, emulator.modes()), b"\r");
}

#[test]
fn a_cell_stays_small() {
    // A screen of 200 by 50 has ten thousand of them, and each frame looks at all.
    assert!(size_of::<Cell>() <= 48, "{}", size_of::<Cell>());
}

/// Bytes as a hostile host might send them, with what only this emulator understands.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "\x1b\\[[?>=<!]?[0-9;:]{0,8}[ $'\"]?[@-~]".prop_map(String::into_bytes),
        2 => "\x1b\\]8;[a-z=]{0,3};(https://|ssh://|x:)?[a-z/;ö\x07]{0,8}(\x07|\x1b\\\\|\x18)?".prop_map(String::into_bytes),
        1 => "\x1b\\](9|777|7|52|4|11|104);[#;?a-z0-9/:=]{0,12}(\x07|\x1b\\\\|\x18)?".prop_map(String::into_bytes),
        1 => "\x1bP[$+>]?[q|][ a-z0-9\"]{0,6}(\x1b\\\\|\x18)?".prop_map(String::into_bytes),
        2 => "\x1b\\[[>=<][0-9]{0,3}(;[0-9])?u".prop_map(String::into_bytes),
        1 => "\x1b\\[\\?(47|1047|1048|1049|2026)[hl]".prop_map(String::into_bytes),
        2 => "[a-z界\u{301}\u{200d}\u{fe0f}❤👩 \r\n\t]{0,12}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_screen_is_harmless_and_bounded(
        parts in proptest::collection::vec((hostile(), 0u16..14, 0u16..6, any::<bool>()), 1..6)
    ) {
        let mut emulator = Emulator::new(Size::new(8, 3));
        for (bytes, cols, rows, over) in parts {
            emulator.feed(&bytes);
            if over {
                emulator.over();
                prop_assert_eq!(emulator.modes().mouse, Mouse::None);
            }
            let screen = emulator.screen();
            let afresh = emulator.rows_afresh();
            let whole: Vec<Row> = screen.rows.iter().map(|row| (**row).clone()).collect();
            prop_assert_eq!(whole, afresh);
            prop_assert!(screen.links.len() <= 1_024);
            for row in &screen.rows {
                prop_assert!(!row.text().chars().any(char::is_control));
                for cell in &row.cells {
                    let link = screen.link(&cell.style);
                    prop_assert!(link.is_some() == (cell.style.link != 0));
                    prop_assert!(link.is_none_or(|link| link.bytes().all(|byte| byte.is_ascii_graphic())));
                }
            }
            emulator.resize(Size::new(cols, rows));
            prop_assert!(emulator.take_replies().len() <= 64 * 1024);
            for notice in emulator.take_notices() {
                if let Notice::Notify(text) | Notice::Title(text) = notice {
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
        }
    }
}

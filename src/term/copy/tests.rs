//! Copy mode, key by key, over real emulators.

use proptest::prelude::*;

use crate::domain::look::{CopyKeys, Deed, Find, Motion, Shape};
use crate::term::{CopyView, Emulator, Keep, Look, ShellState, Size};

const BIG: bool = true;

fn fed(cols: u16, rows: u16, text: &str) -> Emulator {
    let mut emulator = Emulator::new(Size::new(cols, rows));
    emulator.feed(text.replace('\n', "\r\n").as_bytes());
    emulator
}

fn view(emulator: &mut Emulator) -> CopyView {
    let screen = emulator.screen();
    screen.copy.clone().unwrap_or_default()
}

fn go(emulator: &mut Emulator, motion: Motion, count: u32) -> (u16, u16) {
    emulator.look(Look::Go(motion, count));
    view(emulator).cursor
}

fn act(emulator: &mut Emulator, deed: Deed) -> Option<String> {
    emulator.look(Look::Do(deed)).map(|copied| copied.text)
}

fn on(emulator: &Emulator) -> bool {
    emulator.past.copy.is_some()
}

/// `Top`, then the motions, on one screen; where the cursor is after each.
fn check(text: &str, steps: &[(Motion, u32, (u16, u16))]) {
    let mut emulator = fed(20, 8, text);
    go(&mut emulator, Motion::Top, 0);
    for (at, (motion, count, expected)) in steps.iter().enumerate() {
        let found = go(&mut emulator, *motion, *count);
        assert_eq!(found, *expected, "{text:?}, step {at}: {motion:?} {count}");
    }
}

#[test]
fn motions_of_vi() {
    use Motion as M;
    let words = "one, two-three  f\n\n  x.y z\nend";
    check(
        words,
        &[
            (M::WordNext { big: false }, 0, (0, 3)),
            (M::WordNext { big: false }, 0, (0, 5)),
            (M::WordNext { big: false }, 3, (0, 16)),
            (M::WordNext { big: false }, 0, (1, 0)),
            (M::WordNext { big: false }, 0, (2, 2)),
            (M::WordNext { big: BIG }, 0, (2, 6)),
            (M::WordNext { big: BIG }, 9, (3, 2)),
            (M::WordBack { big: false }, 0, (3, 0)),
            (M::WordBack { big: BIG }, 2, (2, 2)),
            (M::WordBack { big: false }, 0, (1, 0)),
            (M::WordBack { big: BIG }, 2, (0, 5)),
            (M::WordEnd { big: false }, 0, (0, 7)),
            (M::WordEnd { big: BIG }, 0, (0, 13)),
            (M::WordEnd { big: BIG }, 2, (2, 4)),
            (M::WordBack { big: false }, 99, (0, 0)),
            (M::Find(Find::On, 't'), 0, (0, 5)),
            (M::FindAgain, 0, (0, 9)),
            (M::FindBack, 0, (0, 5)),
            (M::Find(Find::Till, 'f'), 0, (0, 15)),
            (M::Find(Find::TillBack, ','), 0, (0, 4)),
            (M::Find(Find::OnBack, 'o'), 0, (0, 0)),
            (M::Find(Find::On, 'q'), 0, (0, 0)),
            (M::LineEnd, 0, (0, 16)),
            (M::Down, 0, (1, 0)),
            (M::Down, 0, (2, 6)),
            (M::FirstText, 0, (2, 2)),
            (M::LineStart, 0, (2, 0)),
            (M::ParagraphBack, 0, (1, 0)),
            (M::ParagraphNext, 0, (3, 2)),
            (M::ViewTop, 0, (0, 0)),
            (M::ViewBottom, 0, (3, 0)),
            (M::ViewMiddle, 0, (1, 0)),
            (M::Bottom, 0, (3, 0)),
            (M::Top, 3, (2, 2)),
            (M::Bottom, 1, (0, 0)),
            (M::Right, 5, (0, 5)),
            (M::Left, 2, (0, 3)),
            (M::Up, 3, (0, 3)),
        ],
    );
}

#[test]
fn motions_over_brackets_wide_characters_wrapped_and_empty_lines() {
    use Motion as M;
    check(
        "if (x) {\n  y[1]\n}",
        &[
            (M::Right, 7, (0, 7)),
            (M::Bracket, 0, (2, 0)),
            (M::Bracket, 0, (0, 7)),
        ],
    );
    // Wide characters are one step; a cursor is never on a right half.
    check(
        "a界b😀",
        &[
            (M::Right, 1, (0, 1)),
            (M::Right, 1, (0, 3)),
            (M::LineEnd, 0, (0, 4)),
            (M::Left, 2, (0, 1)),
        ],
    );
    // A wrapped line is one line for words and its ends, and rows for up and down.
    check(
        "0123456789abcdefghij0123\nx",
        &[
            (M::Down, 1, (1, 0)),
            (M::LineEnd, 0, (1, 3)),
            (M::LineStart, 0, (0, 0)),
            (M::Down, 2, (2, 0)),
        ],
    );
    check(
        "\n\n",
        &[
            (M::LineEnd, 0, (0, 0)),
            (M::WordNext { big: false }, 0, (1, 0)),
            (M::Down, 9, (2, 0)),
        ],
    );
}

#[test]
fn selections_copy_what_is_seen_selected() {
    use Shape as S;
    let text = "abc  \ndef ghi\n0123456789abcdefghij0123\n界x";
    for (shape, from, to, expected) in [
        (S::Chars, (0, 1), (1, 2), "bc\ndef"),
        (S::Chars, (1, 2), (0, 1), "bc\ndef"),
        (S::Lines, (0, 1), (1, 0), "abc\ndef ghi"),
        // A wrapped line is copied whole, without a break.
        (S::Lines, (2, 0), (2, 0), "0123456789abcdefghij0123"),
        (S::Chars, (2, 5), (3, 1), "56789abcdefghij01"),
        (S::Block, (0, 1), (1, 5), "bc\nef gh"),
        (S::Block, (2, 1), (3, 2), "12\n12"),
        (S::Words, (1, 5), (1, 5), "ghi"),
        (S::Chars, (4, 1), (4, 1), "界"),
    ] {
        let mut emulator = fed(20, 8, text);
        emulator.look(Look::Press {
            row: from.0,
            col: from.1,
            shape,
        });
        emulator.look(Look::Drag {
            row: to.0,
            col: to.1,
        });
        let seen = view(&mut emulator);
        assert_eq!(seen.shape, Some(shape));
        assert!(!seen.selected.is_empty(), "{shape:?} {from:?}");
        let copied = emulator.look(Look::Release).map(|copied| copied.text);
        assert_eq!(
            copied.as_deref(),
            Some(expected),
            "{shape:?} {from:?} {to:?}"
        );
        assert!(!on(&emulator), "a drag that began copy mode ends it");
    }
    let mut emulator = fed(20, 8, text);
    go(&mut emulator, Motion::Top, 0);
    act(&mut emulator, Deed::Select(S::Chars));
    go(&mut emulator, Motion::Right, 1);
    act(&mut emulator, Deed::OtherEnd);
    assert_eq!(view(&mut emulator).cursor, (0, 0));
    act(&mut emulator, Deed::Select(S::Lines));
    assert_eq!(
        view(&mut emulator).shape,
        Some(S::Lines),
        "the shape changes, the selection stays"
    );
    assert_eq!(act(&mut emulator, Deed::Yank).as_deref(), Some("abc"));
    assert_eq!(
        act(&mut emulator, Deed::Yank),
        None,
        "nothing is selected any more"
    );
    assert_eq!(act(&mut emulator, Deed::YankLine).as_deref(), Some("abc"));
    act(&mut emulator, Deed::Select(S::Block));
    act(&mut emulator, Deed::Escape);
    assert!(on(&emulator));
    act(&mut emulator, Deed::Escape);
    assert!(!on(&emulator));
    // In emacs the character under the cursor is not selected.
    emulator.keep(Keep {
        keys: CopyKeys::Emacs,
        ..Keep::default()
    });
    go(&mut emulator, Motion::Top, 0);
    act(&mut emulator, Deed::Select(S::Chars));
    go(&mut emulator, Motion::LineEnd, 0);
    assert_eq!(
        act(&mut emulator, Deed::YankAndLeave).as_deref(),
        Some("abc")
    );
    go(&mut emulator, Motion::Top, 0);
    act(&mut emulator, Deed::Select(S::Chars));
    go(&mut emulator, Motion::Right, 1);
    assert_eq!(act(&mut emulator, Deed::Yank).as_deref(), Some("a"));
}

fn search(emulator: &mut Emulator, pattern: &str, backward: bool, done: bool) -> CopyView {
    emulator.look(Look::Search {
        pattern: pattern.to_owned(),
        backward,
        done,
    });
    view(emulator)
}

#[test]
fn searches_find_count_and_go_round() {
    let mut emulator = Emulator::new(Size::new(30, 5));
    for number in 0..3_000 {
        emulator.feed(format!("{number} Error é{}\r\n", number % 7).as_bytes());
    }
    emulator.look(Look::Begin);
    let seen = search(&mut emulator, "error é3", true, false);
    let found = seen.search.unwrap_or_default();
    assert_eq!((found.count, found.more, found.at), (429, false, Some(429)));
    assert!(
        seen.matches
            .iter()
            .any(|span| (span.row, span.from, span.to) == (seen.cursor.0, 5, 13)),
        "{:?}",
        seen.matches
    );
    // A capital makes the case count.
    assert_eq!(
        search(&mut emulator, "ERROR", true, false)
            .search
            .map(|found| found.count),
        Some(0)
    );
    let many = search(&mut emulator, "error", true, true)
        .search
        .unwrap_or_default();
    assert_eq!((many.count, many.more), (1_000, true));
    let seen = search(&mut emulator, r"^29\d\d .*é0$", false, true);
    let found = seen.search.unwrap_or_default();
    let naive = (2_900..3_000).filter(|number| number % 7 == 0).count();
    assert_eq!(
        (found.at, found.count),
        (Some(1), naive),
        "forward from the end goes round"
    );
    go(&mut emulator, Motion::Match, 2);
    assert_eq!(
        view(&mut emulator).search.and_then(|found| found.at),
        Some(3)
    );
    go(&mut emulator, Motion::MatchBack, 3);
    assert_eq!(
        view(&mut emulator).search.and_then(|found| found.at),
        Some(naive)
    );
    // An empty pattern is the one before; what is no regular expression is looked for as it stands.
    assert_eq!(
        search(&mut emulator, "", false, true)
            .search
            .and_then(|found| found.at),
        Some(1)
    );
    let open = search(&mut emulator, "é3(", false, false)
        .search
        .unwrap_or_default();
    assert_eq!((open.count, open.literal), (0, true));
    let before = view(&mut emulator).line;
    search(&mut emulator, "1234", false, false);
    act(&mut emulator, Deed::CancelSearch);
    let seen = view(&mut emulator);
    assert_eq!(
        seen.line, before,
        "a search that was given up leaves no trace"
    );
    assert_eq!(seen.search.map(|found| found.count), Some(naive));
    go(&mut emulator, Motion::Word, 0);
    assert!(
        view(&mut emulator)
            .search
            .is_some_and(|found| found.pattern.starts_with(r"\b"))
    );
}

#[test]
fn the_view_stays_while_output_flows() {
    let mut emulator = Emulator::new(Size::new(20, 4));
    for number in 0..2_500 {
        emulator.feed(format!("line {number}\r\n").as_bytes());
    }
    emulator.look(Look::Go(Motion::Top, 41));
    act(&mut emulator, Deed::Select(Shape::Lines));
    let before = emulator.screen();
    assert!(before.text().contains("line 40"), "{}", before.text());
    for number in 2_500..6_000 {
        emulator.feed(format!("line {number}\r\n").as_bytes());
    }
    let after = emulator.screen();
    assert_eq!(after.text(), before.text());
    assert_eq!(act(&mut emulator, Deed::Yank).as_deref(), Some("line 40"));
    emulator.resize(Size::new(5, 4));
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("line 40")
    );
    assert!(
        emulator.screen().text().contains("line\n40"),
        "rows are cut anew: {}",
        emulator.screen().text()
    );
    emulator.resize(Size::new(20, 4));
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("line 40")
    );
    emulator.look(Look::Scroll(0));
    assert_eq!(emulator.screen().text(), "line 5997\nline 5998\nline 5999");
    // Clearing the scrollback clears what was packed too.
    emulator.feed(b"\x1b[3J");
    assert_eq!(
        (emulator.history_len(), emulator.text().as_str()),
        (0, "line 5997\nline 5998\nline 5999")
    );
    // A full-screen program has a screen of its own.
    for number in 0..2_000 {
        emulator.feed(format!("again {number}\r\n").as_bytes());
    }
    emulator.feed(b"\x1b[?1049h\x1b[Htop\r\nmore");
    emulator.look(Look::Go(Motion::Top, 0));
    assert_eq!(view(&mut emulator).lines, 2);
    assert!(!view(&mut emulator).older);
    assert_eq!(emulator.screen().text(), "top\nmore");
    emulator.feed(b"\x1b[?1049l");
    assert!(emulator.text().contains("again 0\n"));
}

#[test]
fn the_wheel_leaves_where_it_came_in() {
    let mut emulator = fed(20, 3, "1\n2\n3\n4\n5\n6");
    emulator.look(Look::Scroll(2));
    assert_eq!(
        (
            emulator.screen().text().as_str(),
            emulator.screen().scrolled_back
        ),
        ("2\n3\n4", 2)
    );
    emulator.look(Look::Scroll(-1));
    assert!(on(&emulator));
    emulator.look(Look::Scroll(-1));
    assert!(!on(&emulator));
    emulator.look(Look::Scroll(-1));
    assert!(!on(&emulator), "scrolling down begins nothing");
    emulator.look(Look::Begin);
    emulator.look(Look::Scroll(1));
    emulator.look(Look::Scroll(-1));
    assert!(on(&emulator), "who came in by a key leaves by a key");
}

#[test]
fn marks_lead_to_prompts_and_outputs() {
    let mut emulator = Emulator::new(Size::new(30, 6));
    assert_eq!(emulator.screen().shell, ShellState::Unknown);
    let mut bytes = Vec::new();
    for number in 0..1_500 {
        let status = number % 3;
        bytes.extend(format!("\x1b]133;A\x07$ \x1b]133;B\x07cmd {number}\r\n\x1b]133;C\x1b\\out {number}a\r\nout {number}b\r\n\x1b]133;D;{status}\x07").bytes());
    }
    // However the bytes are cut, the marks are where they were set.
    for piece in bytes.chunks(7) {
        emulator.feed(piece);
    }
    assert_eq!(emulator.screen().shell, ShellState::Ready(Some(1_499 % 3)));
    assert_eq!(
        act(&mut emulator, Deed::YankOutput).as_deref(),
        Some("out 1499a\nout 1499b")
    );
    go(&mut emulator, Motion::PromptBack, 0);
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("$ cmd 1499")
    );
    go(&mut emulator, Motion::PromptBack, 400);
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("$ cmd 1099"),
        "packed by now"
    );
    go(&mut emulator, Motion::PromptNext, 1);
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("$ cmd 1100")
    );
    emulator.resize(Size::new(7, 6));
    go(&mut emulator, Motion::PromptNext, 1);
    assert_eq!(
        act(&mut emulator, Deed::YankLine).as_deref(),
        Some("$ cmd 1101")
    );
    let commands = emulator.take_commands();
    assert_eq!(commands.len(), 64);
    assert_eq!(commands.last().map(String::as_str), Some("cmd 1499"));
    act(&mut emulator, Deed::Leave);
    emulator.feed(b"\x1b]133;C\x07");
    assert_eq!(emulator.screen().shell, ShellState::Running);
    // A screen that was reset has no prompts on it, but keeps what had scrolled away.
    emulator.feed(b"\x1bc");
    assert!(
        emulator.text().contains("$ cmd 1400"),
        "reset keeps the scrollback"
    );
    assert_eq!(emulator.screen().shell, ShellState::Unknown);
}

fn any_look() -> impl Strategy<Value = Look> {
    use Motion as M;
    let motion = prop::sample::select(vec![
        M::Left,
        M::Right,
        M::Up,
        M::Down,
        M::LineStart,
        M::FirstText,
        M::LineEnd,
        M::WordNext { big: false },
        M::WordBack { big: true },
        M::WordEnd { big: false },
        M::ParagraphBack,
        M::ParagraphNext,
        M::ViewTop,
        M::ViewMiddle,
        M::ViewBottom,
        M::Top,
        M::Bottom,
        M::HalfDown,
        M::HalfUp,
        M::PageDown,
        M::PageUp,
        M::ScrollDown,
        M::ScrollUp,
        M::Find(Find::Till, 'x'),
        M::FindAgain,
        M::FindBack,
        M::Bracket,
        M::Match,
        M::MatchBack,
        M::Word,
        M::WordBefore,
        M::PromptBack,
        M::PromptNext,
    ]);
    let deed = prop::sample::select(vec![
        Deed::Select(Shape::Chars),
        Deed::Select(Shape::Lines),
        Deed::Select(Shape::Block),
        Deed::Clear,
        Deed::OtherEnd,
        Deed::OtherCorner,
        Deed::Yank,
        Deed::YankLine,
        Deed::YankOutput,
        Deed::Centre,
        Deed::CancelSearch,
        Deed::Leave,
        Deed::YankAndLeave,
    ]);
    let shape = prop::sample::select(vec![Shape::Chars, Shape::Words, Shape::Lines, Shape::Block]);
    prop_oneof![
        6 => (motion, prop_oneof![Just(0u32), 1u32..5, Just(90_000)]).prop_map(|(motion, count)| Look::Go(motion, count)),
        3 => deed.prop_map(Look::Do),
        1 => (-30i32..30).prop_map(Look::Scroll),
        1 => ("[a-z.*(]{0,3}", any::<bool>(), any::<bool>())
            .prop_map(|(pattern, backward, done)| Look::Search { pattern, backward, done }),
        1 => (any::<u16>(), any::<u16>(), shape).prop_map(|(row, col, shape)| Look::Press { row: row % 40, col: col % 99, shape }),
        1 => (-3i32..40, 0u16..99).prop_map(|(row, col)| Look::Drag { row, col }),
        1 => Just(Look::Release),
        1 => (0u16..40, 0u16..99).prop_map(|(row, col)| Look::Click { row, col }),
        1 => prop_oneof![Just(0usize), Just(20_000)].prop_map(|bytes| Look::Keep(Keep { bytes, keys: CopyKeys::Emacs })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_asked_does_harm(
        steps in proptest::collection::vec(
            (any_look(), "([a-z(]{0,9}|界|e\u{301}|\x1b\\[(3J|2J|J|H|S|\\?1049[hl])|\x1bc|\x1b\\]133;[ABCD]\x07|\r?\n){0,30}", prop_oneof![4 => 0usize..12, 1 => Just(300)], 0u16..40, 0u16..12),
            1..16,
        )
    ) {
        let mut emulator = Emulator::new(Size::new(10, 4));
        emulator.keep(Keep { bytes: 20_000, keys: CopyKeys::Vi });
        for (look, output, times, cols, rows) in steps {
            emulator.feed("some text to scroll\r\n".repeat(times).as_bytes());
            emulator.feed(output.as_bytes());
            emulator.look(look);
            if cols % 4 == 0 {
                emulator.resize(Size::new(cols, rows));
            }
            let screen = emulator.screen();
            prop_assert!(emulator.packed_bytes() <= 20_000);
            prop_assert_eq!(screen.rows.len(), usize::from(screen.size.rows));
            prop_assert!(screen.rows.iter().all(|row| row.cells.len() == usize::from(screen.size.cols)));
            if let Some(copy) = &screen.copy {
                prop_assert!(copy.cursor.0 < screen.size.rows && copy.cursor.1 < screen.size.cols);
                prop_assert!(copy.line >= 1 && copy.lines >= 1);
                for span in copy.selected.iter().chain(&copy.matches) {
                    prop_assert!(span.row < screen.size.rows && span.from < span.to && span.to <= screen.size.cols);
                }
            }
        }
    }
}

/// Figures for the measurements: `cargo test --lib -- --ignored --nocapture figures_of_the_scrollback`.
#[test]
#[ignore = "a measurement, not a check"]
fn figures_of_the_scrollback() -> std::io::Result<()> {
    use std::io::Write;
    use std::time::Instant;
    let mut out = std::io::stderr();
    let plain = |n: u32| {
        format!(
            "Nov 23 16:17:{:02} web1 sshd[{n}]: Accepted publickey for admin\r\n",
            n % 60
        )
    };
    let coloured = |n: u32| {
        format!(
            "\x1b[32m{n:>6}\x1b[0m \x1b[1;34mdrwxr-xr-x\x1b[0m \x1b[38;5;200mroot\x1b[0m /usr/share/doc/package-{n}\r\n"
        )
    };
    for (name, line) in [
        ("plain", &plain as &dyn Fn(u32) -> String),
        ("coloured", &coloured),
    ] {
        let text: String = (0..11_100).map(line).collect();
        let mut emulator = Emulator::new(Size::new(80, 24));
        let begun = Instant::now();
        emulator.feed(text.as_bytes());
        let fed = begun.elapsed();
        let packed = emulator.past.history.end();
        writeln!(
            out,
            "{name}: {packed} lines packed in {} B, all fed in {fed:?}",
            emulator.packed_bytes()
        )?;
        emulator.look(Look::Begin);
        for pattern in ["web1", "no such thing", "[0-9]+99.*min"] {
            let begun = Instant::now();
            search(&mut emulator, pattern, true, false);
            writeln!(
                out,
                "  search {pattern:?} and the screen after it: {:?}",
                begun.elapsed()
            )?;
        }
        let begun = Instant::now();
        go(&mut emulator, Motion::Top, 0);
        writeln!(out, "  to the top: {:?}", begun.elapsed())?;
        act(&mut emulator, Deed::Select(Shape::Lines));
        go(&mut emulator, Motion::Bottom, 0);
        let begun = Instant::now();
        let copied = act(&mut emulator, Deed::Yank).unwrap_or_default();
        writeln!(
            out,
            "  copying all {} B: {:?}",
            copied.len(),
            begun.elapsed()
        )?;
        let begun = Instant::now();
        emulator.resize(Size::new(132, 50));
        view(&mut emulator);
        writeln!(out, "  another size: {:?}", begun.elapsed())?;
    }
    Ok(())
}

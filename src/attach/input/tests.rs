//! What bytes become: every form of keys, mouse and answers, split anywhere, late, garbled, and endless.

use crossterm::event::{KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;

const ESCAPE: Duration = Duration::from_millis(50);

/// A parser and its clock.
struct Line {
    parser: Parser,
    now: Instant,
    came: Vec<Came>,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            parser: Parser::new(ESCAPE, now),
            now,
            came: Vec::new(),
        }
    }

    /// Bytes come, so long after the last ones; what was due before is done before.
    fn after(&mut self, wait: Duration, bytes: &[u8]) -> &mut Self {
        let then = self.now + wait;
        while let Some(due) = self.parser.due().filter(|due| *due <= then) {
            self.now = due;
            let came = self.parser.tick(due);
            self.came.extend(came);
        }
        self.now = then;
        let came = self.parser.feed(bytes, then);
        self.came.extend(came);
        self
    }

    fn end(&mut self) -> Vec<Came> {
        self.after(Duration::from_secs(60), b"");
        std::mem::take(&mut self.came)
    }
}

fn key(code: KeyCode, with: KeyModifiers) -> Came {
    Came::Event(Event::Key(KeyEvent::new(code, with)))
}

fn char(c: char) -> Came {
    key(KeyCode::Char(c), KeyModifiers::NONE)
}

fn kind(code: KeyCode, with: KeyModifiers, kind: KeyEventKind) -> Came {
    Came::Event(Event::Key(KeyEvent::new_with_kind(code, with, kind)))
}

fn mouse(kind: MouseEventKind, column: u16, row: u16, modifiers: KeyModifiers) -> Came {
    Came::Event(Event::Mouse(MouseEvent {
        kind,
        column,
        row,
        modifiers,
    }))
}

fn paste(text: &str) -> Came {
    Came::Event(Event::Paste(text.to_owned()))
}

fn at_once(bytes: &[u8]) -> Vec<Came> {
    Line::new().after(Duration::ZERO, bytes).end()
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

// tidy: table
/// Sequences and what each is.
fn known() -> Vec<(&'static [u8], Vec<Came>)> {
    let down = MouseEventKind::Down(MouseButton::Left);
    let up = MouseEventKind::Up(MouseButton::Right);
    vec![
        (b"a", vec![char('a')]),
        (b"G", vec![char('G')]),
        ("ä".as_bytes(), vec![char('ä')]),
        ("界".as_bytes(), vec![char('界')]),
        ("🦀".as_bytes(), vec![char('🦀')]),
        (b"\r", vec![key(KeyCode::Enter, NONE)]),
        (b"\t", vec![key(KeyCode::Tab, NONE)]),
        (b"\x7f", vec![key(KeyCode::Backspace, NONE)]),
        (b"\x00", vec![key(KeyCode::Char(' '), CTRL)]),
        (b"\x03", vec![key(KeyCode::Char('c'), CTRL)]),
        (b"\x1d", vec![key(KeyCode::Char('5'), CTRL)]),
        (b"\x1b[A", vec![key(KeyCode::Up, NONE)]),
        (b"\x1b[1;5C", vec![key(KeyCode::Right, CTRL)]),
        (b"\x1b[1;2R", vec![key(KeyCode::F(3), SHIFT)]),
        (b"\x1bOP", vec![key(KeyCode::F(1), NONE)]),
        (b"\x1bOB", vec![key(KeyCode::Down, NONE)]),
        (b"\x1b[[B", vec![key(KeyCode::F(2), NONE)]),
        (b"\x1b[15~", vec![key(KeyCode::F(5), NONE)]),
        (b"\x1b[24;3~", vec![key(KeyCode::F(12), ALT)]),
        (b"\x1b[5~", vec![key(KeyCode::PageUp, NONE)]),
        (b"\x1b[3^", vec![key(KeyCode::Delete, CTRL)]),
        (b"\x1b[3$", vec![key(KeyCode::Delete, SHIFT)]),
        (b"\x1b[Z", vec![key(KeyCode::BackTab, SHIFT)]),
        (b"\x1b[a", vec![key(KeyCode::Up, SHIFT)]),
        (b"\x1bx", vec![key(KeyCode::Char('x'), ALT)]),
        ("\x1bö".as_bytes(), vec![key(KeyCode::Char('ö'), ALT)]),
        (b"\x1b\r", vec![key(KeyCode::Enter, ALT)]),
        (b"\x1b[27;5;93~", vec![key(KeyCode::Char(']'), CTRL)]),
        (b"\x1b[97;5u", vec![key(KeyCode::Char('a'), CTRL)]),
        (b"\x1b[49:33;2u", vec![key(KeyCode::Char('!'), SHIFT)]),
        (b"\x1b[27u", vec![key(KeyCode::Esc, NONE)]),
        (b"\x1b[57404u", vec![char('5')]),
        (
            b"\x1b[97;1:3u",
            vec![kind(KeyCode::Char('a'), NONE, KeyEventKind::Release)],
        ),
        (
            b"\x1b[1;5:2A",
            vec![kind(KeyCode::Up, CTRL, KeyEventKind::Repeat)],
        ),
        (b"\x1b[57441u", vec![]),
        (b"\x1b[<0;5;3M", vec![mouse(down, 4, 2, NONE)]),
        (b"\x1b[<2;5;3m", vec![mouse(up, 4, 2, NONE)]),
        (
            b"\x1b[<68;1;1M",
            vec![mouse(MouseEventKind::ScrollUp, 0, 0, SHIFT)],
        ),
        (
            b"\x1b[<35;200;300M",
            vec![mouse(MouseEventKind::Moved, 199, 299, NONE)],
        ),
        (b"\x1b[M !\"", vec![mouse(down, 0, 1, NONE)]),
        (b"\x1b[32;9;8M", vec![mouse(down, 8, 7, NONE)]),
        (b"\x1b[I", vec![Came::Event(Event::FocusGained)]),
        (b"\x1b[O", vec![Came::Event(Event::FocusLost)]),
        (b"\x1b[0n", vec![Came::Alive]),
        (b"\x1b[?62;22c", vec![Came::Answer]),
        (b"\x1b[>1;4000;0c", vec![Came::Answer]),
        (b"\x1b[24;80R", vec![Came::Answer]),
        (b"\x1b[?2026;2$y", vec![Came::Answer]),
        (b"\x1b[?1u", vec![Came::Answer]),
        (b"\x1b[8;24;80t", vec![Came::Answer]),
        (b"\x1b]11;rgb:0000/1111/2222\x1b\\", vec![Came::Answer]),
        (b"\x1b]10;rgb:ffff/ffff/ffff\x07", vec![Came::Answer]),
        (b"\x1bP>|XTerm(390)\x1b\\", vec![Came::Answer]),
        (b"\x1b_Gi=1;OK\x1b\\", vec![Came::Answer]),
        (
            b"\x1b[200~two\rlines\x1b[31m\x1b[201~",
            vec![paste("two\rlines\x1b[31m")],
        ),
        (b"\x1b[200~\x1b[201\x1b[201~", vec![paste("\x1b[201")]),
        (b"\x1b[201~", vec![]),
        // Sequences that nobody knows are swallowed whole.
        (b"\x1b[99;99;99;99z", vec![]),
        (b"\x1b[=5!p", vec![Came::Answer]),
        (b"\x1bO%", vec![]),
    ]
}

#[test]
fn every_form_is_read_at_once_and_byte_by_byte() {
    for (bytes, expected) in known() {
        assert_eq!(
            at_once(bytes),
            expected,
            "{:?}",
            bytes.escape_ascii().to_string()
        );
        let mut line = Line::new();
        for byte in bytes {
            line.after(Duration::from_millis(9), &[*byte]);
        }
        assert_eq!(
            line.end(),
            expected,
            "slowly: {:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn escape_and_a_key_are_one_key_only_when_they_come_together() {
    let esc = key(KeyCode::Esc, NONE);
    let mut line = Line::new();
    line.after(Duration::ZERO, b"\x1b");
    assert_eq!(line.end(), std::slice::from_ref(&esc));
    // Quick fingers: well within the time that the rest of a sequence may take.
    line.after(Duration::ZERO, b"\x1b");
    line.after(Duration::from_millis(30), b":wq\r");
    assert_eq!(
        line.end(),
        [
            esc.clone(),
            char(':'),
            char('w'),
            char('q'),
            key(KeyCode::Enter, NONE)
        ]
    );
    line.after(Duration::ZERO, b"\x1b");
    line.after(Duration::from_millis(40), b"[A");
    assert_eq!(line.end(), [key(KeyCode::Up, NONE)]);
    line.after(Duration::ZERO, b"\x1b\x1b[A");
    assert_eq!(line.end(), [esc.clone(), key(KeyCode::Up, NONE)]);
    for (bytes, c) in [
        (b"\x1b[", '['),
        (b"\x1bO", 'O'),
        (b"\x1b]", ']'),
        (b"\x1bP", 'P'),
    ] {
        assert_eq!(at_once(bytes), [key(KeyCode::Char(c), ALT)]);
    }
    line.after(Duration::ZERO, b"\x1b]");
    line.after(Duration::from_millis(20), b"x");
    assert_eq!(line.end(), [key(KeyCode::Char(']'), ALT), char('x')]);
}

#[test]
fn the_rest_of_a_sequence_that_comes_too_late_is_no_text() {
    let mut line = Line::new();
    line.after(Duration::ZERO, b"\x1b");
    line.after(Duration::from_millis(200), b"[<35;10;20M");
    let moved = mouse(MouseEventKind::Moved, 9, 19, NONE);
    assert_eq!(line.end(), [key(KeyCode::Esc, NONE), moved]);
    // Begun, and surely a sequence: its end may take its time, and if it never comes nothing is typed.
    line.after(Duration::ZERO, b"\x1b[<35;1");
    line.after(Duration::from_millis(1_500), b"0;20M");
    assert_eq!(line.end(), [mouse(MouseEventKind::Moved, 9, 19, NONE)]);
    line.after(Duration::ZERO, b"\x1b[<35;1");
    assert_eq!(line.end(), []);
    line.after(Duration::ZERO, b"\x1b]11;rgb:00");
    assert_eq!(line.end(), []);
    line.after(Duration::ZERO, b"x");
    assert_eq!(line.end(), [char('x')]);
}

#[test]
fn garbled_bytes_are_no_keys() {
    for bytes in [
        &b"\xff\xfe\x80"[..],
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x1b[12\xff",
        b"\x1b[31\x18",
        b"\x9b35;1;1M\xc2\x85",
    ] {
        let came = at_once(bytes);
        let typed = |came: &Came| matches!(came, Came::Event(Event::Key(_)));
        assert!(!came.iter().any(typed), "{bytes:?}: {came:?}");
    }
    assert_eq!(at_once(b"\xc3a"), [char('a')], "what follows is kept");
    assert_eq!(at_once(b"\x1b[1\x1b[A"), [key(KeyCode::Up, NONE)]);
    let long = [b"\x1b[".as_slice(), &b"1;".repeat(5_000), b"Ax"].concat();
    assert_eq!(at_once(&long), [char('x')]);
}

#[test]
fn a_paste_of_any_size_takes_bounded_memory_and_loses_nothing() {
    let mut line = Line::new();
    line.after(Duration::ZERO, b"\x1b[200~");
    let piece = "größe\r".repeat(500);
    for _ in 0..1_000 {
        line.after(Duration::from_millis(1), piece.as_bytes());
        assert!(line.parser.held.capacity() <= 4 * PIECE);
    }
    line.after(Duration::ZERO, b"\x1b[20");
    line.after(Duration::from_millis(900), b"1~");
    let came = line.end();
    let text = |came: &Came| match came {
        Came::Event(Event::Paste(text)) => Some(text.clone()),
        _ => None,
    };
    let pieces: Vec<String> = came.iter().filter_map(text).collect();
    assert_eq!(pieces.len(), came.len());
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE) && pieces.len() >= 3);
    assert_eq!(pieces.concat(), piece.repeat(1_000));
    assert!(line.parser.held.capacity() <= 4 * PARAMETERS + 64);
}

#[test]
fn a_paste_without_an_end_is_given_out_and_keys_work_again() {
    let mut line = Line::new();
    line.after(Duration::ZERO, b"\x1b[200~rm -r x\x1b[2");
    assert_eq!(line.end(), [paste("rm -r x\x1b[2")]);
    line.after(Duration::ZERO, b"q");
    assert_eq!(line.end(), [char('q')]);
}

#[test]
fn much_text_at_once_is_a_paste_where_pastes_have_no_brackets() {
    let text = "echo one; echo two; echo three; echo four; echo five; echo six\rreboot\r";
    assert_eq!(at_once(text.as_bytes()), [paste(text)]);
    let mut line = Line::new();
    line.after(Duration::ZERO, text.as_bytes());
    line.after(Duration::from_millis(5), b"and more");
    line.after(Duration::from_millis(5), b"\x1b[A");
    assert_eq!(
        line.end(),
        [paste(&format!("{text}and more")), key(KeyCode::Up, NONE)]
    );
    // What somebody typed while the line stalled, and one long line.
    for typed in ["ls -l\rcd /tmp\rmake\r", &"x".repeat(200)] {
        let came = at_once(typed.as_bytes());
        assert_eq!(came.len(), typed.len(), "{came:?}");
    }
    let long_line = format!("{}\r", "x".repeat(200));
    assert_eq!(at_once(long_line.as_bytes()).len(), 201);
    // A terminal that brackets is believed.
    let mut line = Line::new();
    line.after(Duration::ZERO, b"\x1b[200~x\x1b[201~");
    line.after(Duration::from_secs(1), text.as_bytes());
    assert_eq!(line.end().len(), 1 + text.len());
}

/// Any sequence of what is known, but for what depends on where a read ends.
fn stream() -> impl Strategy<Value = Vec<usize>> {
    let whole: Vec<usize> = known()
        .iter()
        .enumerate()
        .filter(|(_, (bytes, _))| *bytes != b"\x1b[=5!p")
        .map(|(index, _)| index)
        .collect();
    prop::collection::vec(prop::sample::select(whole), 1..20)
}

proptest! {
    #[test]
    fn however_it_is_split_and_whenever_it_comes_it_is_the_same(
        stream in stream(),
        cuts in prop::collection::vec((1usize..9, 0u64..10), 1..60),
    ) {
        let known = known();
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for index in stream {
            let (sequence, came) = &known[index];
            bytes.extend_from_slice(sequence);
            expected.extend(came.iter().cloned());
        }
        let mut line = Line::new();
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.into_iter().cycle());
        while let Some((len, wait)) = cuts.next().filter(|_| !rest.is_empty()) {
            let (piece, more) = rest.split_at(len.min(rest.len()));
            line.after(Duration::from_millis(wait), piece);
            rest = more;
        }
        prop_assert_eq!(line.end(), expected);
    }

    #[test]
    fn garbage_is_bounded_and_never_keeps_keys_away(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        len in 1usize..200,
    ) {
        let mut line = Line::new();
        for piece in bytes.chunks(len) {
            line.after(Duration::from_millis(3), piece);
            prop_assert!(line.parser.held.len() <= bytes.len() + END.len());
        }
        let came = line.end();
        prop_assert!(came.len() <= 2 * bytes.len());
        line.after(Duration::from_secs(1), b"q");
        prop_assert_eq!(line.end(), vec![char('q')]);
    }

    #[test]
    fn answers_of_the_terminal_are_never_keys(
        body in "[0-9;:/a-zA-Z=,| ]{0,80}",
        head in prop::sample::select(vec!["\x1b]11;", "\x1bP1$r", "\x1bP>|", "\x1b_G"]),
        end in prop::sample::select(vec!["\x1b\\", "\x07"]),
        cut in 1usize..90,
    ) {
        let text = format!("{head}{body}{end}");
        let mut line = Line::new();
        for piece in text.as_bytes().chunks(cut) {
            line.after(Duration::from_millis(40), piece);
        }
        prop_assert_eq!(line.end(), vec![Came::Answer]);
    }
}

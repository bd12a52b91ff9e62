//! A far host of the tests' own: it echoes, hides, rewrites and asks, late and in order; what is shown meanwhile is looked at
//! after everything that happens.

use proptest::prelude::*;

use super::*;
use crate::term::{Emulator, Size};

/// What a program on the host does with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// A shell with a line editor.
    Edit,
    /// Nothing is echoed until Enter.
    Hide,
    /// Every letter is echoed as another one.
    Rewrite,
}

/// The program on the host.
struct Program {
    manner: Manner,
    line: Vec<char>,
    at: usize,
}

impl Program {
    fn key(&mut self, typed: Typed) -> String {
        if self.manner != Manner::Edit {
            return match (self.manner, typed) {
                (_, Typed::Enter) => {
                    self.manner = Manner::Edit;
                    "\r\n$ ".to_owned()
                }
                (Manner::Rewrite, Typed::Char(_)) => "*".to_owned(),
                _ => String::new(),
            };
        }
        let rest = |program: &Self| program.line[program.at..].iter().collect::<String>();
        match typed {
            Typed::Char(c) => {
                self.line.insert(self.at, c);
                self.at += 1;
                let rest = rest(self);
                format!("{c}{rest}{}", "\x08".repeat(rest.len()))
            }
            Typed::Backspace if self.at > 0 => {
                self.at -= 1;
                self.line.remove(self.at);
                let rest = rest(self);
                format!("\x08{rest} {}", "\x08".repeat(rest.len() + 1))
            }
            Typed::Left if self.at > 0 => {
                self.at -= 1;
                "\x08".to_owned()
            }
            Typed::Right if self.at < self.line.len() => {
                self.at += 1;
                "\x1b[C".to_owned()
            }
            Typed::Enter => {
                self.at = 0;
                match std::mem::take(&mut self.line).last() {
                    Some('h') => {
                        self.manner = Manner::Hide;
                        "\r\ncode please ".to_owned()
                    }
                    Some('w') => {
                        self.manner = Manner::Rewrite;
                        "\r\n> ".to_owned()
                    }
                    Some('v') => "\r\n\x1b[?1049hfull screen\x1b[?1049l$ ".to_owned(),
                    _ => "\r\nsome output\r\n$ ".to_owned(),
                }
            }
            // Control-U, as far as the test goes.
            Typed::Other => {
                let back = "\x08".repeat(self.at);
                let blanks = " ".repeat(self.line.len());
                let over = "\x08".repeat(self.line.len());
                self.line.clear();
                self.at = 0;
                format!("{back}{blanks}{over}")
            }
            Typed::Backspace | Typed::Left | Typed::Right => "\x07".to_owned(),
        }
    }
}

/// What is on its way from the host.
enum Mail {
    Output(String),
    Read(u64),
}

struct Line {
    predictor: Predictor,
    emulator: Emulator,
    program: Program,
    now: Instant,
    seq: u64,
    /// On their way to the host and back; each in the order of arrival.
    there: VecDeque<(Instant, u64, Typed)>,
    back: Vec<(Instant, Mail)>,
    half: Duration,
    reaction: Duration,
    /// Letters that must never be seen.
    secret: &'static [char],
}

impl Line {
    fn new(when: When, half: u64, reaction: u64) -> Self {
        let mut emulator = Emulator::new(Size::new(40, 6));
        emulator.feed(b"welcome\r\n$ ");
        let mut predictor = Predictor::new(when);
        predictor.measured(Duration::from_millis(2 * half));
        Self {
            predictor,
            emulator,
            program: Program {
                manner: Manner::Edit,
                line: Vec::new(),
                at: 0,
            },
            now: Instant::now(),
            seq: 0,
            there: VecDeque::new(),
            back: Vec::new(),
            half: Duration::from_millis(half),
            reaction: Duration::from_millis(reaction),
            secret: &[],
        }
    }

    /// What is shown now.
    fn shown(&mut self) -> String {
        let screen = self.emulator.screen();
        let over = self.predictor.over(screen, self.now);
        let text = over.text();
        assert!(!text.contains(self.secret), "{text}");
        text
    }

    fn key(&mut self, typed: Typed) -> &mut Self {
        self.seq += 1;
        let screen = self.emulator.screen();
        self.predictor.typed(self.seq, typed, &screen, self.now);
        self.there
            .push_back((self.now + self.half, self.seq, typed));
        self.shown();
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.key(if c == '\r' {
                Typed::Enter
            } else {
                Typed::Char(c)
            });
        }
        self
    }

    /// Time passes; everything that happens meanwhile happens in order.
    fn wait(&mut self, millis: u64) -> &mut Self {
        let until = self.now + Duration::from_millis(millis);
        loop {
            let there = self.there.front().map(|(at, ..)| *at);
            let back = self.back.iter().map(|(at, _)| *at).min();
            let due = self.predictor.due();
            let next = [there, back, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if there == Some(next) {
                let Some((at, seq, typed)) = self.there.pop_front() else {
                    break;
                };
                let answer = self.program.key(typed);
                let last = self.back.iter().map(|(at, _)| *at).max();
                let read = (at + self.half).max(last.unwrap_or(at));
                self.back.push((read, Mail::Read(seq)));
                let written = (at + self.reaction + self.half).max(read);
                self.back.push((written, Mail::Output(answer)));
            } else if back == Some(next) {
                let first = self.back.iter().position(|(at, _)| *at == next);
                match first.map(|first| self.back.remove(first).1) {
                    Some(Mail::Output(text)) => self.emulator.feed(text.as_bytes()),
                    Some(Mail::Read(seq)) => self.predictor.acked(seq, self.now),
                    None => break,
                }
                let screen = self.emulator.screen();
                self.predictor.judge(&screen, self.now);
            } else {
                let screen = self.emulator.screen();
                self.predictor.judge(&screen, self.now);
                if self.predictor.due() == Some(next) {
                    // It is shown from now on; nothing is judged earlier because of that.
                    self.shown();
                    if self.predictor.due() == Some(next) {
                        break;
                    }
                }
            }
            self.shown();
        }
        self.now = until;
        self.shown();
        self
    }
}

#[test]
fn what_is_typed_is_shown_at_once_after_the_first_echo() {
    let mut line = Line::new(When::Far, 150, 5);
    assert_eq!(
        line.text("l").shown(),
        "welcome\n$",
        "not before it is known to be echoed"
    );
    assert_eq!(line.wait(100).text("s").shown(), "welcome\n$");
    assert_eq!(
        line.wait(210).shown(),
        "welcome\n$ ls",
        "both, at the echo of the first"
    );
    for (key, shown) in [(' ', "$ ls"), ('-', "$ ls -"), ('l', "$ ls -l")] {
        line.key(Typed::Char(key));
        assert_eq!(line.shown(), format!("welcome\n{shown}"));
        line.wait(30);
    }
    let screen = line.emulator.screen();
    let over = line.predictor.over(screen.clone(), line.now);
    let underlined = |screen: &Screen| screen.rows[1].cells.iter().any(|cell| cell.style.underline);
    assert!(underlined(&over) && !underlined(&screen));
    assert_eq!(over.cursor, Some((1, 7)));
    assert_eq!(line.predictor.state(), State::Shown);
    line.wait(2_000);
    let screen = line.emulator.screen();
    assert_eq!(line.predictor.over(screen.clone(), line.now), screen);
    // A pause changes nothing: the line is still the same.
    assert_eq!(line.text("a").shown(), "welcome\n$ ls -la");
}

#[test]
fn a_key_in_the_moment_of_an_answer_goes_on_with_the_line() {
    let mut line = Line::new(When::Always, 150, 5);
    line.text("l").wait(340);
    // The answer to the first key counts from now on, and nobody has looked yet.
    line.now += Duration::from_millis(40);
    line.text("s");
    assert_eq!(line.shown(), "welcome\n$ ls");
}

#[test]
fn a_line_is_edited_in_the_middle() {
    let mut line = Line::new(When::Always, 150, 5);
    line.text("cat fil").wait(1_000);
    line.key(Typed::Left).key(Typed::Left).key(Typed::Left);
    line.text("a ");
    assert_eq!(line.shown(), "welcome\n$ cat a fil");
    line.key(Typed::Backspace).key(Typed::Backspace);
    assert_eq!(line.shown(), "welcome\n$ cat fil");
    line.wait(2_000);
    assert_eq!(line.shown(), "welcome\n$ cat fil");
    assert_eq!(line.emulator.screen().cursor, Some((1, 6)));
    for _ in 0..20 {
        line.key(Typed::Backspace);
    }
    assert!(line.shown().starts_with("welcome\n$"), "the prompt stays");
    line.wait(2_000);
    assert_eq!(line.shown(), line.emulator.screen().text());
}

#[test]
fn near_hosts_and_those_who_want_it_so_see_only_what_is_there() {
    for (when, half) in [(When::Far, 10), (When::Never, 150)] {
        let mut line = Line::new(when, half, 0);
        line.text("a").wait(1_000);
        line.text("b");
        assert_eq!(line.shown(), "welcome\n$ a");
    }
    // A near host whose line stalls.
    let mut line = Line::new(When::Far, 10, 0);
    line.text("a").wait(1_000);
    line.half = Duration::from_secs(2);
    line.text("b");
    assert_eq!(line.wait(200).shown(), "welcome\n$ a");
    assert_eq!(line.wait(100).shown(), "welcome\n$ ab");
}

#[test]
fn the_threshold_has_two_sides() {
    let mut predictor = Predictor::new(When::Far);
    predictor.measured(Duration::from_millis(50));
    assert_eq!(predictor.state(), State::Near);
    for (millis, far) in [(200, true), (45, true), (20, false), (58, false)] {
        for _ in 0..100 {
            predictor.measured(Duration::from_millis(millis));
        }
        assert_eq!(predictor.state() != State::Near, far, "{millis} ms");
    }
}

#[test]
fn passwords_are_never_guessed() {
    for prompt in [
        "Password: ",
        "[sudo] password for mira: ",
        "Enter passphrase for key '/k': ",
        "PIN: ",
    ] {
        let mut line = Line::new(When::Always, 150, 5);
        line.text("x").wait(1_000);
        line.text("\r").wait(1_000);
        line.emulator.feed(prompt.as_bytes());
        line.program.manner = Manner::Hide;
        line.secret = &['Q', 'Z'];
        line.text("QZQ").wait(1_000);
        line.text("Q\r").wait(1_000);
        line.secret = &[];
        assert_eq!(line.shown(), line.emulator.screen().text());
    }
}

#[test]
fn a_prompt_that_begins_like_the_secret_confirms_nothing() {
    let mut line = Line::new(When::Always, 150, 5);
    line.text("h").wait(1_000);
    // Typed ahead: "code please " comes over it.
    line.text("\rcoQZ").wait(120).text("QQ");
    line.secret = &['Q', 'Z'];
    line.wait(3_000);
    assert_eq!(line.shown(), line.emulator.screen().text());
}

#[test]
fn a_wrong_guess_is_repaired() {
    let mut line = Line::new(When::Always, 150, 5);
    line.text("w\r").wait(1_000);
    line.text("abc").wait(2_000);
    assert!(line.shown().ends_with("> ***"), "{}", line.shown());
    let mut line = Line::new(When::Always, 150, 5);
    line.text("abc").wait(2_000);
    line.text("def").wait(50);
    assert!(line.shown().ends_with("$ abcdef"));
    // Something else is written over what was guessed.
    line.emulator.feed(b"\r\nBroadcast message\r\n");
    line.predictor.judge(&line.emulator.screen(), line.now);
    assert!(line.shown().ends_with("Broadcast message"));
    line.wait(2_000);
    assert_eq!(line.shown(), line.emulator.screen().text());
}

#[derive(Clone, Debug)]
enum Act {
    Key(Typed),
    /// A command that asks for a secret, with or without waiting for the question.
    Secret(usize, bool),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let letter = prop::sample::select(vec!['a', 'b', 'c', 'w', 'v', ' ']);
    prop_oneof![
        6 => letter.prop_map(|c| Act::Key(Typed::Char(c))),
        1 => Just(Act::Key(Typed::Backspace)),
        1 => Just(Act::Key(Typed::Left)),
        1 => Just(Act::Key(Typed::Right)),
        1 => Just(Act::Key(Typed::Enter)),
        1 => Just(Act::Key(Typed::Other)),
        1 => (1usize..6, any::<bool>()).prop_map(|(len, wait)| Act::Secret(len, wait)),
        4 => (0u64..600).prop_map(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_shown_becomes_what_is_there_and_secrets_are_never_seen(
        acts in prop::collection::vec(act(), 1..60),
        half in 1u64..200,
        reaction in 0u64..49,
    ) {
        let mut line = Line::new(When::Always, half, reaction);
        line.secret = &['Q', 'Z'];
        for act in acts {
            match act {
                Act::Key(typed) => {
                    line.key(typed);
                }
                Act::Wait(millis) => {
                    line.wait(millis);
                }
                Act::Secret(len, wait) => {
                    // Whatever runs is left first.
                    line.text("\r").wait(2_000);
                    line.text("\r").wait(2_000);
                    line.text("h\r");
                    if wait {
                        line.wait(2_000);
                    }
                    for index in 0..len {
                        line.text(if index % 2 == 0 { "Q" } else { "Z" });
                        line.wait(70 * (index as u64 % 3));
                    }
                    line.text("\r");
                }
            }
        }
        line.wait(10_000);
        let screen = line.emulator.screen();
        let over = line.predictor.over(screen.clone(), line.now);
        prop_assert_eq!(over, screen);
        prop_assert!(!line.predictor.is_waiting() || line.predictor.blind);
    }
}

//! What is said: of lists, documents, dialogs, secrets and sessions.

use crate::domain::look::{Deed, Motion, Shape};
use crate::model::{Level, Notice, Question, QuestionId, QuestionKind};
use crate::term::{Emulator, Look, Size};
use crate::ui::scenes::Scene;

/// A scene that speaks.
fn plain() -> Scene {
    let mut scene = Scene::new(120, 40);
    scene.ui.set_plain();
    scene
}

fn heard(scene: &mut Scene) -> String {
    scene.ui.layout(&scene.model);
    let out = scene.ui.announce(&scene.model);
    let drawn = |c: char| ('\u{2500}'..='\u{259f}').contains(&c) || c == '\x1b' || c == '›';
    assert!(!out.contains(drawn), "{out:?}");
    out
}

#[test]
fn a_list_says_what_it_is_and_each_row_that_is_reached() {
    let mut scene = plain().keys("2");
    let out = heard(&mut scene);
    assert!(out.starts_with("Hosts: "), "{out:?}");
    let first = out.lines().last().unwrap_or_default();
    assert!(
        first.starts_with("bastion, ") && first.ends_with(", 1 of 9"),
        "{out:?}"
    );
    assert_eq!(heard(&mut scene), "", "nothing is said twice");
    scene.press("j");
    let second = heard(&mut scene);
    assert!(
        second.contains(", 2 of ") && second.lines().count() == 1,
        "{second:?}"
    );
}

#[test]
fn escape_and_a_key_at_once_are_both_keys() {
    let mut scene = Scene::new(80, 24).keys("2 Enter");
    assert!(matches!(scene.ui.view(), crate::ui::View::Host(_)));
    scene.press("Alt-j");
    assert_eq!(*scene.ui.view(), crate::ui::View::Hosts);
    assert!(scene.text().contains("9 hosts"));
}

#[test]
fn documents_are_read_and_notices_are_said() {
    let mut scene = plain().keys("1 Enter");
    let out = heard(&mut scene);
    assert!(out.lines().count() > 4, "{out:?}");
    let at = scene.model.now;
    let text = "the disk of web1 is full".to_owned();
    scene.model.notices.push(Notice {
        at,
        level: Level::Error,
        text,
    });
    assert_eq!(heard(&mut scene), "Error: the disk of web1 is full\r\n");
}

#[test]
fn what_is_typed_is_heard_and_a_secret_is_not() {
    let mut scene = plain().keys("2");
    heard(&mut scene);
    scene.press(":");
    heard(&mut scene);
    scene.press("h");
    let one = heard(&mut scene);
    assert!(one.contains('h'), "{one:?}");
    scene.press("o");
    let two = heard(&mut scene);
    assert!(two.contains('o'), "{two:?}");
    scene.press("Esc");
    heard(&mut scene);
    scene.model.questions.push_back(Question {
        id: QuestionId(7),
        title: "password".to_owned(),
        body: vec!["Password for mira on web1".to_owned()],
        kind: QuestionKind::Secret,
        session: None,
        hosts: Vec::new(),
    });
    let asked = heard(&mut scene);
    assert!(asked.contains("Password for mira on web1"), "{asked:?}");
    scene.press("x");
    scene.press("y");
    let typed = heard(&mut scene);
    assert!(!typed.contains(['x', 'y', '*', '•']), "{typed:?}");
}

#[test]
fn a_session_is_heard_line_by_line() {
    let mut scene = plain().keys("3 Enter");
    heard(&mut scene);
    let Some(id) = scene.model.sessions.first().map(|session| session.id) else {
        unreachable!("the sample has sessions")
    };
    scene.ui.open(&scene.model, crate::ui::View::Pane(id));
    let mut emulator = Emulator::new(Size::new(40, 5));
    let mut show = |scene: &mut Scene, bytes: &str, wait: i64| {
        emulator.feed(bytes.as_bytes());
        let screen = emulator.screen();
        if let Some(session) = scene.model.session_mut(id) {
            session.screen = Some(screen);
        }
        let first = heard(scene);
        scene.model.now = scene.model.now.plus(wait);
        first + &heard(scene)
    };
    let out = show(&mut scene, "welcome\r\n$ ", 500);
    assert!(out.ends_with("welcome\r\n$"), "{out:?}");
    assert_eq!(show(&mut scene, "l", 0), " l");
    assert_eq!(show(&mut scene, "s", 0), "s");
    let out = show(&mut scene, "\r\none\r\ntwo\r\n$ ", 500);
    assert_eq!(out, "\r\none\r\ntwo\r\n$");
    // Lines that scroll are said once.
    let out = show(&mut scene, "x\r\nthree\r\nfour\r\nfive\r\n$ ", 500);
    assert!(out.ends_with("three\r\nfour\r\nfive\r\n$"), "{out:?}");
    assert_eq!(out.matches("two").count(), 0, "{out:?}");
}

/// A pane that speaks, with what a program writes and what is done in copy mode.
struct Pane {
    scene: Scene,
    emulator: Emulator,
    id: crate::domain::ids::SessionId,
}

impl Pane {
    fn new(size: Size) -> Self {
        let mut scene = plain().keys("3 Enter");
        heard(&mut scene);
        let Some(id) = scene.model.sessions.first().map(|session| session.id) else {
            unreachable!("the sample has sessions")
        };
        scene.ui.open(&scene.model, crate::ui::View::Pane(id));
        let emulator = Emulator::new(size);
        let mut pane = Self {
            scene,
            emulator,
            id,
        };
        pane.write("");
        pane
    }

    fn hear(&mut self) -> String {
        let screen = self.emulator.screen();
        if let Some(session) = self.scene.model.session_mut(self.id) {
            session.screen = Some(screen);
        }
        let first = heard(&mut self.scene);
        self.scene.model.now = self.scene.model.now.plus(500);
        first + &heard(&mut self.scene)
    }

    fn write(&mut self, text: &str) -> String {
        self.emulator.feed(text.as_bytes());
        self.hear()
    }

    fn look(&mut self, look: Look) -> String {
        if let Some(copied) = self.emulator.look(look) {
            self.scene.model.copied = Some(copied.text.into());
        }
        self.hear()
    }
}

#[test]
fn copy_mode_is_heard_and_what_scrolled_away_is_never_read_as_new() {
    let mut pane = Pane::new(Size::new(40, 5));
    for line in 1..=20 {
        pane.write(&format!("line {line} is here\r\n"));
    }
    assert!(pane.write("$ ").ends_with('$'));
    let out = pane.look(Look::Begin);
    assert_eq!(out, "\r\nCopy mode. At the last line\r\n$\r\n");
    assert_eq!(pane.look(Look::Go(Motion::Up, 1)), "line 20 is here\r\n");
    let out = pane.look(Look::Go(Motion::Up, 9));
    assert_eq!(out, "Looking back 10 lines\r\nline 11 is here\r\n");
    // What is written meanwhile is not mixed into it.
    assert_eq!(pane.write("late\r\n$ "), "");
    assert_eq!(pane.look(Look::Go(Motion::Right, 1)), "e\r\n");
    assert_eq!(
        pane.look(Look::Go(Motion::WordNext { big: false }, 1)),
        "11\r\n"
    );
    let out = pane.look(Look::Do(Deed::Select(Shape::Lines)));
    assert_eq!(out, "Selection of lines begins here.\r\n");
    assert_eq!(pane.look(Look::Go(Motion::Down, 1)), "line 12 is here\r\n");
    let out = pane.look(Look::Do(Deed::YankAndLeave));
    assert!(
        out.contains("Copied, 2 lines:\r\nline 11 is here\r\nline 12 is here"),
        "{out:?}"
    );
    assert!(out.contains("Copy mode has ended."), "{out:?}");
    assert_eq!(out.matches("late").count(), 1, "it is new: {out:?}");
    assert_eq!(out.matches("line 20").count(), 0, "it is not: {out:?}");
}

#[test]
fn a_search_is_heard_with_its_place() {
    let mut pane = Pane::new(Size::new(40, 5));
    pane.write("alpha\r\nbeta\r\nalpha again\r\n$ ");
    let search = |pattern: &str| Look::Search {
        pattern: pattern.to_owned(),
        backward: true,
        done: true,
    };
    let out = pane.look(search("alpha"));
    assert!(out.contains("match ") && out.contains(" of 2"), "{out:?}");
    assert!(out.contains("alpha again\r\n"), "{out:?}");
    assert!(
        pane.look(search("nowhere"))
            .contains("nowhere is not found.")
    );
}

#[test]
fn a_line_that_leaves_the_screen_in_part_makes_nothing_new() {
    let mut pane = Pane::new(Size::new(10, 4));
    pane.write("a line that is wrapped over\r\ntwo\r\n");
    let out = pane.write("three\r\n");
    assert_eq!(out, "three\r\n");
    assert_eq!(pane.write("four\r\n"), "four\r\n");
    // A higher screen shows again what had scrolled away.
    pane.emulator.resize(Size::new(10, 9));
    assert_eq!(pane.hear(), "");
    assert_eq!(pane.write("five\r\n"), "five\r\n");
}

#[test]
fn what_is_asked_is_read_to_its_end() {
    let mut scene = Scene::new(40, 8);
    scene.ui.set_plain();
    heard(&mut scene);
    let body = (1..=60).map(|line| format!("part {line} of what is asked"));
    scene.model.questions.push_back(Question {
        id: QuestionId(7),
        title: "sure?".to_owned(),
        body: body.collect(),
        kind: QuestionKind::YesNo { default_no: true },
        session: None,
        hosts: Vec::new(),
    });
    let asked = heard(&mut scene);
    for line in [1, 30, 60] {
        assert!(
            asked.contains(&format!("part {line} of what is asked")),
            "{asked:?}"
        );
    }
    let mut pane = Pane::new(Size::new(40, 5));
    let text: Vec<String> = (1..=150)
        .map(|line| format!("echo {line} {}", "x".repeat(150)))
        .collect();
    pane.scene
        .input(crate::ui::UiInput::Paste(format!("{}\n", text.join("\n"))));
    let asked = heard(&mut pane.scene);
    for line in [1, 75, 150] {
        assert!(
            asked.contains(&format!("echo {line}\r\n")),
            "{line}: {asked:?}"
        );
    }
    assert!(
        asked.matches('x').count() >= 150 * 150,
        "long lines are not cut"
    );
}

#[test]
fn what_passed_between_two_looks_is_read_up_to_a_bound() {
    let mut scene = plain().keys("3 Enter");
    heard(&mut scene);
    let Some(id) = scene.model.sessions.first().map(|session| session.id) else {
        unreachable!("the sample has sessions")
    };
    scene.ui.open(&scene.model, crate::ui::View::Pane(id));
    let mut emulator = Emulator::new(Size::new(12, 5));
    let mut show = |scene: &mut Scene, bytes: &str| {
        emulator.feed(bytes.as_bytes());
        let mut screen = (*emulator.screen()).clone();
        screen.passed = emulator.passed(500).map(std::sync::Arc::new);
        if let Some(session) = scene.model.session_mut(id) {
            session.screen = Some(std::sync::Arc::new(screen));
        }
        let first = heard(scene);
        scene.model.now = scene.model.now.plus(500);
        first + &heard(scene)
    };
    let rows = |from: usize, to: usize| -> String {
        (from..to)
            .map(|row| format!("row {row} of so many\r\n"))
            .collect()
    };
    let out = show(&mut scene, "old\r\n$ ");
    assert!(out.ends_with("old\r\n$"), "{out:?}");
    // Each of them takes two rows.
    let out = show(&mut scene, &format!("ls\r\n{}$ ", rows(0, 100)));
    assert_eq!(out, format!(" ls\r\n{}$", rows(0, 100)));
    let out = show(&mut scene, &format!("ls\r\n{}$ ", rows(100, 103)));
    assert_eq!(out, format!(" ls\r\n{}$", rows(100, 103)), "nothing twice");
    let out = show(&mut scene, &format!("\r\n{}$ ", rows(0, 2_000)));
    let mut lines = out.lines().skip_while(|line| line.is_empty());
    // The prompt is one of them, and two whole lines are on the screen below the last five hundred.
    assert_eq!(lines.next(), Some("1499 lines passed, not read."), "{out}");
    assert_eq!(lines.next(), Some("row 1498 of so many"));
    assert_eq!(lines.last(), Some("$"));
    assert_eq!(out.matches("row ").count(), 502);
}

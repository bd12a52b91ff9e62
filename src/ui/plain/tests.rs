//! What is said: of lists, documents, dialogs, secrets and sessions.

use crate::model::{Level, Notice, Question, QuestionId, QuestionKind};
use crate::term::{Emulator, Size};
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

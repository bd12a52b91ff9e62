//! Stories of sessions that are opened anew: what the old pane says meanwhile, and where keys go.

use super::scenes::Scene;
use super::*;
use crate::model::sample::session_id;
use crate::model::{Lost, SessionView};

/// The ended session on the screen, with another one on its way to its place.
fn scene(cols: u16) -> Scene {
    let mut scene = Scene::new(cols, 24);
    let mut coming = SessionView::opening(session_id("coming"), "mail1", None);
    coming.state = SessionState::Opening("connecting".to_owned());
    coming.instead = Some(session_id("ended"));
    scene.model.sessions.push(coming);
    scene.ui.open(&scene.model, View::Pane(session_id("ended")));
    scene.ui.layout(&scene.model);
    scene
}

#[test]
fn what_is_typed_while_it_opens_waits_for_the_new_shell() {
    let mut scene = scene(80);
    assert!(
        scene.text().contains("Opening it again: connecting"),
        "{}",
        scene.text()
    );
    scene.press("l s Enter");
    assert!(
        scene.intents.is_empty(),
        "nothing is dismissed: {:?}",
        scene.intents
    );
    let (old, new) = (session_id("ended"), session_id("coming"));
    scene.ui.open(&scene.model, View::Pane(new));
    assert_eq!(*scene.ui.view(), View::Pane(old), "it is looked at there");
    if let Some(session) = scene.model.session_mut(new) {
        (session.state, session.instead) = (SessionState::Live, None);
    }
    scene.model.sessions.retain(|session| session.id != old);
    scene.ui.open(&scene.model, View::Pane(new));
    let sent = scene.ui.settle(&scene.model);
    let to =
        |intent: &Intent| matches!(intent, Intent::Session(id, SessionInput::Key(_)) if *id == new);
    assert!(sent.len() == 3 && sent.iter().all(to), "{sent:?}");
}

#[test]
fn the_old_pane_can_be_looked_at_while_it_opens() {
    let mut scene = scene(80);
    scene.press("PgUp");
    let looks = |intent: &Intent| matches!(intent, Intent::Session(id, SessionInput::Look(_)) if *id == session_id("ended"));
    assert!(scene.intents.iter().any(looks), "{:?}", scene.intents);
    let list = Scene::with(scene.model, 80, 24, Caps::default()).keys("3");
    assert!(!list.text().contains("connecting"), "{}", list.text());
}

#[test]
fn a_pane_that_could_not_be_opened_again_says_why() {
    for cols in [80, 200] {
        let mut scene = scene(cols);
        scene.model.sessions.pop();
        let why = "cannot connect to mail1 (192.0.2.9:22): connection refused after 3 tries";
        if let Some(session) = scene.model.session_mut(session_id("ended")) {
            session.failed = Some(why.to_owned());
        }
        let text = scene.text();
        assert!(text.contains("Not opened again: cannot connect"), "{text}");
        assert!(
            text.contains("Enter close") && text.contains("Esc leave"),
            "{text}"
        );
        scene.press("x Enter");
        assert!(scene.intents.is_empty(), "typed on: {:?}", scene.intents);
    }
}

#[test]
fn a_lost_pane_says_what_is_done_and_takes_no_keys_for_a_shell_that_opens_by_itself() {
    for cols in [80, 200] {
        let mut scene = scene(cols);
        let now = scene.model.now;
        if let Some(session) = scene.model.session_mut(session_id("coming")) {
            session.quiet = true;
        }
        for (lost, wanted) in [
            (Lost::Waiting(now.plus(8_000)), "next try in 8 s · r now"),
            (Lost::Answers, "The host answers again · r opens a shell"),
            (Lost::Opening, "a shell opens by itself"),
            (
                Lost::Person("no key fits".to_owned()),
                "Connection lost; press r",
            ),
        ] {
            if let Some(session) = scene.model.session_mut(session_id("ended")) {
                session.lost = Some(lost);
            }
            let text = scene.text();
            assert!(text.contains(wanted), "{text}");
            assert!(
                text.contains("Enter close") && text.contains("Esc leave"),
                "{text}"
            );
        }
        scene.press("l s");
        assert!(scene.intents.is_empty(), "{:?}", scene.intents);
        scene.model.now = scene.model.now.plus(5_000);
        scene.press("r");
        let again = |intent: &Intent| {
            matches!(
                intent,
                Intent::Command(crate::command::Command::Layout(
                    crate::command::LayoutCommand::Reopen(_)
                ))
            )
        };
        assert!(scene.intents.iter().any(again), "{:?}", scene.intents);
    }
}

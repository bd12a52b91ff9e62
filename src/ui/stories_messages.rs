//! Stories of messages: what has left the line at the bottom can be read again.

use super::scenes::Scene;
use super::*;
use crate::model::sample::session_id;
use crate::model::{Level, Notice};

/// A scene in which much was said, the last of it on a full disk.
fn scene(cols: u16, rows: u16) -> Scene {
    let mut scene = Scene::new(cols, rows);
    for number in 0..60 {
        let notice = Notice {
            at: scene.model.now.plus(-60_000 + number * 100),
            level: Level::Info,
            text: format!("note {number}"),
        };
        scene.model.notices.push_from(notice, "store".to_owned());
    }
    let words = "the recording of the session on web1 is incomplete: no space left on the device that holds the recordings folder, so what came after it is lost";
    let notice = Notice {
        at: scene.model.now.plus(-30_000),
        level: Level::Warn,
        text: words.to_owned(),
    };
    scene
        .model
        .notices
        .push_from(notice, "web1 S-4QWE".to_owned());
    scene
}

#[test]
fn what_was_said_is_read_again_newest_first_and_whole() {
    for (cols, rows) in [(80, 24), (200, 50)] {
        let scene = scene(cols, rows).keys("~");
        let text = scene.text();
        assert_eq!(*scene.ui.view(), View::Messages);
        let row = |words: &str| text.lines().position(|line| line.contains(words));
        assert!(
            row("web1 S-4QWE").is_some() && row("web1 S-4QWE") < row("note 59"),
            "{text}"
        );
        assert!(row("note 59") < row("note 58"), "{text}");
        assert!(
            text.contains("warning") && text.contains("62 messages"),
            "{text}"
        );
        // The selected one stands whole below, whatever its column cuts.
        let whole: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(whole.contains("what came after it is lost"), "{text}");
    }
}

#[test]
fn messages_are_filtered_and_led_to_from_everywhere() {
    let filtered = scene(80, 24).keys("~ /").write("incomplete").keys("Enter");
    let text = filtered.text();
    assert!(
        text.contains("S-4QWE") && !text.contains("note 59"),
        "{text}"
    );
    for line in ["messages", "show-messages", "view messages"] {
        let led = scene(80, 24).keys("2 :").write(line).keys("Enter");
        assert_eq!(*led.ui.view(), View::Messages, "{line}");
    }
    let mut pane = scene(80, 24);
    let id = session_id("live web1");
    pane.ui.open(&pane.model, View::Pane(id));
    pane.press("Ctrl-] ~");
    assert_eq!(*pane.ui.view(), View::Messages);
    pane.press("Esc");
    assert_eq!(*pane.ui.view(), View::Pane(id), "and back");
}

#[test]
fn who_reads_an_old_message_stays_at_it_when_others_come() {
    let mut scene = scene(80, 24).keys("~ j j");
    let say = |scene: &mut Scene, text: &str| {
        let at = scene.model.now;
        let text = text.to_owned();
        let level = Level::Error;
        scene.model.notices.push(Notice { at, level, text });
        scene.input(UiInput::FocusGained);
    };
    let selected = |scene: &Scene| scene.ui.views.messages.list.selected().copied();
    let before = selected(&scene);
    say(&mut scene, "one more");
    assert_eq!(selected(&scene), before);
    scene.press("g g");
    let newest = selected(&scene);
    say(&mut scene, "and another");
    assert_ne!(
        selected(&scene),
        newest,
        "who is at the newest stays at the newest"
    );
}

#[test]
fn messages_are_said_whole_to_who_listens() {
    let mut scene = scene(80, 24);
    scene.ui.set_plain();
    scene.press("~");
    scene.ui.layout(&scene.model);
    let said = scene.ui.announce(&scene.model);
    assert!(said.contains("Messages"), "{said}");
    assert!(
        said.contains("warning") && said.contains("what came after it is lost, 1 of 62"),
        "{said}"
    );
}

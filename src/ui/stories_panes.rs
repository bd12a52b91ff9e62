//! Stories of windows onto panes: a part of a larger tab, what the lines around a pane say and for how long, and where the
//! prompt's mistakes are told.

use ratatui::style::Modifier;

use super::scenes::Scene;
use super::*;
use crate::domain::layout::{Area, Tab, TabId};
use crate::model::sample::{model, session_id};
use crate::model::{Level, Notice};
use crate::term::encode::{Button, MouseAction, MouseEvent};
use crate::term::{Emulator, Look};

/// A window of 80 by 24 on a tab of one pane that is twice as large; its program has the cursor far down at the right.
fn part(modes: &str) -> Scene {
    let (id, mut model) = (session_id("live web1"), model());
    let mut tab = Tab::new(TabId(9), id);
    tab.room = Area::of(160, 44);
    model.tabs = vec![tab];
    let mut emulator = Emulator::new(crate::term::Size::new(160, 44));
    let link = "\x1b[25;86H\x1b]8;;https://example.org/\x07here\x1b]8;;\x07";
    emulator.feed(format!("{link}{modes}\x1b[41;151H").as_bytes());
    if let Some(session) = model.session_mut(id) {
        session.screen = Some(emulator.screen());
    }
    let mut scene = Scene::with(model, 80, 24, Caps::default());
    scene.ui.open(&scene.model, View::Pane(id));
    scene.ui.layout(&scene.model);
    scene
}

fn at(action: MouseAction, col: u16, row: u16) -> UiInput {
    UiInput::Mouse(MouseEvent {
        action,
        col,
        row,
        shift: false,
        alt: false,
        ctrl: false,
    })
}

#[test]
fn in_a_part_of_a_larger_tab_the_mouse_finds_the_cell_that_is_seen() {
    // The view begins at column 80, row 22 of the tab; the first row of the window is the bar of tabs.
    let mut scene = part("\x1b[?1000h");
    scene.input(at(MouseAction::Press(Button::Left), 5, 3));
    let [Intent::Session(_, SessionInput::Mouse(event))] = scene.intents.as_slice() else {
        unreachable!("the program gets it: {:?}", scene.intents)
    };
    assert_eq!((event.col, event.row), (85, 24));

    let mut scene = part("");
    for action in [
        MouseAction::Press(Button::Left),
        MouseAction::Release(Button::Left),
    ] {
        scene.input(at(action, 5, 3));
    }
    scene.input(at(MouseAction::Press(Button::Left), 5, 3));
    let pressed = scene.intents.iter().find_map(|intent| match intent {
        Intent::Session(_, SessionInput::Look(Look::Press { row, col, .. })) => Some((*row, *col)),
        _ => None,
    });
    assert_eq!(pressed, Some((24, 85)), "{:?}", scene.intents);
    scene.input(at(MouseAction::Move(Some(Button::Left)), 8, 3));
    let dragged = scene.intents.iter().rev().find_map(|intent| match intent {
        Intent::Session(_, SessionInput::Look(Look::Drag { row, col })) => Some((*row, *col)),
        _ => None,
    });
    assert_eq!(dragged, Some((24, 88)));

    let links = part("").ui.frame(&part("").model).beyond.links;
    let found: Vec<_> = links.iter().map(|link| (link.at, link.width)).collect();
    assert_eq!(found, [(Position::new(5, 3), 4)]);
}

#[test]
fn a_click_beside_a_smaller_tab_does_nothing() {
    let mut scene = part("\x1b[?1000h");
    scene.model.tabs[0].room = Area::of(40, 10);
    scene.input(UiInput::Resize { cols: 80, rows: 24 });
    scene.input(at(MouseAction::Press(Button::Left), 60, 15));
    scene.input(at(MouseAction::Release(Button::Left), 60, 15));
    assert!(scene.intents.is_empty(), "{:?}", scene.intents);
}

fn say(scene: &mut Scene, level: Level, text: &str) {
    scene.model.notices.push(Notice {
        at: scene.model.now,
        level,
        text: text.to_owned(),
    });
    scene.ui.layout(&scene.model);
}

fn line(scene: &Scene, at: usize) -> String {
    scene.text().lines().nth(at).unwrap_or_default().to_owned()
}

#[test]
fn a_notice_leaves_how_near_and_how_safe_a_session_is() {
    let mut scene = Scene::new(80, 24).keys("3 Enter");
    let before = line(&scene, 23);
    let near = ["production", "12ms", "recording"];
    assert!(near.iter().all(|word| before.contains(word)), "{before}");
    // Short enough: beside it. Longer: above, beside the tabs.
    for (text, row) in [
        ("bastion rang", 23),
        ("bastion: a line that somebody waits for", 0),
    ] {
        say(&mut scene, Level::Warn, text);
        assert!(line(&scene, row).contains(text), "{}", scene.text());
        let shown = line(&scene, 23);
        assert!(near.iter().all(|word| shown.contains(word)), "{shown}");
    }
    // Whoever goes on typing has read it, after a while.
    scene.press("x");
    assert!(
        line(&scene, 0).contains("somebody waits"),
        "{}",
        scene.text()
    );
    scene.model.now = scene.model.now.plus(2_000);
    scene.press("x");
    assert!(!scene.text().contains("somebody waits"), "{}", scene.text());
    assert_eq!(line(&scene, 23), before);
}

#[test]
fn copy_mode_says_that_it_goes_on_beside_what_was_copied() {
    for cols in [80, 200] {
        let mut scene = Scene::new(cols, 24).keys("3 Enter");
        let mut emulator = Emulator::new(crate::term::Size::new(cols, 22));
        emulator.feed("word\r\n".repeat(4_000).as_bytes());
        emulator.look(Look::Begin);
        if let Some(session) = scene.model.session_mut(session_id("live web1")) {
            session.screen = Some(emulator.screen());
        }
        let text = "sent 63 B (OSC 52); not there? Ctrl-] ] or :buffer save F";
        say(&mut scene, Level::Info, text);
        let status = line(&scene, 23);
        assert!(
            status.starts_with(" COPY") && status.contains(text),
            "{status}"
        );
    }
}

#[test]
fn the_tab_that_is_shown_tells_production_in_all_colours() {
    for colors in [Colors::TrueColor, Colors::Ansi16, Colors::None] {
        let caps = Caps {
            colors,
            unicode: true,
        };
        let mut scene = Scene::with(model(), 80, 24, caps);
        scene.press("3 Enter");
        let bar = line(&scene, 0);
        assert!(bar.starts_with("[0 web1"), "{bar}");
        assert!(bar.contains(" 1 bastion"), "{bar}");
        assert_eq!(bar.contains("PRODUCTION]"), colors == Colors::None, "{bar}");
        let theme = Theme::default();
        let style = |scene: &Scene| {
            let buffer = scene.buffer();
            let cell = buffer.cell((1, 0)).cloned().unwrap_or_default();
            (cell.bg, cell.modifier)
        };
        let (ground, modifier) = style(&scene);
        let prod = theme.style(Role::Prod, colors);
        match colors {
            Colors::None => assert!(modifier.contains(Modifier::REVERSED | Modifier::BOLD)),
            _ => assert_eq!(Some(ground), prod.bg, "{colors:?}"),
        }
        // Another one has the looks of the selection.
        scene.press("Ctrl-] n");
        let tabs = line(&scene, 0);
        assert!(tabs.contains("[1 bastion"), "{tabs}");
    }
}

#[test]
fn what_makes_no_sense_at_the_prompt_comes_back_with_what_would() {
    for (typed, wanted) in [
        (
            "layout use foo",
            vec!["\"foo\"", "even-horizontal", "main-vertical", "tiled"],
        ),
        ("monitor pattern '('", vec!["\"(\"", "unclosed group"]),
    ] {
        let scene = Scene::new(80, 24).keys("3 Enter Ctrl-] :").write(typed);
        let scene = scene.keys("Enter");
        let text = scene.text();
        for word in wanted {
            assert!(text.contains(word), "{typed}: {word}\n{text}");
        }
        assert!(text.contains(&format!(":{typed}")), "to be mended: {text}");
        assert!(scene.intents.is_empty());
    }
}

#[test]
fn a_key_that_means_nothing_in_copy_mode_leaves_an_ended_pane_as_it_is() {
    let keymap = Keymap::default().with_copy_keys(crate::domain::look::CopyKeys::Emacs);
    let mut scene = Scene::new(80, 24);
    scene.ui = Ui::new(Theme::default(), keymap, Caps::default());
    scene.ui.open(&scene.model, View::Pane(session_id("ended")));
    scene.press("k");
    assert!(
        scene.intents.is_empty(),
        "emacs has no such key: {:?}",
        scene.intents
    );
    scene.model.now = scene.model.now.plus(2_000);
    scene.press("Enter");
    assert!(
        matches!(scene.intents.as_slice(), [Intent::Dismiss(_)]),
        "{:?}",
        scene.intents
    );
}

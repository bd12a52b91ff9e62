//! Stories of tabs and panes: what is drawn where, and where keys and clicks lead.

use proptest::prelude::*;
use ratatui::style::Modifier;

use super::scenes::{Scene, rows};
use super::*;
use crate::command::{Command, LayoutCommand as L};
use crate::domain::layout::{Area, Axis, Direction, Tab, TabId};
use crate::model::SessionView;
use crate::model::sample::{model, session_id};
use crate::term::encode::{Button, MouseAction, MouseEvent};
use crate::term::{self, Emulator};

/// The three sample sessions in one tab: web1 at the left, bastion above mail1 at the right; the window's first tab.
fn split(cols: u16, height: u16) -> Model {
    let mut model = model();
    let (web, bastion, mail) = (
        session_id("live web1"),
        session_id("live bastion"),
        session_id("ended"),
    );
    let mut tab = Tab::new(TabId(9), web);
    tab.room = Area::of(cols, height - 2);
    assert!(tab.split(web, Axis::Beside, bastion) && tab.split(bastion, Axis::Below, mail));
    tab.focus_on(web);
    for (id, area) in tab.places(tab.room).panes {
        let mut emulator = Emulator::new(term::Size::new(area.cols, area.rows));
        let host = model
            .session(id)
            .map_or_else(String::new, |session| session.host.clone());
        emulator.feed(
            format!("admin@{host}:~$ uptime\r\n 12:00:00 up 12 days\r\nadmin@{host}:~$ ")
                .as_bytes(),
        );
        if let Some(session) = model.session_mut(id) {
            session.screen = Some(emulator.screen());
        }
    }
    let mut other = SessionView::opening(session_id("other"), "db1", None);
    other.reference = "S-7OPA".to_owned();
    other.state = SessionState::Live;
    model.sessions.push(other);
    model.tabs = vec![tab, Tab::new(TabId(10), session_id("other"))];
    model
}

fn scene(cols: u16, height: u16) -> Scene {
    let mut scene = Scene::with(split(cols, height), cols, height, Caps::default());
    scene
        .ui
        .open(&scene.model, View::Pane(session_id("live web1")));
    scene.ui.layout(&scene.model);
    scene
}

#[test]
fn a_broadcast_is_hidden_only_after_a_question() {
    let mut scene = scene(80, 24);
    let members = [session_id("live web1"), session_id("live bastion")];
    scene.model.broadcast.on = Some(crate::model::Broadcasting {
        members: members.into_iter().collect(),
        window: crate::domain::ids::WindowId(1),
        since: scene.model.now,
        last: scene.model.now,
        keys: 0,
        pastes: 0,
    });
    let scene = scene.keys("Ctrl-] z");
    assert!(scene.intents.is_empty(), "{:?}", scene.intents);
    assert!(scene.text().contains("zoom while a broadcast goes on?"));
    assert!(scene.text().contains("bastion"));
    let scene = scene.keys("y");
    let zoomed = [Intent::Command(Command::Layout(L::Zoom))];
    assert_eq!(format!("{:?}", scene.intents), format!("{zoomed:?}"));
}

fn at(scene: &Scene) -> &'static str {
    let View::Pane(id) = scene.ui.view() else {
        return "no pane";
    };
    ["live web1", "live bastion", "ended", "other"]
        .into_iter()
        .find(|name| session_id(name) == *id)
        .unwrap_or("another")
}

/// The one command about panes that was asked for.
fn asked(scene: &mut Scene) -> L {
    let intents = std::mem::take(&mut scene.intents);
    match intents.as_slice() {
        [Intent::Command(Command::Layout(command))] => command.clone(),
        other => unreachable!("one command about panes was expected, not {other:?}"),
    }
}

#[test]
fn a_tab_with_three_panes_at_both_sizes() {
    for (cols, height) in [(80, 24), (200, 50)] {
        let mut scene = scene(cols, height);
        insta::assert_snapshot!(format!("tab-split-{cols}x{height}"), scene.text());
        scene.press("Ctrl-]");
        insta::assert_snapshot!(format!("tab-keys-{cols}x{height}"), scene.text());
        scene.press("w");
        insta::assert_snapshot!(format!("tab-jump-{cols}x{height}"), scene.text());
    }
}

#[test]
fn the_letters_of_tmux_lead_where_they_lead_there() {
    let mut scene = scene(80, 24);
    for (keys, there) in [
        ("Right", "live bastion"),
        ("Down", "ended"),
        ("Left", "live web1"),
        ("o", "live bastion"),
        ("n", "other"),
        ("p", "live web1"),
        ("1", "other"),
        ("0", "live web1"),
    ] {
        scene.press("Ctrl-]");
        scene.press(keys);
        assert_eq!(at(&scene), there, "{keys}");
    }
    scene.press("Ctrl-] n Ctrl-] l");
    assert_eq!(at(&scene), "live web1", "the tab before");
    scene.press("Ctrl-] ' 1 Enter");
    assert_eq!(at(&scene), "other", "a tab by a typed number");
    let mut scene = scene.keys("Ctrl-] w").write("bast");
    scene.press("Enter");
    assert_eq!(at(&scene), "live bastion", "found by a few letters");
    assert!(
        scene.intents.is_empty(),
        "the remote saw none of it: {:?}",
        scene.intents
    );
    let beside = |axis| L::Split {
        axis,
        host: None,
        local: false,
    };
    for (keys, command) in [
        ("%", beside(Axis::Beside)),
        ("\"", beside(Axis::Below)),
        ("z", L::Zoom),
        ("{", L::Swap(-1)),
        ("}", L::Swap(1)),
        ("Space", L::Next),
        ("!", L::Break),
        ("R", L::ReopenAll),
        ("Ctrl-Left", L::Resize(Direction::Left, 1)),
        ("Alt-Down", L::Resize(Direction::Down, 5)),
    ] {
        scene.press("Ctrl-]");
        scene.press(keys);
        assert_eq!(asked(&mut scene), command, "{keys}");
    }
    let mut scene = scene.keys("Ctrl-] &");
    assert!(
        scene.intents.is_empty() && scene.text().contains("close tab?"),
        "{}",
        scene.text()
    );
    scene.press("y");
    assert_eq!(asked(&mut scene), L::Close);
}

#[test]
fn a_border_is_moved_again_without_the_prefix_for_a_moment() {
    let mut scene = scene(80, 24);
    scene.press("Ctrl-] Ctrl-Right Ctrl-Right Alt-Right");
    assert_eq!(scene.intents.len(), 3);
    assert!(
        scene
            .intents
            .iter()
            .all(|intent| matches!(intent, Intent::Command(Command::Layout(L::Resize(..)))))
    );
    scene.intents.clear();
    scene.model.now = scene.model.now.plus(1_500);
    scene.press("Ctrl-Right");
    assert!(
        matches!(
            scene.intents.as_slice(),
            [Intent::Session(_, SessionInput::Key(_))]
        ),
        "{:?}",
        scene.intents
    );
    scene.intents.clear();
    scene.press("Ctrl-] Ctrl-Right l Ctrl-Right");
    assert_eq!(scene.intents.len(), 3);
    assert!(
        matches!(scene.intents.last(), Some(Intent::Session(..))),
        "another key ends it"
    );
}

fn mouse(scene: &mut Scene, action: MouseAction, col: u16, row: u16) {
    scene.input(UiInput::Mouse(MouseEvent {
        action,
        col,
        row,
        shift: false,
        alt: false,
        ctrl: false,
    }));
}

#[test]
fn the_mouse_chooses_panes_moves_lines_and_goes_to_tabs() {
    let mut scene = scene(80, 24);
    mouse(&mut scene, MouseAction::Press(Button::Left), 60, 5);
    mouse(&mut scene, MouseAction::Release(Button::Left), 60, 5);
    assert_eq!(at(&scene), "live bastion");
    assert!(
        scene.intents.is_empty(),
        "the click that chose the pane is not sent: {:?}",
        scene.intents
    );
    // The line between the columns.
    mouse(&mut scene, MouseAction::Press(Button::Left), 40, 8);
    mouse(&mut scene, MouseAction::Move(Some(Button::Left)), 45, 8);
    let L::Drag { path, before, by } = asked(&mut scene) else {
        unreachable!("a line was dragged")
    };
    assert_eq!((path, before, by), (Vec::new(), 0, 5));
    mouse(&mut scene, MouseAction::Move(Some(Button::Left)), 43, 9);
    assert!(matches!(asked(&mut scene), L::Drag { by: -2, .. }));
    mouse(&mut scene, MouseAction::Release(Button::Left), 43, 9);
    assert!(scene.intents.is_empty());
    // The head of the lower pane is the line above it, and leads to the pane.
    mouse(&mut scene, MouseAction::Press(Button::Left), 60, 12);
    assert_eq!(at(&scene), "ended");
    mouse(&mut scene, MouseAction::Move(Some(Button::Left)), 60, 14);
    assert!(matches!(asked(&mut scene), L::Drag { path, before: 0, by: 2 } if path == [1]));
    mouse(&mut scene, MouseAction::Release(Button::Left), 60, 14);
    let bar = rows(&scene.buffer()).remove(0);
    let col = bar.find("1 db1").expect("the second tab is in the bar");
    mouse(
        &mut scene,
        MouseAction::Press(Button::Left),
        u16::try_from(col).unwrap_or(0),
        0,
    );
    assert_eq!(at(&scene), "other");
}

#[test]
fn the_pane_with_the_keys_is_told_without_colours_and_without_unicode() {
    let caps = Caps {
        colors: Colors::None,
        unicode: false,
    };
    let mut scene = Scene::with(split(80, 24), 80, 24, caps);
    scene
        .ui
        .open(&scene.model, View::Pane(session_id("live bastion")));
    scene.ui.layout(&scene.model);
    let buffer = scene.buffer();
    let lines = rows(&buffer);
    assert!(lines.iter().all(|line| line.is_ascii()), "{lines:?}");
    assert!(
        lines[1].contains(">bastion") && lines[1].contains(" web1"),
        "{}",
        lines[1]
    );
    let look = |col: u16| buffer.cell((col, 1)).map(|cell| cell.modifier);
    let (own, other) = (lines[1].find("bastion"), lines[1].find("web1"));
    let look_at =
        |col: Option<usize>| look(u16::try_from(col.expect("it is on the line")).unwrap_or(0));
    assert_ne!(look_at(own), look_at(other));
    assert!(look_at(own).is_some_and(|look| look.contains(Modifier::REVERSED)));
}

#[test]
fn many_tabs_scroll_and_the_shown_one_is_always_seen() {
    let mut model = model();
    model.tabs.clear();
    model.sessions.clear();
    for number in 0..30u64 {
        let id = session_id(&format!("many {number}"));
        let mut session = SessionView::opening(id, &format!("host-{number}"), None);
        session.state = SessionState::Live;
        model.sessions.push(session);
        model.tabs.push(Tab::new(TabId(number), id));
    }
    let mut scene = Scene::with(model, 80, 24, Caps::default());
    for number in [0, 7, 15, 29] {
        let id = session_id(&format!("many {number}"));
        scene.ui.open(&scene.model, View::Pane(id));
        scene.ui.layout(&scene.model);
        let bar = rows(&scene.buffer()).remove(0);
        assert!(bar.contains(&format!("[{number} host-{number}]")), "{bar}");
        assert_eq!(bar.starts_with('<'), number > 6, "{bar}");
        assert_eq!(bar.ends_with('>'), number < 29, "{bar}");
    }
}

#[test]
fn a_window_of_another_size_shows_the_part_with_the_cursor_or_dots() {
    // The tab has 200 columns; this window has 80.
    let mut model = split(200, 50);
    let bastion = session_id("live bastion");
    let text = |scene: &Scene| rows(&scene.buffer()).join("\n");
    let mut scene = Scene::with(model, 80, 24, Caps::default());
    scene.ui.open(&scene.model, View::Pane(bastion));
    scene.ui.layout(&scene.model);
    assert!(
        text(&scene).contains("admin@bastion") && text(&scene).contains("part of a larger window"),
        "{}",
        text(&scene)
    );
    assert!(scene.ui.frame(&scene.model).cursor.is_some());
    assert_eq!(
        scene.ui.pane_sizes().len(),
        3,
        "the sizes are those of the tab"
    );
    model = split(40, 12);
    let mut scene = Scene::with(model, 80, 24, Caps::default());
    scene.ui.open(&scene.model, View::Pane(bastion));
    scene.ui.layout(&scene.model);
    let lines = rows(&scene.buffer());
    assert!(
        lines[5].ends_with("····") && lines[20].starts_with("····"),
        "{}",
        lines.join("\n")
    );
}

#[test]
fn where_there_is_no_room_for_all_the_one_with_the_keys_has_it() {
    let mut scene = scene(80, 24);
    scene.model.tabs[0].room = Area::of(4, 20);
    scene.input(UiInput::Resize { cols: 4, rows: 22 });
    assert_eq!(
        scene.ui.pane_sizes(),
        [(session_id("live web1"), Size::new(4, 20))]
    );
    scene.model.tabs[0].room = Area::of(60, 2);
    scene.input(UiInput::Resize { cols: 60, rows: 4 });
    assert!(
        scene.text().contains("no room for 2 other panes"),
        "{}",
        scene.text()
    );
}

#[test]
fn an_ended_pane_beside_others_goes_alone_and_opens_again_in_its_place() {
    let mut scene = scene(80, 24);
    scene.ui.open(&scene.model, View::Pane(session_id("ended")));
    scene.press("Enter");
    assert!(
        matches!(scene.intents.as_slice(), [Intent::Dismiss(id)] if *id == session_id("ended"))
    );
    assert_eq!(at(&scene), "ended", "the tab stays on the screen");
    scene.intents.clear();
    scene.press("r");
    assert!(scene.intents.is_empty(), "typed in one go with the Enter");
    scene.model.now = scene.model.now.plus(1_000);
    scene.press("r");
    assert_eq!(asked(&mut scene), L::Reopen(session_id("ended")));
}

proptest! {
    #[test]
    fn no_size_of_window_and_tab_breaks_the_drawing(cols in 1u16..120, height in 1u16..40, room in (1u16..120, 1u16..40)) {
        let mut model = split(80, 24);
        if let Some(tab) = model.tabs.first_mut() {
            tab.room = Area::of(room.0, room.1);
        }
        let mut scene = Scene::with(model, cols, height, Caps::default());
        scene.ui.open(&scene.model, View::Pane(session_id("live bastion")));
        scene.input(UiInput::Resize { cols, rows: height });
        drop(scene.text());
        scene.press("Ctrl-]");
        drop(scene.text());
    }
}

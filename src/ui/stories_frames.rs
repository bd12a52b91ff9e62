//! Stories of the lines around panes: those that get what is typed elsewhere, and those on production, cannot be overlooked.

use super::scenes::Scene;
use super::*;
use crate::domain::ids::WindowId;
use crate::domain::layout::{Area, Axis, Tab, TabId};
use crate::model::sample::{NOW, model, session_id};
use crate::model::{Broadcasting, SessionState, SessionView};

const LEFT: &str = "live web1";
const UPPER: &str = "live bastion";
const LOWER: &str = "live mail2";

/// Three live sessions in one tab: one at the left on this host, two plain ones above each other at the right.
fn three(host: &str, members: &[&str]) -> Model {
    let mut model = model();
    let mut third = SessionView::opening(session_id(LOWER), "mail2", None);
    third.state = SessionState::Live;
    model.sessions.push(third);
    let (left, upper, lower) = (session_id(LEFT), session_id(UPPER), session_id(LOWER));
    let mut tab = Tab::new(TabId(9), left);
    tab.room = Area::of(80, 22);
    assert!(tab.split(left, Axis::Beside, upper) && tab.split(upper, Axis::Below, lower));
    model.tabs = vec![tab];
    if let Some(view) = model.session_mut(left) {
        view.host = host.to_owned();
    }
    model.broadcast.on = (!members.is_empty()).then(|| Broadcasting {
        members: members.iter().map(|name| session_id(name)).collect(),
        window: WindowId(1),
        since: NOW,
        last: NOW,
        keys: 0,
        pastes: 0,
    });
    model
}

/// The three with the keys in the lower one at the right, as characters.
fn shown(model: Model, caps: Caps) -> Vec<String> {
    let mut scene = Scene::with(model, 80, 24, caps);
    scene.ui.open(&scene.model, View::Pane(session_id(LOWER)));
    scene.ui.layout(&scene.model);
    scene.text().lines().map(str::to_owned).collect()
}

const RICH: Caps = Caps {
    colors: Colors::Ansi16,
    unicode: true,
};

const POOR: Caps = Caps {
    colors: Colors::None,
    unicode: false,
};

/// Which of these signs are on the screen below the bar of tabs and above the status line.
fn signs(screen: &[String], wanted: &str) -> String {
    let all = screen.get(1..23).unwrap_or_default().concat();
    wanted.chars().filter(|sign| all.contains(*sign)).collect()
}

#[test]
fn quiet_panes_have_quiet_lines() {
    let screen = shown(three("mail1", &[]), RICH);
    assert_eq!(signs(&screen, "─│═║━┃"), "─│", "{}", screen.join("\n"));
}

#[test]
fn a_production_pane_has_thick_lines_whatever_the_colours() {
    let screen = shown(three("root@db1", &[]), RICH);
    assert_eq!(signs(&screen, "═║━┃"), "━┃", "{}", screen.join("\n"));
    // Its own head is thick, and that of the panes beside it is not.
    let head = &screen[1];
    assert!(head.contains("━━ ") || head.starts_with('━'), "{head}");
    assert!(head.trim_end().ends_with('─'), "{head}");
    let screen = shown(three("root@db1", &[]), POOR);
    assert!(screen[1].starts_with('=') && screen[1].ends_with('-'));
    assert!(screen[3].contains('!'), "{}", screen.join("\n"));
}

#[test]
fn a_pane_that_receives_has_double_lines_whatever_the_colours() {
    for (caps, across, down, quiet) in [(RICH, '═', '║', '─'), (POOR, '#', '#', '-')] {
        let screen = shown(three("mail1", &[LEFT, UPPER]), caps);
        let text = screen.join("\n");
        assert!(screen[1].starts_with(across), "{text}");
        assert!(screen[1].trim_end().ends_with(across), "{text}");
        assert!(screen[3].contains(down), "{text}");
        // The one with the keys is not among them, and its head says so.
        let head = screen[1..23].iter().find(|line| line.contains("mail2"));
        assert!(
            head.is_some_and(|line| line.trim_end().ends_with(quiet)),
            "{text}"
        );
    }
    // What is more dangerous wins on the same pane.
    let screen = shown(three("db1", &[LEFT, UPPER]), RICH);
    assert_eq!(signs(&screen, "═║━┃"), "═║", "{}", screen.join("\n"));
}

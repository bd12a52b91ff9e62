//! Stories of what keeps people from typing into the wrong place.

use super::scenes::Scene;
use super::*;
use crate::domain::ids::WindowId;
use crate::model::sample::{NOW, model, session_id};
use crate::model::{Broadcasting, Level, Notice, SessionView};

/// A model whose two live sessions are marked, one of them on production, and a third on no production host.
fn marked() -> Model {
    let mut model = model();
    let mut third = SessionView::opening(session_id("live mail2"), "mail2", None);
    third.state = SessionState::Live;
    third.reference = "S-7ABC".to_owned();
    model.sessions.push(third);
    for name in ["live web1", "live bastion", "live mail2"] {
        model.broadcast.marked.insert(session_id(name));
    }
    model
}

fn broadcasting(members: &[&str]) -> Model {
    let mut model = marked();
    model.broadcast.on = Some(Broadcasting {
        members: members.iter().map(|name| session_id(name)).collect(),
        window: WindowId(1),
        since: NOW,
        last: NOW,
        keys: 0,
        pastes: 0,
    });
    model
}

fn paste(scene: &mut Scene, text: &str) {
    scene.input(UiInput::Paste(text.to_owned()));
}

const TEXT: &str = "cd /srv/app\nsudo rm -rf releases/old\n\x1b[2Jsystemctl restart app\n";

#[test]
fn sheets_of_the_guard() {
    for (cols, rows) in [(80, 24), (200, 50)] {
        let scene = Scene::with(marked(), cols, rows, Caps::default()).keys("3 Enter Ctrl-] B");
        insta::assert_snapshot!(format!("broadcast-{cols}x{rows}"), scene.text());
        let members = ["live web1", "live bastion", "live mail2"];
        let scene = Scene::with(broadcasting(&members), cols, rows, Caps::default());
        let mut scene = scene.keys("3 Enter");
        insta::assert_snapshot!(format!("broadcasting-{cols}x{rows}"), scene.text());
        paste(&mut scene, TEXT);
        insta::assert_snapshot!(format!("paste-broadcast-{cols}x{rows}"), scene.text());
        let mut scene = Scene::new(cols, rows).keys("3 j Enter");
        paste(&mut scene, TEXT);
        insta::assert_snapshot!(format!("paste-{cols}x{rows}"), scene.text());
    }
}

#[test]
fn a_paste_is_shown_whenever_it_could_do_harm() {
    for (keys, text, asked) in [
        ("3 j Enter", "uptime", false),
        ("3 j Enter", "a\tb", false),
        ("3 j Enter", "uptime\n", true),
        ("3 j Enter", "a\rb", true),
        ("3 j Enter", "a\x1bb", true),
        // The first session is on a production host.
        ("3 Enter", "uptime", true),
    ] {
        let mut scene = Scene::new(80, 24).keys(keys);
        paste(&mut scene, text);
        assert_eq!(scene.intents.is_empty(), asked, "{keys} {text:?}");
        assert_eq!(!scene.ui.layers.is_empty(), asked, "{keys} {text:?}");
        scene.press("Enter");
        assert_eq!(scene.intents.is_empty(), asked, "Enter is Cancel: {text:?}");
    }
    let mut scene = Scene::new(80, 24).keys("3 j Enter");
    paste(&mut scene, &"x\n".repeat(5 * 1024 * 1024));
    assert!(scene.intents.is_empty() && scene.ui.layers.is_empty());
    assert!(
        scene.text().contains("nothing was sent"),
        "{}",
        scene.text()
    );
}

#[test]
fn a_paste_goes_only_where_was_said() {
    let mut scene = Scene::new(80, 24).keys("3 j Enter");
    paste(&mut scene, "uptime\n");
    // Another window begins a broadcast while the sheet is looked at.
    let all: Vec<SessionId> = scene.model.sessions.iter().map(|view| view.id).collect();
    scene.model.broadcast.on = Some(Broadcasting {
        members: all.into_iter().collect(),
        window: WindowId(2),
        since: NOW,
        last: NOW,
        keys: 0,
        pastes: 0,
    });
    scene.press("y");
    assert!(scene.intents.is_empty());
    assert!(scene.text().contains("BROADCAST"), "{}", scene.text());
    scene.press("y");
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Session(_, SessionInput::Paste(_))]
    ));
}

#[test]
fn production_is_a_word_without_colours() {
    for (colors, word) in [
        (Colors::TrueColor, "production"),
        (Colors::None, "PRODUCTION"),
    ] {
        let caps = Caps {
            colors,
            unicode: true,
        };
        let scene = Scene::with(model(), 80, 24, caps).keys("3 Enter");
        let text = scene.text();
        let status = text.lines().nth(23).unwrap_or_default();
        assert!(status.contains(word), "{status}");
    }
}

#[test]
fn a_broadcast_is_told_everywhere() {
    let members = ["live bastion", "live mail2"];
    let scene = Scene::with(broadcasting(&members), 80, 24, Caps::default()).keys("1");
    assert!(
        scene
            .text()
            .lines()
            .next()
            .is_some_and(|tabs| tabs.contains("BROADCAST to 2"))
    );
    for keys in ["3 Enter", "3 j Enter"] {
        let scene = Scene::with(broadcasting(&members), 80, 24, Caps::default()).keys(keys);
        let text = scene.text();
        let at = |line: usize| text.lines().nth(line).unwrap_or_default().to_owned();
        assert!(at(0).contains("BROADCAST to 2"), "{}", at(0));
        let member = keys == "3 j Enter";
        assert_eq!(at(23).contains("BROADCAST to 2"), member, "{}", at(23));
    }
}

#[test]
fn marks_are_set_in_the_list_and_in_the_pane() {
    for keys in ["3 Space", "3 Enter Ctrl-] m", "3 Enter Ctrl-] :"] {
        let mut scene = Scene::new(80, 24).keys(keys);
        if keys.ends_with(':') {
            scene = scene.write("pane mark").keys("Enter");
        }
        let id = session_id("live web1");
        assert!(
            matches!(scene.intents.as_slice(), [Intent::Guard(GuardOrder::Mark(marked))] if *marked == id),
            "{keys}: {:?}",
            scene.intents
        );
    }
    // A recorded session gets no keys.
    let scene = Scene::new(80, 24).keys("3 j j j Space");
    assert!(scene.intents.is_empty());
    let scene = Scene::new(80, 24).keys("3 Enter Ctrl-] B");
    assert!(
        scene.text().contains("Mark two sessions or more first"),
        "{}",
        scene.text()
    );
}

#[test]
fn signs_and_warnings_are_seen_in_a_pane() {
    let mut model = model();
    if let Some(view) = model.session_mut(session_id("live bastion")) {
        view.activity = false;
        view.monitor.matched = Some("panic".to_owned());
    }
    if let Some(view) = model.session_mut(session_id("live web1")) {
        view.recording = false;
        view.last_exit = Some(2);
    }
    model.notices.push(Notice {
        at: NOW,
        level: Level::Warn,
        text: "bastion: panic".to_owned(),
    });
    let scene = Scene::with(model, 80, 24, Caps::default()).keys("3 Enter");
    let text = scene.text();
    let at = |line: usize| text.lines().nth(line).unwrap_or_default().to_owned();
    assert!(at(0).contains("1 bastion/"), "{}", at(0));
    assert!(
        at(23).starts_with(" web1  production  NOT RECORDED"),
        "{}",
        at(23)
    );
    assert!(at(23).contains("bastion: panic"), "{}", at(23));
}

/// A pane covers the bar where sync is told, so its own line says what is wrong, after all that matters more.
#[test]
fn trouble_with_sync_is_seen_in_a_pane_and_takes_nobody_s_room() {
    let mut sync = crate::domain::sync::tests::sample(NOW);
    let mut line = |fault: &str, cols| {
        let mut model = model();
        fault.clone_into(&mut sync.fault);
        model.sync = Some(sync.clone());
        let scene = Scene::with(model, cols, 24, Caps::default()).keys("3 Enter");
        let text = scene.text();
        text.lines().nth(23).unwrap_or_default().to_owned()
    };
    let well = line("", 80);
    assert!(!well.contains("sync"), "{well}");
    let ill = line("unreachable", 80);
    for part in ["12ms", "recording", "sync: unreachable", "Ctrl-]"] {
        assert!(ill.contains(part), "{ill}");
    }
    // Where there is no room for all, sync goes first.
    let narrow = line("unreachable", 58);
    assert!(narrow.contains("12ms  recording"), "{narrow}");
    assert!(!narrow.contains("sync"), "{narrow}");
}

#[test]
fn a_folder_of_a_host_is_named_as_with_scp() {
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("files web1:/var/log")
        .keys("Enter");
    assert_eq!(scene.ui.view(), &View::Files);
    let side = scene.ui.views.files.side();
    assert_eq!(
        (side.host.as_deref(), side.path.as_str()),
        (Some("web1"), "/var/log")
    );
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("files mail2")
        .keys("Enter");
    assert_eq!(scene.ui.views.files.side().path, "");
}

#[test]
fn how_to_stop_a_copy_is_said_while_one_runs() {
    let hint = |copies: bool| {
        let mut scene = Scene::new(80, 24);
        if copies {
            scene.model.copies = crate::model::sample::copies();
        }
        let text = scene.keys("2 j f Tab").text();
        text.lines()
            .nth(23)
            .is_some_and(|hints| hints.contains("x stop copy"))
    };
    assert!(hint(true) && !hint(false));
}

#[test]
fn an_attempt_is_given_up_and_a_long_reason_is_whole() {
    use crate::domain::connection::ConnectionState;
    let mut model = model();
    let why = "connection refused by the host behind the second firewall, after three attempts in a row, all in vain";
    let row = model
        .connections
        .first_mut()
        .expect("the sample has connections");
    row.host = "mail2".to_owned();
    row.state = ConnectionState::Connecting;
    model.connections.truncate(1);
    let mut waiting = model.connections[0].clone();
    (waiting.id, waiting.host) = (900, "aaa".to_owned());
    waiting.state = ConnectionState::Waiting {
        retry_ms: 12_000,
        why: why.to_owned(),
    };
    model.connections.insert(0, waiting);
    let scene = Scene::with(model, 80, 24, Caps::default()).keys("6");
    let joined = scene
        .text()
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ");
    assert!(joined.contains(why), "{}", scene.text());
    let scene = scene.keys("j x");
    assert!(
        scene
            .text()
            .contains("The attempt to connect to mail2 is given up."),
        "{}",
        scene.text()
    );
}

#[test]
fn views_with_a_digit_have_a_tab_where_there_is_room() {
    let tabs = |cols: u16| {
        let text = Scene::new(cols, 24).keys("7").text();
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert!(tabs(200).contains("[7 forwards]") && tabs(200).contains("8 alarms"));
    assert!(!tabs(80).contains("7 forwards"), "{}", tabs(80));
}

/// The marked sessions, the first one on this host.
fn first_on(host: &str) -> Model {
    let mut model = marked();
    if let Some(view) = model.session_mut(session_id("live web1")) {
        view.host = host.to_owned();
    }
    model
}

#[test]
fn a_login_before_the_name_of_a_host_takes_no_guard_away() {
    let scene = |host: &str| Scene::with(first_on(host), 80, 24, Caps::default()).keys("3 Enter");
    // The tab is as red as that of a host that was typed without a login.
    let tab = |host: &str| {
        let buffer = scene(host).buffer();
        buffer.cell((2, 0)).map(|cell| (cell.fg, cell.bg))
    };
    assert_eq!(tab("ssh://root@db1:22"), tab("db1"));
    assert_ne!(tab("root@db1"), tab("root@mail2"));
    let mut scene = scene("root@db1");
    let text = scene.text();
    let status = text.lines().nth(23).unwrap_or_default();
    assert!(status.contains("root@db1  production"), "{status}");
    // One line is shown before it is pasted.
    paste(&mut scene, "uptime");
    assert!(scene.intents.is_empty() && scene.text().contains("PRODUCTION"));
    scene.press("Esc");
    // A broadcast leaves it out until the word is typed.
    scene.press("Ctrl-] B");
    assert!(scene.text().contains("Add production (p)"));
    scene.press("y");
    let members = match scene.intents.as_slice() {
        [Intent::Guard(GuardOrder::Begin { members, .. })] => members.clone(),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(members.len(), 2);
    assert!(!members.contains(&session_id("live web1")));
}

#[test]
fn a_shell_is_for_all_marked_hosts_if_there_are_any() {
    use crate::command::{Command, LayoutCommand, SessionCommand};
    let scene = Scene::new(80, 24).keys("2 j s");
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Command(Command::Session(
            SessionCommand::Open { .. }
        ))]
    ));
    let scene = Scene::new(80, 24).keys("2 Space Space s");
    let [Intent::Command(Command::Layout(LayoutCommand::Hosts(pattern)))] =
        scene.intents.as_slice()
    else {
        unreachable!("{:?}", scene.intents)
    };
    assert_eq!(pattern.split(',').count(), 2, "{pattern}");
    // The command is there for hosts that nobody marked, too.
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("layout hosts web*")
        .keys("Enter");
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Command(Command::Layout(LayoutCommand::Hosts(pattern)))] if pattern == "web*"
    ));
}

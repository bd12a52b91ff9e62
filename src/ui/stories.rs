//! Stories: given keys, what the user sees and what the app is asked for.

use std::sync::Arc;

use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use super::scenes::{Scene, rows};
use super::*;
use crate::command::{Command, HostCommand, RunCommand, SessionCommand, TicketCommand};
use crate::domain::key::KeyCode;
use crate::domain::look::{Deed, Find, Motion};
use crate::domain::ticket::{TicketKind, TicketState};
use crate::model::sample::{NOW, model, session_id, ticket};
use crate::model::{Level, Notice, QuestionId, QuestionKind, SessionView};
use crate::term::encode::{Button, MouseAction, MouseEvent};
use crate::term::{self, Emulator, Look};

/// The one command that was asked for.
fn command(scene: &Scene) -> &Command {
    match scene.intents.as_slice() {
        [Intent::Command(command)] => command,
        other => unreachable!("one command was expected, not {other:?}"),
    }
}

fn question(kind: QuestionKind, session: Option<SessionId>) -> Question {
    Question {
        id: QuestionId(7),
        title: "unknown host key".to_owned(),
        body: vec!["web9 shows ED25519 SHA256:abc".to_owned()],
        kind,
        session,
        hosts: Vec::new(),
    }
}

#[test]
fn a_ticket_that_arrives_does_not_move_the_cursor() {
    let mut scene = Scene::new(80, 24).keys("1 j j");
    let before = scene
        .ui
        .views
        .tickets
        .selected(&scene.model)
        .map(|ticket| ticket.reference.clone());
    assert_eq!(before.as_deref(), Some("T-ZX41"));
    let new = ticket("T-AAAA", "Fresh", TicketState::New, 1, &[]);
    scene.model.tickets.rows.insert(0, new);
    scene.press("t");
    let Command::Ticket(TicketCommand::Edit { reference, change }) = command(&scene) else {
        unreachable!("t takes a ticket")
    };
    assert_eq!(reference, "T-ZX41");
    assert_eq!(
        (change.owner.as_deref(), change.state),
        (Some("me"), Some(TicketState::Open))
    );
    assert!(scene.text().contains("› T-ZX41"), "{}", scene.text());
}

#[test]
fn a_new_ticket_is_written_in_a_form() {
    let scene = Scene::new(80, 24)
        .keys("1 a")
        .write("Disk full")
        .keys("Tab Left Tab Right Tab")
        .write("web3 db1")
        .keys("Ctrl-s");
    let Command::Ticket(TicketCommand::Add { title, change }) = command(&scene) else {
        unreachable!("a adds a ticket")
    };
    assert_eq!(title, "Disk full");
    assert_eq!(change.priority.map(|priority| priority.level()), Some(2));
    assert_eq!(change.kind, Some(TicketKind::Request));
    assert_eq!(change.host, ["web3", "db1"]);
}

#[test]
fn resolving_asks_and_the_default_is_no() {
    for (keys, done) in [
        ("1 R Enter", false),
        ("1 R Esc", false),
        ("1 R y", true),
        ("1 R Right Enter", true),
    ] {
        let scene = Scene::new(80, 24).keys(keys);
        assert_eq!(!scene.intents.is_empty(), done, "{keys}");
        assert!(scene.ui.layers.is_empty());
    }
    let scene = Scene::new(80, 24).keys("1 R y");
    let Command::Ticket(TicketCommand::Edit { change, .. }) = command(&scene) else {
        unreachable!("R resolves")
    };
    assert_eq!(change.state, Some(TicketState::Resolved));
}

#[test]
fn paging_keys_and_delete_change_nothing() {
    for keys in [
        "Ctrl-d",
        "Ctrl-u",
        "Ctrl-f",
        "Ctrl-b",
        "Ctrl-k",
        "Del",
        "Backspace",
        "d",
    ] {
        for view in [
            "1", "2", "3", "4", "5", "1 Enter", "6", "6 Enter", "7", "8", "2 j f",
        ] {
            let scene = Scene::new(80, 24).keys(view).keys(keys);
            assert!(
                scene.intents.is_empty() && scene.ui.layers.is_empty(),
                "{keys} in {view}"
            );
        }
    }
}

#[test]
fn a_shell_from_a_ticket_is_recorded_on_it() {
    let scene = Scene::new(80, 24).keys("1 Enter s");
    let expected = SessionCommand::Open {
        host: "web3".to_owned(),
        ticket: Some("T-7K3F".to_owned()),
    };
    assert_eq!(command(&scene), &Command::Session(expected));
    // A ticket with two hosts asks which, and offers only those.
    let scene = Scene::new(80, 24).keys("1 j s");
    assert!(
        scene.text().contains("which host?") && !scene.text().contains("bastion"),
        "{}",
        scene.text()
    );
    let scene = scene.keys("Down Enter");
    let Command::Session(SessionCommand::Open { host, .. }) = command(&scene) else {
        unreachable!("a shell is opened")
    };
    assert_eq!(host, "mail2");
}

#[test]
fn a_run_is_put_together_from_marks_choices_and_parameters() {
    let scene = Scene::new(80, 24)
        .keys("2 j Space Space x")
        .write("disk")
        .keys("Enter");
    let scene = scene.keys("Ctrl-u").write("/srv").keys("Enter");
    assert!(scene.intents.is_empty(), "nothing runs unconfirmed");
    assert!(
        scene.text().contains("2 hosts: web1 web2"),
        "{}",
        scene.text()
    );
    let scene = scene.keys("y");
    let Command::Run(RunCommand::Start(start)) = command(&scene) else {
        unreachable!("it starts a run")
    };
    assert_eq!(
        (start.book.as_str(), start.pattern.as_str()),
        ("disk-full", "web1,web2")
    );
    assert_eq!(start.params.get("path").map(String::as_str), Some("/srv"));
}

#[test]
fn a_run_that_was_written_out_begins_and_a_dangerous_command_still_asks() {
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("run start hello -H web1")
        .keys("Enter");
    assert!(matches!(
        command(&scene),
        Command::Run(RunCommand::Start(_))
    ));
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("ticket resolve T-7K3F")
        .keys("Enter");
    assert!(scene.intents.is_empty() && scene.text().contains("> Cancel <"));
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("ticket resolve T-7K3F --yes")
        .keys("Enter");
    assert!(matches!(command(&scene), Command::Ticket(_)));
}

#[test]
fn the_prompt_goes_places_and_says_what_is_wrong() {
    for (line, view) in [
        ("hosts", View::Hosts),
        ("t-7k3f", View::Case("T-7K3F".to_owned())),
        ("R-9QXA", View::Run("R-9QXA".to_owned())),
        ("host show web1", View::Host("web1".to_owned())),
        ("ticket ls state:open \"disk full\"", View::Tickets),
    ] {
        let scene = Scene::new(80, 24).keys(":").write(line).keys("Enter");
        assert_eq!(*scene.ui.view(), view, "{line}");
    }
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("ticket ls state:open \"disk full\"")
        .keys("Enter");
    let query = "state:open \"disk full\"".to_owned();
    assert_eq!(scene.ui.wants(&scene.model), [Want::Tickets { query }]);
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("no such thing")
        .keys("Enter");
    assert!(
        scene.text().contains(":no such thing") && scene.text().contains("there is no command no"),
        "{}",
        scene.text()
    );
    let scene = Scene::new(80, 24)
        .keys("1 :")
        .write("ticket comment")
        .keys("Enter")
        .write("hm")
        .keys("Ctrl-s");
    let Command::Ticket(TicketCommand::Comment { reference, text }) = command(&scene) else {
        unreachable!("words alone open the form")
    };
    assert_eq!((reference.as_str(), text.as_str()), ("T-7K3F", "hm"));
    let scene = Scene::new(80, 24).keys(":").write("q").keys("Enter");
    assert!(matches!(scene.intents.as_slice(), [Intent::Quit]));
}

#[test]
fn esc_goes_back_and_never_leaves() {
    let scene = Scene::new(80, 24)
        .keys("1 Enter")
        .keys("Esc Esc Esc Esc q q");
    assert_eq!(*scene.ui.view(), View::Home);
    assert!(scene.intents.is_empty());
    let scene = Scene::new(80, 24).keys("2 / w e b Enter Space");
    assert_eq!(scene.ui.views.hosts.list.ids().len(), 4);
    let scene = scene.keys("Esc");
    assert_eq!(
        scene.ui.views.hosts.list.ids().len(),
        9,
        "Esc takes the filter away first"
    );
    assert_eq!(*scene.ui.view(), View::Hosts);
}

#[test]
fn in_a_pane_everything_but_the_prefix_goes_to_the_remote() {
    let web = session_id("live web1");
    let mut scene = Scene::new(80, 24).keys("3 Enter");
    scene.press("q Esc Ctrl-c Ctrl-d F10 : Tab Ctrl-z Ctrl-b");
    assert_eq!(scene.intents.len(), 9);
    for intent in &scene.intents {
        assert!(
            matches!(intent, Intent::Session(id, SessionInput::Key(_)) if *id == web),
            "{intent:?}"
        );
    }
    scene.intents.clear();
    scene.press("Ctrl-] Ctrl-]");
    assert!(
        matches!(scene.intents.as_slice(), [Intent::Session(_, SessionInput::Key(key))] if *key == Key::ctrl(']'))
    );
    scene.intents.clear();
    scene.press("Ctrl-] n");
    assert_eq!(*scene.ui.view(), View::Pane(session_id("live bastion")));
    scene.press("Ctrl-] 0 Ctrl-] [ k 3 PgUp f x q");
    let looks: Vec<_> = scene
        .intents
        .iter()
        .filter_map(|intent| match intent {
            Intent::Session(_, SessionInput::Look(look)) => Some(look.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        looks,
        [
            Look::Begin,
            Look::Go(Motion::Up, 0),
            Look::Go(Motion::PageUp, 3),
            Look::Go(Motion::Find(Find::On, 'x'), 0),
            Look::Do(Deed::Leave),
        ]
    );
    assert_eq!(scene.intents.len(), looks.len(), "no key got through");
    scene.intents.clear();
    scene.press("Ctrl-] x");
    assert!(
        scene.intents.is_empty() && scene.text().contains("S-4QWE on web1"),
        "{}",
        scene.text()
    );
    scene.press("Esc Ctrl-] d");
    assert_eq!(*scene.ui.view(), View::Sessions);
    assert_eq!(scene.ui.pane_sizes(), []);
}

#[test]
fn what_is_typed_before_the_shell_is_there_goes_to_it() {
    let fresh = session_id("fresh");
    let mut scene = Scene::new(80, 24).keys("2 s");
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Command(Command::Session(_))]
    ));
    scene.intents.clear();
    scene.press("e c h o");
    let early = scene.intents.is_empty() && scene.ui.layers.is_empty();
    assert!(
        early && scene.text().contains("Opening the session"),
        "{}",
        scene.text()
    );
    scene
        .model
        .sessions
        .push(SessionView::opening(fresh, "bastion", None));
    scene.ui.open(&scene.model, View::Pane(fresh));
    scene.press("Space 1 Enter");
    assert!(scene.intents.is_empty());
    assert!(
        scene.ui.settle(&scene.model).is_empty(),
        "it does not live yet"
    );
    if let Some(session) = scene.model.session_mut(fresh) {
        session.state = SessionState::Live;
    }
    let keys: Vec<_> = scene
        .ui
        .settle(&scene.model)
        .into_iter()
        .map(|intent| match intent {
            Intent::Session(id, SessionInput::Key(key)) if id == fresh => key.to_string(),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, ["e", "c", "h", "o", "Space", "1", "Enter"]);
    // A refusal gives the keys back to the list.
    let mut scene = Scene::new(80, 24).keys("2 s j");
    let text = "there is no such host".to_owned();
    scene.model.notices.push(Notice {
        at: NOW,
        level: Level::Error,
        text,
    });
    scene.press("1");
    assert_eq!(*scene.ui.view(), View::Tickets);
}

#[test]
fn a_pane_has_all_of_the_window_but_two_rows() {
    let scene = Scene::new(80, 24).keys("3 Enter");
    assert_eq!(
        scene.ui.pane_sizes(),
        [(session_id("live web1"), Size::new(80, 22))]
    );
}

#[test]
fn an_ended_session_is_read_and_dismissed() {
    let mut scene = Scene::new(80, 24).keys("3 j j Enter");
    assert!(scene.text().contains("Ended: exit 0"));
    // Whoever types on means the session that is gone: no letter opens it anew, no Enter closes it.
    scene.press("c d Space f o o Enter r m Space x Enter q R");
    assert!(scene.intents.is_empty(), "{:?}", scene.intents);
    assert_eq!(*scene.ui.view(), View::Pane(session_id("ended")));
    assert!(scene.text().contains("what you typed was dropped"));
    scene.model.now = scene.model.now.plus(1_000);
    scene.press("Enter");
    assert!(
        matches!(scene.intents.as_slice(), [Intent::Dismiss(id)] if *id == session_id("ended"))
    );
    let (ended, before) = (session_id("ended"), session_id("live bastion"));
    scene.model.sessions.retain(|session| session.id != ended);
    scene.model.tabs.retain(|tab| !tab.contains(ended));
    scene.ui.leave_lost(&scene.model, Some(before));
    assert_eq!(*scene.ui.view(), View::Pane(before));
    scene.model.tabs.clear();
    scene.ui.leave_lost(&scene.model, None);
    assert_eq!(*scene.ui.view(), View::Sessions, "when none is left");
}

#[test]
fn pastes_of_several_lines_are_shown_first() {
    // web1 is a production host, bastion is none.
    for (view, text, asked) in [
        ("3 j Enter", "uptime", false),
        ("3 j Enter", "uptime\nreboot\n", true),
        ("3 j Enter", "uptime\r", true),
        ("3 Enter", "uptime", true),
    ] {
        let mut scene = Scene::new(80, 24).keys(view);
        scene.input(UiInput::Paste(text.to_owned()));
        assert_eq!(scene.intents.is_empty(), asked, "{text:?}");
        if asked {
            assert!(scene.text().contains("  uptime"));
            scene.press("Enter");
            assert!(scene.intents.is_empty(), "the default is not to");
            scene.input(UiInput::Paste(text.to_owned()));
            scene.press("y");
        }
        assert!(
            matches!(scene.intents.as_slice(), [Intent::Session(_, SessionInput::Paste(sent))] if sent == text)
        );
    }
    let mut scene = Scene::new(80, 24).keys("1");
    scene.input(UiInput::Paste("R y".to_owned()));
    assert!(
        scene.intents.is_empty() && scene.ui.layers.is_empty(),
        "a paste is no command"
    );
}

#[test]
fn a_question_does_not_take_the_keys_of_somebody_who_types() {
    let yes_no = || QuestionKind::YesNo { default_no: true };
    let mut scene = Scene::new(80, 24).keys("3 Enter");
    scene.model.questions.push_back(question(yes_no(), None));
    scene.press("y Enter");
    assert_eq!(scene.intents.len(), 2, "both keys went to the pane");
    scene.intents.clear();
    assert!(
        scene.text().contains("a question waits"),
        "{}",
        scene.text()
    );
    scene.press("Ctrl-]");
    assert!(scene.text().contains("SHA256:abc"), "{}", scene.text());
    scene.press("y Enter");
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Answer(QuestionId(7), Reply::Yes)]
    ));
    // In a form it waits until that is done.
    let mut scene = Scene::new(80, 24).keys("1 c");
    scene.model.questions.push_back(question(yes_no(), None));
    let scene = scene.write("ok").keys("Ctrl-s");
    assert!(matches!(
        command(&scene),
        Command::Ticket(TicketCommand::Comment { .. })
    ));
    assert!(scene.text().contains("SHA256:abc"));
    // A pane's own question is asked in it.
    let mut scene = Scene::new(80, 24).keys("3 Enter");
    scene
        .model
        .questions
        .push_back(question(yes_no(), Some(session_id("live web1"))));
    scene.press("j");
    assert!(scene.intents.is_empty() && scene.text().contains("> No <"));
}

#[test]
fn a_secret_is_not_on_the_screen() {
    let mut scene = Scene::new(80, 24);
    scene
        .model
        .questions
        .push_back(question(QuestionKind::Secret, None));
    let mut scene = scene.write("hunter2");
    assert!(!scene.text().contains("hunter"), "{}", scene.text());
    scene.press("Enter");
    assert!(!format!("{:?}", scene.intents).contains("hunter"));
    assert!(matches!(
        scene.intents.as_slice(),
        [Intent::Answer(_, Reply::Secret(_))]
    ));
    scene.model.questions.clear();
    scene.press("1");
    assert_eq!(
        *scene.ui.view(),
        View::Tickets,
        "a question that was withdrawn is gone"
    );
}

#[test]
fn an_error_stays_until_it_was_seen() {
    let mut scene = Scene::new(80, 24);
    let text = "the store is read-only".to_owned();
    scene.model.notices.push(Notice {
        at: NOW,
        level: Level::Error,
        text,
    });
    scene.press("1");
    assert!(
        scene.text().contains(" the store is read-only"),
        "it has just been said"
    );
    scene.model.now = NOW.plus(60_000);
    assert!(scene.text().contains(" the store is read-only"));
    scene.press("j");
    assert!(!scene.text().contains(" the store is read-only"));
}

#[test]
fn what_is_visible_is_wanted() {
    let scene = Scene::new(80, 24).keys("2");
    let wants = scene.ui.wants(&scene.model);
    let [Want::Health(hosts)] = wants.as_slice() else {
        unreachable!("hosts want health: {wants:?}")
    };
    assert_eq!(hosts.len(), 9);
    let scene = Scene::new(80, 24).keys("1 Enter");
    assert_eq!(
        scene.ui.wants(&scene.model)[0],
        Want::Case("T-7K3F".to_owned())
    );
    let scene = Scene::new(80, 24).keys("2 r");
    let Command::Host(HostCommand::Health { pattern, .. }) = command(&scene) else {
        unreachable!("r probes")
    };
    assert_eq!(pattern.as_deref(), Some("bastion"));
}

#[test]
fn an_empty_store_says_how_to_begin() {
    for (keys, words) in [
        ("", ":host import --from ssh-config ~/.ssh/config"),
        ("1", "No open tickets. Press a to write one."),
        ("2", "No hosts yet."),
        ("3", "No sessions yet. Go to a host (2)"),
        ("4", "No runs yet."),
        ("5", "No runbooks yet."),
    ] {
        let mut empty = Model::new(NOW, "mira", false, false);
        (empty.tickets.loaded, empty.runs.loaded) = (true, true);
        let scene = Scene::with(empty, 80, 24, Caps::default()).keys(keys);
        assert!(scene.text().contains(words), "{keys}: {}", scene.text());
    }
    let demo = Model::new(NOW, "mira", true, false);
    let scene = Scene::with(demo, 80, 24, Caps::default());
    assert!(
        scene.text().contains("1 Enter    open the first ticket"),
        "{}",
        scene.text()
    );
}

#[test]
fn without_colour_selection_and_states_are_still_told_apart() {
    let caps = Caps {
        colors: Colors::None,
        unicode: true,
    };
    let scene = Scene::with(model(), 80, 24, caps).keys("2 j j j");
    let buffer = scene.buffer();
    for cell in &buffer.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{cell:?}");
    }
    let lines = rows(&buffer);
    let y = lines
        .iter()
        .position(|line| line.starts_with("› web3"))
        .expect("it is selected");
    let y = u16::try_from(y).expect("a row");
    assert!(
        buffer
            .cell((5, y))
            .is_some_and(|cell| cell.modifier.contains(Modifier::REVERSED))
    );
    assert!(
        lines.iter().any(|line| line.contains("crit"))
            && lines.iter().any(|line| line.contains("unreachable"))
    );
}

#[test]
fn with_sixteen_colours_only_those_are_used() {
    let caps = Caps {
        colors: Colors::Ansi16,
        unicode: true,
    };
    for keys in [
        "1", "2", "1 Enter", "4 Enter", "1 R", "1 a", "6", "6 Enter", "6 x", "7", "8", "2 j f",
    ] {
        let scene = Scene::with(model(), 80, 24, caps).keys(keys);
        for cell in &scene.buffer().content {
            for color in [cell.fg, cell.bg] {
                assert!(
                    !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                    "{keys}: {cell:?}"
                );
            }
        }
    }
}

#[test]
fn without_unicode_everything_is_ascii() {
    let caps = Caps {
        colors: Colors::TrueColor,
        unicode: false,
    };
    for keys in [
        "",
        "1",
        "2",
        "2 j j j Enter",
        "1 Enter",
        "3",
        "3 Enter Ctrl-]",
        "4 Enter",
        "5 Enter",
        "1 ?",
        "1 a",
        "2 x",
        "6",
        "6 j Enter",
        "7",
        "8",
    ] {
        let scene = Scene::with(model(), 100, 30, caps).keys(keys);
        let lines = rows(&scene.buffer());
        assert!(
            lines.iter().all(|line| line.is_ascii()),
            "{keys}: {}",
            lines.join("\n")
        );
    }
}

#[test]
fn no_foreign_control_reaches_a_cell() {
    for keys in [
        "1",
        "1 j j j Enter",
        "4 Enter j",
        "3 Enter",
        "1 j j j e",
        "1 j j j R",
        "6 Enter",
        "2 j f j j j j j",
    ] {
        let scene = Scene::new(120, 40).keys(keys);
        for cell in &scene.buffer().content {
            let steers = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!cell.symbol().chars().any(steers), "{keys}: {cell:?}");
        }
    }
}

#[test]
fn a_session_shows_what_the_emulator_shows() {
    let mut emulator = Emulator::new(term::Size { cols: 80, rows: 22 });
    emulator.feed("\x1b[1;31mred\x1b[0m 界 plain\r\n$ ".as_bytes());
    let mut scene = Scene::new(80, 24);
    let web = session_id("live web1");
    if let Some(session) = scene.model.session_mut(web) {
        session.screen = Some(Arc::clone(&emulator.screen()));
    }
    scene.press("3 Enter");
    let text = scene.text();
    assert!(text.contains("\nred 界 plain\n$\n"), "{text}");
    assert!(text.ends_with("cursor 2,2"), "{text}");
    let buffer = scene.buffer();
    let red = buffer.cell((0, 1)).expect("inside");
    assert_eq!((red.fg, red.modifier), (Color::Indexed(1), Modifier::BOLD));
}

#[test]
fn help_names_every_key_of_the_view_and_where_it_was_moved_to() {
    let changes =
        std::collections::BTreeMap::from([("ticket.take".to_owned(), vec!["Z".to_owned()])]);
    let (keymap, errors) = Keymap::with(&changes, Key::ctrl('b'));
    assert!(errors.is_empty());
    let mut scene = Scene::new(100, 60);
    scene.ui = Ui::new(Theme::default(), keymap, Caps::default());
    scene.input(UiInput::Resize {
        cols: 100,
        rows: 60,
    });
    scene.press("1 ?");
    assert!(
        scene.text().contains("Z               Makes you the owner"),
        "{}",
        scene.text()
    );
    scene.press("Esc");
    assert!(scene.text().contains("Z take"), "{}", scene.text());
    scene.press("3 Enter");
    assert!(scene.text().contains("Ctrl-b for commands"));
}

#[test]
fn themes_switch_and_unknown_ones_are_asked_for() {
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("theme use paper")
        .keys("Enter");
    assert_eq!(scene.ui.look.theme.name, "paper");
    let scene = Scene::new(80, 24)
        .keys(":")
        .write("theme use mine")
        .keys("Enter");
    assert!(matches!(scene.intents.as_slice(), [Intent::Theme(name)] if name == "mine"));
}

fn any_key() -> impl Strategy<Value = Key> {
    let code = prop_oneof![
        8 => prop::sample::select("jkhlgGnN /:?qxscearRtLAOX0123456789*yd[pfDSvo.-".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
        1 => any::<char>().prop_map(KeyCode::Char),
        6 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::Backspace, KeyCode::Up, KeyCode::Down, KeyCode::Left,
            KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End, KeyCode::Delete, KeyCode::F(4),
        ]),
        1 => Just(KeyCode::Char(']')),
    ];
    (code, prop::bool::weighted(0.2), prop::bool::weighted(0.05)).prop_map(|(code, ctrl, shift)| {
        Key {
            code,
            ctrl,
            alt: false,
            shift,
        }
    })
}

fn any_input() -> impl Strategy<Value = UiInput> {
    prop_oneof![
        12 => any_key().prop_map(UiInput::Key),
        1 => ".{0,20}".prop_map(UiInput::Paste),
        2 => (0_u16..220, 0_u16..60).prop_map(|(cols, rows)| UiInput::Resize { cols, rows }),
        1 => (0_u16..220, 0_u16..60, prop::sample::select(vec![MouseAction::Press(Button::Left), MouseAction::Release(Button::Left), MouseAction::Move(Some(Button::Left)), MouseAction::WheelUp, MouseAction::WheelDown]))
            .prop_map(|(col, row, action)| UiInput::Mouse(MouseEvent { action, col, row, shift: false, alt: false, ctrl: false })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is typed at whatever size, drawing never fails and the cursor stays inside.
    #[test]
    fn nothing_a_user_does_can_break_the_screen(inputs in prop::collection::vec(any_input(), 1..60), asked: bool) {
        let mut scene = Scene::new(80, 24);
        if asked {
            scene.model.questions.push_back(question(QuestionKind::Text, None));
        }
        for (index, input) in inputs.into_iter().enumerate() {
            scene.input(input);
            if index % 7 == 0 {
                scene.model.tickets.rows.rotate_left(1);
                scene.model.sessions.truncate(3 - (index / 7) % 3);
            }
            let buffer = scene.buffer();
            prop_assert!(!buffer.content.iter().any(|cell| cell.symbol().chars().any(char::is_control)));
        }
    }
}

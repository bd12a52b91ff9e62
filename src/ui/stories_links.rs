//! Stories about connections, folders and changed keys: given keys, what the user sees and what the app is asked for.

use super::scenes::Scene;
use super::*;
use crate::command::{Command, ConnectionCommand, FilesCommand, LayoutCommand, TicketCommand};
use crate::domain::files::{FileEntry, FileKind, Place};
use crate::model::sample::{copies, session_id};

/// The one command that was asked for.
fn command(scene: &Scene) -> &Command {
    match scene.intents.as_slice() {
        [Intent::Command(command)] => command,
        other => unreachable!("one command was expected, not {other:?}"),
    }
}

fn place(host: Option<&str>, path: &str) -> Place {
    Place {
        host: host.map(str::to_owned),
        path: path.to_owned(),
    }
}

/// The two folders of the sample: this machine and web1, which is a production host and has the keys.
fn files() -> Scene {
    Scene::new(80, 24).keys("2 j f")
}

#[test]
fn a_connection_is_closed_after_it_was_said_what_ends() {
    let scene = Scene::new(80, 24).keys("6 x");
    assert!(scene.intents.is_empty() && scene.text().contains("1 session: S-5RTZ"));
    let declined = scene.keys("Enter");
    assert!(declined.intents.is_empty(), "the default is not to");
    let scene = Scene::new(80, 24).keys("6 x y");
    let host = "bastion".to_owned();
    assert_eq!(
        command(&scene),
        &Command::Connection(ConnectionCommand::Close { host })
    );
    // One that waits has nothing to lose: it is tried again at once.
    let scene = Scene::new(80, 24).keys("6 j j j r");
    let host = "mail1".to_owned();
    assert_eq!(
        command(&scene),
        &Command::Connection(ConnectionCommand::Again { host })
    );
}

#[test]
fn connections_are_found_sorted_and_kept_selected() {
    let scene = Scene::new(80, 24).keys("6 / d b 1 Enter Enter");
    let view = View::Connection {
        id: 4,
        host: "db1".to_owned(),
    };
    assert_eq!(*scene.ui.view(), view);
    assert!(scene.text().contains("not safe against later quantum"));
    let mut scene = Scene::new(80, 24).keys("6 S");
    let first = |scene: &Scene| {
        let ids = scene.ui.views.connections.list.ids();
        ids.first().copied()
    };
    assert_eq!(first(&scene), Some(5), "the troubled one comes first");
    scene.press("S S");
    assert_eq!(first(&scene), Some(4), "then the slowest");
    assert!(scene.text().contains("slowest first"), "{}", scene.text());
    // The details stay with the host when the connection is made anew.
    let mut scene = Scene::new(80, 24).keys("6 j Enter");
    for row in &mut scene.model.connections {
        row.id += 100;
    }
    scene.press("j");
    assert!(scene.text().contains("curve25519-sha256"));
    scene.model.connections.clear();
    scene.press("j");
    assert!(scene.text().contains("There is no connection to db1"));
}

#[test]
fn the_prompt_leads_to_the_views_of_connections() {
    for (line, view) in [
        ("connections", View::Connections),
        ("forwards", View::Forwards),
        ("alarms", View::Alarms),
        ("files web1", View::Files),
    ] {
        let scene = Scene::new(80, 24).keys(":").write(line).keys("Enter");
        assert_eq!(*scene.ui.view(), view, "{line}");
    }
    let scene = Scene::new(80, 24).keys("1 Tab Tab Tab Tab Tab");
    assert_eq!(*scene.ui.view(), View::Connections, "it is among the tabs");
    let wants = scene.ui.wants(&scene.model);
    assert_eq!(wants, [Want::Connections]);
}

#[test]
fn folders_are_walked_without_leaving_the_screen() {
    let mut scene = files();
    assert_eq!(
        scene.ui.wants(&scene.model),
        [
            Want::Folder {
                host: None,
                path: "/home/mira".to_owned()
            },
            Want::Folder {
                host: Some("web1".to_owned()),
                path: "/var/log".to_owned()
            },
        ],
        "homes are known by their paths once they were read"
    );
    scene.press("Enter");
    let want = Want::Folder {
        host: Some("web1".to_owned()),
        path: "/var/log/nginx".to_owned(),
    };
    assert_eq!(scene.ui.wants(&scene.model).last(), Some(&want));
    assert!(scene.text().contains("Reading the folder."));
    scene.press("Backspace");
    assert!(
        scene.text().contains("› nginx/"),
        "where one came from is selected"
    );
    scene.press("j j l");
    assert!(scene.text().contains("It is a file"), "{}", scene.text());
    scene.press("Tab h");
    let want = Want::Folder {
        host: None,
        path: "/home".to_owned(),
    };
    assert_eq!(scene.ui.wants(&scene.model).first(), Some(&want));
    assert!(scene.intents.is_empty());
}

#[test]
fn a_copy_asks_before_it_writes_over_something_or_on_production() {
    // From web1 to here: error.log is new here, so nothing is asked.
    let scene = files().keys("j j j c");
    let Command::Files(FilesCommand::Copy { job, ticket }) = command(&scene) else {
        unreachable!("c copies")
    };
    assert_eq!(job.from, [place(Some("web1"), "/var/log/error.log")]);
    assert_eq!(job.to, place(None, "/home/mira"));
    assert!(!job.recursive && job.preserve && ticket.is_none());
    // access.log is here already.
    let scene = files().keys("j j F5");
    assert!(
        scene.intents.is_empty() && scene.text().contains("written over"),
        "{}",
        scene.text()
    );
    assert!(scene.keys("Enter").intents.is_empty());
    let scene = files().keys("j j c y");
    assert!(matches!(
        command(&scene),
        Command::Files(FilesCommand::Copy { .. })
    ));
    // The other way is onto a production host; a folder takes all that is in it along.
    let scene = files().keys("Tab Space Space c");
    assert!(
        scene.text().contains("copy 2 names to web1 (production)?"),
        "{}",
        scene.text()
    );
    let scene = scene.keys("y");
    let Command::Files(FilesCommand::Copy { job, .. }) = command(&scene) else {
        unreachable!("c copies")
    };
    assert!(job.recursive && job.from.len() == 2);
}

#[test]
fn a_folder_is_not_copied_into_itself() {
    let mut scene = files();
    let key = (Some("web1".to_owned()), "/var/log/nginx".to_owned());
    scene
        .model
        .files
        .listed(&key, "/var/log/nginx".to_owned(), Vec::new());
    // Both sides on web1: /var/log on the right, and its nginx on the left.
    scene.press("Tab o");
    let scene = scene.write("web1").keys("Enter Enter Tab c");
    assert!(scene.intents.is_empty());
    assert!(
        scene.text().contains("nginx cannot be copied into itself"),
        "{}",
        scene.text()
    );
}

#[test]
fn deleting_names_everything_and_production_wants_the_hosts_name() {
    let scene = files().keys("j j Space Space D");
    let text = scene.text();
    for words in [
        "delete 2 names on web1 (production)?",
        "  access.log",
        "  error.log",
        "Type web1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for wrong in ["Enter", "y Enter", "w e b 2 Enter", "Esc"] {
        let scene = files().keys("j j Space Space D").keys(wrong);
        assert!(
            scene.intents.is_empty() && scene.ui.layers.is_empty(),
            "{wrong}"
        );
    }
    let scene = files().keys("j j Space Space D").keys("w e b 1 Enter");
    let Command::Files(FilesCommand::Remove { places, .. }) = command(&scene) else {
        unreachable!("D deletes")
    };
    let paths: Vec<_> = places.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(paths, ["/var/log/access.log", "/var/log/error.log"]);
    // Here a yes is enough, and Cancel is the default.
    assert!(files().keys("Tab D Enter").intents.is_empty());
    let scene = files().keys("Tab F8");
    assert!(
        scene.text().contains("Folders go with all"),
        "{}",
        scene.text()
    );
    assert!(matches!(
        command(&scene.keys("y")),
        Command::Files(FilesCommand::Remove { .. })
    ));
}

#[test]
fn names_are_given_in_a_form_and_never_over_another() {
    let scene = files()
        .keys("j j r")
        .keys("Ctrl-u")
        .write("old.log")
        .keys("Enter");
    let Command::Files(FilesCommand::Rename { from, to, .. }) = command(&scene) else {
        unreachable!("r renames")
    };
    assert_eq!(from, &place(Some("web1"), "/var/log/access.log"));
    assert_eq!(to, "/var/log/old.log");
    for name in ["error.log", "a/b", ".."] {
        let scene = files().keys("j j r Ctrl-u").write(name).keys("Enter");
        assert!(scene.intents.is_empty(), "{name}");
    }
    let scene = files().keys("a").write("new").keys("Enter");
    let Command::Files(FilesCommand::MakeFolder { place: made, .. }) = command(&scene) else {
        unreachable!("a makes a folder")
    };
    assert_eq!(made, &place(Some("web1"), "/var/log/new"));
}

#[test]
fn copies_from_a_ticket_are_recorded_on_it() {
    let mut scene = Scene::new(80, 24).keys("1 Enter f");
    assert_eq!(*scene.ui.view(), View::Files);
    assert!(
        scene.text().contains("recorded on T-7K3F"),
        "{}",
        scene.text()
    );
    let file = FileEntry {
        name: "core".to_owned(),
        kind: FileKind::File,
        size: 1,
        mode: 0o600,
        owner: String::new(),
        modified: None,
        target: None,
        folder: false,
    };
    let key = (Some("web3".to_owned()), String::new());
    scene
        .model
        .files
        .listed(&key, "/srv".to_owned(), vec![file]);
    scene.press("c");
    let Command::Files(FilesCommand::Copy { ticket, .. }) = command(&scene) else {
        unreachable!("c copies")
    };
    assert_eq!(ticket.as_deref(), Some("T-7K3F"));
}

#[test]
fn the_copy_that_runs_is_the_one_that_is_stopped() {
    let mut scene = files();
    scene.model.copies = copies();
    scene.press("x");
    let copy = 13;
    assert_eq!(
        command(&scene),
        &Command::Files(FilesCommand::Cancel { copy })
    );
    scene.intents.clear();
    scene.press("v");
    assert!(
        scene.text().contains("db1:/srv/secret: permission denied"),
        "{}",
        scene.text()
    );
}

#[test]
fn a_folder_that_cannot_be_read_says_so_and_lets_one_out() {
    let mut scene = files().keys("Enter");
    let key = (Some("web1".to_owned()), "/var/log/nginx".to_owned());
    let why = "/var/log/nginx cannot be listed: permission denied".to_owned();
    scene.model.files.failed(&key, why);
    scene.press("j");
    assert!(
        scene.text().contains("permission denied"),
        "{}",
        scene.text()
    );
    scene.press("c");
    assert!(
        scene.intents.is_empty(),
        "nothing is copied from a folder that was not read"
    );
    scene.press("-");
    assert!(scene.text().contains("› nginx/"));
}

#[test]
fn an_ended_session_is_opened_again_in_its_place() {
    let scene = Scene::new(80, 24).keys("3 j j Enter r");
    let Command::Layout(LayoutCommand::Reopen(id)) = command(&scene) else {
        unreachable!("r opens it again")
    };
    assert_eq!(*id, session_id("ended"));
}

#[test]
fn a_changed_key_becomes_a_ticket_from_its_page_too() {
    let scene = Scene::new(80, 24).keys("8 t");
    let Command::Ticket(TicketCommand::Add { title, change }) = command(&scene) else {
        unreachable!("t opens a ticket")
    };
    assert_eq!(title, "The host key of db1 has changed");
    assert_eq!(change.host, ["db1"]);
}

#[test]
fn the_status_line_tells_what_goes_along() {
    let mut scene = Scene::new(140, 24);
    if let Some(session) = scene.model.session_mut(session_id("live web1")) {
        session.agent = true;
    }
    let scene = scene.keys("3 Enter");
    let text = scene.text();
    for words in ["agent forwarded", "1 forward", "12ms"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

//! The demo's check can fail: each chapter is broken in turn, by what is done to its files, and exactly its line says so.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use quarterdeck::app::start::Interactive;
use quarterdeck::command::Globals;
use quarterdeck::demo::{Chapter, Page, Stage, Verdict, Walk};
use rusqlite::Connection;

/// What keeps a chapter from its evidence while it lasts.
type Harm = fn(&Stage) -> Option<Connection>;

/// A sample host's folder.
fn root(stage: &Stage, host: &str) -> PathBuf {
    let ssh = stage
        .ssh_config()
        .parent()
        .expect("the config lies in a folder");
    ssh.with_file_name("hosts").join(host)
}

fn none(_: &Stage) -> Option<Connection> {
    None
}

/// The config names nobody.
fn import(stage: &Stage) -> Option<Connection> {
    fs::write(stage.ssh_config(), "").expect("the config can be written");
    None
}

/// The ill disk is well before anybody looks.
fn look(stage: &Stage) -> Option<Connection> {
    let disks = root(stage, "web2").join("etc/disks");
    fs::write(disks, "/dev/vda1 419430400 16365322 / -\n").expect("the disks can be written");
    None
}

/// Somebody else writes the store, for longer than anybody waits.
fn ticket(stage: &Stage) -> Option<Connection> {
    let connection = Connection::open(stage.places.paths.store()).expect("the store can be opened");
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the store can be locked");
    Some(connection)
}

/// Nothing can be recorded.
fn connect(stage: &Stage) -> Option<Connection> {
    let folder = stage.places.paths.recordings();
    fs::remove_dir_all(&folder).expect("the folder can be removed");
    fs::write(folder, "no folder").expect("a file can be written");
    None
}

/// A program that the runbook needs fails on one host.
fn run(stage: &Stage) -> Option<Connection> {
    let df = root(stage, "app1").join("bin/df");
    fs::write(df, "#!/bin/sh\nexit 1\n").expect("the program can be written");
    None
}

/// The disk fills up again behind the back of whoever cleaned it.
fn close(stage: &Stage) -> Option<Connection> {
    let log =
        fs::File::create(root(stage, "web2").join("var/log/again.log")).expect("a log can be made");
    log.set_len(24 << 30).expect("a file can have a hole");
    None
}

async fn walk_broken(broken: Option<Chapter>, harm: Harm) -> Vec<Page> {
    let stage = Stage::set(&Globals::default(), Interactive::Nobody)
        .await
        .expect("the demo can be set up");
    let mut walk = Walk::on(&stage).expect("the store can be read");
    let mut pages = Vec::new();
    for chapter in Chapter::ALL {
        let held = if broken == Some(chapter) {
            harm(&stage)
        } else {
            None
        };
        pages.push(walk.walk(chapter).await);
        drop(held);
    }
    drop(walk);
    stage.strike().await;
    pages
}

fn check(broken: Option<Chapter>, harm: Harm) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let pages = runtime.block_on(walk_broken(broken, harm));
    let told: Vec<String> = pages.iter().map(Page::to_string).collect();
    let failed: Vec<Chapter> = pages
        .iter()
        .filter(|page| matches!(page.verdict, Verdict::Failed(_)))
        .map(|page| page.chapter)
        .collect();
    assert_eq!(failed, Vec::from_iter(broken), "{told:#?}");
    // Before the break everything is told with evidence.
    for page in pages.iter().take_while(|page| Some(page.chapter) != broken) {
        assert!(
            matches!(&page.verdict, Verdict::Ok(evidence) if !evidence.is_empty()),
            "{told:#?}"
        );
    }
}

#[test]
fn the_whole_story_leaves_its_evidence() {
    check(None, none);
}

#[test]
fn without_hosts_the_import_fails() {
    check(Some(Chapter::Import), import);
}

#[test]
fn without_an_illness_looking_fails() {
    check(Some(Chapter::Look), look);
}

#[test]
fn without_the_store_the_ticket_fails() {
    check(Some(Chapter::Ticket), ticket);
}

#[test]
fn without_a_recording_connecting_fails() {
    check(Some(Chapter::Connect), connect);
}

#[test]
fn with_a_failing_step_the_run_fails() {
    check(Some(Chapter::Run), run);
}

#[test]
fn with_the_illness_back_closing_fails() {
    check(Some(Chapter::Close), close);
}

#[test]
fn the_program_says_it_with_its_exit_status() {
    let output = Command::new(env!("CARGO_BIN_EXE_qd"))
        .args(["demo", "--check"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.lines().count(), Chapter::ALL.len(), "{said}");
    assert!(said.lines().all(|line| line.ends_with("  ok")), "{said}");
}

#[test]
fn a_demo_in_a_folder_can_be_come_back_to() {
    use quarterdeck::command::{Answer, Command as Asked, TicketCommand};
    let folder = tempfile::tempdir().expect("a folder can be made");
    let home = folder.path().join("demo");
    let globals = Globals {
        home: Some(home.clone()),
        ..Globals::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let titles = |add: Option<&str>| {
        runtime.block_on(async {
            let stage = Stage::set(&globals, Interactive::Window)
                .await
                .expect("the demo starts");
            stage.furnish().await.expect("it is furnished");
            if let Some(title) = add {
                let title = title.to_owned();
                let add = TicketCommand::Add {
                    title,
                    change: Default::default(),
                };
                stage.ask(Asked::Ticket(add)).await.expect("it answers");
            }
            let list = TicketCommand::List { query: Vec::new() };
            let listed = stage.ask(Asked::Ticket(list)).await.expect("it answers");
            stage.strike().await;
            match listed.answer {
                Answer::Tickets(tickets) => tickets
                    .into_iter()
                    .map(|ticket| ticket.title)
                    .collect::<Vec<_>>(),
                other => unreachable!("a list was asked for: {other:?}"),
            }
        })
    };
    let mut first = titles(Some("my own ticket"));
    assert!(
        first.iter().any(|title| title == "my own ticket"),
        "{first:?}"
    );
    let mut second = titles(None);
    first.sort();
    second.sort();
    assert_eq!(first, second, "nothing is lost, and nothing is there twice");
    assert!(home.join("data/store.db").is_file() && !home.join("fleet").exists());
    // What is not a demo's is left alone; what was used is no beginning of the story.
    for (path, words) in [
        (folder.path(), "no demo made it"),
        (home.as_path(), "was used before"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_qd"))
            .args([
                "--home",
                path.to_str().expect("it is text"),
                "demo",
                "--check",
            ])
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
}

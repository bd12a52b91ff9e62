//! The store as a file that somebody looks after: backup, restore, repair, by the program itself.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::day::Day;

fn titles(day: &Day) -> Vec<String> {
    let list = day.json(&["ticket", "ls", "--json"]);
    let mut titles: Vec<String> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|ticket| Some(ticket["title"].as_str()?.to_owned()))
        .collect();
    titles.sort();
    titles
}

fn fails(day: &Day, args: &[&str], exit: i32, words: &str) {
    let output = day.qd(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: {said}");
}

#[test]
fn a_backup_is_made_while_the_app_runs_and_restored_when_it_does_not() {
    let day = Day::start(0);
    day.json(&["ticket", "add", "first", "--json"]);
    assert!(day.qd(&["server", "start"]).status.success());
    let file = day.folder().join("safe.db").display().to_string();
    let made = day.qd(&["backup", &file]);
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(said.contains("read back and in order"), "{said}");
    day.json(&["ticket", "add", "second", "--json"]);
    fails(&day, &["backup", &file], 2, "exists already");
    fails(&day, &["restore", &file, "--yes"], 4, "qd server stop");
    assert_eq!(titles(&day), ["first", "second"]);
    assert!(day.qd(&["server", "stop", "--yes"]).status.success());
    fails(&day, &["restore", "/nowhere.db", "--yes"], 2, "no store at");
    let done = day.qd(&["restore", &file, "--yes"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(titles(&day), ["first"]);
    // The way back is named.
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let kept = said.split("the store of before is ").nth(1);
    let kept = kept.unwrap_or_else(|| unreachable!("{said}")).trim();
    assert!(day.qd(&["restore", kept, "--yes"]).status.success());
    assert_eq!(titles(&day), ["first", "second"]);
    let repaired: Value = day.json(&["doctor", "--repair", "--json"]);
    assert_eq!(repaired["ok"], true, "{repaired}");
    assert_eq!(repaired["lines"][0]["name"], "repair", "{repaired}");
    assert_eq!(titles(&day), ["first", "second"]);
}

#[test]
fn an_export_is_the_whole_store_and_comes_back_into_another() {
    let day = Day::start(0);
    let ticket = day.json(&["ticket", "add", "first", "--tag", "db", "--json"]);
    let reference = ticket["ref"].as_str().expect("it has one");
    day.json(&[
        "ticket",
        "comment",
        reference,
        "seen \u{1b}[31mred",
        "--json",
    ]);
    let folder = day.folder().join("out").display().to_string();
    let made = day.qd(&["export", &folder]);
    assert!(made.status.success(), "{made:?}");
    let page = format!("{folder}/tickets/{reference}/ticket.txt");
    let page = std::fs::read_to_string(page).expect("each ticket has a page");
    assert!(
        page.contains("first") && page.contains("seen") && !page.contains('\u{1b}'),
        "{page}"
    );
    fails(&day, &["export", &folder], 2, "exists already");
    // Here everything is known; elsewhere nothing is.
    let again = day.qd(&["import", &folder]);
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("0 new operations"));
    let other = Day::start(0);
    let came = other.qd(&["import", &folder]);
    assert!(came.status.success(), "{came:?}");
    let there = other.json(&["ticket", "show", reference, "--json"]);
    let here = day.json(&["ticket", "show", reference, "--json"]);
    assert_eq!(there, here);
    // What was changed on the way is noticed before anything is written.
    let third = Day::start(0);
    let log = format!("{folder}/log.jsonl");
    let text = std::fs::read_to_string(&log).expect("it is there");
    let cut = text
        .trim_end()
        .rsplit_once('\n')
        .map_or("", |(rest, _)| rest);
    std::fs::write(&log, format!("{cut}\n")).expect("it can be written");
    fails(&third, &["import", &folder], 1, "not what was exported");
    assert!(titles(&third).is_empty());
}

/// Makes of the store what a program of one schema before left.
fn as_an_older_program(day: &Day) -> rusqlite::Connection {
    let file = PathBuf::from(day.home_text()).join("data/store.db");
    let conn = rusqlite::Connection::open(file).expect("it opens");
    conn.execute_batch("DROP TABLE session_shared; PRAGMA user_version = 4")
        .expect("it can be changed");
    conn
}

#[test]
fn a_store_of_an_older_program_is_copied_and_exported_before_it_is_brought_up_to_date() {
    let day = Day::start(0);
    day.json(&["ticket", "add", "first", "--json"]);
    let conn = as_an_older_program(&day);
    let at = |name: &str| day.folder().join(name).display().to_string();
    for words in [["backup", &at("safe.db")], ["export", &at("out")]] {
        let done = day.qd(&words);
        assert!(done.status.success(), "{words:?}: {done:?}");
    }
    let schema: i64 = conn
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("it answers");
    assert_eq!(schema, 4, "nothing was migrated");
    fails(
        &day,
        &["--read-only", "ticket", "ls"],
        1,
        "brought up to date",
    );
    drop(conn);
    let other = Day::start(0);
    assert!(
        other
            .qd(&["restore", &at("safe.db"), "--yes"])
            .status
            .success()
    );
    assert_eq!(titles(&other), ["first"]);
    let third = Day::start(0);
    assert!(third.qd(&["import", &at("out")]).status.success());
    assert_eq!(titles(&third), ["first"]);
}

#[test]
fn a_damaged_store_is_not_repaired() {
    let day = Day::start(0);
    day.json(&["ticket", "add", "first", "--json"]);
    let file = PathBuf::from(day.home_text()).join("data/store.db");
    let conn = rusqlite::Connection::open(&file).expect("it opens");
    conn.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'ticket_ref')
         WHERE name = 'note'",
    )
    .expect("it can be changed");
    drop(conn);
    let before = std::fs::read(&file).expect("it is there");
    fails(&day, &["doctor", "--repair"], 1, "qd doctor --salvage");
    assert_eq!(std::fs::read(&file).expect("it is there"), before);
}

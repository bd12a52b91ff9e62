//! The store as a file that somebody looks after: backup, restore, repair, by the program itself.

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

//! Recordings as people use them: what is in them and what never is, played, found, exported, kept within limits; and a
//! disk that is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quarterdeck::term::Size;
use quarterdeck::term::cast::{self, EventKind};
use serde_json::Value;

use super::script::{opened, typed};
use crate::support::day::Day;
use crate::support::process;
use crate::support::pty::Terminal;

fn recordings(day: &Day) -> PathBuf {
    Path::new(day.home_text()).join("data/recordings")
}

/// The only recording, or the one that was made last.
fn recording(day: &Day) -> PathBuf {
    let files = std::fs::read_dir(recordings(day)).expect("there are recordings");
    files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .max_by_key(|path| path.metadata().and_then(|meta| meta.modified()).ok())
        .expect("there is one")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until(why: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(30), "{why}");
        std::thread::yield_now();
    }
}

/// Whether these bytes are in any file of a folder.
fn anywhere(folder: &Path, wanted: &[u8]) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return anywhere(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes
            .windows(wanted.len())
            .any(|part| part == wanted)
            .then_some(path)
    })
}

#[test]
fn what_is_typed_blindly_is_nowhere_and_what_is_off_is_not_in_the_file() {
    let (day, reference) = opened();
    let reference = reference.as_str();
    typed(
        &day,
        reference,
        "stty -echo; printf 'Pass''word: '; read p; stty echo; echo got-${#p}",
        "^Password:",
    );
    typed(&day, reference, "correct-horse-battery", "got-21");
    // A shell that marks its commands gives the recording markers to jump to.
    typed(
        &day,
        reference,
        "printf '\\033]133;C\\007'; echo marked-$((1+1))",
        "^marked-2",
    );
    let marked = day.qd(&["session", "mark", "before the change", reference]);
    assert!(marked.status.success(), "{marked:?}");
    let off = day.qd(&["session", "record", "off", reference]);
    assert!(off.status.success(), "{off:?}");
    until("the app knows", || {
        day.json(&["session", "ls", "--json"])[0]["recorded"] == false
    });
    let size = Size { cols: 80, rows: 24 };
    let args = ["--home", day.home_text(), "session", "attach", reference];
    let mut window = Terminal::start(day.program(), &args, &[], size);
    window.until_shows("NOT RECORDED");
    drop(window);
    typed(&day, reference, "echo hidden-$((6*7))", "hidden-42");
    typed(&day, reference, "clear; echo wiped-$((1+2))", "^wiped-3");
    let on = day.qd(&["session", "record", "on", reference]);
    assert!(on.status.success(), "{on:?}");
    until("the app knows", || {
        day.json(&["session", "ls", "--json"])[0]["recorded"] == true
    });
    typed(&day, reference, "echo after-$((8*8))", "after-64");
    assert!(day.qd(&["session", "close", reference]).status.success());
    let home = Path::new(day.home_text());
    assert_eq!(
        anywhere(home, b"correct-horse-battery"),
        None,
        "a password is nowhere"
    );
    assert!(
        anywhere(home, b"got-21").is_some(),
        "the search itself works"
    );
    assert_eq!(anywhere(home, b"hidden-42"), None);
    let cast = cast::read(&std::fs::read_to_string(recording(&day)).expect("it can be read"))
        .expect("it is a recording");
    let marks: Vec<&str> = cast
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Marker(label) => Some(label.as_str()),
            _ => None,
        })
        .collect();
    for expected in [
        "a command",
        "before the change",
        "recording off",
        "recording on",
    ] {
        assert!(marks.contains(&expected), "{marks:?}");
    }
    let shown = text(&day.qd(&["session", "show", reference]).stdout);
    assert!(
        shown.contains("got-21") && shown.contains("after-64"),
        "{shown}"
    );
}

#[test]
fn recordings_are_searched_exported_and_kept_within_their_limits() {
    let (day, reference) = opened();
    let reference = reference.as_str();
    typed(
        &day,
        reference,
        "printf 'nee\\033[1mdle-%s\\n' $((20+3))",
        "needle-23",
    );
    let busy = day.qd(&["session", "search", "needle-23", "--jsonl"]);
    assert!(
        busy.status.success(),
        "one that lives is searched too: {busy:?}"
    );
    assert!(day.qd(&["session", "close", reference]).status.success());
    let found = day.json(&[
        "session",
        "search",
        "NEEDLE-23|needle-\\d+",
        "--regex",
        "--json",
    ]);
    let row = &found[0];
    assert_eq!(
        (&row["ref"], &row["host"]),
        (&Value::from(reference), &Value::from("web1"))
    );
    assert!(
        row["line"]
            .as_str()
            .is_some_and(|line| line.contains("needle-23")),
        "{row}"
    );
    assert!(row["at_ms"].is_u64() && row["opened"].is_string(), "{row}");
    for (args, code) in [
        (&["session", "search", "needle-24"][..], 1),
        (&["session", "search", "needle-23", "--host", "db*"], 1),
        (
            &[
                "session",
                "search",
                "needle-23",
                "--host",
                "web*",
                "--since",
                "1d",
            ],
            0,
        ),
        (&["session", "search", "(", "--regex"], 2),
        (&["session", "search", "x", "--since", "soon"], 2),
    ] {
        assert_eq!(day.qd(args).status.code(), Some(code), "{args:?}");
    }
    let exported = day.qd(&["session", "export", reference]);
    assert!(
        text(&exported.stdout).contains("needle-23\n"),
        "{exported:?}"
    );
    let file = day.folder().join("out.cast").display().to_string();
    let args = [
        "session", "export", reference, "--format", "cast", "-o", &file,
    ];
    assert!(day.qd(&args).status.success());
    assert_eq!(
        day.qd(&args).status.code(),
        Some(1),
        "nothing is written over"
    );
    let cast = std::fs::read_to_string(&file).expect("it was written");
    let header: Value =
        serde_json::from_str(cast.lines().next().unwrap_or_default()).expect("a header");
    assert_eq!(
        (&header["version"], &header["width"]),
        (&Value::from(2), &Value::from(80))
    );
    let times: Vec<f64> = cast
        .lines()
        .skip(1)
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?[0].as_f64())
        .collect();
    assert!(times.len() > 1 && times.is_sorted(), "{times:?}");
    let info = text(&day.qd(&["info"]).stdout);
    assert!(info.contains("in 1 recordings"), "{info}");
    // A limit that nothing meets: at its start the app makes room.
    assert!(day.qd(&["server", "stop", "--yes"]).status.success());
    let config = Path::new(day.home_text()).join("config/config.toml");
    std::fs::write(&config, "[recording]\nquota = \"1 B\"\noff = [\"web*\"]\n").expect("settings");
    assert!(day.qd(&["server", "start"]).status.success());
    until("the recording is gone", || {
        std::fs::read_dir(recordings(&day)).is_ok_and(|files| files.count() == 0)
    });
    let shown = day.qd(&["session", "show", reference]);
    assert!(shown.status.success(), "{shown:?}");
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("web1") && shown.contains("the recording is gone"),
        "{shown}"
    );
    let log = anywhere(
        &Path::new(day.home_text()).join("state"),
        b"removed the recording",
    );
    assert!(log.is_some(), "the log says what was removed");
    // A host that is never recorded.
    let output = day.qd(&["session", "open", "web1", "--detach"]);
    let silent = text(&output.stdout).trim().to_owned();
    typed(&day, &silent, "echo unseen-$((1+1))", "unseen-2");
    let row = &day.json(&["session", "ls", "--json"])[0];
    assert_eq!(
        (&row["recorded"], &row["recording"]),
        (&Value::from(false), &Value::Null)
    );
    assert!(day.qd(&["session", "close", &silent]).status.success());
    assert_eq!(
        std::fs::read_dir(recordings(&day))
            .map(|files| files.count())
            .ok(),
        Some(0)
    );
    let shown = text(&day.qd(&["session", "show", &silent]).stdout);
    assert!(shown.contains("was not recorded"), "{shown}");
}

#[test]
fn the_app_is_killed_and_the_recording_is_there_up_to_the_last_second() {
    let (day, reference) = opened();
    typed(
        &day,
        &reference,
        "while :; do date +tick-%s%3N; read -t 0.02 x < /dev/zero || true; done",
        "tick-[0-9]{13}",
    );
    let pid = day.json(&["server", "status", "--json"])["pid"]
        .as_u64()
        .expect("a number");
    let pid = u32::try_from(pid).expect("a process id");
    process::signal(pid, 9).expect("it takes signals");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    process::gone(i32::try_from(pid).expect("a process id")).expect("it is gone");
    let shown = text(&day.qd(&["session", "show", &reference]).stdout);
    let last = shown
        .lines()
        .filter_map(|line| line.strip_prefix("tick-")?.parse::<u128>().ok())
        .max()
        .expect("ticks are in the recording");
    let lost = now.saturating_sub(last);
    assert!(lost < 1_000, "{lost} ms are lost");
    let rows = day.json(&["session", "ls", "--json"]);
    assert_eq!(rows[0]["state"], Value::from("lost"), "{rows}");
}

/// A recording of 100 columns: a line each 10 seconds, markers, and sequences that steer terminals.
const HOSTILE: &str = "{\"version\": 2, \"width\": 100, \"height\": 40}\n\
    [0.0, \"o\", \"\\u001b]52;c;c3RvbGVu\\u0007\\u001b]0;stolen title\\u0007\\u001b[?1000h\\u001b[?2004h$ begin\\r\\n\"]\n\
    [10.0, \"o\", \"ten\\r\\n\"]\n[12.0, \"m\", \"the change\"]\n\
    [20.0, \"o\", \"twenty\\r\\n\"]\n[70.0, \"o\", \"seventy\\r\\n\"]\n\
    [80.0, \"o\", \"\\u001b[40;95Hcorner\"]\n[81.0, \"m\", \"the end\"]\n";

#[test]
fn a_recording_is_played_sought_and_left_with_the_terminal_as_it_was() {
    let (day, reference) = opened();
    assert!(day.qd(&["session", "close", &reference]).status.success());
    std::fs::write(recording(&day), HOSTILE).expect("it can be written");
    let size = Size { cols: 80, rows: 24 };
    let args = [
        "--home",
        day.home_text(),
        "session",
        "replay",
        &reference,
        "--speed",
        "0.01",
    ];
    let mut player = Terminal::start(day.program(), &args, &[], size);
    let before = player.settings();
    player.until_shows("$ begin");
    player.keys(" ");
    player.until_shows("paused");
    player.keys(".");
    player.until("one step", |screen| {
        screen.contains("ten") && screen.contains("0:10 / 1:21")
    });
    player.keys("\u{1b}[C\u{1b}[C");
    player.until("10 s on", |screen| {
        screen.contains("twenty") && screen.contains("at the change")
    });
    player.keys("\u{1b}[A");
    player.until("60 s on", |screen| {
        screen.contains("1:20 /") && screen.contains("corner")
    });
    player.keys("\u{1b}[B");
    player.until("60 s back", |screen| {
        screen.contains("0:20 /") && !screen.contains("seventy")
    });
    player.keys("[");
    player.until("the marker", |screen| {
        screen.contains("0:12 /") && !screen.contains("twenty")
    });
    player.keys("/seventy\r");
    player.until("the text", |screen| {
        screen.contains("1:10 /") && screen.contains("seventy")
    });
    player.keys(",");
    player.until("one step back", |screen| screen.contains("0:20 /"));
    player.keys("/nowhere\r");
    player.until_shows("does not appear");
    // What a terminal answers, late and in pieces, is no key: the q in it does not leave.
    player.keys("\u{1b}]11;rgb:quit/q");
    player.keys("q/q\u{1b}\\\u{1b}[?1;2q\u{1b}[0n");
    player.keys("++ ");
    player.until("it plays faster", |screen| {
        screen.contains("playing") && screen.contains("x0.")
    });
    player.keys("q");
    assert!(player.end().success());
    let written = text(&player.written);
    for raw in ["]52;", "stolen title", "?1000h"] {
        assert!(!written.contains(raw), "{raw:?} reached the terminal");
    }
    assert!(
        written.contains("\u{1b}[?1049l")
            && written.rfind("\u{1b}[?25h") > written.rfind("\u{1b}[?25l"),
        "it is given back"
    );
    assert_eq!(before, player.settings());
    // It plays to its end by itself, from where and as fast as is wanted, pauses cut.
    let args = [
        "--home",
        day.home_text(),
        "session",
        "replay",
        &reference,
        "--marker",
        "1",
        "--idle-limit",
        "100ms",
    ];
    let mut player = Terminal::start(day.program(), &args, &[], size);
    player.until("the end", |screen| {
        screen.contains("paused") && screen.contains("1:21 / 1:21")
    });
    player.keys("q");
    assert!(player.end().success());
    // Without a terminal its text is printed.
    let printed = day.qd(&["session", "replay", &reference]);
    assert!(
        text(&printed.stdout).contains("twenty\nseventy"),
        "{printed:?}"
    );
    // The same keys in the workstation.
    let mut window = Terminal::start(day.program(), &["--home", day.home_text()], &[], size);
    window.until_shows("session");
    window.keys(&format!(":session replay {reference}\r"));
    window.until_shows("playing");
    window.keys(" \u{1b}[A");
    window.until("60 s on", |screen| {
        screen.contains("paused") && screen.contains("twenty")
    });
    window.keys("/");
    window.keys("seventy\r");
    window.until("the text", |screen| screen.contains("1:10 /"));
    window.keys(":session search twenty\r");
    window.until("it is found", |screen| {
        screen.contains("1 lines in") && screen.contains("0:20")
    });
    window.keys("\r");
    window.until("it plays from there", |screen| {
        screen.contains("playing") && screen.contains("0:18 /")
    });
    window.keys(":q\r");
    assert!(window.end().success());
}

#[test]
fn a_full_disk_is_told_at_once_and_the_recording_goes_on_when_there_is_room() {
    let day = Day::start(1);
    day.import();
    let folder = recordings(&day);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
        .arg(&folder)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        // Only root can make a disk that is full; the writer has a test of its own with /dev/full.
        return;
    }
    let _mount = Mount(folder.clone());
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 400 * 1024]).expect("there is room");
    let output = day.qd(&["session", "open", "web1", "--detach"]);
    let reference = text(&output.stdout).trim().to_owned();
    typed(
        &day,
        &reference,
        "seq 1 60000; echo flood-$((1+2))",
        "flood-3",
    );
    until("it is told", || {
        day.json(&["session", "ls", "--json"])[0]["recorded"] == false
    });
    let size = Size { cols: 80, rows: 24 };
    let args = ["--home", day.home_text(), "session", "attach", &reference];
    let mut window = Terminal::start(day.program(), &args, &[], size);
    window.until_shows("NOT RECORDED");
    std::fs::remove_file(&ballast).expect("it can be removed");
    window.keys("\u{1d}:session record on\r");
    until("it is recorded again", || {
        day.json(&["session", "ls", "--json"])[0]["recorded"] == true
    });
    drop(window);
    typed(&day, &reference, "echo saved-$((2+2))", "saved-4");
    assert!(day.qd(&["session", "close", &reference]).status.success());
    let shown = text(&day.qd(&["session", "show", &reference]).stdout);
    assert!(
        shown.contains("saved-4"),
        "{}",
        shown.lines().last().unwrap_or_default()
    );
    // Who must be recorded is not let in without.
    assert!(day.qd(&["server", "stop", "--yes"]).status.success());
    let config = Path::new(day.home_text()).join("config/config.toml");
    std::fs::write(&config, "[recording]\nstrict = true\n").expect("settings");
    std::fs::write(&ballast, vec![0; 512 * 1024]).expect_err("now it is full");
    let refused = day.qd(&["session", "open", "web1", "--detach"]);
    assert_eq!(refused.status.code(), Some(255), "{refused:?}");
    assert!(text(&refused.stderr).contains("strict"), "{refused:?}");
    assert!(day.qd(&["server", "stop", "--yes"]).status.success());
}

/// Unmounts when the test ends, however it ends.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

//! The app as a process of its own: who comes, rides its connections, leaves, is cut off; and what stays.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use quarterdeck::term::Size;
use serde_json::Value;

use crate::support::day::{Day, run};
use crate::support::pty::Terminal;

/// How long something may take that takes a moment.
const GUARD: Duration = Duration::from_secs(30);

fn until(why: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < GUARD, "{why}");
        std::thread::yield_now();
    }
}

fn started(targets: usize) -> Day {
    let day = Day::start(targets);
    day.import();
    let output = day.qd(&["server", "start"]);
    assert!(output.status.success(), "{output:?}");
    day
}

fn status(day: &Day) -> Value {
    day.json(&["server", "status", "--json"])
}

/// The socket that the app of this day listens at.
fn socket(day: &Day) -> PathBuf {
    let state = Path::new(day.home_text()).join("state");
    let mut names = std::fs::read_dir(state).expect("the state folder is there");
    names
        .find_map(|entry| {
            let path = entry.ok()?.path();
            (path.extension()? == "sock").then_some(path)
        })
        .expect("the socket is there")
}

fn open(day: &Day) -> Terminal {
    let size = Size { cols: 80, rows: 24 };
    Terminal::start(day.program(), &["--home", day.home_text()], &[], size)
}

#[test]
fn commands_ride_the_connections_of_the_app() {
    let day = started(2);
    for _ in 0..3 {
        let output = day.qd(&["exec", "-H", "web*", "--", "echo", "in"]);
        assert!(output.status.success(), "{output:?}");
    }
    let output = day.qd_with_stdin(&["ssh", "web1", "--", "cat; exit 7"], b"through\0the pipe");
    assert_eq!(output.stdout, b"through\0the pipe");
    assert_eq!(output.status.code(), Some(7));
    // Scripts and runbooks are found from where the command was given, not from where the app lives.
    day.file("hello.sh", "echo from-$1-script\n");
    day.file("book.md", "# book\n\n```sh\necho from a book\n```\n");
    for (args, stdin, expected) in [
        (
            &["exec", "-H", "web1", "--script", "hello.sh"][..],
            &b""[..],
            "from--script",
        ),
        (
            &["exec", "-H", "web1", "--script", "-"],
            b"echo from stdin",
            "from stdin",
        ),
        (
            &["run", "start", "book.md", "-H", "web1", "--json"],
            b"",
            "from a book",
        ),
    ] {
        let mut command = day.command(args);
        command.current_dir(day.folder());
        let output = run(command, stdin);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains(expected),
            "{output:?}"
        );
    }
    assert_eq!(day.bastion.logins(), 1, "one login carries everything");
    assert!(day.targets.iter().all(|target| target.logins() == 1));
}

#[test]
fn starting_is_idempotent_detached_and_ends_in_order() {
    let day = Day::start(0);
    // Three at once: one serves, and all are content.
    let racing: Vec<_> = (0..3)
        .map(|_| {
            let mut command = day.command(&["server", "start"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the program starts")
        })
        .collect();
    for child in racing {
        // This returns only when nobody holds the pipes any more: the app kept none of them.
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    let pid = status(&day)["pid"].as_u64().expect("a number");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let after = stat.rsplit_once(") ").expect("a name in brackets").1;
    let fields: Vec<&str> = after.split(' ').collect();
    assert_eq!(
        fields.get(3),
        Some(&pid.to_string().as_str()),
        "a session of its own"
    );
    assert_eq!(fields.get(4), Some(&"0"), "without a terminal");
    assert!(day.qd(&["server", "stop"]).status.success());
    assert!(!Path::new(&format!("/proc/{pid}")).exists() || !stat_lives(pid));
    let none = day.qd(&["server", "status", "--json"]);
    assert_eq!(none.status.code(), Some(3), "{none:?}");
    assert_eq!(day.qd(&["server", "stop"]).status.code(), Some(3));
    assert_eq!(day.qd(&["server", "start"]).status.code(), Some(0));
    assert_ne!(status(&day)["pid"].as_u64(), Some(pid));
}

/// Whether a process is more than an entry that nobody has collected.
fn stat_lives(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_window_that_is_killed_takes_nothing_with_it() {
    let day = started(1);
    let mut terminal = open(&day);
    terminal.until_shows("hosts");
    terminal.keys(":session open web1\r");
    terminal.until("a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    terminal.keys("echo still-$((40+2))\r");
    terminal.until_shows("still-42");
    let pid = rustix::process::Pid::from_raw(i32::try_from(terminal.pid()).expect("a pid"));
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL)
        .expect("it is killed");
    drop(terminal);
    until("the app notices", || status(&day)["windows"] == 0);
    assert_eq!(status(&day)["sessions"], 1);
    let mut terminal = open(&day);
    // It begins where the killed one was.
    terminal.until_shows("still-42");
    terminal.keys("echo and-$((50+1))\r");
    terminal.until_shows("and-51");
}

#[test]
fn who_does_not_read_holds_up_nobody_else() {
    let day = started(1);
    let mut flood = day
        .command(&["ssh", "web1", "--", "echo $$; exec yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdout = flood.stdout.take().expect("a pipe");
    let mut some = [0; 4096];
    stdout.read_exact(&mut some).expect("the flood has begun");
    let said = String::from_utf8_lossy(&some).into_owned();
    let pid = said.lines().next().expect("a line").to_owned();
    assert!(Path::new("/proc").join(&pid).exists(), "{pid}");
    // Nothing more is read; everything else goes on, again and again.
    for _ in 0..5 {
        let output = day.qd(&["ssh", "web1", "--", "echo", "in"]);
        assert_eq!(output.stdout, b"in\n", "{output:?}");
    }
    let resident = resident(status(&day)["pid"].as_u64().expect("a number"));
    assert!(
        resident < 400_000,
        "{resident} kB are held for one slow reader"
    );
    // The reader is gone, and what ran for it ends.
    flood.kill().expect("it is killed");
    flood.wait().expect("it ends");
    until("the host is rid of it", || {
        !Path::new("/proc").join(&pid).exists()
    });
}

/// The resident memory of a process in kB, as its kernel says.
fn resident(pid: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .expect("Linux says so")
}

#[test]
fn strangers_and_other_versions_are_told_apart() {
    let day = started(0);
    let path = socket(&day);
    let mode =
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).expect("it is there"));
    assert_eq!(mode & 0o777, 0o600);
    // Noise at the door is nobody's problem.
    for noise in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"QD\x01\xff\xff\xff\xff",
        b"QD\x01\0\0\0\x03abc",
    ] {
        let mut stream = UnixStream::connect(&path).expect("the door is open");
        stream.write_all(noise).expect("it is heard");
        drop(stream);
    }
    assert_eq!(status(&day)["windows"], 0);
    assert!(day.qd(&["server", "stop"]).status.success());
    // An app of another version at the same door.
    let listener = UnixListener::bind(&path).expect("the place is free");
    let other = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let said = br#"{"pid":1,"version":"9.9.9"}"#;
            let mut greeting = b"QD\xfe".to_vec();
            greeting.extend((said.len() as u16).to_be_bytes());
            greeting.extend(said);
            stream.write_all(&greeting).expect("it is heard");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).ok();
        }
    });
    // Who listens is not believed to be another process than it is.
    let pid = std::process::id().to_string();
    for (args, exit) in [(&["server", "status"][..], 4), (&["server", "stop"], 2)] {
        let output = day.qd(args);
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        for part in ["9.9.9", &pid, "qd server stop"] {
            assert!(said.contains(part), "{said}");
        }
    }
    other.join().expect("the other app ends");
}

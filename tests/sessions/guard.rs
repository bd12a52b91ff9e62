//! Typing into the right place: broadcasts, pastes, and what calls people to a session.

use std::path::{Path, PathBuf};
use std::time::Instant;

use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, SshAsk, SshFact};
use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::lab::{Client, Failed, Lab};
use crate::support::pty::Terminal;
use crate::support::sshd::GUARD;

const SESSION: SessionId = SessionId(EntityId::from_bytes([11; 16]));

const SIZE: Size = Size {
    cols: 100,
    rows: 30,
};

fn open(client: &Client) {
    client.engine.send(SshAsk::Open {
        session: SESSION,
        target: client.target("web1"),
        size: Size { cols: 80, rows: 24 },
        term: "xterm-256color".to_owned(),
        recording: None,
    });
}

fn send(client: &Client, text: &str) {
    client.engine.send(SshAsk::Raw {
        session: SESSION,
        bytes: text.as_bytes().to_vec(),
    });
}

async fn shows(client: &Client, wanted: &str) -> Result<(), Failed> {
    let mut last = String::new();
    let found = tokio::time::timeout(GUARD, async {
        loop {
            for (_, screen) in client.screens.take_dirty() {
                last = screen.text();
                if last.contains(wanted) {
                    return;
                }
            }
            client.screens.notified().await;
        }
    });
    let found = found.await;
    found.map_err(|_| format!("{wanted:?} is not on the screen:\n{last}").into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_watched_for_lines() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    open(&client);
    let watch = |client: &Client, pattern: &str, already: bool| {
        let req = client.req();
        client.engine.send(SshAsk::Watch {
            req,
            session: SESSION,
            patterns: vec![pattern.to_owned()],
            already,
        });
        req
    };
    let coming = watch(&client, "^alarm [0-9]+$", false);
    let other = watch(&client, "nothing like it", false);
    shows(&client, "#").await.or(shows(&client, "$").await)?;
    send(
        &client,
        "printf '\\033[31mala''rm\\033[0m %d\\n' 7; printf 'Go on? '\r",
    );
    let line = client
        .until(|fact| match fact {
            SshFact::Matched { req, line, .. } if *req == coming => Some(line.clone()),
            SshFact::Matched { req, .. } if *req == other => Some("the other".to_owned()),
            _ => None,
        })
        .await?;
    assert_eq!(line, "alarm 7");
    shows(&client, "Go on? ").await?;
    // What is on the screen already counts for whoever wants that, a line that has not ended too.
    let there = watch(&client, "^Go on\\?", true);
    client
        .until(|fact| match fact {
            SshFact::Matched { req, .. } if *req == there => Some(()),
            _ => None,
        })
        .await?;
    let bad = watch(&client, "(", false);
    client
        .until(|fact| match fact {
            SshFact::Refused { ask, .. } if ask.contains(&format!("{bad:?}")) => Some(()),
            _ => None,
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_paste_arrives_whole_or_not_at_all() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let client = lab.client();
    open(&client);
    let got = lab.at("got");
    let text: String = (0..60_000)
        .map(|number| format!("line {number} of the paste\n"))
        .collect();
    // The host begins to read late, and then in small pieces.
    let command = format!(
        "stty raw -echo; printf 're''ady'; dd bs=1 count=1 status=none of=/dev/null; dd bs=512 status=none iflag=fullblock count={} of={}; stty sane; echo al''l\r",
        text.len() / 512,
        got.display()
    );
    send(&client, &command);
    shows(&client, "ready").await?;
    client.engine.send(SshAsk::Paste {
        session: SESSION,
        text: format!("x{text}"),
    });
    // Keys that come after it stay after it.
    for _ in 0..2_000 {
        send(&client, " ");
    }
    send(&client, "\r");
    let whole = text.len() / 512 * 512;
    shows(&client, "all").await?;
    let read = std::fs::read(&got)?;
    let expected = text.replace('\n', "\r").into_bytes();
    assert_eq!(read.len(), whole);
    assert!(read[..] == expected[..whole], "byte for byte");
    let dropped =
        |fact: &SshFact| matches!(fact, SshFact::Refused { ask, .. } if ask.starts_with("Paste"));
    assert!(!client.seen.iter().any(dropped));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_to_connect_can_be_given_up() -> Result<(), Failed> {
    let lab = Lab::new()?;
    // It takes the connection and never says a word.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    lab.host("mute", mute.local_addr()?.port(), "")?;
    let mut client = lab.client();
    let req = client.start("mute", ExecSpec::collect("true", 100));
    let (_held, _) = mute.accept().await?;
    let target = client.target("mute");
    client.engine.send(SshAsk::Disconnect { target });
    let exit = client
        .until(|fact| match fact {
            SshFact::ExecDone {
                req: done, exit, ..
            } if *done == req => Some(exit.clone()),
            _ => None,
        })
        .await?;
    let Exit::Unreachable(why) = exit else {
        unreachable!("it was never reached: {exit:?}")
    };
    assert!(why.contains("given up"), "{why}");
    assert_eq!(client.connections("mute"), 0);
    Ok(())
}

/// A window with so many local shells, the first one shown.
fn shells(day: &Day, count: usize) -> Terminal {
    let mut terminal = Terminal::start(day.program(), &["--home", day.home_text()], &[], SIZE);
    // Before the window reads keys, the terminal itself would turn Enter into something else.
    terminal.until_shows("Quarterdeck");
    for number in 0..count {
        let prefix = if number == 0 { "" } else { "\x1d" };
        terminal.keys(&format!("{prefix}:session local\r"));
        // The tab of a session that is being opened has dots behind its name.
        terminal.until("the shell waits", |screen| {
            let tabs = screen.lines().next().unwrap_or_default().to_owned();
            tabs.contains(&format!("{number} this machine"))
                && !tabs.contains('…')
                && screen
                    .lines()
                    .skip(1)
                    .take(3)
                    .any(|line| line.contains(['#', '$']))
        });
    }
    terminal.keys("\x1d0");
    terminal
}

/// Waits until a file has so many lines.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + GUARD;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(
            Instant::now() < deadline,
            "{} has only {lines:?}",
            path.display()
        );
        std::thread::yield_now();
    }
}

fn below(day: &Day, name: &str) -> PathBuf {
    day.folder().join(name)
}

#[test]
fn a_broadcast_goes_to_the_marked_shells_and_skips_full_screen_programs() {
    let day = Day::start(0);
    let mut terminal = shells(&day, 4);
    let (typed, pasted) = (below(&day, "typed"), below(&day, "pasted"));
    // The third shows a full-screen program; the fourth is not marked.
    terminal.keys("\x1d2");
    terminal.keys("printf '\\033[?1049hfull''-screen'; cat > /dev/null\r");
    terminal.until_shows("full-screen");
    for number in 0..3 {
        terminal.keys(&format!("\x1d{number}"));
        terminal.keys("\x1dm");
        terminal.until_shows(&format!("{number} this machine*"));
    }
    terminal.keys("\x1d0");
    terminal.keys("\x1dB");
    terminal.until_shows("Broadcast to 3 (y)");
    terminal.keys("\r");
    terminal.until("Enter is Cancel", |screen| {
        !screen.contains("Broadcast to 3")
    });
    terminal.keys("\x1dBy");
    let screen = terminal.until_shows("BROADCAST to 2, 1 skipped");
    assert!(
        screen.matches("BROADCAST to 2, 1 skipped").count() >= 2,
        "in the tabs and under the pane:\n{screen}"
    );
    terminal.keys(&format!("echo $$ >> {}\r", typed.display()));
    let mut shells = lines(&typed, 2);
    shells.dedup();
    assert_eq!(shells.len(), 2, "{shells:?}");
    // A paste says to whom it goes, and waits.
    let text = format!("echo $$ >> {}", pasted.display());
    terminal.keys(&format!("\x1b[200~{text}\n\x1b[201~"));
    let screen = terminal.until_shows("BROADCAST: it also goes to this machine");
    assert!(
        screen.contains("It ends with Enter: it will run."),
        "{screen}"
    );
    // A shell that knows bracketed paste waits for an Enter of its own; one that is busy or knows it not has run the line.
    terminal.keys("y\r");
    lines(&pasted, 2);
    // Outside of the set one types alone.
    terminal.keys("\x1d3");
    terminal.until("no broadcast here", |screen| {
        screen.matches("BROADCAST").count() == 1
    });
    terminal.keys(&format!("echo alone >> {}\r", pasted.display()));
    assert_eq!(lines(&pasted, 3).len(), 3);
    terminal.keys("\x1d0\x1dB");
    terminal.until("it is over", |screen| !screen.contains("BROADCAST"));
    assert_eq!(lines(&typed, 2).len(), 2, "nothing came twice");
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    day.qd(&["--yes", "server", "stop"]);
}

#[test]
fn no_program_can_switch_the_paste_guard_off() {
    let day = Day::start(0);
    let mut terminal = shells(&day, 1);
    let pasted = below(&day, "pasted");
    terminal.keys("printf '\\033[?2004hbra''cketed'\r");
    terminal.until_shows("bracketed");
    let text = format!(
        "echo one >> {0}\nsudo -n true\necho two >> {0}\n",
        pasted.display()
    );
    for leave in ["\x1b", "\r", "n"] {
        terminal.keys(&format!("\x1b[200~{text}\x1b[201~"));
        let screen = terminal.until_shows("it runs as root");
        assert!(screen.contains("3 lines"), "{screen}");
        terminal.keys(leave);
        terminal.until("it is taken away", |screen| {
            !screen.contains("it runs as root")
        });
    }
    terminal.keys(&format!("echo typed >> {}\r", pasted.display()));
    assert_eq!(
        lines(&pasted, 1),
        ["typed"],
        "what was cancelled was never sent"
    );
    // One plain line goes without a question.
    terminal.keys(&format!(
        "\x1b[200~echo plain >> {}\x1b[201~\r",
        pasted.display()
    ));
    assert_eq!(lines(&pasted, 2), ["typed", "plain"]);
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    day.qd(&["--yes", "server", "stop"]);
}

#[test]
fn a_line_in_a_background_tab_calls() {
    let day = Day::start(0);
    let mut terminal = shells(&day, 2);
    let pipe = below(&day, "pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    terminal.keys("\x1d:monitor pattern 'disk [a-z]+ full'\r");
    terminal.until_shows("calls on /disk [a-z]+ full/");
    terminal.keys(&format!(
        "read x < {}; echo di''sk var full\r",
        pipe.display()
    ));
    terminal.keys("\x1d1");
    terminal.until("the other tab is shown", |screen| {
        !screen.contains("calls on")
    });
    let before = terminal.written.len();
    std::fs::write(&pipe, "go\n").expect("the pipe can be written");
    terminal.until("it is told", |screen| {
        screen.contains("this machine: disk var full") && screen.contains(" 0 this machine/")
    });
    let rang = terminal
        .written
        .get(before..)
        .is_some_and(|new| new.contains(&0x07));
    assert!(rang, "the bell rings");
    terminal.keys("\x1da");
    terminal.until("the key leads there and the sign goes", |screen| {
        screen.contains("calls on") && !screen.contains("this machine/")
    });
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    day.qd(&["--yes", "server", "stop"]);
}

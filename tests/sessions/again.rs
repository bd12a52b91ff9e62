//! Connections that break and come back in the real program: hosts are tried again, shells open where they may.

use std::path::Path;

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::lab::Failed;
use crate::support::proxy::{Line, Proxy};
use crate::support::pty::{PAUSE, Terminal};

const SIZE: Size = Size { cols: 80, rows: 24 };

fn settings(day: &Day, text: &str) -> Result<(), Failed> {
    let file = Path::new(day.home_text()).join("config/config.toml");
    std::fs::create_dir_all(file.parent().ok_or("a folder")?)?;
    std::fs::write(file, text)?;
    Ok(())
}

/// A session that showed a word, by its reference.
fn said(day: &Day, host: &str, word: &str) -> String {
    let opened = day.json(&["session", "open", host, "--detach", "--json"]);
    let reference = opened["ref"].as_str().expect("a reference").to_owned();
    let line = format!("echo said-{word}-$((6*7))");
    let sent = day.qd(&["session", "send", &reference, &line, "--enter"]);
    assert!(sent.status.success(), "{sent:?}");
    let wanted = format!("said-{word}-42");
    let args = [
        "session",
        "wait",
        &reference,
        "--for",
        &wanted,
        "--timeout",
        "20",
    ];
    let shown = day.qd(&args);
    assert!(shown.status.success(), "{shown:?}");
    reference
}

fn attach(day: &Day, reference: &str) -> Terminal {
    let args = ["--home", day.home_text(), "session", "attach", reference];
    Terminal::start(day.program(), &args, &[], SIZE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_cut_and_comes_back() -> Result<(), Failed> {
    let day = Day::start(0);
    let line = Proxy::start(day.bastion.port, Line::default()).await?;
    let gold = Proxy::start(day.bastion.port, Line::default()).await?;
    for (name, port) in [("line", line.port), ("gold", gold.port)] {
        day.add_way(name, port);
        let file = day.folder().join(format!("config.d/{name}.conf"));
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("{text}  ConnectTimeout 1\n"))?;
    }
    settings(&day, "[environments]\nproduction = [\"gold*\"]\n")?;
    day.import();
    tokio::task::block_in_place(|| {
        let first = said(&day, "line", "first");
        for _ in 0..3 {
            day.json(&["session", "open", "line", "--detach", "--json"]);
        }
        let careful = said(&day, "gold", "careful");
        let mut terminal = attach(&day, &first);
        terminal.until_shows("said-first-42");
        let (before, logins) = (line.accepted(), day.bastion.logins());
        assert_eq!(before, 1, "four panes share a connection");
        line.broken(true);
        gold.broken(true);
        let screen = terminal.until_shows("next try in");
        assert!(
            screen.contains("said-first-42") && screen.contains("r now"),
            "{screen}"
        );
        // The second attempt, by then all four panes would have made one each.
        terminal.until("it is tried again and again", |_| {
            line.accepted() >= before + 2
        });
        assert!(line.accepted() <= before + 3, "one attempt at a time");
        terminal.keys("typed into nothing");
        line.broken(false);
        let screen = terminal.until("the shell is back below what was there", |screen| {
            let at = screen.find("-- opened again --");
            at.is_some_and(|at| screen.get(at..).is_some_and(|rest| rest.contains('#')))
        });
        assert!(
            screen.find("said-first-42") < screen.find("-- opened again --"),
            "{screen}"
        );
        assert!(!screen.contains("typed into"), "{screen}");
        assert_eq!(
            day.bastion.logins(),
            logins + 1,
            "one login for all of them"
        );
        terminal.for_a_while(PAUSE);
        terminal.keys("echo alive-$((6*7))\r");
        terminal.until_shows("alive-42");

        // The production host is tried all the same, but a person opens the shell.
        let mut terminal = attach(&day, &careful);
        terminal.until_shows("next try in");
        gold.broken(false);
        let screen = terminal.until_shows("r opens a shell");
        assert!(screen.contains("The host answers again"), "{screen}");
        assert_eq!(day.bastion.logins(), logins + 2);
        terminal.for_a_while(PAUSE);
        let screen = terminal.screen();
        assert!(!screen.contains("-- opened again --"), "{screen}");
        terminal.keys("r");
        terminal.until_shows("-- opened again --");
        assert_eq!(
            day.bastion.logins(),
            logins + 2,
            "on the connection that is there"
        );
        terminal.keys("\x1dd:q\r");
        assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_lets_nobody_in_is_left_to_a_person() -> Result<(), Failed> {
    let day = Day::start(0);
    let line = Proxy::start(day.bastion.port, Line::default()).await?;
    day.add_way("line", line.port);
    day.import();
    tokio::task::block_in_place(|| {
        let first = said(&day, "line", "first");
        let mut terminal = attach(&day, &first);
        terminal.until_shows("said-first-42");
        // The host is reinstalled meanwhile: what is known of its key is wrong.
        let known = day.folder().join("known_hosts");
        let text = std::fs::read_to_string(&known)?;
        let mine = format!("[127.0.0.1]:{} ", line.port);
        let without: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with(&mine))
            .collect();
        std::fs::write(&known, without.join("\n") + "\n")?;
        let logins = day.bastion.logins();
        line.cut();
        let screen = terminal.until_shows("press r");
        assert!(
            !screen.contains("Unknown host key"),
            "nobody is asked: {screen}"
        );
        assert_eq!(day.bastion.logins(), logins);
        let seen = line.accepted();
        terminal.for_a_while(PAUSE * 3);
        assert_eq!(line.accepted(), seen, "nothing is tried any more");
        // The key is a person's word, and that person is asked.
        terminal.keys("r");
        terminal.until_shows("SHA256:");
        terminal.keys("\x1b");
        drop(terminal);
        assert_eq!(day.qd(&["server", "stop", "--yes"]).status.code(), Some(0));
        Ok(())
    })
}

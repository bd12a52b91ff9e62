//! Escapes at the start of a line, in a real terminal; the system's `ssh` beside ours where both know them.

use super::at_terminal::{ALL, Bench, Client};
use crate::support::lab::Failed;
use crate::support::process::{parent, signal, stopped, until};
use crate::support::pty::Terminal;

/// A shell whose prompt was seen.
fn shell(bench: &Bench, client: Client, options: &[&str]) -> Terminal {
    let options: Vec<&str> = ["-t"].iter().chain(options).copied().collect();
    let mut terminal = bench.terminal(client, &options, &["echo up; stty -echo; exec cat -A"]);
    terminal.until_shows("up");
    terminal
}

#[test]
fn a_tilde_and_a_dot_leave() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let mut terminal = shell(&bench, client, &[]);
        // Not after other text on the line, and not twice the mark; then split over two reads.
        terminal.keys("a~.\r");
        terminal.until_shows("a~.$");
        terminal.keys("~~.\r");
        terminal.until_shows("\n~.$");
        terminal.keys("~x\r");
        terminal.until_shows("~x$");
        terminal.keys("~");
        terminal.keys(".");
        assert_eq!(terminal.end().exit_code(), 255, "{client:?}");
    }
    Ok(())
}

#[test]
fn the_mark_can_be_another_or_none() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let mut terminal = shell(&bench, client, &["-e", "none"]);
        terminal.keys("~.\r");
        terminal.until_shows("~.$");
        terminal.keys("\x04");
        assert_eq!(terminal.end().exit_code(), 0, "{client:?}");
        let mut terminal = shell(&bench, client, &["-e", "^B"]);
        terminal.keys("~.\r");
        terminal.until_shows("~.$");
        terminal.keys("\x02.");
        assert_eq!(terminal.end().exit_code(), 255, "{client:?}");
    }
    let bench = Bench::new("  EscapeChar %", "")?;
    for client in [Client::Ours, Client::Theirs] {
        let mut terminal = shell(&bench, client, &[]);
        terminal.keys("%.");
        assert_eq!(terminal.end().exit_code(), 255, "{client:?}");
    }
    Ok(())
}

#[test]
fn one_leaves_at_once_although_the_connection_hangs() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mark = bench.lab.at("pid");
    let command = format!("echo $$ >{}; echo up; exec cat", mark.display());
    let mut terminal = bench.terminal(Client::Ours, &["-t"], &[&command]);
    let before = terminal.settings();
    terminal.until_shows("up");
    let program: u32 = std::fs::read_to_string(&mark)?.trim().parse()?;
    let server = parent(program)?;
    signal(server, 19)?;
    stopped(server)?;
    // More keys than are ever on their way at once; nobody takes them.
    for _ in 0..200 {
        terminal.keys("key\r");
    }
    let begun = std::time::Instant::now();
    terminal.keys("~.");
    let status = terminal.end();
    let took = begun.elapsed();
    signal(server, 18)?;
    assert_eq!(status.exit_code(), 255);
    assert_eq!(terminal.settings(), before);
    assert!(took.as_secs() < 10, "it took {took:?}");
    Ok(())
}

#[test]
fn one_suspends_and_comes_back() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in [Client::Ours, Client::Theirs] {
        let (program, words) = bench.words(client, &["-t"]);
        // A shell with job control, as people have it.
        let mut line = format!("'{}'", program.display());
        words
            .iter()
            .for_each(|word| line.push_str(&format!(" '{word}'")));
        let size = quarterdeck::term::Size {
            cols: 120,
            rows: 30,
        };
        let args = ["--norc", "-i"];
        let mut terminal =
            Terminal::start("/bin/bash".as_ref(), &args, &[("PS1", "local> ")], size);
        terminal.until_shows("local>");
        terminal.keys(&format!("{line} 'echo u\"\"p; exec cat'; echo left=$?\r"));
        terminal.until_shows("\nup");
        terminal.keys("~\x1a");
        terminal.until_shows("Stopped");
        terminal.keys("echo here=$((40+2))\r");
        terminal.until_shows("here=42");
        terminal.keys("fg\r");
        terminal.keys("\rback\r");
        terminal.until(
            &format!("{client:?}: the host echoes and answers"),
            |screen| screen.matches("back").count() >= 2,
        );
        terminal.keys("\x04");
        terminal.until("the prompt is back", |screen| {
            screen.contains("onnection to") && screen.trim_end().ends_with("local>")
        });
        terminal.keys("exit\r");
        assert!(terminal.end().success(), "{client:?}");
    }
    Ok(())
}

#[test]
fn help_lists_keys_and_verbosity_are_there() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mut terminal = shell(&bench, Client::Ours, &[]);
    terminal.keys("~?");
    terminal.until_shows("~.   leave");
    terminal.keys("~#");
    terminal.until_shows("no forwards");
    terminal.keys("~R");
    terminal.until_shows("[fresh keys are asked for]");
    terminal.keys("after\r");
    terminal.until_shows("after$");
    terminal.keys("~v~V");
    terminal.until_shows("[less is told]");
    terminal.keys("~C~B~&");
    terminal.until_shows("[there is no command line here");
    terminal.until_shows("[a break cannot be sent]");
    terminal.keys("still\r");
    terminal.until_shows("still$");
    terminal.keys("~.");
    assert_eq!(terminal.end().exit_code(), 255);
    Ok(())
}

#[test]
fn fresh_keys_are_really_made() -> Result<(), Failed> {
    let bench = Bench::new("", "LogLevel DEBUG1")?;
    let made = |log: &str| log.matches("rekey in after").count();
    let mut terminal = shell(&bench, Client::Ours, &[]);
    let log = bench.web.log.clone();
    let before = made(&log.text());
    terminal.keys("~R");
    until("the server has new keys", || made(&log.text()) > before)?;
    terminal.keys("after\r");
    terminal.until_shows("after$");
    terminal.keys("\x04");
    assert_eq!(terminal.end().exit_code(), 0);
    Ok(())
}

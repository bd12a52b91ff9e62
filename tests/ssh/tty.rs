//! Terminals of `qd ssh`, by both transports, beside those of the system's `ssh`: asked for, sized, restored.

use std::process::Command;

use quarterdeck::term::Size;

use super::at_terminal::{ALL, Bench, Client, text};
use crate::support::lab::Failed;
use crate::support::process::{gone, until};

#[test]
fn a_terminal_is_given_as_ssh_gives_it() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let ask = "test -t 0 && test -t 1 && echo tty=$TERM $(stty size) || echo none";
    let size = "tty=xterm-256color 27 91";
    for client in ALL {
        for (options, command, expected) in [
            (&["-t"][..], Some(ask), size),
            (&["-tt"], Some(ask), size),
            (&[], Some(ask), "none"),
            (&["-T"], Some(ask), "none"),
            (&["-n", "-t"], Some(ask), "none"),
        ] {
            // What the second transport runs is the third client, so one look at its words is enough.
            if client == Client::Second && options != ["-tt"] {
                continue;
            }
            let command: Vec<&str> = command.into_iter().collect();
            let mut terminal = bench.terminal(client, options, &command);
            terminal.until(
                &format!("{client:?} {options:?} says {expected}"),
                |screen| screen.contains(expected),
            );
            assert!(terminal.end().success(), "{client:?} {options:?}");
        }
        // With pipes only -tt gets one.
        for (options, expected) in [(&["-t"][..], "none"), (&["-tt"], "tty="), (&[], "none")] {
            let output = bench.run(client, options, ask, b"");
            let said = text(&output.stdout);
            assert!(said.contains(expected), "{client:?} {options:?}: {said}");
        }
        // A shell without a terminal reads its commands from the pipe.
        let output = bench.run(client, &[], "", b"echo shell=$((40+2)); exit 6\n");
        assert_eq!(text(&output.stdout).trim(), "shell=42", "{client:?}");
        assert_eq!(output.status.code(), Some(6), "{client:?}");
    }
    Ok(())
}

#[test]
fn the_settings_ask_for_terminals_too() -> Result<(), Failed> {
    let ask = "test -t 0 && echo tty || echo none";
    for (lines, typed, expected) in [
        ("  RequestTTY yes", &[][..], "tty"),
        ("  RequestTTY force", &[], "tty"),
        ("  RequestTTY yes", &["-T"], "none"),
        ("  RequestTTY no", &["-t"], "tty"),
        ("  StdinNull yes\n  RequestTTY yes", &[], "none"),
    ] {
        let bench = Bench::new(lines, "")?;
        for client in [Client::Ours, Client::Theirs] {
            let mut terminal = bench.terminal(client, typed, &[ask]);
            terminal.until(&format!("{client:?} {lines} {typed:?}"), |screen| {
                screen.lines().any(|line| line.trim() == expected)
            });
            terminal.end();
        }
    }
    let bench = Bench::new(
        "  RequestTTY yes\n  RemoteCommand echo remote; test -t 0 && echo tty",
        "",
    )?;
    for client in [Client::Ours, Client::Theirs] {
        let mut terminal = bench.terminal(client, &[], &[]);
        terminal.until_shows("remote");
        terminal.until_shows("tty");
        assert!(terminal.end().success(), "{client:?}");
    }
    Ok(())
}

#[test]
fn subsystems_and_bare_connections_are_asked_for() -> Result<(), Failed> {
    let bench = Bench::new("", "Subsystem greet /bin/echo hello")?;
    for client in ALL {
        let output = bench.run(client, &["-s"], "greet", b"");
        assert_eq!(text(&output.stdout), "hello\n", "{client:?}: {output:?}");
    }
    let bench = Bench::new("  SessionType subsystem", "Subsystem greet /bin/echo hello")?;
    for client in [Client::Ours, Client::Theirs] {
        let output = bench.run(client, &[], "greet", b"");
        assert_eq!(text(&output.stdout), "hello\n", "{client:?}: {output:?}");
    }
    let bench = Bench::new("  SessionType none", "")?;
    let mut child = bench.command(Client::Ours, &[], "").spawn()?;
    assert!(bench.web.log.wait(|log| log.contains("Accepted publickey")));
    crate::support::process::signal(child.id(), 2)?;
    assert_eq!(child.wait()?.code(), Some(130));
    assert!(!bench.web.log.text().contains("Starting session"));
    Ok(())
}

#[test]
fn modes_of_the_terminal_go_over() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let mut seen = Vec::new();
    for client in ALL {
        let (program, words) = bench.words(client, &["-t"]);
        let mark = bench.lab.at("modes");
        // The terminal is altered first; what arrives is compared.
        let script = format!(
            "stty intr ^X erase ^H -ixon -echoctl susp undef; exec \"$@\" 'stty -a >{}; echo go\"ne\"'",
            mark.display()
        );
        let program = program.display().to_string();
        let mut args = vec!["-c", script.as_str(), "sh", program.as_str()];
        args.extend(words.iter().map(String::as_str));
        let size = Size { cols: 91, rows: 27 };
        let mut terminal =
            crate::support::pty::Terminal::start("/bin/sh".as_ref(), &args, &[], size);
        terminal.until_shows("gone");
        terminal.end();
        seen.push((client, std::fs::read_to_string(&mark)?));
    }
    let theirs = seen.pop().ok_or("nothing was seen")?.1;
    for wanted in [
        "intr = ^X",
        "erase = ^H",
        "-ixon",
        "-echoctl",
        "susp = <undef>",
    ] {
        assert!(theirs.contains(wanted), "{wanted}: {theirs}");
    }
    for (client, ours) in seen {
        assert_eq!(ours, theirs, "{client:?}");
    }
    Ok(())
}

#[test]
fn a_new_size_goes_over() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    for client in ALL {
        let wait = "echo from $(stty size); until test \"$(stty size)\" = '30 100'; do :; done; echo to $(stty size)";
        let mut terminal = bench.terminal(client, &["-t"], &[wait]);
        terminal.until_shows("from 27 91");
        terminal.resize(Size {
            cols: 100,
            rows: 30,
        });
        terminal.until_shows("to 30 100");
        assert!(terminal.end().success(), "{client:?}");
    }
    Ok(())
}

/// How a session comes to its end.
type Ending = (
    &'static str,
    fn(&mut crate::support::pty::Terminal, u32),
    u32,
);

#[test]
fn the_terminal_is_as_it_was_however_a_session_ends() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let endings: [Ending; 6] = [
        ("exit", |terminal, _| terminal.keys("exit 7\r"), 7),
        ("a leave", |terminal, _| terminal.keys("\r~."), 255),
        ("SIGTERM", |terminal, _| terminal.signal(15), 143),
        ("SIGHUP", |terminal, _| terminal.signal(1), 129),
        (
            "a dead shell",
            |_, shell| crate::support::process::signal(shell, 9).expect("it is there"),
            137,
        ),
        (
            "a dead connection",
            |_, shell| {
                let server = crate::support::process::parent(shell).expect("it has a parent");
                crate::support::process::signal(server, 9).expect("it is there");
            },
            255,
        ),
    ];
    for (name, end, expected) in endings {
        let mark = bench.lab.at("shell");
        std::fs::remove_file(&mark).ok();
        let mut terminal = bench.terminal(Client::Ours, &["-t"], &["sh", "-i"]);
        let before = terminal.settings();
        terminal.until("there is a prompt", |screen| screen.contains(['#', '$']));
        assert_ne!(terminal.settings(), before, "{name}: it is raw meanwhile");
        // Modes that would make a shell unusable.
        terminal.keys(&format!(
            "echo $$ >{}; printf '\\033[?1049h\\033[?1000h\\033[?2004h\\033[?25l'; echo se''en\r",
            mark.display()
        ));
        terminal.until_shows("seen");
        until("the shell told its number", || {
            std::fs::read_to_string(&mark).is_ok_and(|text| text.ends_with('\n'))
        })?;
        let shell: u32 = std::fs::read_to_string(&mark)?.trim().parse()?;
        let written = terminal.written.len();
        end(&mut terminal, shell);
        let status = terminal.end();
        assert_eq!(status.exit_code(), expected, "{name}");
        assert_eq!(terminal.settings(), before, "{name}");
        gone(i32::try_from(shell)?)?;
        let last = text(terminal.written.get(written..).unwrap_or_default());
        let undone = ["\x1b[?1049l", "\x1b[?1000l", "\x1b[?2004l", "\x1b[?25h"]
            .iter()
            .all(|undo| last.contains(undo));
        // Whoever leaves by `exit` means what is left behind.
        assert_eq!(undone, expected != 7, "{name}: {last:?}");
    }
    Ok(())
}

#[test]
fn a_question_leaves_the_terminal_as_it_was() -> Result<(), Failed> {
    let bench = Bench::new(
        "  StrictHostKeyChecking ask\n  UserKnownHostsFile /dev/null",
        "",
    )?;
    let mut terminal = bench.terminal(Client::Ours, &[], &["true"]);
    let before = terminal.settings();
    terminal.until_shows("fingerprint)");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 130);
    assert_eq!(terminal.settings(), before);
    // A passphrase is not shown, and Ctrl-C gives the echo back.
    let sealed = bench.lab.at("sealed");
    crate::support::sshd::keygen(&sealed, "ed25519", "secret")?;
    let public = std::fs::read_to_string(bench.lab.at("sealed.pub"))?;
    std::fs::write(bench.lab.authorized(), public)?;
    bench.lab.host(
        "web1",
        bench.web.port,
        &format!("  IdentityFile {}", sealed.display()),
    )?;
    bench
        .lab
        .know(bench.web.port, &bench.web.host_key("ed25519")?)?;
    for (typed, expected) in [("\x03", 130), ("secret\r", 0)] {
        let mut terminal = bench.terminal(Client::Ours, &[], &["true"]);
        let before = terminal.settings();
        terminal.until_shows("sealed");
        until("the echo is off", || terminal.settings() != before)?;
        terminal.keys(typed);
        assert_eq!(terminal.end().exit_code(), expected);
        assert_eq!(terminal.settings(), before);
        assert!(!text(&terminal.written).contains("secret"));
    }
    Ok(())
}

#[test]
fn what_the_connection_does_is_told_on_request() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let output = bench.run(Client::Ours, &["-v"], "true", b"");
    let said = text(&output.stderr);
    for wanted in [
        "web1 leads to",
        "connected to web1",
        "key exchange",
        "logged in as",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(bench.run(Client::Ours, &[], "true", b"").stderr.is_empty());
    let shell = |options: &[&str]| -> Result<String, Failed> {
        let mut terminal = bench.terminal(Client::Ours, options, &["true"]);
        terminal.end();
        Ok(text(&terminal.written))
    };
    assert!(shell(&["-t"])?.contains("connection to web1 closed"));
    assert!(!shell(&["-tq"])?.contains("closed"));
    Ok(())
}

#[test]
fn logins_and_ports_are_taken_as_options() -> Result<(), Failed> {
    let bench = Bench::new("", "")?;
    let port = bench.web.port.to_string();
    let user = crate::support::day::login();
    // The configuration's port leads nowhere; the option's wins.
    bench.lab.host("web1", 1, "  User nobody-there")?;
    for client in ALL {
        let output = bench.run(client, &["-p", &port, "-l", &user], "echo in", b"");
        assert_eq!(text(&output.stdout), "in\n", "{client:?}: {output:?}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_qd"))
        .args(["ssh", "-J", "bastion", "web1"])
        .output()?;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("ProxyJump"));
    Ok(())
}

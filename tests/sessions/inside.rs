//! What a program of this machine finds around it in a pane: a terminal of its own, the app it is in, and the newest agent.

use std::path::{Path, PathBuf};
use std::time::Instant;

use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::ssh::{SshAsk, Surroundings};
use quarterdeck::term::Size;

use crate::support::day::{Day, run};
use crate::support::lab::{Failed, Lab};
use crate::support::pty::Terminal;
use crate::support::sshd::{Agent, GUARD};

const SIZE: Size = Size::new(110, 24);

/// A window with a shell on this machine in its pane, opened in a terminal with these variables.
fn shell(day: &Day, variables: &[(&str, &str)]) -> Terminal {
    let args = ["--home", day.home_text()];
    let mut terminal = Terminal::start(day.program(), &args, variables, SIZE);
    terminal.until_shows("Quarterdeck");
    terminal.keys(":session local\r");
    terminal.until_shows("recording");
    terminal.keys("clear; echo re''ady\r");
    terminal.until_shows("ready");
    terminal
}

/// Waits until a file is there whose text satisfies `whole`.
fn text(path: &Path, whole: impl Fn(&str) -> bool) -> String {
    let since = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if whole(&text) {
            return text;
        }
        assert!(since.elapsed() < GUARD, "{}: {text:?}", path.display());
        std::thread::yield_now();
    }
}

/// Waits until a link leads here.
fn leads(link: &Path, to: &Path) {
    let since = Instant::now();
    while std::fs::read_link(link).ok().as_deref() != Some(to) {
        let now = std::fs::read_link(link);
        assert!(
            since.elapsed() < GUARD,
            "{} leads to {now:?}",
            link.display()
        );
        std::thread::yield_now();
    }
}

fn leave(day: &Day, mut terminal: Terminal) {
    terminal.keys("\x1dd:q\r");
    assert!(terminal.end().success());
    day.qd(&["--yes", "server", "stop"]);
}

#[test]
fn a_pane_knows_nothing_of_the_terminal_that_started_the_app() {
    let day = Day::start(0);
    let foreign = [
        ("SHELL", "/bin/sh"),
        ("TMUX", "/tmp/tmux-0/default,1,0"),
        ("TMUX_PANE", "%1"),
        ("KITTY_WINDOW_ID", "7"),
        ("TERM_PROGRAM", "other"),
        ("VTE_VERSION", "6800"),
        ("LINES", "5"),
        ("COLUMNS", "9"),
        ("GREETING", "kept"),
    ];
    let mut terminal = shell(&day, &foreign);
    let got = day.folder().join("environment");
    let (path, end) = (got.display(), "END_OF_IT");
    terminal.keys(&format!("env > {path}; echo {end} >> {path}\r"));
    let text = text(&got, |text| text.contains(end));
    let value = |name: &str| {
        let begin = format!("{name}=");
        text.lines().find_map(|line| line.strip_prefix(&begin))
    };
    for name in [
        "TMUX",
        "TMUX_PANE",
        "KITTY_WINDOW_ID",
        "VTE_VERSION",
        "LINES",
        "COLUMNS",
        "QD_DETACHED",
    ] {
        assert_eq!(value(name), None, "{name}");
    }
    assert_eq!(value("TERM_PROGRAM"), Some("quarterdeck"));
    assert_eq!(value("GREETING"), Some("kept"));
    assert_eq!(value("COLORTERM"), Some("truecolor"));
    assert_eq!(
        value("TERM_PROGRAM_VERSION"),
        Some(env!("CARGO_PKG_VERSION"))
    );
    let pane = value("QD_PANE").unwrap_or_default();
    let rows = day.json(&["session", "ls", "--json"]);
    assert!(
        rows.to_string().contains(pane) && pane.starts_with("S-"),
        "{pane}: {rows}"
    );
    // A window of the same app is refused here, and opens when somebody insists.
    let home = day.home_text();
    let qd = format!("{} --home {home}", day.program().display());
    let lines = [
        qd.clone(),
        format!("{qd} attach"),
        format!("{qd} session attach {pane}"),
    ];
    for (number, line) in lines.iter().enumerate() {
        // Each answer is another one: the screen of the one before stands until it is cleared.
        terminal.keys(&format!("clear; {line}; echo status-{number}=$?\r"));
        let screen = terminal.until_shows(&format!("status-{number}=2"));
        assert!(screen.contains("would show itself"), "{screen}");
    }
    // Commands and other apps work.
    terminal.keys(&format!("clear; {qd} session ls >/dev/null; echo ls=$?\r"));
    terminal.until_shows("ls=0");
    let program = day.program().display();
    let other = day.folder().join("other");
    terminal.keys(&format!(
        "clear; {program} --home {} attach; echo other=$?\r",
        other.display()
    ));
    let screen = terminal.until_shows("other=3");
    assert!(!screen.contains("would show itself"), "{screen}");
    leave(&day, terminal);
}

#[test]
fn a_pane_always_finds_the_newest_agent_that_answers() -> Result<(), Failed> {
    let day = Day::start(0);
    let folder = |name: &str| -> Result<PathBuf, Failed> {
        let path = day.folder().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    };
    let key = day.folder().join("id");
    let first = Agent::start(&folder("first")?, &[&key])?;
    let socket = first.socket.display().to_string();
    let variables = [("SHELL", "/bin/sh"), ("SSH_AUTH_SOCK", socket.as_str())];
    let mut terminal = shell(&day, &variables);
    let got = day.folder().join("socket");
    terminal.keys(&format!("echo $SSH_AUTH_SOCK > {}\r", got.display()));
    let link = PathBuf::from(text(&got, |text| text.ends_with('\n')).trim());
    assert!(link.starts_with(day.home_text()) || link.starts_with(std::env::temp_dir()));
    leads(&link, &first.socket);
    terminal.keys("clear; ssh-add -l | wc -l\r");
    terminal.until("the key is listed", |screen| {
        screen.lines().any(|line| line.trim() == "1")
    });
    // Somebody else comes in with an agent of their own, and goes with it.
    let second = Agent::start(&folder("second")?, &[])?;
    let mut command = day.command(&["session", "ls"]);
    command.env("SSH_AUTH_SOCK", &second.socket);
    assert!(run(command, b"").status.success());
    leads(&link, &second.socket);
    // Who comes in from a pane brings that path, and leads nobody in a circle.
    let qd = format!("{} --home {}", day.program().display(), day.home_text());
    terminal.keys(&format!("clear; {qd} session ls >/dev/null; echo ls=$?\r"));
    terminal.until_shows("ls=0");
    leads(&link, &second.socket);
    std::fs::remove_file(&second.socket)?;
    drop(second);
    leads(&link, &first.socket);
    leave(&day, terminal);
    assert!(!link.is_symlink(), "it goes with the app");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_told_nothing_of_the_pane() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "  SendEnv *", "AcceptEnv *")?;
    for second in [false, true] {
        let client = lab.client();
        let patterns = vec!["web*".to_owned()];
        if second {
            client.engine.send(SshAsk::SystemHosts { patterns });
        }
        client.engine.send(SshAsk::Around(Surroundings {
            app: lab.at("state"),
            agent: None,
        }));
        let session = SessionId(EntityId::from_bytes([13; 16]));
        client.engine.send(SshAsk::Open {
            session,
            target: client.target("web1"),
            size: Size::new(80, 24),
            term: "xterm-256color".to_owned(),
            recording: None,
        });
        let bytes = b"echo \"told=[$QD_PANE$QD_APP$TERM_PROGRAM]\" term=$TERM\r".to_vec();
        client.engine.send(SshAsk::Raw { session, bytes });
        let found = tokio::time::timeout(GUARD, async {
            loop {
                for (_, screen) in client.screens.take_dirty() {
                    if screen.text().contains("told=[] term=xterm-256color") {
                        return;
                    }
                }
                client.screens.notified().await;
            }
        });
        found.await.map_err(|_| "the host was told something")?;
    }
    Ok(())
}

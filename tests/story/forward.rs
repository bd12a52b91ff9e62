//! Forwards at a person's hands: `qd forward` until Ctrl-C, and what `qd ssh` brings along.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::day::Day;

/// The program, ended when dropped.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Running {
    fn start(day: &Day, args: &[&str]) -> Self {
        let mut child = day
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = child.stdout.take().expect("standard output is a pipe");
        Self {
            child,
            out: BufReader::new(out),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("it says something");
        line
    }

    /// Ctrl-C; the exit status.
    fn interrupt(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it ends").code()
    }
}

/// A server that says a word to everyone.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            stream.write_all(b"hello\n").ok();
        }
    });
    port
}

fn hears(port: u16) -> String {
    let mut text = String::new();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.read_to_string(&mut text).expect("it speaks");
    text
}

#[test]
fn forwards_stand_until_ctrl_c() {
    let day = Day::start(1);
    day.import();
    let local = format!("0:127.0.0.1:{}", greeter());
    let mut running = Running::start(&day, &["forward", "-L", &local, "web1"]);
    let line = running.line();
    let port = line
        .strip_prefix("listening: -L ")
        .and_then(|rest| rest.split(':').next())
        .and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or_else(|| unreachable!("{line}"));
    assert_eq!(hears(port), "hello\n");
    assert_eq!(running.interrupt(), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_connection_that_the_host_refuses_is_told() {
    let day = Day::start(1);
    day.import();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let nobody = closed.local_addr().expect("it is bound").port();
    drop(closed);
    let local = format!("0:127.0.0.1:{nobody}");
    let mut running = Running::start(&day, &["forward", "-L", &local, "web1"]);
    let line = running.line();
    let port = line
        .strip_prefix("listening: -L ")
        .and_then(|rest| rest.split(':').next())
        .and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or_else(|| unreachable!("{line}"));
    assert_eq!(hears(port), "");
    let mut said = BufReader::new(running.child.stderr.take().expect("it is a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says something");
    assert!(
        line.starts_with("qd: a connection failed: -L ") && line.contains("refused"),
        "{line}"
    );
    assert_eq!(
        running.interrupt(),
        Some(0),
        "the forward goes on until then"
    );
}

#[test]
fn changes_are_events_for_programs() {
    let day = Day::start(1);
    day.import();
    let word = format!("0:127.0.0.1:{}", greeter());
    let mut running = Running::start(
        &day,
        &["--jsonl", "forward", "web1", "-R", &word, "-D", "0"],
    );
    for _ in 0..2 {
        let line = running.line();
        let event: Value = serde_json::from_str(&line).expect("an event is JSON");
        assert_eq!(event["event"], "forward", "{line}");
        assert_eq!(event["forward"]["state"], "listening", "{line}");
        assert_eq!(event["forward"]["host"], "web1", "{line}");
        if let Some(port) = event["forward"]["rule"]["remote"]["listen"]["tcp"]["port"].as_u64() {
            assert_eq!(hears(u16::try_from(port).expect("a port")), "hello\n");
        }
    }
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn failures_have_their_exit_statuses() {
    let day = Day::start(1);
    day.import();
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = busy.local_addr().expect("it is bound").port();
    let taken = format!("{port}:127.0.0.1:1");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it is bound").port()
    };
    day.file(
        "config.d/gone.conf",
        &format!("Host gone\n  HostName 127.0.0.1\n  Port {closed}\n"),
    );
    let config = day.config_text();
    day.qd(&["host", "import", "--from", "ssh-config", config]);
    for (args, exit, words) in [
        (
            vec!["forward", "web1", "-L", &taken],
            1,
            "another program listens there",
        ),
        (
            vec!["forward", "gone", "-D", "0"],
            255,
            "Connection refused",
        ),
        (
            vec!["forward", "web1", "-L", "80:web"],
            2,
            "write [BIND:]PORT:HOST:PORT",
        ),
        (vec!["forward", "web1"], 2, "at least one -L, -R or -D"),
        (
            vec!["--read-only", "forward", "web1", "-D", "0"],
            2,
            "--read-only",
        ),
    ] {
        let output = day.qd(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

#[test]
fn ssh_brings_forwards_along() {
    let day = Day::start(1);
    day.import();
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it is bound").port()
    };
    let word = format!("{free}:127.0.0.1:{}", greeter());
    // The command on the host finds the listener there, as with ssh.
    let talk = format!("exec bash -c 'cat < /dev/tcp/127.0.0.1/{free}'");
    let output = day.qd(&["ssh", "web1", "-R", &word, "--", &talk]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.stdout, b"hello\n", "{said}");
    assert!(output.status.success(), "{said}");
    // A command that is over waits for what its forwards still carry.
    let late = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let long = format!(
        "{free}:127.0.0.1:{}",
        late.local_addr().expect("it is bound").port()
    );
    let mut running = Running::start(
        &day,
        &[
            "ssh",
            "web1",
            "-L",
            &long,
            "--",
            "echo up; read x; echo over",
        ],
    );
    assert_eq!(running.line(), "up\n");
    let mut here = TcpStream::connect(("127.0.0.1", free)).expect("it listens");
    let (mut there, _) = late.accept().expect("it is led here");
    // The command meets the end of its input and ends; what is carried goes on for as long as it likes.
    drop(running.child.stdin.take());
    assert_eq!(running.line(), "over\n");
    let mut answer = [0];
    for round in 0..200u8 {
        here.write_all(&[round]).expect("it is open");
        there.read_exact(&mut answer).expect("it is carried there");
        there.write_all(&answer).expect("it is open");
        here.read_exact(&mut answer).expect("it is carried back");
        assert_eq!(answer, [round]);
    }
    drop((here, there));
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
    let mut running = Running::start(&day, &["ssh", "-N", "web1", "-L", &word]);
    let until = std::time::Instant::now() + crate::support::sshd::GUARD;
    while TcpStream::connect(("127.0.0.1", free)).is_err() {
        assert!(std::time::Instant::now() < until, "it never listens");
        std::thread::yield_now();
    }
    assert_eq!(hears(free), "hello\n");
    assert_eq!(running.interrupt(), Some(130));
}

//! The second transport: hosts that the system's `ssh` serves, and programs of this machine in panes.

use std::time::Duration;

use quarterdeck::domain::ids::{EntityId, HostId, SessionId};
use quarterdeck::domain::key::Key;
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Sink, SshAsk, SshFact, Stdin, Stream};
use quarterdeck::term::{Size, cast};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::process::gone;
use crate::support::sshd::GUARD;

const SESSION: SessionId = SessionId(EntityId::from_bytes([9; 16]));

fn second(lab: &Lab) -> Client {
    let client = lab.client();
    client.engine.send(SshAsk::SystemHosts {
        patterns: vec!["web*".to_owned()],
    });
    client
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

fn type_text(client: &Client, text: &str) {
    client.engine.send(SshAsk::Raw {
        session: SESSION,
        bytes: text.as_bytes().to_vec(),
    });
}

async fn closed(client: &mut Client) -> Result<Exit, Failed> {
    client
        .until(|fact| match fact {
            SshFact::SessionClosed { exit, .. } => Some(exit.clone()),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_through_the_systems_ssh() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = second(&lab);
    let done = client.run("web1", "echo out; echo err >&2; exit 7").await?;
    assert_eq!(
        (done.exit, done.stdout.as_str(), done.stderr.as_str()),
        (Exit::Code(7), "out\n", "err\n")
    );
    assert_eq!(
        client.connections("web1"),
        0,
        "our own engine stays out of it"
    );
    let spec = ExecSpec {
        stdin: Stdin::Bytes(b"typed".to_vec()),
        ..ExecSpec::collect("cat", 100)
    };
    let req = client.start("web1", spec);
    assert_eq!(client.done(req).await?.stdout, "typed");
    let spec = ExecSpec {
        stdin: Stdin::Stream,
        sink: Sink::Stream,
        ..ExecSpec::collect("cat", 0)
    };
    let req = client.start("web1", spec);
    client
        .until(|fact| matches!(fact, SshFact::ExecStarted { .. }).then_some(()))
        .await?;
    let data = Some(b"streamed".to_vec());
    client.engine.send(SshAsk::Stdin { req, data });
    let said = client
        .until(|fact| match fact {
            SshFact::Output { stream, data, .. } => Some((*stream, data.clone())),
            _ => None,
        })
        .await?;
    assert_eq!(said, (Stream::Out, b"streamed".to_vec()));
    client.engine.send(SshAsk::Stdin { req, data: None });
    assert_eq!(client.done(req).await?.exit, Exit::Code(0));
    let spec = ExecSpec {
        timeout: Some(Duration::from_millis(300)),
        ..ExecSpec::collect("exec sleep 600", 0)
    };
    let req = client.start("web1", spec);
    assert_eq!(client.done(req).await?.exit, Exit::TimedOut);
    let req = client.start("web1", ExecSpec::collect("exec sleep 600", 0));
    client.engine.send(SshAsk::Cancel { req });
    assert_eq!(client.done(req).await?.exit, Exit::Cancelled);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_the_systems_ssh_away_is_told() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    let mut client = second(&lab);
    // Nobody is asked: an unknown key is a refusal, in the words of ssh.
    let done = client.run("web1", "true").await?;
    assert!(
        done.why().contains("Host key verification failed") && done.why().contains("qd ssh web1"),
        "{done:?}"
    );
    assert_eq!(web.logins(), 0);
    for name in ["web-oProxyCommand=id -x", "-oProxyCommand=webs"] {
        client.engine.send(SshAsk::SystemHosts {
            patterns: vec!["*".to_owned()],
        });
        let done = client.run(name, "true").await?;
        assert!(!done.why().is_empty(), "{name}: {done:?}");
    }
    // A probe says that it is not there.
    let host = HostId::of("web1");
    client.engine.send(SshAsk::Probe {
        host,
        target: client.target("web1"),
        command: "cat".to_owned(),
    });
    let req = client.req();
    client.engine.send(SshAsk::ProbeAsk { req, host });
    let answer = client
        .until(|fact| match fact {
            SshFact::ProbeDone { result, .. } => Some(result.clone()),
            _ => None,
        })
        .await?;
    assert!(answer.is_err_and(|why| why.contains("not probed")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_shows_what_the_systems_ssh_asks_and_says() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.stranger("web1", "", "")?;
    let mut client = second(&lab);
    let path = lab.at("recordings/one.cast");
    client.engine.send(SshAsk::Open {
        session: SESSION,
        target: client.target("web1"),
        size: Size::new(100, 30),
        term: "xterm-256color".to_owned(),
        recording: Some(path.clone()),
    });
    client
        .until(|fact| matches!(fact, SshFact::SessionOpened { .. }).then_some(()))
        .await?;
    // Its question is in the pane itself, and so is the answer.
    shows(&client, "(yes/no/[fingerprint])?").await?;
    type_text(&client, "yes\r");
    shows(&client, "Warning: Permanently added").await?;
    type_text(&client, "echo size=$(stty size) term=$TERM\r");
    shows(&client, "size=30 100 term=xterm-256color").await?;
    client.engine.send(SshAsk::Resize {
        session: SESSION,
        size: Size::new(120, 40),
    });
    type_text(
        &client,
        "until test \"$(stty size)\" = '40 120'; do :; done; echo now=$(stty size)\r",
    );
    shows(&client, "now=40 120").await?;
    type_text(&client, "printf '\\033]0;my title\\007\\a'; exit 5\r");
    client
        .until(|fact| match fact {
            SshFact::SessionTitle { title, .. } if title == "my title" => Some(()),
            _ => None,
        })
        .await?;
    assert_eq!(closed(&mut client).await?, Exit::Code(5));
    let replayed = cast::text(&cast::read(&std::fs::read_to_string(&path)?)?);
    assert!(replayed.contains("now=40 120"), "{replayed}");
    assert_eq!(web.logins(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_program_has_a_pane_too() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let mut client = lab.client();
    let open = |client: &Client, program: &[&str]| {
        client.engine.send(SshAsk::OpenLocal {
            session: SESSION,
            program: program.iter().map(|word| (*word).to_owned()).collect(),
            size: Size::new(80, 24),
            term: "xterm-256color".to_owned(),
            recording: None,
            reference: "S-0AAA".to_owned(),
        });
    };
    let mark = lab.at("pid");
    let script = format!(
        "stty -echo; echo $$ >{}; echo up; exec cat -A",
        mark.display()
    );
    open(&client, &["sh", "-c", &script]);
    shows(&client, "up").await?;
    client.engine.send(SshAsk::Key {
        session: SESSION,
        key: Key::char('x'),
    });
    type_text(&client, "\r");
    shows(&client, "x$").await?;
    // The same name twice is refused, and the first goes on.
    open(&client, &["sh", "-c", "echo second"]);
    client
        .until(|fact| matches!(fact, SshFact::Refused { .. }).then_some(()))
        .await?;
    client.engine.send(SshAsk::Close { session: SESSION });
    assert_eq!(closed(&mut client).await?, Exit::Cancelled);
    gone(std::fs::read_to_string(&mark)?.trim().parse()?)?;
    open(&client, &["/no/such/program"]);
    let exit = closed(&mut client).await?;
    assert!(
        matches!(&exit, Exit::Unreachable(why) if why.contains("cannot be started")),
        "{exit:?}"
    );
    // Without a program it is the account's shell.
    open(&client, &[]);
    type_text(&client, "echo shell=$((40+2)); exit 3\r");
    shows(&client, "shell=42").await?;
    assert_eq!(closed(&mut client).await?, Exit::Code(3));
    Ok(())
}

//! Crowds: many connections at once, many channels on one, and what each costs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use quarterdeck::domain::connection::ConnectionState;
use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Sink, SshAsk, SshFact, Stdin};
use quarterdeck::term::Size;

use crate::support::lab::{Failed, Lab};
use crate::support::scripted::Scripted;
use crate::support::sshd::keygen;

/// Names so many logins on one server, which are as many connections.
fn logins(lab: &Lab, port: u16, count: usize) -> Result<(), Failed> {
    let mut text = String::new();
    for number in 0..count {
        write!(
            text,
            "Host n{number}\n  HostName 127.0.0.1\n  Port {port}\n  User u{number}\n  ConnectTimeout 60\n"
        )?;
    }
    std::fs::write(lab.at("hosts").join("many"), text)?;
    Ok(())
}

/// Opens so many connections to one server at once and runs a command on each.
async fn crowd(count: usize) -> Result<Duration, Failed> {
    let lab = Lab::new()?;
    let key = lab.at("host_key");
    keygen(&key, "ed25519", "")?;
    let server = Scripted::easy(&key).await?;
    lab.know(server.port, &server.key)?;
    logins(&lab, server.port, count)?;
    let mut client = lab.client();
    let begun = Instant::now();
    let reqs: Vec<_> = (0..count)
        .map(|number| client.start(&format!("n{number}"), ExecSpec::collect("any", 100)))
        .collect();
    // Nobody waits for a look at the crowd.
    let looked = Instant::now();
    let rows = client.engine.connections();
    assert!(looked.elapsed() < Duration::from_secs(5), "{}", rows.len());
    for req in reqs {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, "in", "{done:?}");
    }
    let rows = client.rows(|rows| rows.len() == count).await?;
    assert!(rows.iter().all(|row| row.state == ConnectionState::Up));
    Ok(begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_connections_are_made_at_once() -> Result<(), Failed> {
    crowd(40).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "an exam: without optimisation both sides calculate for half a minute"]
async fn two_hundred_connections_are_made_at_once() -> Result<(), Failed> {
    use std::io::Write as _;
    let took = crowd(200).await?;
    writeln!(std::io::stderr(), "200 connections took {took:?}")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_hosts_behind_one_bastion_share_its_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "", "")?;
    let web = lab.stranger("direct", "", "MaxStartups 100")?;
    let mut text = String::new();
    for number in 0..40 {
        write!(
            text,
            "Host b{number}\n  HostName 127.0.0.1\n  Port {}\n  HostKeyAlias b{number}\n  ProxyJump bastion\n",
            web.port
        )?;
    }
    std::fs::write(lab.at("hosts").join("many"), text)?;
    lab.know(bastion.port, &bastion.host_key("ed25519")?)?;
    let mut known = std::fs::read_to_string(lab.known_hosts())?;
    writeln!(known, "b* {}", web.host_key("ed25519")?)?;
    std::fs::write(lab.known_hosts(), known)?;
    let mut client = lab.client();
    let reqs: Vec<_> = (0..40)
        .map(|number| client.start(&format!("b{number}"), ExecSpec::collect("echo in", 100)))
        .collect();
    for req in reqs {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, "in\n", "{done:?}");
    }
    assert_eq!((bastion.logins(), web.logins()), (1, 40));
    let rows = client.engine.connections();
    let jumps = rows
        .iter()
        .find(|row| row.host == "bastion")
        .map(|row| row.users.jumps);
    assert_eq!(jumps, Some(40));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_panes_and_fifty_commands_share_one_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "MaxSessions 120")?;
    let mut client = lab.client();
    let session = |number: u8| SessionId(EntityId::from_bytes([number; 16]));
    for number in 0..50 {
        client.engine.send(SshAsk::Open {
            session: session(number),
            target: client.target("web1"),
            size: Size { cols: 80, rows: 24 },
            term: "xterm".to_owned(),
            recording: None,
        });
    }
    for _ in 0..50 {
        client
            .until(|fact| matches!(fact, SshFact::SessionOpened { .. }).then_some(()))
            .await?;
    }
    let reqs: Vec<_> = (0..50)
        .map(|number| client.start("web1", ExecSpec::collect(format!("echo {number}"), 100)))
        .collect();
    for (number, req) in reqs.into_iter().enumerate() {
        assert_eq!(client.done(req).await?.stdout, format!("{number}\n"));
    }
    let rows = client
        .rows(|rows| rows.iter().all(|row| row.users.commands == 0))
        .await?;
    let sessions: Vec<u32> = rows.iter().map(|row| row.users.sessions).collect();
    assert_eq!((sessions, web.logins()), (vec![50], 1));
    for number in 0..50 {
        client.engine.send(SshAsk::Close {
            session: session(number),
        });
    }
    client
        .rows(|rows| rows.iter().all(|row| row.users.sessions == 0))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_read_stalls_nobody_else() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    // The program never reads: its window fills and stays full.
    let deaf = client.start(
        "web1",
        ExecSpec {
            stdin: Stdin::Bytes(vec![7; 20_000_000]),
            ..ExecSpec::collect("exec sleep 600", 0)
        },
    );
    let flood = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect("head -c 20000000 /dev/zero", 0)
        },
    );
    // Nobody takes facts meanwhile; the others go on all the same.
    let mark = lab.at("mark");
    client.start(
        "web1",
        ExecSpec::collect(format!("touch {}", mark.display()), 0),
    );
    let begun = Instant::now();
    while !mark.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it stands still");
        tokio::task::yield_now().await;
    }
    let mut bytes = 0;
    loop {
        match client.next().await? {
            SshFact::Output { data, .. } => bytes += data.len(),
            SshFact::ExecDone { req, exit, .. } if req == flood => {
                assert_eq!(exit, Exit::Code(0));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(bytes, 20_000_000);
    client.engine.send(SshAsk::Cancel { req: deaf });
    assert_eq!(client.done(deaf).await?.exit, Exit::Cancelled);
    assert_eq!(web.logins(), 1);
    Ok(())
}

/// Resident memory of this process, in KiB.
fn resident() -> Result<u64, Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(words.ok_or("there is no VmRSS")?.parse()?)
}

/// Run it by name; the figure is in its failure or in the file beside the test binary's output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "an exam: two hundred servers' processes, and a figure to read"]
async fn what_an_idle_connection_costs() -> Result<(), Failed> {
    use std::io::Write as _;
    let lab = Lab::new()?;
    let web = lab.stranger("direct", "", "MaxStartups 300")?;
    let mut text = String::new();
    for number in 0..220 {
        write!(
            text,
            "Host m{number}\n  HostName 127.0.0.1\n  Port {}\n  HostKeyAlias m{number}\n",
            web.port
        )?;
    }
    std::fs::write(lab.at("hosts").join("many"), text)?;
    std::fs::write(
        lab.known_hosts(),
        format!("m* {}\n", web.host_key("ed25519")?),
    )?;
    let mut client = lab.client();
    let mut before = 0;
    for number in 0..220 {
        if number == 20 {
            before = resident()?;
        }
        client.run(&format!("m{number}"), "true").await?;
        client.seen.clear();
    }
    client
        .rows(|rows| rows.iter().all(|row| row.rtt_ms.is_some()))
        .await?;
    let each = resident()?.saturating_sub(before) / 200;
    writeln!(
        std::io::stderr(),
        "an idle connection costs {each} KiB of resident memory"
    )?;
    assert!(each < 200, "{each} KiB");
    Ok(())
}

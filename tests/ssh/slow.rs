//! Far hosts: round trips are counted by cause and effect, not timed; and the spare channel is in nobody's way.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{AgentChoice, ExecSpec, Reply, SshAsk, SshFact, Stdin};

use super::files::{bytes, here, internal, job, report, there};
use crate::support::lab::{Client, Failed, Lab};
use crate::support::proxy::{Line, Proxy};
use crate::support::sshd::{Agent, Sshd, keygen};

/// 60 ms there and back: far, and long enough for both sides to have sent what they have before the next piece comes.
fn far() -> Line {
    Line {
        delay: Duration::from_millis(30),
        ..Line::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_are_few() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, far(), "").await?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "true").await?.exit, Exit::Code(0));
    // One more round trip than the line sees makes the connection itself.
    let first = line.half_trips() + 2;
    assert!(first <= 20, "connect and run: {first} half round trips");
    assert!(first >= 12, "{first} is too good to be true");
    // The spare channel is open when the connection says that it has been measured and nothing is on its way.
    client
        .rows(|rows| {
            rows.iter()
                .any(|row| row.rtt_ms.is_some_and(|rtt| rtt >= 60))
        })
        .await?;
    assert_eq!(client.run("web1", "true").await?.exit, Exit::Code(0));
    line.half_trips();
    for _ in 0..3 {
        assert_eq!(client.run("web1", "true").await?.exit, Exit::Code(0));
        let next = line.half_trips();
        assert!(next <= 2, "a further command: {next} half round trips");
    }
    assert_eq!(line.accepted(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn near_hosts_have_no_spare_channel_and_two_round_trips() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "LogLevel DEBUG1")?;
    let near = Line {
        delay: Duration::from_millis(10),
        ..Line::default()
    };
    let line = lab.through("web1", &web, near, "").await?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    client
        .rows(|rows| {
            rows.iter()
                .any(|row| row.rtt_ms.is_some_and(|rtt| rtt >= 20))
        })
        .await?;
    for _ in 0..2 {
        line.half_trips();
        client.run("web1", "true").await?;
        let next = line.half_trips();
        assert!(next <= 4, "a further command: {next} half round trips");
    }
    // A machine that is busy enough makes even this host far.
    let near = |rtt: Option<u32>| rtt.is_some_and(|rtt| rtt < 40);
    if client
        .engine
        .connections()
        .iter()
        .all(|row| near(row.rtt_ms))
    {
        let opened = web.log.text().matches("session_open: channel").count();
        assert_eq!(opened, 3);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_one_session_does_not_suffer_from_the_spare() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "MaxSessions 1")?;
    let line = lab.through("web1", &web, far(), "").await?;
    let mut client = lab.client();
    for number in 0..6 {
        let done = client.run("web1", &format!("echo {number}")).await?;
        assert_eq!(done.stdout, format!("{number}\n"), "{done:?}");
    }
    assert_eq!(
        line.accepted(),
        1,
        "one connection is enough for one after the other"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_far_commands_share_one_connection_with_a_spare() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "MaxSessions 4")?;
    let line = lab.through("web1", &web, far(), "").await?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    let reqs: Vec<_> = (0..12)
        .map(|index| client.start("web1", ExecSpec::collect(format!("echo {index}"), 100)))
        .collect();
    for (index, req) in reqs.into_iter().enumerate() {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, format!("{index}\n"), "{done:?}");
    }
    assert!(line.accepted() <= 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_a_forced_command_is_served() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "ForceCommand echo forced")?;
    let _line = lab.through("web1", &web, far(), "").await?;
    let mut client = lab.client();
    for _ in 0..3 {
        let done = client.run("web1", "echo in").await?;
        assert_eq!(
            (done.stdout.as_str(), done.exit),
            ("forced\n", Exit::Code(0))
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_far_bastion_is_measured_inside() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("near", "", "")?;
    let _line = lab.through("bastion", &bastion, far(), "").await?;
    let _web = lab.server("web1", "  ProxyJump bastion", "")?;
    let mut client = lab.client();
    let long = client.start(
        "web1",
        ExecSpec {
            stdin: Stdin::Stream,
            ..ExecSpec::collect("cat", 100)
        },
    );
    client
        .rows(|rows| {
            rows.len() == 2
                && rows
                    .iter()
                    .all(|row| row.rtt_ms.is_some_and(|rtt| rtt >= 60))
        })
        .await?;
    client.engine.send(SshAsk::Stdin {
        req: long,
        data: None,
    });
    assert_eq!(client.done(long).await?.exit, Exit::Code(0));
    Ok(())
}

/// A server with files behind a far bastion: how far it is, is told by the channel that leads to it.
async fn behind(lab: &Lab) -> Result<(Sshd, Proxy, Sshd), Failed> {
    let bastion = lab.server("near", "", "")?;
    let line = lab.through("bastion", &bastion, far(), "").await?;
    fs::copy(lab.authorized(), lab.at("far-keys"))?;
    let keys = format!("AuthorizedKeysFile {}", lab.at("far-keys").display());
    let lines = format!("{keys}\n{}", internal(lab, "store"));
    let web = lab.server("store", "  ProxyJump bastion", &lines)?;
    Ok((bastion, line, web))
}

/// How many connections a server has seen.
fn came(server: &Sshd) -> usize {
    server.log.text().matches("Connection from ").count()
}

/// Brings a file of `store` here, with a person there who could be asked; whether it went over a connection of its own.
async fn fetch(lab: &Lab, client: &mut Client) -> Result<bool, Failed> {
    fs::remove_file(lab.at("back")).ok();
    let req = client.req();
    let bulk = |client: &Client| -> u64 {
        let rows = client.engine.connections();
        let apart = rows.iter().filter(|row| row.bulk);
        apart.map(|row| row.bytes_in).sum()
    };
    let before = bulk(client);
    client.engine.send(SshAsk::Copy {
        req,
        job: job(&[there("store", "data")], &here(&lab.at("back"))),
        targets: BTreeMap::from([("store".to_owned(), client.target("store"))]),
        interactive: true,
    });
    let done = report(client, req).await??;
    assert!(done.failed.is_empty() && done.lost.is_none(), "{done:?}");
    let server = lab.at("server-store");
    let back = fs::read(lab.at("back"))?;
    assert!(back == fs::read(server.join("data"))?);
    let asked = |fact: &SshFact| matches!(fact, SshFact::Question { .. });
    assert!(!client.seen.iter().any(asked), "{:?}", client.seen);
    Ok(bulk(client) - before >= back.len() as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_data_of_a_far_host_has_a_connection_of_its_own() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let (_bastion, _line, web) = behind(&lab).await?;
    fs::write(web.folder.join("data"), bytes(3 << 20))?;
    let mut client = lab.client();
    assert_eq!(client.run("store", "echo in").await?.stdout, "in\n");
    assert_eq!(came(&web), 1);
    assert!(fetch(&lab, &mut client).await?, "not beside the commands");
    assert_eq!(came(&web), 2);
    // Both are kept: commands go on along the first, and the next file takes the second again.
    assert_eq!(client.run("store", "echo in").await?.stdout, "in\n");
    assert!(fetch(&lab, &mut client).await?);
    assert_eq!(came(&web), 2);
    let rows = client.engine.connections();
    assert_eq!(rows.iter().filter(|row| row.bulk).count(), 1, "{rows:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_data_of_a_near_host_shares_the_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("store", "", &internal(&lab, "store"))?;
    fs::write(web.folder.join("data"), bytes(3 << 20))?;
    // A machine that is busy enough makes even this host far, but not every time.
    for _ in 0..5 {
        let mut client = lab.client();
        let before = came(&web);
        if !fetch(&lab, &mut client).await? {
            assert_eq!(came(&web), before + 1);
            return Ok(());
        }
    }
    Err("a second connection each time".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_data_asks_nobody_a_second_time() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let key = lab.at("locked");
    keygen(&key, "ed25519", "open sesame")?;
    let (_bastion, _line, web) = behind(&lab).await?;
    fs::write(web.folder.join("data"), bytes(3 << 20))?;
    let text = fs::read_to_string(lab.at("hosts/store"))?;
    fs::write(
        lab.at("hosts/store"),
        format!("{text}  IdentityFile {}\n", key.display()),
    )?;
    fs::copy(lab.at("locked.pub"), lab.at("far-keys"))?;

    // Whoever typed a passphrase for the first connection would have to type it again: the files share it.
    let mut client = lab.client();
    let spec = ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 100)
    };
    let req = client.start("store", spec);
    let question = client.until(|fact| match fact {
        SshFact::Question { id, .. } => Some(*id),
        _ => None,
    });
    let question = question.await?;
    let reply = Reply::Text("open sesame".to_owned().into());
    client.engine.send(SshAsk::Answer { question, reply });
    assert_eq!(client.done(req).await?.stdout, "in\n");
    assert!(!fetch(&lab, &mut client).await?);
    assert_eq!(came(&web), 1, "not even tried");

    // The agent that let us in is gone: a second connection would need the passphrase, so it is done without.
    let agent = Agent::start(&lab.at(""), &[])?;
    let plain = lab.at("plain");
    fs::copy(&key, &plain)?;
    let opened = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "open sesame", "-N", "", "-f"])
        .arg(&plain)
        .output()?;
    assert!(opened.status.success());
    let added = std::process::Command::new("ssh-add")
        .arg("-q")
        .arg(&plain)
        .env("SSH_AUTH_SOCK", &agent.socket)
        .status()?;
    assert!(added.success());
    let mut client = lab.client_with(AgentChoice::Path(agent.socket.clone()));
    assert_eq!(client.run("store", "echo in").await?.stdout, "in\n");
    drop(agent);
    let before = came(&web);
    assert!(!fetch(&lab, &mut client).await?);
    assert_eq!(came(&web), before + 1, "tried once");
    Ok(())
}

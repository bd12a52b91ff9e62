//! What many asks share: one connection, one attempt, the server's limits, the reader's pace.

use quarterdeck::domain::ids::HostId;
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Sink, SshAsk, SshFact, Stdin, Stream};

use crate::support::lab::{Failed, Lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_asks_at_once_make_one_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "MaxSessions 100")?;
    let mut client = lab.client();
    let reqs: Vec<_> = (0..50)
        .map(|index| client.start("web1", ExecSpec::collect(format!("echo {index}"), 100)))
        .collect();
    for (index, req) in reqs.into_iter().enumerate() {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, format!("{index}\n"), "{done:?}");
    }
    assert_eq!(client.connections("web1"), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_asks_to_a_host_that_is_not_there_fail_together() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    lab.host("mute", listener.local_addr()?.port(), "  ConnectTimeout 1")?;
    let mut client = lab.client();
    let reqs: Vec<_> = (0..50)
        .map(|_| client.start("mute", ExecSpec::collect("true", 100)))
        .collect();
    let begun = std::time::Instant::now();
    for req in reqs {
        let done = client.done(req).await?;
        assert!(done.why().contains("no answer in 1 s"), "{done:?}");
    }
    assert!(
        begun.elapsed().as_secs() < 10,
        "they did not wait one after the other"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_two_sessions_serves_twenty_commands() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "MaxSessions 2")?;
    let mut client = lab.client();
    let reqs: Vec<_> = (0..20)
        .map(|index| client.start("web1", ExecSpec::collect(format!("echo {index}"), 100)))
        .collect();
    for (index, req) in reqs.into_iter().enumerate() {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, format!("{index}\n"), "{done:?}");
    }
    assert!(client.connections("web1") <= 5, "{:?}", client.seen);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_stay_do_not_lock_others_out() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "MaxSessions 2")?;
    let mut client = lab.client();
    let long: Vec<_> = (0..4)
        .map(|_| {
            let spec = ExecSpec {
                stdin: Stdin::Stream,
                sink: Sink::Stream,
                ..ExecSpec::collect("echo up; cat", 0)
            };
            client.start("web1", spec)
        })
        .collect();
    for _ in &long {
        // All four stay, on a server that allows two a connection.
        client
            .until(|fact| matches!(fact, SshFact::Output { .. }).then_some(()))
            .await?;
    }
    assert!(
        (2..=5).contains(&client.connections("web1")),
        "{:?}",
        client.seen
    );
    let done = client.run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n");
    for req in long {
        client.engine.send(SshAsk::Stdin { req, data: None });
        assert_eq!(client.done(req).await?.exit, Exit::Code(0));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_commands_leave_no_channel_behind() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "MaxSessions 1")?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    for steps in 0..40 {
        let req = client.start("web1", ExecSpec::collect("true", 100));
        // The cancel meets the command in another state each time.
        for _ in 0..steps * 10 {
            tokio::task::yield_now().await;
        }
        client.engine.send(SshAsk::Cancel { req });
        client.done(req).await?;
    }
    let done = client.run("web1", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_names_do_not_share_what_lax_names_let_through() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let lax = "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null";
    let web = lab.stranger("lax", lax, "")?;
    lab.host("strict", web.port, "")?;
    let mut client = lab.client();
    assert_eq!(client.run("lax", "echo in").await?.stdout, "in\n");
    let done = client.run("strict", "true").await?;
    assert!(done.why().contains("is not known"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_that_nobody_reads_does_not_stall_the_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    // The queue of facts has 64 places and nobody reads it while the flood runs: 30 MB wait elsewhere.
    let mut client = lab.client();
    let mark = lab.at("mark");
    let flood = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect(
                format!("head -c 30000000 /dev/zero; touch {}", mark.display()),
                0,
            )
        },
    );
    // The command ends only if every byte was taken from the connection.
    let other = client.start(
        "web1",
        ExecSpec::collect(
            format!("until test -e {}; do sleep 0.02; done", mark.display()),
            0,
        ),
    );
    let begun = std::time::Instant::now();
    while !mark.exists() {
        assert!(begun.elapsed().as_secs() < 30, "the flood stands still");
        tokio::task::yield_now().await;
    }
    let mut bytes = 0;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        match client.next().await? {
            SshFact::Output { req, stream, data } => {
                assert_eq!((req, stream), (flood, Stream::Out));
                bytes += data.len();
            }
            SshFact::ExecDone { req, exit, .. } => {
                assert_eq!(exit, Exit::Code(0));
                ended.push(req);
            }
            _ => {}
        }
    }
    assert_eq!(bytes, 30_000_000, "and nothing of it is lost");
    assert!(ended.contains(&flood) && ended.contains(&other));
    assert_eq!(web.logins(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_probe_channel_answers_many_questions() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let host = HostId::of("web1");
    let ask = |client: &crate::support::lab::Client| {
        let req = client.req();
        client.engine.send(SshAsk::ProbeAsk { req, host });
        req
    };
    let early = ask(&client);
    let command = "exec sh -c 'while read -r c; do n=$((n+1)); echo \"N $n $$\"; echo .; done'";
    let start = |client: &crate::support::lab::Client| {
        client.engine.send(SshAsk::Probe {
            host,
            target: client.target("web1"),
            command: command.to_owned(),
        });
    };
    start(&client);
    let mut answers = Vec::new();
    for _ in 0..3 {
        // Starting it again changes nothing.
        start(&client);
        let asked = ask(&client);
        let result = client
            .until(|fact| match fact {
                SshFact::ProbeDone { req, result, .. } if *req == asked => Some(result.clone()),
                _ => None,
            })
            .await?;
        answers.push(result?.text);
    }
    let numbers: Vec<&str> = answers
        .iter()
        .filter_map(|text| text.split(' ').nth(1))
        .collect();
    assert_eq!(numbers, ["1", "2", "3"], "{answers:?}");
    let refused = client
        .until(|fact| match fact {
            SshFact::ProbeDone { req, result, .. } if *req == early => Some(result.clone()),
            _ => None,
        })
        .await?;
    assert!(refused.is_err_and(|why| why.contains("no probe runs")));

    client.engine.send(SshAsk::ProbeStop { host });
    client.engine.send(SshAsk::Probe {
        host,
        target: client.target("web1"),
        command: "echo broken >&2; exit 3".to_owned(),
    });
    let asked = ask(&client);
    let result = client
        .until(|fact| match fact {
            SshFact::ProbeDone { req, result, .. } if *req == asked => Some(result.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(
        result,
        Err("the probe ended with status 3: broken".to_owned())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_engine_closes_its_connections() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    let long = client.start("web1", ExecSpec::collect("sleep 600", 0));
    assert_eq!(
        client.run("web1", "echo up").await?.stdout,
        "up\n",
        "beside {long:?}"
    );
    let log = web.log.clone();
    drop(client);
    let closed = tokio::task::spawn_blocking(move || {
        log.wait(|text| text.contains("Connection closed by") || text.contains("Disconnected from"))
    });
    assert!(closed.await?, "{}", web.log.text());
    Ok(())
}

//! Far hosts: round trips are counted by cause and effect, not timed; and the spare channel is in nobody's way.

use std::time::Duration;

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, SshAsk, Stdin};

use crate::support::lab::{Failed, Lab};
use crate::support::proxy::Line;

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

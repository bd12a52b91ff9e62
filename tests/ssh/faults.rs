//! Lines that break, stall, crawl and lie: each fault is told in time, and nothing that arrived is lost.

use std::time::{Duration, Instant};

use quarterdeck::domain::connection::ConnectionState;
use quarterdeck::domain::ids::{EntityId, HostId, SessionId};
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Sink, SshAsk, SshFact, Stdin};
use quarterdeck::term::Size;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::lab::{Client, Failed, Lab};
use crate::support::proxy::{Line, Proxy};
use crate::support::sshd::{GUARD, keygen};

/// How long a fault may take to be told when the configured time is a second or two: a busy machine needs some grace.
const SOON: Duration = Duration::from_secs(25);

/// Three lost signs of life, each a second apart.
const BRIEF: &str = "  ServerAliveInterval 1\n  ServerAliveCountMax 2\n  ConnectTimeout 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_in_the_handshake_is_told() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    // In the list of algorithms, in the key exchange, in the login.
    for (name, bytes) in [("early", 200), ("middle", 1300), ("late", 1900)] {
        let line = Line {
            breaks_after: Some(bytes),
            ..Line::default()
        };
        let _line = lab.through(name, &web, line, BRIEF).await?;
        let begun = Instant::now();
        let done = client.run(name, "true").await?;
        assert!(done.why().contains(name), "{done:?}");
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
    let done = client.run("early", "true").await?;
    assert!(
        !done.why().contains("MaxStartups"),
        "a server that began to talk is not a busy one: {done:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_came_before_a_cut_is_kept() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), BRIEF).await?;
    let mut client = lab.client();
    let mark = lab.at("mark");
    let command = format!("echo before; touch {}; exec sleep 600", mark.display());
    let collected = client.start("web1", ExecSpec::collect(command.clone(), 100));
    let streamed = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect(command, 0)
        },
    );
    client
        .until(|fact| {
            matches!(fact, SshFact::Output { data, .. } if data == b"before\n").then_some(())
        })
        .await?;
    client.rows(|_| mark.exists()).await?;
    // The other command's line came by the same connection; a round trip on it makes sure.
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    line.cut();
    for req in [collected, streamed] {
        let done = client.done(req).await?;
        assert!(done.why().contains("was lost"), "{done:?}");
        if req == collected {
            assert_eq!(done.stdout, "before\n");
        }
    }
    let reason = client
        .until(|fact| match fact {
            SshFact::Disconnected { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await?;
    assert!(!reason.is_empty());
    // Whoever asks anew is served at once.
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    assert_eq!(line.accepted(), 2);
    Ok(())
}

/// Starts a command that has said something and now runs for ever.
async fn endless(client: &mut Client) -> Result<quarterdeck::domain::ids::ReqId, Failed> {
    let spec = ExecSpec {
        stdin: Stdin::Stream,
        sink: Sink::Stream,
        ..ExecSpec::collect("echo up; exec sleep 600", 0)
    };
    let req = client.start("web1", spec);
    client
        .until(|fact| matches!(fact, SshFact::Output { .. }).then_some(()))
        .await?;
    Ok(req)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_stalls_is_found_out_by_missing_signs_of_life() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), BRIEF).await?;
    let mut client = lab.client();
    let idle = endless(&mut client).await?;
    line.stall();
    let begun = Instant::now();
    let done = client.done(idle).await?;
    assert!(done.why().contains("no sign of life"), "{done:?}");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_stalls_under_uploads_is_found_out_too() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "MaxSessions 50")?;
    let line = lab.through("web1", &web, Line::default(), BRIEF).await?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    // Each may send a window of 2 MB: more than all buffers on the way hold, so that keep-alives wait behind it.
    let reqs: Vec<_> = (0..20)
        .map(|_| {
            let spec = ExecSpec {
                stdin: Stdin::Stream,
                ..ExecSpec::collect("exec cat >/dev/null", 100)
            };
            client.start("web1", spec)
        })
        .collect();
    for _ in &reqs {
        client
            .until(|fact| matches!(fact, SshFact::ExecStarted { .. }).then_some(()))
            .await?;
    }
    line.stall();
    let begun = Instant::now();
    for req in &reqs {
        let data = Some(vec![7; 4_000_000]);
        client.engine.send(SshAsk::Stdin { req: *req, data });
    }
    for req in reqs {
        let done = client.done(req).await?;
        assert!(matches!(done.exit, Exit::Unreachable(_)), "{done:?}");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_connection_can_be_closed_by_hand() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), "").await?;
    let mut client = lab.client();
    let req = endless(&mut client).await?;
    line.stall();
    // More than its window: what is left waits inside the connection.
    let data = Some(vec![7; 40_000_000]);
    client.engine.send(SshAsk::Stdin { req, data });
    let begun = Instant::now();
    let target = client.target("web1");
    client.engine.send(SshAsk::Disconnect { target });
    let done = client.done(req).await?;
    assert!(
        done.why().contains("closed by the user") || done.why().contains("lost"),
        "{done:?}"
    );
    // Signs of life would be missed only after a minute.
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    client.rows(<[_]>::is_empty).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_says_nothing_is_given_up() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let mute = Line {
        mute: true,
        ..Line::default()
    };
    let _line = lab.through("web1", &web, mute, BRIEF).await?;
    let mut client = lab.client();
    let begun = Instant::now();
    let done = client.run("web1", "true").await?;
    assert!(done.why().contains("no answer in 2 s"), "{done:?}");
    assert!(begun.elapsed() < SOON);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_single_bytes_carries_everything() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let crumbs = Line {
        piece: Some(1),
        ..Line::default()
    };
    let _line = lab.through("web1", &web, crumbs, "").await?;
    let mut client = lab.client();
    let input: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
    let req = client.start(
        "web1",
        ExecSpec {
            stdin: Stdin::Bytes(input.clone()),
            ..ExecSpec::collect("cat", 1 << 20)
        },
    );
    let done = client.done(req).await?;
    assert_eq!(done.exit, Exit::Code(0));
    assert!(done.merged == input, "every byte came back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_before_the_banner_are_passed_over() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let polite = Line {
        before: b"Welcome to the bastion.\r\n\r\nAuthorized use only.\r\n".to_vec(),
        ..Line::default()
    };
    let _line = lab.through("web1", &web, polite, "").await?;
    let mut client = lab.client();
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_banner_is_an_error_with_the_words_that_came() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let mut client = lab.client();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("chatter", b"no line\r\n".repeat(5000), "as an SSH server"),
        ("flood", vec![b'x'; 100_000], "as an SSH server"),
        (
            "endless",
            [&b"SSH-2.0-"[..], &[b'y'; 5000], b"\r\n"].concat(),
            "as an SSH server",
        ),
        (
            "web",
            b"HTTP/1.0 400 Bad Request\r\n".repeat(30),
            "HTTP/1.0 400",
        ),
    ];
    for (name, before, expected) in cases {
        let line = Line {
            before,
            ..Line::default()
        };
        let _line = lab.through(name, &web, line, BRIEF).await?;
        let begun = Instant::now();
        let done = client.run(name, "true").await?;
        assert!(done.why().contains(expected), "{name}: {done:?}");
        assert!(done.why().len() < 1000, "{name}: {done:?}");
        assert!(begun.elapsed() < SOON, "{name}: {:?}", begun.elapsed());
    }
    Ok(())
}

/// A server of a few bytes: says `words` to everybody and then waits for the end.
async fn sayer(words: &'static [u8]) -> Result<(u16, tokio::task::JoinHandle<()>), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(words).await.ok();
                let mut sink = [0; 1024];
                while let Ok(1..) = stream.read(&mut sink).await {}
            });
        }
    });
    Ok((port, task))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_after_the_banner_is_an_error() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let mut client = lab.client();
    let cases: [&[u8]; 3] = [
        b"SSH-2.0-nonsense\r\nthis is no packet, and it is long enough to be read as one",
        b"SSH-2.0-nonsense\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-nonsense\r\n\x00\x00\x00\x0c\x0a\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ];
    for (number, words) in cases.into_iter().enumerate() {
        let (port, task) = sayer(words).await?;
        let name = format!("odd{number}");
        lab.host(&name, port, BRIEF)?;
        let begun = Instant::now();
        let done = client.run(&name, "true").await?;
        assert!(done.why().contains(&name), "{done:?}");
        assert!(begun.elapsed() < SOON);
        task.abort();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_up_at_once_is_tried_again_and_then_told() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let shut = Line {
        shut: true,
        ..Line::default()
    };
    let line = lab.through("web1", &web, shut, BRIEF).await?;
    let mut client = lab.client();
    let begun = Instant::now();
    let done = client.run("web1", "true").await?;
    assert!(
        done.why().contains("closed the connection at once") && done.why().contains("MaxStartups"),
        "{done:?}"
    );
    assert!((2..=10).contains(&line.accepted()), "{}", line.accepted());
    assert!(begun.elapsed() < SOON);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_logins_get_through_where_two_are_allowed_at_once() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "MaxStartups 2:100:2")?;
    // Twenty programs, so that none knows of the others' turns.
    let mut runs = tokio::task::JoinSet::new();
    let line = Line {
        delay: Duration::from_millis(10),
        ..Line::default()
    };
    let line = lab
        .through("web1", &web, line, "  ConnectTimeout 25")
        .await?;
    for number in 0..20 {
        let mut client = lab.client();
        runs.spawn(async move {
            let done = client.run("web1", &format!("echo {number}")).await;
            done.map(|done| (number, done))
                .map_err(|why| why.to_string())
        });
    }
    while let Some(run) = runs.join_next().await {
        let (number, done) = run??;
        assert_eq!(done.stdout, format!("{number}\n"), "{done:?}");
    }
    assert!(
        line.accepted() > 20,
        "some were turned away: {} {}",
        line.accepted(),
        web.log.text()
    );
    Ok(())
}

async fn shows(client: &Client, wanted: &str) -> Result<String, Failed> {
    let found = tokio::time::timeout(GUARD, async {
        loop {
            for (_, screen) in client.screens.take_dirty() {
                if screen.text().contains(wanted) {
                    return screen.text();
                }
            }
            client.screens.notified().await;
        }
    });
    found
        .await
        .map_err(|_| format!("{wanted:?} is not on the screen").into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_keeps_what_it_showed_when_its_line_is_cut() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), BRIEF).await?;
    let mut client = lab.client();
    let session = SessionId(EntityId::from_bytes([9; 16]));
    client.engine.send(SshAsk::Open {
        session,
        target: client.target("web1"),
        size: Size { cols: 80, rows: 24 },
        term: "xterm-256color".to_owned(),
        recording: None,
    });
    let text = "for n in 1 2 3; do echo line-$n; done; echo la''st\r".to_owned();
    client.engine.send(SshAsk::Raw {
        session,
        bytes: text.into_bytes(),
    });
    let mut shown = shows(&client, "last").await?;
    line.cut();
    let exit = client
        .until(|fact| match fact {
            SshFact::SessionClosed { exit, .. } => Some(exit.clone()),
            _ => None,
        })
        .await?;
    assert!(
        matches!(&exit, Exit::Unreachable(why) if why.contains("was lost")),
        "{exit:?}"
    );
    for (_, screen) in client.screens.take_dirty() {
        shown = screen.text();
    }
    assert!(
        shown.contains("line-3") && shown.contains("last"),
        "{shown}"
    );
    Ok(())
}

/// Asks the probe of a host once.
async fn probe(
    client: &mut Client,
    host: HostId,
    name: &str,
) -> Result<Result<String, String>, Failed> {
    client.engine.send(SshAsk::Probe {
        host,
        target: client.target(name),
        command: "exec sh -c 'while read -r c; do echo up; echo .; done'".to_owned(),
    });
    let asked = client.req();
    client.engine.send(SshAsk::ProbeAsk { req: asked, host });
    client
        .until(|fact| match fact {
            SshFact::ProbeDone { req, result, .. } if *req == asked => {
                Some(result.clone().map(|reply| reply.text))
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn background_work_never_repeats_a_refused_login() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let allowed = std::fs::read(lab.authorized())?;
    std::fs::write(lab.authorized(), "")?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), "").await?;
    let mut client = lab.client();
    let host = HostId::of("web1");
    for round in 0..6 {
        let refused = probe(&mut client, host, "web1").await?;
        let why = refused.err().ok_or("nobody may come in")?;
        assert!(why.contains("does not let"), "{why}");
        assert_eq!(
            why.contains("until somebody connects by hand"),
            round > 0,
            "{why}"
        );
    }
    assert_eq!(line.accepted(), 1, "{}", web.log.text());
    let rows = client.rows(|rows| !rows.is_empty()).await?;
    let state = rows.first().map(|row| row.state.clone());
    assert!(
        matches!(&state, Some(ConnectionState::Waiting { retry_ms: 0, why }) if why.contains("by hand")),
        "{rows:?}"
    );
    std::fs::write(lab.authorized(), allowed)?;
    assert!(
        probe(&mut client, host, "web1").await?.is_err(),
        "nobody has connected yet"
    );
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    assert_eq!(
        probe(&mut client, host, "web1").await?,
        Ok("up\n".to_owned())
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_never_asks() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let locked = lab.at("locked");
    keygen(&locked, "ed25519", "open sesame")?;
    let only = format!("AuthorizedKeysFile {}.pub", locked.display());
    let key = format!("  IdentityFile {}", locked.display());
    let _stranger = lab.stranger("stranger", "", "")?;
    let _locked = lab.server("locked", &key, &only)?;
    // Somebody is there, and would be asked for anything else.
    let mut client = lab.client();
    for (name, expected) in [
        ("stranger", "is not known"),
        ("locked", "locked by a passphrase"),
    ] {
        let refused = probe(&mut client, HostId::of(name), name).await?;
        let why = refused.err().ok_or("it cannot get in unasked")?;
        assert!(why.contains(expected), "{name}: {why}");
        let asked = |fact: &SshFact| matches!(fact, SshFact::Question { .. });
        assert!(!client.seen.iter().any(asked), "{name}: {:?}", client.seen);
        let spec = ExecSpec {
            interactive: true,
            ..ExecSpec::collect("echo in", 100)
        };
        let req = client.start(name, spec);
        client.until(|fact| asked(fact).then_some(())).await?;
        client.engine.send(SshAsk::Cancel { req });
        client.done(req).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_comes_back_after_a_cut_but_not_at_once() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let line = lab.through("web1", &web, Line::default(), "").await?;
    let mut client = lab.client();
    let host = HostId::of("web1");
    assert_eq!(
        probe(&mut client, host, "web1").await?,
        Ok("up\n".to_owned())
    );
    let rows = client
        .rows(|rows| rows.iter().any(|row| row.users.probes == 1))
        .await?;
    assert!(matches!(rows.as_slice(), [row] if row.state == ConnectionState::Up));
    line.cut();
    let mut rows = client
        .rows(|rows| {
            let waits = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { .. });
            rows.iter().any(|row| waits(&row.state))
        })
        .await?;
    let waiting = rows.pop().ok_or("it is waited for")?;
    assert!(
        matches!(
            waiting.state,
            ConnectionState::Waiting {
                retry_ms: 1..=1000,
                ..
            }
        ),
        "{waiting:?}"
    );
    let mut refused = 0;
    loop {
        match probe(&mut client, host, "web1").await? {
            Ok(text) => {
                assert_eq!(text, "up\n");
                break;
            }
            Err(why) => {
                refused += 1;
                assert!(why.contains("lost") || why.contains("probe"), "{why}");
            }
        }
    }
    assert!(refused > 0, "the first pause is half a second at least");
    assert_eq!(line.accepted(), 2, "and no attempt was in vain");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_tell_who_uses_them_and_how_they_are() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "", "")?;
    let _web = lab.server("web1", "  ProxyJump bastion", "")?;
    let mute = Proxy::start(
        bastion.port,
        Line {
            mute: true,
            ..Line::default()
        },
    )
    .await?;
    lab.host("mute", mute.port, "")?;
    let mut client = lab.client();
    assert!(client.engine.connections().is_empty());
    let long = client.start(
        "web1",
        ExecSpec {
            stdin: Stdin::Stream,
            ..ExecSpec::collect("cat", 100)
        },
    );
    client.start("mute", ExecSpec::collect("true", 100));
    let rows = client
        .rows(|rows| {
            let up = |name: &str| {
                rows.iter().any(|row| {
                    row.host == name && row.state == ConnectionState::Up && row.rtt_ms.is_some()
                })
            };
            rows.len() == 3
                && up("bastion")
                && up("web1")
                && rows.iter().any(|row| row.users.commands == 1)
        })
        .await?;
    let of = |name: &str| {
        rows.iter()
            .find(|row| row.host == name)
            .ok_or("a row is missing")
    };
    let (bastion, web, mute) = (of("bastion")?, of("web1")?, of("mute")?);
    assert_eq!(mute.state, ConnectionState::Connecting);
    assert_eq!((bastion.users.jumps, bastion.users.commands), (1, 0));
    assert_eq!((web.users.jumps, web.users.commands), (0, 1));
    assert_eq!(web.via, ["bastion"]);
    assert!(
        bastion.bytes_in > web.bytes_in,
        "what it carries counts too: {bastion:?} {web:?}"
    );
    assert!(web.bytes_in > 1000 && web.bytes_out > 1000, "{web:?}");
    assert!(
        !web.post_quantum && web.kex.starts_with("curve25519"),
        "{web:?}"
    );
    assert!(
        web.server.contains("OpenSSH") && !web.auth.is_empty(),
        "{web:?}"
    );
    client.engine.send(SshAsk::Stdin {
        req: long,
        data: None,
    });
    client.done(long).await?;
    client
        .rows(|rows| rows.iter().all(|row| row.users.commands == 0))
        .await?;
    Ok(())
}

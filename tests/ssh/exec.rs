//! Commands: their output, their input, their ends.

use std::time::Duration;

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Sink, SshAsk, SshFact, Stdin, Stream};
use quarterdeck::term::Size;

use crate::support::lab::{Failed, Lab};

fn spec(command: &str, stdin: Stdin) -> ExecSpec {
    ExecSpec {
        stdin,
        ..ExecSpec::collect(command, 1 << 20)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_and_exit_codes_come_back() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let done = client.run("web1", "echo out; echo err >&2; exit 7").await?;
    assert_eq!(done.exit, Exit::Code(7), "{done:?}");
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(done.merged.len(), 8);
    let cases = [
        ("true", Exit::Code(0)),
        ("false", Exit::Code(1)),
        ("no-such-command-here", Exit::Code(127)),
        ("/etc/passwd", Exit::Code(126)),
        ("kill -TERM $$", Exit::Signal("TERM".to_owned())),
        ("kill -KILL $$", Exit::Signal("KILL".to_owned())),
    ];
    for (command, exit) in cases {
        assert_eq!(client.run("web1", command).await?.exit, exit, "{command}");
    }
    assert_eq!(
        client.connections("web1"),
        1,
        "one connection served them all"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_limit_is_counted_not_kept() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let req = client.start("web1", ExecSpec::collect("head -c 100000 /dev/zero", 1000));
    let done = client.done(req).await?;
    assert_eq!((done.merged.len(), done.dropped), (1000, 99_000));
    assert_eq!(done.exit, Exit::Code(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_goes_in_whole_and_ends() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let nothing = client.start("web1", spec("cat; echo end", Stdin::None));
    assert_eq!(client.done(nothing).await?.stdout, "end\n");
    let bytes: Vec<u8> = (0..5_000_000u32).map(|index| (index % 251) as u8).collect();
    let known = client.start("web1", spec("wc -c; true", Stdin::Bytes(bytes)));
    assert_eq!(client.done(known).await?.stdout.trim(), "5000000");

    let req = client.start("web1", spec("read a; echo got $a; cat", Stdin::Stream));
    for (data, taken) in [(Some("one\n"), 4), (Some("two\n"), 4), (None, 0)] {
        let data = data.map(|text| text.as_bytes().to_vec());
        let more = data.is_some();
        client.engine.send(SshAsk::Stdin { req, data });
        if more {
            let bytes = client
                .until(|fact| match fact {
                    SshFact::StdinTaken { req: of, bytes } if *of == req => Some(*bytes),
                    _ => None,
                })
                .await?;
            assert_eq!(bytes, taken);
        }
    }
    let done = client.done(req).await?;
    assert_eq!(done.stdout, "got one\ntwo\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_and_a_cancel_end_what_runs() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let late = client.start(
        "web1",
        ExecSpec {
            timeout: Some(Duration::from_millis(100)),
            ..ExecSpec::collect("echo begun; sleep 600", 1000)
        },
    );
    let done = client.done(late).await?;
    assert_eq!(
        (done.exit, done.stdout.as_str()),
        (Exit::TimedOut, "begun\n")
    );

    let req = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect("echo begun; sleep 600", 0)
        },
    );
    client
        .until(|fact| matches!(fact, SshFact::Output { .. }).then_some(()))
        .await?;
    client.engine.send(SshAsk::Cancel { req });
    assert_eq!(client.done(req).await?.exit, Exit::Cancelled);
    assert_eq!(client.run("web1", "echo on").await?.stdout, "on\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_command_gets_a_signal() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let trap =
        "trap 'echo stopped; exit 3' TERM; echo up; for _ in $(seq 600); do sleep 0.05; done";
    let req = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect(trap, 0)
        },
    );
    let output = |fact: &SshFact| match fact {
        SshFact::Output { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    };
    assert_eq!(client.until(output).await?, "up\n");
    client.engine.send(SshAsk::Cancel { req });
    assert_eq!(client.done(req).await?.exit, Exit::Cancelled);
    // A server that runs as the user's own root passes no signals on, and says so in its log.
    let said = client.seen.iter().filter_map(output).collect::<String>();
    let refused = || {
        web.log
            .wait(|text| text.contains("signalling requires privilege separation"))
    };
    assert!(said == "stopped\n" || refused(), "{}", web.log.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamed_output_is_whole_and_in_order() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let req = client.start(
        "web1",
        ExecSpec {
            sink: Sink::Stream,
            ..ExecSpec::collect("seq 1 200000; echo oops >&2; exit 4", 0)
        },
    );
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = loop {
        match client.next().await? {
            SshFact::Output { stream, data, .. } => match stream {
                Stream::Out => out.extend(data),
                Stream::Err => err.extend(data),
            },
            SshFact::ExecDone { req: of, exit, .. } => {
                assert_eq!(of, req);
                break exit;
            }
            _ => {}
        }
    };
    let wanted: String = (1..=200_000).map(|line| format!("{line}\n")).collect();
    assert!(
        out == wanted.as_bytes(),
        "{} bytes of {}",
        out.len(),
        wanted.len()
    );
    assert_eq!((err.as_slice(), exit), (&b"oops\n"[..], Exit::Code(4)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_may_have_a_terminal_and_an_environment() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "  SetEnv QD_PLACE=here", "")?;
    let mut client = lab.client();
    let req = client.start(
        "web1",
        ExecSpec {
            pty: Some(("vt100".to_owned(), Size { cols: 91, rows: 17 })),
            stdin: Stdin::Stream,
            ..ExecSpec::collect("stty size; echo $TERM $QD_PLACE; read x; stty size", 1000)
        },
    );
    client.engine.send(SshAsk::Window {
        req,
        cols: 50,
        rows: 9,
    });
    client.engine.send(SshAsk::Stdin {
        req,
        data: Some(b"\n".to_vec()),
    });
    let done = client.done(req).await?;
    assert!(done.stdout.contains("vt100 here"), "{done:?}");
    assert!(done.stdout.ends_with("9 50\r\n"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_there_says_so() -> Result<(), Failed> {
    let lab = Lab::new()?;
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    lab.host("gone", port, "")?;
    let mut client = lab.client();
    let done = client.run("gone", "true").await?;
    assert_eq!(done.exit.code(), 255);
    assert!(done.why().contains("Connection refused"), "{done:?}");
    assert!(done.why().contains(&port.to_string()), "{done:?}");
    let done = client
        .run("-oProxyCommand=touch /tmp/never", "true")
        .await?;
    assert!(done.why().contains("begins with a dash"), "{done:?}");
    let done = client.run("no-such-name.invalid", "true").await?;
    assert_eq!(done.exit.code(), 255, "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_line_of_the_configuration_is_told_in_the_words_of_ssh() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.host("web1", 22, "  Bogus yes")?;
    let done = lab.client().run("web1", "true").await?;
    assert!(
        done.why().contains("Bad configuration option: bogus"),
        "{done:?}"
    );
    assert!(done.why().contains("hosts/web1"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_ends_its_commands_and_is_made_again() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    // The server process of this connection is the parent of the command's shell.
    let done = client.run("web1", "kill -KILL $PPID").await?;
    assert!(done.why().contains("was lost"), "{done:?}");
    client
        .until(|fact| matches!(fact, SshFact::Disconnected { .. }).then_some(()))
        .await?;
    assert_eq!(client.run("web1", "echo again").await?.stdout, "again\n");
    assert_eq!(web.logins(), 2);
    client.engine.send(SshAsk::Disconnect {
        target: client.target("web1"),
    });
    let reason = client
        .until(|fact| match fact {
            SshFact::Disconnected { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(reason, "closed by the user");
    Ok(())
}

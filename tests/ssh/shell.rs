//! Shells in panes: screens, keys, sizes, recordings.

use std::fs;

use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::domain::key::{Key, KeyCode};
use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{SshAsk, SshFact};
use quarterdeck::term::{Look, Size, cast};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::sshd::GUARD;

const SESSION: SessionId = SessionId(EntityId::from_bytes([7; 16]));

fn open(client: &Client, recording: Option<std::path::PathBuf>) {
    client.engine.send(SshAsk::Open {
        session: SESSION,
        target: client.target("web1"),
        size: Size { cols: 80, rows: 24 },
        term: "xterm-256color".to_owned(),
        recording,
    });
}

fn type_line(client: &Client, text: &str) {
    for c in text.chars() {
        let key = Key::char(c);
        client.engine.send(SshAsk::Key {
            session: SESSION,
            key,
        });
    }
    let key = Key::plain(KeyCode::Enter);
    client.engine.send(SshAsk::Key {
        session: SESSION,
        key,
    });
}

/// Waits until a screen of the session shows `wanted`.
async fn shows(client: &Client, wanted: &str) -> Result<(), Failed> {
    let mut last = String::new();
    let found = tokio::time::timeout(GUARD, async {
        loop {
            for (session, screen) in client.screens.take_dirty() {
                assert_eq!(session, SESSION);
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

async fn closed(client: &mut Client) -> Result<(Exit, u64, Option<String>), Failed> {
    client
        .until(|fact| match fact {
            SshFact::SessionClosed {
                exit,
                bytes,
                recording_error,
                ..
            } => Some((exit.clone(), *bytes, recording_error.clone())),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_shows_resizes_and_is_recorded() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    let path = lab.at("recordings/one.cast");
    open(&client, Some(path.clone()));
    client
        .until(|fact| matches!(fact, SshFact::SessionOpened { .. }).then_some(()))
        .await?;
    type_line(&client, "echo size=$(stty size) term=$TERM");
    shows(&client, "size=24 80 term=xterm-256color").await?;
    let size = Size {
        cols: 100,
        rows: 30,
    };
    client.engine.send(SshAsk::Resize {
        session: SESSION,
        size,
    });
    // The shell may print a line before it has seen the change, so it waits for it.
    type_line(
        &client,
        "until test \"$(stty size)\" = '30 100'; do :; done; echo now=$(stty size)",
    );
    shows(&client, "now=30 100").await?;
    // A paste is taken as it is; a program that asks where the cursor is gets its answer without the loop.
    let text = "printf '\\033[6n'; IFS= read -rs -d R at; echo \"at=${at#?}\"\n".to_owned();
    client.engine.send(SshAsk::Raw {
        session: SESSION,
        bytes: text.into_bytes(),
    });
    shows(&client, "at=[").await?;
    type_line(&client, "printf '\\033]0;my title\\007\\a'; exit 5");
    client
        .until(|fact| match fact {
            SshFact::SessionTitle { title, .. } if title == "my title" => Some(()),
            _ => None,
        })
        .await?;
    let (exit, bytes, error) = closed(&mut client).await?;
    assert_eq!((exit, error), (Exit::Code(5), None));
    let text = fs::read_to_string(&path)?;
    assert_eq!(bytes, text.len() as u64);
    let replayed = cast::text(&cast::read(&text)?);
    assert!(replayed.contains("now=30 100"), "{replayed}");
    let told = |seen: &[SshFact]| {
        seen.iter()
            .any(|fact| matches!(fact, SshFact::SessionActivity { .. }))
    };
    assert!(told(&client.seen));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_in_a_pane_leaves_the_others_alone() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    open(&client, None);
    shows(&client, "").await?;
    type_line(&client, "stty -echo; echo be''gin; yes flooding");
    shows(&client, "flooding").await?;
    for _ in 0..5 {
        assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    }
    let key = Key::ctrl('c');
    client.engine.send(SshAsk::Key {
        session: SESSION,
        key,
    });
    type_line(&client, "echo calm=$((40+2))");
    shows(&client, "calm=42").await?;
    assert_eq!(web.logins(), 1);
    client.engine.send(SshAsk::Look {
        session: SESSION,
        look: Look::Scroll(100),
    });
    shows(&client, "flooding").await?;
    client.engine.send(SshAsk::Close { session: SESSION });
    assert_eq!(closed(&mut client).await?.0, Exit::Cancelled);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_that_cannot_open_says_why() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "PermitTTY no")?;
    let mut client = lab.client();
    open(&client, None);
    let (exit, ..) = closed(&mut client).await?;
    assert!(
        matches!(&exit, Exit::Unreachable(why) if why.contains("refused to give a pseudo-terminal")),
        "{exit:?}"
    );
    lab.host("web1", web.port, "  ProxyCommand false")?;
    open(&client, Some(lab.at("two.cast")));
    let (exit, bytes, _) = closed(&mut client).await?;
    assert!(matches!(exit, Exit::Unreachable(_)));
    assert_eq!(bytes, 0);
    assert!(!lab.at("two.cast").exists(), "nothing to record");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_cannot_be_made_costs_no_session() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    open(&client, Some("/proc/no/such/place.cast".into()));
    shows(&client, "").await?;
    type_line(&client, "echo up=$((1+1)); exit");
    let (exit, bytes, error) = closed(&mut client).await?;
    assert_eq!((exit, bytes), (Exit::Code(0), 0));
    assert!(error.is_some_and(|why| why.contains("cannot record")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_session_showed_can_be_read_until_it_is_dismissed() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "")?;
    let mut client = lab.client();
    open(&client, None);
    client
        .until(|fact| matches!(fact, SshFact::SessionOpened { .. }).then_some(()))
        .await?;
    type_line(
        &client,
        "clear; seq -f 'line-%g.' 1 200; printf '\\033[?1049h\\033[Hfull-%s' screen",
    );
    shows(&client, "full-screen").await?;
    client.engine.send(SshAsk::Disconnect {
        target: client.target("web1"),
    });
    assert!(matches!(closed(&mut client).await?.0, Exit::Unreachable(_)));
    for _ in 0..5 {
        client.engine.send(SshAsk::Look {
            session: SESSION,
            look: Look::Scroll(30),
        });
    }
    shows(&client, "line-40.").await?;
    // A new session under the same name is possible only when the old one was given up.
    open(&client, None);
    client
        .until(|fact| matches!(fact, SshFact::Refused { .. }).then_some(()))
        .await?;
    client.engine.send(SshAsk::Close { session: SESSION });
    let again = client.target("web1");
    loop {
        open(&client, None);
        let opened = client.until(|fact| match fact {
            SshFact::SessionOpened { .. } => Some(true),
            SshFact::Refused { .. } => Some(false),
            _ => None,
        });
        if opened.await? {
            break;
        }
    }
    client.engine.send(SshAsk::Disconnect { target: again });
    Ok(())
}

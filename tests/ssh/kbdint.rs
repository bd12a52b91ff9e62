//! Questions and words of servers: rounds of keyboard-interactive, passwords, banners.
//!
//! Passwords of real accounts are nobody's to use, so the servers that ask run in this process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use quarterdeck::ssh::{ExecSpec, QuestionKind, Reply, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::quiz::{Quiz, Round, Wants};
use crate::support::sshd::keygen;

fn asking() -> ExecSpec {
    ExecSpec {
        interactive: true,
        ..ExecSpec::collect("echo in", 1000)
    }
}

async fn answer(client: &mut Client, reply: Reply) -> Result<QuestionKind, Failed> {
    let (id, hop, kind) = client
        .until(|fact| match fact {
            SshFact::Question { id, hop, kind, .. } => Some((*id, hop.clone(), kind.clone())),
            _ => None,
        })
        .await?;
    assert_eq!(hop, "web1", "a question names its hop");
    client.engine.send(SshAsk::Answer {
        question: id,
        reply,
    });
    Ok(kind)
}

fn text(words: &str) -> Reply {
    Reply::Text(words.to_owned().into())
}

async fn quiz(lab: &Lab, wants: Wants, lines: &str) -> Result<Quiz, Failed> {
    keygen(&lab.at("quiz"), "ed25519", "")?;
    let server = Quiz::start(&lab.at("quiz"), wants).await?;
    lab.know(server.port, &server.key)?;
    lab.host("web1", server.port, lines)?;
    Ok(server)
}

fn rounds() -> Vec<Round> {
    vec![
        Round {
            name: "",
            words: "A message was sent to your telephone.",
            prompts: &[],
            answers: &[],
        },
        Round {
            name: "First",
            words: "Two things\x1b[2J at once.",
            prompts: &[("Colour?", true), ("Secret: ", false)],
            answers: &["blue", "hunter2"],
        },
        Round {
            name: "",
            words: "",
            prompts: &[("Again: ", false)],
            answers: &["again"],
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialogue_of_several_rounds_is_led_to_its_end() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let wants = Wants {
        rounds: rounds(),
        banner: Some("Authorised\x07 use only.\n"),
        ..Wants::default()
    };
    let _server = quiz(&lab, wants, "").await?;
    let mut client = lab.client();
    // In the background nobody is asked, and it is told that a person could help.
    let done = client.run("web1", "true").await?;
    assert!(done.why().contains("nobody may be asked"), "{done:?}");
    assert!(done.why().contains("a person must answer"), "{done:?}");
    let asked = |client: &Client| {
        let mut facts = client.seen.iter();
        facts.any(|fact| matches!(fact, SshFact::Question { .. }))
    };
    assert!(!asked(&client));
    client.seen.clear();

    let req = client.start("web1", asking());
    let first = answer(&mut client, text("blue")).await?;
    let expected = QuestionKind::Text {
        prompt: "Authorised\u{2407} use only.\nFirst\nTwo things\u{241b}[2J at once.\nColour?"
            .to_owned(),
    };
    assert_eq!(first, expected, "the server's words, harmless, echoed");
    let second = answer(&mut client, text("hunter2")).await?;
    let expected = QuestionKind::Secret {
        prompt: "First\nTwo things\u{241b}[2J at once.\nSecret:".to_owned(),
    };
    assert_eq!(second, expected, "hidden, and the banner only once");
    answer(&mut client, text("again")).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    let said: Vec<&str> = client
        .seen
        .iter()
        .filter_map(|fact| match fact {
            SshFact::Said { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        said,
        [
            "Authorised\u{2407} use only.",
            "A message was sent to your telephone."
        ],
        "words without a question are told"
    );
    let printed = format!("{:?}", client.seen);
    assert!(!printed.contains("hunter2"), "no secret is printed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssh_answers_the_same_rounds() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let wants = Wants {
        rounds: rounds(),
        ..Wants::default()
    };
    let _server = quiz(&lab, wants, "").await?;
    let answers = lab.at("askpass");
    fs::write(
        &answers,
        "#!/bin/sh\ncase $1 in *Colour*) echo blue;; *Secret*) echo hunter2;; *Again*) echo again;; esac\n",
    )?;
    fs::set_permissions(&answers, fs::Permissions::from_mode(0o700))?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(lab.config()).args(["web1", "x"]);
    ssh.env("SSH_ASKPASS", &answers)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .stdin(std::process::Stdio::null());
    // The server lives in this runtime, so its threads must stay free.
    let out = tokio::task::spawn_blocking(move || ssh.output()).await??;
    assert_eq!(
        out.stdout,
        b"in\n",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_and_closed_questions_end_the_login() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let wants = Wants {
        rounds: vec![Round {
            name: "",
            words: "",
            prompts: &[("Word: ", false)],
            answers: &["right"],
        }],
        password: Some("right"),
        ..Wants::default()
    };
    let lines = "  NumberOfPasswordPrompts 2\n  PreferredAuthentications keyboard-interactive";
    let server = quiz(&lab, wants, lines).await?;
    let mut client = lab.client();
    let req = client.start("web1", asking());
    for _ in 0..2 {
        answer(&mut client, text("wrong")).await?;
    }
    let done = client.done(req).await?;
    let tried = "Tried: keyboard-interactive; keyboard-interactive.";
    assert!(done.why().contains(tried), "{done:?}");
    let req = client.start("web1", asking());
    answer(&mut client, Reply::No).await?;
    let done = client.done(req).await?;
    assert!(done.why().contains("(not answered)"), "{done:?}");
    // A question that was closed is not followed by the next method's.
    lab.host("web1", server.port, "")?;
    let mut client = lab.client();
    let req = client.start("web1", asking());
    answer(&mut client, Reply::No).await?;
    let done = client.done(req).await?;
    assert!(done.why().contains("(not answered)"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_password_logs_in() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let wants = Wants {
        banner: Some("Ask the desk for the word."),
        password: Some("right"),
        ..Wants::default()
    };
    let _server = quiz(&lab, wants, "").await?;
    let mut client = lab.client();
    let req = client.start("web1", asking());
    let kind = answer(&mut client, text("wrong")).await?;
    let QuestionKind::Secret { prompt } = kind else {
        return Err(format!("{kind:?}").into());
    };
    assert!(
        prompt.starts_with("Ask the desk for the word.\nPassword of "),
        "{prompt}"
    );
    assert!(prompt.ends_with(" on web1:"), "{prompt}");
    answer(&mut client, text("right")).await?;
    assert_eq!(client.done(req).await?.stdout, "in\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_an_exit_status_has_not_succeeded() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let wants = Wants {
        password: Some("right"),
        mute: true,
        ..Wants::default()
    };
    let _server = quiz(&lab, wants, "").await?;
    let mut client = lab.client();
    let req = client.start("web1", asking());
    answer(&mut client, text("right")).await?;
    let done = client.done(req).await?;
    assert_eq!((done.stdout.as_str(), done.exit.code()), ("in\n", 255));
    assert!(done.why().contains("without an exit status"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn banners_of_every_size_are_told_whole() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let banner = lab.at("banner");
    let web = lab.server("web1", "", &format!("Banner {}", banner.display()))?;
    for size in [0, 10, 100, 1000, 10_000, 100_000] {
        let words: String = ('a'..='y').cycle().take(size).collect();
        let lines: Vec<String> = words
            .as_bytes()
            .chunks(70)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let whole = lines.join("\n");
        fs::write(&banner, &whole)?;
        let mut client = lab.client();
        assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
        let told = client
            .until(|fact| match fact {
                SshFact::Connected { info, .. } => Some(info.banner.clone()),
                _ => None,
            })
            .await?;
        assert!(told == whole, "{size}: {} bytes", told.len());
        let said = client.seen.iter().find_map(|fact| match fact {
            SshFact::Said { text, hop, .. } if hop == "web1" => Some(text.len()),
            _ => None,
        });
        assert_eq!(said, (size > 0).then_some(whole.len()));
        let ssh = Command::new("ssh")
            .args(["-o", "BatchMode=yes", "-F"])
            .arg(lab.config())
            .args(["web1", "true"])
            .output()?;
        assert!(ssh.stderr == whole.as_bytes(), "ssh: {size}");
    }
    fs::write(&banner, "one\x1b]0;title\x07\r\ntwo\u{202e}")?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    let told = client
        .until(|fact| match fact {
            SshFact::Connected { info, .. } => Some(info.banner.clone()),
            _ => None,
        })
        .await?;
    assert_eq!(told, "one\u{241b}]0;title\u{2407}\ntwo\u{fffd}");
    assert!(web.logins() > 6);
    Ok(())
}

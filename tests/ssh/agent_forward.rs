//! Our agent on other hosts: there when the settings say so, and only then.

use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::ssh::{AgentChoice, Along, ExecSpec, SshAsk, SshFact};
use quarterdeck::term::Size;

use crate::support::lab::{Client, Done, Failed, Lab};
use crate::support::sshd::{Agent, keygen};

async fn run(
    client: &mut Client,
    host: &str,
    command: &str,
    agent: Option<bool>,
) -> Result<Done, Failed> {
    let along = Along {
        agent,
        ..Along::default()
    };
    let spec = ExecSpec {
        along: Some(along),
        ..ExecSpec::collect(command, 1 << 16)
    };
    let req = client.start(host, spec);
    client.done(req).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_is_there_when_the_settings_say_so() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let key = lab.at("lent");
    keygen(&key, "ed25519", "")?;
    let agent = Agent::start(&lab.at(""), &[&key])?;
    let web = lab.server("plain", "", "")?;
    lab.host("lends", web.port, "  ForwardAgent yes")?;
    let path = format!("  ForwardAgent {}", agent.socket.display());
    lab.host("path", web.port, &path)?;
    let mut client = lab.client_with(AgentChoice::Path(agent.socket.clone()));
    let list = "ssh-add -l || echo none";
    for (host, option, there) in [
        ("plain", None, false),
        ("lends", None, true),
        ("path", None, true),
        ("plain", Some(true), true),
        ("lends", Some(false), false),
    ] {
        let done = run(&mut client, host, list, option).await?;
        let seen = done.stdout.contains("ED25519");
        assert_eq!(seen, there, "{host} {option:?}: {done:?}");
    }
    let done = client.run("lends", list).await?;
    assert!(
        done.stdout.contains("none"),
        "not for background work: {done:?}"
    );
    let mut without = lab.client();
    let done = run(&mut without, "lends", list, None).await?;
    assert!(
        done.stdout.contains("none"),
        "without an agent nothing is lent: {done:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lent_agent_opens_the_next_door_and_not_the_bastions() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let agent = Agent::start(&lab.at(""), &[&lab.key()])?;
    let next = lab.server("next", "", "")?;
    let _bastion = lab.server("bastion", "  ForwardAgent yes", "")?;
    let web = lab.server("web", "  ProxyJump bastion\n  ForwardAgent yes", "")?;
    lab.host("quiet", web.port, "  ProxyJump bastion")?;
    let mut client = lab.client_with(AgentChoice::Path(agent.socket.clone()));
    // The far side has no key of its own: it logs in with ours, over the agent.
    let on = format!(
        "ssh -F none -o IdentityFile=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -p {} 127.0.0.1 echo in",
        next.port
    );
    let done = run(&mut client, "web", &on, None).await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    assert_eq!(next.logins(), 1);
    let done = run(&mut client, "quiet", &on, None).await?;
    assert_ne!(
        done.exit.code(),
        0,
        "the bastion's setting is not the target's: {done:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_whether_it_has_the_agent() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let agent = Agent::start(&lab.at(""), &[&lab.key()])?;
    let web = lab.server("plain", "", "")?;
    lab.host("lends", web.port, "  ForwardAgent yes")?;
    let mut client = lab.client_with(AgentChoice::Path(agent.socket.clone()));
    for (number, host, lent) in [(1u8, "plain", false), (2, "lends", true)] {
        let session = SessionId(EntityId::from_bytes([number; 16]));
        client.engine.send(SshAsk::Open {
            session,
            target: client.target(host),
            size: Size { cols: 80, rows: 24 },
            term: "xterm".to_owned(),
            recording: None,
        });
        let agent = client.until(|fact| match fact {
            SshFact::SessionOpened { session: of, agent } if *of == session => Some(*agent),
            _ => None,
        });
        assert_eq!(agent.await?, lent, "{host}");
    }
    Ok(())
}

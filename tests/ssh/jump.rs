//! The way through bastions.

use std::fs;

use quarterdeck::ssh::{ExecSpec, SshFact};

use crate::support::lab::{Failed, Lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_two_and_three_hops() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let a = lab.server("a", "", "")?;
    let b = lab.server("b", "  ProxyJump a", "")?;
    let c = lab.server("c", "", "")?;
    let web = lab.server("web", "", "")?;
    let mut client = lab.client();
    let direct = web.port;
    // The list overrules b's own way, and a list's first hop keeps its own.
    for (name, jump, via) in [
        ("web-a", "a", vec!["a"]),
        ("web-b", "b", vec!["a", "b"]),
        ("web-bc", "b,c", vec!["a", "b", "c"]),
    ] {
        lab.host(name, direct, &format!("  ProxyJump {jump}"))?;
        let done = client.run(name, "echo $SSH_CONNECTION").await?;
        assert_eq!(done.exit.code(), 0, "{done:?}");
        let seen = client
            .until(|fact| match fact {
                SshFact::Connected { target, info } if target.name == name => {
                    Some(info.via.clone())
                }
                _ => None,
            })
            .await?;
        assert_eq!(seen, via, "{name}");
    }
    let logins = [&a, &b, &c, &web].map(|server| server.logins());
    assert_eq!(logins, [1, 1, 1, 3], "each bastion was logged in to once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_hosts_behind_a_bastion_share_its_connection() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "", "MaxSessions 1")?;
    let web = lab.server("web", "", "")?;
    let mut client = lab.client();
    let mut reqs = Vec::new();
    for index in 0..8 {
        let way = format!("  ProxyJump {}@127.0.0.1:{}", user(), bastion.port);
        lab.host(
            &format!("web{index}"),
            web.port,
            &format!("{way}\n  HostKeyAlias web"),
        )?;
    }
    let key = web.host_key("ed25519")?;
    let known = fs::read_to_string(lab.known_hosts())?;
    fs::write(lab.known_hosts(), format!("{known}web {key}\n"))?;
    for index in 0..8 {
        reqs.push(client.start(&format!("web{index}"), ExecSpec::collect("echo in", 100)));
    }
    for req in reqs {
        let done = client.done(req).await?;
        assert_eq!(done.stdout, "in\n", "{done:?}");
    }
    // Whoever comes when it stands takes it too.
    assert_eq!(client.run("web3", "echo in").await?.stdout, "in\n");
    assert_eq!(bastion.logins(), 1);
    assert_eq!(
        web.logins(),
        1,
        "one user, address, port and way: one connection"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_targets_one_login_at_the_bastion() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "", "")?;
    let mut targets = Vec::new();
    for index in 0..4 {
        targets.push(lab.server(&format!("web{index}"), "  ProxyJump bastion", "")?);
    }
    let mut client = lab.client();
    let reqs: Vec<_> = (0..4)
        .map(|index| client.start(&format!("web{index}"), ExecSpec::collect("echo in", 100)))
        .collect();
    for req in reqs {
        assert_eq!(client.done(req).await?.stdout, "in\n");
    }
    assert_eq!(bastion.logins(), 1);
    for target in &targets {
        assert_eq!(target.logins(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn circles_and_dead_ends_are_named() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.host("x", 1, "  ProxyJump y")?;
    lab.host("y", 2, "  ProxyJump z")?;
    lab.host("z", 3, "  ProxyJump x")?;
    let mut client = lab.client();
    let done = client.run("x", "true").await?;
    assert!(
        done.why().contains("x \u{2192} y \u{2192} z \u{2192} x"),
        "{done:?}"
    );

    let _bastion = lab.server("bastion", "", "")?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    lab.host("dead", port, "  ProxyJump bastion")?;
    let done = client.run("dead", "true").await?;
    assert!(done.why().contains("through bastion"), "{done:?}");
    assert!(done.why().contains(&port.to_string()), "{done:?}");

    let _closed = lab.server("closed", "", "AllowTcpForwarding no")?;
    lab.host("behind", port, "  ProxyJump closed")?;
    let done = client.run("behind", "true").await?;
    assert!(done.why().contains("AllowTcpForwarding"), "{done:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_command_is_a_way_too() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web", "", "")?;
    // A stream that is no socket: netcat's work, done by the shell of the test machine.
    let relay = "bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'";
    lab.host("proxied", web.port, &format!("  ProxyCommand {relay}"))?;
    let mut client = lab.client();
    let done = client.run("proxied", "echo in").await?;
    assert_eq!(done.stdout, "in\n", "{done:?}");
    lab.host(
        "broken",
        web.port,
        "  ProxyCommand sh -c 'echo no way >&2; exit 1'",
    )?;
    let done = client.run("broken", "true").await?;
    assert!(done.why().contains("no way"), "{done:?}");
    Ok(())
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".to_owned())
}

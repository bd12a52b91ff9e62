//! The scenarios by which OpenSSH examines its own configuration, on our engine: conditions, includes, tokens, a very big
//! file, chains of jump hosts. Each is asked of the installed `ssh` as well, and of an engine that has no `ssh` to ask.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use quarterdeck::ssh::SshFact;

use crate::support::day::login;
use crate::support::lab::{Client, Failed, Lab};
use crate::support::sshd::{fingerprint, keygen};

use super::config_agrees::Pair;

/// Asks both readers for one option of some names.
async fn check(
    pair: &mut Pair,
    config: &Path,
    option: &str,
    expected: &[(&str, &[&str])],
) -> Result<(), Failed> {
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let text = fs::read_to_string(config)?;
    for (who, reader) in [("ssh", &mut pair.ssh), ("we", &mut pair.own)] {
        let answers = reader.ask(config, &names).await?;
        for ((name, wanted), answer) in expected.iter().zip(answers) {
            let answer = answer.map_err(|why| format!("{who} of {name}: {why}\n{text}"))?;
            assert_eq!(
                answer.all(option),
                *wanted,
                "{who}: {option} of {name} in\n{text}"
            );
        }
    }
    Ok(())
}

/// What a system's `ssh` makes of the same name.
fn system(config: &Path, name: &str, command: &str) -> Result<(bool, String), Failed> {
    let output = Command::new("ssh")
        .args([
            "-o",
            "BatchMode=yes",
            "-o",
            "ControlMaster=no",
            "-o",
            "ControlPath=none",
            "-F",
        ])
        .arg(config)
        .args([name, command])
        .env_remove("SSH_AUTH_SOCK")
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Our engines, with and without an `ssh` to ask.
fn clients(lab: &Lab) -> [(&'static str, Client); 2] {
    [
        ("with ssh", lab.client()),
        ("without ssh", lab.client_without_ssh()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_decide_block_by_block() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    let me = login();
    fs::write(
        &config,
        format!(
            "Match host a*,!ab exec \"true\"\n  User first\n\
             Match !host a* originalhost b,c\n  User second\n\
             Match originalhost d user {me}\n  HostName a.real\n\
             Match host a.real\n  User late\n\
             Match exec \"false\" user {me}\n  User never\n\
             Match localuser {me} originalhost e\n  User local\n\
             Host g\n  HostName g.real\nMatch originalhost g host g.real\n  User given\n\
             Match final originalhost h\n  User again\n\
             Match user second\n  Port 7\n\
             Match final originalhost f host f\n  Port 8\n\
             Match all\n  Port 9\n"
        ),
    )?;
    let mut pair = Pair::new();
    let users: &[(&str, &[&str])] = &[
        ("a1", &["first"]),
        ("ab", &[&me]),
        ("b", &["second"]),
        ("c", &["second"]),
        ("d", &["late"]),
        ("e", &["local"]),
        ("f", &[&me]),
        ("g", &["given"]),
        ("h", &["again"]),
    ];
    check(&mut pair, &config, "user", users).await?;
    let ports: &[(&str, &[&str])] = &[("b", &["7"]), ("a1", &["9"]), ("f", &["9"])];
    check(&mut pair, &config, "port", ports).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn includes_apply_where_they_stand() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let at = folder.path().display();
    let file = |name: &str, text: String| fs::write(folder.path().join(name), text);
    file(
        "config",
        format!(
            "Match host a\n  Include {at}/i.0 # a comment\nMatch host b\n  Include {at}/i.1\n\
             Match host c\n  Include {at}/i.2\nMatch host m\n  Include {at}/none\n\
             Match host p\n  Include {at}/p.0\n  User after\nMatch all\n  Include {at}/g.*\nHost d\n  HostName real-d\n\
             Include {at}/i.* {at}/i.0\n"
        ),
    )?;
    file(
        "i.0",
        "Match host a\n  HostName aa\nMatch host b\n  HostName bb\n".to_owned(),
    )?;
    file(
        "i.1",
        "Match host a\n  HostName aaa\nMatch all\n  HostName bbb\n".to_owned(),
    )?;
    file(
        "i.2",
        "Match host a\n  HostName aaaa\nMatch host c\n  HostName cc\n  Port 5\n".to_owned(),
    )?;
    // Lines before any block of an included file belong to the block that includes it, and its own blocks end with it.
    file("p.0", "Port 3\nMatch host x\n  Port 4\n".to_owned())?;
    file("g.1", "Match host q\n  HostName one\n".to_owned())?;
    file("g.2", "Match host r\n  HostName two\n".to_owned())?;
    let mut pair = Pair::new();
    let expected: &[(&str, &[&str])] = &[
        ("q", &["one"]),
        ("r", &["two"]),
        ("a", &["aa"]),
        ("b", &["bbb"]),
        ("c", &["cc"]),
        ("d", &["real-d"]),
        ("m", &["m"]),
        ("x", &["x"]),
    ];
    check(
        &mut pair,
        &folder.path().join("config"),
        "hostname",
        expected,
    )
    .await?;
    let ports: &[(&str, &[&str])] = &[("c", &["5"]), ("a", &["22"]), ("p", &["3"]), ("x", &["22"])];
    check(&mut pair, &folder.path().join("config"), "port", ports).await?;
    let users: &[(&str, &[&str])] = &[("p", &["after"]), ("x", &[&login()])];
    check(&mut pair, &folder.path().join("config"), "user", users).await?;

    // A path in quotes, a folder that is not there, and a file in itself.
    let odd = folder.path().join("odd");
    file("odd", format!("Include \"{at}/i.0\" {at}/none/*\nPort 6\n"))?;
    check(&mut pair, &odd, "port", &[("z", &["6"])]).await?;
    file("odd", format!("Include {}\n", odd.display()))?;
    for answer in pair
        .ssh
        .ask(&odd, &["z"])
        .await?
        .iter()
        .chain(&pair.own.ask(&odd, &["z"]).await?)
    {
        assert!(answer.is_err(), "a file in itself: {answer:?}");
    }
    for bad in ["Include \"\"\n", "Include\n", "Include /x \"y\n"] {
        file("odd", bad.to_owned())?;
        assert_eq!(
            pair.compare(&odd, &["z"], bad).await?,
            0,
            "{bad:?} is refused"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_is_what_ssh_makes_of_it() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web", "", "")?;
    let at = lab.at("").display().to_string();
    let all = "%d/%C-%h-%i-%k-%L-%l-%n-%p-%r-%u-%%-${LOGNAME_OF_TEST}";
    // A variable that every process has: names of files may hold anything but a slash.
    let all = all.replace("${LOGNAME_OF_TEST}", "${CARGO_PKG_NAME}");
    lab.configure(&format!(
        "  HostKeyAlias Some.Alias\n  ControlMaster auto\n  ControlPath {at}token/{all}\n  ControlPersist yes"
    ))?;
    // OpenSSH itself says what the tokens are, where it expands them before it prints.
    let mut pair = Pair::new();
    let answer = pair.ssh.ask(&lab.config(), &["web"]).await?;
    let answer = answer.into_iter().next().ok_or("one answer")??;
    let token = answer.get("controlpath").ok_or("a path")?.to_owned();
    let own = pair.own.ask(&lab.config(), &["web"]).await?;
    let own = own.into_iter().next().ok_or("one answer")??;
    assert_eq!(own.get("controlpath"), Some(token.as_str()));

    let folder = Path::new(&token).parent().ok_or("a file has a folder")?;
    fs::create_dir_all(folder)?;
    fs::rename(lab.key(), format!("{token}.key"))?;
    let key = web.host_key("ed25519")?;
    fs::write(
        format!("{token}.known"),
        format!("[some.alias]:{} {key}\nsome.alias {key}\n", web.port),
    )?;
    let relay = "exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3";
    let said = lab.at("said");
    let user = login();
    fs::write(
        lab.config(),
        format!(
            "Host web\n  HostName 127.0.0.1\n  Port {}\n  User {user}\n  HostKeyAlias Some.Alias\n\
             \x20 ControlMaster auto\n  ControlPath {at}cm-%C\n\
             \x20 IdentityFile {at}token/{all}.key\n  IdentitiesOnly yes\n  UserKnownHostsFile {at}token/{all}.known\n\
             \x20 GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n\
             \x20 ProxyCommand bash -c 'echo %% %h %k %n %p %r >> {}; {relay}' 2>/dev/null\n",
            web.port,
            said.display()
        ),
    )?;
    let marked = web.mark();
    for (who, mut client) in clients(&lab) {
        let done = client.run("web", "echo in").await?;
        assert_eq!(done.stdout, "in\n", "{who}: {done:?}");
    }
    let sockets = fs::read_dir(lab.at(""))?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("cm-"));
    assert_eq!(sockets.count(), 0, "a control socket is none of ours");
    let (good, words) = system(&lab.config(), "web", "echo in")?;
    assert!(good, "{words}");
    let opened = web.opened(marked);
    assert_eq!(opened.len(), 3);
    assert!(
        opened.iter().all(|one| Some(one) == opened.first()),
        "{opened:?}"
    );
    let line = format!("% 127.0.0.1 some.alias web {} {user}", web.port);
    let said = fs::read_to_string(said)?;
    assert_eq!(said.lines().collect::<Vec<_>>(), vec![line.as_str(); 3]);

    // A token that does not exist is refused, and so is a variable that is not set.
    for bad in [
        "UserKnownHostsFile /x/%z",
        "UserKnownHostsFile ${NO_SUCH_VARIABLE_HERE}/x",
        "RemoteCommand echo %z",
        "HostName %p",
        "IdentityAgent ${NO_SUCH_VARIABLE_HERE}",
    ] {
        fs::write(lab.config(), format!("{bad}\n"))?;
        for (who, reader) in [("ssh", &mut pair.ssh), ("we", &mut pair.own)] {
            let answer = reader.ask(&lab.config(), &["web"]).await?;
            assert!(answer.iter().all(Result::is_err), "{who} take {bad}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_very_big_file_is_only_big() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web", "", "")?;
    let mut text = String::new();
    for number in 0..40_000 {
        let _ = write!(
            text,
            "Host node{number} alias{number}.example\n  HostName 192.0.2.{}\n  Port {}\n  ProxyJump bastion{}\n",
            number % 250,
            1000 + number % 9000,
            number % 7
        );
    }
    text.push_str("Match all\n");
    text.push_str(&fs::read_to_string(lab.config())?);
    assert!(text.len() > 3_000_000, "{}", text.len());
    fs::write(lab.config(), text)?;
    for (who, mut client) in clients(&lab) {
        let done = client.run("web", "echo in").await?;
        assert_eq!(done.stdout, "in\n", "{who}: {done:?}");
    }
    assert_eq!(web.logins(), 2);
    let mut pair = Pair::new();
    let names = ["node39999", "alias7.example", "web", "nobody"];
    assert_eq!(
        pair.compare(&lab.config(), &names, "the big file").await?,
        names.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hops_with_an_own_key_each() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let mut servers = Vec::new();
    for name in ["one", "two", "three", "end"] {
        let key = lab.at(&format!("key-{name}"));
        keygen(&key, "ed25519", "")?;
        // Each server lets in its own key alone.
        let server = lab.server(
            name,
            &format!("  IdentityFile {}", key.display()),
            &format!("AuthorizedKeysFile {}.pub", key.display()),
        )?;
        servers.push((
            name,
            server,
            fingerprint(&lab.at(&format!("key-{name}.pub")))?,
        ));
    }
    let port = servers
        .last()
        .map(|(_, server, _)| server.port)
        .ok_or("four servers")?;
    let ports: Vec<u16> = servers.iter().map(|(_, server, _)| server.port).collect();
    let key = lab.at("key-end");
    let key = key.display();
    lab.host(
        "listed",
        port,
        &format!("  IdentityFile {key}\n  ProxyJump one,two,three"),
    )?;
    for (who, mut client) in clients(&lab) {
        let marks: Vec<usize> = servers.iter().map(|(_, server, _)| server.mark()).collect();
        let done = client.run("listed", "echo in").await?;
        assert_eq!(done.stdout, "in\n", "{who}: {done:?}");
        let info = client
            .until(|fact| match fact {
                SshFact::Connected { target, info } if target.name == "listed" => {
                    Some(info.clone())
                }
                _ => None,
            })
            .await?;
        assert_eq!(info.via, ["one", "two", "three"], "{who}");
        let noted = info
            .notes
            .iter()
            .any(|note| note.contains("client is not installed"));
        assert_eq!(noted, who == "without ssh", "{who}: {:?}", info.notes);
        for ((name, server, fingerprint), mark) in servers.iter().zip(marks) {
            server.log.wait(|text| {
                text.get(mark..)
                    .is_some_and(|text| text.contains("Accepted publickey"))
            });
            let opened = server.opened(mark);
            let keys: Vec<&String> = opened.iter().map(|one| &one.fingerprint).collect();
            assert_eq!(keys, [fingerprint], "{who} at {name}");
        }
    }
    let (good, words) = system(&lab.config(), "listed", "echo in")?;
    assert!(good, "{words}");

    // A login in the list goes to that hop alone.
    let stranger = ports.first().copied().unwrap_or_default();
    lab.host(
        "strange",
        port,
        &format!("  ProxyJump no-such-login@127.0.0.1:{stranger}"),
    )?;
    for (who, mut client) in clients(&lab) {
        let mark = servers.first().map_or(0, |(_, server, _)| server.mark());
        let done = client.run("strange", "echo in").await?;
        assert!(done.why().contains("no-such-login"), "{who}: {done:?}");
        let said = servers.first().is_some_and(|(_, server, _)| {
            server.log.wait(|text| {
                text.get(mark..)
                    .is_some_and(|text| text.contains("Invalid user no-such-login from 127.0.0.1"))
            })
        });
        assert!(said, "{who}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jumps_that_lead_nowhere_are_refused_by_both() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.host("self", 22, "  ProxyJump 127.0.0.1:22")?;
    lab.host("ring1", 1, "  ProxyJump ring2")?;
    lab.host("ring2", 2, "  ProxyJump ring1")?;
    let mut pair = Pair::new();
    assert_eq!(
        pair.compare(&lab.config(), &["self"], "a jump to itself")
            .await?,
        0
    );
    for (who, mut client) in clients(&lab) {
        let done = client.run("self", "true").await?;
        assert!(
            done.why().contains("jumphost loop via 127.0.0.1"),
            "{who}: {done:?}"
        );
        let done = client.run("ring1", "true").await?;
        assert!(
            done.why().contains("ring1 \u{2192} ring2 \u{2192} ring1"),
            "{who}: {done:?}"
        );
        let again = done.why().contains("ring2 \u{2192} ring1 \u{2192}");
        assert!(!again, "{who}, once round is enough: {done:?}");
    }
    let (good, words) = system(&lab.config(), "self", "true")?;
    assert!(!good && words.contains("jumphost loop"), "{words}");
    for bad in [
        "ProxyJump a,,b",
        "ProxyJump a:0",
        "ProxyJump fe80::1",
        "ProxyJump @a",
        "ProxyJump a, b",
        "ProxyJump ssh://a/path",
    ] {
        let config = lab.at("bad");
        fs::write(&config, format!("{bad}\n"))?;
        assert_eq!(
            pair.compare(&config, &["x"], bad).await?,
            0,
            "{bad} is refused"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_jump_and_command_wins() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    let mut pair = Pair::new();
    for (text, jump, command) in [
        ("ProxyJump a\nProxyCommand b\n", &["a"][..], &[][..]),
        ("ProxyCommand b\nProxyJump a\n", &[], &["b"]),
        ("ProxyCommand none\nProxyJump a\n", &[], &[]),
        ("ProxyJump none\nProxyCommand b\n", &[], &["b"]),
        ("ProxyJump none\nProxyJump a\n", &[], &[]),
        (
            "Host other\n ProxyCommand b\nHost *\n ProxyJump a\n",
            &["a"],
            &[],
        ),
        (
            "ProxyJump u@10.0.0.1:7,ssh://v@h:8\n",
            &["u@10.0.0.1:7,v@h:8"],
            &[],
        ),
    ] {
        fs::write(&config, text)?;
        check(&mut pair, &config, "proxyjump", &[("x", jump)]).await?;
        check(&mut pair, &config, "proxycommand", &[("x", command)]).await?;
    }
    Ok(())
}

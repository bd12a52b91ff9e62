//! Old servers: what the configuration allows for a host works there, and what is not done here says how to get in.

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Stdin};

use crate::support::lab::{Failed, Lab};
use crate::support::sshd::keygen;

/// A device of long ago, as far as today's sshd can be made one.
const OLD: &str = "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1\n\
                   Ciphers aes128-cbc,3des-cbc\nMACs hmac-sha1\nHostKeyAlgorithms ssh-rsa\n\
                   PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519";

/// What its owner writes for it.
const ALLOWED: &str = "  KexAlgorithms +diffie-hellman-group14-sha1,diffie-hellman-group1-sha1\n  \
                       HostKeyAlgorithms +ssh-rsa\n  PubkeyAcceptedAlgorithms +ssh-rsa\n  \
                       Ciphers +aes128-cbc,3des-cbc\n  MACs +hmac-sha1";

/// A server with an RSA host key; gives back its settings.
fn with_rsa(lab: &Lab, settings: &str) -> Result<String, Failed> {
    let key = lab.at("rsa_host");
    keygen(&key, "rsa", "")?;
    Ok(format!("{settings}\nHostKey {}", key.display()))
}

fn know_rsa(lab: &Lab, port: u16) -> Result<(), Failed> {
    let key = std::fs::read_to_string(lab.at("rsa_host.pub"))?;
    let words: Vec<&str> = key.split_whitespace().take(2).collect();
    lab.know(port, &words.join(" "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_server_is_reached_with_what_the_configuration_allows() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let settings = with_rsa(&lab, OLD)?;
    let web = lab.stranger("old", ALLOWED, &settings)?;
    know_rsa(&lab, web.port)?;
    for (name, lines) in [
        (
            "oldest",
            "  KexAlgorithms diffie-hellman-group1-sha1\n  Ciphers 3des-cbc",
        ),
        ("newest", ""),
    ] {
        lab.host(
            name,
            web.port,
            &format!(
                "{lines}\n{ALLOWED}\n  HostKeyAlias [127.0.0.1]:{}",
                web.port
            ),
        )?;
    }
    let mut client = lab.client();
    let input: Vec<u8> = (0..30_000_u32).flat_map(u32::to_be_bytes).collect();
    for name in ["old", "oldest"] {
        let req = client.start(
            name,
            ExecSpec {
                stdin: Stdin::Bytes(input.clone()),
                ..ExecSpec::collect("cat", 1 << 20)
            },
        );
        let done = client.done(req).await?;
        assert!(
            done.exit == Exit::Code(0) && done.out == input,
            "{name}: {:?}",
            done.exit
        );
    }
    let rows = client.engine.connections();
    let row = rows
        .iter()
        .find(|row| row.host == "old")
        .ok_or("a row is missing")?;
    assert_eq!(row.kex, "diffie-hellman-group14-sha1");
    assert_eq!(
        (row.cipher.as_str(), row.host_key.as_str()),
        ("aes128-cbc", "ssh-rsa")
    );
    assert!(!row.post_quantum);
    // The system's ssh gets in by the same lines.
    let output = std::process::Command::new("ssh")
        .arg("-F")
        .arg(lab.config())
        .args(["-o", "BatchMode=yes", "old", "echo in"])
        .env_remove("SSH_AUTH_SOCK")
        .output()?;
    assert_eq!(
        output.stdout,
        b"in\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_server_is_refused_in_words_without_such_lines() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let settings = with_rsa(&lab, OLD)?;
    let web = lab.stranger("old", "", &settings)?;
    know_rsa(&lab, web.port)?;
    let mut client = lab.client();
    let done = client.run("old", "true").await?;
    assert!(
        done.why().contains("no common key exchange algorithm"),
        "{done:?}"
    );
    assert!(
        done.why().contains("diffie-hellman-group1-sha1"),
        "{done:?}"
    );
    assert!(done.why().contains("openssh_hosts"), "{done:?}");
    let by_part = [
        ("KexAlgorithms +diffie-hellman-group14-sha1", "host key"),
        (
            "KexAlgorithms +diffie-hellman-group14-sha1\n  HostKeyAlgorithms +ssh-rsa",
            "cipher",
        ),
    ];
    for (number, (lines, missing)) in by_part.into_iter().enumerate() {
        let name = format!("part{number}");
        lab.host(&name, web.port, &format!("  {lines}"))?;
        let done = client.run(&name, "true").await?;
        assert!(
            done.why()
                .contains(&format!("no common {missing} algorithm")),
            "{done:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_rsa_keys_sign_with_sha1_only_where_that_is_allowed() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let key = lab.at("rsa_login");
    keygen(&key, "rsa", "")?;
    std::fs::copy(lab.at("rsa_login.pub"), lab.authorized())?;
    let lines = format!("  IdentityFile {}", key.display());
    let old = lab.server("old", &lines, "PubkeyAcceptedAlgorithms ssh-rsa")?;
    lab.host(
        "allowed",
        old.port,
        &format!("  PubkeyAcceptedAlgorithms ssh-rsa\n{lines}"),
    )?;
    let _new = lab.server("new", &lines, "")?;
    let mut client = lab.client();
    let done = client.run("old", "echo in").await?;
    assert!(done.why().contains("does not let"), "{done:?}");
    let log = old.log.clone();
    let allowed = client.run("allowed", "echo in").await?;
    assert_eq!(allowed.stdout, "in\n", "{allowed:?}\n{}", log.text());
    assert_eq!(client.run("new", "echo in").await?.stdout, "in\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_openssh_can_do_says_so() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let mut client = lab.client();
    let cases = [
        (
            "sntrup",
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            "  KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256",
            "key exchange",
        ),
        (
            "umac",
            "Ciphers aes128-ctr\nMACs umac-64@openssh.com",
            "  Ciphers aes128-ctr",
            "MAC",
        ),
    ];
    for (name, settings, lines, missing) in cases {
        let _server = lab.server(name, lines, settings)?;
        let done = client.run(name, "true").await?;
        assert!(
            done.why()
                .contains(&format!("no common {missing} algorithm")),
            "{done:?}"
        );
        assert!(done.why().contains("openssh_hosts"), "{done:?}");
    }
    // A server that has nothing better than sntrup in common with newer programs is reached by the classical exchange.
    let _web = lab.server("web1", "", "")?;
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    let rows = client.engine.connections();
    let row = rows
        .iter()
        .find(|row| row.host == "web1")
        .ok_or("a row is missing")?;
    assert!(!row.post_quantum, "{row:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_nothing_we_speak_is_an_error_and_not_a_default() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server(
        "web1",
        "  KexAlgorithms sntrup761x25519-sha512@openssh.com",
        "",
    )?;
    let _mac = lab.server(
        "web2",
        "  Ciphers aes128-ctr\n  MACs umac-64@openssh.com",
        "",
    )?;
    let mut client = lab.client();
    for name in ["web1", "web2"] {
        let done = client.run(name, "true").await?;
        assert!(done.why().contains("no common"), "{done:?}");
        assert!(done.why().contains("openssh_hosts"), "{done:?}");
    }
    Ok(())
}

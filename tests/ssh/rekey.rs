//! Everything that moves keys and bytes: new keys in the middle, every algorithm both sides know, sizes at every edge.

use std::time::Duration;

use quarterdeck::domain::run::Exit;
use quarterdeck::ssh::{ExecSpec, Stdin};

use crate::support::lab::{Client, Done, Failed, Lab};
use crate::support::sshd::Sshd;

/// Bytes that tell their place and do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_be_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// What a command wrote to its standard output; a talkative sshd writes to the other.
fn output(done: &Done) -> &[u8] {
    &done.out
}

/// Sends bytes through a command and gives back what comes out.
async fn through(
    client: &mut Client,
    host: &str,
    command: &str,
    input: Vec<u8>,
) -> Result<Vec<u8>, Failed> {
    let req = client.start(
        host,
        ExecSpec {
            stdin: Stdin::Bytes(input),
            ..ExecSpec::collect(command, 64 << 20)
        },
    );
    let done = client.done(req).await?;
    if done.exit != Exit::Code(0) {
        return Err(format!("{host}: {:?}: {}", done.exit, done.stderr).into());
    }
    Ok(output(&done).to_vec())
}

/// How often new keys came into force on a server.
fn exchanges(server: &Sshd) -> usize {
    server
        .log
        .text()
        .matches("SSH2_MSG_NEWKEYS received")
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_renewed_while_megabytes_move_both_ways() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let ours = lab.server("ours", "  RekeyLimit 256K", "LogLevel DEBUG1")?;
    let theirs = lab.server("theirs", "", "LogLevel DEBUG1\nRekeyLimit 256K")?;
    let both = lab.server(
        "both",
        "  RekeyLimit 300K\n  Ciphers aes128-ctr\n  MACs hmac-sha2-256",
        "LogLevel DEBUG1\nRekeyLimit 256K",
    )?;
    let plain = lab.server("plain", "", "LogLevel DEBUG1")?;
    let mut client = lab.client();
    let input = noise(3_000_000);
    for (name, server, least) in [
        ("ours", &ours, 3),
        ("theirs", &theirs, 3),
        ("both", &both, 3),
        ("plain", &plain, 1),
    ] {
        let back = through(&mut client, name, "cat", input.clone()).await?;
        assert!(back == input, "{name}: {} bytes came back", back.len());
        let count = exchanges(server);
        assert!(count >= least, "{name}: {count} exchanges");
        if least == 1 {
            assert_eq!(count, 1, "no limit, no exchange");
        }
        assert_eq!(server.logins(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_renewed_after_a_time() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "  RekeyLimit default 1", "LogLevel DEBUG1")?;
    let mut client = lab.client();
    let idle = client.start("web1", ExecSpec::collect("exec sleep 600", 100));
    let log = web.log.clone();
    let renewed = tokio::task::spawn_blocking(move || {
        log.wait(|text| text.matches("SSH2_MSG_NEWKEYS received").count() >= 3)
    });
    assert!(renewed.await?, "{}", web.log.text());
    assert_eq!(
        client.run("web1", "echo in").await?.stdout,
        "in\n",
        "beside {idle:?}"
    );
    assert_eq!(web.logins(), 1);
    Ok(())
}

/// Large groups take long in a program that is not optimised.
const PATIENT: &str = "  ConnectTimeout 60";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute of arithmetic without optimisation"]
async fn large_groups_work_too() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server(
        "direct",
        "",
        "LoginGraceTime 0\nKexAlgorithms +diffie-hellman-group-exchange-sha1",
    )?;
    let mut client = lab.client();
    for kex in [
        "group16-sha512",
        "group18-sha512",
        "group-exchange-sha256",
        "group-exchange-sha1",
    ] {
        let lines =
            format!("{PATIENT}\n  HostKeyAlias {kex}\n  KexAlgorithms diffie-hellman-{kex}");
        lab.host(kex, web.port, &lines)?;
        let known = format!("{kex} {}\n", web.host_key("ed25519")?);
        std::fs::write(lab.known_hosts(), known)?;
        assert_eq!(client.run(kex, "echo in").await?.stdout, "in\n", "{kex}");
    }
    Ok(())
}

/// One algorithm of each kind by each name: `(kex, cipher, mac)`.
fn combinations() -> Vec<(&'static str, &'static str, &'static str)> {
    const KEX: [&str; 8] = [
        "curve25519-sha256",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "curve25519-sha256@libssh.org",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group1-sha1",
    ];
    const BLOCK: [&str; 7] = [
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "3des-cbc",
    ];
    const MAC: [&str; 6] = [
        "hmac-sha1",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha1-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
    ];
    const SEALED: [&str; 3] = [
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ];
    let quick = KEX.iter().take(5).cycle();
    let pairs = BLOCK
        .iter()
        .flat_map(|cipher| MAC.iter().map(move |mac| (*cipher, *mac)));
    let pairs = pairs.chain(SEALED.iter().map(|cipher| (*cipher, "hmac-sha2-256")));
    let mut all: Vec<_> = quick
        .zip(pairs)
        .map(|(kex, (cipher, mac))| (*kex, cipher, mac))
        .collect();
    all.extend(KEX.iter().map(|kex| (*kex, "aes128-ctr", "hmac-sha2-256")));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_that_both_sides_know_carries_bytes() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let all = "KexAlgorithms +diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1\n\
               Ciphers +aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc\n\
               MACs +hmac-sha1,hmac-sha1-etm@openssh.com";
    let web = lab.stranger("direct", "", all)?;
    let mut text = String::new();
    for (number, (kex, cipher, mac)) in combinations().into_iter().enumerate() {
        text.push_str(&format!(
            "Host c{number}\n  HostName 127.0.0.1\n  Port {}\n  HostKeyAlias c{number}\n  KexAlgorithms {kex}\n  Ciphers {cipher}\n  MACs {mac}\n{PATIENT}\n",
            web.port
        ));
    }
    std::fs::write(lab.at("hosts").join("all"), text)?;
    std::fs::write(
        lab.known_hosts(),
        format!("c* {}\n", web.host_key("ed25519")?),
    )?;
    let mut client = lab.client();
    let input = noise(40_000);
    let runs: Vec<_> = (0..combinations().len())
        .map(|number| {
            let spec = ExecSpec {
                stdin: Stdin::Bytes(input.clone()),
                ..ExecSpec::collect("cat", 1 << 20)
            };
            client.start(&format!("c{number}"), spec)
        })
        .collect();
    let mut failed = Vec::new();
    for (req, combination) in runs.into_iter().zip(combinations()) {
        let done = client.done(req).await?;
        if done.exit != Exit::Code(0) || output(&done) != input {
            failed.push((combination, output(&done).len(), done.exit));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    // Nothing else was agreed on than what was asked for.
    let rows = client.engine.connections();
    for (number, (kex, cipher, _)) in combinations().into_iter().enumerate() {
        let name = format!("c{number}");
        let row = rows
            .iter()
            .find(|row| row.host == name)
            .ok_or("a row is missing")?;
        assert_eq!((row.kex.as_str(), row.cipher.as_str()), (kex, cipher));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_every_size_come_back_whole() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = lab.server("web1", "", "MaxSessions 100")?;
    let _squeezed = lab.server("squeezed", "  Compression yes", "MaxSessions 100")?;
    let mut client = lab.client();
    let sizes = [
        0, 1, 10, 31, 32, 33, 100, 255, 256, 1000, 1023, 1024, 4095, 4096, 8191, 8192, 16_383,
        16_384, 32_000, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 300_000,
    ];
    for host in ["web1", "squeezed"] {
        let runs = sizes.map(|size| {
            let spec = ExecSpec {
                stdin: Stdin::Bytes(noise(size)),
                ..ExecSpec::collect("cat", 1 << 20)
            };
            (size, client.start(host, spec))
        });
        for (size, req) in runs {
            let done = client.done(req).await?;
            assert!(
                done.exit == Exit::Code(0) && output(&done) == noise(size),
                "{host}: {size}: {:?}",
                done.exit
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_makes_repetitive_output_small_on_the_wire() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _squeezed = lab.server("squeezed", "  Compression yes", "")?;
    let mut client = lab.client();
    let req = client.start(
        "squeezed",
        ExecSpec::collect("yes | head -c 2000000", 4 << 20),
    );
    let done = client.done(req).await?;
    assert_eq!(output(&done).len(), 2_000_000);
    let rows = client.engine.connections();
    let row = rows.first().ok_or("there is a connection")?;
    assert!(row.bytes_in < 200_000, "{row:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_exit_codes_and_streams_of_many_commands() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("web1", "", "MaxSessions 100")?;
    let mut client = lab.client();
    client.run("web1", "true").await?;
    let codes: Vec<_> = [0, 1, 4, 5, 44, 255]
        .into_iter()
        .map(|code| {
            (
                code,
                client.start("web1", ExecSpec::collect(format!("exit {code}"), 10)),
            )
        })
        .collect();
    let input = noise(500_000);
    let streams: Vec<_> = (0..6)
        .map(|_| {
            let spec = ExecSpec {
                stdin: Stdin::Bytes(input.clone()),
                ..ExecSpec::collect("cat", 1 << 20)
            };
            client.start("web1", spec)
        })
        .collect();
    for (code, req) in codes {
        assert_eq!(client.done(req).await?.exit, Exit::Code(code));
    }
    for req in streams {
        let done = client.done(req).await?;
        assert!(output(&done) == input);
    }
    assert_eq!(web.logins(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thin_line_still_renews_keys() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "LogLevel DEBUG1")?;
    let line = crate::support::proxy::Line {
        delay: Duration::from_millis(5),
        rate: Some(4_000_000),
        ..Default::default()
    };
    let _line = lab.through("web1", &web, line, "  RekeyLimit 64K").await?;
    let mut client = lab.client();
    let input = noise(600_000);
    assert!(through(&mut client, "web1", "cat", input.clone()).await? == input);
    assert!(exchanges(&web) >= 2, "{}", exchanges(&web));
    Ok(())
}

//! The fleet against the OpenSSH client, which knows nothing of us and so tells the truth.

use std::error::Error;
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Instant;

use super::Fleet;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A fleet in a folder of its own.
pub(super) async fn fleet() -> Outcome<(TempDir, Fleet)> {
    let folder = tempfile::tempdir()?;
    let fleet = Fleet::start(folder.path()).await?;
    Ok((folder, fleet))
}

pub(super) fn ssh(fleet: &Fleet, arguments: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command
        .arg("-F")
        .arg(fleet.ssh_config())
        .args(["-o", "BatchMode=yes"])
        .args(arguments)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(super) async fn run(fleet: &Fleet, arguments: &[&str]) -> Outcome<Output> {
    let output =
        tokio::time::timeout(Duration::from_secs(60), ssh(fleet, arguments).output()).await;
    Ok(output
        .map_err(|_| format!("ssh {arguments:?} hangs"))?
        .map_err(|why| format!("cannot start the OpenSSH client: {why}; tests/run installs it"))?)
}

/// What a command prints; it must succeed and say nothing on stderr.
async fn said(fleet: &Fleet, host: &str, command: &str) -> Outcome<String> {
    let output = run(fleet, &[host, command]).await?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{host} {command}: {:?} {stderr}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// The capacity column of `df -P /`.
async fn fill(fleet: &Fleet, host: &str) -> Outcome<u32> {
    let text = said(fleet, host, "df -P /").await?;
    let row = text.lines().nth(1).ok_or("df prints a row")?;
    let cell = row
        .split_whitespace()
        .nth(4)
        .ok_or("the row has a capacity")?;
    Ok(cell.trim_end_matches('%').parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_open_host_answers_with_its_own_name() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    for host in fleet.hosts().iter().filter(|host| host.name != "legacy1") {
        assert_eq!(
            said(&fleet, host.name, "hostname; uname -n").await?,
            format!("{0}\n{0}", host.name)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_streams_and_input_pass_as_they_are() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    for (command, status, stdout, stderr) in [
        ("true", 0, "", ""),
        ("exit 7", 7, "", ""),
        ("echo out; echo err >&2; exit 3", 3, "out\n", "err\n"),
        ("no-such-command 2>/dev/null", 127, "", ""),
        (
            "pwd | sed 's|.*/hosts/||'; echo \"$USER $TERM\"",
            0,
            "web1/home\ndemo \n",
            "",
        ),
    ] {
        let output = run(&fleet, &["web1", command]).await?;
        assert_eq!(output.status.code(), Some(status), "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), stderr, "{command}");
    }
    // OpenSSH gives 255 for a command that a signal ended.
    assert_eq!(
        run(&fleet, &["web1", "kill -TERM $$"]).await?.status.code(),
        Some(255)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn much_input_comes_back_whole() -> Outcome {
    const SIZE: usize = 20 << 20;
    let (_folder, fleet) = fleet().await?;
    let data: Vec<u8> = (0..SIZE)
        .map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1])
        .collect();
    let mut child = ssh(&fleet, &["web1", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("stdin is piped")?;
    let sent = data.clone();
    let writing = tokio::spawn(async move { stdin.write_all(&sent).await });
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await??;
    writing.await??;
    assert!(output.status.success());
    assert!(
        output.stdout == data,
        "{} of {SIZE} bytes",
        output.stdout.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_one() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let output = run(
        &fleet,
        &[
            "-tt",
            "web1",
            "stty size; tty | cut -c 1-5; echo $TERM; exit 4",
        ],
    )
    .await?;
    let stdout = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let lines: Vec<&str> = stdout.lines().collect();
    // Without a terminal of its own the client does not know its size, so the usual one is taken.
    assert_eq!(lines.first(), Some(&"24 80"), "{stdout}");
    assert_eq!(lines.get(1), Some(&"/dev/"), "{stdout}");
    assert_eq!(output.status.code(), Some(4));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_greets_listens_and_leaves() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let mut child = ssh(&fleet, &["-tt", "web1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("stdin is piped")?;
    stdin
        .write_all(b"echo sum $((40 + 2)) on $(hostname)\nexit 5\n")
        .await?;
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await??;
    let stdout = String::from_utf8_lossy(&output.stdout);
    for part in [
        "sample host of `qd demo`",
        "as you.",
        "demo@web1$ ",
        "sum 42 on web1",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert_eq!(output.status.code(), Some(5));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_full_disk_is_full_until_it_is_cleaned() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    assert!(fill(&fleet, "web1").await? < 60);
    assert_eq!(fill(&fleet, "web2").await?, 97);
    let refused = run(&fleet, &["web2", "systemctl restart shop"]).await?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&fleet, "web2", "journalctl -u shop")
            .await?
            .contains("No space left on device")
    );
    let freed = said(&fleet, "web2", "log-clean").await?;
    assert!(freed.contains("freed 3.0G of archived journals"), "{freed}");
    assert_eq!(fill(&fleet, "web2").await?, 41);
    said(&fleet, "web2", "systemctl restart shop").await?;
    assert_eq!(
        said(&fleet, "web2", "systemctl is-active shop").await?,
        "active"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busy_host_is_cured_by_its_service() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let load = "read -r one _ <$QD_PROC/loadavg; echo $one";
    assert!(said(&fleet, "db1", load).await?.parse::<f64>()? > 12.0);
    assert!(
        said(&fleet, "db1", "ps")
            .await?
            .contains("report-builder: worker")
    );
    said(&fleet, "db1", "systemctl stop report-builder").await?;
    assert!(
        !said(&fleet, "db1", "ps")
            .await?
            .contains("report-builder: worker")
    );
    // The load falls as on a real machine, so wait for its first step down, not for its end.
    let falls = "read -r was _ <$QD_PROC/loadavg
        until read -r now _ <$QD_PROC/loadavg; [ \"${now%.*}\" -lt \"${was%.*}\" ]; do read -t 1 _ 2>/dev/null || sleep 1; done";
    said(&fleet, "db1", falls).await?;
    assert!(
        said(&fleet, "db1", "free -m")
            .await?
            .lines()
            .nth(1)
            .ok_or("free prints rows")?
            .ends_with("9200")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_advance() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let grows = "read -r _ was _ <$QD_PROC/stat
        until read -r _ now _ <$QD_PROC/stat; [ \"$now\" -gt \"$was\" ]; do sleep 1; done; echo grew";
    assert_eq!(said(&fleet, "web1", grows).await?, "grew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_closed_host_refuses_every_key() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let output = run(&fleet, &["legacy1", "true"]).await?;
    assert_eq!(output.status.code(), Some(255));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("Permission denied (publickey)"), "{stderr}");
    let stranger = run(&fleet, &["-l", "root", "web1", "true"]).await?;
    assert_eq!(stranger.status.code(), Some(255), "only one user is let in");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slow_host_is_late() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    // The connection is made first, so that only the answer is measured: the second command is written when the first
    // has been answered.
    let mut child = ssh(&fleet, &["slow1", "echo ready; read -r _; echo done"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("stdin is piped")?;
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(
        child.stdout.take().ok_or("stdout is piped")?,
    ));
    assert_eq!(lines.next_line().await?.as_deref(), Some("ready"));
    let asked = Instant::now();
    stdin.write_all(b"go\n").await?;
    assert_eq!(lines.next_line().await?.as_deref(), Some("done"));
    assert!(
        asked.elapsed() > Duration::from_millis(300),
        "{:?}",
        asked.elapsed()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_behind_the_bastion_cannot_be_reached_past_it() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let past = run(&fleet, &["-o", "ProxyJump=none", "web1", "true"]).await?;
    assert_eq!(past.status.code(), Some(255));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bastion_leads_nowhere_else() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let outside = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = outside.local_addr()?.port();
    for (way, through) in [
        (format!("127.0.0.1:{port}"), "bastion"),
        ("127.0.0.1:1".to_owned(), "bastion"),
        (format!("127.0.0.1:{port}"), "web1"),
    ] {
        let output = run(&fleet, &["-W", &way, through]).await?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(255),
            "{way} through {through}: {stderr}"
        );
        assert!(
            stderr.contains("administratively prohibited"),
            "{way} through {through}: {stderr}"
        );
    }
    outside.set_nonblocking(true)?;
    assert!(outside.accept().is_err(), "nobody came");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_the_fleet() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let mark = fleet.processes.mark().to_owned();
    // A job in the background, one in another session, and a shell that ignores what can be ignored.
    said(
        &fleet,
        "web1",
        "sleep 601 >/dev/null 2>&1 </dev/null & setsid sleep 602 >/dev/null 2>&1 </dev/null & true",
    )
    .await?;
    let mut stubborn = ssh(
        &fleet,
        &[
            "web1",
            "trap '' HUP TERM INT; echo up; while :; do sleep 603; done",
        ],
    )
    .stdout(Stdio::piped())
    .spawn()?;
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(
        stubborn.stdout.take().ok_or("stdout is piped")?,
    ));
    assert_eq!(lines.next_line().await?.as_deref(), Some("up"));
    assert!(super::processes::marked(&mark).len() >= 3);
    let port = fleet.hosts().first().ok_or("there are hosts")?.port;
    drop(fleet);
    assert_eq!(super::processes::marked(&mark), []);
    // The client sees its connection end, and nobody listens any more.
    assert!(
        !tokio::time::timeout(Duration::from_secs(30), stubborn.wait())
            .await??
            .success()
    );
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_command_along() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let mark = fleet.processes.mark().to_owned();
    for terminal in ["-T", "-tt"] {
        let mut child = ssh(&fleet, &[terminal, "web1", "echo up; exec sleep 604"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(
            child.stdout.take().ok_or("stdout is piped")?,
        ));
        let first = lines.next_line().await?.unwrap_or_default();
        assert_eq!(first.trim_end(), "up");
        child.kill().await?;
        let gone = async {
            while !super::processes::marked(&mark).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(30), gone)
                .await
                .is_ok(),
            "{terminal}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_waits_for_the_connections() -> Outcome {
    let (folder, fleet) = fleet().await?;
    let config = fleet.ssh_config().to_path_buf();
    said(&fleet, "web1", "true").await?;
    fleet.stop().await;
    assert!(config.exists());
    let again = Fleet::start(folder.path()).await;
    assert!(
        matches!(again, Err(super::DemoError::Occupied { .. })),
        "{again:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_is_private() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _fleet) = fleet().await?;
    for (path, mode) in [
        ("ssh", 0o700),
        ("ssh/config", 0o600),
        ("ssh/config.d/fleet.conf", 0o600),
        ("ssh/id_ed25519", 0o600),
        ("ssh/known_hosts", 0o600),
        ("hosts/web1", 0o700),
        ("hosts/web1/bin/df", 0o700),
    ] {
        let found = folder.path().join(path).metadata()?.permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
    Ok(())
}

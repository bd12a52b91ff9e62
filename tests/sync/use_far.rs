//! Sync as people use it with a place that is far: the real program, real OpenSSH servers, a real PostgreSQL.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use quarterdeck::term::Size;

use super::host_ssh::ONLY_SFTP;
use super::use_verbs::{Pair, until};
use crate::support::lab::{Failed, Lab};
use crate::support::postgres::Postgres;
use crate::support::pty::Terminal;

const SIZE: Size = Size {
    cols: 100,
    rows: 30,
};

/// Two homes that find the hosts of the lab, and a place on one of them.
pub(super) fn pair(lab: &Lab, place: &str) -> Result<Pair, Failed> {
    let mut pair = Pair::new();
    pair.place = Some(place.to_owned());
    for name in ["a", "b"] {
        let folder = pair.home(name).join("config");
        fs::create_dir_all(&folder)?;
        for path in [pair.home(name), folder.clone()] {
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        }
        let text = format!("[ssh]\ndefault_config = '{}'\n", lab.config().display());
        fs::write(folder.join("config.toml"), text)?;
    }
    Ok(pair)
}

/// From an empty place to tickets on both sides, and then changes both ways.
fn both_ways(pair: &Pair) {
    pair.fine("a", &["ticket", "add", "disk full on db1"]);
    pair.fine("b", &["ticket", "add", "certificate of web2"]);
    pair.init();
    pair.pair("b", "lap2");
    for name in ["a", "b"] {
        pair.fine(name, &["sync", "now"]);
        let both = ["certificate of web2", "disk full on db1"];
        assert_eq!(pair.titles(name), both, "{name}");
    }
    pair.fine("b", &["ticket", "add", "third"]);
    pair.fine("b", &["sync", "now"]);
    let synced = pair.json("a", &["sync", "now"]);
    assert!(synced["sync"]["learned"].as_u64() > Some(0), "{synced}");
    assert_eq!(pair.titles("a").len(), 3);
    let status = pair.json("a", &["sync", "status"]);
    assert_eq!(status["pending"], 0, "{status}");
    assert_eq!(
        (&status["fault"], &status["error"]),
        (&"".into(), &serde_json::Value::Null)
    );
    assert_eq!(status["remote"].as_str(), pair.place.as_deref());
    assert_eq!(status["devices"].as_array().map(Vec::len), Some(2));
    let text = pair.fine("b", &["sync", "status"]);
    assert!(text.contains(&pair.place()), "{text}");
}

pub(super) fn place_of(host: &str, folder: &Path) -> String {
    format!("ssh://{host}{}", folder.display())
}

#[test]
fn a_host_with_a_shell_is_a_place() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let shell = lab.server("shell", "", "")?;
    let pair = pair(&lab, &place_of("shell", &lab.at("bag")))?;
    both_ways(&pair);
    assert!(shell.log.text().contains("Starting session: command"));
    assert!(!shell.log.text().contains("subsystem"), "commands do");
    assert!(lab.at("bag").join("heads").is_dir());
    // A place where nobody made a space is told, and not made by whoever only joins.
    let typo = place_of("shell", &lab.at("bga"));
    pair.fine("b", &["sync", "leave"]);
    let said = pair.refused("b", 1, &["sync", "join", &typo]);
    assert!(said.contains("there is no sync folder"), "{said}");
    assert!(!lab.at("bga").exists());
    // The host goes away: words, and what was written waits.
    drop(shell);
    pair.fine("a", &["ticket", "add", "while it was gone"]);
    let said = pair.refused("a", 1, &["sync", "now"]);
    assert!(
        said.contains("cannot be reached") && said.contains("is safe"),
        "{said}"
    );
    let status = pair.json("a", &["sync", "status"]);
    assert_eq!(status["fault"], "unreachable", "{status}");
    assert!(status["pending"].as_u64() > Some(0), "{status}");
    Ok(())
}

#[test]
fn an_account_that_has_only_sftp_is_a_place_too_also_behind_a_bastion() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("bastion", "", "")?;
    // What lies in the account's home is named with `~`.
    let home = lab.at("account");
    fs::create_dir(&home)?;
    let only = format!("{ONLY_SFTP} -d {}", home.display());
    let files = lab.server("files", "  ProxyJump bastion", &only)?;
    let pair = pair(&lab, "ssh://files/~/bag")?;
    both_ways(&pair);
    assert!(home.join("bag").join("heads").is_dir());
    assert_eq!(
        bastion.logins(),
        files.logins(),
        "every way leads through the bastion"
    );
    assert!(files.logins() > 0);
    assert!(
        !files.log.text().contains("command 'sh"),
        "{}",
        files.log.text()
    );
    Ok(())
}

/// Forgets all host keys.
fn forget(lab: &Lab) -> Result<(), Failed> {
    fs::write(lab.known_hosts(), "")?;
    Ok(())
}

/// Says `sync now` in a terminal, says yes to the host's key, and waits for the end.
fn now_by_hand(pair: &Pair, name: &str) {
    let home = pair.home(name).display().to_string();
    let words = ["--home", &home, "sync", "now"];
    let mut terminal = Terminal::start(Pair::program(), &words, &[], SIZE);
    let screen = terminal.until_shows("Trust it and remember it");
    assert!(screen.contains("SHA256:"), "{screen}");
    terminal.keys("yes\r");
    let status = terminal.end();
    assert!(status.success(), "{}", terminal.screen());
    assert!(
        terminal.screen().contains("synced"),
        "{}",
        terminal.screen()
    );
}

#[test]
fn a_key_that_is_not_known_is_asked_by_hand_and_never_in_the_background() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _shell = lab.server("shell", "", "")?;
    let pair = pair(&lab, &place_of("shell", &lab.at("bag")))?;
    both_ways(&pair);
    // By a timer: no terminal.
    forget(&lab)?;
    pair.fine("b", &["ticket", "add", "of b"]);
    let mut timer = std::process::Command::new("setsid");
    timer
        .arg("-w")
        .arg(Pair::program())
        .arg("--home")
        .arg(pair.home("b"));
    let output = timer
        .args(["sync", "now"])
        .env("SSH_AUTH_SOCK", "")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("key"), "{said}");
    assert!(fs::read_to_string(lab.known_hosts())?.is_empty());
    now_by_hand(&pair, "b");
    assert!(!fs::read_to_string(lab.known_hosts())?.is_empty());

    // By an app: it says what to do, and a command that rides it asks where it was typed.
    forget(&lab)?;
    pair.fine("a", &["server", "start"]);
    until("the app says why", || {
        let status = pair.json("a", &["sync", "status"]);
        let error = status["error"].as_str().unwrap_or_default();
        error.contains("nothing is asked in the background") && error.contains("`qd sync now`")
    });
    now_by_hand(&pair, "a");
    assert!(pair.titles("a").contains(&"of b".to_owned()));
    until("all is well", || {
        pair.json("a", &["sync", "status"])["fault"] == ""
    });
    Ok(())
}

#[test]
fn an_app_syncs_over_the_connection_of_its_sessions() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let shell = lab.server("shell", "", "")?;
    let pair = pair(&lab, &place_of("shell", &lab.at("bag")))?;
    let config = lab.config().display().to_string();
    pair.fine("a", &["host", "import", "--from", "ssh-config", &config]);
    pair.fine("a", &["server", "start"]);
    pair.fine("a", &["ticket", "add", "disk full on db1"]);
    let home = pair.home("a").display().to_string();
    let mut window = Terminal::start(Pair::program(), &["--home", &home], &[], SIZE);
    window.until_shows("hosts");
    window.keys(":session open shell\r");
    window.until("a shell waits", |screen| {
        screen.contains("recording") && screen.contains('#')
    });
    assert_eq!(shell.logins(), 1);
    pair.init();
    pair.pair("b", "lap2");
    pair.fine("a", &["sync", "now"]);
    assert_eq!(
        shell.logins(),
        2,
        "the app came once, and the command of the other device once"
    );
    window.keys("echo still-$((40+2))\r");
    window.until_shows("still-42");

    // Others at the same ticket, over the host.
    pair.fine("b", &["sync", "now"]);
    pair.fine("b", &["server", "start"]);
    let other = pair.home("b").display().to_string();
    let mut there = Terminal::start(Pair::program(), &["--home", &other], &[], SIZE);
    there.keys("1");
    there.until_shows("disk full on db1");
    there.keys("\r");
    until("it is said", || {
        fs::read_dir(lab.at("bag").join("presence")).is_ok_and(|said| said.count() > 0)
    });
    let mut here = Terminal::start(Pair::program(), &["--home", &home], &[], SIZE);
    here.keys("1");
    here.until_shows("disk full on db1");
    here.keys("\r");
    here.until_shows("has this open too, on lap2");
    drop((window, there, here));
    Ok(())
}

/// Whether any file in a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> Result<bool, Failed> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file()
                && fs::read(&path)?
                    .windows(bytes.len())
                    .any(|part| part == bytes)
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[test]
fn a_database_is_a_place() -> Result<(), Failed> {
    let mut server = Postgres::start()?;
    let place = |login: &str| format!("postgres://{login}@127.0.0.1:{}/qd?bag=team-a", server.port);
    let mut pair = Pair::new();
    let passwords = pair.home("passwords");
    let keep = |password: &str| -> Result<(), Failed> {
        fs::write(
            &passwords,
            format!("127.0.0.1:{}:qd:owner:{password}\n", server.port),
        )?;
        Ok(fs::set_permissions(
            &passwords,
            Permissions::from_mode(0o600),
        )?)
    };
    pair.variables = vec![
        ("PGPASSFILE", passwords.display().to_string()),
        ("PGPASSWORD", String::new()),
    ];
    // A password in the address is refused before anything is kept of it.
    pair.fine("a", &["ticket", "ls"]);
    let secret = "Zm-sesame-41";
    for words in [
        place(&format!("owner:{secret}")),
        format!("{}&password={secret}", place("owner")),
    ] {
        for verb in ["init", "join"] {
            let output = pair.qd("a", &["sync", verb, &words]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{verb} {words}");
            assert!(said.contains(".pgpass") && !said.contains(secret), "{said}");
        }
    }
    assert!(
        !holds(&pair.home("a"), secret.as_bytes())?,
        "it is in a file"
    );
    assert_eq!(pair.qd("a", &["sync", "status"]).status.code(), Some(3));
    // A wrong one is told in words, and does not make this store half a member.
    let right = place("owner");
    pair.place = Some(right.clone());
    keep(secret)?;
    let said = pair.refused("a", 1, &["sync", "init", &right]);
    assert!(
        said.contains("password") && !said.contains(secret),
        "{said}"
    );
    assert_eq!(pair.qd("a", &["sync", "status"]).status.code(), Some(3));
    keep("owner's")?;
    // Nobody made a space there: whoever joins makes none.
    let said = pair.refused("b", 1, &["sync", "join", &right]);
    assert!(said.contains("qd sync init"), "{said}");
    both_ways(&pair);
    for name in ["a", "b"] {
        assert!(!holds(&pair.home(name), b"owner's")?, "{name}");
    }

    // The server dies and comes back: words, then everything.
    server.kill()?;
    pair.fine("a", &["ticket", "add", "while it was gone"]);
    let said = pair.refused("a", 1, &["sync", "now"]);
    assert!(
        said.contains("cannot be reached") && said.contains("bag=team-a"),
        "{said}"
    );
    assert_eq!(pair.json("a", &["sync", "status"])["fault"], "unreachable");
    server.restart()?;
    pair.fine("a", &["sync", "now"]);
    pair.fine("b", &["sync", "now"]);
    assert_eq!(pair.titles("a").len(), 4);
    assert_eq!(pair.titles("b"), pair.titles("a"));
    let devices = "SELECT count(*) FROM quarterdeck.head WHERE bag = 'team-a'";
    assert_eq!(server.admin("qd", devices)?, "2");
    Ok(())
}

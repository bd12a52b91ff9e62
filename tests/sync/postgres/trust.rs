//! Who is believed to be the server, who is let in, and what is said when not.

use std::os::unix::fs::PermissionsExt;

use quarterdeck::sync::{PostgresRemote, PostgresSurroundings, Remote, RemoteError};

use super::{refusal, server};
use crate::support::postgres::{Pooler, Postgres};

use super::Tested;

/// A session with a password file.
fn around(
    folder: &std::path::Path,
    password: &str,
) -> Result<PostgresSurroundings, std::io::Error> {
    let path = folder.join("pgpass");
    std::fs::write(
        &path,
        format!("*:*:qd:owner:{password}\n*:*:nowhere:owner:{password}\n"),
    )?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(PostgresSurroundings {
        passfile: Some(path),
        ..PostgresSurroundings::default()
    })
}

fn url(server: &Postgres, host: &str, database: &str, extra: &str) -> String {
    format!("postgres://owner@{host}:{}/{database}?{extra}", server.port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_believed_as_far_as_the_address_says() -> Tested {
    let server = server().await?;
    let home = tempfile::tempdir()?;
    let around = around(home.path(), "owner's")?;
    let ca = |name: &str| format!("sslrootcert={}", server.authority(name).display());
    let (own, stranger) = (ca("ca"), ca("stranger"));
    // The certificate is for localhost, and not for the number of the same machine.
    for (host, query, word) in [
        ("localhost", "sslmode=disable".to_owned(), None),
        ("127.0.0.1", "sslmode=prefer".to_owned(), None),
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        ("localhost", format!("sslmode=verify-full&{own}"), None),
        ("127.0.0.1", format!("sslmode=verify-ca&{own}"), None),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&{own}"),
            Some("not one for 127.0.0.1"),
        ),
        (
            "localhost",
            format!("sslmode=verify-full&{stranger}"),
            Some("vouches"),
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&{stranger}"),
            Some("vouches"),
        ),
        // A CA that is named counts.
        (
            "localhost",
            format!("sslmode=require&{stranger}"),
            Some("vouches"),
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=system".to_owned(),
            Some("sslrootcert="),
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/nowhere".to_owned(),
            Some("/nowhere"),
        ),
    ] {
        let address = url(&server, host, "qd", &query);
        let bag = PostgresRemote::open(&address, around.clone())?;
        let result = bag.heads().await;
        match word {
            None => assert_eq!(result?.names, [], "{address}"),
            Some(word) => {
                let why = refusal(result);
                assert!(matches!(why, RemoteError::Refused { .. }), "{why}");
                assert!(
                    why.is_permanent() && why.to_string().contains(word),
                    "{why}"
                );
            }
        }
    }
    // What was encrypted, the server knows.
    let log = server.log();
    let logins = |what: &str| {
        log.lines()
            .filter(|line| line.contains("connection authorized: user=owner"))
            .filter(|line| line.contains("SSL enabled") == (what == "TLS"))
            .filter(|line| !line.contains("[local]"))
            .count()
    };
    assert_eq!(logins("TLS"), 4, "{log}");

    // A server without TLS, as the pooler is here, is told so and not spoken to in clear.
    let pooler = Pooler::start(&server, &["owner"])?;
    for (query, works) in [("sslmode=prefer", true), ("sslmode=require", false)] {
        let address = format!("postgres://owner@127.0.0.1:{}/qd?{query}", pooler.port);
        let result = PostgresRemote::open(&address, around.clone())?
            .heads()
            .await;
        if works {
            assert_eq!(result?.names, []);
        } else {
            let why = refusal(result).to_string();
            assert!(why.contains("offers no TLS"), "{why}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_told_what_to_do() -> Tested {
    let server = server().await?;
    let home = tempfile::tempdir()?;
    let open = |address: &str, around: PostgresSurroundings| PostgresRemote::open(address, around);
    let none = PostgresSurroundings::default();
    let near = url(&server, "localhost", "qd", "");
    // The last word of the wrong password must not show.
    let wrong = around(home.path(), "hunter2")?;
    for (address, around, word) in [
        (near.clone(), wrong.clone(), ".pgpass"),
        (near.clone(), none.clone(), ".pgpass"),
        (
            server.socket("nobody", "qd", "main"),
            none.clone(),
            "does not let in nobody",
        ),
        (
            server.socket("owner", "nowhere", "main"),
            none.clone(),
            "have the database nowhere made",
        ),
        (
            server.socket("owner", "postgres", "main"),
            none.clone(),
            "the right one",
        ),
    ] {
        let why = refusal(open(&address, around)?.heads().await);
        assert!(matches!(why, RemoteError::Refused { .. }), "{why}");
        let text = why.to_string();
        assert!(text.contains(word) && !text.contains("hunter2"), "{text}");
    }
    // Asked once, not six times: an account may be locked after so many.
    let failed = "password authentication failed";
    let heard = |text: &str| {
        text.lines()
            .filter(|line| line.contains("FATAL") && line.contains(failed))
            .count()
    };
    assert_eq!(heard(&server.log()), 1, "{}", server.log());

    let right = around(home.path(), "owner's")?;
    assert_eq!(open(&near, right)?.heads().await?.names, []);
    let by_variable = PostgresSurroundings {
        password: Some("owner's".to_owned().into()),
        ..PostgresSurroundings::default()
    };
    assert_eq!(open(&near, by_variable)?.heads().await?.names, []);

    // A password that others can read is not used.
    let path = home.path().join("pgpass");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640))?;
    let shared = PostgresSurroundings {
        passfile: Some(path),
        ..PostgresSurroundings::default()
    };
    let why = refusal(open(&near, shared)?.heads().await).to_string();
    assert!(why.contains("chmod 600"), "{why}");

    // Nobody listens, or no such machine: unreachable, which passes.
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    drop(listener);
    for address in [
        format!("postgres://owner@127.0.0.1:{port}/qd"),
        format!("postgres://owner@/qd?host={}", home.path().display()),
    ] {
        let why = refusal(open(&address, none.clone())?.heads().await);
        assert!(matches!(why, RemoteError::Unreachable { .. }), "{why}");
        assert!(!why.is_permanent());
    }
    Ok(())
}

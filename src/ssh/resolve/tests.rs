//! The resolver on small configurations, against answers written by hand. The agreement with `ssh -G` itself is tested
//! with the whole program, in `tests/ssh/`.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

fn ask(name: &str, config: &Path) -> Result<Effective, String> {
    let question = Question {
        name,
        user: None,
        port: None,
        config: Some(config),
        deadline: Instant::now() + Duration::from_secs(10),
    };
    resolve_with(&question, &|name, _| name == "web.two.example.")
}

/// Reads `text` for `name` and compares `option=value` pairs; `!` before a pair list expects a refusal that says it.
fn check(text: &str, name: &str, expected: &[(&str, &[&str])]) -> Outcome {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    fs::write(
        &config,
        text.replace("@/", &format!("{}/", folder.path().display())),
    )?;
    let effective = ask(name, &config)?;
    for (option, values) in expected {
        assert_eq!(
            effective.all(option),
            *values,
            "{option} of {name} in\n{text}"
        );
    }
    Ok(())
}

#[test]
fn the_first_value_wins_and_lists_grow() -> Outcome {
    check(
        "Host web\n User a\n IdentityFile /one\nHost *\n User b\n IdentityFile /two\n IdentityFile /one\n SendEnv A B\n",
        "web",
        &[
            ("user", &["a"]),
            ("identityfile", &["/one", "/two"]),
            ("sendenv", &["A", "B"]),
            ("hostname", &["web"]),
            ("port", &["22"]),
            ("note", &[INSTEAD]),
        ],
    )
}

#[test]
fn a_second_pass_sees_the_final_name() -> Outcome {
    check(
        "CanonicalizeHostname yes\nCanonicalDomains one.example two.example\n\
         Match final host *.two.example\n User late\nHost web.two.example\n Port 7\n",
        "web",
        &[
            ("hostname", &["web.two.example"]),
            ("user", &["late"]),
            ("port", &["7"]),
        ],
    )
}

#[test]
fn what_cannot_be_done_is_named_with_its_place() -> Outcome {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    let at = config.display().to_string();
    for (text, says) in [
        (
            "Host a\n  Bogus x\n",
            "line 2: bad configuration option: bogus",
        ),
        ("Port 0\n", "line 1: port \"0\" is no port"),
        ("Host other\n\tPort x\n", "line 2: port"),
        ("\n\nHostName %z\n", "line 3: the token %z"),
        (
            "Match tagged x\n",
            "line 1: the Match condition \"tagged\" came after OpenSSH 9.2",
        ),
        (
            "\nUserKnownHostsFile /%z\n",
            "line 2: userknownhostsfile: the token %z",
        ),
        ("ProxyJump a\n", "jumphost loop via a"),
        (
            "\n\nInclude ~/no-such-file-here \"\"\n",
            "line 3: an empty path",
        ),
        (
            "CanonicalizeHostname yes\nCanonicalizeFallbackLocal no\n",
            "line 1: a is in none",
        ),
    ] {
        fs::write(&config, text)?;
        let why = ask("a", &config).expect_err(text);
        assert!(why.contains(says), "{text:?}: {why}");
        assert!(why.starts_with(&at) || why.starts_with("jumphost"), "{why}");
    }
    fs::write(&config, "\nCanonicalizePermittedCNAMEs *.a:*.b\n")?;
    let notes = ask("a", &config)?;
    let notes = notes.all(NOTES);
    assert!(
        notes.iter().any(|note| note.contains("line 2")),
        "{notes:?}"
    );
    Ok(())
}

#[test]
fn an_included_file_that_others_may_write_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (config, inner) = (folder.path().join("config"), folder.path().join("inner"));
    fs::write(&config, format!("Include {}\n", inner.display()))?;
    fs::write(&inner, "User x\n")?;
    assert_eq!(ask("a", &config)?.get("user"), Some("x"));
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o666))?;
    let why = ask("a", &config).expect_err("everybody may write to it");
    assert!(why.contains("chmod go-w"), "{why}");
    assert!(why.contains("included by"), "{why}");
    Ok(())
}

#[test]
fn a_loop_of_includes_ends() -> Outcome {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    fs::write(&config, format!("Include {}\n", config.display()))?;
    let why = ask("a", &config).expect_err("it includes itself");
    assert!(why.contains("more than 16 deep"), "{why}");
    Ok(())
}

#[test]
fn the_name_may_bring_a_login_and_a_port() -> Outcome {
    check(
        "User other\nPort 9\n",
        "ssh://me@web:22",
        &[("user", &["me"]), ("port", &["22"]), ("host", &["web"])],
    )?;
    check(
        "Port 9\n",
        "a@b@Web",
        &[("user", &["a@b"]), ("hostname", &["web"])],
    )
}

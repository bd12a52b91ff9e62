//! `qd cp`: files between hosts and this machine.

use serde::{Deserialize, Serialize};

use crate::domain::files::{CopyJob, Place};

use super::Command;
use super::row::Form::{Flag, Rest, Switch};
use super::row::{Arg, ArgError, Args, Danger, Row, Subject, Surface};

/// `qd cp`: files between hosts and this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyCommand {
    /// What is copied, where to and how.
    pub job: CopyJob,
    /// The ticket it is for.
    pub ticket: Option<String>,
}

const fn switch(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    Arg {
        name,
        form: Switch(short),
        required: false,
        subject: None,
        help,
    }
}

/// The verb. // tidy: table
pub(super) const ROWS: &[Row] = &[Row {
    id: "cp",
    title: "copy files",
    help: "Copies files between hosts and this machine over SFTP: the last place is the destination, and host:path is a place on a host.",
    args: &[
        Arg {
            name: "place",
            form: Rest,
            required: true,
            subject: None,
            help: "Sources and, last, the destination: a path, or host:path",
        },
        switch("recursive", Some('r'), "Folders with all that is in them"),
        switch("preserve", Some('p'), "Keep times and permissions"),
        switch("resume", None, "Go on where an earlier copy stopped"),
        Arg {
            name: "ticket",
            form: Flag(Some('T')),
            required: false,
            subject: Some(Subject::Ticket),
            help: "Record it on this ticket",
        },
    ],
    scopes: &[],
    keys: &[],
    danger: Danger::None,
    surface: Surface::Line,
    build,
}];

fn build(args: &Args) -> Result<Command, ArgError> {
    let bad = |why: String| ArgError::Bad { name: "place", why };
    let mut places = Vec::new();
    for text in args.all("place") {
        places.push(place(&text).map_err(bad)?);
    }
    let to = places.pop().ok_or(ArgError::Missing("place"))?;
    if places.is_empty() {
        return Err(bad(
            "a destination is missing; write for example: qd cp file web1:/tmp/".to_owned(),
        ));
    }
    Ok(Command::Copy(CopyCommand {
        job: CopyJob {
            from: places,
            to,
            recursive: args.has("recursive"),
            preserve: args.has("preserve"),
            resume: args.has("resume"),
        },
        ticket: args.text("ticket"),
    }))
}

/// Reads a place as `scp` does: `host:path`, `user@host:path`, `[::1]:path`, `sftp://host/path`; all else is a path here.
/// A colon after a slash belongs to a path, so `./a:b` is a file.
///
/// # Errors
/// In words, what cannot be meant.
pub fn place(text: &str) -> Result<Place, String> {
    if let Some(rest) = text.strip_prefix("sftp://") {
        return address(text, rest);
    }
    let here = || Place {
        host: None,
        path: text.to_owned(),
    };
    let (host, path) = match parts(text) {
        Some(parts) => parts,
        None if text.is_empty() => return Err("an empty path is no place".to_owned()),
        None => return Ok(here()),
    };
    if host.contains(char::is_control) || host.starts_with('-') {
        return Err(format!("{text:?} names no host that could be meant"));
    }
    Ok(Place {
        host: Some(host),
        path: path.to_owned(),
    })
}

/// Host and path, if there is a host.
fn parts(text: &str) -> Option<(String, &str)> {
    // An address in brackets has colons of its own; somebody may stand before it.
    let (user, bracketed) = match text.split_once("@[") {
        Some((user, rest)) if !user.contains(['/', ':']) => (Some(user), Some(rest)),
        _ => (None, text.strip_prefix('[')),
    };
    if let Some((address, path)) = bracketed.and_then(|rest| rest.split_once("]:"))
        && !address.is_empty()
        && !address.contains('/')
    {
        let host = match user {
            Some(user) => format!("{user}@{address}"),
            None => address.to_owned(),
        };
        return Some((host, path));
    }
    let (host, path) = text.split_once(':')?;
    (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), path))
}

fn address(text: &str, rest: &str) -> Result<Place, String> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match host.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, None),
        },
    };
    if port.is_some() {
        return Err(format!(
            "{text}: a port belongs into ssh_config, under a Host line of its own"
        ));
    }
    if host.is_empty() || host.starts_with('-') {
        return Err(format!("{text}: a host is missing"));
    }
    Ok(Place {
        host: Some(host.to_owned()),
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_scp_reads_them() {
        for (text, host, path) in [
            ("a", None, "a"),
            ("./a:b", None, "./a:b"),
            ("/x:y/z", None, "/x:y/z"),
            (":a", None, ":a"),
            ("web1:", Some("web1"), ""),
            ("web1:a:b", Some("web1"), "a:b"),
            ("web1:/var/log/*.log", Some("web1"), "/var/log/*.log"),
            ("mira@web1:~/x y", Some("mira@web1"), "~/x y"),
            ("[::1]:a", Some("::1"), "a"),
            ("mira@[fe80::1%eth0]:/a", Some("mira@fe80::1%eth0"), "/a"),
            ("[web1]:a", Some("web1"), "a"),
            ("[ab]c", None, "[ab]c"),
            ("sftp://web1/a/b", Some("web1"), "a/b"),
            ("sftp://mira@web1//etc/x", Some("mira@web1"), "/etc/x"),
            ("sftp://web1", Some("web1"), ""),
        ] {
            let place = place(text).expect("it is a place");
            assert_eq!(
                (place.host.as_deref(), place.path.as_str()),
                (host, path),
                "{text}"
            );
        }
        for text in [
            "",
            "-oProxyCommand=x:a",
            "sftp://web1:22/a",
            "sftp:///a",
            "a\nb:c",
        ] {
            assert!(place(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_last_place_is_the_destination() {
        let mut args = Args::default();
        args.push("place", "a");
        assert!(build(&args).is_err());
        args.push("place", "b");
        args.push("place", "web1:c");
        args.push("recursive", "");
        let Ok(Command::Copy(copy)) = build(&args) else {
            unreachable!("it is a copy")
        };
        assert_eq!((copy.job.from.len(), copy.job.to.path.as_str()), (2, "c"));
        assert!(copy.job.recursive && !copy.job.preserve && !copy.job.resume);
    }
}

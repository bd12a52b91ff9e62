//! Reads ssh_config(5) where OpenSSH's client is not installed and cannot be asked: the same answer as `ssh -G` of
//! OpenSSH 9.2 would give, or a refusal with file and line. A block that does not apply never sets anything.
//!
//! The way of a line: [`words`] cuts it, [`read`] knows the block and follows includes, [`conditions`] judges `Match`,
//! [`values`] checks and sets, [`state`] lets the first win, [`canonical`] settles the name, [`finish`] adds the defaults.

mod algorithms;
mod canonical;
mod conditions;
mod expand;
mod files;
mod finish;
mod forwards;
mod jump;
mod keywords;
mod numbers;
mod patterns;
mod read;
mod state;
mod values;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::domain::host::Effective;

pub(crate) use self::expand::tilde;
pub(crate) use self::files::{Owner, included};
use self::read::{Reader, Way};
use self::state::State;
pub(crate) use self::words::{arguments, keyword};
use super::stamps::account_home;

/// The pseudo option that holds what a person should know of the answer; `ssh -G` prints none of that name.
pub(crate) const NOTES: &str = "note";

/// What the answer says of itself.
const INSTEAD: &str = "OpenSSH's client is not installed, so the configuration was read without it, as OpenSSH 9.2 would; install it to be sure";

/// The system's configuration.
const SYSTEM: &str = "/etc/ssh/ssh_config";

/// What is asked: what the arguments of `ssh -G` would be.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    /// `name`, `user@name` or `ssh://…`.
    pub(crate) name: &'a str,
    /// As by `-l`.
    pub(crate) user: Option<&'a str>,
    /// As by `-p`.
    pub(crate) port: Option<u16>,
    /// As by `-F`; `None` reads the user's file and the system's.
    pub(crate) config: Option<&'a Path>,
    /// When the commands of `Match exec` must have ended.
    pub(crate) deadline: Instant,
}

/// Answers as `ssh -G` does. Reads files and runs the commands of `Match exec`, so it may block.
///
/// # Errors
/// What is wrong and where, in the words of a sentence.
pub(crate) fn resolve(question: &Question<'_>) -> Result<Effective, String> {
    resolve_with(question, &canonical::exists)
}

fn resolve_with(
    question: &Question<'_>,
    exists: canonical::Exists<'_>,
) -> Result<Effective, String> {
    let (user, original, port) = given(question)?;
    let mut reader = Reader {
        state: State::default(),
        host: original.clone(),
        original: &original,
        last: false,
        wants_last: false,
        deadline: question.deadline,
        places: BTreeMap::new(),
    };
    if let Some(user) = user {
        reader.state.once("user", user);
    }
    if let Some(port) = port {
        reader.state.once("port", port.to_string());
    }
    files(&mut reader, question.config)?;
    let set = match reader.state.get("hostname") {
        Some(set) => {
            expand::host_name(set, &original).map_err(|why| placed(&reader, "hostname", &why))?
        }
        None => original.clone(),
    };
    let host = canonical::name(&set, &reader.state, exists)
        .map_err(|why| placed(&reader, "canonicalizehostname", &why))?;
    aliases(&mut reader);
    if reader.wants_last
        || !matches!(
            reader.state.get("canonicalizehostname"),
            None | Some("false")
        )
    {
        // These were needed to settle the name, so the second pass cannot change them any more.
        for (option, value) in [
            ("canonicalizehostname", "false"),
            ("canonicalizemaxdots", "1"),
            ("canonicalizefallbacklocal", "yes"),
        ] {
            reader.state.once(option, value);
        }
        reader.last = true;
        reader.state.put("hostname", vec![host.clone()]);
        reader.host.clone_from(&host);
        files(&mut reader, question.config)?;
    }
    let Reader { state, places, .. } = reader;
    let notes = state.notes.clone();
    let mut effective = finish::finish(state, &original, &host).map_err(|why| {
        // The option stands before the colon; its place helps more than its name alone.
        let place = why
            .split([':', ' '])
            .next()
            .and_then(|option| places.get(option));
        place.map_or_else(|| why.clone(), |place| format!("{place}: {why}"))
    })?;
    let mut all = vec![INSTEAD.to_owned()];
    all.extend(notes);
    effective.options.insert(NOTES.to_owned(), all);
    Ok(effective)
}

/// The login, name and port that the question itself has.
fn given(question: &Question<'_>) -> Result<(Option<String>, String, Option<u16>), String> {
    let (mut user, mut port) = (question.user.map(str::to_owned), question.port);
    let name = if question.name.starts_with("ssh://") {
        let found = jump::destination(question.name)?;
        user = user.or(found.user);
        port = port.or(found.port);
        found.host
    } else {
        match question.name.rsplit_once('@') {
            Some(("", _)) => return Err("the login before the @ is empty".to_owned()),
            Some((login, name)) => {
                user = user.or_else(|| Some(login.to_owned()));
                name.to_owned()
            }
            None => question.name.to_owned(),
        }
    };
    Ok((user, name, port))
}

/// Reads the file that was named, or the user's and the system's.
fn files(reader: &mut Reader<'_>, config: Option<&Path>) -> Result<(), String> {
    match config {
        Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => Ok(()),
        Some(path) => {
            if reader.file(path, Way::new(Owner::User, false))? {
                Ok(())
            } else {
                Err(format!("{} does not exist", path.display()))
            }
        }
        None => {
            let own = account_home().join(".ssh/config");
            reader.file(&own, Way::new(Owner::User, true))?;
            reader.file(Path::new(SYSTEM), Way::new(Owner::System, false))?;
            Ok(())
        }
    }
}

/// Says that DNS aliases are not followed, if they were asked for.
fn aliases(reader: &mut Reader<'_>) {
    let wanted = !matches!(
        reader.state.get("canonicalizepermittedcnames"),
        None | Some("none")
    );
    if wanted {
        let note = placed(
            reader,
            "canonicalizepermittedcnames",
            "CanonicalizePermittedCNAMEs is left out: aliases in DNS are followed by OpenSSH's client alone; name the host by its real name",
        );
        reader.state.note(note);
    }
}

/// A message with the place where the option was set, if it was.
fn placed(reader: &Reader<'_>, option: &str, why: &str) -> String {
    match reader.places.get(option) {
        Some(place) => format!("{place}: {why}"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests;

//! Commands that read an argument a second time as code: `eval`, `sh -c`, `ssh host …`.
//!
//! A guard for honest authors, not a proof: a program can always be asked to run what it is given.

const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "ksh", "su", "runuser", "sg", "script", "flock", "python",
    "python3",
];

const SCRIPTED: &[&str] = &["perl", "ruby", "node", "php", "lua"];

/// Options of OpenSSH's client that take a value (ssh(1)).
const SSH_VALUED: &str = "BbcDEeFIiJLlmOopPQRSWw";

/// The command that will read the next word as code, if one does. `words` are the finished words of the command so far.
pub(super) fn evaluator(words: &[String]) -> Option<String> {
    let bare = |word: &String| {
        word.rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_start_matches('\\')
            .to_owned()
    };
    let names: Vec<String> = words.iter().map(bare).collect();
    if let Some(name) = names
        .iter()
        .find(|name| matches!(name.as_str(), "eval" | "let" | "watch"))
    {
        return Some(name.clone());
    }
    let last = words.last()?;
    if last == "trap" {
        return Some("trap".to_owned());
    }
    let flag = |letter| last.starts_with('-') && !last.starts_with("--") && last.ends_with(letter);
    let among = |known: &[&str]| {
        names
            .iter()
            .find(|name| known.contains(&name.as_str()))
            .cloned()
    };
    if (flag('c') || last == "--command")
        && let Some(name) = among(SHELLS)
    {
        return Some(format!("{name} -c"));
    }
    if (flag('e') || flag('E') || flag('r'))
        && let Some(name) = among(SCRIPTED)
    {
        return Some(format!("{name} {last}"));
    }
    if last == "<<<" {
        return reader(words, "");
    }
    let ssh = names.iter().position(|name| name == "ssh")?;
    past_destination(words.get(ssh + 1..)?).then(|| "the remote shell of ssh".to_owned())
}

/// The program that reads a here-document as code: in the command before `<<`, or in the rest of that line.
pub(super) fn reader(words: &[String], rest: &str) -> Option<String> {
    words
        .iter()
        .map(String::as_str)
        .chain(rest.split([' ', '\t', '|', ';', '&']))
        .map(|word| word.rsplit('/').next().unwrap_or_default())
        .find(|name| *name == "ssh" || SHELLS.contains(name) || SCRIPTED.contains(name))
        .map(str::to_owned)
}

/// Whether the arguments of `ssh` so far hold the destination, so that the next one is a command.
fn past_destination(arguments: &[String]) -> bool {
    let mut value_follows = false;
    for argument in arguments {
        if value_follows {
            value_follows = false;
        } else if let Some(option) = argument.strip_prefix('-') {
            value_follows = option.len() == 1 && SSH_VALUED.contains(option);
        } else {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_evaluate_are_known() {
        for (line, evaluates) in [
            ("eval", true),
            ("echo", false),
            ("bash -c", true),
            ("sudo -n /bin/sh -ec", true),
            ("sh -c code sh", false),
            ("grep -c", false),
            ("su - mira -c", true),
            ("python3 -c", true),
            ("perl -e", true),
            ("grep -e", false),
            ("ssh", false),
            ("ssh -p 22 -v", false),
            ("ssh -p 22 web1", true),
            ("ssh web1 systemctl restart", true),
            ("trap", true),
            ("trap code", false),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(evaluator(&words).is_some(), evaluates, "{line}");
        }
        assert_eq!(evaluator(&[]), None);
    }
}

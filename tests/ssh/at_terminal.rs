//! `qd ssh` and the system's `ssh`, side by side on one server, with pipes or in a real terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use quarterdeck::term::Size;

use crate::support::lab::{Failed, Lab};
use crate::support::pty::Terminal;
use crate::support::sshd::Sshd;

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Our program.
    Ours,
    /// Our program, told to use the system's `ssh`.
    Second,
    /// The system's `ssh`.
    Theirs,
}

/// All of them.
pub(crate) const ALL: [Client; 3] = [Client::Ours, Client::Second, Client::Theirs];

/// One server, and a home for each of our ways to it.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) web: Sshd,
}

impl Bench {
    /// A server `web1`; `lines` are its settings in ssh_config.
    pub(crate) fn new(lines: &str, sshd: &str) -> Result<Self, Failed> {
        let lab = Lab::new()?;
        let web = lab.server("web1", lines, sshd)?;
        for (home, hosts) in [("home", ""), ("second", "'web*'")] {
            let folder = lab.at(home).join("config");
            std::fs::create_dir_all(&folder)?;
            for path in [lab.at(home), folder.clone()] {
                private(&path)?;
            }
            let text = format!(
                "[ssh]\ndefault_config = '{}'\nopenssh_hosts = [{hosts}]\n",
                lab.config().display()
            );
            std::fs::write(folder.join("config.toml"), text)?;
        }
        Ok(Self { lab, web })
    }

    /// The program and its words up to the host; `options` stand before it.
    pub(crate) fn words(&self, client: Client, options: &[&str]) -> (PathBuf, Vec<String>) {
        let mut words: Vec<String> = Vec::new();
        let program = match client {
            Client::Theirs => {
                words.extend(["-F".to_owned(), self.lab.config().display().to_string()]);
                PathBuf::from("/usr/bin/ssh")
            }
            Client::Ours | Client::Second => {
                let home = if client == Client::Ours {
                    "home"
                } else {
                    "second"
                };
                let home = self.lab.at(home).display().to_string();
                words.extend(["--home".to_owned(), home, "ssh".to_owned()]);
                PathBuf::from(env!("CARGO_BIN_EXE_qd"))
            }
        };
        words.extend(options.iter().map(|word| (*word).to_owned()));
        words.push("web1".to_owned());
        (program, words)
    }

    /// The command, with pipes.
    pub(crate) fn command(&self, client: Client, options: &[&str], command: &str) -> Command {
        let (program, words) = self.words(client, options);
        let mut made = Command::new(program);
        made.args(words)
            .args((!command.is_empty()).then_some(command))
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        made
    }

    /// Runs a command to its end with this on standard input.
    pub(crate) fn run(
        &self,
        client: Client,
        options: &[&str],
        command: &str,
        stdin: &[u8],
    ) -> Output {
        crate::support::day::run(self.command(client, options, command), stdin)
    }

    /// Starts it in a terminal.
    pub(crate) fn terminal(&self, client: Client, options: &[&str], command: &[&str]) -> Terminal {
        let (program, words) = self.words(client, options);
        let words: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .chain(command.iter().copied())
            .collect();
        let size = Size { cols: 91, rows: 27 };
        Terminal::start(&program, &words, &[], size)
    }
}

/// What a program wrote on a stream, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn private(path: &Path) -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

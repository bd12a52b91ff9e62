//! A small network on loopback: a bastion, targets behind it, an ssh_config with Include and ProxyJump, and a home for qd.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::sshd::{Sshd, keygen};

/// The network and the home.
pub(crate) struct Day {
    folder: TempDir,
    config: String,
    home: String,
    program: PathBuf,
    /// The way in.
    pub(crate) bastion: Sshd,
    /// What is behind it: `web1`, `web2`, …
    pub(crate) targets: Vec<Sshd>,
}

impl Day {
    /// Starts a bastion and so many targets.
    pub(crate) fn start(targets: usize) -> Self {
        Self::start_with(targets, "")
    }

    /// The same with these lines in the configuration of the servers.
    pub(crate) fn start_with(targets: usize, extra: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = |name: &str| folder.path().join(name);
        keygen(&path("id"), "ed25519", "").expect("a key can be made");
        let server = |name: &str| {
            // Files start in the server's own folder, not in the home of whoever runs the tests.
            let files = format!(
                "{extra}\nSubsystem sftp internal-sftp -d {}",
                path(name).display()
            );
            Sshd::start(&path(name), &path("id.pub"), &files).expect("sshd is installed and starts")
        };
        let bastion = server("bastion");
        let targets: Vec<Sshd> = (1..=targets)
            .map(|number| server(&format!("web{number}")))
            .collect();
        let known: String = std::iter::once(&bastion)
            .chain(&targets)
            .map(known_hosts_line)
            .collect();
        write(&path("known_hosts"), &known);
        let mut inner = String::new();
        for (number, target) in (1..).zip(&targets) {
            inner.push_str(&format!(
                "Host web{number}\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump bastion\n",
                target.port
            ));
        }
        std::fs::create_dir(path("config.d")).expect("a folder can be made");
        write(&path("config.d/targets.conf"), &inner);
        let at = folder.path().display();
        let config = format!(
            "Include {at}/config.d/*.conf\n\nHost bastion\n  HostName 127.0.0.1\n  Port {}\n\nHost *\n  User {}\n  IdentityFile {at}/id\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {at}/known_hosts\n  GlobalKnownHostsFile /dev/null\n",
            bastion.port,
            login(),
        );
        write(&path("config"), &config);
        let (config, home) = (text(&path("config")), text(&path("home")));
        Self {
            folder,
            config,
            home,
            // Benches measure a build that is meant for people.
            program: std::env::var_os("QD")
                .map_or_else(|| env!("CARGO_BIN_EXE_qd").into(), PathBuf::from),
            bastion,
            targets,
        }
    }

    /// One more name for the bastion, by a line that leads to it from this port.
    pub(crate) fn add_way(&self, name: &str, port: u16) {
        let block = format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n");
        write(
            &self.folder.path().join(format!("config.d/{name}.conf")),
            &block,
        );
        let known = self.folder.path().join("known_hosts");
        let text = std::fs::read_to_string(&known).expect("it can be read");
        let line = known_hosts_line(&self.bastion);
        let key = line.split_once(' ').expect("a name and a key").1;
        write(&known, &format!("{text}[127.0.0.1]:{port} {key}"));
    }

    /// One more name for the first target, behind this host.
    pub(crate) fn add_behind(&self, name: &str, jump: &str) {
        let port = self.targets.first().expect("there is a target").port;
        let block =
            format!("Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump {jump}\n");
        write(
            &self.folder.path().join(format!("config.d/{name}.conf")),
            &block,
        );
    }

    /// Imports the config.
    pub(crate) fn import(&self) {
        let output = self.qd(&["host", "import", "--from", "ssh-config", &self.config]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The ssh_config's path.
    pub(crate) fn config_text(&self) -> &str {
        &self.config
    }

    /// The home's path.
    pub(crate) fn home_text(&self) -> &str {
        &self.home
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The folder of everything.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file with this text; its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        write(&path, content);
        text(&path)
    }

    /// Runs the program.
    pub(crate) fn qd(&self, args: &[&str]) -> Output {
        self.qd_with_stdin(args, b"")
    }

    /// Runs the program with this on its standard input.
    pub(crate) fn qd_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Output {
        run(self.command(args), stdin)
    }

    /// The program with its home, to be altered and run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command
            .args(["--home", &self.home])
            .args(args)
            .env("HOME", super::home())
            .env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs the program and reads its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.qd(args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|why| {
            unreachable!(
                "{args:?}: {why}: {}",
                String::from_utf8_lossy(&output.stdout)
            )
        })
    }
}

/// Runs a command with this on its standard input.
pub(crate) fn run(mut command: Command, stdin: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("standard input is a pipe");
    let bytes = stdin.to_vec();
    let feeder = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child
        .wait_with_output()
        .expect("the program can be waited for");
    drop(feeder.join());
    output
}

/// Who runs the tests.
pub(crate) fn login() -> String {
    let output = Command::new("id").arg("-un").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn write(path: &PathBuf, content: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("a file can be made");
    file.write_all(content.as_bytes())
        .expect("a file can be written");
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A server's line in known_hosts.
pub(crate) fn known_hosts_line(server: &Sshd) -> String {
    format!(
        "[127.0.0.1]:{} {}\n",
        server.port,
        server.host_key("ed25519").expect("its key can be read")
    )
}

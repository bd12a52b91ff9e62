//! A real PostgreSQL server and a real pooler before it, in a folder of the test, gone with it whatever happens.
//!
//! The server listens on a free port of 127.0.0.1 and on a socket in its folder, flushes like any other, has a certificate
//! for `localhost` from an authority of its own, and never runs as root.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::lab::Failed;
use super::process::{gone, signal};
use super::sshd::Log;

/// Who runs the server when the tests run as root, and that user's number.
const NOBODY: (&str, &str, u32) = ("nobody", "nogroup", 65534);

/// How much memory must be free for the files of servers.
const MEMORY: u64 = 2 << 30;

/// Starts a program and writes down its number; kills it when the one who started it is gone, or says so.
const GUARDIAN: &str = r#""$@" & echo $!; read -r _; kill -9 $! 2>/dev/null"#;

/// Whether this test runs as root, for whom nothing here runs.
fn is_root(folder: &Path) -> Result<bool, Failed> {
    Ok(fs::metadata(folder)?.uid() == 0)
}

/// A program, as somebody without rights.
fn unprivileged(root: bool, program: &Path) -> Command {
    if root {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={}", NOBODY.0))
            .arg(format!("--regid={}", NOBODY.1))
            .args(["--clear-groups", "--no-new-privs"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn checked(command: &mut Command) -> Result<String, Failed> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("{command:?}: {said}").into())
}

/// The newest server programs: in the PATH, or where Debian has them.
fn programs() -> Result<PathBuf, Failed> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions
                .flatten()
                .map(|version| version.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found
        .into_iter()
        .find(|folder| folder.join("initdb").is_file())
        .ok_or_else(|| "no PostgreSQL server is installed; tests/run installs one".into())
}

/// A program with its guardian.
struct Guarded {
    guardian: Child,
    pid: u32,
    log: Log,
}

impl Guarded {
    fn start(command: &Command) -> Result<Self, Failed> {
        let mut guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            // Nobody may enter the folder that the test began in.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Log::default();
        log.follow(guardian.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        BufReader::new(guardian.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        Ok(Self {
            guardian,
            pid: line.trim().parse()?,
            log,
        })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Its end is what the guardian waits for.
        drop(self.guardian.stdin.take());
        self.guardian.wait().ok();
    }
}

/// A server.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    root: bool,
    pub(crate) port: u16,
    running: Option<Guarded>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

impl Postgres {
    /// A new server with an empty database `qd` and its owner `owner`, who has the password `owner's`.
    /// Its files lie in memory where there is enough: what these tests kill is processes, which no file notices.
    pub(crate) fn start() -> Result<Self, Failed> {
        let memory = Path::new("/dev/shm");
        let folder = match rustix::fs::statvfs(memory) {
            Ok(free) if free.f_bavail.saturating_mul(free.f_frsize) > MEMORY => {
                tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir())?
            }
            _ => tempfile::tempdir()?,
        };
        Self::start_in(folder)
    }

    /// The same on a disk, where flushing costs what it costs.
    pub(crate) fn start_on_disk() -> Result<Self, Failed> {
        Self::start_in(tempfile::tempdir()?)
    }

    fn start_in(folder: TempDir) -> Result<Self, Failed> {
        let mut server = Self {
            root: is_root(folder.path())?,
            folder,
            programs: programs()?,
            port: 0,
            running: None,
        };
        fs::set_permissions(server.folder.path(), Permissions::from_mode(0o755))?;
        fs::create_dir(server.at("socket"))?;
        server.give_away(&server.at("socket"))?;
        server.lay_data()?;
        server.certify("ca", "server", "DNS:localhost")?;
        server.certify("stranger", "other", "DNS:localhost")?;
        fs::write(
            server.at("hba"),
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )?;
        server.restart()?;
        server.admin("postgres", "CREATE ROLE owner LOGIN PASSWORD 'owner''s'")?;
        server.admin("postgres", "CREATE DATABASE qd OWNER owner")?;
        Ok(server)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn give_away(&self, path: &Path) -> Result<(), Failed> {
        if self.root {
            std::os::unix::fs::chown(path, Some(NOBODY.2), Some(NOBODY.2))?;
        }
        Ok(())
    }

    /// Lays the files of an empty server. Making them takes a second or two, so that is done once for all tests.
    fn lay_data(&self) -> Result<(), Failed> {
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "postgres-{}",
            blake3::hash(self.programs.as_os_str().as_encoded_bytes()).to_hex()
        ));
        let data = self.at("data");
        if !kept.is_dir() {
            fs::create_dir(&data)?;
            self.give_away(&data)?;
            // What is made here is not yet anybody's data, so it need not be flushed; the server itself flushes.
            checked(
                unprivileged(self.root, &self.programs.join("initdb"))
                    .args(["--no-sync", "--no-instructions", "--no-locale"])
                    .args([
                        "--encoding=UTF8",
                        "--auth=trust",
                        "--username=postgres",
                        "-D",
                    ])
                    .arg(&data)
                    .current_dir("/"),
            )?;
            let part = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            let made = part.path().join("data");
            checked(Command::new("cp").arg("-a").arg(&data).arg(&made))?;
            // Another test may have been faster.
            drop(fs::rename(&made, &kept));
            return Ok(());
        }
        checked(Command::new("cp").arg("-a").arg(&kept).arg(&data)).map(|_| ())
    }

    /// Makes an authority and a certificate from it for `names`: `<ca>.crt`, `<name>.crt`, `<name>.key`.
    fn certify(&self, ca: &str, name: &str, names: &str) -> Result<(), Failed> {
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ];
        checked(
            Command::new("openssl")
                .args(["req", "-x509", "-days", "2", "-subj"])
                .arg(format!("/CN=authority {ca}"))
                .args(key)
                .arg("-keyout")
                .arg(self.at(&format!("{ca}.key")))
                .arg("-out")
                .arg(self.at(&format!("{ca}.crt"))),
        )?;
        checked(
            Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=a server",
                    "-addext",
                ])
                .arg(format!("subjectAltName={names}"))
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .args(key)
                .arg("-CA")
                .arg(self.at(&format!("{ca}.crt")))
                .arg("-CAkey")
                .arg(self.at(&format!("{ca}.key")))
                .arg("-keyout")
                .arg(self.at(&format!("{name}.key")))
                .arg("-out")
                .arg(self.at(&format!("{name}.crt"))),
        )?;
        let key = self.at(&format!("{name}.key"));
        fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        self.give_away(&key)
    }

    /// The certificate of an authority: `ca` is the server's own, `stranger` another.
    pub(crate) fn authority(&self, name: &str) -> PathBuf {
        self.at(&format!("{name}.crt"))
    }

    /// Starts it, on the port that it had if it had one.
    pub(crate) fn restart(&mut self) -> Result<(), Failed> {
        // Between finding a free port and using it somebody else may take it; and the memory of a server that was killed is
        // in use until the last of its processes has noticed.
        let mut said = String::new();
        for _ in 0..50 {
            let port = match self.port {
                0 => TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
                port => port,
            };
            let mut command = unprivileged(self.root, &self.programs.join("postgres"));
            command
                .arg("-D")
                .arg(self.at("data"))
                .arg("-p")
                .arg(port.to_string());
            for setting in [
                "listen_addresses=127.0.0.1".to_owned(),
                format!("unix_socket_directories={}", self.at("socket").display()),
                format!("hba_file={}", self.at("hba").display()),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", self.at("server.crt").display()),
                format!("ssl_key_file={}", self.at("server.key").display()),
                "fsync=on".to_owned(),
                "synchronous_commit=on".to_owned(),
                "shared_buffers=32MB".to_owned(),
                // Only what a test wrote is at stake after a kill; flushing each of a thousand files takes seconds.
                "recovery_init_sync_method=syncfs".to_owned(),
                "max_connections=120".to_owned(),
                "log_connections=on".to_owned(),
            ] {
                command.arg("-c").arg(setting);
            }
            let running = Guarded::start(&command)?;
            let ready = |text: &str| text.contains("ready to accept connections");
            let failed = |text: &str| text.contains("FATAL") && !text.contains("starting up");
            running.log.wait(|text| ready(text) || failed(text));
            said = running.log.text();
            if ready(&said) {
                self.port = port;
                self.running = Some(running);
                return Ok(());
            }
            if !said.contains("in use") {
                break;
            }
        }
        Err(format!("PostgreSQL does not start: {said}").into())
    }

    /// Kills it and all its processes, as a power cut would for them.
    pub(crate) fn kill(&mut self) -> Result<(), Failed> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        // Stopped, it starts no more of them.
        signal(running.pid, 19)?;
        let children = children(running.pid)?;
        signal(running.pid, 9)?;
        for child in &children {
            // It may have ended by itself.
            if super::process::parent(*child).is_ok() {
                signal(*child, 9).ok();
            }
        }
        // Until all are gone they may write into the folder, which could then not be removed.
        for process in children.into_iter().chain([running.pid]) {
            gone(i32::try_from(process)?)?;
        }
        Ok(())
    }

    /// What it has written to its log since it was started.
    pub(crate) fn log(&self) -> String {
        self.running
            .as_ref()
            .map(|running| running.log.text())
            .unwrap_or_default()
    }

    /// Runs SQL as the superuser and answers what came, a row a line, fields parted by `|`.
    pub(crate) fn admin(&self, database: &str, sql: &str) -> Result<String, Failed> {
        self.psql(database, "postgres", sql)
    }

    /// Runs SQL as a role.
    pub(crate) fn psql(&self, database: &str, role: &str, sql: &str) -> Result<String, Failed> {
        let text = checked(
            Command::new(self.programs.join("psql"))
                .args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-U",
                    role,
                    "-d",
                ])
                .args([database, "-c", sql, "-p"])
                .arg(self.port.to_string())
                .arg("-h")
                .arg(self.at("socket")),
        )?;
        Ok(text.trim().to_owned())
    }

    /// Transactions in a second that PostgreSQL's own pgbench makes of a script, with fifty connections for eight seconds.
    pub(crate) fn pgbench(&self, script: &str, mode: &str) -> Result<f64, Failed> {
        let path = self.at("script");
        fs::write(&path, script)?;
        let said = checked(
            Command::new(self.programs.join("pgbench"))
                .args([
                    "-n", "-c", "50", "-j", "2", "-T", "8", "-U", "owner", "-M", mode, "-p",
                ])
                .arg(self.port.to_string())
                .arg("-h")
                .arg(self.at("socket"))
                .arg("-f")
                .arg(&path)
                .arg("qd"),
        )?;
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split_whitespace().next());
        Ok(rate.ok_or(said.clone())?.parse()?)
    }

    /// The folder of its socket.
    pub(crate) fn socket_folder(&self) -> PathBuf {
        self.at("socket")
    }

    /// An address through the socket, where everybody is let in.
    pub(crate) fn socket(&self, role: &str, database: &str, bag: &str) -> String {
        format!(
            "postgres://{role}@/{database}?host={}&port={}&bag={bag}",
            self.at("socket").display(),
            self.port
        )
    }
}

/// The processes that a process started.
fn children(parent: u32) -> Result<Vec<u32>, Failed> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if super::process::parent(pid).is_ok_and(|one| one == parent) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// PgBouncer in transaction mode, with two connections to the server for everybody together.
pub(crate) struct Pooler {
    pub(crate) port: u16,
    running: Guarded,
    _folder: TempDir,
}

impl Pooler {
    /// Starts one that lets in the roles `users`.
    pub(crate) fn start(server: &Postgres, users: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let at = |name: &str| folder.path().join(name);
        let list: String = users
            .iter()
            .map(|user| format!("\"{user}\" \"\"\n"))
            .collect();
        fs::write(at("users"), list)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .chain([PathBuf::from("/usr/sbin")])
            .map(|folder| folder.join("pgbouncer"))
            .find(|program| program.is_file())
            .ok_or("no pgbouncer is installed; tests/run installs it")?;
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            fs::write(
                at("ini"),
                format!(
                    "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                     auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\n\
                     unix_socket_dir =\n",
                    server.at("socket").display(),
                    server.port,
                    at("users").display()
                ),
            )?;
            let mut command = unprivileged(server.root, &program);
            command.arg(at("ini"));
            let running = Guarded::start(&command)?;
            running
                .log
                .wait(|text| text.contains("process up") || text.contains("FATAL"));
            if running.log.text().contains("process up") {
                return Ok(Self {
                    port,
                    running,
                    _folder: folder,
                });
            }
            if !running.log.text().contains("in use") {
                return Err(format!("pgbouncer does not start: {}", running.log.text()).into());
            }
        }
        Err("no port stays free".into())
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        self.running.log.text()
    }
}

//! What a session around the program says about databases: the variables and files that libpq and psql read, too.
//!
//! A password is read here and goes nowhere but into the connection.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::address::{Address, Host, Roots};

/// Longer than any password file.
const FILE_MAX: u64 = 1 << 20;

/// Where passwords, the user's name and trusted authorities come from.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `PGPASSWORD`.
    pub password: Option<SecretString>,
    /// `PGPASSFILE`, or `.pgpass` in the home folder.
    pub passfile: Option<PathBuf>,
    /// `PGUSER`, or `USER`.
    pub user: Option<String>,
    /// The file of trusted authorities when the address names none: `~/.postgresql/root.crt`. It counts when it is there.
    pub authorities: Option<PathBuf>,
}

impl Surroundings {
    /// Of this process.
    pub fn of_process() -> Self {
        let name = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |value: OsString| value.into_string().ok();
        let home = name("HOME").map(PathBuf::from);
        Self {
            password: name("PGPASSWORD").and_then(text).map(SecretString::from),
            passfile: name("PGPASSFILE")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".pgpass"))),
            user: name("PGUSER").or_else(|| name("USER")).and_then(text),
            authorities: home.map(|home| home.join(".postgresql/root.crt")),
        }
    }

    pub(crate) fn roots(&self) -> Roots {
        match &self.authorities {
            Some(path) if path.is_file() => Roots::File(path.clone()),
            _ => Roots::System,
        }
    }

    /// The password for a login: `PGPASSWORD`, else the first line of the password file that fits. `None` when there is none,
    /// which is enough for a server that asks for none.
    ///
    /// # Errors
    /// In words: others can read the password file, or it cannot be read.
    pub(crate) fn password_for(&self, address: &Address) -> Result<Option<SecretString>, String> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        let Some(path) = &self.passfile else {
            return Ok(None);
        };
        let told = |why: std::io::Error| format!("{} cannot be read: {why}", path.display());
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(told(why)),
        };
        let meta = file.metadata().map_err(told)?;
        if !meta.is_file() {
            return Ok(None);
        }
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(format!(
                "others can read the passwords in {}; `chmod 600` it",
                path.display()
            ));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(told)?;
        Ok(text.lines().find_map(|line| fitting(line, address)))
    }
}

/// The password in a line `host:port:database:user:password` if the rest fits the address. `*` fits everything, a backslash
/// takes away the meaning of the sign after it (PostgreSQL's documentation, "The Password File").
fn fitting(line: &str, address: &Address) -> Option<SecretString> {
    if line.starts_with('#') {
        return None;
    }
    let (mut fields, mut rest) = (Vec::new(), line.chars());
    let mut field = Zeroizing::new(String::new());
    while let Some(sign) = rest.next() {
        match sign {
            '\\' => field.extend(rest.next()),
            ':' if fields.len() < 4 => fields.push(std::mem::take(&mut *field)),
            _ => field.push(sign),
        }
    }
    let [host, port, database, user] = fields.as_slice() else {
        return None;
    };
    let is = |field: &str, value: &str| field == "*" || field == value;
    let near = match &address.host {
        Host::Name(name) => is(host, name),
        Host::Folder(path) => host == "localhost" || Path::new(host) == path || host == "*",
    };
    let fits = near
        && is(port, &address.port.to_string())
        && is(database, &address.database)
        && is(user, &address.user);
    fits.then(|| SecretString::from(field.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn address(url: &str) -> Address {
        Address::parse(url, &Surroundings::default()).expect(url)
    }

    fn found(lines: &str, url: &str) -> Option<String> {
        lines
            .lines()
            .find_map(|line| fitting(line, &address(url)))
            .map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn the_first_fitting_line_counts() {
        let file = "# db:5432:qd:ann:comment\n\
                    db:5433:*:ann:other port\n\
                    db:5432:qd:ann:a\\:b:c\\\\\n\
                    *:*:*:ann:any\n\
                    localhost:*:qd:bob:socket\n\
                    broken\n";
        for (url, password) in [
            ("postgres://ann@db/qd", Some("a:b:c\\")),
            ("postgres://ann@db:5433/x", Some("other port")),
            ("postgres://ann@elsewhere/x", Some("any")),
            ("postgres://bob@db/qd", None),
            ("postgres://bob@/qd", Some("socket")),
        ] {
            assert_eq!(found(file, url).as_deref(), password, "{url}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        fs::write(&path, "*:*:*:*:secret\n").expect("written");
        let around = Surroundings {
            passfile: Some(path.clone()),
            ..Surroundings::default()
        };
        let at = address("postgres://ann@db/qd");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
        let why = around.password_for(&at).expect_err("refused");
        assert!(
            why.contains("chmod 600") && !why.contains("secret"),
            "{why}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        assert!(around.password_for(&at).expect("read").is_some());
        fs::remove_file(&path).expect("removed");
        assert!(around.password_for(&at).expect("none").is_none());
        assert!(!format!("{around:?}").contains("secret"));
    }
}

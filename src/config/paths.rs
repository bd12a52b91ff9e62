//! Where files live: the XDG base directories, or everything below one folder.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::environment::Environment;
use super::error::Error;
use super::safe;

/// The three roots; everything else is derived from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Settings, keys, themes and runbooks: what a person writes.
    pub config: PathBuf,
    /// The store, recordings and attachments: what must not be lost.
    pub data: PathBuf,
    /// Log, crash reports and socket: what may be lost.
    pub state: PathBuf,
}

impl Paths {
    /// The roots by `--home` (`home`), else `QD_HOME`, else the XDG base directories of this process.
    pub fn find(home: Option<&Path>, environment: &Environment) -> Result<Self, Error> {
        match home.or_else(|| environment.get("QD_HOME").map(Path::new)) {
            Some(home) => Self::below(home),
            None => Self::of_account(),
        }
    }

    /// `config`, `data` and `state` below `home`, made absolute so that a later change of folder moves nothing.
    pub fn below(home: &Path) -> Result<Self, Error> {
        let home = std::path::absolute(home).map_err(|why| Error::Create {
            path: home.to_path_buf(),
            why,
        })?;
        Ok(Self {
            config: home.join("config"),
            data: home.join("data"),
            state: home.join("state"),
        })
    }

    /// The XDG base directories, or their like on systems that have others.
    fn of_account() -> Result<Self, Error> {
        let folders = directories::ProjectDirs::from("", "", "quarterdeck").ok_or(Error::NoHome)?;
        // macOS knows no state folder; a folder inside the data is private to us as well.
        let state = folders
            .state_dir()
            .map_or_else(|| folders.data_local_dir().join("state"), Path::to_path_buf);
        Ok(Self {
            config: folders.config_dir().to_path_buf(),
            data: folders.data_dir().to_path_buf(),
            state,
        })
    }

    /// `config.toml`.
    pub fn settings(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// `keys.toml`.
    pub fn keys(&self) -> PathBuf {
        self.config.join("keys.toml")
    }

    /// The folder of the user's themes.
    pub fn themes(&self) -> PathBuf {
        self.config.join("themes")
    }

    /// The folder of the user's runbooks; more are listed in the settings.
    pub fn runbooks(&self) -> PathBuf {
        self.config.join("runbooks")
    }

    /// The database.
    pub fn store(&self) -> PathBuf {
        self.data.join("store.db")
    }

    /// The folder of session recordings.
    pub fn recordings(&self) -> PathBuf {
        self.data.join("recordings")
    }

    /// The folder of attachments.
    pub fn blobs(&self) -> PathBuf {
        self.data.join("blobs")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.state.join("qd.log")
    }

    /// The folder of crash reports.
    pub fn crashes(&self) -> PathBuf {
        self.state.join("crashes")
    }

    /// Makes the folders that are missing, private to their owner, and refuses those that are not safe to use.
    ///
    /// The config folder may be read-only once it is there, as some systems manage it so; data and state must be writable.
    pub fn ensure(&self) -> Result<(), Error> {
        for folder in [&self.config, &self.data, &self.state] {
            make(folder)?;
        }
        for folder in [self.recordings(), self.blobs(), self.crashes()] {
            make(&folder)?;
        }
        for folder in [&self.config, &self.runbooks()] {
            match folder.metadata() {
                Ok(metadata) => safe::check(folder, &metadata)?,
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Err(create(folder, why)),
            }
        }
        for folder in [&self.data, &self.state] {
            close(folder)?;
            rustix::fs::access(folder.as_path(), Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|why| create(folder, why.into()))?;
        }
        Ok(())
    }
}

fn make(folder: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|why| create(folder, why))
}

/// Takes all rights from group and others: tickets, recordings and the socket are nobody else's business, and the
/// folder is ours alone, so nobody can have opened it to others on purpose without knowing.
fn close(folder: &Path) -> Result<(), Error> {
    let metadata = folder.metadata().map_err(|why| create(folder, why))?;
    let mut permissions = metadata.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(0o700);
    std::fs::set_permissions(folder, permissions).map_err(|why| create(folder, why))
}

fn create(folder: &Path, why: io::Error) -> Error {
    Error::Create {
        path: folder.to_path_buf(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::process::Command;

    use super::*;

    type Outcome = Result<(), Box<dyn StdError>>;

    fn mode(path: &Path) -> io::Result<u32> {
        Ok(path.metadata()?.permissions().mode() & 0o777)
    }

    fn chmod(path: &Path, mode: u32) -> io::Result<()> {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }

    #[test]
    fn the_flag_wins_over_the_variable() -> Outcome {
        let environment = Environment::of([("QD_HOME", "/srv/qd")]);
        assert_eq!(
            Paths::find(None, &environment)?.config,
            Path::new("/srv/qd/config")
        );
        let flag = Paths::find(Some(Path::new("/tmp/x")), &environment)?;
        assert_eq!(flag.store(), Path::new("/tmp/x/data/store.db"));
        assert_eq!(flag.state, Path::new("/tmp/x/state"));
        assert!(Paths::below(Path::new("here"))?.data.is_absolute());
        Ok(())
    }

    /// The XDG variables are read from the real environment, so this test runs once more in a process that has them.
    #[test]
    fn xdg_variables_are_followed() -> Outcome {
        const INSIDE: &str = "QD_TEST_XDG_INSIDE";
        if std::env::var_os(INSIDE).is_some() {
            let paths = Paths::find(None, &Environment::default())?;
            assert_eq!(paths.config, Path::new("/x/c/quarterdeck"));
            assert_eq!(paths.data, Path::new("/h/.local/share/quarterdeck"));
            assert_eq!(paths.state, Path::new("/x/s/quarterdeck"));
            return Ok(());
        }
        if cfg!(not(target_os = "linux")) {
            return Ok(());
        }
        let output = Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "config::paths::tests::xdg_variables_are_followed",
            ])
            .env_clear()
            .envs([
                (INSIDE, "1"),
                ("HOME", "/h"),
                ("XDG_CONFIG_HOME", "/x/c"),
                ("XDG_STATE_HOME", "/x/s"),
            ])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        Ok(())
    }

    #[test]
    fn folders_are_made_private() -> Outcome {
        let home = tempfile::tempdir()?;
        let paths = Paths::below(&home.path().join("deep/er"))?;
        paths.ensure()?;
        paths.ensure()?;
        for folder in [
            &paths.config,
            &paths.data,
            &paths.state,
            &paths.recordings(),
            &paths.crashes(),
        ] {
            assert_eq!(mode(folder)?, 0o700, "{}", folder.display());
        }
        chmod(&paths.state, 0o755)?;
        paths.ensure()?;
        assert_eq!(mode(&paths.state)?, 0o700);
        Ok(())
    }

    #[test]
    fn folders_that_others_write_are_refused() -> Outcome {
        let home = tempfile::tempdir()?;
        let paths = Paths::below(home.path())?;
        paths.ensure()?;
        std::fs::create_dir(paths.runbooks())?;
        for (folder, bits, fix) in [
            (paths.config.clone(), 0o770, "chmod g-w "),
            (paths.runbooks(), 0o702, "chmod o-w "),
            (paths.runbooks(), 0o777, "chmod go-w "),
        ] {
            chmod(&folder, bits)?;
            let error = paths
                .ensure()
                .expect_err("a writable folder is refused")
                .to_string();
            assert!(
                error.contains(&format!("{fix}{}", folder.display())),
                "{error}"
            );
            chmod(&folder, 0o755)?;
        }
        paths.ensure()?;
        Ok(())
    }

    #[test]
    fn what_cannot_be_a_folder_says_what_to_do() -> Outcome {
        let home = tempfile::tempdir()?;
        std::fs::write(home.path().join("data"), "a file")?;
        let error = Paths::below(home.path())?
            .ensure()
            .expect_err("a file is in the way")
            .to_string();
        assert!(
            error.contains("data") && error.contains("--home DIR or QD_HOME"),
            "{error}"
        );
        Ok(())
    }
}

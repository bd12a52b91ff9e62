//! Which files stand behind the settings of a host, and whether one of them changed. Reads only what it needs for that.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::resolve::{self, Owner};

/// How deep `Include` may nest, as in OpenSSH.
const DEPTH: usize = 16;

/// How finely file systems tell times, generously: two changes within it may look like one.
const GRAIN_NS: i64 = 20_000_000;

/// The state of one file or folder at the time its contents were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// The file, or the folder that an `Include` pattern looks into.
    pub path: PathBuf,
    /// Modification time in nanoseconds since 1970; `None` if it did not exist or could not be looked at.
    pub modified_ns: Option<i64>,
    /// Length in bytes, 0 if it did not exist.
    pub len: u64,
}

impl FileStamp {
    /// Looks at `path` now.
    pub fn of(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok();
        Self {
            path: path.to_path_buf(),
            modified_ns: found.as_ref().map(|data| {
                data.mtime()
                    .saturating_mul(1_000_000_000)
                    .saturating_add(data.mtime_nsec())
            }),
            len: found.map_or(0, |data| data.len()),
        }
    }
}

/// Whether every file is as it was. Without files nothing is known, which counts as changed.
pub(crate) fn unchanged(stamps: &[FileStamp]) -> bool {
    !stamps.is_empty()
        && stamps
            .iter()
            .all(|stamp| FileStamp::of(&stamp.path) == *stamp)
}

/// The files behind a configuration.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) stamps: Vec<FileStamp>,
    /// The settings depend on more than files: on a command, on the network, on names in DNS, on our environment.
    pub(crate) volatile: bool,
    /// A file was changed so lately that another change might not change its time.
    pub(crate) fresh: bool,
}

/// Finds them: `config` and what it includes, or OpenSSH's default files; and the program that reads them, because a
/// newer one has other defaults.
///
/// With `-F` OpenSSH leaves the system's file out, so it is left out here too.
pub(crate) fn sources(config: Option<&Path>, program: &Path) -> Sources {
    let mut sources = Sources::default();
    match config {
        Some(path) => walk(path, Owner::User, 0, &mut sources),
        None => {
            let own = account_home().join(".ssh/config");
            walk(&own, Owner::User, 0, &mut sources);
            walk(
                Path::new("/etc/ssh/ssh_config"),
                Owner::System,
                0,
                &mut sources,
            );
        }
    }
    sources.add(&installed(program));
    sources
}

/// Where a program lies; the name itself if it is nowhere.
fn installed(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_path_buf();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| program.to_path_buf())
}

impl Sources {
    fn knows(&self, path: &Path) -> bool {
        self.stamps.iter().any(|stamp| stamp.path == path)
    }

    fn add(&mut self, path: &Path) {
        if self.knows(path) {
            return;
        }
        let stamp = FileStamp::of(path);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|now| i64::try_from(now.as_nanos()).ok());
        self.fresh |= now
            .zip(stamp.modified_ns)
            .is_some_and(|(now, modified)| (0..GRAIN_NS).contains(&now.saturating_sub(modified)));
        self.stamps.push(stamp);
    }
}

fn walk(path: &Path, owner: Owner, depth: usize, sources: &mut Sources) {
    if depth > DEPTH || sources.knows(path) {
        return;
    }
    sources.add(path);
    // What is no regular file has no time of change, or no end.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(found) => {
            sources.volatile |= !found.is_dir() && path != Path::new("/dev/null");
            return;
        }
        Err(_) => return,
    }
    let Ok(bytes) = std::fs::read(path) else {
        return;
    };
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((keyword, rest)) = resolve::keyword(&line) else {
            continue;
        };
        let rest = rest.unwrap_or_default();
        if keyword == "include" {
            for argument in resolve::arguments(&rest).unwrap_or_default() {
                include(&argument, owner, depth, sources);
            }
        } else {
            sources.volatile |= depends_on_more(&keyword, &rest);
        }
    }
}

/// Whether a line makes the answer depend on more than files.
fn depends_on_more(keyword: &str, rest: &str) -> bool {
    match keyword {
        "match" => {
            let rest = rest.to_ascii_lowercase();
            rest.contains("exec") || rest.contains("localnetwork")
        }
        // Names are looked up.
        "canonicalizehostname" => {
            let word = rest.trim_matches('"').to_ascii_lowercase();
            word != "no" && word != "false"
        }
        "canonicalizepermittedcnames" => !rest.eq_ignore_ascii_case("none"),
        // Our environment is put in before the answer is printed.
        "controlpath" | "forwardagent" | "identityagent" | "localforward" | "remoteforward"
        | "userknownhostsfile" => rest.contains("${"),
        _ => false,
    }
}

fn include(argument: &str, owner: Owner, depth: usize, sources: &mut Sources) {
    let Ok(found) = resolve::included(argument, owner) else {
        return;
    };
    // A file that appears in the folder changes the settings, and changes the folder's time.
    for path in found.folders.iter().chain(&found.missing) {
        sources.add(path);
    }
    for path in found.files {
        walk(&path, owner, depth + 1, sources);
    }
}

/// The account's home, where `ssh` looks for its files: from the user database, as `ssh` does, not from `$HOME`.
pub(crate) fn account_home() -> PathBuf {
    account()
        .map(|(_, home)| home)
        .or_else(|| std::env::var_os("HOME").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("/"))
}

/// The account's name.
pub(crate) fn account_name() -> String {
    account()
        .map(|(name, _)| name)
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_default()
}

fn account() -> Option<(String, PathBuf)> {
    let id = rustix::process::getuid().as_raw().to_string();
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?;
        let home = fields.nth(2)?;
        (uid == id && !home.is_empty()).then(|| (name.to_owned(), PathBuf::from(home)))
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// A program that never changes while tests run.
    fn ssh() -> PathBuf {
        PathBuf::from("/bin/sh")
    }

    #[test]
    fn included_files_count_wherever_the_include_stands() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let parts = folder.path().join("parts");
        fs::create_dir(&parts)?;
        fs::write(parts.join("one"), "Host a\n  Port 1\n")?;
        let config = folder.path().join("config");
        fs::write(
            &config,
            format!(
                "Host *\n  User x\nMatch all\n  Include {}/*\n",
                parts.display()
            ),
        )?;
        let found = sources(Some(&config), &ssh());
        let paths: Vec<_> = found.stamps.iter().map(|stamp| &stamp.path).collect();
        let program = ssh();
        assert_eq!(paths, [&config, &parts, &parts.join("one"), &program]);
        assert!(!found.volatile);
        assert!(unchanged(&found.stamps));
        fs::write(parts.join("one"), "Host a\n  Port 11\n")?;
        assert!(!unchanged(&found.stamps), "a longer file is another file");

        let found = sources(Some(&config), &ssh());
        fs::write(parts.join("two"), "")?;
        let folder_before = FileStamp {
            modified_ns: Some(0),
            ..FileStamp::of(&parts)
        };
        assert!(!unchanged(&[folder_before]));
        assert_eq!(
            found.stamps.len() + 1,
            sources(Some(&config), &ssh()).stamps.len()
        );
        Ok(())
    }

    #[test]
    fn a_match_exec_is_volatile_and_loops_end() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("config");
        fs::write(
            &config,
            format!("Include {}\nMatch host a exec \"true\"\n", config.display()),
        )?;
        let found = sources(Some(&config), &ssh());
        assert!(found.volatile);
        assert_eq!(found.stamps.len(), 2);
        assert!(!unchanged(&[]));
        Ok(())
    }

    #[test]
    fn a_missing_file_is_a_stamp_too() {
        let stamp = FileStamp::of(Path::new("/nonexistent/config"));
        assert_eq!((stamp.modified_ns, stamp.len), (None, 0));
        assert!(unchanged(&[stamp]));
    }

    /// Writes a configuration and says whether its answers depend on more than files.
    fn volatile(text: &str) -> Result<bool, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("config");
        fs::write(&config, text)?;
        Ok(sources(Some(&config), &ssh()).volatile)
    }

    #[test]
    fn what_depends_on_more_than_files_is_volatile() -> Result<(), Box<dyn Error>> {
        for (text, expected) in [
            ("Match all\n", false),
            ("MATCH host a Exec \"true\"\n", true),
            ("match=localnetwork 10.0.0.0/8\n", true),
            ("# Match exec true\n", false),
            ("CanonicalizeHostname no\n", false),
            ("CanonicalizeHostname = always\n", true),
            ("CanonicalizePermittedCNAMEs *:*\n", true),
            ("IdentityAgent ${SSH_AUTH_SOCK}\n", true),
            ("IdentityAgent $SSH_AUTH_SOCK\n", false),
            ("IdentityFile ${HOME}/k\n", false),
            ("UserKnownHostsFile ${HOME}/k\n", true),
        ] {
            assert_eq!(volatile(text)?, expected, "{text:?}");
        }
        Ok(())
    }

    #[test]
    fn files_and_folders_that_are_not_there_yet_are_watched() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let at = folder.path();
        let config = at.join("config");
        fs::create_dir_all(at.join("teams/one"))?;
        fs::write(
            &config,
            format!(
                "Include {0}/later {0}/conf.d/*.conf {0}/teams/*/ssh\n",
                at.display()
            ),
        )?;
        for (made, text) in [
            ("later", true),
            ("conf.d", false),
            ("conf.d/a.conf", true),
            ("teams/one/ssh", true),
            ("teams/two", false),
        ] {
            let found = sources(Some(&config), &ssh()).stamps;
            // Long ago, so that what appears now changes a folder's time for sure.
            for stamp in found.iter().filter(|stamp| stamp.path.starts_with(at)) {
                if let Ok(file) = fs::File::open(&stamp.path) {
                    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(9))?;
                }
            }
            let before = sources(Some(&config), &ssh()).stamps;
            assert!(unchanged(&before), "{made}");
            if text {
                fs::write(at.join(made), "User x\n")?;
            } else {
                fs::create_dir(at.join(made))?;
            }
            assert!(!unchanged(&before), "{made} appeared unnoticed");
        }
        Ok(())
    }

    #[test]
    fn the_program_and_the_default_files_are_watched() {
        let stamps = sources(None, Path::new("sh")).stamps;
        let watched = |path: &Path| stamps.iter().any(|stamp| stamp.path == path);
        assert!(watched(&account_home().join(".ssh/config")));
        assert!(watched(Path::new("/etc/ssh/ssh_config")));
        assert!(stamps.iter().any(|stamp| stamp.path.ends_with("bin/sh")));
        let text = fs::read_to_string("/etc/ssh/ssh_config").unwrap_or_default();
        if text.contains("\nInclude /etc/ssh/ssh_config.d/*.conf") {
            assert!(watched(Path::new("/etc/ssh/ssh_config.d")));
        }
    }

    #[test]
    fn a_pipe_is_not_read() -> Result<(), Box<dyn Error>> {
        let found = sources(Some(Path::new("/dev/zero")), &ssh());
        assert!(found.volatile);
        assert!(!sources(Some(Path::new("/dev/null")), &ssh()).volatile);
        Ok(())
    }
}

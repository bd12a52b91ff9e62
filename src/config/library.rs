//! The library of runbooks: finds Markdown files in the listed folders and reads them. It does not parse or run them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::paths::Paths;
use super::safe;
use super::settings::Settings;

/// A runbook is text that people read; whatever is larger than this is something else.
const LARGEST: u64 = 1 << 20;
/// Deeper folders are a mistake such as a mounted file system.
const DEEPEST: usize = 12;

/// A file that may be a runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// The path below its folder without `.md`: `network/vpn`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// All books, and what kept others out.
#[derive(Debug, Default)]
pub struct Library {
    /// Sorted by name; a name stands once.
    pub books: Vec<Book>,
    /// Folders and files that were refused or could not be read. The others are still good.
    pub problems: Vec<Error>,
}

impl Library {
    /// Reads `runbooks/` in the config folder, then the listed folders. Where two files have one name, the first
    /// folder wins: so a personal book can take the place of a team's.
    pub fn read(paths: &Paths, settings: &Settings) -> Self {
        let mut search = Search::default();
        let own = paths.runbooks();
        // The own folder need not exist; a listed one that does not is worth a word.
        if own.symlink_metadata().is_ok() {
            search.folder(&own, &own, 0);
        }
        for folder in &settings.runbooks.paths {
            search.folder(folder, folder, 0);
        }
        search
            .library
            .books
            .sort_by(|one, other| one.name.cmp(&other.name));
        search.library
    }
}

#[derive(Default)]
struct Search {
    library: Library,
    names: BTreeSet<String>,
    /// Device and inode of every folder on the way, so that a link to a parent ends.
    visited: BTreeSet<(u64, u64)>,
}

impl Search {
    fn folder(&mut self, folder: &Path, root: &Path, depth: usize) {
        match self.entries(folder) {
            Ok(entries) => {
                for entry in entries {
                    self.entry(&entry, root, depth);
                }
            }
            Err(problem) => self.library.problems.push(problem),
        }
    }

    /// The visible entries of a folder that is safe and was not seen before, sorted.
    fn entries(&mut self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let metadata = folder.metadata().map_err(|why| unread(folder, why))?;
        safe::check(folder, &metadata)?;
        if !self.visited.insert((metadata.dev(), metadata.ino())) {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|why| unread(folder, why))? {
            let entry = entry.map_err(|why| unread(folder, why))?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                entries.push(entry.path());
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn entry(&mut self, path: &Path, root: &Path, depth: usize) {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(why) => return self.library.problems.push(unread(path, why)),
        };
        if metadata.is_dir() {
            if depth < DEEPEST {
                self.folder(path, root, depth + 1);
            } else {
                let why = io::Error::other(format!("it lies more than {DEEPEST} folders deep"));
                self.library.problems.push(unread(path, why));
            }
            return;
        }
        let Some(name) = name(path, root).filter(|_| metadata.is_file()) else {
            return;
        };
        if self.names.contains(&name) {
            return;
        }
        match read(path, &metadata) {
            Ok(text) => {
                self.names.insert(name.clone());
                self.library.books.push(Book {
                    name,
                    path: path.to_path_buf(),
                    text,
                });
            }
            Err(problem) => self.library.problems.push(problem),
        }
    }
}

/// The name of a Markdown file in the library; `None` for other files.
fn name(path: &Path, root: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    below
        .strip_suffix(".md")
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

fn read(path: &Path, metadata: &Metadata) -> Result<String, Error> {
    safe::check(path, metadata)?;
    let mut text = String::new();
    // The file may grow after it was measured, so the limit is kept while reading.
    let file = std::fs::File::open(path).map_err(|why| unread(path, why))?;
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|why| unread(path, why))?;
    if text.len() as u64 > LARGEST {
        return Err(unread(
            path,
            io::Error::other("it is larger than 1 MiB, so it is no runbook"),
        ));
    }
    Ok(text)
}

fn unread(path: &Path, why: io::Error) -> Error {
    Error::Read {
        path: path.to_path_buf(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::environment::Environment;
    use super::*;

    type Outcome = Result<(), Box<dyn StdError>>;

    /// Writes files and makes everything below `root` safe, whatever umask the tests run with.
    fn put(root: &Path, files: &[(&str, &str)]) -> io::Result<()> {
        for (file, text) in files {
            let path = root.join(file);
            for folder in path
                .ancestors()
                .skip(1)
                .take_while(|folder| folder.starts_with(root))
            {
                fs::create_dir_all(folder)?;
                fs::set_permissions(folder, Permissions::from_mode(0o755))?;
            }
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        }
        Ok(())
    }

    fn names(library: &Library) -> Vec<&str> {
        library
            .books
            .iter()
            .map(|book| book.name.as_str())
            .collect()
    }

    #[test]
    fn books_are_found_everywhere_and_the_first_folder_wins() -> Outcome {
        let home = tempfile::tempdir()?;
        let paths = Paths::below(&home.path().join("qd"))?;
        paths.ensure()?;
        put(
            &paths.runbooks(),
            &[
                ("disk.md", "mine"),
                ("net/vpn.md", "x"),
                ("notes.txt", ""),
                (".git/x.md", ""),
            ],
        )?;
        let team = home.path().join("team");
        put(
            &team,
            &[("disk.md", "theirs"), ("web.md", "x"), (".md", "")],
        )?;
        symlink(&team, team.join("again"))?;
        let mut settings = Settings::defaults(&Environment::default());
        settings.runbooks.paths = vec![team, home.path().join("absent")];

        let library = Library::read(&paths, &settings);
        assert_eq!(names(&library), ["disk", "net/vpn", "web"]);
        assert_eq!(
            library.books.first().map(|book| book.text.as_str()),
            Some("mine")
        );
        let problems: Vec<String> = library.problems.iter().map(Error::to_string).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems.iter().all(|problem| problem.contains("absent")),
            "{problems:?}"
        );
        Ok(())
    }

    #[test]
    fn what_is_not_safe_or_not_text_is_named() -> Outcome {
        let home = tempfile::tempdir()?;
        let paths = Paths::below(home.path())?;
        paths.ensure()?;
        let books = paths.runbooks();
        put(
            &books,
            &[("good.md", "x"), ("open.md", "x"), ("shared/inner.md", "x")],
        )?;
        put(&books, &[("latin.md", ""), ("huge.md", "")])?;
        fs::write(books.join("latin.md"), b"gr\xf6\xdfe")?;
        fs::write(
            books.join("huge.md"),
            vec![b'x'; usize::try_from(LARGEST)? + 1],
        )?;
        fs::set_permissions(books.join("open.md"), Permissions::from_mode(0o666))?;
        fs::set_permissions(books.join("shared"), Permissions::from_mode(0o777))?;

        let library = Library::read(&paths, &Settings::defaults(&Environment::default()));
        assert_eq!(names(&library), ["good"]);
        let problems: Vec<String> = library.problems.iter().map(Error::to_string).collect();
        for (file, words) in [
            ("huge.md", "larger than 1 MiB"),
            ("latin.md", "UTF-8"),
            ("open.md", "chmod go-w"),
            ("shared", "chmod go-w"),
        ] {
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.contains(file) && problem.contains(words)),
                "{file}: {problems:?}"
            );
        }
        assert_eq!(problems.len(), 4);
        Ok(())
    }
}

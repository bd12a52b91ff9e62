//! The files of the project and which part of them is production code. It judges nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use super::code;

/// All files of the project that are text, sorted by path; paths are relative and use `/`.
pub(super) struct Tree {
    files: Vec<(String, String)>,
    /// Files that hold nothing but tests.
    tests: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read() -> Result<Self, Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for path in list(root)? {
            // A file may be deleted and not yet committed as such; others are pictures and recordings, not text.
            if let Some(text) = std::fs::read(root.join(&path))
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
            {
                files.push((path, text));
            }
        }
        if !files.iter().any(|(path, _)| path == "src/lib.rs") {
            return Err(
                "the tree has no src/lib.rs, so whatever was listed is not this project".into(),
            );
        }
        let tests = test_files(&files);
        Ok(Self { files, tests })
    }

    pub(super) fn all(&self) -> &[(String, String)] {
        &self.files
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str())
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Files below `src/` with their test modules blanked out.
    pub(super) fn production(&self) -> Vec<(String, String)> {
        self.rust()
            .filter(|(path, _)| path.starts_with("src/") && !self.tests.contains(*path))
            .map(|(path, text)| (path.to_owned(), code::split(text).production))
            .collect()
    }

    /// Files below `tests/`, test files below `src/`, and test modules with the rest of their file blanked out.
    pub(super) fn tests(&self) -> Vec<(String, String)> {
        self.rust()
            .map(|(path, text)| {
                let whole = path.starts_with("tests/") || self.tests.contains(path);
                let text = if whole {
                    text.to_owned()
                } else {
                    code::split(text).tests
                };
                (path.to_owned(), text)
            })
            .collect()
    }
}

/// What git knows of, new files included; without git, everything but the build's output.
fn list(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let git = Command::new("git")
        .arg("-C")
        .arg(root)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output();
    let mut paths: Vec<String> = match git {
        Ok(output) if output.status.success() => {
            let list = String::from_utf8(output.stdout)?;
            list.split('\0')
                .filter(|path| !path.is_empty())
                .map(str::to_owned)
                .collect()
        }
        Ok(_) | Err(_) => {
            let mut found = Vec::new();
            walk(root, "", &mut found)?;
            found
        }
    };
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() {
            name
        } else {
            format!("{below}/{name}")
        };
        if path == "target" || path == ".git" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The files that are declared as `#[cfg(test)] mod name;` somewhere, and everything below them.
fn test_files(files: &[(String, String)]) -> BTreeSet<String> {
    let mut roots = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let folder = match path
            .strip_suffix("/mod.rs")
            .or_else(|| path.strip_suffix("/lib.rs"))
        {
            Some(folder) => folder.to_owned(),
            None => path.trim_end_matches(".rs").to_owned(),
        };
        roots.extend(
            code::test_modules(text)
                .into_iter()
                .map(|name| format!("{folder}/{name}")),
        );
    }
    files
        .iter()
        .filter(|(path, _)| {
            roots.iter().any(|root| {
                let rest = path.strip_prefix(root.as_str());
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            })
        })
        .map(|(path, _)| path.clone())
        .collect()
}

#[test]
fn test_files_are_known_by_their_declaration() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let found = test_files(&[
        file(
            "src/demo/mod.rs",
            "mod fleet;\n\n#[cfg(test)]\nmod tests;\n",
        ),
        file("src/demo/tests.rs", ""),
        file("src/demo/tests/more.rs", ""),
        file("src/demo/tests_of_time.rs", ""),
        file("src/demo/fleet.rs", "#[cfg(test)]\nmod faults;\n"),
        file("src/demo/fleet/faults.rs", ""),
    ]);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "src/demo/fleet/faults.rs",
            "src/demo/tests.rs",
            "src/demo/tests/more.rs"
        ]
    );
}

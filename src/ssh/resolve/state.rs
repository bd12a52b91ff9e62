//! What the files have set so far. Decides which line wins; knows nothing of files.

use std::collections::{BTreeMap, BTreeSet};

use super::forwards::Forward;
use super::jump::Jump;

/// The options set so far, already in the words of `ssh -G`.
#[derive(Debug, Default)]
pub(super) struct State {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Which files of keys were named, and whether by the user's files, to see repetitions.
    paths: BTreeSet<(&'static str, String, bool)>,
    /// `LocalForward` and `DynamicForward`.
    pub(super) local: Vec<Forward>,
    pub(super) remote: Vec<Forward>,
    pub(super) jump: Option<Jump>,
    /// What the person should know, each with its place.
    pub(super) notes: Vec<String>,
}

impl State {
    /// The first value of an option.
    pub(super) fn get(&self, option: &str) -> Option<&str> {
        self.values
            .get(option)
            .and_then(|values| values.first())
            .map(String::as_str)
    }

    /// All values of an option.
    pub(super) fn all(&self, option: &str) -> &[String] {
        self.values.get(option).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_set(&self, option: &str) -> bool {
        self.values
            .get(option)
            .is_some_and(|values| !values.is_empty())
    }

    /// Sets an option unless it is set.
    pub(super) fn once(&mut self, option: &'static str, value: impl Into<String>) {
        if !self.is_set(option) {
            self.put(option, vec![value.into()]);
        }
    }

    /// Replaces all values of an option.
    pub(super) fn put(&mut self, option: &'static str, values: Vec<String>) {
        self.values.insert(option, values);
    }

    pub(super) fn append(&mut self, option: &'static str, value: String) {
        self.values.entry(option).or_default().push(value);
    }

    /// Everything that is set.
    pub(super) fn into_values(self) -> BTreeMap<&'static str, Vec<String>> {
        self.values
    }

    /// Forgets an option.
    pub(super) fn clear(&mut self, option: &str) {
        self.values.remove(option);
    }

    /// Adds a file of keys that was not named before. The same file counts anew when the system's files name it.
    pub(super) fn path(&mut self, option: &'static str, path: &str, by_user: bool) {
        if self.paths.insert((option, path.to_owned(), by_user)) {
            self.append(option, path.to_owned());
        }
    }

    /// Adds a forward that is not there yet.
    pub(super) fn forward(list: &mut Vec<Forward>, forward: Forward) {
        if !list.contains(&forward) {
            list.push(forward);
        }
    }

    /// A note, once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

//! Runbooks: steps and parameters, as read from a Markdown file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ticket::words;

words!(
    /// What a parameter may hold.
    ParamKind, "parameter type" {
        /// Any text.
        String = "string",
        /// A decimal number.
        Number = "number",
        /// `true` or `false`.
        Bool = "bool",
        /// One of a list.
        Enum = "enum",
        /// The name of a host in the inventory.
        Host = "host",
        /// Text that is never shown, stored or put into an argument list.
        Secret = "secret",
    }
);

words!(
    /// Where a step runs.
    On, "place to run" {
        /// On every host of the run.
        Host = "host",
        /// On every host of the run, said aloud.
        Each = "each",
        /// On the machine that runs `qd`.
        Local = "local",
    }
);

words!(
    /// How often a step runs in one run.
    Repeat, "repetition" {
        /// Once for each host.
        Each = "each",
        /// On the first host only.
        Once = "once",
    }
);

words!(
    /// What is asked before a step.
    Confirm, "confirmation" {
        /// Nothing.
        No = "no",
        /// Yes or no, with no as default.
        Yes = "yes",
        /// The step's name must be typed.
        Typed = "typed",
    }
);

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name in `{{ name }}`.
    pub name: String,
    /// What it may hold.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// What it holds when nobody says.
    pub default: Option<String>,
    /// What it must match, whole.
    pub regex: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// The allowed values of an enum.
    #[serde(rename = "enum")]
    pub choices: Vec<String>,
    /// For people.
    pub description: String,
    /// Put into commands without quoting; needs a typed confirmation.
    pub raw: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A script for an interpreter on stdin.
    Script {
        /// `sh`, `bash`, `python3`.
        interpreter: String,
        /// The text, prompts stripped, parameters not yet filled in.
        text: String,
    },
    /// Things that a person does and ticks.
    Checklist {
        /// The items.
        items: Vec<String>,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the runbook.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// Where it runs.
    pub on: On,
    /// How often it runs.
    pub run: Repeat,
    /// Its time limit in milliseconds.
    pub timeout_ms: Option<u64>,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// What is asked before it.
    pub confirm: Confirm,
    /// A command that must succeed afterwards.
    pub verify: Option<String>,
    /// The parameter that takes its trimmed output.
    pub capture: Option<String>,
    /// A command that must succeed on the host, or the step is skipped there.
    pub condition: Option<String>,
    /// Run as root through `sudo -n`.
    pub become_root: bool,
    /// A failure does not stop the host.
    pub ignore_errors: bool,
    /// The line of the fence, from 1.
    pub line: u32,
    /// The prose between the step before and this one, as Markdown.
    pub prose: String,
}

/// A runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// What it is called in the library: the path below the folder without `.md`.
    pub name: String,
    /// The title, from the front matter or the first heading.
    pub title: String,
    /// For people.
    pub description: String,
    /// Sorted.
    pub tags: Vec<String>,
    /// The host pattern it is meant for.
    pub hosts: Option<String>,
    /// Declared and, for undeclared `{{ name }}`, implied parameters.
    pub params: Vec<Param>,
    /// In order.
    pub steps: Vec<Step>,
    /// Words from alerts or tickets that suggest this runbook.
    pub when: Vec<String>,
    /// The prose after the last step, as Markdown.
    pub epilogue: String,
    /// The file, when it came from one.
    pub path: Option<PathBuf>,
    /// BLAKE3 of the file's bytes, in hexadecimal: which version ran.
    pub hash: String,
}

/// Something wrong in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file as the user named it.
    pub file: PathBuf,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file.display(),
            self.line,
            self.column,
            self.message
        )
    }
}

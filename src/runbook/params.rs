//! Parameters: what was given against what was declared, and how a value enters a script without becoming part of it.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::runbook::{Action, Param, ParamKind, Runbook, Step};

use super::mask::{MASKED, Mask};
use super::quote;

/// A value and how it may be used.
#[derive(Clone)]
struct Held {
    kind: ParamKind,
    raw: bool,
    // All values are kept alike, so that no path exists on which a secret is the one that was forgotten.
    text: SecretString,
}

/// The values of a run's parameters. Its debug form shows names only.
#[derive(Clone, Default)]
pub struct Values {
    held: BTreeMap<String, Held>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.held.keys()).finish()
    }
}

impl Values {
    /// The value of `name`, secret or not.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.held.get(name).map(|held| held.text.expose_secret())
    }

    /// Takes what a step captured: plain text from the host, never raw.
    pub fn capture(&mut self, name: &str, text: &str) {
        self.hold(name, ParamKind::String, false, text);
    }

    /// The values as they may be stored and shown.
    pub fn masked(&self) -> BTreeMap<String, String> {
        self.held
            .iter()
            .map(|(name, held)| (name.clone(), held.shown().to_owned()))
            .collect()
    }

    /// What hides the secrets among these values.
    pub fn mask(&self) -> Mask {
        Mask::new(
            self.held
                .values()
                .filter(|held| held.kind == ParamKind::Secret)
                .map(|held| held.text.expose_secret()),
        )
    }

    /// The same values with secrets replaced, for showing a script.
    pub(super) fn shown(&self) -> Self {
        let mut shown = self.clone();
        for held in shown.held.values_mut() {
            held.text = SecretString::from(held.shown().to_owned());
        }
        shown
    }

    fn hold(&mut self, name: &str, kind: ParamKind, raw: bool, text: &str) {
        let text = SecretString::from(text.to_owned());
        self.held.insert(name.to_owned(), Held { kind, raw, text });
    }
}

impl Held {
    fn shown(&self) -> &str {
        match self.kind {
            ParamKind::Secret => MASKED,
            ParamKind::String
            | ParamKind::Number
            | ParamKind::Bool
            | ParamKind::Enum
            | ParamKind::Host => self.text.expose_secret(),
        }
    }
}

/// Checks what was given with `-p` and adds the defaults.
///
/// # Errors
/// Everything that is wrong, a line each, for exit status 2.
pub fn resolve(book: &Runbook, given: &BTreeMap<String, String>) -> Result<Values, Vec<String>> {
    let mut wrong = Vec::new();
    let used = used(book);
    for name in given.keys() {
        let Some(param) = book.params.iter().find(|param| param.name == *name) else {
            let known: Vec<&str> = book
                .params
                .iter()
                .map(|param| param.name.as_str())
                .collect();
            wrong.push(if known.is_empty() {
                format!("{name}: {} takes no parameters; leave it out", book.name)
            } else {
                format!(
                    "{name}: {} has no such parameter; it has: {}",
                    book.name,
                    known.join(" ")
                )
            });
            continue;
        };
        if !used.contains(&param.name) {
            wrong.push(format!("{name}: no step uses it; leave it out"));
        }
    }
    let mut values = Values::default();
    for param in &book.params {
        let text = given.get(&param.name).or(param.default.as_ref());
        match text {
            Some(text) => match check(param, text) {
                Ok(()) => values.hold(&param.name, param.kind, param.raw, text),
                Err(why) => wrong.push(format!("{}: {why}", param.name)),
            },
            // What no step uses cannot be wanted.
            None if param.required && used.contains(&param.name) => wrong.push(format!(
                "{}: is required; give it with -p {0}=…",
                param.name
            )),
            None => values.hold(&param.name, ParamKind::String, false, ""),
        }
    }
    if wrong.is_empty() {
        wrong = unfit(book, &values);
    }
    if wrong.is_empty() {
        Ok(values)
    } else {
        Err(wrong)
    }
}

/// What the scripts cannot take of these values: known before the first host is touched.
fn unfit(book: &Runbook, values: &Values) -> Vec<String> {
    let mut values = values.clone();
    for name in book.steps.iter().filter_map(|step| step.capture.as_ref()) {
        values.capture(name, "captured");
    }
    let mut wrong = Vec::new();
    for step in &book.steps {
        for (interpreter, text) in texts(step) {
            if let Err(why) = fill(interpreter, text, &values) {
                wrong.extend(why.into_iter().map(|why| format!("{}: {why}", step.name)));
            }
        }
    }
    wrong
}

/// The scripts of a step, each with its interpreter.
fn texts(step: &Step) -> Vec<(&str, &str)> {
    let mut texts: Vec<(&str, &str)> = [&step.condition, &step.verify]
        .into_iter()
        .flatten()
        .map(|text| ("sh", text.as_str()))
        .collect();
    if let Action::Script { interpreter, text } = &step.action {
        texts.push((interpreter, text));
    }
    texts
}

/// Whether `text` may be the value of `param`.
///
/// # Errors
/// What is wrong with it, in words that never repeat a secret.
pub(super) fn check(param: &Param, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("holds a NUL character, which no script can take; remove it".to_owned());
    }
    let shown = if param.kind == ParamKind::Secret {
        "the value".to_owned()
    } else {
        format!("{text:?}")
    };
    let fits = match param.kind {
        ParamKind::Number => is_number(text),
        ParamKind::Bool => matches!(text, "true" | "false"),
        ParamKind::Enum => param.choices.iter().any(|choice| choice == text),
        ParamKind::Host => is_host(text),
        ParamKind::String | ParamKind::Secret => true,
    };
    if !fits {
        return Err(match param.kind {
            ParamKind::Number => format!("{shown} is no number; write it like 10 or -2.5"),
            ParamKind::Bool => format!("{shown} is neither true nor false"),
            ParamKind::Enum => format!(
                "{shown} is not allowed; use one of: {}",
                param.choices.join(" ")
            ),
            ParamKind::Host => format!("{shown} is no host name"),
            ParamKind::String | ParamKind::Secret => format!("{shown} is not allowed"),
        });
    }
    if let Some(regex) = &param.regex {
        let compiled = whole(regex)?;
        if !compiled.is_match(text) {
            return Err(format!("{shown} does not match {regex}"));
        }
    }
    Ok(())
}

/// The expression that matches only the whole text.
pub(super) fn whole(regex: &str) -> Result<Regex, String> {
    Regex::new(&format!(r"\A(?:{regex})\z"))
        .map_err(|error| format!("the regular expression {regex} is not valid: {error}"))
}

/// A decimal number as every shell's arithmetic and `sort -n` read it.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, part]
        .iter()
        .all(|side| !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A name that cannot be taken for an option and holds nothing that a shell, here or over there, would act on.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '@' | '%'))
}

/// Puts the values into a script for `interpreter`, each as the one literal that the place allows.
///
/// # Errors
/// What cannot be filled in safely, a line each. A runbook that was read without errors fails here only when a value
/// that an earlier step should have captured is missing.
pub fn fill(interpreter: &str, text: &str, values: &Values) -> Result<String, Vec<String>> {
    let lookup = |name: &str| {
        values.held.get(name).map(|held| quote::Bound {
            kind: held.kind,
            raw: held.raw,
            text: held.text.expose_secret(),
        })
    };
    quote::fill(quote::Dialect::of(interpreter), text, &lookup)
}

/// The names that the steps use, sorted, each once.
pub(super) fn used(book: &Runbook) -> Vec<String> {
    let mut names: Vec<String> = book.steps.iter().flat_map(step_uses).collect();
    names.sort();
    names.dedup();
    names
}

/// The names that one step uses.
pub(super) fn step_uses(step: &Step) -> Vec<String> {
    texts(step)
        .into_iter()
        .flat_map(|(interpreter, text)| quote::slots(quote::Dialect::of(interpreter), text))
        .map(|slot| slot.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runbook::parse::parse;

    const BOOK: &str = "---
params:
- {name: service, regex: '[a-z]+', default: nginx}
- {name: level, enum: [soft, hard], default: soft}
- {name: tries, type: number, default: 3}
- {name: force, type: bool, default: false}
- {name: where, type: host, required: false}
- {name: password, type: secret, regex: '.{8,}'}
- {name: unused}
---
```sh
echo {{ service }} {{ level }} {{ tries }} {{ force }} {{ where }} {{ password }} {{ free }}
```
";

    fn resolved(given: &[(&str, &str)]) -> Result<Values, Vec<String>> {
        let book = parse(Path::new(""), "restart", BOOK).expect("nothing is wrong");
        let mut all = BTreeMap::from([
            ("password".to_owned(), "s3cr3t-word".to_owned()),
            ("free".to_owned(), "text".to_owned()),
        ]);
        for (name, value) in given {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        resolve(&book, &all)
    }

    #[test]
    fn defaults_are_taken() {
        let values = resolved(&[]).expect("all is there");
        for (name, value) in [
            ("service", "nginx"),
            ("level", "soft"),
            ("tries", "3"),
            ("force", "false"),
            ("where", ""),
            ("free", "text"),
        ] {
            assert_eq!(values.get(name), Some(value));
        }
        let masked = values.masked();
        assert_eq!(masked.get("password").map(String::as_str), Some(MASKED));
        assert_eq!(masked.get("service").map(String::as_str), Some("nginx"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (name, value, message) in [
            (
                "service",
                "nginx; id",
                "service: \"nginx; id\" does not match [a-z]+",
            ),
            (
                "service",
                "nginx\n",
                "service: \"nginx\\n\" does not match [a-z]+",
            ),
            (
                "level",
                "firm",
                "level: \"firm\" is not allowed; use one of: soft hard",
            ),
            (
                "tries",
                "3x",
                "tries: \"3x\" is no number; write it like 10 or -2.5",
            ),
            (
                "tries",
                "",
                "tries: \"\" is no number; write it like 10 or -2.5",
            ),
            ("force", "yes", "force: \"yes\" is neither true nor false"),
            (
                "where",
                "-oProxyCommand=x",
                "where: \"-oProxyCommand=x\" is no host name",
            ),
            ("where", "a b", "where: \"a b\" is no host name"),
            (
                "password",
                "short",
                "password: the value does not match .{8,}",
            ),
            (
                "free",
                "a\0b",
                "free: holds a NUL character, which no script can take; remove it",
            ),
            ("unused", "x", "unused: no step uses it; leave it out"),
            (
                "other",
                "x",
                "other: restart has no such parameter; it has: service level tries force where password unused free",
            ),
        ] {
            let wrong = resolved(&[(name, value)]).expect_err(name);
            assert_eq!(wrong, [message]);
        }
    }

    #[test]
    fn what_is_required_is_asked_for() {
        let book = parse(Path::new(""), "restart", BOOK).expect("nothing is wrong");
        let wrong = resolve(&book, &BTreeMap::new()).expect_err("two are missing");
        assert_eq!(
            wrong,
            [
                "password: is required; give it with -p password=…",
                "free: is required; give it with -p free=…",
            ]
        );
    }

    #[test]
    fn a_value_that_its_place_cannot_hold_is_refused_before_the_run() {
        let book = parse(
            Path::new(""),
            "r",
            "```sh\ncat <<'EOF'\n{{ line }}\nEOF\n```",
        )
        .expect("nothing is wrong");
        let given = |text: &str| BTreeMap::from([("line".to_owned(), text.to_owned())]);
        assert!(resolve(&book, &given("fine")).is_ok());
        let wrong = resolve(&book, &given("EOF")).expect_err("it would end the text");
        assert!(
            wrong
                .iter()
                .all(|why| why.starts_with("Step: {{ line }} has a value")),
            "{wrong:?}"
        );
    }
}

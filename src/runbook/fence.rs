//! Info strings of fences: the language, and the attributes in braces: `sh { name=check timeout=30s verify='test -e x' }`.

use crate::domain::runbook::{Confirm, On, Repeat};
use crate::domain::time::parse_span;

use super::quote::{identifier, is_reserved};

/// What a fence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// A script for this interpreter.
    Script(&'static str),
    /// A recorded terminal: only the lines after a prompt are commands.
    Console,
}

impl Language {
    /// The language of an info string's first word; `None` is prose.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "sh" | "shell" | "posix" => Self::Script("sh"),
            "bash" => Self::Script("bash"),
            "zsh" => Self::Script("zsh"),
            "ksh" => Self::Script("ksh"),
            "dash" => Self::Script("dash"),
            "ash" => Self::Script("ash"),
            "python3" => Self::Script("python3"),
            "perl" => Self::Script("perl"),
            "ruby" => Self::Script("ruby"),
            "console" | "shell-session" | "shellsession" => Self::Console,
            _ => return None,
        })
    }
}

/// What the attributes say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) name: Option<String>,
    pub(super) on: On,
    pub(super) run: Repeat,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retries: u32,
    pub(super) confirm: Confirm,
    pub(super) verify: Option<Placed>,
    pub(super) capture: Option<Placed>,
    pub(super) condition: Option<Placed>,
    pub(super) become_root: bool,
    pub(super) ignore_errors: bool,
    /// Where the name stands, for messages.
    pub(super) name_at: usize,
}

/// A text and where it stands in the file, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) at: usize,
}

/// Something wrong, and where it stands in the file, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

/// Every attribute, for messages.
const NAMES: &str =
    "name on timeout retries confirm verify capture run become background if ignore_errors";

/// The most retries; more is a loop that nobody watches.
const RETRIES: u32 = 100;

/// Reads an info string that begins at byte `at` of the file. `None` is a fence that is prose.
pub(super) fn info(text: &str, at: usize) -> Option<(Language, Attributes, Vec<Fault>)> {
    let trimmed = text.trim_start();
    let start = text.len() - trimmed.len();
    let end = trimmed
        .find(|c: char| c.is_whitespace() || c == '{')
        .unwrap_or(trimmed.len());
    let (word, rest) = trimmed.split_at_checked(end)?;
    let language = Language::of(&word.to_ascii_lowercase())?;
    let mut reader = Reader {
        text: rest,
        at: 0,
        base: at + start + end,
        faults: Vec::new(),
    };
    let attributes = reader.attributes();
    Some((language, attributes, reader.faults))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where `text` begins in the file.
    base: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn attributes(&mut self) -> Attributes {
        let mut attributes = Attributes {
            name: None,
            on: On::Host,
            run: Repeat::Each,
            timeout_ms: None,
            retries: 0,
            confirm: Confirm::No,
            verify: None,
            capture: None,
            condition: None,
            become_root: false,
            ignore_errors: false,
            name_at: self.base,
        };
        self.blanks();
        if self.rest().is_empty() {
            return attributes;
        }
        if !self.rest().starts_with('{') {
            // Other tools put words of their own here; only braces are ours.
            return attributes;
        }
        let open = self.at;
        self.at += 1;
        loop {
            self.blanks();
            let at = self.at;
            match self.rest().chars().next() {
                None => {
                    self.fault(
                        open,
                        "the attributes are not closed; end them with }".to_owned(),
                    );
                    return attributes;
                }
                Some('}') => {
                    self.at += 1;
                    self.blanks();
                    if !self.rest().is_empty() {
                        let rest = self.rest().trim().to_owned();
                        self.fault(
                            self.at,
                            format!(
                                "{rest:?} stands after the attributes; move it into the braces"
                            ),
                        );
                    }
                    return attributes;
                }
                Some(',') => self.at += 1,
                Some(_) => {
                    let Some((name, value)) = self.pair() else {
                        return attributes;
                    };
                    if let Err(why) = self.apply(&mut attributes, &name, value, at) {
                        self.fault(at, format!("{name}: {why}"));
                    }
                }
            }
        }
    }

    /// `name=value`, `name='value'`, or a lone `name`, which is `yes`.
    fn pair(&mut self) -> Option<(String, Placed)> {
        let start = self.at;
        let end = self.find(|c| c.is_whitespace() || matches!(c, '=' | '}' | ','));
        let name = self.rest().get(..end)?.to_owned();
        self.at += end;
        if name.is_empty() {
            self.fault(
                start,
                format!("a name is missing before =; attributes are: {NAMES}"),
            );
            return None;
        }
        if !self.rest().starts_with('=') {
            let at = self.base + start;
            let text = "yes".to_owned();
            return Some((name, Placed { text, at }));
        }
        self.at += 1;
        let at = self.base + self.at;
        let quote = self
            .rest()
            .chars()
            .next()
            .filter(|c| matches!(c, '\'' | '"'));
        let Some(quote) = quote else {
            let end = self.find(|c| c.is_whitespace() || matches!(c, '}' | ','));
            let text = self.rest().get(..end)?.to_owned();
            self.at += end;
            return Some((name, Placed { text, at }));
        };
        self.at += 1;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.at += index + 1;
                return Some((name, Placed { text, at: at + 1 }));
            }
            if c == '\\' && quote == '"' {
                // Only the quote and the backslash need one; anything else keeps it, for regular expressions.
                match chars.clone().next() {
                    Some((_, next @ ('"' | '\\'))) => {
                        chars.next();
                        text.push(next);
                    }
                    _ => text.push(c),
                }
            } else {
                text.push(c);
            }
        }
        self.fault(
            start,
            format!("{name}: the quotes are not closed; end the value with {quote}"),
        );
        None
    }

    fn apply(
        &self,
        attributes: &mut Attributes,
        name: &str,
        value: Placed,
        at: usize,
    ) -> Result<(), String> {
        let text = value.text.as_str();
        match name {
            "name" => {
                if text.trim().is_empty() {
                    return Err("is empty; give the step a name".to_owned());
                }
                attributes.name = Some(text.trim().to_owned());
                attributes.name_at = self.base + at;
            }
            "on" => attributes.on = text.parse()?,
            "run" => attributes.run = text.parse()?,
            "confirm" => attributes.confirm = text.parse()?,
            "timeout" => {
                let span = parse_span(text).filter(|span| *span > 0);
                attributes.timeout_ms = Some(span.ok_or_else(|| {
                    format!("{text:?} is no time; write it like 30s, 5min or 1h30min")
                })?);
            }
            "retries" => {
                let retries = text.parse().ok().filter(|retries| *retries <= RETRIES);
                attributes.retries = retries.ok_or_else(|| {
                    format!("{text:?} is no number of retries; use 0 to {RETRIES}")
                })?;
            }
            "verify" => attributes.verify = Some(command(value)?),
            "if" => attributes.condition = Some(command(value)?),
            "capture" => {
                let whole = identifier(text).is_some_and(|(_, rest)| rest.is_empty());
                if !whole || is_reserved(text) {
                    return Err(format!(
                        "{text:?} is no name for a parameter; use letters, digits and _"
                    ));
                }
                attributes.capture = Some(value);
            }
            "become" => attributes.become_root = truth(text)?,
            "ignore_errors" => attributes.ignore_errors = truth(text)?,
            "background" => {
                if truth(text)? {
                    return Err(
                        "is not supported yet; let the step start a service, or leave it out"
                            .to_owned(),
                    );
                }
            }
            _ => return Err(format!("is no attribute; attributes are: {NAMES}")),
        }
        Ok(())
    }

    fn find(&self, stop: impl Fn(char) -> bool) -> usize {
        self.rest().find(stop).unwrap_or(self.rest().len())
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&mut self, at: usize, message: String) {
        let at = self.base + at;
        self.faults.push(Fault { at, message });
    }
}

fn command(value: Placed) -> Result<Placed, String> {
    if value.text.trim().is_empty() {
        return Err("is empty; give it a command".to_owned());
    }
    Ok(value)
}

fn truth(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, language) in [
            ("sh", Some(Language::Script("sh"))),
            (" Bash {name=x}", Some(Language::Script("bash"))),
            ("shell{name=x}", Some(Language::Script("sh"))),
            ("console", Some(Language::Console)),
            ("python3", Some(Language::Script("python3"))),
            ("python", None),
            ("text", None),
            ("yaml { name=x }", None),
            ("", None),
        ] {
            assert_eq!(
                info(text, 0).map(|(language, ..)| language),
                language,
                "{text}"
            );
        }
    }

    #[test]
    fn attributes_are_read() {
        let text = r#"sh { name="Check \"it\"" on=local run=once timeout=1h30min retries=2, confirm=typed verify='a "b" \d' if="grep '\.' x" capture=out become ignore_errors=yes background=no }"#;
        let (_, attributes, faults) = info(text, 0).expect("a shell fence");
        assert_eq!(faults, []);
        assert_eq!(attributes.name.as_deref(), Some("Check \"it\""));
        assert_eq!(attributes.on, On::Local);
        assert_eq!(attributes.run, Repeat::Once);
        assert_eq!(attributes.timeout_ms, Some(5_400_000));
        assert_eq!(attributes.retries, 2);
        assert_eq!(attributes.confirm, Confirm::Typed);
        assert_eq!(
            attributes.verify.map(|value| value.text).as_deref(),
            Some(r#"a "b" \d"#)
        );
        assert_eq!(
            attributes.condition.map(|value| value.text).as_deref(),
            Some(r"grep '\.' x")
        );
        assert_eq!(
            attributes.capture.map(|value| value.text).as_deref(),
            Some("out")
        );
        assert!(attributes.become_root && attributes.ignore_errors);
    }

    #[test]
    fn faults_have_their_place() {
        for (text, at, message) in [
            (
                "sh { nam=x }",
                5,
                "nam: is no attribute; attributes are: name on",
            ),
            ("sh { timeout=soon }", 5, "timeout: \"soon\" is no time"),
            ("sh { timeout=0 }", 5, "timeout: \"0\" is no time"),
            ("sh { retries=-1 }", 5, "retries: \"-1\" is no number"),
            (
                "sh { on=moon }",
                5,
                "on: \"moon\" is no place to run; use one of: host each local",
            ),
            (
                "sh { name=x background=yes }",
                12,
                "background: is not supported yet",
            ),
            ("sh { name='x }", 5, "name: the quotes are not closed"),
            ("sh { name=x", 3, "the attributes are not closed"),
            ("sh { =x }", 5, "a name is missing"),
            ("sh { capture=a-b }", 5, "capture: \"a-b\" is no name"),
            ("sh { name= }", 5, "name: is empty"),
            ("sh { verify='' }", 5, "verify: is empty"),
            ("sh { become=maybe }", 5, "become: \"maybe\" is neither"),
            ("sh { name=x } y", 14, "\"y\" stands after"),
        ] {
            let (.., faults) = info(text, 0).expect("a shell fence");
            let found = faults
                .first()
                .map(|fault| (fault.at, fault.message.as_str()));
            let (found_at, found_message) = found.unwrap_or((0, "nothing"));
            assert_eq!(found_at, at, "{text}: {found_message}");
            assert!(
                found_message.starts_with(message),
                "{text}: {found_message}"
            );
        }
    }
}

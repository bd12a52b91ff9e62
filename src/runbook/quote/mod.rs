//! Finds the places of parameters in a script and writes each value as the one literal that its place allows.
//!
//! A value never becomes code. Where that cannot be had with certainty the place is refused, with what to write instead.

mod evaluators;
mod here;
mod python;
mod shell;

use crate::domain::runbook::ParamKind;

/// Whose rules of quoting hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The POSIX shell, whichever program that is on the host.
    Sh,
    /// Shells that know `$'…'`: bash, zsh, ksh.
    Bash,
    /// Python 3.
    Python,
    /// A language whose quoting is not known here.
    Other,
}

impl Dialect {
    /// The dialect of an interpreter.
    pub(super) fn of(interpreter: &str) -> Self {
        match interpreter {
            "sh" | "dash" | "ash" | "yash" => Self::Sh,
            "bash" | "zsh" | "ksh" | "mksh" => Self::Bash,
            "python3" => Self::Python,
            _ => Self::Other,
        }
    }

    /// Whether it is a shell.
    pub(super) const fn is_shell(self) -> bool {
        matches!(self, Self::Sh | Self::Bash)
    }
}

/// What surrounds a parameter, and so how its value must be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside of all quotes.
    Bare,
    /// Between single quotes.
    Single,
    /// Between double quotes.
    Double,
    /// In a here-document that the shell expands.
    Here,
    /// In a here-document that the shell takes as it is.
    Literal {
        /// The line that ends it.
        delimiter: String,
        /// Whether the line would end it if the value were empty.
        ends_if_empty: bool,
    },
    /// In an arithmetic expression, where only a number is harmless.
    Arithmetic,
    /// In Python code, outside of strings.
    Python,
    /// Where no value can be written safely; says where that is and what to do.
    Refused(&'static str),
}

/// A parameter in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The parameter's name.
    pub(super) name: String,
    /// Where `{{` begins, in bytes.
    pub(super) start: usize,
    /// Where `}}` ends, in bytes.
    pub(super) end: usize,
    /// What surrounds it.
    pub(super) place: Place,
    /// The command that reads the value a second time as code, if there is one.
    pub(super) evaluated_by: Option<String>,
}

/// A value for a slot.
pub(super) struct Bound<'a> {
    pub(super) kind: ParamKind,
    pub(super) raw: bool,
    pub(super) text: &'a str,
}

/// Every parameter in `text` but those in comments, which stay as they are.
pub(super) fn slots(dialect: Dialect, text: &str) -> Vec<Slot> {
    match dialect {
        Dialect::Sh | Dialect::Bash => shell::slots(text, dialect == Dialect::Bash),
        Dialect::Python => python::slots(text),
        Dialect::Other => (0..text.len())
            .filter_map(|at| {
                let (name, end) = opening(text, at)?;
                let place = Place::Refused(
                    "in a language whose quoting is not known; use an sh or python3 fence for this step",
                );
                Some(Slot {
                    name: name.to_owned(),
                    start: at,
                    end,
                    place,
                    evaluated_by: None,
                })
            })
            .collect(),
    }
}

/// Why a value of this kind cannot stand at `slot`, if it cannot.
pub(super) fn objection(slot: &Slot, kind: ParamKind, raw: bool) -> Option<String> {
    let name = &slot.name;
    let place = match &slot.place {
        // What is raw is pasted as it is; the author asked for it and a person types a confirmation.
        _ if raw => return None,
        Place::Refused(place) => place,
        Place::Arithmetic if kind != ParamKind::Number => {
            "in an expression that the shell computes; declare it with `type: number`"
        }
        Place::Bare
        | Place::Single
        | Place::Double
        | Place::Here
        | Place::Literal { .. }
        | Place::Arithmetic
        | Place::Python => {
            let evaluator = slot.evaluated_by.as_ref()?;
            let harmless = matches!(
                kind,
                ParamKind::Number | ParamKind::Bool | ParamKind::Enum | ParamKind::Host
            );
            return (!harmless).then(|| {
                format!(
                    "{{{{ {name} }}}} would be read as code by {evaluator}; hand it over as an argument, as in: sh -c '… \"$1\" …' sh {{{{ {name} }}}}"
                )
            });
        }
    };
    Some(format!("{{{{ {name} }}}} cannot stand {place}"))
}

/// Writes the values into the script.
pub(super) fn fill<'a>(
    dialect: Dialect,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<Bound<'a>>,
) -> Result<String, Vec<String>> {
    let mut wrong = Vec::new();
    let mut out = String::with_capacity(text.len());
    // Here-documents take their values from variables, because what an expansion yields is not read again.
    let mut prelude: Vec<(String, String)> = Vec::new();
    let mut done = 0;
    for slot in slots(dialect, text) {
        out.push_str(text.get(done..slot.start).unwrap_or_default());
        done = slot.end;
        let Some(bound) = lookup(&slot.name) else {
            wrong.push(format!("{{{{ {} }}}} has no value yet", slot.name));
            continue;
        };
        if let Some(why) = objection(&slot, bound.kind, bound.raw) {
            wrong.push(why);
            continue;
        }
        if bound.text.contains('\0') {
            wrong.push(format!("{{{{ {} }}}} holds a NUL character", slot.name));
            continue;
        }
        if bound.raw {
            out.push_str(bound.text);
            continue;
        }
        match written(&slot, &bound) {
            Ok(text) => out.push_str(&text),
            Err(why) => wrong.push(why),
        }
        if slot.place == Place::Here && !prelude.iter().any(|(name, _)| *name == slot.name) {
            prelude.push((slot.name.clone(), quoted(bound.text)));
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    if !wrong.is_empty() {
        return Err(wrong);
    }
    // On the first line, so that the line numbers in the shell's messages stay true.
    for (name, value) in prelude.iter().rev() {
        out.insert_str(0, &format!("{}={value}; ", variable(name)));
    }
    Ok(out)
}

/// The text that stands for the value at the slot.
fn written(slot: &Slot, bound: &Bound<'_>) -> Result<String, String> {
    let text = bound.text;
    Ok(match &slot.place {
        Place::Bare => quoted(text),
        Place::Single => text.replace('\'', "'\\''"),
        // The double quotes are left and entered again, so that a name before the value cannot grow into it.
        Place::Double => format!("\"{}\"", quoted(text)),
        Place::Here => format!("${{{}}}", variable(&slot.name)),
        Place::Literal {
            delimiter,
            ends_if_empty,
        } => {
            let ends = if text.is_empty() {
                *ends_if_empty
            } else {
                // A line can only become the delimiter if all its values are pieces of it.
                delimiter.contains(text)
            };
            if ends || text.contains(['\n', '\r']) {
                return Err(format!(
                    "{{{{ {} }}}} has a value that could end its here-document; take the quotes off <<'{delimiter}'",
                    slot.name
                ));
            }
            text.to_owned()
        }
        // A minus sign must not meet another one.
        Place::Arithmetic => format!("({})", decimal(text)),
        Place::Python => python::literal(bound.kind, text),
        Place::Refused(place) => {
            return Err(format!("{{{{ {} }}}} cannot stand {place}", slot.name));
        }
    })
}

/// One literal word for every POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A number without leading zeros, which would make it octal.
fn decimal(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let digits = digits.trim_start_matches('0');
    match digits.chars().next() {
        Some('0'..='9') => format!("{sign}{digits}"),
        _ => format!("{sign}0{digits}"),
    }
}

/// The shell variable that carries a value into a here-document.
fn variable(name: &str) -> String {
    format!("qd_param_{name}")
}

/// The parameter that opens at byte `at`: its name, and where it ends.
pub(super) fn opening(text: &str, at: usize) -> Option<(&str, usize)> {
    let inner = text.get(at..)?.strip_prefix("{{")?;
    let (name, rest) = identifier(inner.trim_start_matches([' ', '\t']))?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix("}}")?;
    (!is_reserved(name)).then_some((name, text.len() - rest.len()))
}

/// Whether a parameter seems to open at byte `at` and is never closed: `{{ name }`.
pub(super) fn unclosed(text: &str, at: usize) -> bool {
    let Some(inner) = text.get(at..).and_then(|rest| rest.strip_prefix("{{")) else {
        return false;
    };
    let Some((_, rest)) = identifier(inner.trim_start_matches([' ', '\t'])) else {
        return false;
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    let next = rest.chars().next();
    matches!(next, None | Some('\n')) || (next == Some('}') && !rest.starts_with("}}"))
}

/// The words of Go's templates that stand alone in braces, as in `docker ps --format '{{range .}}…{{end}}'`.
pub(super) fn is_reserved(name: &str) -> bool {
    matches!(name, "end" | "else" | "break" | "continue")
}

/// The identifier that `text` begins with, and the rest.
pub(super) fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let first = name.chars().next()?;
    (!first.is_ascii_digit()).then_some((name, rest))
}

#[cfg(test)]
mod tests;

//! Front matter: the YAML block at the top of a runbook.
//!
//! Keys that are not ours are left to other tools, because any Markdown file may be a runbook; inside `params` they are
//! mistakes.

use serde_norway::{Mapping, Value};

use crate::domain::runbook::{Param, ParamKind};

use super::fence::Fault;
use super::params::{check, whole};
use super::quote::{identifier, is_reserved};

/// What the front matter says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Front {
    pub(super) title: Option<String>,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) hosts: Option<String>,
    pub(super) params: Vec<Param>,
    pub(super) when: Vec<String>,
}

/// Splits the front matter from the text: the YAML's range and where the Markdown begins, in bytes.
///
/// A file may begin with a line of dashes that is only a rule, so an opening without an end is front matter only when a
/// key follows it.
pub(super) fn split(text: &str) -> Result<Option<(usize, usize, usize)>, Fault> {
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == "---") else {
        return Ok(None);
    };
    let start = first.len();
    let mut at = start;
    let mut key_follows = None;
    for line in lines {
        if matches!(line.trim_end(), "---" | "...") {
            return Ok(Some((start, at, at + line.len())));
        }
        key_follows.get_or_insert_with(|| {
            identifier(line).is_some_and(|(name, rest)| !name.is_empty() && rest.starts_with(':'))
        });
        at += line.len();
    }
    if key_follows == Some(true) {
        return Err(Fault {
            at: 0,
            message: "the front matter is not closed; end it with a line of ---".to_owned(),
        });
    }
    Ok(None)
}

/// Reads the YAML, which begins at byte `at` of the file.
pub(super) fn read(yaml: &str, at: usize) -> (Front, Vec<Fault>) {
    let mut reader = Reader {
        yaml,
        base: at,
        faults: Vec::new(),
    };
    let front = match serde_norway::from_str::<Value>(yaml) {
        Ok(Value::Mapping(mapping)) => reader.front(&mapping),
        Ok(Value::Null) => Front::default(),
        Ok(_) => {
            reader.fault(
                0,
                "the front matter is no mapping; write lines like title: …".to_owned(),
            );
            Front::default()
        }
        Err(error) => {
            let index = error.location().map_or(0, |location| location.index());
            reader.fault(
                index,
                format!("the front matter is not valid YAML: {error}"),
            );
            Front::default()
        }
    };
    (front, reader.faults)
}

struct Reader<'a> {
    yaml: &'a str,
    base: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn front(&mut self, mapping: &Mapping) -> Front {
        let mut front = Front::default();
        for (key, value) in mapping {
            let Some(key) = key.as_str() else { continue };
            let at = self.find(key, 0);
            let wrong = match key {
                "title" => text(value).map(|text| front.title = Some(text)),
                "description" => text(value).map(|text| front.description = text),
                "tags" => list(value).map(|tags| front.tags = tags),
                "hosts" => list(value).map(|hosts| {
                    front.hosts = (!hosts.is_empty()).then(|| hosts.join(","));
                }),
                "when" => list(value).map(|words| front.when = words),
                "params" => {
                    front.params = self.params(value, at);
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(why) = wrong {
                self.fault(at, format!("{key}: {why}"));
            }
        }
        if let Some(Value::String(hosts)) = mapping.get("hosts") {
            // A pattern may hold commas and spaces of its own.
            front.hosts = Some(hosts.trim().to_owned()).filter(|hosts| !hosts.is_empty());
        }
        front.tags.sort();
        front.tags.dedup();
        front
    }

    fn params(&mut self, value: &Value, at: usize) -> Vec<Param> {
        let Value::Sequence(items) = value else {
            if *value != Value::Null {
                self.fault(
                    at,
                    "params: is no list; write a line like - name: …".to_owned(),
                );
            }
            return Vec::new();
        };
        let mut params: Vec<Param> = Vec::new();
        let mut from = at;
        for item in items {
            let name = item.get("name").and_then(Value::as_str);
            let Value::Mapping(mapping) = item else {
                self.fault(
                    from,
                    "params: each entry is a mapping like - name: …".to_owned(),
                );
                continue;
            };
            let Some(name) = name else {
                self.fault(from, "params: an entry has no name; add name: …".to_owned());
                continue;
            };
            let place = self.find_value("name", name, from);
            from = place + "name".len();
            if params.iter().any(|param| param.name == name) {
                self.fault(place, format!("params: {name} is declared twice"));
                continue;
            }
            let valid = identifier(name).is_some_and(|(_, rest)| rest.is_empty());
            if !valid || is_reserved(name) {
                self.fault(
                    place,
                    format!("params: {name:?} is no name; use letters, digits and _"),
                );
                continue;
            }
            params.push(self.param(name, mapping, place));
        }
        params
    }

    fn param(&mut self, name: &str, mapping: &Mapping, place: usize) -> Param {
        let mut param = Param {
            name: name.to_owned(),
            kind: ParamKind::String,
            default: None,
            regex: None,
            required: true,
            choices: Vec::new(),
            description: String::new(),
            raw: false,
        };
        let mut required = None;
        for (key, value) in mapping {
            let key = key.as_str().unwrap_or("?");
            let wrong = match key {
                "name" => Ok(()),
                "type" => text(value)
                    .and_then(|text| text.parse())
                    .map(|kind| param.kind = kind),
                "default" => match value {
                    Value::Null => Ok(()),
                    value => text(value).map(|text| param.default = Some(text)),
                },
                "regex" => text(value).and_then(|text| {
                    whole(&text)?;
                    param.regex = Some(text);
                    Ok(())
                }),
                "required" => truth(value).map(|yes| required = Some(yes)),
                "raw" => truth(value).map(|yes| param.raw = yes),
                "enum" => list(value).map(|choices| param.choices = choices),
                "description" => text(value).map(|text| param.description = text),
                _ => Err("is not known; an entry has: name type default regex required enum description raw".to_owned()),
            };
            if let Err(why) = wrong {
                let at = self.find(key, place);
                self.fault(at, format!("params: {name}: {key}: {why}"));
            }
        }
        if !param.choices.is_empty() && mapping.get("type").is_none() {
            param.kind = ParamKind::Enum;
        }
        // An empty value in `rm -rf /srv/{{ name }}` is worse than a question.
        param.required = required.unwrap_or(param.default.is_none());
        if let Err((key, why)) = consistent(&param) {
            let at = self.find(key, place);
            self.fault(at, format!("params: {name}: {why}"));
        }
        param
    }

    /// Where `key:` first stands at or after byte `from`; `from` itself when it cannot be found.
    fn find(&self, key: &str, from: usize) -> usize {
        let rest = self.yaml.get(from..).unwrap_or_default();
        let mut at = 0;
        while let Some(found) = rest.get(at..).and_then(|rest| rest.find(key)) {
            let start = at + found;
            let before = rest.get(..start).unwrap_or_default().chars().next_back();
            let after = rest.get(start + key.len()..).unwrap_or_default();
            let alone = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            if alone && after.trim_start_matches(['"', '\'', ' ']).starts_with(':') {
                return from + start;
            }
            at = start + key.len();
        }
        from
    }

    /// Where the line stands in which `key` has the value `value`.
    fn find_value(&self, key: &str, value: &str, from: usize) -> usize {
        let mut at = from;
        loop {
            let found = self.find(key, at);
            let rest = self.yaml.get(found + key.len()..).unwrap_or_default();
            let rest = rest.trim_start_matches(['"', '\'', ' ', ':']);
            if rest.starts_with(value) {
                return found;
            }
            if found <= at && at != from || found + key.len() >= self.yaml.len() {
                return from;
            }
            at = found + key.len();
        }
    }

    fn fault(&mut self, at: usize, message: String) {
        let at = self.base + at.min(self.yaml.len());
        self.faults.push(Fault { at, message });
    }
}

/// Whether a parameter's fields agree, and the key that is to blame.
fn consistent(param: &Param) -> Result<(), (&'static str, String)> {
    if param.kind == ParamKind::Enum && param.choices.is_empty() {
        return Err((
            "type",
            "an enum needs its values; add enum: [a, b]".to_owned(),
        ));
    }
    if param.kind != ParamKind::Enum && !param.choices.is_empty() {
        return Err((
            "enum",
            format!("a {} has no list of values; use type: enum", param.kind),
        ));
    }
    if param.kind == ParamKind::Secret && param.default.is_some() {
        return Err((
            "default",
            "a secret has no default; whoever reads the file would know it".to_owned(),
        ));
    }
    if param.kind == ParamKind::Secret && param.raw {
        return Err(("raw", "a secret is never raw".to_owned()));
    }
    match &param.default {
        Some(default) => {
            check(param, default).map_err(|why| ("default", format!("the default {why}")))
        }
        None => Ok(()),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Null => Ok(String::new()),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            Err("is no text; write one value".to_owned())
        }
    }
}

fn list(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Sequence(items) => items.iter().map(text).collect(),
        Value::String(words) => Ok(words
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()),
        Value::Null => Ok(Vec::new()),
        value => text(value).map(|text| vec![text]),
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(yes) => Ok(*yes),
        Value::String(word) if matches!(word.as_str(), "yes" | "on") => Ok(true),
        Value::String(word) if matches!(word.as_str(), "no" | "off") => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

//! Reads a runbook from Markdown: fences and task lists are steps, the rest is prose that stays where it stands.

use std::collections::BTreeSet;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::domain::runbook::{
    Action, Confirm, Diagnostic, On, Param, ParamKind, Repeat, Runbook, Step,
};

use super::fence::{self, Attributes, Fault, Language};
use super::front;
use super::quote::{self, Dialect};

/// Reads a runbook. `name` is what the library calls it; `file` is named in the diagnostics.
///
/// # Errors
/// Everything that is wrong with it, in the order of the lines.
pub fn parse(file: &Path, name: &str, text: &str) -> Result<Runbook, Vec<Diagnostic>> {
    let source = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = Vec::new();
    let (front, body) = match front::split(source) {
        Ok(Some((start, end, body))) => {
            let yaml = source.get(start..end).unwrap_or_default();
            let (front, wrong) = front::read(yaml, start);
            faults.extend(wrong);
            (front, body)
        }
        Ok(None) => (front::Front::default(), 0),
        Err(fault) => {
            // The rest would only be misread.
            return Err(vec![diagnostic(file, source, fault)]);
        }
    };
    let mut walk = Walk::new(source, body);
    walk.run();
    faults.append(&mut walk.faults);
    // A checklist ends after the fences inside of it, and still comes before them.
    walk.drafts.sort_by_key(|draft| draft.at);
    let title = front
        .title
        .or(walk.title)
        .unwrap_or_else(|| name.to_owned());
    let params = parameters(front.params, &walk.drafts, &mut faults);
    let epilogue = source.get(walk.prose_from..).unwrap_or_default().trim();
    let epilogue = epilogue.to_owned();
    let steps = steps(walk.drafts, &params, &mut faults);
    if steps.is_empty() && faults.is_empty() {
        faults.push(Fault {
            at: body,
            message: "there is no step in it; add a fence like ```sh, or a list of - [ ] items"
                .to_owned(),
        });
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.at);
        faults.dedup();
        return Err(faults
            .into_iter()
            .map(|fault| diagnostic(file, source, fault))
            .collect());
    }
    Ok(Runbook {
        name: name.to_owned(),
        title,
        description: front.description,
        tags: front.tags,
        hosts: front.hosts,
        params,
        steps,
        when: front.when,
        epilogue,
        path: Some(file.to_owned()).filter(|file| !file.as_os_str().is_empty()),
        hash: blake3::hash(text.as_bytes()).to_hex().to_string(),
    })
}

fn diagnostic(file: &Path, source: &str, fault: Fault) -> Diagnostic {
    let before = source.get(..fault.at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Diagnostic {
        file: file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message: fault.message,
    }
}

/// A step as it was found, before names and parameters are settled.
struct Draft {
    /// Where it stands, in bytes.
    at: usize,
    line: u32,
    prose: String,
    heading: Option<String>,
    attributes: Option<Attributes>,
    body: Body,
}

enum Body {
    Script(&'static str, Code),
    Checklist(Vec<String>),
}

/// The text of a fence, and where its pieces stand in the file.
#[derive(Default)]
struct Code {
    text: String,
    /// Begin in `text` and begin in the file, in bytes, ascending.
    pieces: Vec<(usize, usize)>,
}

impl Code {
    fn push(&mut self, text: &str, at: usize) {
        self.pieces.push((self.text.len(), at));
        self.text.push_str(text);
    }

    /// Where byte `at` of the text stands in the file.
    fn source(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|(begin, _)| *begin <= at);
        match index
            .checked_sub(1)
            .and_then(|index| self.pieces.get(index))
        {
            Some((begin, source)) => source + (at - begin),
            None => at,
        }
    }

    /// Keeps what was typed: prompts go, and in a recorded terminal all lines that were not typed.
    fn typed(self, console: bool) -> Self {
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let first = lines
            .iter()
            .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let prompts = console || first.is_some_and(|line| line.starts_with("$ "));
        if !prompts {
            return self;
        }
        let mut typed = Self::default();
        let (mut at, mut goes_on) = (0, false);
        for line in lines {
            let source = self.source(at);
            at += line.len();
            if let Some(command) = line.strip_prefix("$ ") {
                typed.push(command, source + 2);
                goes_on = true;
            } else if let Some(more) = line.strip_prefix("> ").filter(|_| goes_on) {
                typed.push(more, source + 2);
            } else if goes_on && typed.text.ends_with("\\\n") || !console {
                typed.push(line, source);
            } else {
                goes_on = false;
            }
        }
        typed
    }
}

/// The walk over the Markdown.
struct Walk<'a> {
    source: &'a str,
    /// Where the Markdown begins.
    body: usize,
    title: Option<String>,
    drafts: Vec<Draft>,
    faults: Vec<Fault>,
    /// Where the prose after the last step begins.
    prose_from: usize,
    heading: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(source: &'a str, body: usize) -> Self {
        Self {
            source,
            body,
            title: None,
            drafts: Vec::new(),
            faults: Vec::new(),
            prose_from: body,
            heading: None,
        }
    }

    fn run(&mut self) {
        let text = self.source.get(self.body..).unwrap_or_default();
        let options = Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES;
        let mut heading: Option<String> = None;
        let mut fence: Option<(usize, usize, String, Code)> = None;
        // Open lists: where they stand, and the tasks found in them.
        let mut lists: Vec<(usize, usize, Vec<String>)> = Vec::new();
        let mut item: Option<String> = None;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            let (start, end) = (self.body + range.start, self.body + range.end);
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let text = heading.take().unwrap_or_default().trim().to_owned();
                    self.title.get_or_insert_with(|| text.clone());
                    self.heading = Some(text).filter(|text| !text.is_empty());
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                    let info = self.open(start, end);
                    fence = info.map(|info| (start, end, info, Code::default()));
                }
                Event::End(TagEnd::CodeBlock) => {
                    if let Some((start, end, info, code)) = fence.take() {
                        self.fence(start, end, &info, code);
                    }
                }
                Event::Start(Tag::List(_)) => {
                    self.close_item(&mut lists, &mut item);
                    lists.push((start, end, Vec::new()));
                }
                Event::End(TagEnd::List(_)) => {
                    self.close_item(&mut lists, &mut item);
                    if let Some((start, end, items)) = lists.pop() {
                        // A list in a list belongs to the outer one.
                        match lists.last_mut() {
                            Some((.., outer)) => outer.extend(items),
                            None if !items.is_empty() => self.checklist(start, end, items),
                            None => {}
                        }
                    }
                }
                Event::TaskListMarker(_) => item = Some(String::new()),
                Event::End(TagEnd::Item | TagEnd::Paragraph) => {
                    self.close_item(&mut lists, &mut item);
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some((.., code)) = &mut fence {
                        code.push(&text, start);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    } else if let Some(item) = &mut item {
                        item.push_str(&text);
                    }
                }
                Event::SoftBreak | Event::HardBreak => {
                    for open in [&mut heading, &mut item].into_iter().flatten() {
                        open.push(' ');
                    }
                }
                _ => {}
            }
        }
    }

    fn close_item(&self, lists: &mut [(usize, usize, Vec<String>)], item: &mut Option<String>) {
        if let (Some((.., items)), Some(text)) = (lists.last_mut(), item.take()) {
            items.push(text.trim().to_owned());
        }
    }

    /// A fence opens: returns its info string as it stands in the file. Reports a fence without an end.
    fn open(&mut self, start: usize, end: usize) -> Option<String> {
        let block = self.source.get(start..end)?;
        let first = block.lines().next().unwrap_or_default();
        let mark = first.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = first.trim_start_matches(mark);
        let width = first.len() - info.len();
        let last = block.trim_end().lines().skip(1).last().unwrap_or_default();
        let last = last.trim_start_matches([' ', '\t', '>']);
        let closes = last.len() >= width && last.chars().all(|c| c == mark);
        if !closes {
            let marks: String = std::iter::repeat_n(mark, width).collect();
            self.faults.push(Fault {
                at: start,
                message: format!("the fence is not closed; end it with a line of {marks}"),
            });
        }
        Some(info.to_owned())
    }

    fn fence(&mut self, start: usize, end: usize, info: &str, code: Code) {
        let line = self.source.get(start..).unwrap_or_default();
        let at = start + line.find(|c| !matches!(c, '`' | '~')).unwrap_or(0);
        let Some((language, attributes, faults)) = fence::info(info, at) else {
            return;
        };
        self.faults.extend(faults);
        let (interpreter, code) = match language {
            Language::Script(name) if Dialect::of(name).is_shell() => (name, code.typed(false)),
            Language::Script(name) => (name, code),
            Language::Console => ("sh", code.typed(true)),
        };
        if code.text.trim().is_empty() {
            // A recorded terminal without a prompt is only output, and an empty fence is only an example.
            return;
        }
        self.push(
            start,
            end,
            Some(attributes),
            Body::Script(interpreter, code),
        );
    }

    fn checklist(&mut self, start: usize, end: usize, items: Vec<String>) {
        // Steps in fences inside of the list were found before it ended.
        self.push(start, end, None, Body::Checklist(items));
    }

    fn push(&mut self, start: usize, end: usize, attributes: Option<Attributes>, body: Body) {
        let before = self.source.get(..start).unwrap_or_default();
        let prose = self.source.get(self.prose_from..start).unwrap_or_default();
        self.drafts.push(Draft {
            at: start,
            line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
            prose: prose.trim().to_owned(),
            heading: self.heading.clone(),
            attributes,
            body,
        });
        self.prose_from = self.prose_from.max(end);
    }
}

/// The declared parameters, and a required one for each name that is only used.
fn parameters(declared: Vec<Param>, drafts: &[Draft], faults: &mut Vec<Fault>) -> Vec<Param> {
    let mut params = declared;
    let mut captured: BTreeSet<&str> = BTreeSet::new();
    let will_be: BTreeSet<&str> = drafts
        .iter()
        .filter_map(captures)
        .map(|(name, _)| name)
        .collect();
    for draft in drafts {
        for (name, at) in uses(draft) {
            if params.iter().any(|param| param.name == name) || captured.contains(name.as_str()) {
                continue;
            }
            if will_be.contains(name.as_str()) {
                faults.push(Fault {
                    at,
                    message: format!("{{{{ {name} }}}} is used before a step captures it"),
                });
                continue;
            }
            params.push(Param {
                name,
                kind: ParamKind::String,
                default: None,
                regex: None,
                required: true,
                choices: Vec::new(),
                description: String::new(),
                raw: false,
            });
        }
        if let Some((name, at)) = captures(draft) {
            if params.iter().any(|param| param.name == name) {
                faults.push(Fault {
                    at,
                    message: format!("capture: {name} is a parameter already; use another name"),
                });
            }
            captured.insert(name);
        }
    }
    params
}

fn captures(draft: &Draft) -> Option<(&str, usize)> {
    let capture = draft.attributes.as_ref()?.capture.as_ref()?;
    Some((capture.text.as_str(), capture.at))
}

/// A script, and what finds one of its bytes in the file.
type Script<'a> = (Dialect, &'a str, Box<dyn Fn(usize) -> usize + 'a>);

/// The scripts of a step with their dialects, and how to find a byte of each in the file.
fn scripts(draft: &Draft) -> Vec<Script<'_>> {
    let mut scripts: Vec<Script<'_>> = Vec::new();
    if let Body::Script(interpreter, code) = &draft.body {
        scripts.push((
            Dialect::of(interpreter),
            &code.text,
            Box::new(|at| code.source(at)),
        ));
    }
    if let Some(attributes) = &draft.attributes {
        for placed in [&attributes.condition, &attributes.verify]
            .into_iter()
            .flatten()
        {
            scripts.push((Dialect::Sh, &placed.text, Box::new(|at| placed.at + at)));
        }
    }
    scripts
}

/// The parameters that a step uses, and where.
fn uses(draft: &Draft) -> Vec<(String, usize)> {
    scripts(draft)
        .into_iter()
        .flat_map(|(dialect, text, source)| {
            quote::slots(dialect, text)
                .into_iter()
                .map(|slot| (slot.name, source(slot.start)))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Settles names and checks every place where a parameter stands.
fn steps(drafts: Vec<Draft>, params: &[Param], faults: &mut Vec<Fault>) -> Vec<Step> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for attributes in drafts.iter().filter_map(|draft| draft.attributes.as_ref()) {
        let Some(name) = &attributes.name else {
            continue;
        };
        if !taken.insert(name.clone()) {
            faults.push(Fault {
                at: attributes.name_at,
                message: format!("{name:?} is the name of two steps; change one"),
            });
        }
    }
    drafts
        .into_iter()
        .map(|draft| {
            let raw = check_places(&draft, params, faults);
            let wanted = draft
                .attributes
                .as_ref()
                .and_then(|attributes| attributes.name.clone());
            let name = wanted.unwrap_or_else(|| unique(draft.heading.as_deref(), &mut taken));
            step(draft, name, raw)
        })
        .collect()
}

/// The heading as a name, numbered when it is taken.
fn unique(heading: Option<&str>, taken: &mut BTreeSet<String>) -> String {
    let base = heading.unwrap_or("Step");
    let mut name = base.to_owned();
    let mut number = 2u32;
    while !taken.insert(name.clone()) {
        name = format!("{base} {number}");
        number += 1;
    }
    name
}

/// Reports parameters that cannot stand where they stand. Returns whether a raw one is among them.
fn check_places(draft: &Draft, params: &[Param], faults: &mut Vec<Fault>) -> bool {
    let mut uses_raw = false;
    for (dialect, text, source) in scripts(draft) {
        for at in text.match_indices("{{").map(|(at, _)| at) {
            if quote::unclosed(text, at) {
                faults.push(Fault {
                    at: source(at),
                    message: "{{ opens a parameter that }} does not close; write {{ name }}"
                        .to_owned(),
                });
            }
        }
        for slot in quote::slots(dialect, text) {
            let param = params.iter().find(|param| param.name == slot.name);
            let (kind, raw) =
                param.map_or((ParamKind::String, false), |param| (param.kind, param.raw));
            uses_raw |= raw;
            if let Some(message) = quote::objection(&slot, kind, raw) {
                faults.push(Fault {
                    at: source(slot.start),
                    message,
                });
            }
        }
    }
    uses_raw
}

fn step(draft: Draft, name: String, uses_raw: bool) -> Step {
    let attributes = draft.attributes;
    let action = match draft.body {
        Body::Script(interpreter, code) => Action::Script {
            interpreter: interpreter.to_owned(),
            text: code.text,
        },
        Body::Checklist(items) => Action::Checklist { items },
    };
    let mut step = Step {
        name,
        action,
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
        line: draft.line,
        prose: draft.prose,
    };
    if let Some(attributes) = attributes {
        step.on = attributes.on;
        step.run = attributes.run;
        step.timeout_ms = attributes.timeout_ms;
        step.retries = attributes.retries;
        step.confirm = attributes.confirm;
        step.verify = attributes.verify.map(|placed| placed.text);
        step.capture = attributes.capture.map(|placed| placed.text);
        step.condition = attributes.condition.map(|placed| placed.text);
        step.become_root = attributes.become_root;
        step.ignore_errors = attributes.ignore_errors;
    }
    if uses_raw {
        // What is pasted unquoted into a script is confirmed by typing, every time.
        step.confirm = Confirm::Typed;
    }
    step
}

#[cfg(test)]
mod tests;

//! Writes a runbook as a document.

use crate::domain::runbook::{Action, Confirm, On, Param, ParamKind, Repeat, Runbook, Step};
use crate::domain::time::short;
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::views::words::plural;

/// Title, parameters and steps.
pub(crate) fn describe(book: &Runbook, writer: &mut Writer) {
    writer.anchor("head");
    writer.spans(vec![
        (format!("{}  ", book.name), Role::Accent),
        (book.title.clone(), Role::Title),
    ]);
    if let Some(path) = &book.path {
        writer.text(&path.display().to_string(), 0, Role::Dim);
    }
    if !book.description.trim().is_empty() {
        writer.gap();
        writer.text(book.description.trim(), 0, Role::Fg);
    }
    if let Some(hosts) = &book.hosts {
        writer.gap();
        writer.field("hosts", hosts, Role::Fg);
    }
    if !book.params.is_empty() {
        writer.heading(&plural(book.params.len(), "parameter"), "params");
        for param in &book.params {
            writer.field(&param.name, &explain(param), Role::Fg);
        }
    }
    writer.heading(&plural(book.steps.len(), "step"), "steps");
    for (index, step) in book.steps.iter().enumerate() {
        self::step(index, step, writer);
    }
}

fn step(index: usize, step: &Step, writer: &mut Writer) {
    writer.anchor(&format!("step {index}"));
    if index > 0 {
        writer.gap();
    }
    writer.spans(vec![
        (format!("{} ", index + 1), Role::Dim),
        (step.name.clone(), Role::Title),
        (manner(step), Role::Dim),
    ]);
    writer.text(step.prose.trim(), 2, Role::Dim);
    match &step.action {
        Action::Script { text, .. } => {
            writer.text(text.trim_end(), 4, Role::Info);
        }
        Action::Checklist { items } => {
            for item in items {
                writer.text(&format!("[ ] {item}"), 4, Role::Fg);
            }
        }
    }
    for (name, value) in [
        ("verify", &step.verify),
        ("if", &step.condition),
        ("capture", &step.capture),
    ] {
        if let Some(value) = value {
            writer.text(&format!("{name}: {value}"), 4, Role::Dim);
        }
    }
}

/// What is unusual about how a step runs.
fn manner(step: &Step) -> String {
    let mut words = Vec::new();
    match step.on {
        On::Local => words.push("on this machine".to_owned()),
        On::Host | On::Each => {}
    }
    if step.run == Repeat::Once {
        words.push("once".to_owned());
    }
    match step.confirm {
        Confirm::No => {}
        Confirm::Yes => words.push("asks first".to_owned()),
        Confirm::Typed => words.push("asks for its name first".to_owned()),
    }
    if step.become_root {
        words.push("as root".to_owned());
    }
    if step.ignore_errors {
        words.push("may fail".to_owned());
    }
    if step.retries > 0 {
        words.push(plural(step.retries as usize, "retry").replace("retrys", "retries"));
    }
    if let Some(millis) = step.timeout_ms {
        words.push(format!("at most {}", short(millis)));
    }
    if words.is_empty() {
        return String::new();
    }
    format!("  ({})", words.join(", "))
}

fn explain(param: &Param) -> String {
    let mut words = vec![param.kind.to_string()];
    if param.required && param.default.is_none() {
        words.push("must be given".to_owned());
    }
    if let Some(default) = param
        .default
        .as_ref()
        .filter(|_| param.kind != ParamKind::Secret)
    {
        words.push(format!("usually {default}"));
    }
    if !param.choices.is_empty() {
        words.push(format!("one of {}", param.choices.join(" ")));
    }
    if param.raw {
        words.push("not quoted".to_owned());
    }
    let words = words.join(", ");
    if param.description.is_empty() {
        words
    } else {
        format!("{} ({words})", param.description)
    }
}

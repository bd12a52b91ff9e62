//! From a key to a whole command: what the selection does not say is asked for, one layer after another, wherever the
//! command came from. A command that waits for an answer is plain data.

use std::collections::BTreeSet;

use crate::command::{
    Args, Command, ConnectionCommand, Danger, Form as ArgForm, Row, RunCommand, RunStart,
    SessionCommand, Subject,
};
use crate::domain::runbook::{Param, ParamKind, Runbook};
use crate::domain::ticket::{Ticket, TicketKind, TicketState};
use crate::model::Model;

use super::layers::chooser::Chooser;
use super::layers::confirm::Confirm;
use super::layers::form::{Apply, Form, FormField};
use super::layers::{Act, Layer};
use super::views;
use super::views::words::plural;

/// A command on its way, and what was asked for it already.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) row: &'static Row,
    pub(crate) args: Args,
    asked: BTreeSet<Asked>,
    /// It was written out in the prompt.
    typed: bool,
    /// With `--yes`.
    confirmed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    /// The form of its own that some commands have.
    Form,
    /// The parameters of the runbook.
    Params,
}

/// What comes next for a command.
#[derive(Debug)]
pub(crate) enum Next {
    /// Ask.
    Ask(Layer),
    /// Nothing is missing and nothing is to be confirmed.
    Do(Box<Command>),
    /// It cannot be.
    Refuse(String),
}

impl Pending {
    pub(crate) fn new(row: &'static Row) -> Self {
        Self::with(row, Args::default())
    }

    /// A command whose arguments were typed: it has no form, because what was not typed is not wanted.
    /// `confirmed` is `--yes`.
    pub(crate) fn typed(row: &'static Row, args: Args, confirmed: bool) -> Self {
        let mut pending = Self::with(row, args);
        pending.asked.insert(Asked::Form);
        (pending.typed, pending.confirmed) = (true, confirmed);
        pending
    }

    fn with(row: &'static Row, args: Args) -> Self {
        Self {
            row,
            args,
            asked: BTreeSet::new(),
            typed: false,
            confirmed: false,
        }
    }

    /// Takes from the selection what it can stand for.
    pub(crate) fn fill(&mut self, subject: impl Fn(Subject) -> Option<String>) {
        for arg in self.row.args {
            // The hosts of a ticket are what it is linked to already, and never what to link; the host of a side is
            // never the other one that is wanted.
            let linked = self.row.id == "ticket.link" && arg.subject == Some(Subject::Hosts)
                || self.row.id == "file.host"
                // Whoever wants to go elsewhere does not mean the pane that is shown.
                || self.row.id == "jump";
            if let Some(wanted) = arg.subject.filter(|_| !linked && !self.args.has(arg.name))
                && let Some(value) = subject(wanted)
            {
                self.args.set(arg.name, value);
            }
        }
    }

    /// What comes next.
    pub(crate) fn next(mut self, model: &Model, me: &str) -> Next {
        if self.asked.insert(Asked::Form)
            && let Some(fields) = own_form(&self, model, me)
        {
            let title = match self.args.get("ref") {
                Some(reference) => format!("{} {reference}", self.row.title),
                None => self.row.title.to_owned(),
            };
            return Next::Ask(Layer::Form(Box::new(Form::new(&title, fields, self))));
        }
        if let Some(layer) = self.missing(model) {
            return Next::Ask(layer);
        }
        if self.row.id == "run.start"
            && self.asked.insert(Asked::Params)
            && let Some(fields) = params(&self, model)
        {
            return Next::Ask(Layer::Form(Box::new(Form::new("parameters", fields, self))));
        }
        let command = match (self.row.build)(&self.args) {
            Ok(command) => command,
            Err(why) => return Next::Refuse(format!("{}: {why}", self.row.title)),
        };
        match confirmation(&self, &command, model) {
            Some((title, body, verb)) => Next::Ask(Layer::Confirm(Confirm::new(
                title,
                body,
                verb,
                Act::Command(Box::new(command)),
            ))),
            None => Next::Do(Box::new(command)),
        }
    }

    /// Asks for the first argument that must be there and is not.
    fn missing(&self, model: &Model) -> Option<Layer> {
        let lacks = |arg: &&crate::command::Arg| {
            // Linking needs a host or a ticket; a person who pressed a key is asked for hosts.
            let link = self.row.id == "ticket.link" && arg.name == "host" && !self.args.has("to");
            (arg.required || link) && !self.args.has(arg.name)
        };
        let arg = self.row.args.iter().find(lacks)?;
        if let Some(subject) = arg.subject {
            let title = format!("{}: {}", self.row.title, question(subject));
            let only = self.candidates(model);
            return Some(Layer::Chooser(Box::new(Chooser::new(
                &title,
                arg.name,
                subject,
                only,
                self.clone(),
            ))));
        }
        let fields = self
            .row
            .args
            .iter()
            .filter(|arg| lacks(arg) && arg.subject.is_none())
            .map(|arg| {
                let apply = match arg.form {
                    ArgForm::Repeated(_) => Apply::Words(arg.name),
                    ArgForm::Positional
                    | ArgForm::Rest
                    | ArgForm::Trailing
                    | ArgForm::Switch(_)
                    | ArgForm::Flag(_) => Apply::Set(arg.name, ""),
                };
                FormField::line(arg.name, "", apply)
                    .required()
                    .hint(arg.help)
            })
            .collect();
        Some(Layer::Form(Box::new(Form::new(
            self.row.title,
            fields,
            self.clone(),
        ))))
    }

    /// The hosts of the ticket that the command is for, where they are the likely ones.
    fn candidates(&self, model: &Model) -> Vec<String> {
        if !["session.open", "files"].contains(&self.row.id) {
            return Vec::new();
        }
        let ticket = self
            .args
            .get("ticket")
            .and_then(|reference| model.ticket(reference));
        ticket.map_or_else(Vec::new, |ticket| ticket.hosts.clone())
    }
}

fn question(subject: Subject) -> &'static str {
    match subject {
        Subject::Ticket => "which ticket?",
        Subject::Host => "which host?",
        Subject::Hosts => "which hosts?",
        Subject::Run => "which run?",
        Subject::Session => "which session?",
        Subject::Book => "which runbook?",
        Subject::Forward => "which forward?",
        Subject::File => "which file?",
        Subject::Copy => "which copy?",
    }
}

/// The form that a command shows to whoever pressed its key, although it could do with less.
fn own_form(pending: &Pending, model: &Model, me: &str) -> Option<Vec<FormField>> {
    let ticket = || {
        pending
            .args
            .get("ref")
            .and_then(|reference| model.ticket(reference))
    };
    match pending.row.id {
        "ticket.add" => Some(new_ticket()),
        "ticket.edit" => ticket().map(edit_ticket),
        "ticket.comment" => Some(vec![
            FormField::block("comment", "", Apply::Set("text", "")).required(),
        ]),
        "ticket.assign" => {
            let owner = ticket()
                .and_then(|ticket| ticket.owner.clone())
                .unwrap_or_default();
            let hint = format!("a login, me ({me}) or none");
            Some(vec![
                FormField::line("owner", &owner, Apply::Set("owner", "none")).hint(&hint),
            ])
        }
        "file.rename" => {
            let name = pending.args.get("file")?;
            Some(vec![
                FormField::line("new name", name, Apply::Set("name", "")).required(),
            ])
        }
        "file.mkdir" => Some(vec![
            FormField::line("name", "", Apply::Set("name", "")).required(),
        ]),
        _ => None,
    }
}

fn kinds() -> Vec<&'static str> {
    TicketKind::ALL.iter().map(|kind| kind.word()).collect()
}

const PRIORITIES: &[&str] = &["1", "2", "3", "4"];

fn new_ticket() -> Vec<FormField> {
    vec![
        FormField::line("title", "", Apply::Set("title", "")).required(),
        FormField::choice("priority", PRIORITIES, "3", Apply::Set("priority", "")),
        FormField::choice("kind", &kinds(), "incident", Apply::Set("kind", "")),
        FormField::line("hosts", "", Apply::Words("host"))
            .hint("names or patterns, such as web[1-3]"),
        FormField::line("tags", "", Apply::Words("tag")),
        FormField::line("owner", "", Apply::Set("owner", "none")).hint("a login or me"),
        FormField::line("due", "", Apply::Set("due", "none")).hint("a span such as 2d, or a date"),
        FormField::block("text", "", Apply::Set("body", "")),
    ]
}

fn edit_ticket(ticket: &Ticket) -> Vec<FormField> {
    let states: Vec<_> = TicketState::ALL.iter().map(|state| state.word()).collect();
    let due = ticket.due.map(|at| at.to_string()).unwrap_or_default();
    let owner = ticket.owner.as_deref().unwrap_or_default();
    vec![
        FormField::line("title", &ticket.title, Apply::Set("title", "")).required(),
        FormField::choice(
            "state",
            &states,
            ticket.state.word(),
            Apply::Set("state", ""),
        ),
        FormField::choice(
            "priority",
            PRIORITIES,
            &ticket.priority.to_string(),
            Apply::Set("priority", ""),
        ),
        FormField::choice("kind", &kinds(), ticket.kind.word(), Apply::Set("kind", "")),
        FormField::line("owner", owner, Apply::Set("owner", "none")).hint("a login, me or none"),
        FormField::line("queue", &ticket.queue, Apply::Set("queue", "")),
        FormField::line(
            "hosts",
            &ticket.hosts.join(" "),
            Apply::Difference("host", "unhost"),
        ),
        FormField::line(
            "tags",
            &ticket.tags.join(" "),
            Apply::Difference("tag", "untag"),
        ),
        FormField::line("due", &due, Apply::Set("due", "none"))
            .hint("a span such as 2d, a date, or none"),
        FormField::block("text", &ticket.body, Apply::Set("body", "")),
    ]
}

/// The parameters of a runbook as fields; `None` when it has none or all were given.
fn params(pending: &Pending, model: &Model) -> Option<Vec<FormField>> {
    let book = book(model, pending.args.get("book")?)?;
    let given = pending.args.all("param");
    let missing = book.params.iter().filter(|param| {
        !given.iter().any(|pair| {
            pair.split_once('=')
                .is_some_and(|(name, _)| name == param.name)
        })
    });
    let fields: Vec<_> = missing.map(param).collect();
    (!fields.is_empty()).then_some(fields)
}

fn book<'m>(model: &'m Model, name: &str) -> Option<&'m Runbook> {
    model.books.iter().find(|book| book.name == name)
}

fn param(param: &Param) -> FormField {
    let default = param.default.as_deref().unwrap_or_default();
    let apply = Apply::Param(param.name.clone());
    let field = match param.kind {
        ParamKind::Bool => FormField::choice(&param.name, &["false", "true"], default, apply),
        ParamKind::Enum => {
            let mut choices: Vec<&str> = param.choices.iter().map(String::as_str).collect();
            if default.is_empty() && !param.required {
                choices.insert(0, "");
            }
            FormField::choice(&param.name, &choices, default, apply)
        }
        ParamKind::Secret => FormField::secret(&param.name, apply),
        ParamKind::String | ParamKind::Number | ParamKind::Host => {
            FormField::line(&param.name, default, apply)
        }
    };
    let field = if param.required {
        field.required()
    } else {
        field
    };
    field.hint(&param.description)
}

/// What must be confirmed: a title, what will happen, and the word on the button. A run that was put together from a
/// selection is shown whole before it begins; one that was written out is what its writer wants.
fn confirmation(
    pending: &Pending,
    command: &Command,
    model: &Model,
) -> Option<(String, Vec<String>, &'static str)> {
    if let Command::Run(RunCommand::Start(start)) = command
        && !pending.typed
    {
        return run_confirmation(start, model);
    }
    let row = pending.row;
    if row.danger == Danger::None || pending.confirmed {
        return None;
    }
    let subject = match command {
        Command::Session(SessionCommand::Close { reference }) => {
            let session = model
                .sessions
                .iter()
                .find(|session| session.reference == *reference);
            session.map_or_else(
                || reference.clone(),
                |session| format!("{reference} on {}", session.host),
            )
        }
        Command::Ticket(crate::command::TicketCommand::Edit { reference, .. }) => {
            let title = model
                .ticket(reference)
                .map_or("", |ticket| ticket.title.as_str());
            format!("{reference} {title}")
        }
        Command::Run(RunCommand::Cancel { reference }) => {
            let book = model.run(reference).map_or("", |run| run.book.as_str());
            format!("{reference} {book}")
        }
        Command::Ticket(_)
        | Command::Host(_)
        | Command::Session(_)
        | Command::Layout(_)
        | Command::Ssh(_)
        | Command::Exec(_)
        | Command::Forward(_)
        | Command::Copy(_)
        | Command::Run(_)
        | Command::Files(_)
        | Command::Sync(_)
        | Command::Care(_)
        | Command::Program(_)
        | Command::Screen(_) => String::new(),
        Command::Connection(
            ConnectionCommand::Close { host } | ConnectionCommand::Again { host },
        ) => {
            let body = views::connections::losses(model, host);
            // Where nothing is there, nothing is lost.
            let free = row.id == "connection.again" && body.is_empty();
            let body = if body.is_empty() && views::connections::attempted(model, host) {
                vec![format!("The attempt to connect to {host} is given up.")]
            } else if body.is_empty() {
                vec![format!("No connection to {host} is known.")]
            } else {
                body
            };
            let asked = (format!("{} {host}?", row.title), body, verb(row.id));
            return (!free).then_some(asked);
        }
    };
    let body = vec![
        subject.trim_end().to_owned(),
        String::new(),
        row.help.to_owned(),
    ];
    Some((format!("{}?", row.title), body, verb(row.id)))
}

/// A run that was put together from a selection is shown whole.
fn run_confirmation(
    start: &RunStart,
    model: &Model,
) -> Option<(String, Vec<String>, &'static str)> {
    let steps = book(model, &start.book).map_or_else(String::new, |book| {
        let names: Vec<_> = book.steps.iter().map(|step| step.name.as_str()).collect();
        format!("{}: {}", plural(names.len(), "step"), names.join(", "))
    });
    let names: Vec<_> = start.pattern.split(',').collect();
    let hosts = if names.iter().all(|name| model.host_named(name).is_some()) {
        format!("{}: {}", plural(names.len(), "host"), names.join(" "))
    } else {
        format!("hosts: {}", start.pattern)
    };
    let ticket = start
        .ticket
        .as_ref()
        .map_or_else(String::new, |ticket| format!("It is written on {ticket}."));
    let body = [hosts, steps, ticket]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let dry = start.dry_run;
    (!dry).then(|| (format!("run {}?", start.book), body, "Run"))
}

fn verb(id: &str) -> &'static str {
    match id {
        "ticket.resolve" => "Resolve",
        "session.close" => "Close it",
        "tab.close" => "Close all",
        "run.cancel" => "Stop the run",
        "connection.close" => "Disconnect",
        "connection.again" => "Reconnect",
        _ => "Do it",
    }
}

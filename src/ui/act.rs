//! What commands do on the screen: those that only move it are done here, all others leave as intents.

use super::layers::help::Help;
use super::layers::prompt::Prompt;
use super::layers::text_box::TextBox;
use super::layers::{Act, Layer};
use super::theme::{self, Theme};
use super::view::View;
use super::wizard::{Next, Pending};
use super::{GuardOrder, Intent, SessionInput, Ui};
use crate::command::{
    self, Command, HostCommand, LayoutCommand, PaneVerb, Row, RunCommand, Scope, ScreenCommand,
    SessionCommand, TicketCommand,
};
use crate::domain::ids::SessionId;
use crate::model::Model;
use crate::term::Look;

/// How many places Esc remembers; older ones are forgotten.
pub(super) const TRAIL: usize = 32;

/// How many lines the prompt remembers; older ones are forgotten.
pub(super) const HISTORY: usize = 100;

/// Rows that count as all of the scrollback.
const ALL: i32 = 1_000_000;

impl Ui {
    /// Goes to a view; Esc leads back.
    pub fn open(&mut self, model: &Model, view: View) {
        let view = match view {
            View::Pane(id) => View::Pane(model.pane_of(id)),
            other => other,
        };
        if view == self.view {
            return;
        }
        let left = std::mem::replace(&mut self.view, view);
        let root =
            View::TABS.iter().any(|(_, _, tab)| *tab == self.view) || self.view == View::Home;
        if root {
            self.trail.clear();
        } else if !(matches!(left, View::Pane(_)) && matches!(self.view, View::Pane(_))) {
            // From pane to pane is no step deeper.
            self.trail.push(left);
            if self.trail.len() > TRAIL {
                self.trail.remove(0);
            }
        }
        self.arrive(model);
    }

    fn arrive(&mut self, model: &Model) {
        self.chord.clear();
        self.views.opened(&self.view);
        self.sync(model);
    }

    /// Goes back one step; from a tab's own view to the first screen.
    fn back(&mut self, model: &Model) {
        self.view = self.trail.pop().unwrap_or(View::Home);
        self.arrive(model);
    }

    /// Starts a command as if its key had been pressed: what is missing is taken from the selection, then asked for.
    pub fn invoke(&mut self, model: &Model, row: &'static Row) -> Vec<Intent> {
        let mut pending = Pending::new(self.for_marks(row));
        pending.fill(|subject| self.views.subject(&self.view, subject, model));
        self.go_on(model, pending)
    }

    pub(super) fn go_on(&mut self, model: &Model, pending: Pending) -> Vec<Intent> {
        match pending.next(model, &model.me) {
            Next::Ask(layer) => {
                self.layers.push(layer);
                Vec::new()
            }
            Next::Do(command) => self.carry_out(model, *command),
            Next::Refuse(why) => {
                self.refused = Some(why);
                Vec::new()
            }
        }
    }

    pub(super) fn act(&mut self, model: &Model, act: Act) -> Vec<Intent> {
        match act {
            Act::Command(command) => self.carry_out(model, *command),
            Act::Sure(command) => vec![Intent::Command(*command)],
            Act::Guard(order) => vec![Intent::Guard(order)],
            Act::Paste(seen, text) => self.paste_seen(model, &seen, text),
        }
    }

    /// A line of the prompt. One that cannot be read comes back with what is wrong.
    pub(super) fn line(&mut self, model: &Model, text: &str) -> Vec<Intent> {
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        if self.history.last().map(String::as_str) != Some(text) {
            self.history.push(text.to_owned());
            if self.history.len() > HISTORY {
                self.history.remove(0);
            }
        }
        if let Some(view) = reference(text, model) {
            self.open(model, view);
            return Vec::new();
        }
        match command::parse_line(text) {
            // What makes no sense comes back with what would; what is missing is asked for below.
            Ok(parsed) if bad(&parsed).is_some() => {
                let prompt = Prompt::command(text, self.history.clone(), bad(&parsed));
                self.layers.push(Layer::Prompt(Box::new(prompt)));
                Vec::new()
            }
            Ok(parsed) => match parsed.row {
                Some(row) => {
                    let mut pending = Pending::typed(row, parsed.args, parsed.globals.yes);
                    // What is said last may be left out where it stands on the screen.
                    if matches!(row.id, "session.record" | "session.mark") {
                        pending.fill(|subject| self.views.subject(&self.view, subject, model));
                    }
                    self.go_on(model, pending)
                }
                None => Vec::new(),
            },
            Err(why) if why.asked_for => {
                self.layers
                    .push(Layer::Text(TextBox::new("help", &why.text)));
                Vec::new()
            }
            Err(why) => {
                // Only the command's words were given: what it needs comes from the selection and from forms.
                let id = text.split_whitespace().collect::<Vec<_>>().join(".");
                if let Some(row) =
                    command::row(&id).filter(|row| row.surface != command::Surface::Line)
                {
                    return self.invoke(model, row);
                }
                let prompt = Prompt::command(text, self.history.clone(), Some(why.text));
                self.layers.push(Layer::Prompt(Box::new(prompt)));
                Vec::new()
            }
        }
    }

    /// Does a command that only leads somewhere; passes on all others.
    fn carry_out(&mut self, model: &Model, command: Command) -> Vec<Intent> {
        let view = match command {
            Command::Screen(command) => return self.perform(model, &command),
            Command::Ticket(TicketCommand::List { query }) => {
                self.views.tickets.query = query
                    .iter()
                    .map(|term| quoted(term))
                    .collect::<Vec<_>>()
                    .join(" ");
                View::Tickets
            }
            Command::Ticket(TicketCommand::Show { reference }) => {
                View::Case(reference.to_uppercase())
            }
            Command::Host(HostCommand::List { pattern: None, .. }) => View::Hosts,
            Command::Host(HostCommand::Show { name }) => View::Host(name),
            Command::Session(SessionCommand::List) => View::Sessions,
            Command::Session(SessionCommand::Show { reference }) => {
                let reference = reference.to_uppercase();
                let live = model
                    .sessions
                    .iter()
                    .find(|session| session.reference == reference);
                live.map_or(View::Recording(reference), |session| View::Pane(session.id))
            }
            Command::Run(RunCommand::Books) => View::Books,
            Command::Run(RunCommand::Book { book }) => View::Book(book),
            Command::Run(RunCommand::List { ticket: None }) => View::Runs,
            Command::Run(RunCommand::Show { reference }) => View::Run(reference.to_uppercase()),
            Command::Layout(LayoutCommand::Zoom) => return self.zoom(model),
            other => {
                if matches!(other, Command::Session(SessionCommand::Open { .. })) {
                    self.expect_session(model);
                }
                return vec![Intent::Command(other)];
            }
        };
        self.open(model, view);
        Vec::new()
    }

    // tidy: table
    /// Does what a command of the screen says, wherever it came from.
    pub fn perform(&mut self, model: &Model, command: &ScreenCommand) -> Vec<Intent> {
        use ScreenCommand as S;
        match command {
            S::Home => self.open(model, View::Home),
            S::Tickets => {
                self.views.tickets.query.clear();
                self.open(model, View::Tickets);
            }
            S::Hosts => self.open(model, View::Hosts),
            S::Sessions => self.open(model, View::Sessions),
            S::Runs => self.open(model, View::Runs),
            S::Books => self.open(model, View::Books),
            S::Connections => self.open(model, View::Connections),
            S::Forwards => self.open(model, View::Forwards),
            S::Alarms => self.open(model, View::Alarms),
            S::Messages => self.open(model, View::Messages),
            S::Sync => self.open(model, View::Sync),
            S::AlarmTicket => return self.alarm_ticket(model),
            S::Sort if self.view == View::Files => self.views.files.sort(),
            S::Sort => self.views.connections.sort(),
            S::Files(verb) => return self.files(model, verb),
            S::Broadcast(verb) => return self.broadcast(model, *verb),
            S::Monitor(verb) => return self.monitor(model, verb),
            S::NextCall => self.next_call(model),
            S::Reel(verb) => return self.reel(model, verb),
            S::Open if self.view == View::Found => return self.play_found(model),
            S::Open if self.view == View::Files => self.enter_folder(model),
            S::NextView => self.next_view(model),
            S::Open => match self.views.target(&self.view, model) {
                Some(view) => self.open(model, view),
                None => self.refused = Some("Nothing to open here.".to_owned()),
            },
            S::Back => return self.escape(model),
            S::CloseView => return self.close(model),
            S::Down => return self.step(1),
            S::Up => return self.step(-1),
            S::Left if self.view == View::Files => self.folder_above(),
            S::Right if self.view == View::Files => self.enter_folder(model),
            S::Left => self.across(-1),
            S::Right => self.across(1),
            S::Top => return self.jump(false),
            S::Bottom => return self.jump(true),
            S::HalfDown => return self.page(1, 2),
            S::HalfUp => return self.page(-1, 2),
            S::PageDown => return self.page(1, 1),
            S::PageUp => return self.page(-1, 1),
            S::NextMatch => self.turn(1),
            S::PreviousMatch => self.turn(-1),
            S::Mark if matches!(self.view, View::Hosts | View::Files) => {
                self.views.mark(&self.view, model);
            }
            S::Mark if self.view == View::Sessions => return self.mark_session(model),
            S::Mark => {
                self.refused = Some("Only hosts, files and sessions can be marked.".to_owned());
            }
            S::Unmark if self.view == View::Sessions => {
                return vec![Intent::Guard(GuardOrder::Unmark)];
            }
            S::Unmark => self.views.unmark(&self.view),
            S::Filter => match self.views.query(&self.view) {
                Some(query) => self
                    .layers
                    .push(Layer::Prompt(Box::new(Prompt::filter(query)))),
                None => self.refused = Some("There is nothing to filter here.".to_owned()),
            },
            S::Prompt => {
                let prompt = Prompt::command("", self.history.clone(), None);
                self.layers.push(Layer::Prompt(Box::new(prompt)));
            }
            S::Help => self.help(),
            S::Stats => return vec![Intent::Stats],
            S::Redraw => return vec![Intent::Redraw],
            S::Theme { name } => match Theme::builtin(name) {
                Some(theme) => self.set_theme(theme),
                None if theme::names().any(|known| known == name) => {}
                None => return vec![Intent::Theme(name.clone())],
            },
            S::Quit => return vec![Intent::Quit],
            S::Suspend => return vec![Intent::Suspend],
            S::NextSession => self.cycle(model, 1),
            S::PreviousSession => self.cycle(model, -1),
            S::Session(number) => self.go_to(model, PaneVerb::Tab(u16::from(*number))),
            S::Pane(verb) => self.go_to(model, *verb),
            S::LeavePane => self.leave_pane(model),
            S::Look(verb) => return self.look_verb(model, verb),
        }
        Vec::new()
    }

    fn next_view(&mut self, model: &Model) {
        let next = self
            .view
            .tab()
            .map_or(0, |tab| (tab + 1) % View::TABS.len());
        if let Some((_, _, view)) = View::TABS.get(next) {
            self.open(model, view.clone());
        }
    }

    fn help(&mut self) {
        let scopes: &[Scope] = match self.view {
            View::Pane(_) => &[Scope::Prefix, self.keymap.copy_scope()],
            _ => self.view.scopes(),
        };
        self.layers.push(Layer::Help(Help::new(scopes)));
    }

    /// Opens a ticket about the selected changed key.
    fn alarm_ticket(&mut self, model: &Model) -> Vec<Intent> {
        match self.views.alarms.selected(model) {
            Some(alarm) => {
                let linked = model.host_named(&alarm.target).is_some();
                vec![Intent::Command(super::alarm_ticket(alarm, linked))]
            }
            None => {
                self.refused = Some("Nothing is selected.".to_owned());
                Vec::new()
            }
        }
    }

    /// Esc: takes away what lies on the list first, then goes back. It never leaves the program.
    fn escape(&mut self, model: &Model) -> Vec<Intent> {
        let filtered = self
            .views
            .query(&self.view)
            .is_some_and(|query| !query.trim().is_empty());
        if filtered {
            self.views.set_query(&self.view, "");
        } else if self.views.marked(&self.view) > 0 {
            self.views.unmark(&self.view);
        } else {
            self.back(model);
        }
        Vec::new()
    }

    fn close(&mut self, model: &Model) -> Vec<Intent> {
        match self.view {
            View::Home => self.refused = Some("This is the first screen; :quit leaves.".to_owned()),
            _ => self.back(model),
        }
        Vec::new()
    }

    fn scroll(&self, rows: i32) -> Vec<Intent> {
        match self.view {
            View::Pane(id) => vec![Intent::Session(id, SessionInput::Look(Look::Scroll(rows)))],
            _ => Vec::new(),
        }
    }

    pub(super) fn step(&mut self, by: i32) -> Vec<Intent> {
        match self.views.moves(&self.view) {
            Some(moves) => moves.step(i64::from(by)),
            None => return self.scroll(-by),
        }
        Vec::new()
    }

    fn across(&mut self, by: i64) {
        if let View::Run(_) = self.view {
            self.views.run.across(by);
        }
    }

    fn jump(&mut self, bottom: bool) -> Vec<Intent> {
        match (self.views.moves(&self.view), bottom) {
            (Some(moves), true) => moves.bottom(),
            (Some(moves), false) => moves.top(),
            (None, true) => return self.scroll(-ALL),
            (None, false) => return self.scroll(ALL),
        }
        Vec::new()
    }

    /// Goes a part of a page; in a run the pages are those of the output.
    fn page(&mut self, way: i32, part: i32) -> Vec<Intent> {
        if let View::Run(_) = self.view {
            let page = super::list::Moves::page(&self.views.run.output);
            self.views
                .run
                .scroll((page / i64::from(part)).max(1) * i64::from(way));
            return Vec::new();
        }
        match self.views.moves(&self.view) {
            Some(moves) => {
                let rows = (moves.page() / i64::from(part)).max(1);
                moves.step(rows * i64::from(way));
            }
            None => {
                let rows = (self.views.pane.page() / part).max(1);
                return self.scroll(-rows * way);
            }
        }
        Vec::new()
    }

    fn turn(&mut self, by: i64) {
        if let Some(moves) = self.views.moves(&self.view) {
            moves.turn(by);
        }
    }

    /// Opens a new session in the place of an ended one.
    pub(super) fn reopen(&mut self, model: &Model, id: SessionId) -> Vec<Intent> {
        self.expect_session(model);
        vec![Intent::Command(Command::Layout(LayoutCommand::Reopen(id)))]
    }

    /// Leaves the pane for where one came from, if that was a ticket or a host, else for the list of sessions.
    pub(super) fn leave_pane(&mut self, model: &Model) {
        match self.trail.last() {
            Some(View::Case(_) | View::Host(_)) => self.back(model),
            _ => self.open(model, View::Sessions),
        }
    }
}

/// What is wrong with an argument of a line, if one makes no sense.
fn bad(parsed: &command::Parsed) -> Option<String> {
    let built = parsed.command().err();
    built
        .filter(|why| matches!(why, command::ArgError::Bad { .. }))
        .map(|why| why.to_string())
}

/// A term of a query as it must be written to be one again.
fn quoted(term: &str) -> String {
    let open = term.chars().any(char::is_whitespace) && !term.contains('"');
    if open {
        format!("\"{term}\"")
    } else {
        term.to_owned()
    }
}

/// The view that a bare reference names: `T-7K3F` is typed more often than `ticket show T-7K3F`.
fn reference(text: &str, model: &Model) -> Option<View> {
    let word = text.to_uppercase();
    let (kind, rest) = word.split_at_checked(2)?;
    if rest.len() < 4 || !rest.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    match kind {
        "T-" => Some(View::Case(word)),
        "R-" => Some(View::Run(word)),
        "S-" => {
            let live = model
                .sessions
                .iter()
                .find(|session| session.reference == word);
            Some(live.map_or_else(
                || View::Recording(word.clone()),
                |session| View::Pane(session.id),
            ))
        }
        _ => None,
    }
}

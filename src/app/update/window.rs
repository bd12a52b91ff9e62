//! Windows: what their users want, where an outcome is shown, and what is on a pane.

use std::sync::Arc;

use crate::app::effect::Effect;
use crate::app::event::{Caller, WindowEvent};
use crate::app::purpose::Gather;
use crate::app::state::State;
use crate::command::{
    Answer, Command, HostCommand, Outcome, RunCommand, ScreenCommand, SessionCommand, SyncCommand,
    TicketCommand,
};
use crate::domain::ids::{SessionId, WindowId};
use crate::domain::run::RunRow;
use crate::model::{Level, Notice, Question, QuestionId, QuestionKind};
use crate::ssh::SshAsk;
use crate::term::{Screen, ShellState};
use crate::ui::{GuardOrder, Intent, Reply, SessionInput, Ui, UiInput, View};

use super::{alarm, alert, broadcast, copied, gather, layout, page, question, takers};

/// Something happened at a window.
pub(super) fn happened(state: &mut State, id: WindowId, event: WindowEvent, fx: &mut Vec<Effect>) {
    match event {
        WindowEvent::Opened {
            size,
            caps,
            focus,
            plain,
        } => {
            let mut ui = Ui::new(state.setup.theme.clone(), state.setup.keymap.clone(), caps);
            ui.set_mouse(state.setup.terminal.mouse);
            if plain {
                ui.set_plain();
            }
            drop(ui.input(
                &state.model,
                UiInput::Resize {
                    cols: size.cols,
                    rows: size.rows,
                },
            ));
            let first = state.windows.is_empty();
            state.windows.insert(id, ui);
            layout::touched(state, id);
            match focus {
                Some(reference) => attach(state, id, &reference),
                None if first => back_again(state, id),
                None => {}
            }
        }
        WindowEvent::Input(input) => {
            let Some(ui) = state.windows.get_mut(&id) else {
                return;
            };
            let touch = !matches!(input, UiInput::FocusGained | UiInput::FocusLost);
            let intents = ui.input(&state.model, input);
            if touch {
                layout::touched(state, id);
            }
            intents
                .into_iter()
                .for_each(|intent| wanted(state, id, intent, fx));
            layout::settle(state, fx);
        }
        WindowEvent::Program(program) => {
            let ours = &state.setup.info.version;
            let text = format!(
                "the app is qd {ours}, this window {program}; `qd server stop`, when it suits you, and then `qd` starts the other one"
            );
            say(state, Level::Warn, text);
        }
        WindowEvent::Cost(cost) => {
            state.costs.insert(id, cost);
        }
        WindowEvent::Closed => {
            if let Some(mut ui) = state.windows.remove(&id) {
                state.left_at = Some(ui.view().clone());
                ui.focused(false);
                for intent in ui.focus(&state.model) {
                    wanted(state, id, intent, fx);
                }
            }
            layout::closed(state, id);
            broadcast::window_left(state, id, fx);
            state.costs.remove(&id);
            // In one process the window is the app's only reason to live; sessions are told to end and are recorded so.
            if state.windows.is_empty() && state.stopping.is_none() && !state.setup.served {
                super::stop(state, fx);
            }
        }
    }
}

/// Whoever comes back begins where the last window was left, if that is still there.
fn back_again(state: &mut State, id: WindowId) {
    let Some(view) = state.left_at.take() else {
        return;
    };
    let there = match &view {
        View::Pane(session) => state.model.session(*session).is_some(),
        _ => true,
    };
    if there {
        open(state, id, view);
    }
}

/// Shows the session that a window was opened for.
fn attach(state: &mut State, id: WindowId, reference: &str) {
    match super::script::pane(state, reference).map(|view| view.id) {
        Some(session) => open(state, id, View::Pane(session)),
        None => {
            let text = format!("there is no live session {reference} here; these are the sessions");
            say(state, Level::Error, text);
            open(state, id, View::Sessions);
        }
    }
}

/// Does what a user wants.
fn wanted(state: &mut State, id: WindowId, intent: Intent, fx: &mut Vec<Effect>) {
    if let Intent::Session(session, input) = &intent {
        broadcast::typed(state, *session, input, fx);
        takers::did(state, id, *session, input);
    }
    match intent {
        Intent::Command(command) => carry_out(state, id, command, fx),
        Intent::Guard(order) => guard(state, id, order, fx),
        Intent::Session(session, input) => fx.push(Effect::Ssh(match input {
            SessionInput::Key(key) => SshAsk::Key { session, key },
            SessionInput::Paste(text) => SshAsk::Paste { session, text },
            SessionInput::Mouse(event) => SshAsk::Mouse { session, event },
            SessionInput::Focus(gained) => SshAsk::Focus { session, gained },
            SessionInput::Look(look) => SshAsk::Look { session, look },
        })),
        Intent::Reel(reference, ask) => super::recording::pressed(state, &reference, ask, fx),
        Intent::SaveCopied(path) => copied::save(state, path, fx),
        Intent::Answer(id, reply) if state.quit_asked == Some(id) => {
            state.quit_asked = None;
            state.model.questions.retain(|question| question.id != id);
            if matches!(reply, Reply::Yes) {
                super::stop(state, fx);
            }
        }
        Intent::Answer(question, reply) if state.alarms_asked.contains_key(&question) => {
            alarm::answered(state, id, question, &reply, fx);
        }
        Intent::Answer(question, reply) if state.tabs.asked.contains_key(&question) => {
            layout::confirmed(state, question, matches!(reply, Reply::Yes), fx);
        }
        Intent::Answer(question, reply) if state.tabs.everywhere.contains_key(&question) => {
            layout::agreed_everywhere(state, question, matches!(reply, Reply::Yes), fx);
        }
        Intent::Answer(question, reply) => question::answered_on_screen(state, question, reply, fx),
        Intent::Dismiss(session) => {
            state.model.broadcast.marked.remove(&session);
            layout::dismiss(state, session, fx);
        }
        Intent::Theme(name) => {
            say(
                state,
                Level::Error,
                format!("there is no theme {name:?}; `:theme ls` lists them"),
            );
        }
        // What lives goes on without its windows.
        Intent::Quit if state.setup.served => fx.push(Effect::CloseWindow(id)),
        Intent::Quit => leave(state, fx),
        Intent::Suspend => fx.push(Effect::Suspend(id)),
        Intent::Stats => fx.push(Effect::Stats(id)),
        Intent::Redraw => fx.push(Effect::Redraw(id)),
    }
}

/// Changes who gets what is typed, or what calls.
fn guard(state: &mut State, id: WindowId, order: GuardOrder, fx: &mut Vec<Effect>) {
    match order {
        GuardOrder::Mark(session) => broadcast::mark(state, session, fx),
        GuardOrder::Unmark => broadcast::unmark(state, fx),
        GuardOrder::Begin {
            members,
            production,
        } => broadcast::begin(state, id, members, production),
        GuardOrder::End => broadcast::end(state, "it was switched off", fx),
        GuardOrder::Monitor(session, what) => alert::monitor(state, session, what, fx),
    }
}

/// Leaves, after asking when somebody would lose a live session or a run.
pub(super) fn leave(state: &mut State, fx: &mut Vec<Effect>) {
    let lost = losses(state).filter(|_| state.quit_asked.is_none());
    let Some(lost) = lost else {
        return super::stop(state, fx);
    };
    let id = QuestionId(state.mint.request().0);
    state.quit_asked = Some(id);
    state.model.questions.push_front(Question {
        id,
        title: "leave".to_owned(),
        body: vec![
            format!("Leaving ends {lost}."),
            "Leave all the same?".to_owned(),
        ],
        kind: QuestionKind::YesNo { default_no: true },
        session: None,
        hosts: Vec::new(),
    });
}

/// What would end with the app, in words; `None` when nothing would.
pub(super) fn losses(state: &State) -> Option<String> {
    let (sessions, runs) = (state.sessions.len(), state.runs.len());
    let copies = state.copies.len();
    let calls = state.calls.len() + state.fans.len();
    let forwards = state.forwards.values();
    let forwards = forwards.filter(|forward| forward.caller.is_some()).count();
    let count = |number: usize, what: &str| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        number => Some(format!("{number} {what}s")),
    };
    let lost: Vec<String> = [
        count(sessions, "live session"),
        count(runs, "run"),
        count(copies, "running copy").map(|words| words.replace("copys", "copies")),
        count(calls, "command"),
        count(forwards, "forward"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!lost.is_empty()).then(|| lost.join(" and "))
}

/// Carries out a command from a window; one that only leads somewhere does so at once.
fn carry_out(state: &mut State, id: WindowId, command: Command, fx: &mut Vec<Effect>) {
    match command {
        Command::Screen(command) => screen(state, Caller::Window(id), command, fx),
        Command::Layout(command) => layout::asked(state, id, command, fx),
        Command::Ticket(TicketCommand::Show { reference }) => {
            open(state, id, View::Case(reference.to_uppercase()))
        }
        Command::Host(HostCommand::Show { name }) => open(state, id, View::Host(name)),
        Command::Run(RunCommand::Show { reference }) => {
            open(state, id, View::Run(reference.to_uppercase()))
        }
        Command::Run(RunCommand::Book { book }) => open(state, id, View::Book(book)),
        Command::Run(RunCommand::List { ticket: None }) => open(state, id, View::Runs),
        Command::Run(RunCommand::Books) => open(state, id, View::Books),
        Command::Session(SessionCommand::Show { reference }) => {
            open(state, id, View::Recording(reference.to_uppercase()))
        }
        Command::Session(SessionCommand::List) => open(state, id, View::Sessions),
        Command::Host(HostCommand::List { pattern: None, .. }) => open(state, id, View::Hosts),
        Command::Sync(SyncCommand::Status | SyncCommand::Devices) => super::sync::show(state, id),
        other => gather::begin(state, Gather::new(Caller::Window(id), other), fx),
    }
}

/// Does what a command of the screen says.
pub(super) fn screen(
    state: &mut State,
    caller: Caller,
    command: ScreenCommand,
    fx: &mut Vec<Effect>,
) {
    let Caller::Window(id) = caller else { return };
    let Some(ui) = state.windows.get_mut(&id) else {
        return;
    };
    let intents = ui.perform(&state.model, &command);
    intents
        .into_iter()
        .for_each(|intent| wanted(state, id, intent, fx));
}

/// Leads a window to a view.
pub(super) fn open(state: &mut State, id: WindowId, view: View) {
    if let Some(ui) = state.windows.get_mut(&id) {
        ui.open(&state.model, view);
    }
}

/// Says something at the bottom of every window.
pub(super) fn say(state: &mut State, level: Level, text: String) {
    let at = state.model.now;
    let source = super::source::words(state);
    let notice = Notice { at, level, text };
    state.model.notices.push_from(notice, source);
}

/// Shows what came of a command: a line where a line is enough, a view where there is one, else a text over the view.
pub(super) fn show(state: &mut State, id: WindowId, outcome: Outcome) {
    if let Some((title, lines)) = outcome.answer.listing() {
        return text(state, id, title, lines);
    }
    let level = if outcome.exit == 0 {
        Level::Info
    } else {
        Level::Error
    };
    match outcome.answer {
        Answer::Done(text) => say(state, level, text),
        Answer::Error(text) => say(state, Level::Error, text),
        Answer::Ticket(ticket) => say(state, level, format!("{} saved", ticket.reference)),
        Answer::Import(report) => {
            let (added, changed, stale) =
                (report.added.len(), report.changed.len(), report.stale.len());
            let level = if report.warnings.is_empty() {
                level
            } else {
                Level::Warn
            };
            say(
                state,
                level,
                format!("imported: {added} new, {changed} changed, {stale} stale"),
            );
        }
        Answer::Run(run) => {
            let (level, words) = ended(&run);
            say(state, level, words);
        }
        Answer::Host { host, .. } => open(state, id, View::Host(host.name)),
        Answer::Session { session, .. } => open(state, id, View::Recording(session.reference)),
        Answer::Book(book) => open(state, id, View::Book(book.name)),
        Answer::Sessions(_) | Answer::SessionLines(_) => open(state, id, View::Sessions),
        Answer::Matched { line, .. } => say(state, Level::Info, line),
        // A window sees the pane itself.
        Answer::Opened { .. } => {}
        Answer::Captured(row) => text(
            state,
            id,
            &row.reference,
            row.text.lines().map(crate::domain::text::line),
        ),
        Answer::Sync(_) | Answer::SyncDevices(_) => super::sync::show(state, id),
        Answer::Synced { said, .. } => super::sync::say(state, id, &said),
        Answer::Books { .. } => open(state, id, View::Books),
        Answer::Health(_) => open(state, id, View::Hosts),
        Answer::Diagnostics(_) => say(state, Level::Info, "no errors".to_owned()),
        Answer::Preview { .. }
        | Answer::Doctor(_)
        | Answer::Audit(_)
        | Answer::Chains(_)
        | Answer::Purged(_)
        | Answer::Found(_)
        | Answer::Size(_)
        | Answer::Info(_)
        | Answer::Server(_)
        | Answer::Forwards(_)
        | Answer::Names(_) => {}
        Answer::Tickets(_)
        | Answer::Hosts { .. }
        | Answer::Runs(_)
        | Answer::Exec(_)
        | Answer::Copy(_)
        | Answer::Silent => {}
    }
}

/// How a run ended, in a line.
fn ended(run: &RunRow) -> (Level, String) {
    let tally = run.tally;
    let well = tally.failed + tally.unreachable + tally.skipped == 0;
    let words = format!(
        "{} {}: {} ok, {} failed, {} unreachable, {} skipped",
        run.reference, run.state, tally.ok, tally.failed, tally.unreachable, tally.skipped
    );
    (if well { Level::Info } else { Level::Warn }, words)
}

fn text(state: &mut State, id: WindowId, title: &str, lines: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = lines.into_iter().collect();
    if let Some(ui) = state.windows.get_mut(&id) {
        ui.show(title, &lines.join("\n"));
    }
}

/// Before a frame: panes get their sizes, pages that are shown are read.
pub(super) fn lay_out(state: &mut State, fx: &mut Vec<Effect>) {
    page::overlay(state);
    alert::looked(state);
    // Keys that were typed ahead go out as soon as what they were meant for is there.
    let settled: Vec<_> = state
        .windows
        .iter_mut()
        .flat_map(|(id, ui)| {
            let mut intents = ui.settle(&state.model);
            intents.extend(ui.focus(&state.model));
            intents.into_iter().map(|intent| (*id, intent))
        })
        .collect();
    for (id, intent) in settled {
        wanted(state, id, intent, fx);
    }
    layout::settle(state, fx);
    let mut wants = Vec::new();
    for ui in state.windows.values_mut() {
        ui.layout(&state.model);
        wants.extend(ui.wants(&state.model));
    }
    page::follow(state, wants, fx);
}

/// A pane's newest screen.
pub(super) fn screen_changed(state: &mut State, id: SessionId, screen: Arc<Screen>) {
    if let Some(view) = state.model.session_mut(id) {
        view.last_exit = match screen.shell {
            ShellState::Ready(status) => status,
            ShellState::Unknown | ShellState::Typed | ShellState::Running => None,
        };
        view.screen = Some(screen);
    }
}

/// A remote program named its window.
pub(super) fn session_title(state: &mut State, id: SessionId, title: String) {
    if let Some(view) = state.model.session_mut(id) {
        view.title = title;
    }
}

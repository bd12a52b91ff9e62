//! Layouts out of the store: those with a name, all hosts of a ticket, and the tabs that the app before this one had.
//!
//! All of them come as panes that have ended, in their places; opening them is the same as reopening an ended session.

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::{Gather, Purpose};
use crate::app::recordings;
use crate::app::state::State;
use crate::command::{Answer, Outcome};
use crate::domain::ids::{SessionId, WindowId};
use crate::domain::layout::{Node, Place, SavedTab, Shape, read, write};
use crate::domain::session::{SessionFact, SessionRow};
use crate::model::{Question, QuestionId, QuestionKind, SessionState, SessionView};
use crate::store::{self, Ask, Batch, Local, StoreError};
use crate::ui::View;

use super::super::{append, failure, reply, warn, window};
use super::{done, everywhere, keep, made, settle};

/// The names of layouts begin so in the store.
const LAYOUT: &str = "layout/";

/// How many sessions of a layout are opened without asking, if none is on a production host.
const UNASKED: usize = 4;

/// The longest name of a layout, in characters.
const NAME: usize = 40;

/// What is said of a session that the app took with it.
const LOST: &str = "the app ended";

/// What is said in the place of one that another process has.
const ALIVE: &str = "it lives in another process of qd";

/// What is said in the place of one that has a pane already.
const SHOWN: &str = "it is in another tab";

/// What is wanted of the store.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The tabs of the app before this one.
    Tabs,
    /// What became of the sessions that were in them.
    Sessions(Vec<SavedTab>),
    /// The names of layouts.
    List(Caller),
    /// A layout, to be opened.
    Open(Caller, String),
    /// A layout, to be forgotten.
    Remove(Caller, String),
}

/// Asks for the tabs of the app before this one.
pub(in crate::app::update) fn start(state: &mut State, fx: &mut Vec<Effect>) {
    if state.setup.served && !state.setup.read_only {
        ask(state, Wanted::Tabs, fx);
    }
}

/// Asks the store for what is wanted.
pub(super) fn ask(state: &mut State, wanted: Wanted, fx: &mut Vec<Effect>) {
    let asked = match &wanted {
        Wanted::Tabs => Ask::Kept {
            prefix: keep::TABS.to_owned(),
        },
        Wanted::Sessions(_) => Ask::Sessions { limit: None },
        Wanted::List(_) => Ask::Kept {
            prefix: LAYOUT.to_owned(),
        },
        Wanted::Open(_, name) | Wanted::Remove(_, name) => Ask::Kept {
            prefix: format!("{LAYOUT}{name}"),
        },
    };
    super::super::ask(state, asked, Purpose::Layout(wanted), fx);
}

/// The store answered.
pub(in crate::app::update) fn answered(
    state: &mut State,
    wanted: Wanted,
    result: Result<store::Answer, StoreError>,
    fx: &mut Vec<Effect>,
) {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return failed(state, &wanted, &error, fx),
    };
    match (wanted, answer) {
        (Wanted::Tabs, store::Answer::Kept(kept)) => tabs(state, &kept, fx),
        (Wanted::Sessions(tabs), store::Answer::Sessions(rows)) => {
            restore(state, tabs, &rows, fx);
        }
        (Wanted::List(caller), store::Answer::Kept(kept)) => {
            let names = kept
                .iter()
                .filter_map(|(name, _)| name.strip_prefix(LAYOUT));
            let names: Vec<String> = names.map(str::to_owned).collect();
            let answer = if names.is_empty() {
                Answer::Done(
                    "no layouts yet; `:layout save NAME` keeps the one of a tab".to_owned(),
                )
            } else {
                Answer::Names(names)
            };
            reply(state, caller, Outcome::ok(answer), fx);
        }
        (Wanted::Open(caller, name), store::Answer::Kept(kept)) => match find(&kept, &name) {
            Ok(tab) => open(state, caller, (tab, UNASKED), fx),
            Err(why) => reply(state, caller, Outcome::error(3, why), fx),
        },
        (Wanted::Remove(caller, name), store::Answer::Kept(kept)) => {
            let key = format!("{LAYOUT}{name}");
            if !kept.iter().any(|(known, _)| *known == key) {
                return reply(state, caller, Outcome::error(3, missing(&name)), fx);
            }
            write_down(state, key, None, fx);
            done(state, caller, format!("the layout {name} is forgotten"), fx);
        }
        (wanted, _) => warn(
            state,
            format!(
                "the store answered something else than {wanted:?}; please report this with the log"
            ),
        ),
    }
}

fn failed(state: &mut State, wanted: &Wanted, error: &StoreError, fx: &mut Vec<Effect>) {
    match wanted {
        Wanted::Tabs | Wanted::Sessions(_) => {
            let why = failure::text(error);
            warn(
                state,
                format!("the tabs of last time could not be read: {why}"),
            );
        }
        Wanted::List(caller) | Wanted::Open(caller, _) | Wanted::Remove(caller, _) => {
            reply(state, *caller, failure::outcome(error), fx);
        }
    }
}

fn missing(name: &str) -> String {
    format!("there is no layout {name}; `:layout ls` lists them")
}

/// The layout of this name.
fn find(kept: &[(String, String)], name: &str) -> Result<SavedTab, String> {
    let key = format!("{LAYOUT}{name}");
    let text = kept.iter().find(|(known, _)| *known == key);
    let (_, text) = text.ok_or_else(|| missing(name))?;
    let tabs = read(text).map_err(|why| format!("the layout {name} is not opened: {why}"))?;
    let tab = tabs.into_iter().next();
    tab.ok_or_else(|| format!("the layout {name} is empty"))
}

fn write_down(state: &mut State, name: String, text: Option<String>, fx: &mut Vec<Effect>) {
    let batch = Batch {
        drafts: Vec::new(),
        local: vec![Local::Keep { name, text }],
    };
    append(state, batch, Purpose::Kept, fx);
}

/// Whether a layout may be called so: a name that can be typed again and read in a list.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    name.chars().count() <= NAME
        && name.chars().all(plain)
        && name.chars().next().is_some_and(char::is_alphanumeric)
        && !name.ends_with(' ')
        && !name.contains("  ")
}

/// Keeps the arrangement of a tab under a name: its hosts, and nothing of what was done on them.
pub(super) fn save(
    state: &mut State,
    caller: Caller,
    pane: SessionId,
    name: &str,
    fx: &mut Vec<Effect>,
) {
    let refused = if state.setup.read_only {
        Some("this was started with --read-only, so nothing is kept")
    } else if !is_name(name) {
        Some(
            "a layout's name begins with a letter or a digit and has at most 40 of them, with - _ . and single spaces between; for example: layout save web-tier",
        )
    } else {
        None
    };
    if let Some(why) = refused {
        return reply(state, caller, Outcome::error(2, why.to_owned()), fx);
    }
    let Some((_, tab)) = state.model.tab_of(pane) else {
        return;
    };
    let kept = keep::saved(&state.model, tab);
    let nameless = |place: &Place| Place {
        ticket: None,
        ..bare(place)
    };
    let kept = SavedTab {
        name: Some(kept.name.unwrap_or_else(|| name.to_owned())),
        root: kept.root.map(&mut { nameless }),
        zoomed: false,
        ..kept
    };
    let text = write(std::slice::from_ref(&kept));
    write_down(state, format!("{LAYOUT}{name}"), Some(text), fx);
    done(
        state,
        caller,
        format!("kept; `:layout open {name}` opens it"),
        fx,
    );
}

/// A place without the session that was in it.
fn bare(place: &Place) -> Place {
    Place {
        host: place.host.clone(),
        ticket: place.ticket.clone(),
        session: None,
        reference: String::new(),
        ended: None,
    }
}

/// All hosts of a ticket, tiled in one tab.
pub(super) fn ticket(state: &mut State, gather: &Gather, fx: &mut Vec<Effect>) {
    let Some(ticket) = &gather.ticket else {
        return;
    };
    let place = |host: &String| Place {
        host: host.clone(),
        ticket: Some(ticket.reference.clone()),
        session: None,
        reference: String::new(),
        ended: None,
    };
    let places: Vec<Place> = ticket.hosts.iter().map(place).collect();
    let Some(root) = Shape::Tiled.of(places) else {
        let why = format!("{} names no host; link one first", ticket.reference);
        return reply(state, gather.caller, Outcome::error(2, why), fx);
    };
    let tab = SavedTab {
        name: Some(ticket.reference.clone()),
        root,
        focus: 0,
        zoomed: false,
    };
    open(state, gather.caller, (tab, UNASKED), fx);
}

/// Opens a layout: at once up to so many sessions, else after a question; one with a production host always after one.
pub(super) fn open(
    state: &mut State,
    caller: Caller,
    (tab, unasked): (SavedTab, usize),
    fx: &mut Vec<Effect>,
) {
    let Caller::Window(window) = caller else {
        let text = "layouts open in a window; start one with `qd`".to_owned();
        return reply(state, caller, Outcome::error(2, text), fx);
    };
    let hosts = tab.root.leaves().into_iter();
    let hosts: Vec<&str> = hosts.map(|place| place.host.as_str()).collect();
    let (count, production) = (hosts.len(), everywhere::production(&state.model, &hosts));
    if count <= unasked && production.is_empty() {
        return open_now(state, window, &tab, fx);
    }
    let sessions = everywhere::sessions(count);
    let body = vec![
        format!("This opens {sessions}."),
        everywhere::production_words(&production),
    ];
    let id = QuestionId(state.mint.request().0);
    let session = state.windows.get(&window).and_then(|ui| match ui.view() {
        View::Pane(id) => Some(*id),
        _ => None,
    });
    state.tabs.asked.insert(id, (caller, tab));
    state.model.questions.push_back(Question {
        id,
        title: format!("open {sessions}"),
        body,
        kind: QuestionKind::YesNo { default_no: true },
        session,
        hosts: Vec::new(),
    });
}

/// Somebody said whether many sessions are to be opened.
pub(in crate::app::update) fn confirmed(
    state: &mut State,
    question: QuestionId,
    yes: bool,
    fx: &mut Vec<Effect>,
) {
    state.model.questions.retain(|asked| asked.id != question);
    if let Some((Caller::Window(window), tab)) = state.tabs.asked.remove(&question)
        && yes
    {
        open_now(state, window, &tab, fx);
    }
}

fn open_now(state: &mut State, window: WindowId, tab: &SavedTab, fx: &mut Vec<Effect>) {
    let root = tab.root.map(&mut |place: &Place| {
        let id = SessionId(state.mint.entity());
        lay_down(state, id, place, "not opened");
        id
    });
    let panes = add(state, root, tab);
    if let Some(focus) = panes.get(tab.focus).or(panes.first()) {
        window::open(state, window, View::Pane(*focus));
    }
    // The sizes are known before any of them opens.
    settle(state, fx);
    everywhere::begin(state, window, panes, fx);
}

/// A session that is not there, to be reopened.
fn lay_down(state: &mut State, id: SessionId, place: &Place, how: &str) {
    let mut view = SessionView::opening(id, &place.host, place.ticket.clone());
    view.reference.clone_from(&place.reference);
    view.recording = false;
    view.state = SessionState::Closed(how.to_owned());
    state.model.sessions.push(view);
}

/// Adds a tab of these panes; gives them in the order of reading.
fn add(state: &mut State, root: Node<SessionId>, saved: &SavedTab) -> Vec<SessionId> {
    let panes: Vec<SessionId> = root.leaves().into_iter().copied().collect();
    let focus = panes.get(saved.focus).or(panes.first()).copied();
    if let Some(focus) = focus {
        let mut tab = made(&mut state.tabs, focus);
        tab.root = root;
        tab.name.clone_from(&saved.name);
        tab.zoomed = saved.zoomed && tab.is_split();
        state.model.tabs.push(tab);
    }
    panes
}

/// The tabs of the app before this one were read.
fn tabs(state: &mut State, kept: &[(String, String)], fx: &mut Vec<Effect>) {
    let text = kept.iter().find(|(name, _)| name == keep::TABS);
    match text.map(|(_, text)| read(text)) {
        None => state.tabs.keeping.ready = true,
        Some(Ok(tabs)) if tabs.is_empty() => state.tabs.keeping.ready = true,
        Some(Ok(tabs)) => ask(state, Wanted::Sessions(tabs), fx),
        // What a newer program wrote is left alone: this one keeps nothing.
        Some(Err(why)) => warn(state, format!("the tabs of last time are not shown: {why}")),
    }
}

/// Lays the tabs of the app before this one down. Sessions that were open when it died are closed in the journal, once.
fn restore(state: &mut State, tabs: Vec<SavedTab>, rows: &[SessionRow], fx: &mut Vec<Effect>) {
    let row = |place: &Place| {
        let id = place.session?;
        rows.iter().find(|row| row.id == id)
    };
    let mut drafts = Vec::new();
    let mut lost = 0usize;
    // Whatever was opened meanwhile comes behind.
    let opened = std::mem::take(&mut state.model.tabs);
    let sessions = std::mem::take(&mut state.model.sessions);
    for saved in &tabs {
        let root = saved.root.map(&mut |place: &Place| {
            let taken = |id: SessionId| {
                let mut known = state.model.sessions.iter().chain(&sessions);
                known.any(|session| session.id == id)
            };
            let known = row(place);
            let alive = known.is_some_and(|row| row.live);
            let elsewhere = alive || place.session.is_some_and(taken);
            if elsewhere {
                // The others keep their places around it.
                let id = SessionId(state.mint.entity());
                let how = if alive { ALIVE } else { SHOWN };
                lay_down(state, id, &bare(place), how);
                return id;
            }
            let id = place.session;
            let id = id.unwrap_or_else(|| SessionId(state.mint.entity()));
            lost += usize::from(place.ended.is_none());
            lay_down(state, id, place, place.ended.as_deref().unwrap_or(LOST));
            if let Some(row) = row(place) {
                drafts.extend(closing(state, row));
                if let Some(recording) = &row.recording {
                    // A name that leads out of the folder is nothing to read, whoever wrote it into the store.
                    if let Ok(recording) = recordings::place(&state.setup.recordings, recording) {
                        state.tabs.asleep.insert(id, recording);
                    }
                }
            }
            id
        });
        add(state, root, saved);
    }
    state.model.tabs.extend(opened);
    state.model.sessions.extend(sessions);
    state.tabs.keeping.ready = true;
    if !drafts.is_empty() {
        append(state, Batch::from(drafts), Purpose::Kept, fx);
    }
    if lost > 0 {
        let count = match lost {
            1 => "1 session that was open is".to_owned(),
            lost => format!("{lost} sessions that were open are"),
        };
        let words = format!("{LOST}; {count} back as ended: r opens one anew, :reopen all a tab");
        warn(state, words);
    }
}

/// The record that ends a session whose owner died before it could write one.
fn closing(state: &State, row: &SessionRow) -> Option<crate::domain::op::Draft> {
    let fact = SessionFact::Closed {
        at: state.model.now,
        exit: None,
        bytes: row.bytes,
        reason: LOST.to_owned(),
    };
    (row.closed.is_none() && !row.live).then(|| fact.draft(row.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::update::bench::state;
    use crate::model::sample::session_id;

    #[test]
    fn odd_names_of_layouts_are_refused() {
        for name in ["web-tier", "a", "2nd try", "größe.1", &"x".repeat(NAME)] {
            assert!(is_name(name), "{name:?}");
        }
        for name in [
            "",
            " ",
            "a ",
            " a",
            "a  b",
            "-a",
            "a/b",
            "a\nb",
            "'",
            &"x".repeat(NAME + 1),
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    fn place(host: &str, session: Option<SessionId>) -> Place {
        Place {
            host: host.to_owned(),
            ticket: None,
            session,
            reference: session.map_or_else(String::new, |_| "S-1OLD".to_owned()),
            ended: None,
        }
    }

    #[test]
    fn a_tab_comes_back_although_one_of_its_sessions_is_elsewhere() {
        let mut state = state();
        let (alive, gone) = (session_id("alive elsewhere"), session_id("gone"));
        let shown = session_id("live web1");
        let row = |id, live| SessionRow {
            id,
            live,
            shared: None,
            reference: "S-1OLD".to_owned(),
            host: "web1".to_owned(),
            ticket: None,
            opened: state.model.now,
            closed: None,
            exit: None,
            bytes: 0,
            recording: None,
        };
        let places = [("db1", alive), ("web1", gone), ("web2", shown)];
        let places = places.map(|(host, id)| place(host, Some(id)));
        let root = Shape::EvenHorizontal.of(places.to_vec()).expect("panes");
        let saved = SavedTab {
            name: Some("three".to_owned()),
            root,
            focus: 0,
            zoomed: false,
        };
        let rows = [row(alive, true), row(gone, false), row(shown, false)];
        restore(&mut state, vec![saved], &rows, &mut Vec::new());
        let tab = state.model.tabs.first().expect("the tab is back");
        let views = tab
            .panes()
            .into_iter()
            .filter_map(|id| state.model.session(id));
        let told: Vec<(String, String)> = views
            .map(|view| {
                let how = match &view.state {
                    SessionState::Closed(how) => how.clone(),
                    other => format!("{other:?}"),
                };
                (view.host.clone(), how)
            })
            .collect();
        let told: Vec<(&str, &str)> = told.iter().map(|(host, how)| (&**host, &**how)).collect();
        assert_eq!(told, [("db1", ALIVE), ("web1", LOST), ("web2", SHOWN)]);
        assert!(!tab.contains(alive) && tab.contains(gone) && !tab.contains(shown));
        let views = state.model.sessions.iter();
        assert_eq!(views.filter(|view| view.id == shown).count(), 1);
    }
}

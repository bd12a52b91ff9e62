//! Tabs: where a new session goes, what people do to tabs, and the size that each pane has for all the windows that show it.
//!
//! Every session of the model is in just one tab, and nothing else is: [`settle`] sees to it whoever added a session or
//! took one away.

mod anew;
mod everywhere;
mod hosts;
mod keep;
mod named;
mod rejoin;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::app::effect::Effect;
use crate::app::event::Caller;
use crate::app::purpose::Gather;
use crate::app::state::State;
use crate::command::{Answer, Command, LayoutCommand, Outcome, Spot};
use crate::config::WindowSize;
use crate::domain::ids::{SessionId, WindowId};
use crate::domain::layout::{Area, SavedTab, Shape, Tab, TabId};
use crate::model::{Level, Model, QuestionId};
use crate::ssh::SshAsk;
use crate::term::Size;
use crate::ui::{Ui, View};

use super::{gather, reply, session, window};

use anew::reopen;
pub(super) use anew::{arrived, failed};
pub(super) use everywhere::agreed as agreed_everywhere;
pub(super) use keep::{keep, kept};
pub(crate) use named::Wanted;
pub(super) use named::{answered, confirmed, start};
pub(super) use rejoin::{answered as host_answered, lost, tick as retry, told as reached};

/// What is known of tabs besides the tabs themselves.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// The number of the last tab that was made.
    made: u64,
    /// The pane that each window showed last; a window that shows another one now has moved the keys.
    shown: BTreeMap<WindowId, (SessionId, TabId)>,
    /// When each window was last typed in, by a count of inputs.
    typed: BTreeMap<WindowId, u64>,
    inputs: u64,
    /// The tabs in their order, as they were when windows last followed them.
    order: Vec<TabId>,
    /// Panes that took half of another one's room and whose shell never was there yet.
    halves: BTreeSet<SessionId>,
    /// Recordings of lost sessions that nobody has looked at yet; they are read when their pane is shown.
    asleep: BTreeMap<SessionId, PathBuf>,
    /// Questions whether to open many sessions at once.
    pub(crate) asked: BTreeMap<QuestionId, (Caller, SavedTab)>,
    /// Questions whether to open all ended sessions again.
    pub(crate) everywhere: BTreeMap<QuestionId, WindowId>,
    queue: everywhere::Queue,
    rejoin: rejoin::Rejoin,
    keeping: keep::Keeping,
}

/// A window was typed in, or came, or has another size.
pub(super) fn touched(state: &mut State, id: WindowId) {
    state.tabs.inputs += 1;
    state.tabs.typed.insert(id, state.tabs.inputs);
}

/// A window has gone.
pub(super) fn closed(state: &mut State, id: WindowId) {
    state.tabs.typed.remove(&id);
    state.tabs.shown.remove(&id);
}

/// Brings tabs, windows and the sizes of panes together after something changed.
pub(super) fn settle(state: &mut State, fx: &mut Vec<Effect>) {
    heal(state);
    follow(state);
    sizes(state, fx);
    everywhere::pump(state, fx);
    rejoin::pump(state, fx);
}

/// Every session is in a tab, and no tab has a pane without one.
fn heal(state: &mut State) {
    let Model { tabs, sessions, .. } = &mut state.model;
    let known = |pane: &SessionId| sessions.iter().any(|session| session.id == *pane);
    let orphaned = |tab: &Tab| tab.root.leaves().into_iter().any(|pane| !known(pane));
    if tabs.iter().any(orphaned) {
        let sound = std::mem::take(tabs).into_iter().filter_map(|tab| {
            let gone = tab.panes().into_iter().filter(|pane| !known(pane));
            let gone: Vec<SessionId> = gone.collect();
            gone.into_iter()
                .try_fold(tab, |tab, pane| tab.without(pane))
        });
        *tabs = sound.collect();
    }
    let homeless = sessions
        .iter()
        // What takes another one's place has that one's pane until then.
        .filter(|session| !session.instead.is_some_and(|ended| known(&ended)))
        .map(|session| session.id)
        .filter(|id| !tabs.iter().any(|tab| tab.contains(*id)));
    let homeless: Vec<SessionId> = homeless.collect();
    for id in homeless {
        let tab = made(&mut state.tabs, id);
        state.model.tabs.push(tab);
    }
}

fn made(tabs: &mut Tabs, pane: SessionId) -> Tab {
    tabs.made += 1;
    Tab::new(TabId(tabs.made), pane)
}

/// A window that went to another pane takes the keys of its tab along; a window whose tab moved them follows.
fn follow(state: &mut State) {
    for (window, ui) in &mut state.windows {
        let View::Pane(pane) = *ui.view() else {
            state.tabs.shown.remove(window);
            continue;
        };
        let known = state.tabs.shown.get(window).copied();
        let known = known.filter(|(shown, _)| *shown == pane);
        let Some(tab) = state.model.tab_of_mut(pane) else {
            // The pane went; its tab may still be there.
            let mut tabs = state.model.tabs.iter();
            let rest = known.and_then(|(_, id)| tabs.find(|tab| tab.id == id));
            match rest.map(|tab| (tab.focus, tab.id)) {
                Some((focus, id)) => {
                    ui.open(&state.model, View::Pane(focus));
                    state.tabs.shown.insert(*window, (focus, id));
                }
                None => {
                    if let Some((_, lost)) = known {
                        state.tabs.shown.remove(window);
                        let next = neighbour(&state.tabs.order, &state.model.tabs, lost);
                        ui.leave_lost(&state.model, next);
                    }
                }
            }
            continue;
        };
        let (focus, id) = (tab.focus, tab.id);
        if focus == pane {
            state.tabs.shown.insert(*window, (pane, id));
        } else if known.is_some() {
            ui.open(&state.model, View::Pane(focus));
            state.tabs.shown.insert(*window, (focus, id));
        } else {
            tab.focus_on(pane);
            // Whoever goes to another pane wants to see it among the others, as in tmux.
            tab.zoomed = false;
            state.tabs.shown.insert(*window, (pane, id));
        }
    }
    let tabs = state.model.tabs.iter();
    state.tabs.order = tabs.map(|tab| tab.id).collect();
}

/// The pane with the keys in the tab that stood beside a lost one: before it, else behind it, as in tmux.
fn neighbour(order: &[TabId], tabs: &[Tab], lost: TabId) -> Option<SessionId> {
    let at = order.iter().position(|id| *id == lost)?;
    let (before, after) = order.split_at(at);
    let mut near = before.iter().rev().chain(after);
    near.find_map(|id| tabs.iter().find(|tab| tab.id == *id))
        .map(|tab| tab.focus)
}

/// Gives each tab the size that its windows allow, and each of its panes the size of its rectangle.
fn sizes(state: &mut State, fx: &mut Vec<Effect>) {
    let mut rooms: BTreeMap<TabId, Vec<(u64, Area)>> = BTreeMap::new();
    for (window, ui) in &state.windows {
        let typed = state.tabs.typed.get(window).copied().unwrap_or(0);
        if let (View::Pane(pane), Some(room)) = (ui.view().clone(), ui.room())
            && let Some((_, tab)) = state.model.tab_of(pane)
        {
            rooms.entry(tab.id).or_default().push((typed, room));
        }
    }
    let policy = state.setup.window_size;
    let mut wanted = Vec::new();
    for tab in &mut state.model.tabs {
        let Some(room) = rooms.get(&tab.id).and_then(|rooms| agreed(policy, rooms)) else {
            continue;
        };
        tab.room = room;
        for (pane, area) in tab.places(room).panes {
            wanted.push((pane, Size::new(area.cols.max(1), area.rows.max(1))));
        }
    }
    for (session, size) in wanted {
        let known = state.pane_sizes.insert(session, size);
        if !wake(state, session, fx) && known.is_some_and(|known| known != size) {
            fx.push(Effect::Ssh(SshAsk::Resize { session, size }));
        }
    }
}

/// Reads what a lost session showed back into its pane, unless somebody did. Whether it had to be.
pub(super) fn wake(state: &mut State, session: SessionId, fx: &mut Vec<Effect>) -> bool {
    let Some(recording) = state.tabs.asleep.remove(&session) else {
        return false;
    };
    let size = *state.pane_sizes.entry(session).or_insert(session::UNSEEN);
    fx.push(Effect::Ssh(SshAsk::Revive {
        session,
        recording,
        size,
    }));
    true
}

/// The size of a tab for the windows that show it.
fn agreed(policy: WindowSize, rooms: &[(u64, Area)]) -> Option<Area> {
    let areas = || rooms.iter().map(|(_, room)| *room);
    match policy {
        WindowSize::Latest => rooms
            .iter()
            .max_by_key(|(typed, _)| *typed)
            .map(|(_, room)| *room),
        WindowSize::Smallest => areas()
            .reduce(|one, other| Area::of(one.cols.min(other.cols), one.rows.min(other.rows))),
        WindowSize::Largest => areas()
            .reduce(|one, other| Area::of(one.cols.max(other.cols), one.rows.max(other.rows))),
    }
}

/// A new session gets its place, and whoever opened it sees it there.
pub(super) fn place(
    state: &mut State,
    caller: Caller,
    id: SessionId,
    spot: Spot,
    fx: &mut Vec<Effect>,
) {
    let done = match spot {
        Spot::Own => false,
        Spot::Half(at, axis) => {
            let tab = state.model.tab_of_mut(at);
            let split = tab.is_some_and(|tab| tab.split(at, axis, id));
            if split {
                state.tabs.halves.insert(id);
            }
            split
        }
        Spot::Instead(old) => anew::coming(state, old, id, fx),
    };
    if !done {
        let tab = made(&mut state.tabs, id);
        state.model.tabs.push(tab);
    }
    let quiet = done && matches!(spot, Spot::Instead(_));
    if let (Caller::Window(window), false) = (caller, quiet) {
        window::open(state, window, View::Pane(id));
    }
    // The pane's size is known before the shell begins, so that the shell never sees another.
    settle(state, fx);
}

/// Forgets an ended session, or ends a live one unseen. Its pane leaves its tab.
pub(super) fn dismiss(state: &mut State, id: SessionId, fx: &mut Vec<Effect>) {
    forget(state, id, fx);
    settle(state, fx);
}

fn forget(state: &mut State, id: SessionId, fx: &mut Vec<Effect>) {
    // Nobody waits any more for what was to come in its place.
    if let Some(coming) = state.model.successor(id).map(|session| session.id) {
        forget(state, coming, fx);
    }
    state.model.sessions.retain(|view| view.id != id);
    state.pane_sizes.remove(&id);
    state.tabs.asleep.remove(&id);
    state.tabs.halves.remove(&id);
    super::takers::forget(state, id);
    fx.push(Effect::Ssh(SshAsk::Close { session: id }));
}

/// Something that the user of a window wants of the tab that it shows.
pub(super) fn asked(
    state: &mut State,
    window: WindowId,
    command: LayoutCommand,
    fx: &mut Vec<Effect>,
) {
    use LayoutCommand as L;
    let caller = Caller::Window(window);
    match &command {
        L::Put { .. } | L::Ticket(_) | L::Hosts(_) | L::List | L::Open(_) | L::Remove(_) => {
            let gather = Gather::new(caller, Command::Layout(command));
            return gather::begin(state, gather, fx);
        }
        L::Reopen(id) => return reopen(state, caller, *id, fx),
        L::ReopenEverywhere => return everywhere::reopen_all(state, window, fx),
        L::CloseEnded => return everywhere::close_ended(state, fx),
        _ => {}
    }
    let view = state.windows.get(&window).map(Ui::view);
    let Some(View::Pane(pane)) = view.cloned() else {
        let words = "that is about a session's pane; open one first".to_owned();
        return window::say(state, Level::Error, words);
    };
    match command {
        L::Split { axis, host, local } => {
            split(state, caller, pane, axis, (host, local), fx);
        }
        L::ReopenAll => {
            let panes = state.model.tab_of(pane).map(|(_, tab)| tab.panes());
            for pane in panes.unwrap_or_default() {
                reopen(state, caller, pane, fx);
            }
        }
        L::Save(name) => named::save(state, caller, pane, &name, fx),
        L::Break => break_out(state, pane),
        L::Join { tab } => join(state, pane, tab),
        L::Close => close(state, pane, fx),
        other => {
            let refused = state
                .model
                .tab_of_mut(pane)
                .and_then(|tab| change(tab, other).err());
            if let Some(why) = refused {
                window::say(state, Level::Warn, why.to_owned());
            }
        }
    }
    settle(state, fx);
}

/// Changes a tab by itself. Says why, where it cannot be.
fn change(tab: &mut Tab, command: LayoutCommand) -> Result<(), &'static str> {
    use LayoutCommand as L;
    if !tab.is_split() && !matches!(command, L::Rename(_)) {
        return Err("this tab has one pane only");
    }
    match command {
        L::Zoom => tab.zoomed = !tab.zoomed,
        L::Swap(by) => tab.swap(isize::from(by)),
        L::Rotate => tab.root.rotate(true),
        L::Resize(direction, cells) => {
            if !tab.resize(direction, cells) {
                return Err("there is no border that could be moved that way");
            }
        }
        L::Drag { path, before, by } => {
            let inside = Tab::inside(tab.room);
            tab.root.move_seam(&path, before, inside, by);
        }
        L::Next => tab.arrange(Shape::after(tab.shape)),
        L::Arrange(shape) => tab.arrange(shape),
        L::Rename(name) => tab.name = name.map(|name| crate::domain::text::line(&name)),
        // These are no change of one tab; whoever calls has done them.
        L::Split { .. }
        | L::Put { .. }
        | L::Break
        | L::Join { .. }
        | L::Close
        | L::Reopen(_)
        | L::ReopenAll
        | L::ReopenEverywhere
        | L::CloseEnded
        | L::Save(_)
        | L::Open(_)
        | L::List
        | L::Remove(_)
        | L::Ticket(_)
        | L::Hosts(_) => {}
    }
    Ok(())
}

/// Opens one more session beside a pane: on its host and for its ticket, or elsewhere for the same ticket.
fn split(
    state: &mut State,
    caller: Caller,
    pane: SessionId,
    axis: crate::domain::layout::Axis,
    (host, local): (Option<String>, bool),
    fx: &mut Vec<Effect>,
) {
    let Some(shown) = state.model.session(pane) else {
        return;
    };
    let ticket = shown.ticket.clone();
    let host = match (host, local) {
        (_, true) => session::HERE.to_owned(),
        (Some(host), false) => host,
        (None, false) => shown.host.clone(),
    };
    // A pane that exists nowhere tells whether there is room for one more.
    let nobody = SessionId(crate::domain::ids::EntityId::from_bytes([0; 16]));
    let room = state
        .model
        .tab_of(pane)
        .is_some_and(|(_, tab)| tab.clone().split(pane, axis, nobody));
    if !room {
        let words = "there is no room here for one more pane".to_owned();
        return window::say(state, Level::Error, words);
    }
    let spot = Spot::Half(pane, axis);
    put(state, caller, host, ticket, spot, fx);
}

fn put(
    state: &mut State,
    caller: Caller,
    host: String,
    ticket: Option<String>,
    spot: Spot,
    fx: &mut Vec<Effect>,
) {
    let command = LayoutCommand::Put { host, ticket, spot };
    gather::begin(state, Gather::new(caller, Command::Layout(command)), fx);
}

/// Gives a pane a tab of its own, right behind the one it was in.
fn break_out(state: &mut State, pane: SessionId) {
    let Some((at, tab)) = state.model.tab_of(pane) else {
        return;
    };
    if !tab.is_split() {
        let words = "this pane has a tab of its own already".to_owned();
        return window::say(state, Level::Warn, words);
    }
    let room = tab.room;
    let rest = tab.clone().without(pane);
    let mut own = made(&mut state.tabs, pane);
    own.room = room;
    if let (Some(rest), Some(place)) = (rest, state.model.tabs.get_mut(at)) {
        *place = rest;
        state.model.tabs.insert(at + 1, own);
    }
}

/// Brings a pane into another tab, at the right of the pane that has the keys there.
fn join(state: &mut State, pane: SessionId, number: u16) {
    let from = state.model.tab_of(pane).map(|(at, _)| at);
    let to = usize::from(number);
    let target = state.model.tabs.get(to).cloned();
    let (Some(from), Some(mut target)) = (from, target) else {
        return window::say(state, Level::Error, format!("there is no tab {number}"));
    };
    let at = target.focus;
    let axis = crate::domain::layout::Axis::Beside;
    if from == to || !target.split(at, axis, pane) {
        let words = format!("tab {number} has no room for this pane");
        return window::say(state, Level::Error, words);
    }
    if let Some(place) = state.model.tabs.get_mut(to) {
        *place = target;
    }
    let rest = state.model.tabs.get(from).cloned();
    match rest.and_then(|tab| tab.without(pane)) {
        Some(rest) => {
            if let Some(place) = state.model.tabs.get_mut(from) {
                *place = rest;
            }
        }
        None => drop(state.model.tabs.remove(from)),
    }
}

/// Ends everything in a tab. What is not yet announced to its host stays until it is.
fn close(state: &mut State, pane: SessionId, fx: &mut Vec<Effect>) {
    let panes = state.model.tab_of(pane).map(|(_, tab)| tab.panes());
    for pane in panes.unwrap_or_default() {
        let unborn = state.sessions.contains_key(&pane)
            && state
                .model
                .session(pane)
                .is_some_and(|session| session.reference.is_empty());
        if !unborn {
            forget(state, pane, fx);
        }
    }
}

/// Carries out what needed a ticket or the store.
pub(super) fn execute(
    state: &mut State,
    gather: Gather,
    command: LayoutCommand,
    fx: &mut Vec<Effect>,
) {
    use LayoutCommand as L;
    match command {
        L::Put { host, spot, .. } => {
            let local = host == session::HERE;
            session::open_at(state, &gather, host, local, spot, fx);
        }
        L::Ticket(_) => named::ticket(state, &gather, fx),
        L::Hosts(pattern) => hosts::open(state, &gather, &pattern, fx),
        L::List => named::ask(state, Wanted::List(gather.caller), fx),
        L::Open(name) => named::ask(state, Wanted::Open(gather.caller, name), fx),
        L::Remove(name) => named::ask(state, Wanted::Remove(gather.caller, name), fx),
        other => match gather.caller {
            Caller::Window(window) => asked(state, window, other, fx),
            Caller::Line(_) => {
                let text = "that is about a window; open one with `qd`".to_owned();
                reply(state, gather.caller, Outcome::error(2, text), fx);
            }
        },
    }
}

/// Says that something was done.
fn done(state: &mut State, caller: Caller, words: String, fx: &mut Vec<Effect>) {
    reply(state, caller, Outcome::ok(Answer::Done(words)), fx);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_says_whose_size_a_shared_tab_has() {
        let rooms = [
            (4, Area::of(80, 40)),
            (9, Area::of(100, 20)),
            (2, Area::of(90, 30)),
        ];
        for (policy, wanted) in [
            (WindowSize::Latest, Area::of(100, 20)),
            (WindowSize::Smallest, Area::of(80, 20)),
            (WindowSize::Largest, Area::of(100, 40)),
        ] {
            assert_eq!(agreed(policy, &rooms), Some(wanted), "{policy}");
        }
        assert_eq!(agreed(WindowSize::Latest, &[]), None);
    }

    use crate::app::event::{Event, WindowEvent};
    use crate::app::update::bench::{WINDOW, state};
    use crate::app::update::{lay_out, update};
    use crate::domain::run::Exit;
    use crate::model::sample::session_id;
    use crate::ssh::SshFact;

    fn show(state: &mut State, id: SessionId) {
        window::open(state, WINDOW, View::Pane(id));
        drop(lay_out(state));
    }

    fn shown(state: &State) -> Option<View> {
        state.windows.get(&WINDOW).map(|ui| ui.view().clone())
    }

    fn away(state: &mut State, id: SessionId) {
        dismiss(state, id, &mut Vec::new());
        drop(lay_out(state));
    }

    #[test]
    fn a_tab_that_is_closed_gives_way_to_the_one_before_it_or_its_neighbour() {
        let mut state = state();
        let (web, bastion, mail) = (
            session_id("live web1"),
            session_id("live bastion"),
            session_id("ended"),
        );
        show(&mut state, web);
        show(&mut state, mail);
        away(&mut state, mail);
        assert_eq!(shown(&state), Some(View::Pane(web)), "the one used before");
        away(&mut state, web);
        assert_eq!(shown(&state), Some(View::Pane(bastion)), "the neighbour");
        away(&mut state, bastion);
        assert_eq!(shown(&state), Some(View::Sessions), "none is left");
    }

    #[test]
    fn who_comes_back_begins_where_the_last_window_was_left() {
        let mut state = state();
        state.setup.served = true;
        let opened = |state: &mut State, number| {
            let event = WindowEvent::Opened {
                size: crate::term::Size { cols: 80, rows: 24 },
                caps: crate::ui::Caps::default(),
                focus: None,
                plain: false,
            };
            let window = WindowId(number);
            drop(update(state, Event::Window(window, event)));
            state.windows.get(&window).map(|ui| ui.view().clone())
        };
        let mail = session_id("ended");
        show(&mut state, mail);
        drop(update(
            &mut state,
            Event::Window(WINDOW, WindowEvent::Closed),
        ));
        assert_eq!(opened(&mut state, 2), Some(View::Pane(mail)));
        assert_eq!(
            opened(&mut state, 3),
            Some(View::Home),
            "it is not the first"
        );
        for window in [3, 2] {
            let window = WindowId(window);
            drop(update(
                &mut state,
                Event::Window(window, WindowEvent::Closed),
            ));
        }
        away(&mut state, mail);
        assert_eq!(opened(&mut state, 4), Some(View::Home), "it is gone");
    }

    #[test]
    fn a_split_that_a_host_refuses_gives_the_room_back() {
        let mut state = state();
        let web = session_id("live bastion");
        show(&mut state, web);
        let command = LayoutCommand::Split {
            axis: crate::domain::layout::Axis::Beside,
            host: Some("bastion".to_owned()),
            local: false,
        };
        asked(&mut state, WINDOW, command, &mut Vec::new());
        drop(lay_out(&mut state));
        let tab = state.model.tab_of(web).map(|(_, tab)| tab.panes());
        let panes = tab.unwrap_or_default();
        let [_, new] = panes.as_slice() else {
            unreachable!("it is split: {panes:?}")
        };
        let fact = SshFact::SessionClosed {
            session: *new,
            exit: Exit::Unreachable("too many sessions".to_owned()),
            bytes: 0,
            recording_error: None,
        };
        drop(update(&mut state, Event::Ssh(Box::new(fact))));
        drop(lay_out(&mut state));
        let tab = state.model.tab_of(web).map(|(_, tab)| tab.is_split());
        assert_eq!((tab, shown(&state)), (Some(false), Some(View::Pane(web))));
        let last = state.model.notices.last().map(|notice| notice.text.clone());
        assert_eq!(
            last.as_deref(),
            Some("no pane on bastion: too many sessions")
        );
    }
}

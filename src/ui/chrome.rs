//! What surrounds every view: the tabs above, where one is, what was said, and what can be pressed now.

use ratatui::layout::Rect;

use super::Ui;
use super::keymap::written;
use super::paint::Painter;
use super::text;
use super::theme::Role;
use super::view::View;
use crate::model::{Level, Model, SessionState};

/// How long something that was said stays at the bottom, in milliseconds.
const SAID: u64 = 8_000;

/// How many columns of the bar of tabs are kept for what stands at its right.
const RIGHT: usize = 40;

/// From this many columns on the bar of tabs has room for how sync is; below, it stands beside the breadcrumb.
const WIDE: u16 = 100;

/// How many places the breadcrumb names.
const CRUMBS: usize = 4;

/// Where everything is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Areas {
    pub(super) whole: Rect,
    pub(super) tabs: Rect,
    pub(super) trail: Rect,
    pub(super) body: Rect,
    pub(super) said: Rect,
    pub(super) hints: Rect,
    /// The boxes of the tabs, for the mouse.
    pub(super) boxes: Vec<(Rect, View)>,
}

impl Areas {
    /// Divides a window. A pane has it whole; a low window gives up its bars, the least useful first.
    pub(super) fn new(whole: Rect, pane: bool) -> Self {
        if pane {
            return Self {
                whole,
                body: whole,
                ..Self::default()
            };
        }
        let bar = |least: u16| u16::from(whole.height >= least);
        let (tabs, hints, trail, said) = (bar(4), bar(5), bar(9), bar(7));
        let row = |y: u16, height: u16| Rect { y, height, ..whole };
        let body = whole.height - tabs - trail - said - hints;
        let below = whole.y + tabs + trail + body;
        let mut areas = Self {
            whole,
            tabs: row(whole.y, tabs),
            trail: row(whole.y + tabs, trail),
            body: row(whole.y + tabs + trail, body),
            said: row(below, said),
            hints: row(below + said, hints),
            boxes: Vec::new(),
        };
        let mut x = 1;
        for (digit, name, view) in View::TABS {
            let wide = u16::try_from(tab(digit, name, false).len()).unwrap_or(0);
            let area = Rect {
                x: whole.x.saturating_add(x),
                width: wide,
                ..areas.tabs
            };
            areas.boxes.push((area.intersection(whole), view));
            x += wide;
        }
        // The other views with a digit, where there is room beside what stands at the right.
        let more: usize = View::MORE
            .iter()
            .map(|(digit, name, _)| tab(*digit, name, false).len())
            .sum();
        if usize::from(whole.width) >= usize::from(x) + more + RIGHT {
            for (digit, name, view) in View::MORE {
                let wide = u16::try_from(tab(digit, name, false).len()).unwrap_or(0);
                let area = Rect {
                    x: whole.x.saturating_add(x),
                    width: wide,
                    ..areas.tabs
                };
                areas.boxes.push((area.intersection(whole), view));
                x += wide;
            }
        }
        areas
    }
}

fn tab(digit: char, name: &str, here: bool) -> String {
    if here {
        format!("[{digit} {name}]")
    } else {
        format!(" {digit} {name} ")
    }
}

// tidy: table
/// The commands that matter most in a view, in the order of their use.
fn hints(view: &View) -> &'static [&'static str] {
    match view {
        View::Home => &["list.open", "prompt"],
        View::Tickets => &[
            "list.open",
            "ticket.add",
            "ticket.take",
            "ticket.comment",
            "session.open",
            "run.start",
            "list.filter",
            "ticket.edit",
            "ticket.resolve",
            "prompt",
        ],
        View::Case(_) => &[
            "ticket.comment",
            "session.open",
            "run.start",
            "ticket.take",
            "ticket.edit",
            "ticket.link",
            "ticket.resolve",
            "view.back",
        ],
        View::Hosts => &[
            "list.open",
            "session.open",
            "run.start",
            "health",
            "files",
            "list.mark",
            "list.filter",
            "prompt",
        ],
        View::Host(_) => &[
            "session.open",
            "run.start",
            "files",
            "health",
            "list.open",
            "view.back",
        ],
        View::Sessions => &[
            "list.open",
            "session.close",
            "list.mark",
            "broadcast",
            "pane.call",
            "list.filter",
            "prompt",
        ],
        View::Pane(_) => &[],
        View::Recording(_) => &[
            "replay.pause",
            "replay.next",
            "replay.forward",
            "replay.marker",
            "replay.find",
            "replay.text",
            "view.back",
        ],
        View::Found => &["list.open", "list.filter", "session.show", "view.back"],
        View::Runs => &["list.open", "run.cancel", "list.filter", "prompt"],
        View::Run(_) => &[
            "list.down",
            "list.right",
            "list.halfdown",
            "run.cancel",
            "view.back",
        ],
        View::Books => &["list.open", "run.start", "list.filter", "prompt"],
        View::Book(_) => &["run.start", "view.back"],
        View::Connections => &[
            "list.open",
            "session.open",
            "files",
            "connection.close",
            "connection.again",
            "list.sort",
            "view.forwards",
            "list.filter",
        ],
        View::Connection { .. } => &[
            "session.open",
            "files",
            "connection.close",
            "connection.again",
            "view.forwards",
            "view.back",
        ],
        View::Forwards => &["forward.stop", "list.open", "list.filter", "prompt"],
        View::Files => &[
            "file.side",
            "file.copy",
            "list.mark",
            "file.up",
            "file.rm",
            "file.rename",
            "file.mkdir",
            "file.cancel",
            "file.hidden",
            "file.host",
        ],
        View::Alarms => &["alarm.ticket", "session.open", "view.back"],
        View::Sync => &["view.back", "prompt"],
        View::Messages => &["list.filter", "list.match", "view.back", "prompt"],
    }
}

/// How sync is, in a few words, if this store syncs at all.
fn sync_cell(model: &Model, painter: &Painter<'_>) -> Option<(String, Role)> {
    let sync = model.sync.as_ref()?;
    let role = if sync.fault.is_empty() {
        Role::Dim
    } else {
        Role::Warn
    };
    Some((sync.cell(model.now, painter.look().glyph("↑", "^")), role))
}

impl Ui {
    pub(super) fn draw_bars(&self, model: &Model, painter: &mut Painter<'_>) {
        self.draw_tabs(model, painter);
        self.draw_trail(model, painter);
        self.draw_said(model, painter);
        self.draw_hints(model, painter);
    }

    fn draw_tabs(&self, model: &Model, painter: &mut Painter<'_>) {
        let area = self.areas.tabs;
        painter.tint(area, Role::Prompt);
        let own = self.areas.boxes.iter().any(|(_, view)| *view == self.view);
        let tab_of = self.view.tab().filter(|_| !own);
        let all = View::TABS.into_iter().chain(View::MORE);
        for (index, ((digit, name, view), (area, _))) in all.zip(&self.areas.boxes).enumerate() {
            let here = tab_of == Some(index) || view == self.view;
            painter.put(
                *area,
                0,
                &tab(digit, name, here),
                if here { Role::Title } else { Role::Hint },
            );
            if here {
                painter.tint(*area, Role::Selected);
            }
        }
        let live = model
            .sessions
            .iter()
            .filter(|session| session.state == SessionState::Live)
            .count();
        let waiting = model.questions.len();
        let mut right: Vec<(String, Role)> = Vec::new();
        let calls = model
            .sessions
            .iter()
            .filter(|session| session.calls())
            .count();
        if calls > 0 {
            right.push((format!("{calls} calling"), Role::Warn));
        }
        if waiting > 0 {
            right.push((format!("{waiting} asked"), Role::Warn));
        }
        if model.busy > 0 {
            right.push((format!("{} under way", model.busy), Role::Dim));
        }
        if live > 0 {
            right.push((format!("{live} live"), Role::Ok));
        }
        if area.width >= WIDE {
            right.extend(sync_cell(model, painter));
        }
        if model.read_only {
            right.push(("read-only".to_owned(), Role::Warn));
        }
        if model.demo {
            right.push(("demo".to_owned(), Role::Accent));
        }
        right.push((model.me.clone(), Role::Dim));
        let used = self.areas.boxes.last().map_or(0, |(area, _)| area.right());
        let mut room = area.right().saturating_sub(used.max(area.x));
        let mut edge = area.width.saturating_sub(1);
        for (words, role) in right.iter().rev() {
            let wide = u16::try_from(text::width(words))
                .unwrap_or(u16::MAX)
                .saturating_add(2);
            if wide > room {
                break;
            }
            (room, edge) = (room - wide, edge.saturating_sub(wide - 2));
            painter.put_at(area, edge, 0, words, *role);
            edge = edge.saturating_sub(2);
        }
        if let Some(words) = model.broadcast_words() {
            // It takes the place of what is there: nobody may overlook it.
            painter.put_right(area, 0, &format!(" {words} "), Role::Broadcast);
        }
    }

    fn draw_trail(&self, model: &Model, painter: &mut Painter<'_>) {
        let area = self.areas.trail;
        let arrow = painter.look().glyph(" › ", " > ");
        let mut crumbs: Vec<_> = self
            .trail
            .iter()
            .chain([&self.view])
            .map(|view| view.crumb(model))
            .collect();
        crumbs.drain(..crumbs.len().saturating_sub(CRUMBS));
        let mut words = format!(" {}", crumbs.join(arrow));
        if let View::Case(reference) = &self.view
            && let Some(ticket) = model.ticket(reference)
        {
            words = format!("{words}  {}", ticket.title);
        }
        let summary = self.views.summary(&self.view, model);
        let mut area = area;
        if area.width < WIDE
            && let Some((cell, role)) = sync_cell(model, painter)
        {
            let whole = Rect {
                width: area.width.saturating_sub(1),
                ..area
            };
            painter.put_right(whole, 0, &cell, role);
            let taken = u16::try_from(text::width(&cell)).unwrap_or(u16::MAX);
            area.width = area.width.saturating_sub(taken.saturating_add(2));
        }
        let wide = u16::try_from(text::width(&summary)).unwrap_or(u16::MAX);
        let left = Rect {
            width: area.width.saturating_sub(wide.saturating_add(2)),
            ..area
        };
        painter.put(left, 0, &words, Role::Header);
        let right = Rect {
            width: area.width.saturating_sub(1),
            ..area
        };
        painter.put_right(right, 0, &summary, Role::Dim);
    }

    /// What was said last, while it is fresh; an error stays until a key was pressed.
    pub(super) fn draw_said(&self, model: &Model, painter: &mut Painter<'_>) {
        let area = if self.areas.said.height > 0 {
            self.areas.said
        } else {
            self.areas.hints
        };
        if let Some(words) = &self.refused {
            painter.clear(area);
            painter.tint(area, Role::Warn);
            painter.put(area, 0, &format!(" {words}"), Role::Warn);
            return;
        }
        if self.expects_session(model) {
            let words =
                " Opening the session; what you type now goes to it. Esc takes the keys back.";
            painter.put(area, 0, words, Role::Info);
            return;
        }
        let Some(notice) = model.notices.last() else {
            return;
        };
        let fresh = match notice.level {
            Level::Error => model.notices.count() > self.seen,
            Level::Info | Level::Warn => model.now.since(notice.at) < SAID,
        };
        if fresh {
            let role = Role::from(notice.level);
            painter.clear(area);
            if notice.level == Level::Error {
                painter.tint(area, role);
            }
            painter.put(area, 0, &format!(" {}", notice.text), role);
        }
    }

    fn draw_hints(&self, model: &Model, painter: &mut Painter<'_>) {
        let area = self.areas.hints;
        if self.areas.said.height == 0 && (self.refused.is_some() || area.is_empty()) {
            return;
        }
        if !self.chord.is_empty() {
            painter.spans(
                area,
                0,
                &[
                    (" ", Role::Hint),
                    (&written(&self.chord), Role::Key),
                    (" ...", Role::Hint),
                ],
            );
            return;
        }
        let scopes = self.view.scopes();
        let mut col = 1;
        let help = self.pair("help", scopes);
        let reserve = help
            .as_ref()
            .map_or(0, |(key, title)| text::width(key) + text::width(title) + 3);
        let room = usize::from(area.width).saturating_sub(reserve);
        let mut used = 1;
        // While something is copied, how to stop it comes first.
        let copying = self.view == View::Files && model.copies.running().next().is_some();
        let stop: &[&str] = if copying { &["file.cancel"] } else { &[] };
        let usual = hints(&self.view).iter().filter(|id| !stop.contains(*id));
        let mut pairs: Vec<_> = stop
            .iter()
            .chain(usual)
            .filter_map(|id| self.pair(id, scopes))
            .take_while(|(key, title)| {
                used += text::width(key) + text::width(title) + 3;
                used <= room
            })
            .collect();
        pairs.extend(help);
        for (key, title) in pairs {
            col += painter.put_at(area, col, 0, &key, Role::Key) + 1;
            col += painter.put_at(area, col, 0, &title, Role::Hint) + 2;
        }
    }

    /// A key and what it does, if it has a key here.
    fn pair(&self, id: &str, scopes: &[crate::command::Scope]) -> Option<(String, String)> {
        let key = self.keymap.chords(scopes, id).into_iter().next()?;
        let title = crate::command::row(id)?.title;
        Some((key, title.to_owned()))
    }
}

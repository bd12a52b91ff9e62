//! One or some of many: a list that narrows while one types, with a preview where there is room.

use ratatui::layout::{Position, Rect};

use super::{After, Reaction};
use crate::command::Subject;
use crate::domain::key::{Key, KeyCode};
use crate::model::{Model, SessionState, SessionView};
use crate::ui::doc::{Doc, Writer};
use crate::ui::list::{ListState, Moves};
use crate::ui::paint::{Painter, below, centred};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::files::what;
use crate::ui::views::vitals::Vitals;
use crate::ui::views::words::{no_match, placeholder, plural};
use crate::ui::views::{Cx, book, case};
use crate::ui::widgets::field::Field;
use crate::ui::widgets::table::gutter;
use crate::ui::wizard::Pending;

/// From this width on there is a preview.
const WIDE: u16 = 76;

/// A choice that a command needs.
#[derive(Debug)]
pub(crate) struct Chooser {
    title: String,
    /// Which argument it is for, and what can be chosen.
    arg: &'static str,
    subject: Subject,
    /// Only these, if any: the hosts of a ticket.
    only: Vec<String>,
    field: Field,
    list: ListState<String>,
    pending: Pending,
    area: Rect,
    rows: Rect,
    side: Option<Rect>,
}

/// A row: its name, its state and its role, more words.
struct Item {
    name: String,
    state: String,
    role: Role,
    more: String,
}

impl Chooser {
    pub(crate) fn new(
        title: &str,
        arg: &'static str,
        subject: Subject,
        only: Vec<String>,
        pending: Pending,
    ) -> Self {
        Self {
            title: title.to_owned(),
            arg,
            subject,
            only,
            field: Field::line(""),
            list: ListState::default(),
            pending,
            area: Rect::default(),
            rows: Rect::default(),
            side: None,
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        self.subject
    }

    fn several(&self) -> bool {
        self.subject == Subject::Hosts
    }

    fn sync(&mut self, model: &Model) {
        let items = items(self.subject, &self.only, model);
        self.list.set_query(&self.field.text());
        self.list.sync(
            &items,
            |item| item.name.clone(),
            |item| format!("{} {} {}", item.name, item.more, item.state),
        );
    }

    pub(crate) fn key(&mut self, key: Key, model: &Model) -> Reaction {
        self.sync(model);
        let page = self.list.page();
        match (key.code, key.ctrl) {
            (KeyCode::Esc, _) => return Reaction::Close,
            (KeyCode::Enter, _) => return self.chosen(model),
            (KeyCode::Down, _) | (KeyCode::Char('n' | 'j'), true) => self.list.step(1),
            (KeyCode::Up, _) | (KeyCode::Char('p' | 'k'), true) => self.list.step(-1),
            (KeyCode::PageDown, _) | (KeyCode::Char('f'), true) => self.list.step(page),
            (KeyCode::PageUp, _) | (KeyCode::Char('b'), true) => self.list.step(-page),
            (KeyCode::Char(' ') | KeyCode::Tab, false) if self.several() => self.list.mark(),
            _ => {
                if self.field.key(key) {
                    self.sync(model);
                    self.list.top();
                }
            }
        }
        Reaction::Stay
    }

    pub(crate) fn paste(&mut self, words: &str, model: &Model) -> Reaction {
        self.field.paste(words);
        self.sync(model);
        Reaction::Stay
    }

    fn chosen(&self, model: &Model) -> Reaction {
        let chosen = self.list.chosen();
        if chosen.is_empty() {
            return Reaction::Stay;
        }
        // In the order of the list, not of the letters.
        let names: Vec<_> = items(self.subject, &self.only, model)
            .into_iter()
            .map(|item| item.name)
            .filter(|name| chosen.contains(name))
            .collect();
        let mut pending = self.pending.clone();
        pending.args.set(self.arg, names.join(","));
        Reaction::Then(After::Resume(Box::new(pending)))
    }

    pub(crate) fn layout(&mut self, model: &Model, area: Rect) {
        self.sync(model);
        let width = area.width.saturating_sub(4).min(120);
        self.area = centred(area, width, area.height.saturating_sub(2).min(28));
        let inside = Rect {
            x: self.area.x + 2.min(self.area.width),
            y: self.area.y + 1.min(self.area.height),
            width: self.area.width.saturating_sub(4),
            height: self.area.height.saturating_sub(2),
        };
        let mut rows = below(inside, 2);
        rows.height = rows.height.saturating_sub(1);
        self.side = (rows.width >= WIDE).then(|| Rect {
            x: rows.x + rows.width / 2,
            width: rows.width - rows.width / 2,
            ..rows
        });
        if self.side.is_some() {
            rows.width /= 2;
        }
        self.rows = rows;
        self.list.layout(rows.height);
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) -> Option<Position> {
        let inside = painter.frame(self.area, &self.title, Role::BorderFocus);
        let line = Rect {
            height: 1.min(inside.height),
            ..inside
        };
        let cursor = self.field.draw(painter, line, Role::Prompt);
        if self.field.text().is_empty() {
            painter.put_at(line, 1, 0, "type to narrow", Role::Dim);
        }
        let items = items(self.subject, &self.only, cx.model);
        if self.list.ids().is_empty() {
            let words = if items.is_empty() {
                nothing(self.subject).to_owned()
            } else {
                no_match(&self.field.text()).replace(" Esc takes the filter away.", "")
            };
            placeholder(painter, self.rows, &words);
        }
        for (row, name) in self.list.visible() {
            if let Some(item) = items.iter().find(|item| item.name == *name) {
                self.draw_item(item, row, painter);
            }
        }
        if let (Some(side), Some(name)) = (self.side, self.list.selected()) {
            let mut writer = Writer::new(side.width);
            preview(cx, self.subject, name, &mut writer);
            Doc::still(writer.finish(), side).draw(painter);
        }
        let words = match (self.several(), self.list.marked()) {
            (true, 0) => {
                "Space marks several, Enter takes the marked or the selected, Esc leaves".to_owned()
            }
            (true, count) => format!("{count} marked, Enter takes them, Esc leaves"),
            (false, _) => "Enter takes it, Esc leaves".to_owned(),
        };
        if let Some(last) = inside.height.checked_sub(1) {
            painter.put(inside, last, &words, Role::Hint);
        }
        cursor
    }

    fn draw_item(&self, item: &Item, row: u16, painter: &mut Painter<'_>) {
        let names = usize::from(self.rows.width / 2).clamp(8, 24);
        let name = format!("{:<names$} ", text::fit(&item.name, names, "~"));
        let area = Rect {
            x: self.rows.x + 2.min(self.rows.width),
            width: self.rows.width.saturating_sub(3),
            ..self.rows
        };
        let state = if item.state.is_empty() {
            String::new()
        } else {
            format!("{:<11} ", item.state)
        };
        painter.spans(
            area,
            row,
            &[
                (&name, Role::Fg),
                (&state, item.role),
                (&item.more, Role::Dim),
            ],
        );
        painter.highlight(area, 0, row, &item.name, self.list.positions(&item.name));
        let line = Rect {
            width: self.rows.width.saturating_sub(1),
            ..self.rows
        };
        gutter(
            painter,
            line,
            row,
            self.list.is_selected(&item.name),
            self.list.is_marked(&item.name),
        );
    }
}

fn items(subject: Subject, only: &[String], model: &Model) -> Vec<Item> {
    let plain = |name: &str, more: &str| Item {
        name: name.to_owned(),
        state: String::new(),
        role: Role::Fg,
        more: more.to_owned(),
    };
    match subject {
        Subject::Host | Subject::Hosts => model
            .hosts
            .iter()
            .filter(|host| only.is_empty() || only.contains(&host.name))
            .map(|host| {
                let state = model.state_of(host);
                Item {
                    name: host.name.clone(),
                    state: state.to_string(),
                    role: state.into(),
                    more: host.groups.join(" "),
                }
            })
            .collect(),
        Subject::Book => model
            .books
            .iter()
            .map(|book| plain(&book.name, &book.title))
            .collect(),
        Subject::Ticket => model
            .tickets
            .rows
            .iter()
            .map(|ticket| Item {
                name: ticket.reference.clone(),
                state: ticket.state.to_string(),
                role: ticket.state.into(),
                more: ticket.title.clone(),
            })
            .collect(),
        Subject::Run => model
            .runs
            .rows
            .iter()
            .map(|run| plain(&run.reference, &run.book))
            .collect(),
        Subject::Session => model
            .sessions
            .iter()
            // One that has no reference yet cannot be named; it has one in a moment.
            .filter(|session| !session.reference.is_empty())
            .map(|session| jump(model, session))
            .collect(),
        Subject::Forward => model
            .forwards
            .iter()
            .map(|row| {
                let more = format!("{} {}", row.rule, row.host);
                plain(&row.id.to_string(), &more)
            })
            .collect(),
        Subject::Copy => model
            .copies
            .running()
            .map(|copy| plain(&copy.id.to_string(), &what(&copy.job)))
            .collect(),
        Subject::File => Vec::new(),
    }
}

/// A session as one looks for it: by its host, its ticket, its title, its tab.
fn jump(model: &Model, session: &SessionView) -> Item {
    let (state, role) = match &session.state {
        SessionState::Live if session.bell => ("rang", Role::Warn),
        SessionState::Live => ("live", Role::Ok),
        SessionState::Opening(_) => ("opening", Role::Warn),
        SessionState::Closed(_) => ("ended", Role::Dim),
    };
    let tab = model.tab_of(session.id).map(|(number, tab)| {
        let name = tab.name.as_deref().unwrap_or_default();
        format!("tab {number} {name}").trim_end().to_owned()
    });
    let words = [Some(session.host.clone()), session.ticket.clone(), tab];
    let mut more: Vec<String> = words.into_iter().flatten().collect();
    if session.title != session.host {
        more.push(session.title.clone());
    }
    Item {
        name: session.reference.clone(),
        state: state.to_owned(),
        role,
        more: more.join("  "),
    }
}

fn nothing(subject: Subject) -> &'static str {
    match subject {
        Subject::Host | Subject::Hosts => "There are no hosts yet; `:host import` reads them.",
        Subject::Book => "There are no runbooks in the library; `:info` says where it is.",
        Subject::Ticket => "There are no tickets on the list.",
        Subject::Run => "There are no runs yet.",
        Subject::Session => "There are no live sessions.",
        Subject::Forward => "There are no forwards.",
        Subject::File => "Nothing is selected.",
        Subject::Copy => "No copies are running.",
    }
}

/// What the selected row is about.
fn preview(cx: Cx<'_>, subject: Subject, name: &str, writer: &mut Writer) {
    writer.anchor("preview");
    match subject {
        Subject::Book => {
            if let Some(found) = cx.model.books.iter().find(|book| book.name == name) {
                book::describe(found, writer);
            }
        }
        Subject::Host | Subject::Hosts => {
            let Some(host) = cx.model.host_named(name) else {
                return;
            };
            let vitals = Vitals::of(cx.model, host);
            writer.spans(vec![(name.to_owned(), Role::Title)]);
            writer.spans(vec![
                (vitals.state.to_string(), vitals.state.into()),
                (format!("  {}", vitals.age), Role::Dim),
            ]);
            writer.text(&vitals.reason, 0, Role::Fg);
            writer.gap();
            writer.field(
                "address",
                host.address.as_deref().unwrap_or_default(),
                Role::Fg,
            );
            writer.field("user", host.user.as_deref().unwrap_or_default(), Role::Fg);
            writer.field("jump", &host.jump.join(", "), Role::Fg);
            writer.field("tags", &host.tags.join(" "), Role::Fg);
            let tickets: Vec<_> = cx
                .model
                .tickets
                .rows
                .iter()
                .filter(|ticket| ticket.hosts.iter().any(|host| host == name))
                .collect();
            if !tickets.is_empty() {
                writer.heading(&plural(tickets.len(), "ticket"), "tickets");
            }
            for ticket in tickets {
                writer.spans(vec![
                    (format!("{}  ", ticket.reference), Role::Accent),
                    (ticket.title.clone(), Role::Fg),
                ]);
            }
        }
        Subject::Ticket => {
            if let Some(ticket) = cx.model.ticket(name) {
                case::describe(cx, ticket, writer);
            }
        }
        Subject::Session => {
            let named = |session: &&SessionView| session.reference == name;
            let session = cx.model.sessions.iter().find(named);
            let screen = session.and_then(|session| session.screen.as_ref());
            for row in screen.iter().flat_map(|screen| &screen.rows) {
                let words: String = row.cells.iter().map(|cell| cell.text.as_str()).collect();
                writer.spans(vec![(words.trim_end().to_owned(), Role::Dim)]);
            }
        }
        Subject::Run | Subject::Forward | Subject::File | Subject::Copy => {}
    }
}

//! Fields to fill in: what a command still needs. Leaving with something typed takes two Escs, so that no text is lost to
//! one stray key.

use ratatui::layout::{Position, Rect};

use super::{After, Reaction};
use crate::domain::key::{Key, KeyCode};
use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::field::{Field, SecretField};
use crate::ui::wizard::Pending;

/// Columns of the labels.
const LABEL: u16 = 13;
/// Rows of a field of several lines.
const BLOCK: u16 = 6;

/// Some fields.
#[derive(Debug)]
pub(crate) struct Form {
    title: String,
    fields: Vec<FormField>,
    focus: usize,
    pending: Pending,
    /// What is wrong, or what the last key would do.
    said: Option<String>,
    leaving: bool,
    area: Rect,
    /// The first field shown: the one with the keyboard is always among them.
    first: usize,
}

/// One field.
#[derive(Debug)]
pub(crate) struct FormField {
    label: String,
    hint: String,
    kind: Kind,
    initial: String,
    required: bool,
    apply: Apply,
}

#[derive(Debug)]
enum Kind {
    Line(Field),
    Block(Field),
    Choice(Vec<String>, usize),
    /// Typed unseen.
    Secret(SecretField),
}

/// What becomes of a field's text.
#[derive(Clone, Debug)]
pub(crate) enum Apply {
    /// It is this argument; an emptied field is this word.
    Set(&'static str, &'static str),
    /// Its words are one value each.
    Words(&'static str),
    /// Its words are compared with what they were: new ones are added, missing ones taken away.
    Difference(&'static str, &'static str),
    /// It is a parameter of a runbook.
    Param(String),
}

impl FormField {
    pub(crate) fn line(label: &str, initial: &str, apply: Apply) -> Self {
        Self::new(label, initial, apply, Kind::Line(Field::line(initial)))
    }

    pub(crate) fn block(label: &str, initial: &str, apply: Apply) -> Self {
        Self::new(label, initial, apply, Kind::Block(Field::block(initial)))
    }

    pub(crate) fn choice(label: &str, options: &[&str], initial: &str, apply: Apply) -> Self {
        let at = options
            .iter()
            .position(|option| *option == initial)
            .unwrap_or(0);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::new(label, initial, apply, Kind::Choice(options, at))
    }

    pub(crate) fn secret(label: &str, apply: Apply) -> Self {
        Self::new(label, "", apply, Kind::Secret(SecretField::new()))
    }

    fn new(label: &str, initial: &str, apply: Apply, kind: Kind) -> Self {
        Self {
            label: label.to_owned(),
            hint: String::new(),
            kind,
            initial: initial.to_owned(),
            required: false,
            apply,
        }
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) fn hint(mut self, words: &str) -> Self {
        words.clone_into(&mut self.hint);
        self
    }

    fn text(&self) -> String {
        match &self.kind {
            Kind::Line(field) | Kind::Block(field) => field.text().trim().to_owned(),
            Kind::Choice(options, at) => options.get(*at).cloned().unwrap_or_default(),
            Kind::Secret(field) => field.expose().to_owned(),
        }
    }

    fn is_changed(&self) -> bool {
        self.text() != self.initial.trim()
    }

    fn height(&self) -> u16 {
        match self.kind {
            Kind::Line(_) | Kind::Choice(..) | Kind::Secret(_) => 1,
            Kind::Block(_) => BLOCK,
        }
    }

    /// Writes what was typed into the arguments; what did not change is not written.
    fn apply(&self, pending: &mut Pending) {
        let text = self.text();
        match &self.apply {
            Apply::Param(name) => {
                if !text.is_empty() {
                    pending.args.push("param", format!("{name}={text}"));
                }
            }
            _ if !self.is_changed() => {}
            Apply::Set(name, empty) if text.is_empty() => pending.args.set(name, *empty),
            Apply::Set(name, _) => pending.args.set(name, text),
            Apply::Words(name) => words(&text).for_each(|word| pending.args.push(name, word)),
            Apply::Difference(add, remove) => {
                let (old, new): (Vec<_>, Vec<_>) =
                    (words(&self.initial).collect(), words(&text).collect());
                new.iter()
                    .filter(|word| !old.contains(word))
                    .for_each(|word| pending.args.push(add, *word));
                old.iter()
                    .filter(|word| !new.contains(word))
                    .for_each(|word| pending.args.push(remove, *word));
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
}

impl Form {
    pub(crate) fn new(title: &str, fields: Vec<FormField>, pending: Pending) -> Self {
        Self {
            title: title.to_owned(),
            fields,
            focus: 0,
            pending,
            said: None,
            leaving: false,
            area: Rect::default(),
            first: 0,
        }
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        if key.code == KeyCode::Esc {
            if self.leaving || !self.fields.iter().any(FormField::is_changed) {
                return Reaction::Close;
            }
            self.leaving = true;
            self.said = Some("Esc again throws away what you typed.".to_owned());
            return Reaction::Stay;
        }
        (self.leaving, self.said) = (false, None);
        let last = self.focus + 1 == self.fields.len();
        let block = matches!(
            self.fields.get(self.focus).map(|field| &field.kind),
            Some(Kind::Block(_))
        );
        match key.code {
            KeyCode::Char('s') if key.ctrl => return self.submit(),
            KeyCode::Enter if key.ctrl || key.alt => return self.submit(),
            KeyCode::Enter if last && !block => return self.submit(),
            KeyCode::Tab if key.shift => self.go(-1),
            KeyCode::Tab => self.go(1),
            KeyCode::Enter if !block => self.go(1),
            KeyCode::Up | KeyCode::Down => self.vertical(key),
            _ => self.edit(key),
        }
        Reaction::Stay
    }

    pub(crate) fn paste(&mut self, words: &str) -> Reaction {
        match self.fields.get_mut(self.focus).map(|field| &mut field.kind) {
            Some(Kind::Line(field) | Kind::Block(field)) => field.paste(words),
            Some(Kind::Secret(field)) => field.paste(words),
            Some(Kind::Choice(..)) | None => {}
        }
        Reaction::Stay
    }

    fn go(&mut self, by: isize) {
        let count = self.fields.len().max(1);
        self.focus = (self.focus + count).saturating_add_signed(by) % count;
    }

    fn vertical(&mut self, key: Key) {
        let down = key.code == KeyCode::Down;
        match self.fields.get_mut(self.focus).map(|field| &mut field.kind) {
            Some(Kind::Block(field)) if !field.at_edge(down) => drop(field.key(key)),
            _ => self.go(if down { 1 } else { -1 }),
        }
    }

    fn edit(&mut self, key: Key) {
        match self.fields.get_mut(self.focus).map(|field| &mut field.kind) {
            Some(Kind::Line(field) | Kind::Block(field)) => {
                field.key(key);
            }
            Some(Kind::Choice(options, at)) => {
                let count = options.len().max(1);
                *at = match key.code {
                    KeyCode::Left => (*at + count - 1) % count,
                    KeyCode::Right | KeyCode::Char(' ') => (*at + 1) % count,
                    // A letter goes to the next option that begins with it.
                    KeyCode::Char(c) => (1..=count)
                        .map(|step| (*at + step) % count)
                        .find(|index| {
                            options
                                .get(*index)
                                .is_some_and(|option| option.starts_with(c))
                        })
                        .unwrap_or(*at),
                    _ => *at,
                };
            }
            Some(Kind::Secret(field)) => {
                field.key(key);
            }
            None => {}
        }
    }

    fn submit(&mut self) -> Reaction {
        let missing = self
            .fields
            .iter()
            .position(|field| field.required && field.text().is_empty());
        if let Some(index) = missing {
            self.focus = index;
            let label = self
                .fields
                .get(index)
                .map_or("", |field| field.label.as_str());
            self.said = Some(format!("{label} must be given."));
            return Reaction::Stay;
        }
        let mut pending = self.pending.clone();
        for field in &self.fields {
            field.apply(&mut pending);
        }
        Reaction::Then(After::Resume(Box::new(pending)))
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        let rows: u16 = self
            .fields
            .iter()
            .map(|field| field.height() + u16::from(field.height() > 1))
            .sum();
        let height = rows.saturating_add(4).min(area.height.saturating_sub(1));
        self.area = centred(area, area.width.saturating_sub(2).min(84), height);
        let room = self.area.height.saturating_sub(4).max(1);
        // Scrolled by whole fields until the one with the keyboard fits.
        self.first = self.first.min(self.focus);
        while self.first < self.focus {
            let shown = self.fields.iter().take(self.focus + 1).skip(self.first);
            if shown.map(FormField::height).sum::<u16>() <= room {
                break;
            }
            self.first += 1;
        }
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) -> Option<Position> {
        let inside = painter.frame(self.area, &self.title, Role::BorderFocus);
        let (mut row, mut cursor) = (0, None);
        let room = inside.height.saturating_sub(2);
        for (index, field) in self.fields.iter().enumerate().skip(self.first) {
            if row >= room {
                break;
            }
            let focus = index == self.focus;
            let height = field.height().min(room - row);
            let area = Rect {
                x: inside.x + LABEL.min(inside.width),
                y: inside.y + row,
                width: inside.width.saturating_sub(LABEL),
                height,
            };
            let sign = if focus {
                painter.look().glyph("›", ">")
            } else {
                " "
            };
            let star = if field.required { "*" } else { "" };
            let label = format!("{sign} {}{star}", field.label);
            painter.put(
                Rect {
                    width: LABEL.min(inside.width),
                    ..inside
                },
                row,
                &label,
                if focus { Role::Title } else { Role::Dim },
            );
            let at = self.draw_field(field, focus, area, painter);
            cursor = cursor.or(at.filter(|_| focus));
            row += height + u16::from(field.height() > 1);
        }
        self.draw_foot(inside, painter);
        cursor
    }

    fn draw_field(
        &self,
        field: &FormField,
        focus: bool,
        area: Rect,
        painter: &mut Painter<'_>,
    ) -> Option<Position> {
        let role = if focus { Role::Prompt } else { Role::Fg };
        match &field.kind {
            Kind::Line(words) | Kind::Block(words) => {
                let at = words.draw(painter, area, role);
                if words.text().is_empty() && !field.hint.is_empty() {
                    painter.put_at(area, 1, 0, &field.hint, Role::Dim);
                }
                at
            }
            Kind::Secret(words) => {
                painter.tint(area, role);
                if !words.expose().is_empty() {
                    painter.put(area, 0, "(hidden)", Role::Dim);
                }
                focus.then(|| area.as_position())
            }
            Kind::Choice(options, at) => {
                let mut col = 0;
                for (index, option) in options.iter().enumerate() {
                    let (words, role) = if index == *at {
                        (
                            format!("[{option}]"),
                            if focus { Role::Selected } else { Role::Fg },
                        )
                    } else {
                        (format!(" {option} "), Role::Dim)
                    };
                    col += painter.put_at(area, col, 0, &words, role);
                }
                focus.then(|| area.as_position())
            }
        }
    }

    fn draw_foot(&self, inside: Rect, painter: &mut Painter<'_>) {
        let Some(last) = inside.height.checked_sub(1) else {
            return;
        };
        match &self.said {
            Some(said) => painter.put(inside, last, said, Role::Warn),
            None => {
                let several = self.fields.len() > 1;
                let done = if self.pending.row.id.starts_with("ticket.") {
                    "save"
                } else {
                    "go on"
                };
                let next = if several { "Tab next field, " } else { "" };
                let words = format!("{next}Ctrl-s {done}, Esc leave");
                painter.put(
                    inside,
                    last,
                    &text::fit(&words, usize::from(inside.width), "~"),
                    Role::Hint,
                )
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    fn form() -> Form {
        let row = command::row("ticket.edit").expect("the row is there");
        let fields = vec![
            FormField::line("title", "old", Apply::Set("title", "")).required(),
            FormField::choice("state", &["new", "open"], "new", Apply::Set("state", "")),
            FormField::line("owner", "mira", Apply::Set("owner", "none")),
            FormField::line("tags", "db lab", Apply::Difference("tag", "untag")),
        ];
        Form::new("edit", fields, Pending::new(row))
    }

    fn press(form: &mut Form, keys: &str) -> Reaction {
        let mut reaction = Reaction::Stay;
        for key in keys.split(' ') {
            reaction = form.key(key.parse().expect("the test's key is sound"));
        }
        reaction
    }

    #[test]
    fn only_what_changed_becomes_an_argument() {
        let mut form = form();
        let reaction = press(
            &mut form,
            "Tab Right Tab Ctrl-u Tab Ctrl-u d b Space x Ctrl-s",
        );
        let Reaction::Then(After::Resume(pending)) = reaction else {
            unreachable!("it was saved: {reaction:?}")
        };
        assert!(!pending.args.has("title"));
        assert_eq!(pending.args.get("state"), Some("open"));
        assert_eq!(pending.args.get("owner"), Some("none"));
        assert_eq!(pending.args.all("tag"), ["x"]);
        assert_eq!(pending.args.all("untag"), ["lab"]);
    }

    #[test]
    fn what_must_be_given_is_asked_for_and_typed_text_takes_two_escs() {
        let mut form = form();
        assert!(matches!(press(&mut form, "Ctrl-u Ctrl-s"), Reaction::Stay));
        assert_eq!(form.said.as_deref(), Some("title must be given."));
        assert!(matches!(press(&mut form, "x Esc"), Reaction::Stay));
        assert!(matches!(press(&mut form, "Esc"), Reaction::Close));
    }
}

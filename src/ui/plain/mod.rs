//! The screen in words, for screen readers and braille: lines that are only ever added to. What is drawn is drawn unseen, and
//! what of it is news is said; so every view and every dialog speaks, and none has to know of this.

mod looking;
mod lost;
mod pane;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::layers::Layer;
use super::paint::Painter;
use super::theme::Colors;
use super::view::View;
use super::views::Cx;
use super::{Caps, Ui};
use crate::domain::time::Time;
use crate::model::{Level, Model, QuestionKind};

/// How long after a view was opened what arrives in it is said without a key, in milliseconds.
const ARRIVES: u64 = 2_000;

/// Where dialogs are drawn unseen: high enough for a paste as long as one is shown.
const TALL: Rect = Rect::new(0, 0, 110, 640);

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Plain {
    view: Option<View>,
    opened: Option<Time>,
    /// A key was pressed since something was said last.
    pub(super) touched: bool,
    notices: u64,
    refused: Option<String>,
    body: Vec<String>,
    selected: String,
    over: Vec<String>,
    field: String,
    pane: pane::Heard,
    said: Said,
}

/// What is to be said, with its line breaks.
#[derive(Debug, Default)]
struct Said {
    out: String,
    /// The last line is not ended yet.
    open: bool,
}

impl Said {
    fn line(&mut self, words: &str) {
        self.part(words);
        self.end();
    }

    /// The beginning of a line that goes on.
    fn part(&mut self, words: &str) {
        self.end();
        self.more(words);
    }

    /// More of the line that is not ended.
    fn more(&mut self, words: &str) {
        self.out.extend(words.chars().filter(|c| !c.is_control()));
        self.open = true;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.out.push_str("\r\n");
        }
    }
}

/// What a part of the screen says.
#[derive(Debug, Default)]
struct Words {
    lines: Vec<String>,
    selected: Option<String>,
    /// The line with the cursor, up to it.
    field: Option<String>,
}

impl Ui {
    /// Speaks in words from now on instead of drawing.
    pub fn set_plain(&mut self) {
        self.plain = Some(Box::default());
        // Without colours, what is selected is what is reversed.
        self.look.caps = Caps {
            colors: Colors::None,
            unicode: true,
        };
        self.look.spoken = true;
    }

    /// Whether it speaks instead of drawing.
    pub fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// What is news since the last call, as text to be added to what was said before; empty when nothing is. To be called
    /// after [`Ui::layout`].
    pub fn announce(&mut self, model: &Model) -> String {
        let Some(mut plain) = self.plain.take() else {
            return String::new();
        };
        self.say(&mut plain, model);
        let out = std::mem::take(&mut plain.said.out);
        self.plain = Some(plain);
        out
    }

    fn say(&mut self, plain: &mut Plain, model: &Model) {
        let opened = plain.view.as_ref() != Some(&self.view);
        if opened {
            plain.view = Some(self.view.clone());
            plain.opened = Some(model.now);
            plain.body.clear();
            plain.selected.clear();
            plain.pane = pane::Heard::default();
            let summary = self.views.summary(&self.view, model);
            let name = match self.view {
                // It may not have its name yet.
                View::Pane(id) => model.session(id).map_or_else(
                    || "Session".to_owned(),
                    |session| format!("Session on {}", session.host),
                ),
                _ => capital(&self.view.crumb(model)),
            };
            let colon = if summary.is_empty() { "" } else { ": " };
            plain.said.line(&format!("{name}{colon}{summary}"));
        }
        self.say_notices(plain, model);
        let over = self.words_over(model);
        let free = over.is_none();
        match over {
            Some(over) => say_over(plain, over, self.is_secret(model)),
            None => {
                plain.over.clear();
                if !std::mem::take(&mut plain.field).is_empty() {
                    plain.said.end();
                }
            }
        }
        if let View::Pane(id) = self.view {
            if free {
                plain.pane.hear(&mut plain.said, model, id);
            }
            return;
        }
        let fresh = plain
            .opened
            .is_some_and(|at| model.now.since(at) <= ARRIVES);
        if free && (opened || fresh || plain.touched) {
            self.say_view(plain, model);
            plain.touched = false;
        }
    }

    fn say_notices(&self, plain: &mut Plain, model: &Model) {
        let count = model.notices.count();
        let new = usize::try_from(count.saturating_sub(plain.notices)).unwrap_or(usize::MAX);
        plain.notices = count;
        let notices: Vec<_> = model.notices.iter().rev().take(new.min(8)).collect();
        for notice in notices.into_iter().rev() {
            let level = match notice.level {
                Level::Info => "",
                Level::Warn => "Warning: ",
                Level::Error => "Error: ",
            };
            plain.said.line(&format!("{level}{}", notice.text));
        }
        if plain.refused != self.refused {
            plain.refused.clone_from(&self.refused);
            if let Some(words) = &self.refused {
                plain.said.line(words);
            }
        }
    }

    /// A row of a list with its place, or the lines of a document that are new.
    fn say_view(&mut self, plain: &mut Plain, model: &Model) {
        let words = self.words_of_view(model);
        let place = self.views.moves(&self.view).and_then(|list| list.place());
        let message = self.views.messages.spoken(&self.view, model);
        let selected = message.or(words.selected.clone()).unwrap_or_default();
        let list = !matches!(
            self.view,
            View::Home
                | View::Case(_)
                | View::Host(_)
                | View::Connection { .. }
                | View::Recording(_)
                | View::Book(_)
                | View::Run(_)
        );
        if !list {
            let news = words
                .lines
                .iter()
                .filter(|line| !plain.body.contains(line) && (**line != selected));
            news.for_each(|line| plain.said.line(line));
        }
        let moved = selected != plain.selected;
        if moved && let Some((at, of)) = place.filter(|_| list) {
            plain.said.line(&format!("{selected}, {at} of {of}"));
        } else if moved && !selected.is_empty() {
            plain.said.line(&selected);
        }
        plain.selected = selected;
        plain.body = words.lines;
    }

    fn words_of_view(&self, model: &Model) -> Words {
        let area = self.areas.body;
        let mut buffer = Buffer::empty(self.areas.whole);
        let mut painter = Painter::new(&mut buffer, &self.look);
        self.views.draw(&self.view, self.cx(model), &mut painter);
        words(&buffer, area, None)
    }

    /// What lies over the view, if something does.
    fn words_over(&self, model: &Model) -> Option<Words> {
        // What is asked is read out to its end, however low the window is.
        let asked = self.question(model).is_some() && self.answering.is_some();
        let whole = match self.layers.last() {
            _ if asked => TALL,
            Some(Layer::Confirm(_) | Layer::Paste(_) | Layer::Broadcast(_)) => TALL,
            _ => self.areas.whole,
        };
        let mut buffer = Buffer::empty(whole);
        let mut painter = Painter::new(&mut buffer, &self.look);
        let cursor = match (self.question(model), &self.answering, self.layers.last()) {
            (Some(question), Some(answering), _) => {
                answering.draw(question, model, &mut painter, whole)
            }
            (_, _, Some(layer)) => layer.draw(self.cx(model), &mut painter, whole),
            _ => return None,
        };
        Some(words(&buffer, whole, cursor))
    }

    fn is_secret(&self, model: &Model) -> bool {
        let question = self.question(model);
        question.is_some_and(|question| question.kind == QuestionKind::Secret)
    }

    fn cx<'a>(&'a self, model: &'a Model) -> Cx<'a> {
        Cx {
            model,
            keymap: &self.keymap,
            look: &self.look,
        }
    }
}

/// Says what is new of a dialog, and goes on with the line that is being typed.
fn say_over(plain: &mut Plain, over: Words, secret: bool) {
    let field = over.field.unwrap_or_default();
    for line in &over.lines {
        if !plain.over.contains(line) {
            plain.said.line(line);
        }
    }
    plain.over = over.lines;
    if let Some(selected) = over.selected.filter(|words| *words != plain.selected) {
        plain.said.line(&selected);
        plain.selected = selected;
    }
    if field == plain.field {
        return;
    }
    // What stands for the letters of a secret is as little to be heard as they are.
    match field
        .strip_prefix(&plain.field)
        .filter(|_| !plain.field.is_empty())
    {
        Some(_) if secret => {}
        Some(more) if more.chars().all(|c| matches!(c, '*' | '•')) => {}
        Some(more) if plain.said.open => plain.said.more(more),
        _ if secret && !plain.field.is_empty() => {}
        _ => plain.said.part(&field),
    }
    plain.field = field;
}

/// The text of an area: lines without frames, cells with a comma between them, and what is selected.
fn words(buffer: &Buffer, area: Rect, cursor: Option<Position>) -> Words {
    let area = area.intersection(buffer.area);
    let mut words = Words::default();
    for y in area.top()..area.bottom() {
        let row = |until: u16, only: Modifier| -> String {
            let cells = (area.left()..until).filter_map(|x| buffer.cell((x, y)));
            let cells = cells.map(|cell| match cell.modifier.contains(only) {
                true => cell.symbol(),
                false => " ",
            });
            spoken(&cells.collect::<String>())
        };
        let line = row(area.right(), Modifier::empty());
        let selected = row(area.right(), Modifier::REVERSED);
        if let Some(at) = cursor.filter(|at| at.y == y) {
            words.field = Some(row(at.x, Modifier::empty()));
            continue;
        }
        if !selected.is_empty() && words.selected.is_none() {
            words.selected = Some(selected);
        }
        if !line.is_empty() {
            words.lines.push(line);
        }
    }
    words
}

/// A row without frames and signs; what stands apart is parted by commas.
fn spoken(row: &str) -> String {
    let plain = |c: char| match c {
        '\u{2500}'..='\u{259f}' | '›' => ' ',
        c => c,
    };
    let text: String = row.chars().map(plain).collect();
    let text = text.trim().trim_start_matches("> ");
    let parts = text.split("  ").map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

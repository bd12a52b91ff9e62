//! Draws a run: who and when, the matrix, the output.

use ratatui::layout::Rect;

use super::RunPage;
use crate::domain::run::{Cell, CellState, RunRow};
use crate::domain::time::short;
use crate::model::Model;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::runs::tally;
use crate::ui::views::words::{age, placeholder, plural};

/// Columns of a cell of the matrix, at least and at most.
const CELL: (u16, u16) = (13, 22);

impl RunPage {
    pub(crate) fn draw(&self, cx: Cx<'_>, reference: &str, painter: &mut Painter<'_>) {
        let Some(run) = cx.model.run(reference) else {
            placeholder(
                painter,
                self.head.union(self.pane),
                &format!("Reading {reference}."),
            );
            return;
        };
        self.draw_head(cx.model, run, painter);
        self.draw_matrix(cx.model, run, painter);
        let cell = self.cell(run);
        let heading = match cell {
            Some(cell) => format!("{}  {}", self.place(run), verdict(cx.model, cell)),
            None => self.place(run),
        };
        painter.rule(self.pane, 0, &heading);
        let area = below(self.pane, 1);
        if self.lines.is_empty() {
            placeholder(painter, area, silence(cell));
        }
        for (at, line) in (0..area.height).zip(self.lines.iter().skip(self.output.offset())) {
            painter.put_at(area, 1, at, line, Role::Fg);
        }
        if let Some(place) = self.output.place() {
            painter.put_right(self.pane, 0, &format!(" {place} "), Role::Dim);
        }
    }

    fn draw_head(&self, model: &Model, run: &RunRow, painter: &mut Painter<'_>) {
        let took = match run.finished {
            Some(at) => format!("took {}", short(at.since(run.started))),
            None => format!("since {}", age(model.now, run.started)),
        };
        let state = run.state.to_string();
        let counts = tally(run.tally);
        painter.spans(
            self.head,
            0,
            &[
                (&format!(" {}  ", run.reference), Role::Accent),
                (&run.book, Role::Title),
                ("  ", Role::Fg),
                (&state, run.state.into()),
                (if counts.is_empty() { "" } else { "  " }, Role::Fg),
                (&counts, Role::Fg),
                (&format!("  {took}"), Role::Dim),
            ],
        );
        let mut more = format!(
            " {} on {} by {}",
            plural(run.steps.len(), "step"),
            plural(run.hosts.len(), "host"),
            run.author
        );
        if let Some(ticket) = &run.ticket {
            more = format!("{more} for {ticket}");
        }
        for (name, value) in &run.params {
            more = format!("{more}  {name}={value}");
        }
        painter.put(self.head, 1, &more, Role::Dim);
    }

    fn draw_matrix(&self, model: &Model, run: &RunRow, painter: &mut Painter<'_>) {
        let longest = run
            .hosts
            .iter()
            .map(|host| text::width(host))
            .max()
            .unwrap_or(0);
        let names = u16::try_from(longest)
            .unwrap_or(0)
            .clamp(6, 24)
            .min(self.matrix.width / 3)
            + 2;
        let (first, count, wide) =
            self.columns(run.steps.len(), self.matrix.width.saturating_sub(names));
        for (place, step) in (first..run.steps.len()).take(count).enumerate() {
            let area = slot(self.matrix, names, place, wide);
            let title = format!(
                "{} {}",
                step + 1,
                run.steps.get(step).map_or("", String::as_str)
            );
            let role = if step == self.step {
                Role::Title
            } else {
                Role::Header
            };
            painter.put(area, 0, &title, role);
        }
        let (before, after) = (first > 0, first + count < run.steps.len());
        let more = match (before, after) {
            (true, true) => "< more >",
            (true, false) => "< more",
            (false, true) => "more >",
            (false, false) => "",
        };
        painter.put_at(self.matrix, 1, 0, more, Role::Dim);
        let rows = below(self.matrix, 1);
        for (row, host) in self.hosts.visible() {
            let here = self.hosts.is_selected(host);
            let inside = Rect {
                width: names.saturating_sub(1),
                ..rows
            };
            if here {
                painter.put(inside, row, painter.look().glyph("›", ">"), Role::Accent);
            }
            painter.put_at(
                inside,
                1,
                row,
                host,
                if here { Role::Title } else { Role::Fg },
            );
            for (place, step) in (first..run.steps.len()).take(count).enumerate() {
                let area = slot(rows, names, place, wide);
                let (words, role) = match Self::cell_of(run, host, step) {
                    Some(cell) => (brief(model, cell), cell.state.into()),
                    None => (painter.look().glyph("·", "-").to_owned(), Role::Dim),
                };
                let selected = here && step == self.step;
                let words = if selected {
                    format!("[{words}]")
                } else {
                    format!(" {words} ")
                };
                painter.put(area, row, &words, role);
                if selected && row < area.height {
                    painter.tint(
                        Rect {
                            y: area.y + row,
                            height: 1,
                            ..area
                        },
                        Role::Selected,
                    );
                }
            }
        }
    }

    /// Which steps are shown so that the selected one is among them: the first, how many, and how wide.
    fn columns(&self, steps: usize, width: u16) -> (usize, usize, u16) {
        let fits = usize::from((width / CELL.0).max(1));
        let count = fits.min(steps.max(1));
        let wide = (width / u16::try_from(count).unwrap_or(1).max(1)).min(CELL.1);
        let first = self
            .step
            .saturating_sub(count - 1)
            .min(steps.saturating_sub(count));
        (first, count, wide)
    }
}

fn slot(area: Rect, names: u16, place: usize, wide: u16) -> Rect {
    let x = names.saturating_add(
        u16::try_from(place)
            .unwrap_or(u16::MAX)
            .saturating_mul(wide),
    );
    let x = x.min(area.width);
    Rect {
        x: area.x + x,
        width: wide.saturating_sub(1).min(area.width - x),
        ..area
    }
}

/// A cell of the matrix in a few letters: a word that says it without colour, and how long it took.
fn brief(model: &Model, cell: &Cell) -> String {
    let took = match (cell.state, cell.started, cell.took_ms) {
        (CellState::Running, Some(at), _) => format!(" {}", age(model.now, at)),
        (CellState::Failed, ..) => cell
            .exit
            .map_or_else(String::new, |exit| format!(" {exit}")),
        (CellState::Ok, _, Some(millis)) => format!(" {}", short(millis)),
        _ => String::new(),
    };
    let word = match cell.state {
        CellState::Failed => "FAILED",
        CellState::Unreachable => "UNREACHED",
        CellState::Waiting
        | CellState::Running
        | CellState::Ok
        | CellState::Skipped
        | CellState::Unknown => cell.state.word(),
    };
    format!("{word}{took}")
}

/// What became of the cell, in a sentence's half.
fn verdict(model: &Model, cell: &Cell) -> String {
    let mut words = cell.state.to_string();
    if let Some(exit) = cell.exit {
        words = format!("{words}, exit {exit}");
    }
    match (cell.took_ms, cell.started) {
        (Some(millis), _) => words = format!("{words}, {}", short(millis)),
        (None, Some(at)) => words = format!("{words}, since {}", age(model.now, at)),
        (None, None) => {}
    }
    if cell.attempt > 1 {
        words = format!("{words}, attempt {}", cell.attempt);
    }
    words
}

/// The output as lines; what was not kept, and why the cell ended as it did, are said at the end.
pub(super) fn output(cell: &Cell, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if !cell.output.is_empty() {
        lines = text::wrap(cell.output.trim_end_matches('\n'), width);
    }
    if cell.dropped > 0 {
        lines.push(format!("({} bytes more were not kept)", cell.dropped));
    }
    if !cell.reason.is_empty() {
        lines.extend(text::wrap(&format!("({})", cell.reason), width));
    }
    lines
}

fn silence(cell: Option<&Cell>) -> &'static str {
    match cell.map(|cell| cell.state) {
        None | Some(CellState::Waiting) => "It has not begun.",
        Some(CellState::Running) => "No output yet.",
        Some(CellState::Skipped) => "It was skipped.",
        Some(CellState::Unknown) => {
            "Whether it ran to its end is not known; look at the host before repeating it."
        }
        Some(CellState::Ok | CellState::Failed | CellState::Unreachable) => "It wrote nothing.",
    }
}

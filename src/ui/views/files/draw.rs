//! Draws two folders side by side.

use ratatui::layout::Rect;

use super::side::{HEAD, Side};
use super::{FilesPage, strip};
use crate::domain::files::{FileEntry, FileKind};
use crate::model::Folder;
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{age, bytes, no_match, placeholder, plural};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("NAME", 22, 0).growing(),
    Column::new("SIZE", 4, 1).right(),
    Column::new("AGE", 4, 2).right(),
    Column::new("MODE", 10, 3),
    Column::new("OWNER", 10, 4).growing_to(14),
];

impl FilesPage {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        for (index, side) in self.sides.iter().enumerate() {
            draw_side(side, index == self.active, cx, painter);
        }
        let bar = painter.look().glyph("│", "|");
        for row in 0..self.rule.height {
            painter.put(self.rule, row, bar, Role::Border);
        }
        if let Some(entry) = self.selected(cx.model) {
            painter.put(self.info, 0, &format!("  {}", described(entry)), Role::Dim);
        }
        strip::draw(cx, painter, self.strip);
    }
}

/// Everything about one name, as `ls -l` would say it.
fn described(entry: &FileEntry) -> String {
    // RFC 3339 without the fraction, which nobody asks for.
    let written = entry.modified.map(|at| at.to_string()).unwrap_or_default();
    let written = match written.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => written,
    };
    let target = entry
        .target
        .as_ref()
        .map(|target| format!(" → {target}"))
        .unwrap_or_default();
    format!(
        "{}  {}  {} bytes  {written}  {}{target}",
        mode(entry),
        entry.owner,
        entry.size,
        entry.name
    )
}

fn draw_side(side: &Side, active: bool, cx: Cx<'_>, painter: &mut Painter<'_>) {
    let area = side.area;
    draw_path(side, active, cx, painter);
    let inside = below(area, 1);
    let places = Places::new(COLUMNS, area.width);
    table::head(painter, inside, COLUMNS, &places);
    let rows = Rect {
        height: area.height.saturating_sub(HEAD + 1),
        ..below(area, HEAD)
    };
    let folder = cx.model.files.folder(side.host.as_deref(), &side.path);
    let Some(folder) = folder else {
        return placeholder(painter, rows, "Reading the folder.");
    };
    if folder.entries.is_empty() {
        let words = match &folder.error {
            Some(why) => why.as_str(),
            None => "The folder is empty.",
        };
        placeholder(painter, rows, words);
    } else if side.shown() == 0 {
        let words = if side.query().trim().is_empty() {
            "Only hidden names are here; . shows them.".to_owned()
        } else {
            no_match(side.query())
        };
        placeholder(painter, rows, &words);
    }
    for (at, entry) in side.visible(folder) {
        let line = Line {
            cells: cells(cx, entry),
            selected: active && side.is_selected(at),
            marked: side.marks.contains_key(&entry.name),
            matches: (0, &[]),
        };
        table::row(painter, rows, at, COLUMNS, &places, &line);
    }
    draw_foot(side, folder, painter);
}

/// `web1:/var/log`, cut at its left: the end of a path says more than its beginning.
fn draw_path(side: &Side, active: bool, cx: Cx<'_>, painter: &mut Painter<'_>) {
    let area = Rect {
        height: 1.min(side.area.height),
        ..side.area
    };
    let production = side
        .host
        .as_ref()
        .is_some_and(|host| cx.model.is_production(host));
    let role = match (active, production) {
        (true, _) => Role::Title,
        (false, true) => Role::Fg,
        (false, false) => Role::Dim,
    };
    let host = side.host.as_deref().unwrap_or("this machine");
    let mark = if production { " production " } else { "" };
    let room = usize::from(area.width)
        .saturating_sub(text::width(host) + mark.len() + 4)
        .max(4);
    let cut = painter.look().glyph("…", "~");
    let path = crate::domain::text::line(&side.path);
    let words = format!(" {host}:{} ", tail(&path, room, cut));
    let used = painter.put(area, 0, &words, role);
    if active {
        let here = Rect {
            width: used,
            ..area
        };
        painter.tint(here, Role::Selected);
    }
    painter.put_at(area, used + 1, 0, mark, Role::Prod);
}

/// The end of `path` in at most `room` columns.
fn tail(path: &str, room: usize, cut: &str) -> String {
    if text::width(path) <= room {
        return path.to_owned();
    }
    let start = path
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| path.get(*at..).is_some_and(|rest| text::width(rest) < room))
        .unwrap_or(path.len());
    format!("{cut}{}", path.get(start..).unwrap_or_default())
}

fn draw_foot(side: &Side, folder: &Folder, painter: &mut Painter<'_>) {
    let Some(last) = side.area.height.checked_sub(1) else {
        return;
    };
    // What was listed before is still shown; that it could not be read again must be seen.
    if let Some(why) = folder.error.as_ref().filter(|_| !folder.entries.is_empty()) {
        painter.put_at(side.area, 2, last, why, Role::Crit);
        return;
    }
    let all = folder.entries.len();
    let mut parts = Vec::new();
    if side.query().trim().is_empty() {
        parts.push(plural(side.shown(), "name"));
        if all > side.shown() {
            parts.push(format!("{} hidden", all - side.shown()));
        }
    } else {
        parts.push(format!("{} of {}", side.shown(), plural(all, "name")));
        parts.push(format!("filter \"{}\"", side.query().trim()));
    }
    if side.marked() > 0 {
        let size = side.marks.values().copied().fold(0, u64::saturating_add);
        parts.push(format!("{} marked, {}", side.marked(), bytes(size)));
    }
    painter.put_at(side.area, 2, last, &parts.join(", "), Role::Dim);
}

fn cells(cx: Cx<'_>, entry: &FileEntry) -> Vec<(String, Role)> {
    // As ls -F: what a name is can be seen without colours too.
    let (sign, role) = match (entry.kind, entry.folder) {
        (FileKind::Link, _) => ("@", Role::Accent),
        (_, true) => ("/", Role::Title),
        (FileKind::File, _) if entry.mode & 0o111 != 0 => ("*", Role::Fg),
        (FileKind::Other, _) => ("=", Role::Dim),
        (FileKind::File | FileKind::Folder, _) => ("", Role::Fg),
    };
    let size = if entry.kind == FileKind::File {
        bytes(entry.size)
    } else {
        String::new()
    };
    let written = entry
        .modified
        .map_or_else(String::new, |at| age(cx.model.now, at));
    vec![
        (format!("{}{sign}", entry.name), role),
        (size, Role::Fg),
        (written, Role::Dim),
        (mode(entry), Role::Dim),
        (entry.owner.clone(), Role::Dim),
    ]
}

/// `drwxr-xr-x`, as ls has it.
fn mode(entry: &FileEntry) -> String {
    let first = match entry.kind {
        FileKind::File => '-',
        FileKind::Folder => 'd',
        FileKind::Link => 'l',
        FileKind::Other => '?',
    };
    let mut words = String::from(first);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        words.push(if bits & 4 != 0 { 'r' } else { '-' });
        words.push(if bits & 2 != 0 { 'w' } else { '-' });
        words.push(match (bits & 1 != 0, entry.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_does() {
        let entry = |kind, mode| FileEntry {
            name: "x".to_owned(),
            kind,
            size: 0,
            mode,
            owner: String::new(),
            modified: None,
            target: None,
            folder: kind == FileKind::Folder,
        };
        for (kind, bits, expected) in [
            (FileKind::File, 0o644, "-rw-r--r--"),
            (FileKind::Folder, 0o1777, "drwxrwxrwt"),
            (FileKind::File, 0o4755, "-rwsr-xr-x"),
            (FileKind::File, 0o2640, "-rw-r-S---"),
            (FileKind::Link, 0o777, "lrwxrwxrwx"),
        ] {
            assert_eq!(mode(&entry(kind, bits)), expected);
        }
    }

    #[test]
    fn the_end_of_a_path_stays() {
        for (path, room, expected) in [
            ("/var/log", 20, "/var/log"),
            ("/var/log/nginx", 8, "…g/nginx"),
            ("/界界界", 4, "…界"),
        ] {
            assert_eq!(tail(path, room, "…"), expected);
        }
    }
}

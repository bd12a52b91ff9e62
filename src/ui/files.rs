//! What the verbs of the two folders do: those that only move are done here, the others become whole orders.

use std::collections::BTreeSet;

use super::layers::confirm::Confirm;
use super::layers::text_box::TextBox;
use super::layers::{Act, Layer};
use super::view::View;
use super::views::files::{Side, above, below_path, results};
use super::views::words::plural;
use super::{Intent, Ui};
use crate::command::{Command, FilesCommand, FilesVerb};
use crate::domain::files::{CopyJob, FileEntry, Place};
use crate::model::{Folder, Model};

/// How many names a question spells out.
const NAMED: usize = 8;

impl Ui {
    /// Does a verb of the view of two folders.
    pub(super) fn files(&mut self, model: &Model, verb: &FilesVerb) -> Vec<Intent> {
        match verb {
            FilesVerb::Show { host, path, ticket } => {
                self.views.files.show(host, ticket.clone());
                if let Some(path) = path {
                    self.views.files.side_mut().go(path.clone(), None);
                }
                self.open(model, View::Files);
            }
            FilesVerb::OtherSide => self.views.files.turn_over(),
            FilesVerb::Up => self.folder_above(),
            FilesVerb::Hidden => self.views.files.hidden = !self.views.files.hidden,
            FilesVerb::Again => return self.read_again(),
            FilesVerb::Host { host } => self.show_side(Some(host.clone())),
            FilesVerb::Here => self.show_side(None),
            FilesVerb::Copy => return self.copy_over(model),
            FilesVerb::Rename { file, name } => return self.rename(model, file, name),
            FilesVerb::MakeFolder { name } => return self.make_folder(model, name),
            FilesVerb::Remove => self.remove(model),
            FilesVerb::Results => {
                let text = TextBox::new("copies", &results(model));
                self.layers.push(Layer::Text(text));
            }
        }
        Vec::new()
    }

    /// Enter: into a folder.
    pub(super) fn enter_folder(&mut self, model: &Model) {
        match self.views.files.selected(model) {
            Some(entry) if entry.folder => {
                let side = self.views.files.side_mut();
                let path = below_path(&side.path, &entry.name);
                side.go(path, None);
            }
            Some(_) => {
                self.refused = Some("It is a file, no folder; copy it to look at it.".to_owned());
            }
            None => self.refused = Some("Nothing is selected.".to_owned()),
        }
    }

    pub(super) fn folder_above(&mut self) {
        let side = self.views.files.side_mut();
        match above(&side.path) {
            Some((path, name)) => side.go(path, Some(name)),
            None => self.refused = Some("There is nothing above.".to_owned()),
        }
    }

    fn show_side(&mut self, host: Option<String>) {
        *self.views.files.side_mut() = Side::new(host);
    }

    fn read_again(&self) -> Vec<Intent> {
        [self.views.files.side(), self.views.files.other()]
            .into_iter()
            .map(|side| FilesCommand::List {
                folder: Place {
                    host: side.host.clone(),
                    path: side.path.clone(),
                },
            })
            .map(|order| Intent::Command(Command::Files(order)))
            .collect()
    }

    fn copy_over(&mut self, model: &Model) -> Vec<Intent> {
        match self.copy_job(model) {
            Err(why) => {
                self.refused = Some(why);
                Vec::new()
            }
            Ok((job, question)) => {
                let ticket = self.views.files.ticket.clone();
                self.views.files.side_mut().unmark();
                let command = Command::Files(FilesCommand::Copy { job, ticket });
                match question {
                    None => vec![Intent::Command(command)],
                    Some((title, body)) => {
                        let act = Act::Command(Box::new(command));
                        let confirm = Confirm::new(title, body, "Copy", act);
                        self.layers.push(Layer::Confirm(confirm));
                        Vec::new()
                    }
                }
            }
        }
    }

    /// The copy of what is chosen to the other side, and what must be asked first.
    #[expect(
        clippy::type_complexity,
        reason = "a job and an optional title and body, used once"
    )]
    fn copy_job(&self, model: &Model) -> Result<(CopyJob, Option<(String, Vec<String>)>), String> {
        let (from, to) = (self.views.files.side(), self.views.files.other());
        let source = listed(model, from)?;
        let target = listed(model, to)?;
        if from.host == to.host && source.path == target.path {
            return Err("Both sides show the same folder; go elsewhere on one of them.".to_owned());
        }
        let chosen = from.chosen(source);
        if chosen.is_empty() {
            return Err("Nothing is selected.".to_owned());
        }
        for entry in chosen.iter().filter(|entry| entry.folder) {
            let path = below_path(&source.path, &entry.name);
            let inside = target.path == path || target.path.starts_with(&below_path(&path, ""));
            if from.host == to.host && inside {
                return Err(format!("{} cannot be copied into itself.", entry.name));
            }
        }
        let job = CopyJob {
            from: chosen
                .iter()
                .map(|entry| place(from, &source.path, &entry.name))
                .collect(),
            to: Place {
                host: to.host.clone(),
                path: target.path.clone(),
            },
            recursive: chosen.iter().any(|entry| entry.folder),
            preserve: true,
            resume: false,
        };
        Ok((job, copy_question(model, &chosen, to, target)))
    }

    fn rename(&mut self, model: &Model, file: &str, name: &str) -> Vec<Intent> {
        let side = self.views.files.side();
        let checked = listed(model, side).and_then(|folder| {
            if file == name {
                return Err("It has that name already.".to_owned());
            }
            free(folder, name)?;
            Ok((
                place(side, &folder.path, file),
                below_path(&folder.path, name),
            ))
        });
        let ticket = self.views.files.ticket.clone();
        self.order(checked.map(|(from, to)| FilesCommand::Rename { from, to, ticket }))
    }

    fn make_folder(&mut self, model: &Model, name: &str) -> Vec<Intent> {
        let side = self.views.files.side();
        let checked = listed(model, side).and_then(|folder| {
            free(folder, name)?;
            Ok(place(side, &folder.path, name))
        });
        let ticket = self.views.files.ticket.clone();
        self.order(checked.map(|place| FilesCommand::MakeFolder { place, ticket }))
    }

    fn order(&mut self, order: Result<FilesCommand, String>) -> Vec<Intent> {
        match order {
            Ok(order) => vec![Intent::Command(Command::Files(order))],
            Err(why) => {
                self.refused = Some(why);
                Vec::new()
            }
        }
    }

    /// Asks whether what is chosen shall be deleted; on a production host its name must be typed.
    fn remove(&mut self, model: &Model) {
        let side = self.views.files.side();
        let folder = match listed(model, side) {
            Ok(folder) => folder,
            Err(why) => return self.refused = Some(why),
        };
        let chosen = side.chosen(folder);
        if chosen.is_empty() {
            return self.refused = Some("Nothing is selected.".to_owned());
        }
        let host = side.host.as_deref().unwrap_or("this machine");
        let production = is_on_production(model, side);
        let mut body = vec![format!("On {host}, in {}:", folder.path)];
        body.extend(names(&chosen));
        body.push(String::new());
        if chosen.iter().any(|entry| entry.folder) {
            body.push("Folders go with all that is in them.".to_owned());
        }
        body.push("This cannot be undone.".to_owned());
        let mark = if production { " (production)" } else { "" };
        let title = format!("delete {} on {host}{mark}?", plural(chosen.len(), "name"));
        let places = chosen
            .iter()
            .map(|entry| place(side, &folder.path, &entry.name))
            .collect();
        let ticket = self.views.files.ticket.clone();
        let order = Command::Files(FilesCommand::Remove { places, ticket });
        let act = Act::Command(Box::new(order));
        let word = production.then(|| host.to_owned());
        let confirm = Confirm::new(title, body, "Delete", act).typed(word);
        self.layers.push(Layer::Confirm(confirm));
    }
}

/// The folder of a side, if it was read.
fn listed<'m>(model: &'m Model, side: &Side) -> Result<&'m Folder, String> {
    let folder = model.files.folder(side.host.as_deref(), &side.path);
    let host = side.host.as_deref().unwrap_or("this machine");
    match folder {
        Some(folder) if !folder.path.is_empty() => Ok(folder),
        Some(Folder {
            error: Some(why), ..
        }) => Err(format!("{host}: {why}")),
        Some(_) | None => Err(format!("The folder of {host} is still being read.")),
    }
}

fn place(side: &Side, folder: &str, name: &str) -> Place {
    Place {
        host: side.host.clone(),
        path: below_path(folder, name),
    }
}

/// Whether `name` can be given to something new in `folder`.
fn free(folder: &Folder, name: &str) -> Result<(), String> {
    if name.contains('/') || name.is_empty() || name == "." || name == ".." {
        return Err(format!(
            "{name:?} is no name: it is one word without a slash."
        ));
    }
    if folder.entries.iter().any(|entry| entry.name == name) {
        return Err(format!("{name} is there already; nothing was changed."));
    }
    Ok(())
}

fn is_on_production(model: &Model, side: &Side) -> bool {
    let host = side.host.as_ref();
    host.is_some_and(|host| model.is_production(host))
}

/// The first few names, and how many more there are.
fn names(entries: &[&FileEntry]) -> Vec<String> {
    let mut lines: Vec<String> = entries
        .iter()
        .take(NAMED)
        .map(|entry| {
            let sign = if entry.folder { "/" } else { "" };
            format!("  {}{sign}", entry.name)
        })
        .collect();
    if entries.len() > NAMED {
        lines.push(format!("  and {} more", entries.len() - NAMED));
    }
    lines
}

/// What must be asked before a copy: whether it may write over what is there, and whether on a production host at all.
fn copy_question(
    model: &Model,
    chosen: &[&FileEntry],
    to: &Side,
    target: &Folder,
) -> Option<(String, Vec<String>)> {
    let wanted: BTreeSet<&str> = chosen.iter().map(|entry| entry.name.as_str()).collect();
    let over: Vec<&FileEntry> = target
        .entries
        .iter()
        .filter(|entry| wanted.contains(entry.name.as_str()))
        .collect();
    let production = is_on_production(model, to);
    if over.is_empty() && !production {
        return None;
    }
    let host = to.host.as_deref().unwrap_or("this machine");
    let mark = if production { " (production)" } else { "" };
    let mut body = vec![format!("Into {} on {host}:", target.path)];
    body.extend(names(chosen));
    if !over.is_empty() {
        body.push(String::new());
        body.push("There already, and written over:".to_owned());
        body.extend(names(&over));
    }
    let title = format!("copy {} to {host}{mark}?", plural(chosen.len(), "name"));
    Some((title, body))
}

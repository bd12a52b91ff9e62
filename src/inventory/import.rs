//! What an import changes: compares a scan with the inventory and writes drafts. Importing the same file twice changes
//! nothing; a host that vanished is marked stale and never deleted; what a person edited stays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::{Diagnostic, Scan};
use crate::domain::host::{Host, Source};
use crate::domain::ids::HostId;
use crate::domain::op::{Draft, Entity, EntityKind, Value};

/// The difference an import makes, and the drafts that make it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Hosts that are new, by name.
    pub added: Vec<String>,
    /// Hosts whose fields change, and which fields. A host of which only the place in the file changes is not among them.
    pub changed: Vec<(String, Vec<String>)>,
    /// Hosts that came from this file and are no longer in it; they become stale.
    pub vanished: Vec<String>,
    /// Hosts that were stale and are in the file again.
    pub returned: Vec<String>,
    /// How many hosts of the file are in the inventory as they should be.
    pub unchanged: usize,
    /// What could not be understood in the file.
    pub warnings: Vec<Diagnostic>,
    /// One transaction; empty when nothing is to be done.
    pub drafts: Vec<Draft>,
}

/// Plans the import of `scan`, read from `config`, into the inventory `existing`, given in its order.
///
/// A field belongs to the import when its source is one of the files read, or a file beside one of them, so that moving a
/// host between included files works. A field with a value and no source was edited by a person and is kept; so is one
/// whose source is another inventory.
pub fn plan(existing: &[Host], scan: Scan, config: &Path) -> Import {
    let Scan {
        hosts,
        warnings,
        files,
    } = scan;
    let known: HashMap<&str, &Host> = existing
        .iter()
        .map(|host| (host.name.as_str(), host))
        .collect();
    let named: HashSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    let folders: HashSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    let ours = |source: &Source| {
        files.contains(&source.file)
            || source
                .file
                .parent()
                .is_some_and(|folder| folders.contains(folder))
    };
    let reorder = order_changed(existing, &hosts, &known, config);
    let mut import = Import {
        warnings,
        ..Import::default()
    };
    for (index, host) in hosts.iter().enumerate() {
        let mut change = Change::new(host);
        let old = known.get(host.name.as_str()).copied();
        match old {
            Some(old) => change.update(old, &ours, config),
            None => change.add(config),
        }
        let fields = change.fields();
        if reorder || old.is_none() {
            change.set(
                "order",
                Value::Int(i64::try_from(index).unwrap_or(i64::MAX)),
            );
        }
        let name = host.name.clone();
        match old {
            None => import.added.push(name),
            Some(old) if old.stale => import.returned.push(name),
            Some(_) if fields.is_empty() => import.unchanged += 1,
            Some(_) => import.changed.push((name, fields)),
        }
        import.drafts.append(&mut change.drafts);
    }
    for old in existing {
        let came_from_here = old.config.as_deref() == Some(config);
        if came_from_here && !old.stale && !named.contains(old.name.as_str()) {
            let mut change = Change::new(old);
            change.set("stale", Value::Bool(true));
            import.drafts.append(&mut change.drafts);
            import.vanished.push(old.name.clone());
        }
    }
    import
}

/// Whether the numbers that keep the hosts of this file in its order must be written anew: when hosts changed places, or
/// one was put before another.
fn order_changed(
    existing: &[Host],
    hosts: &[Host],
    known: &HashMap<&str, &Host>,
    config: &Path,
) -> bool {
    let of_this_file = |host: &Host| host.config.as_deref() == Some(config);
    let place: HashMap<&str, usize> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| (host.name.as_str(), index))
        .collect();
    let places: Vec<usize> = existing
        .iter()
        .filter(|host| of_this_file(host))
        .filter_map(|host| place.get(host.name.as_str()).copied())
        .collect();
    let in_order = places.is_sorted();
    let first_new = hosts
        .iter()
        .position(|host| !known.contains_key(host.name.as_str()));
    let squeezed_in = match (first_new, places.iter().max()) {
        (Some(new), Some(last)) => new < *last,
        _ => false,
    };
    !in_order || squeezed_in
}

/// The drafts of one host.
struct Change<'a> {
    host: &'a Host,
    entity: Entity,
    drafts: Vec<Draft>,
}

impl<'a> Change<'a> {
    fn new(host: &'a Host) -> Self {
        Self {
            host,
            entity: Entity {
                kind: EntityKind::Host,
                id: HostId::of(&host.name).0,
            },
            drafts: Vec::new(),
        }
    }

    fn set(&mut self, field: &str, value: Value) {
        self.drafts.push(Draft::Set {
            entity: self.entity,
            field: field.to_owned(),
            value,
        });
    }

    fn flag(&mut self, group: &str, on: bool) {
        self.drafts.push(Draft::Flag {
            entity: self.entity,
            set: "groups".to_owned(),
            member: group.to_owned(),
            on,
        });
    }

    fn add(&mut self, config: &Path) {
        let host = self.host;
        self.set("name", Value::from(host.name.as_str()));
        for (field, value) in values(host) {
            if !is_empty(&value) {
                self.set(field, value);
            }
        }
        self.set("config", path_value(config));
        for group in &host.groups {
            self.flag(group, true);
        }
        self.set("source", sources(&host.source));
    }

    fn update(&mut self, old: &Host, ours: &dyn Fn(&Source) -> bool, config: &Path) {
        // What is not ours stays as it is, and keeps saying where it came from.
        let mut source: BTreeMap<String, Source> = old
            .source
            .iter()
            .filter(|(_, source)| !ours(source))
            .map(|(field, source)| (field.clone(), source.clone()))
            .collect();
        let may_write = |field: &str, empty: bool| match old.source.get(field) {
            Some(source) => ours(source),
            None => empty,
        };
        let mut note = |field: &str| {
            if let Some(line) = self.host.source.get(field) {
                source.insert(field.to_owned(), line.clone());
            }
        };
        let mut writes = Vec::new();
        for ((field, new), (_, before)) in values(self.host).into_iter().zip(values(old)) {
            if may_write(field, is_empty(&before)) {
                note(field);
                if new != before {
                    writes.push((field, new));
                }
            }
        }
        for field in ["name", "identityfile", "groups"] {
            if may_write(field, true) {
                note(field);
            }
        }
        for (field, value) in writes {
            self.set(field, value);
        }
        for group in &self.host.groups {
            if !old.groups.contains(group) {
                self.flag(group, true);
            }
        }
        if old.source.get("groups").is_some_and(ours) {
            for group in &old.groups {
                if !self.host.groups.contains(group) {
                    self.flag(group, false);
                }
            }
        }
        // A host added by hand takes its settings from the file that now names it; one that another file still names
        // goes on with that.
        let adopt = match &old.config {
            None => true,
            Some(before) => old.stale && before != config,
        };
        if adopt {
            self.set("config", path_value(config));
        }
        if old.stale {
            self.set("stale", Value::Bool(false));
        }
        if source != old.source {
            self.set("source", sources(&source));
        }
    }

    /// What a person would call changed: not the lines, which move with every edit above them.
    fn fields(&self) -> Vec<String> {
        let mut fields: Vec<String> = self
            .drafts
            .iter()
            .filter_map(|draft| match draft {
                Draft::Set { field, .. } if field != "source" => Some(field.clone()),
                Draft::Flag { set, .. } => Some(set.clone()),
                _ => None,
            })
            .collect();
        fields.dedup();
        fields
    }
}

/// The fields that a source sets, in the order they are written.
fn values(host: &Host) -> [(&'static str, Value); 4] {
    let hops = host.jump.iter().map(|hop| Value::from(hop.as_str()));
    [
        ("address", Value::from(host.address.as_deref())),
        ("port", Value::from(host.port.map(i64::from))),
        ("user", Value::from(host.user.as_deref())),
        ("jump", Value::List(hops.collect())),
    ]
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

fn sources(source: &BTreeMap<String, Source>) -> Value {
    let text = |source: &Source| format!("{}:{}", source.file.display(), source.line);
    Value::Map(
        source
            .iter()
            .map(|(field, source)| (field.clone(), Value::Text(text(source))))
            .collect(),
    )
}

fn path_value(path: &Path) -> Value {
    Value::Text(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "/home/mira/.ssh/config";

    fn source(line: u32) -> Source {
        Source {
            file: CONFIG.into(),
            line,
        }
    }

    /// A host as the scanner gives it: named in `line`, its address in the next.
    fn scanned(name: &str, address: &str, line: u32) -> Host {
        let mut host = Host::named(name);
        host.config = Some(CONFIG.into());
        host.address = Some(address.to_owned());
        host.source.insert("name".into(), source(line));
        host.source.insert("address".into(), source(line + 1));
        host
    }

    fn scan(hosts: &[Host]) -> Scan {
        Scan {
            hosts: hosts.to_vec(),
            warnings: Vec::new(),
            files: vec![CONFIG.into()],
        }
    }

    fn plan_of(existing: &[Host], hosts: &[Host]) -> Import {
        plan(existing, scan(hosts), Path::new(CONFIG))
    }

    fn shown(import: &Import) -> Vec<String> {
        import
            .drafts
            .iter()
            .map(|draft| match draft {
                Draft::Set { field, value, .. } => format!("{field}={value:?}"),
                Draft::Flag {
                    set, member, on, ..
                } => format!("{set} {member} {on}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_new_host_is_written_whole() {
        let mut host = scanned("web1", "192.0.2.7", 3);
        host.port = Some(2201);
        host.jump = vec!["bastion".into(), "inner".into()];
        host.groups = vec!["prod".into()];
        let import = plan_of(&[], &[host]);
        assert_eq!(import.added, ["web1"]);
        assert_eq!(
            shown(&import),
            [
                "name=Text(\"web1\")",
                "address=Text(\"192.0.2.7\")",
                "port=Int(2201)",
                "jump=List([Text(\"bastion\"), Text(\"inner\")])",
                "config=Text(\"/home/mira/.ssh/config\")",
                "groups prod true",
                "source=Map({\"address\": Text(\"/home/mira/.ssh/config:4\"), \"name\": Text(\"/home/mira/.ssh/config:3\")})",
                "order=Int(0)",
            ]
        );
        let entity = Entity {
            kind: EntityKind::Host,
            id: HostId::of("web1").0,
        };
        assert!(import.drafts.iter().all(|draft| matches!(
            draft,
            Draft::Set { entity: of, .. } | Draft::Flag { entity: of, .. } if *of == entity
        )));
    }

    #[test]
    fn a_second_import_changes_nothing() {
        let mut hosts = vec![scanned("b", "1", 1), scanned("a", "2", 3)];
        if let Some(host) = hosts.first_mut() {
            host.user = Some("root".into());
            host.source.insert("user".into(), source(9));
            host.source.insert("identityfile".into(), source(9));
        }
        let import = plan_of(&hosts, &hosts);
        assert_eq!((import.drafts.as_slice(), import.unchanged), (&[][..], 2));
    }

    #[test]
    fn a_changed_line_changes_the_field_and_a_moved_line_only_its_source() {
        let old = [scanned("a", "1", 1), scanned("b", "2", 3)];
        let new = [scanned("a", "9", 1), scanned("b", "2", 5)];
        let import = plan_of(&old, &new);
        assert_eq!(
            import.changed,
            [("a".to_owned(), vec!["address".to_owned()])]
        );
        assert_eq!(import.unchanged, 1);
        assert_eq!(import.drafts.len(), 2, "{:?}", shown(&import));
    }

    #[test]
    fn a_removed_line_clears_the_field() {
        let mut without = scanned("a", "1", 1);
        without.address = None;
        without.source.remove("address");
        let import = plan_of(&[scanned("a", "1", 1)], &[without.clone()]);
        assert!(shown(&import).contains(&"address=Null".to_owned()));
        assert!(plan_of(&[without.clone()], &[without]).drafts.is_empty());
    }

    #[test]
    fn what_a_person_edited_stays() {
        let mut edited = scanned("a", "10.0.0.1", 1);
        edited.source.remove("address");
        let import = plan_of(&[edited.clone()], &[scanned("a", "1", 1)]);
        assert_eq!(shown(&import), Vec::<String>::new());
        assert_eq!(import.unchanged, 1);
        // So does what another inventory set.
        let mut other = edited;
        other.source.insert(
            "address".into(),
            Source {
                file: "/srv/ansible/hosts".into(),
                line: 4,
            },
        );
        let import = plan_of(&[other.clone()], &[scanned("a", "1", 1)]);
        assert_eq!(shown(&import), Vec::<String>::new());
    }

    #[test]
    fn a_host_may_move_to_a_file_beside() {
        let mut old = scanned("a", "1", 1);
        for source in old.source.values_mut() {
            source.file = "/home/mira/.ssh/gone".into();
        }
        let import = plan_of(&[old], &[scanned("a", "2", 1)]);
        assert_eq!(
            import.changed,
            [("a".to_owned(), vec!["address".to_owned()])]
        );
    }

    #[test]
    fn vanished_hosts_become_stale_and_may_return() {
        let (a, b) = (scanned("a", "1", 1), scanned("b", "2", 3));
        let mut foreign = Host::named("by-hand");
        foreign.address = Some("3".into());
        let import = plan_of(&[a.clone(), b.clone(), foreign], std::slice::from_ref(&a));
        assert_eq!(import.vanished, ["b"]);
        assert_eq!(shown(&import), ["stale=Bool(true)"]);

        let mut gone = b.clone();
        gone.stale = true;
        let import = plan_of(&[a.clone(), gone.clone()], std::slice::from_ref(&a));
        assert!(import.vanished.is_empty() && import.drafts.is_empty());
        let import = plan_of(&[a.clone(), gone], &[a, b]);
        assert_eq!(import.returned, ["b"]);
        assert_eq!(shown(&import), ["stale=Bool(false)"]);
    }

    #[test]
    fn a_host_added_by_hand_is_adopted_and_keeps_its_values() {
        let mut by_hand = Host::named("a");
        by_hand.address = Some("10.0.0.1".into());
        let import = plan_of(&[by_hand], &[scanned("a", "1", 1)]);
        assert_eq!(
            import.changed,
            [("a".to_owned(), vec!["config".to_owned()])]
        );
        assert!(
            !shown(&import)
                .iter()
                .any(|draft| draft.starts_with("address"))
        );
    }

    #[test]
    fn order_is_written_when_it_changes_and_only_then() {
        let host = |name: &str| scanned(name, "1", 1);
        let orders = |import: &Import| -> usize {
            shown(import)
                .iter()
                .filter(|draft| draft.starts_with("order"))
                .count()
        };
        let old = [host("a"), host("b")];
        for (new, expected) in [
            (&["a", "b"][..], 0),
            (&["b", "a"], 2),
            (&["a", "b", "c"], 1),
            (&["a", "c", "b"], 3),
            (&["b"], 0),
        ] {
            let hosts: Vec<Host> = new.iter().copied().map(host).collect();
            assert_eq!(orders(&plan_of(&old, &hosts)), expected, "{new:?}");
        }
    }
}

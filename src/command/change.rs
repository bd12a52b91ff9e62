//! What a change of a ticket's fields writes: drafts for the store and a line for the history. Pure.

use crate::domain::ids::TicketId;
use crate::domain::op::{Draft, Entity, EntityKind, Value};
use crate::domain::ticket::{Priority, Ticket, TicketKind, TicketState};
use crate::domain::time::{Time, parse_span};

use super::TicketChange;

/// Who changes, when, and what the names in the change stand for.
#[derive(Clone, Copy, Debug)]
pub struct ChangeContext<'a> {
    /// When.
    pub now: Time,
    /// Who `me` is.
    pub me: &'a str,
    /// The hosts that the change's patterns named, already resolved.
    pub hosts: &'a [String],
    /// References of the tickets to link, as the store spells them.
    pub links: &'a [String],
}

/// What a change comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edited {
    /// What to write.
    pub drafts: Vec<Draft>,
    /// What it did, for the history: `state new → open; +tag db`. Empty when nothing changed.
    pub summary: String,
}

impl TicketChange {
    /// What must be written for `self` to hold of `ticket`. Fields that hold already are left alone.
    ///
    /// # Errors
    /// A value that makes no sense, in words.
    pub fn edit(&self, ticket: &Ticket, cx: ChangeContext<'_>) -> Result<Edited, String> {
        let mut edit = Edit::new(ticket.id);
        // What two devices wrote at once is settled by writing it once more, also with the value that is in force.
        edit.disputed.clone_from(&ticket.conflicts);
        if let Some(title) = &self.title {
            edit.text("title", &ticket.title, checked_title(title)?);
        }
        if let Some(body) = &self.body {
            edit.body(&ticket.body, body);
        }
        if let Some(state) = self.state {
            edit.text("state", ticket.state.word(), state.word());
        }
        if let Some(priority) = self
            .priority
            .filter(|priority| *priority != ticket.priority || edit.is_disputed("priority"))
        {
            edit.set(
                "priority",
                Value::Int(priority.level().into()),
                format!("priority {} → {priority}", ticket.priority),
            );
        }
        if let Some(kind) = self.kind {
            edit.text("kind", ticket.kind.word(), kind.word());
        }
        if let Some(queue) = &self.queue {
            edit.text("queue", &ticket.queue, queue);
        }
        if let Some(owner) = &self.owner {
            edit.person("owner", ticket.owner.as_deref(), owner, cx.me);
        }
        if let Some(requester) = &self.requester {
            edit.person("requester", ticket.requester.as_deref(), requester, cx.me);
        }
        if let Some(due) = &self.due {
            let due = parse_due(due, cx.now)?;
            if due != ticket.due || edit.is_disputed("due") {
                edit.set(
                    "due",
                    due.map_or(Value::Null, |due| Value::Int(due.0)),
                    due.map_or("no longer due".to_owned(), |due| {
                        format!("due {}", due.local())
                    }),
                );
            }
        }
        for (set, on, wanted, have) in [
            ("tags", true, &self.tag[..], &ticket.tags),
            ("tags", false, &self.untag[..], &ticket.tags),
            ("hosts", true, cx.hosts, &ticket.hosts),
            ("hosts", false, &self.unhost[..], &ticket.hosts),
            ("links", true, cx.links, &ticket.links),
        ] {
            for member in wanted.iter().filter(|member| have.contains(member) != on) {
                edit.flag(set, member, on);
            }
        }
        Ok(edit.done)
    }
}

/// The drafts of a new ticket: every field it begins with, and its reference.
///
/// # Errors
/// A value that makes no sense, in words.
pub fn new_ticket(
    id: TicketId,
    title: &str,
    change: &TicketChange,
    cx: ChangeContext<'_>,
) -> Result<Vec<Draft>, String> {
    let blank = Ticket {
        id,
        reference: String::new(),
        title: String::new(),
        body: String::new(),
        state: TicketState::Closed,
        priority: Priority::NORMAL,
        kind: TicketKind::Incident,
        queue: String::new(),
        owner: None,
        requester: None,
        tags: Vec::new(),
        hosts: Vec::new(),
        due: None,
        wait_until: None,
        created: cx.now,
        updated: cx.now,
        entries: Vec::new(),
        links: Vec::new(),
        conflicts: Vec::new(),
        disputes: Vec::new(),
    };
    // The blank ticket stands in for "nothing": every register that matters to queries is written at birth.
    let mut edit = Edit::new(id);
    edit.set("title", Value::from(checked_title(title)?), String::new());
    edit.set(
        "state",
        Value::from(change.state.unwrap_or(TicketState::New).word()),
        String::new(),
    );
    edit.set(
        "priority",
        Value::Int(change.priority.unwrap_or(Priority::NORMAL).level().into()),
        String::new(),
    );
    edit.set(
        "kind",
        Value::from(change.kind.unwrap_or(TicketKind::Incident).word()),
        String::new(),
    );
    edit.set("created", Value::Int(cx.now.0), String::new());
    let requester = change.requester.clone().unwrap_or_else(|| cx.me.to_owned());
    let rest = TicketChange {
        title: None,
        state: None,
        priority: None,
        kind: None,
        requester: Some(requester),
        ..change.clone()
    };
    edit.done.drafts.extend(rest.edit(&blank, cx)?.drafts);
    edit.done.drafts.push(Draft::Reference {
        entity: edit.entity,
    });
    Ok(edit.done.drafts)
}

fn checked_title(title: &str) -> Result<&str, String> {
    let title = title.trim();
    if title.is_empty() {
        Err("a ticket needs a title; say in a few words what is wrong or wanted".to_owned())
    } else {
        Ok(title)
    }
}

/// Reads `none`, a span from `now`, or a date.
fn parse_due(text: &str, now: Time) -> Result<Option<Time>, String> {
    if text == "none" {
        return Ok(None);
    }
    if let Some(span) = parse_span(text).and_then(|span| i64::try_from(span).ok()) {
        return Ok(Some(now.plus(span)));
    }
    Time::parse(text)
        .or_else(|| Time::parse(&format!("{text}T00:00:00Z")))
        .map(Some)
        .ok_or_else(|| format!("due {text:?} cannot be understood; write a span from now (2d, 4h), a date (2026-12-24), or none"))
}

/// Collects drafts and the words for the history.
struct Edit {
    entity: Entity,
    done: Edited,
    /// Fields that are written even when they hold what is wanted.
    disputed: Vec<String>,
}

impl Edit {
    fn new(id: TicketId) -> Self {
        Self {
            entity: Entity {
                kind: EntityKind::Ticket,
                id: id.0,
            },
            done: Edited::default(),
            disputed: Vec::new(),
        }
    }

    fn is_disputed(&self, field: &str) -> bool {
        self.disputed.iter().any(|disputed| disputed == field)
    }

    fn say(&mut self, words: &str) {
        if !words.is_empty() {
            if !self.done.summary.is_empty() {
                self.done.summary.push_str("; ");
            }
            self.done.summary.push_str(words);
        }
    }

    fn set(&mut self, field: &str, value: Value, words: String) {
        self.done.drafts.push(Draft::Set {
            entity: self.entity,
            field: field.to_owned(),
            value,
        });
        self.say(&words);
    }

    fn text(&mut self, field: &str, old: &str, new: &str) {
        if old != new || self.is_disputed(field) {
            let words = if old == new {
                format!("{field} {new}, settled")
            } else if old.is_empty() {
                format!("{field} {new}")
            } else {
                format!("{field} {old} → {new}")
            };
            self.set(field, Value::from(new), words);
        }
    }

    fn body(&mut self, old: &str, new: &str) {
        if old != new || self.is_disputed("body") {
            self.set("body", Value::from(new), "description rewritten".to_owned());
        }
    }

    fn person(&mut self, field: &str, old: Option<&str>, new: &str, me: &str) {
        let new = match new {
            "none" | "" => None,
            "me" => Some(me),
            name => Some(name),
        };
        if old != new || self.is_disputed(field) {
            self.set(
                field,
                Value::from(new),
                format!(
                    "{field} {} → {}",
                    old.unwrap_or("nobody"),
                    new.unwrap_or("nobody")
                ),
            );
        }
    }

    fn flag(&mut self, set: &str, member: &str, on: bool) {
        self.done.drafts.push(Draft::Flag {
            entity: self.entity,
            set: set.to_owned(),
            member: member.to_owned(),
            on,
        });
        let one = set.strip_suffix('s').unwrap_or(set);
        self.say(&format!("{}{one} {member}", if on { '+' } else { '-' }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::EntityId;

    fn cx<'a>(hosts: &'a [String]) -> ChangeContext<'a> {
        ChangeContext {
            now: Time(1_000),
            me: "mira",
            hosts,
            links: &[],
        }
    }

    fn id() -> TicketId {
        TicketId(EntityId::from_bytes([7; 16]))
    }

    fn sample() -> Ticket {
        Ticket {
            id: id(),
            reference: "T-7K3F".to_owned(),
            title: "disk".to_owned(),
            body: String::new(),
            state: TicketState::New,
            priority: Priority::NORMAL,
            kind: TicketKind::Incident,
            queue: String::new(),
            owner: None,
            requester: None,
            tags: vec!["db".to_owned()],
            hosts: vec!["web1".to_owned()],
            due: None,
            wait_until: None,
            created: Time(0),
            updated: Time(0),
            entries: Vec::new(),
            links: Vec::new(),
            conflicts: Vec::new(),
            disputes: Vec::new(),
        }
    }

    #[test]
    fn a_change_says_what_it_did_and_writes_only_that() {
        let hosts = ["web1".to_owned(), "web2".to_owned()];
        let change = TicketChange {
            state: Some(TicketState::Open),
            owner: Some("me".to_owned()),
            tag: vec!["db".to_owned(), "disk".to_owned()],
            priority: Some(Priority::NORMAL),
            due: Some("2h".to_owned()),
            ..TicketChange::default()
        };
        let edited = change.edit(&sample(), cx(&hosts)).expect("it makes sense");
        let due = Time(7_201_000).local();
        assert_eq!(
            edited.summary,
            format!("state new → open; owner nobody → mira; due {due}; +tag disk; +host web2")
        );
        assert_eq!(edited.drafts.len(), 5);
        assert_eq!(
            TicketChange::default().edit(&sample(), cx(&[])),
            Ok(Edited::default())
        );
    }

    #[test]
    fn a_field_that_two_devices_wrote_at_once_is_settled_by_any_edit_of_it() {
        let mut ticket = sample();
        ticket.conflicts = ["title", "priority", "owner", "state"]
            .map(str::to_owned)
            .into();
        let same = TicketChange {
            title: Some("disk".to_owned()),
            priority: Some(Priority::NORMAL),
            owner: Some("none".to_owned()),
            state: Some(TicketState::New),
            kind: Some(TicketKind::Incident),
            ..TicketChange::default()
        };
        let edited = same.edit(&ticket, cx(&[])).expect("it makes sense");
        assert_eq!(edited.drafts.len(), 4, "{edited:?}");
        let edited = same.edit(&sample(), cx(&[])).expect("it makes sense");
        assert_eq!(edited.drafts, [], "what nobody disputes is left alone");
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let bad = |change: TicketChange| {
            change
                .edit(&sample(), cx(&[]))
                .expect_err("it makes no sense")
        };
        assert!(
            bad(TicketChange {
                due: Some("soon".to_owned()),
                ..TicketChange::default()
            })
            .contains("span from now")
        );
        assert!(
            bad(TicketChange {
                title: Some("  ".to_owned()),
                ..TicketChange::default()
            })
            .contains("title")
        );
        assert!(new_ticket(id(), "", &TicketChange::default(), cx(&[])).is_err());
    }

    #[test]
    fn a_new_ticket_has_its_first_registers_and_a_reference() {
        let change = TicketChange {
            tag: vec!["db".to_owned()],
            ..TicketChange::default()
        };
        let drafts = new_ticket(id(), " disk full ", &change, cx(&["web2".to_owned()]))
            .expect("it makes sense");
        let fields: Vec<_> = drafts
            .iter()
            .filter_map(|draft| {
                if let Draft::Set { field, .. } = draft {
                    Some(field.as_str())
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(
            fields,
            ["title", "state", "priority", "kind", "created", "requester"]
        );
        assert!(matches!(drafts.last(), Some(Draft::Reference { .. })));
        assert_eq!(
            drafts
                .iter()
                .filter(|draft| matches!(draft, Draft::Flag { on: true, .. }))
                .count(),
            2
        );
    }
}

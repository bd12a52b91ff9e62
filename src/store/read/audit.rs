//! Reads the audit out of the log, newest first: who did what, where, with which credential.
//!
//! What was written in one millisecond by one device belongs together: fields of a ticket that changed at once are one row.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::audit::{AUTHOR, AuditFilter, AuditRow};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Hlc, Op, Value, is_blank};
use crate::domain::pattern::fits;
use crate::domain::text;
use crate::domain::time::Time;
use crate::store::ask::Logged;
use crate::store::failure::Outcome;
use crate::store::purge;
use crate::store::reference::{self, Noun};

/// The characters of an object that are shown.
const OBJECT: usize = 100;

/// How long after its beginning a login may come that a session or command waited for, in milliseconds.
const SOON: i64 = 10 * 60_000;

/// A page of the audit.
pub(super) fn page(conn: &Connection, filter: &AuditFilter) -> Outcome<Vec<AuditRow>> {
    let ticket = filter
        .ticket
        .as_deref()
        .map(|text| reference::find(conn, Noun::Ticket, text))
        .transpose()?;
    let from = filter.since.map_or(0, |since| Hlc::at(since).0);
    let to = filter.until.map_or(Hlc::LIMIT, Hlc::at).0;
    let mut statement = conn.prepare_cached(
        "SELECT dev, seq, hlc, body FROM op WHERE hlc >= ?1 AND hlc < ?2 ORDER BY hlc DESC, dev, seq DESC",
    )?;
    let mut rows = statement.query(params![from.cast_signed(), to.cast_signed()])?;
    let limit = filter.limit as usize;
    let (mut found, mut moment) = (Vec::new(), Vec::<Logged>::new());
    loop {
        let next = rows.next()?.map(purge::logged).transpose()?;
        let parted = match (moment.last(), &next) {
            (Some(last), Some(next)) => last.hlc.time() != next.hlc.time(),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if parted {
            let written = Moment { conn }.rows(&std::mem::take(&mut moment))?;
            found.extend(
                written
                    .into_iter()
                    .filter(|row| fits_filter(row, filter, ticket))
                    .map(|row| row.shown),
            );
        }
        match next {
            Some(op) if found.len() < limit => moment.push(op),
            _ => break,
        }
    }
    Ok(found)
}

/// A row, and what it is compared by.
struct Candidate {
    shown: AuditRow,
    ticket: Option<EntityId>,
    hosts: Vec<String>,
}

fn fits_filter(row: &Candidate, filter: &AuditFilter, ticket: Option<EntityId>) -> bool {
    let shown = &row.shown;
    let who = |wanted: &String| {
        shown.who.as_deref() == Some(wanted)
            || (wanted.len() >= 4 && shown.device.starts_with(wanted.as_str()))
    };
    let action = |wanted: &String| {
        let rest = shown.action.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    ticket.is_none_or(|ticket| row.ticket == Some(ticket))
        && filter.who.as_ref().is_none_or(who)
        && filter.action.as_ref().is_none_or(action)
        && filter
            .host
            .as_ref()
            .is_none_or(|glob| row.hosts.iter().any(|host| fits(glob, host)))
}

/// What is looked up for the rows of one moment.
struct Moment<'a> {
    conn: &'a Connection,
}

/// The changes of one thing that were made at once.
#[derive(Default)]
struct Changed {
    fields: Vec<String>,
    seq: u64,
    hlc: Hlc,
}

impl Moment<'_> {
    /// The rows of one millisecond, newest first, each device's together.
    fn rows(&self, ops: &[Logged]) -> Outcome<Vec<Candidate>> {
        let mut rows = Vec::new();
        let mut devices: BTreeMap<DeviceId, Vec<&Logged>> = BTreeMap::new();
        for op in ops {
            devices.entry(op.device).or_default().push(op);
        }
        for (device, ops) in devices {
            rows.extend(self.of_device(device, &ops)?);
        }
        rows.sort_by(|one, other| {
            (other.shown.at, &one.shown.device, other.shown.seq).cmp(&(
                one.shown.at,
                &other.shown.device,
                one.shown.seq,
            ))
        });
        Ok(rows)
    }

    fn of_device(&self, device: DeviceId, ops: &[&Logged]) -> Outcome<Vec<Candidate>> {
        let mut rows = Vec::new();
        let mut changed: BTreeMap<(String, EntityId), Changed> = BTreeMap::new();
        let mut author = None;
        for logged in ops {
            let decoded = Op::decode(&logged.body);
            let Ok(Some(op)) = decoded else {
                rows.push(self.unread(logged));
                continue;
            };
            match &op.change {
                Change::Set { field, .. } | Change::Flag { set: field, .. } => {
                    let one = changed.entry((op.entity.clone(), op.id)).or_default();
                    one.fields.push(field.clone());
                    one.seq = one.seq.max(logged.seq);
                    one.hlc = one.hlc.max(logged.hlc);
                }
                Change::Note {
                    sort, author, text, ..
                } => {
                    let mut row = self.row(logged, format!("{}.{sort}", op.entity), text);
                    row.shown.who = Some(author.clone());
                    row.shown.entry =
                        Some(crate::store::fold::note_id(device, logged.seq).to_string());
                    self.about(&mut row, &op.entity, op.id)?;
                    rows.push(row);
                }
                Change::Record { name, fields } if op.entity == "audit" && name == AUTHOR => {
                    author = fields
                        .get("author")
                        .and_then(Value::as_text)
                        .map(str::to_owned);
                }
                Change::Record { name, fields } => {
                    rows.push(self.record(logged, &op, name, fields)?);
                }
            }
        }
        let author = author.or_else(|| rows.iter().find_map(|row| row.shown.who.clone()));
        for ((kind, id), one) in changed {
            // An entry says the same in words.
            let told =
                |row: &Candidate| row.ticket == Some(id) && row.shown.action == "ticket.edit";
            if rows.iter().any(told) {
                continue;
            }
            let new = one
                .fields
                .iter()
                .any(|field| field == "ref" || field == "created");
            let verb = if new { "add" } else { "edit" };
            let logged = Logged {
                device,
                seq: one.seq,
                hlc: one.hlc,
                body: Vec::new(),
            };
            let mut fields = one.fields;
            fields.sort();
            fields.dedup();
            let mut row = self.row(&logged, format!("{kind}.{verb}"), &fields.join(" "));
            row.shown.who.clone_from(&author);
            self.about(&mut row, &kind, id)?;
            rows.push(row);
        }
        Ok(rows)
    }

    fn row(&self, logged: &Logged, action: String, object: &str) -> Candidate {
        let object: String = text::line(object.lines().next().unwrap_or_default())
            .chars()
            .take(OBJECT)
            .collect();
        Candidate {
            shown: AuditRow {
                at: logged.hlc.time(),
                device: logged.device.to_string(),
                seq: logged.seq,
                action,
                object,
                ..AuditRow::default()
            },
            ticket: None,
            hosts: Vec::new(),
        }
    }

    fn unread(&self, logged: &Logged) -> Candidate {
        if is_blank(&logged.body) {
            self.row(logged, "purged".to_owned(), "the content was removed")
        } else {
            self.row(logged, "unknown".to_owned(), "written by a newer program")
        }
    }

    /// Says which thing a row is about.
    fn about(&self, row: &mut Candidate, kind: &str, id: EntityId) -> Outcome<()> {
        match kind {
            "ticket" => self.for_ticket(row, Some(id))?,
            "host" => {
                let name: Option<String> = self
                    .conn
                    .prepare_cached("SELECT name FROM host WHERE id = ?1")?
                    .query_row([id.as_bytes()], |row| row.get(0))
                    .optional()?
                    .flatten();
                self.on_hosts(row, name.into_iter().collect());
            }
            _ => {}
        }
        Ok(())
    }

    fn for_ticket(&self, row: &mut Candidate, id: Option<EntityId>) -> Outcome<()> {
        row.ticket = id;
        if let Some(id) = id {
            row.shown.ticket = Some(self.shown(Noun::Ticket, id)?);
        }
        Ok(())
    }

    fn shown(&self, noun: Noun, id: EntityId) -> Outcome<String> {
        let sql = match noun {
            Noun::Ticket => "SELECT ref FROM ticket WHERE id = ?1",
            Noun::Run => "SELECT ref FROM run WHERE id = ?1",
            Noun::Session => "SELECT ref FROM session WHERE id = ?1",
        };
        let stored: Option<String> = self
            .conn
            .prepare_cached(sql)?
            .query_row([id.as_bytes()], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(noun.shown(stored, id))
    }

    fn on_hosts(&self, row: &mut Candidate, hosts: Vec<String>) {
        row.shown.host = (!hosts.is_empty()).then(|| hosts.join(" "));
        row.hosts = hosts;
    }

    fn record(
        &self,
        logged: &Logged,
        op: &Op,
        name: &str,
        fields: &BTreeMap<String, Value>,
    ) -> Outcome<Candidate> {
        let text = |field: &str| fields.get(field).and_then(Value::as_text);
        let id = |field: &str| {
            let bytes = fields.get(field).and_then(Value::as_bytes)?;
            EntityId::from_slice(bytes)
        };
        let mut row = match op.entity.as_str() {
            "session" => {
                let mut row = self.row(logged, name.to_owned(), &self.shown(Noun::Session, op.id)?);
                self.of_parent(&mut row, "session", op.id)?;
                row
            }
            "run" => {
                let mut object = self.shown(Noun::Run, op.id)?;
                if let Some(book) = text("book") {
                    object = format!("{object} {book}");
                }
                if let Some(step) = fields.get("step").and_then(Value::as_int) {
                    object = format!("{object} step {}", step + 1);
                }
                let mut row = self.row(logged, name.to_owned(), &object);
                self.of_parent(&mut row, "run", op.id)?;
                row
            }
            "case" => {
                let action = match text("kind") {
                    Some("edit") => "ticket.edit".to_owned(),
                    Some("session") => "command".to_owned(),
                    Some(kind) => kind.to_owned(),
                    None => "entry".to_owned(),
                };
                let mut row = self.row(logged, action, text("text").unwrap_or_default());
                row.shown.entry = Some(op.id.to_string());
                row
            }
            "audit" => {
                let object = text("text").or(text("address")).unwrap_or_default();
                let mut row = self.row(logged, name.to_owned(), object);
                if name != purge::NAME {
                    row.shown.entry = Some(op.id.to_string());
                }
                row
            }
            kind => self.row(
                logged,
                format!("{kind}.{name}"),
                text("text").unwrap_or_default(),
            ),
        };
        if let Some(author) = text("author").filter(|author| !author.is_empty()) {
            row.shown.who = Some(author.to_owned());
        }
        if let Some(ticket) = id("ticket") {
            self.for_ticket(&mut row, Some(ticket))?;
        }
        if let Some(Value::List(hosts)) = fields.get("hosts").filter(|_| op.entity == "audit") {
            let hosts = hosts.iter().filter_map(Value::as_text).map(str::to_owned);
            self.on_hosts(&mut row, hosts.collect());
        }
        if let Some(host) = text("host") {
            self.on_hosts(&mut row, vec![host.to_owned()]);
        }
        if let [host] = row.hosts.as_slice() {
            row.shown.credential = self.credential(logged, host)?;
        }
        Ok(row)
    }

    /// Who it was and for which ticket, from the row of the session or run.
    fn of_parent(&self, row: &mut Candidate, table: &str, id: EntityId) -> Outcome<()> {
        let host = if table == "session" { "host" } else { "''" };
        let sql = format!("SELECT author, ticket, {host} FROM {table} WHERE id = ?1");
        let found: Option<(String, Option<[u8; 16]>, String)> = self
            .conn
            .prepare_cached(&sql)?
            .query_row([id.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if let Some((author, ticket, host)) = found {
            row.shown.who = (!author.is_empty()).then_some(author);
            self.for_ticket(row, ticket.map(EntityId::from_bytes))?;
            if !host.is_empty() {
                self.on_hosts(row, vec![host]);
            }
        }
        Ok(())
    }

    /// The login of that device on that host that was in force; for what waited for its connection, the one that came.
    fn credential(&self, logged: &Logged, host: &str) -> Outcome<Option<String>> {
        let device = logged.device.0;
        let before: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT credential FROM login WHERE host = ?1 AND dev = ?2 AND hlc <= ?3 ORDER BY hlc DESC LIMIT 1",
            )?
            .query_row(
                params![host, device.as_bytes(), logged.hlc.0.cast_signed()],
                |row| row.get(0),
            )
            .optional()?;
        if before.is_some() {
            return Ok(before);
        }
        let soon = Hlc::at(Time(logged.hlc.time().0.saturating_add(SOON)));
        let after = self
            .conn
            .prepare_cached(
                "SELECT credential FROM login WHERE host = ?1 AND dev = ?2 AND hlc BETWEEN ?3 AND ?4
                 ORDER BY hlc LIMIT 1",
            )?
            .query_row(
                params![
                    host,
                    device.as_bytes(),
                    logged.hlc.0.cast_signed(),
                    soon.0.cast_signed()
                ],
                |row| row.get(0),
            )
            .optional()?;
        Ok(after)
    }
}

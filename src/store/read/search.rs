//! Looks for words in everything: tickets and their comments by the index, the rest by reading the newest.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Row, params_from_iter};

use super::ticket;
use crate::domain::audit::{Found, Hit, Wanted};
use crate::domain::ids::EntityId;
use crate::domain::query::{Query, Term, Test};
use crate::domain::text;
use crate::domain::time::Time;
use crate::store::ask::COUNT_CAP;
use crate::store::failure::{Failure, Outcome};
use crate::store::query;
use crate::store::reference::Noun;

/// How many of the newest entries, steps and sessions are read at most: no index holds their words.
const READ: i64 = 200_000;

/// How many characters of a line are shown.
const LINE: usize = 160;

/// Everything that holds all words of `wanted`.
pub(super) fn search(conn: &Connection, wanted: &Wanted) -> Outcome<Found> {
    let words: Vec<&str> = wanted.text.split_whitespace().collect();
    if words.is_empty() {
        return Err(Failure::refused("name a word to look for"));
    }
    let limit = wanted.limit.max(1);
    let mut found = Found::default();
    let query = Query {
        terms: words
            .iter()
            .map(|word| Term {
                negate: false,
                test: Test::Text((*word).to_owned()),
            })
            .collect(),
    };
    tickets(conn, &query, &words, wanted, &mut found)?;
    for source in SOURCES {
        let (hits, cut) = read(conn, source, &words, limit)?;
        found.hits.extend(hits);
        if cut {
            found.notes.push(format!(
                "only the newest {READ} {} were read",
                source.plural
            ));
        }
    }
    if !found.ranked {
        found.hits.sort_by(|one, other| {
            (other.at, &one.kind, &one.reference).cmp(&(one.at, &other.kind, &other.reference))
        });
    }
    found.hits.truncate(limit as usize);
    Ok(found)
}

fn tickets(
    conn: &Connection,
    query: &Query,
    words: &[&str],
    wanted: &Wanted,
    found: &mut Found,
) -> Outcome<()> {
    let sql = query::sql(query);
    if wanted.best {
        let total = ticket::count(conn, &sql)?;
        if total < COUNT_CAP && sql.by_words {
            (found.ranked, found.tickets) = (true, total);
            for one in ticket::best(conn, &sql, wanted.limit)? {
                found.hits.push(hit(conn, &one, words)?);
            }
            return Ok(());
        }
        found
            .notes
            .push("there are too many hits to say which is best; the newest come first".to_owned());
    }
    let (rows, total) = ticket::list(conn, query, Some(wanted.limit.max(1)))?;
    found.tickets = total;
    for one in rows {
        found.hits.push(hit(conn, &one, words)?);
    }
    Ok(())
}

/// A ticket with the line that shows why it was found: its title, a line of its text, or the newest comment with a word.
fn hit(conn: &Connection, ticket: &crate::domain::ticket::Ticket, words: &[&str]) -> Outcome<Hit> {
    let mut hit = Hit {
        kind: "ticket".to_owned(),
        at: ticket.created,
        reference: ticket.reference.clone(),
        host: ticket.hosts.first().cloned(),
        text: shown(&ticket.title),
    };
    if shows(&ticket.title, words) {
        return Ok(hit);
    }
    if let Some(line) = line(&ticket.body, words) {
        hit.text = shown(&format!("{}: {line}", ticket.title));
        return Ok(hit);
    }
    let mut statement = conn.prepare_cached(
        "SELECT text, at FROM note WHERE ent = ?1 AND kind = 'ticket' ORDER BY at DESC",
    )?;
    let mut rows = statement.query([ticket.id.0.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let comment: String = row.get(0)?;
        if let Some(line) = line(&comment, words) {
            hit.kind = "comment".to_owned();
            hit.at = Time(row.get(1)?);
            hit.text = shown(&format!("{}: {line}", ticket.title));
            break;
        }
    }
    Ok(hit)
}

/// A table that is read from its newest row on.
struct Source {
    kind: &'static str,
    plural: &'static str,
    noun: Option<Noun>,
    /// Columns: id, reference, time, host, text; the words are looked for in the text.
    rows: &'static str,
}

const SOURCES: &[Source] = &[
    Source {
        kind: "entry",
        plural: "entries",
        noun: None,
        rows: "SELECT c.id AS id, coalesce(t.ref, '') AS ref, c.at AS at, c.host AS host,
               c.text || char(10) || c.data AS text FROM case_event c LEFT JOIN ticket t ON t.id = c.ticket
               ORDER BY c.at DESC",
    },
    Source {
        kind: "run",
        plural: "steps of runs",
        noun: Some(Noun::Run),
        rows: "SELECT r.id AS id, r.ref AS ref, coalesce(s.started, r.started, 0) AS at, s.host AS host,
               r.book || char(10) || r.params || char(10) || coalesce(CAST(s.output AS TEXT), '') AS text
               FROM run r LEFT JOIN run_step s ON s.run = r.id ORDER BY r.started DESC",
    },
    Source {
        kind: "session",
        plural: "sessions",
        noun: Some(Noun::Session),
        rows: "SELECT id, ref, coalesce(opened, 0) AS at, host, host || ' ' || author || ' ' || reason AS text
               FROM session ORDER BY opened DESC",
    },
    Source {
        kind: "host",
        plural: "hosts",
        noun: None,
        rows: "SELECT id, name AS ref, 0 AS at, name AS host,
               coalesce(name, '') || char(10) || coalesce(address, '') || char(10) || notes || char(10) || facts AS text
               FROM host WHERE archived = 0",
    },
];

/// The newest rows of a table that hold all words, and whether older ones were left unread.
fn read(
    conn: &Connection,
    source: &Source,
    words: &[&str],
    limit: u32,
) -> Outcome<(Vec<Hit>, bool)> {
    let mut condition = String::from("1");
    let mut params: Vec<Cell> = Vec::new();
    for word in words {
        condition.push_str(r" AND text LIKE ? ESCAPE '\'");
        params.push(Cell::Text(pattern(word)));
    }
    params.push(Cell::Integer(limit.into()));
    let sql = format!(
        "SELECT id, ref, at, host, text FROM ({} LIMIT {READ}) WHERE {condition} LIMIT ?",
        source.rows
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| found(row, source, words))?;
    let hits: Vec<Hit> = rows.collect::<Result<_, _>>()?;
    let count = format!(
        "SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {})",
        source.rows,
        READ + 1
    );
    let cut = (hits.len() as u64) < u64::from(limit)
        && conn
            .prepare_cached(&count)?
            .query_row([], |row| row.get::<_, i64>(0))?
            > READ;
    Ok((hits, cut))
}

fn found(row: &Row<'_>, source: &Source, words: &[&str]) -> rusqlite::Result<Hit> {
    let id = EntityId::from_bytes(row.get(0)?);
    let stored: Option<String> = row.get(1)?;
    let text: String = row.get(4)?;
    Ok(Hit {
        kind: source.kind.to_owned(),
        at: Time(row.get(2)?),
        reference: match source.noun {
            Some(noun) => noun.shown(stored, id),
            None => stored.unwrap_or_default(),
        },
        host: row.get(3)?,
        text: shown(line(&text, words).unwrap_or_else(|| text.lines().next().unwrap_or_default())),
    })
}

/// What LIKE takes for `word` anywhere.
fn pattern(word: &str) -> String {
    let mut out = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

fn shows(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(&word.to_lowercase()))
}

/// The first line with a word.
fn line<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    text.lines().find(|line| shows(line, words))
}

fn shown(line: &str) -> String {
    text::line(line.trim()).chars().take(LINE).collect()
}

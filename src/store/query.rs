//! Ticket queries as SQL. Every value is bound, never pasted.

use rusqlite::types::Value as Cell;

use crate::domain::query::{Compare, Query, Term, Test};
use crate::domain::time::Time;

/// A query in SQL.
#[derive(Debug, PartialEq)]
pub(super) struct Sql {
    /// `ticket t`, joined to the full-text index when there are words to look for.
    pub(super) from: &'static str,
    /// What must hold.
    pub(super) condition: String,
    /// What stands for the question marks, in order.
    pub(super) params: Vec<Cell>,
    /// Whether the full-text index leads, so that its row order is the cheap one.
    pub(super) by_words: bool,
}

/// Writes `query` as SQL over `ticket t`. Archived tickets are left out.
pub(super) fn sql(query: &Query) -> Sql {
    let mut build = Build {
        condition: "t.archived = 0".to_owned(),
        params: Vec::new(),
    };
    let mut words = Vec::new();
    for term in &query.terms {
        match &term.test {
            Test::Text(text) if !term.negate && is_indexed(text) => words.push(phrase(text)),
            _ => build.term(term),
        }
    }
    if words.is_empty() {
        return Sql {
            from: "ticket t",
            condition: build.condition,
            params: build.params,
            by_words: false,
        };
    }
    build.params.push(Cell::Text(words.join(" AND ")));
    build.condition.push_str(" AND ticket_fts MATCH ?");
    Sql {
        // CROSS keeps the index on the outside (https://sqlite.org/optoverview.html#crossjoin).
        from: "ticket_fts f CROSS JOIN ticket t ON t.n = f.rowid",
        condition: build.condition,
        params: build.params,
        by_words: true,
    }
}

struct Build {
    condition: String,
    params: Vec<Cell>,
}

impl Build {
    fn term(&mut self, term: &Term) {
        // A comparison with an absent value is neither true nor false in SQL; here it is false, and its negation true.
        self.condition.push_str(if term.negate {
            " AND NOT coalesce("
        } else {
            " AND coalesce("
        });
        self.test(&term.test);
        self.condition.push_str(", 0)");
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::State(states) => self.any("t.state", states.iter().map(|state| state.word())),
            Test::Kind(kinds) => self.any("t.kind", kinds.iter().map(|kind| kind.word())),
            Test::Queue(queues) => self.any("t.queue", queues),
            Test::Requester(names) => self.any("t.requester", names),
            Test::Owner(owners) => {
                self.condition.push('(');
                self.any("t.owner", owners.iter().flatten());
                if owners.contains(&None) {
                    self.condition.push_str(" OR t.owner IS NULL");
                }
                self.condition.push(')');
            }
            Test::Priority(compare, level) => {
                self.compare("t.priority", *compare, Cell::Integer(i64::from(*level)))
            }
            Test::Host(globs) => self.member("hosts", globs),
            Test::Tag(globs) => self.member("tags", globs),
            Test::Due(compare, time) => self.time("t.due", *compare, *time),
            Test::Created(compare, time) => {
                self.time("coalesce(t.created, t.born)", *compare, *time)
            }
            Test::Updated(compare, time) => self.time("t.updated", *compare, *time),
            Test::Text(text) if is_indexed(text) => {
                self.condition
                    .push_str("t.n IN (SELECT rowid FROM ticket_fts WHERE ticket_fts MATCH ?)");
                self.params.push(Cell::Text(phrase(text)));
            }
            Test::Text(text) => self.substring(text),
        }
    }

    fn any<T: AsRef<str>>(&mut self, column: &str, values: impl IntoIterator<Item = T>) {
        let before = self.params.len();
        self.params.extend(
            values
                .into_iter()
                .map(|value| Cell::Text(value.as_ref().to_owned())),
        );
        let marks = vec!["?"; self.params.len() - before].join(", ");
        // An empty list is in order in SQLite, and nothing is in it.
        self.condition.push_str(&format!("{column} IN ({marks})"));
    }

    fn compare(&mut self, column: &str, compare: Compare, value: Cell) {
        let sign = match compare {
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Equal => "=",
            Compare::AtLeast => ">=",
            Compare::More => ">",
        };
        self.condition.push_str(&format!("{column} {sign} ?"));
        self.params.push(value);
    }

    fn time(&mut self, column: &str, compare: Compare, time: Time) {
        self.compare(column, compare, Cell::Integer(time.0));
    }

    fn member(&mut self, set: &'static str, globs: &[String]) {
        self.condition.push_str(&format!(
            "t.id IN (SELECT ent FROM flag WHERE kind = 'ticket' AND set_name = '{set}' AND present = 1 AND (0"
        ));
        for glob in globs {
            let sign = if glob.contains(['*', '?', '[']) {
                "GLOB"
            } else {
                "="
            };
            self.condition.push_str(&format!(" OR member {sign} ?"));
            self.params.push(Cell::Text(glob.clone()));
        }
        self.condition.push_str("))");
    }

    /// Reads every ticket; only for text that the index cannot find.
    fn substring(&mut self, text: &str) {
        let mut pattern = String::from("%");
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        self.condition.push_str(
            r"(t.title LIKE ? ESCAPE '\' OR t.body LIKE ? ESCAPE '\' OR EXISTS (SELECT 1 FROM note
             WHERE ent = t.id AND note.kind = 'ticket' AND text LIKE ? ESCAPE '\'))",
        );
        self.params.extend([
            Cell::Text(pattern.clone()),
            Cell::Text(pattern.clone()),
            Cell::Text(pattern),
        ]);
    }
}

/// Whether the index can find `text`: it holds words, and its script puts spaces between them. SQLite's tokenizer takes
/// a whole run of, say, Chinese for one word.
fn is_indexed(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
        && !text.chars().any(|c| {
            matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
                | '\u{2e80}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}'
                | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
        })
}

/// A phrase in FTS5's language (<https://sqlite.org/fts5.html#fts5_phrases>); its last word may go on, so that a query
/// already finds while it is typed.
fn phrase(text: &str) -> String {
    let quoted = text.replace('"', "\"\"").replace('\0', " ");
    let star = if text.ends_with(char::is_alphanumeric) {
        " *"
    } else {
        ""
    };
    format!("\"{quoted}\"{star}")
}

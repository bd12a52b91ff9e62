//! References: `T-7K3F` and its kin, given once, found again however people write them.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::failure::{Failure, Outcome};
use super::fold;
use crate::domain::ids::{EntityId, REFERENCE_MAX, REFERENCE_MIN};
use crate::domain::op::{Entity, EntityKind, Value};

/// The nouns that have references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noun {
    Ticket,
    Run,
    Session,
}

impl Noun {
    const fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Run => "run",
            Self::Session => "session",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Ticket => "T-",
            Self::Run => "R-",
            Self::Session => "S-",
        }
    }

    const fn of(kind: EntityKind) -> Option<Self> {
        match kind {
            EntityKind::Ticket => Some(Self::Ticket),
            EntityKind::Run => Some(Self::Run),
            EntityKind::Session => Some(Self::Session),
            EntityKind::Host | EntityKind::Case | EntityKind::Device | EntityKind::Audit => None,
        }
    }

    const fn by_reference(self) -> &'static str {
        match self {
            Self::Ticket => "SELECT id FROM ticket WHERE ref = ?1 ORDER BY id",
            Self::Run => "SELECT id FROM run WHERE ref = ?1 ORDER BY id",
            Self::Session => "SELECT id FROM session WHERE ref = ?1 ORDER BY id",
        }
    }

    /// At most this many, since more would not be shown to anybody.
    const fn by_range(self) -> &'static str {
        match self {
            Self::Ticket => "SELECT id FROM ticket WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 20",
            Self::Run => "SELECT id FROM run WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 20",
            Self::Session => {
                "SELECT id FROM session WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 20"
            }
        }
    }

    /// The stored reference, or a long form for a thing whose reference has not arrived yet.
    pub(super) fn shown(self, stored: Option<String>, id: EntityId) -> String {
        stored.unwrap_or_else(|| format!("{}{}", self.prefix(), id.base32(2 * REFERENCE_MIN)))
    }
}

/// The reference of a new thing.
pub(super) enum Chosen {
    /// It has one; it never changes.
    Already(String),
    /// Nothing of its kind has this one.
    New(String),
}

/// Chooses the shortest prefix of the id that nothing of its kind has as its reference.
pub(super) fn chosen(conn: &Connection, entity: Entity) -> Outcome<Chosen> {
    let Some(noun) = Noun::of(entity.kind) else {
        return Err(Failure::refused(format!(
            "a {} has no reference; only tickets, runs and sessions have",
            entity.kind.name()
        )));
    };
    let register = fold::register(conn, entity.kind.name(), entity.id, "ref")?;
    if let Some((_, written)) = register.heads().first()
        && let Value::Text(text) = Value::from_cbor(&written.value)
    {
        return Ok(Chosen::Already(text));
    }
    for len in REFERENCE_MIN..=REFERENCE_MAX {
        let text = format!("{}{}", noun.prefix(), entity.id.base32(len));
        let taken: Option<[u8; 16]> = conn
            .prepare_cached(noun.by_reference())?
            .query_row(params![text], |row| row.get(0))
            .optional()?;
        if taken.is_none() {
            return Ok(Chosen::New(text));
        }
    }
    Err(Failure::refused(format!(
        "the {} {} was made twice; draw a new id",
        noun.word(),
        entity.id
    )))
}

/// Finds what a person means by `text`.
pub(super) fn find(conn: &Connection, noun: Noun, text: &str) -> Outcome<EntityId> {
    let missing = || {
        Failure::Store(StoreError::NotFound {
            what: noun.word(),
            reference: text.to_owned(),
        })
    };
    let code = normal(noun, text).ok_or_else(missing)?;
    let mut found = ids(
        conn,
        noun.by_reference(),
        params![format!("{}{code}", noun.prefix())],
    )?;
    // Not a whole reference: a longer form of one, as an ambiguous reference is answered with.
    if found.is_empty() && code.len() >= REFERENCE_MIN {
        found = ids_with_prefix(conn, noun, &code)?;
    }
    match found.as_slice() {
        [] => Err(missing()),
        [id] => Ok(*id),
        several => {
            let longer = several
                .iter()
                .map(|id| longer(conn, noun, *id, code.len()))
                .collect::<Outcome<_>>()?;
            Err(StoreError::Ambiguous {
                reference: format!("{}{code}", noun.prefix()),
                longer,
            }
            .into())
        }
    }
}

/// The shortest form beyond `len` characters that names only this one.
fn longer(conn: &Connection, noun: Noun, id: EntityId, len: usize) -> Outcome<String> {
    for len in len + 1..REFERENCE_MAX {
        let code = id.base32(len);
        if ids_with_prefix(conn, noun, &code)?.len() == 1 {
            return Ok(format!("{}{code}", noun.prefix()));
        }
    }
    Ok(format!("{}{}", noun.prefix(), id.base32(REFERENCE_MAX)))
}

fn ids_with_prefix(conn: &Connection, noun: Noun, code: &str) -> Outcome<Vec<EntityId>> {
    let (low, high) = range(code);
    ids(conn, noun.by_range(), params![low, high])
}

fn ids(conn: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Outcome<Vec<EntityId>> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| row.get(0).map(EntityId::from_bytes))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The code without its prefix, in capitals, with look-alikes resolved as Crockford says: I and L are 1, O is 0.
fn normal(noun: Noun, text: &str) -> Option<String> {
    let upper = text.trim().to_ascii_uppercase();
    let code = upper.strip_prefix(noun.prefix()).unwrap_or(&upper);
    if code.is_empty() || code.len() > REFERENCE_MAX {
        return None;
    }
    code.chars()
        .map(|c| match c {
            'I' | 'L' => Some('1'),
            'O' => Some('0'),
            'U' => None,
            c if c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

/// The lowest and the highest id that begin with `code`, which [`normal`] gave.
fn range(code: &str) -> ([u8; 16], [u8; 16]) {
    let (mut low, mut high) = ([0; 16], [0xff; 16]);
    for (place, c) in code.chars().enumerate() {
        let digit = match c {
            '0'..='9' => c as u8 - b'0',
            'A'..='H' => c as u8 - b'A' + 10,
            'J' | 'K' => c as u8 - b'J' + 18,
            'M' | 'N' => c as u8 - b'M' + 20,
            'P'..='T' => c as u8 - b'P' + 22,
            'V'..='Z' => c as u8 - b'V' + 27,
            _ => 0,
        };
        for bit in 0..5 {
            let at = place * 5 + bit;
            let mask = 0x80 >> (at % 8);
            let (Some(low), Some(high)) = (low.get_mut(at / 8), high.get_mut(at / 8)) else {
                continue;
            };
            if digit & (0x10 >> bit) == 0 {
                *high &= !mask;
            } else {
                *low |= mask;
            }
        }
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_references_in_many_ways() {
        for (text, code) in [
            ("T-7K3F", Some("7K3F")),
            ("t-7k3f", Some("7K3F")),
            (" 7k3f ", Some("7K3F")),
            ("T-oIl0", Some("0110")),
            ("R-7K3F", None),
            ("T-", None),
            ("", None),
            ("T-7K3U", None),
            ("größe", None),
        ] {
            assert_eq!(normal(Noun::Ticket, text).as_deref(), code, "{text}");
        }
    }

    #[test]
    fn a_range_holds_just_the_ids_with_its_prefix() {
        for name in ["one", "two", "three", "four"] {
            let id = EntityId::derived("ticket", name);
            for len in 1..=REFERENCE_MAX {
                let (low, high) = range(&id.base32(len));
                assert!(low <= *id.as_bytes() && *id.as_bytes() <= high, "{len}");
                assert_eq!(EntityId::from_bytes(low).base32(len), id.base32(len));
                assert_eq!(EntityId::from_bytes(high).base32(len), id.base32(len));
            }
        }
        assert_eq!(range("ZZZZ").1, [0xff; 16]);
    }
}

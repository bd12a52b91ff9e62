//! A reader of all SQL text of the remote, for what CockroachDB or YugabyteDB lack or do otherwise, and for what a pooler
//! that hands out connections by transaction cannot carry.

use quarterdeck::sync::{POSTGRES_ROW_SECURITY, POSTGRES_SCHEMA, POSTGRES_STATEMENTS};

/// Words that must not stand there, with why.
const ABSENT: &[(&str, &str)] = &[
    (
        "SERIAL",
        "numbers from a sequence are not in the order of commits, and CockroachDB's are no sequence at all",
    ),
    ("BIGSERIAL", "as SERIAL"),
    ("SMALLSERIAL", "as SERIAL"),
    ("IDENTITY", "a sequence"),
    ("SEQUENCE", "a sequence"),
    ("NEXTVAL", "a sequence"),
    (
        "LISTEN",
        "absent in CockroachDB, off in YugabyteDB, lost behind poolers",
    ),
    ("NOTIFY", "as LISTEN"),
    ("UNLISTEN", "as LISTEN"),
    ("PG_NOTIFY", "as LISTEN"),
    ("PG_ADVISORY_LOCK", "does nothing in CockroachDB"),
    ("PG_ADVISORY_XACT_LOCK", "does nothing in CockroachDB"),
    ("PG_TRY_ADVISORY_LOCK", "does nothing in CockroachDB"),
    ("TRIGGER", "not everywhere"),
    ("FUNCTION", "not everywhere"),
    ("PROCEDURE", "not everywhere"),
    ("EXECUTE", "prepared statements outlive a transaction"),
    ("PREPARE", "prepared statements outlive a transaction"),
    ("DEALLOCATE", "prepared statements outlive a transaction"),
    ("LANGUAGE", "blocks of a language"),
    ("PLPGSQL", "blocks of a language"),
    ("TEMP", "temporary tables are of a session"),
    ("TEMPORARY", "temporary tables are of a session"),
    ("UNLOGGED", "not durable"),
    ("CURSOR", "of a session"),
    ("DECLARE", "of a session"),
    ("FETCH", "of a session"),
    ("XML", "not everywhere"),
    ("XMLTABLE", "not everywhere"),
    ("COPY", "not everywhere the same"),
    ("LOCK", "not in CockroachDB"),
    ("VACUUM", "not in CockroachDB"),
    ("INHERITS", "not in CockroachDB"),
    ("TABLESPACE", "not in CockroachDB"),
    ("EXTENSION", "not everywhere"),
    ("DOMAIN", "not in CockroachDB"),
    ("RULE", "not in CockroachDB"),
    ("EXCLUDE", "not in CockroachDB"),
    ("MERGE", "not everywhere"),
    ("STORAGE", "not in CockroachDB"),
    ("BEGIN", "every statement is a transaction of its own"),
    ("COMMIT", "every statement is a transaction of its own"),
    ("SAVEPOINT", "every statement is a transaction of its own"),
    ("SHOW", "of a session"),
    ("RESET", "of a session"),
    ("DISCARD", "of a session"),
    ("CTID", "PostgreSQL's own"),
    ("OID", "PostgreSQL's own"),
    ("REGCLASS", "PostgreSQL's own"),
    ("NOW", "no time is kept: clocks are the devices'"),
    (
        "CURRENT_TIMESTAMP",
        "no time is kept: clocks are the devices'",
    ),
    ("INT", "four bytes here, eight there; write INT8"),
    ("INTEGER", "four bytes here, eight there; write INT8"),
    ("BIGINT", "write INT8 as everywhere"),
    ("JSON", "not needed"),
    ("JSONB", "not needed"),
];

/// The types that columns may have.
const TYPES: &[&str] = &["TEXT", "BYTEA", "INT8"];

/// Every word in capitals that the text may have; what is new has to be looked up for all engines before it is added here.
const KNOWN: &[&str] = &[
    "ALTER",
    "AND",
    "ANY",
    "AS",
    "BYTEA",
    "BY",
    "CASE",
    "CAST",
    "CHECK",
    "CONFLICT",
    "CREATE",
    "DELETE",
    "DO",
    "ENABLE",
    "END",
    "EXISTS",
    "FOR",
    "FROM",
    "GRANT",
    "IF",
    "IN",
    "INSERT",
    "INT8",
    "INTO",
    "KEY",
    "LEVEL",
    "LIMIT",
    "NOLOGIN",
    "NOT",
    "NOTHING",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "POLICY",
    "PRIMARY",
    "RETURNING",
    "ROLE",
    "ROW",
    "SCHEMA",
    "SECURITY",
    "SELECT",
    "SET",
    "TABLE",
    "TEXT",
    "THEN",
    "TO",
    "UPDATE",
    "USAGE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Functions and values that all of them have.
const CALLS: &[&str] = &["count", "max", "octet_length", "current_user", "sum"];

fn words(sql: &str) -> Vec<&str> {
    sql.split(|sign: char| !(sign.is_alphanumeric() || sign == '_' || sign == '$'))
        .filter(|word| !word.is_empty())
        .collect()
}

/// What is wrong with a text.
fn faults(sql: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for word in words(sql) {
        let upper = word.to_uppercase();
        if let Some((_, why)) = ABSENT.iter().find(|(absent, _)| *absent == upper) {
            faults.push(format!("{word}: {why}"));
        }
        let capital = word == upper && word.chars().any(|sign| sign.is_ascii_alphabetic());
        if capital && !KNOWN.contains(&word) {
            faults.push(format!(
                "{word}: look it up for every engine, then add it to KNOWN"
            ));
        }
    }
    for (at, _) in sql.match_indices('(') {
        let before = sql.get(..at).unwrap_or_default();
        let name: &str = before
            .rsplit(|sign: char| !(sign.is_alphanumeric() || sign == '_'))
            .next()
            .unwrap_or_default();
        let called = !name.is_empty() && name != name.to_uppercase();
        if called && !CALLS.contains(&name) {
            faults.push(format!(
                "{name}(): look it up for every engine, then add it to CALLS"
            ));
        }
    }
    for (mark, why) in [
        ("::", "write CAST"),
        ("--", "comments are lost in poolers' logs"),
        ("/*", "comments are lost in poolers' logs"),
        (
            "ON CONFLICT DO",
            "name the key: without it CockroachDB and old YugabyteDB differ",
        ),
        ("FOR SHARE", "locks"),
        ("SET LOCAL", "of a session"),
        ("DO $", "a block"),
        ("~", "regular expressions differ"),
    ] {
        if sql.contains(mark) {
            faults.push(format!("{mark}: {why}"));
        }
    }
    if sql.contains("FOR UPDATE") && !sql.contains("FOR UPDATE TO") {
        faults.push("FOR UPDATE: locks".to_owned());
    }
    if words(sql).first() == Some(&"SET") {
        faults.push("SET: a setting outlives the transaction".to_owned());
    }
    faults
}

/// Statements: parted by semicolons in the scripts.
fn statements(text: &str) -> Vec<&str> {
    text.split(';')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect()
}

#[test]
fn every_statement_is_in_the_common_language() {
    let mut count = 0;
    for text in POSTGRES_STATEMENTS.iter().chain([&POSTGRES_ROW_SECURITY]) {
        for sql in statements(text) {
            count += 1;
            assert_eq!(faults(sql), [] as [String; 0], "{sql}");
        }
    }
    assert!(count > 35, "{count}");
    // The script with policies is for who runs the database; the program sends none of it.
    for sql in POSTGRES_STATEMENTS.iter().flat_map(|text| statements(text)) {
        for word in ["POLICY", "GRANT", "ROLE", "ALTER", "DROP", "TRUNCATE"] {
            assert!(!words(sql).contains(&word), "{sql}");
        }
    }
}

#[test]
fn tables_are_plain() {
    for sql in statements(POSTGRES_SCHEMA) {
        assert!(
            sql.starts_with("CREATE ") && sql.contains("IF NOT EXISTS"),
            "{sql}"
        );
        for line in sql.lines().filter(|line| line.contains("NOT NULL")) {
            let kind = line.split_whitespace().nth(1).unwrap_or_default();
            assert!(TYPES.contains(&kind), "{line}");
        }
    }
}

/// No SQL hides in another file of the remote.
#[test]
fn all_text_is_in_one_file() -> super::Tested {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync/postgres");
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("sql.rs") {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path)?;
        for mark in [
            "INSERT INTO",
            "DELETE FROM",
            "SELECT ",
            "UPDATE ",
            "CREATE TABLE",
            "batch_execute",
            "simple_query",
            ".prepare(",
            ".transaction(",
        ] {
            assert!(!text.contains(mark), "{}: {mark}", path.display());
        }
    }
    assert!(files > 5);
    Ok(())
}

#[test]
fn the_reader_can_find_fault() {
    for sql in [
        "CREATE TABLE t (id SERIAL)",
        "NOTIFY x",
        "SELECT pg_advisory_lock(1)",
        "CREATE TEMP TABLE t (x TEXT)",
        "DO $$ BEGIN END $$",
        "DECLARE c CURSOR FOR SELECT 1",
        "SELECT xmlparse(x)",
        "CREATE TRIGGER t BEFORE INSERT ON x",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "SELECT x::INT8",
        "SELECT x FROM t FOR UPDATE",
        "SET statement_timeout = 1",
        "SELECT gen_random_uuid()",
        "CREATE TABLE t (x INT)",
        "SELECT x FROM t LATERAL",
    ] {
        assert!(!faults(sql).is_empty(), "{sql}");
    }
}

/// The guide prints the same text that the program runs and the tests examine.
#[test]
fn the_guide_has_the_same_text() -> super::Tested {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/user-guide/sync-postgres.md");
    let guide = std::fs::read_to_string(path)?;
    for text in [POSTGRES_SCHEMA, POSTGRES_ROW_SECURITY] {
        assert!(
            guide.contains(text.trim()),
            "docs/user-guide/sync-postgres.md lacks:\n{text}"
        );
    }
    Ok(())
}

//! The shape of single files: opening, words that must not stand there, lengths.

use super::code::{is_name, line, masked, names};

/// The longest production file.
const FILE_LINES: usize = 600;
/// The longest function; a table is exempt when the line above its signature, attributes and docs says `// tidy: table`.
const FUNCTION_LINES: usize = 80;

/// Words that end a program, forget work, or let a queue grow without end; with what to do instead.
const WORDS: &[(&str, &str)] = &[
    (
        ".unwrap()",
        "handle the other case, or expect(\"why it cannot happen\")",
    ),
    ("panic!(", "return an error"),
    ("todo!(", "do it"),
    ("unimplemented!(", "do it"),
    ("dbg!(", "remove it"),
    (
        "unbounded_channel",
        "bound the queue and say what happens when it is full",
    ),
    ("Rc<RefCell", "one owner, and messages to it"),
];

/// Every file says first what it is for.
pub(super) fn opening(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![format!(
            "{path}:1: open the file with //! and one sentence on what it is for"
        )]
    }
}

/// Words that production code does without.
pub(super) fn words(path: &str, text: &str) -> Vec<String> {
    let code = masked(text);
    let mut faults = Vec::new();
    for (word, instead) in WORDS {
        let inside = word.starts_with(is_name);
        for (at, _) in code.match_indices(word) {
            // `my_panic!(` is another word; `std::panic!(` is not.
            if !inside || !code.get(..at).unwrap_or_default().ends_with(is_name) {
                faults.push(format!(
                    "{path}:{}: {word} in production code; {instead}",
                    line(&code, at)
                ));
            }
        }
    }
    faults
}

/// What opens or copies a file by its path. SQLite's locks in a process go when any descriptor of the file is closed.
const OPENERS: &[&str] = &[
    "fs::read(",
    "fs::copy(",
    "fs::write(",
    "File::open(",
    "File::create(",
    "OpenOptions::new(",
];

/// Nothing opens the store's file but SQLite: the room of the store opens no file at all but its locks, and no other room
/// knows the name. A transaction begins with the right to write, or only reads.
pub(super) fn opens_store(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let store = path.starts_with("src/store/");
    for (number, row) in (1..).zip(text.lines()) {
        let code = row.trim_start();
        if code.starts_with("//") {
            continue;
        }
        let mut fault = |what: &str| faults.push(format!("{path}:{number}: {what}"));
        if store && path != "src/store/lock.rs" && OPENERS.iter().any(|word| code.contains(word)) {
            fault("only SQLite may open the store's file, or its locks are dropped");
        }
        if !store && path != "src/config/paths.rs" && code.contains("\"store.db") {
            fault("only the store's own room names its file");
        }
        if store && code.contains("BEGIN") && !code.contains("BEGIN IMMEDIATE") {
            fault(
                "a transaction that writes begins with BEGIN IMMEDIATE, or it fails at its first write",
            );
        }
        let deferred = [".transaction()", "unchecked_transaction()"];
        let reader = path == "src/store/reader.rs";
        if store && !reader && deferred.iter().any(|word| code.contains(word)) {
            fault("a deferred transaction cannot become a writing one; say BEGIN IMMEDIATE");
        }
    }
    faults
}

#[test]
fn who_opens_the_store_by_hand_is_found() {
    for (path, text, faults) in [
        ("src/store/doctor.rs", "let bytes = fs::read(path)?;", 1),
        ("src/store/lock.rs", "File::open(&path)", 0),
        ("src/cli/care.rs", "let file = home.join(\"store.db\");", 1),
        ("src/store/open.rs", "// fs::copy( would drop the locks", 0),
        ("src/store/log.rs", "conn.execute_batch(\"BEGIN\")?;", 1),
        (
            "src/store/log.rs",
            "conn.execute_batch(\"BEGIN IMMEDIATE\")?;",
            0,
        ),
        ("src/store/log.rs", "let work = conn.transaction()?;", 1),
        ("src/store/reader.rs", "conn.unchecked_transaction()", 0),
    ] {
        assert_eq!(opens_store(path, text).len(), faults, "{path}: {text}");
    }
}

/// Files are short enough to be read at once.
pub(super) fn length(path: &str, text: &str) -> Vec<String> {
    // Trailing tests are blank here, so blank lines at the end do not count.
    let lines = text.trim_end().lines().count();
    if lines <= FILE_LINES {
        Vec::new()
    } else {
        vec![format!(
            "{path}: {lines} lines of production code; at most {FILE_LINES}, so move a part out"
        )]
    }
}

/// Functions are short enough to be seen at once.
pub(super) fn functions(path: &str, text: &str) -> Vec<String> {
    let code = masked(text);
    let mut faults = Vec::new();
    for at in names(&code, "fn") {
        let after = code.get(at + 2..).unwrap_or_default();
        let name: String = after
            .trim_start()
            .chars()
            .take_while(|c| is_name(*c))
            .collect();
        // Without a name it is a type; without a body it is a declaration.
        let Some(end) = body_end(after).filter(|_| !name.is_empty()) else {
            continue;
        };
        let first = line(&code, at);
        let lines = line(&code, at + 2 + end) - first + 1;
        if lines > FUNCTION_LINES && !is_table(text, first) {
            faults.push(format!(
                "{path}:{first}: {name} has {lines} lines; at most {FUNCTION_LINES}, so split it, or mark a table with // tidy: table"
            ));
        }
    }
    faults
}

/// The last byte of the body after a `fn`, if it has one.
fn body_end(after: &str) -> Option<usize> {
    let (mut round, mut curly) = (0i32, 0i32);
    for (at, c) in after.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            ';' if round == 0 && curly == 0 => return None,
            // A type inside brackets may close around the function type we stand in.
            _ if round < 0 => return None,
            '{' => curly += 1,
            '}' if curly == 1 => return Some(at),
            '}' => curly -= 1,
            _ => {}
        }
    }
    None
}

/// Whether the comments and attributes right above line `first` (from 1) mark a table.
fn is_table(text: &str, first: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(first - 1).collect();
    lines
        .iter()
        .rev()
        .map(|line| line.trim())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line == "// tidy: table")
}

/// Tests wait for what they want to see, not for time.
pub(super) fn sleeps(path: &str, text: &str) -> Vec<String> {
    let code = masked(text);
    ["thread::sleep", "time::sleep", "sleep_until("]
        .into_iter()
        .flat_map(|word| code.match_indices(word))
        .map(|(at, word)| {
            format!(
                "{path}:{}: {word} in a test; wait for a condition instead",
                line(&code, at)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_can_be_missing() {
        assert_eq!(opening("a.rs", "//! Says it.\n").len(), 0);
        for text in [
            "",
            "use std::fs;\n",
            "// says it\n",
            "//!\n",
            "\n//! Late.\n",
        ] {
            assert_eq!(opening("a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn words_can_be_there() {
        for (text, count) in [
            ("fn f() { g().unwrap() }", 1),
            ("fn f() { g().unwrap_or_default(); h.unwrap_err() }", 0),
            ("fn f() { panic!(\"x\") }", 1),
            ("fn f() { std::panic!(\"x\") }", 1),
            ("fn f() { no_panic!(\"x\") }", 0),
            ("// todo!(later)\nfn f() { \"dbg!(x)\" }", 0),
            ("fn f() { todo!(); unimplemented!(); dbg!(1); }", 3),
            ("let (a, b) = mpsc::unbounded_channel();", 1),
            ("struct A(Rc<RefCell<u8>>);", 1),
        ] {
            assert_eq!(words("a.rs", text).len(), count, "{text}");
        }
        assert!(
            words("a.rs", "\n\ntodo!()")
                .iter()
                .all(|fault| fault.starts_with("a.rs:3: "))
        );
    }

    #[test]
    fn a_file_can_be_too_long() {
        assert_eq!(length("a.rs", &"x\n".repeat(FILE_LINES)).len(), 0);
        assert_eq!(
            length(
                "a.rs",
                &format!("{}{}", "x\n".repeat(FILE_LINES), "\n".repeat(90))
            )
            .len(),
            0
        );
        assert_eq!(length("a.rs", &"x\n".repeat(FILE_LINES + 1)).len(), 1);
    }

    #[test]
    fn a_function_can_be_too_long() {
        let of = |lines: usize| format!("fn long() {{\n{}}}\n", "    x;\n".repeat(lines - 2));
        let (good, bad) = (of(FUNCTION_LINES), of(FUNCTION_LINES + 1));
        for (text, count) in [
            (good.clone(), 0),
            (bad.clone(), 1),
            (format!("// tidy: table\n#[must_use]\n{bad}"), 0),
            (format!("// tidy: table\n\nconst A: u8 = 1;\n{bad}"), 1),
            (format!("trait T {{ fn declared(x: [u8; 3]); }}\n{good}"), 0),
            (format!("struct S {{ f: fn(u8) -> u8 }}\n{good}{bad}"), 1),
            (bad.replace("    x;", "    \"}\";"), 1),
        ] {
            assert_eq!(functions("a.rs", &text).len(), count, "{text}");
        }
    }

    #[test]
    fn a_test_can_sleep() {
        for (text, count) in [
            ("std::thread::sleep(x)", 1),
            ("tokio::time::sleep(x).await; time::sleep_until(y)", 3),
            ("run(\"sleep 1\") // thread::sleep", 0),
        ] {
            assert_eq!(sleeps("a.rs", text).len(), count, "{text}");
        }
    }
}

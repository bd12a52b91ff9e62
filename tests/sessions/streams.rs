//! Real programs, recorded as they run, shown by tmux and by our emulator: both must show the same, cell by cell.
//!
//! Nothing recorded is kept: what a program writes is taken from the installed program at the size in question. What no
//! installed program writes is in `streams/*.sh`.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use quarterdeck::term::{Emulator, Row, Screen, Size};

use crate::support::lab::Failed;
use crate::support::pty::Terminal;
use crate::support::tmux::{Look, Pane, Seen, Shown, Tmux};

const SIZES: [Size; 2] = [Size::new(80, 24), Size::new(200, 50)];

/// At how many places of a stream the screens are compared.
const CHECKPOINTS: usize = 5;

/// What is done with a program once it runs.
enum Step {
    /// Its screen shows this.
    See(&'static str),
    /// This is typed.
    Type(&'static str),
}

use Step::{See, Type};

/// A program and how it is used.
struct Recipe {
    name: &'static str,
    /// For `sh -c`, in a folder with the files that [`furnish`] puts there.
    command: &'static str,
    steps: &'static [Step],
}

const fn recipe(name: &'static str, command: &'static str, steps: &'static [Step]) -> Recipe {
    Recipe {
        name,
        command,
        steps,
    }
}

const RECIPES: &[Recipe] = &[
    recipe(
        "vim",
        "exec vim -N -u NONE -i NONE -c 'syntax on' -c 'set number ruler showcmd hlsearch bg=dark' code.c",
        &[
            See("main"),
            Type("/value\r"),
            Type("Onew line 界 é\x1b"),
            See("new line"),
            Type(":split\r:vsplit\r"),
            Type("\x06\x06gg"),
            Type("Vjjj"),
            See("VISUAL LINE"),
            Type("\x1bddp:set nonumber wrap\r"),
            Type(":echo 'almost' 'done'\r"),
            See("almost done"),
            Type(":qa!\r"),
        ],
    ),
    recipe(
        "vim-insert",
        "exec vim -N -u NONE -i NONE -c 'set autoindent showmode ruler' new.txt",
        &[
            See("new.txt"),
            Type("ione\rtwo\tthree\r\x16u6f22 wide\x08\x08"),
            See("INSERT"),
            Type("\x1byyPPP:%s/o/0/g\r"),
            See("tw0"),
            Type("uuxxx:q!\r"),
        ],
    ),
    recipe(
        "htop",
        "exec htop -d 5",
        &[
            See("F10"),
            Type("t"),
            See("List"),
            Type("\x1b[B\x1b[B/ht"),
            See("Search:"),
            Type("\x1b"),
            See("F10"),
            Type("q"),
        ],
    ),
    recipe(
        "top",
        "exec top -d 1",
        &[See("PID"), Type("1"), See("Cpu0"), Type("q")],
    ),
    recipe(
        "less",
        "exec less -RSN log.txt",
        &[
            See("line 10"),
            Type(" "),
            Type("/line 150\r"),
            See("line 150"),
            Type("\x1b[C"),
            Type("G"),
            See("(END)"),
            Type("kkkbg"),
            See("line 1 "),
            Type("q"),
        ],
    ),
    recipe(
        "mc",
        "exec mc -d --nosubshell",
        &[
            See("10Quit"),
            Type("\x13code\x1bOR"),
            See("value = 43"),
            Type("\x1b[21~"),
            See("code.c"),
            Type("\t\x1b[21~"),
        ],
    ),
    recipe(
        "apt-list",
        "exec apt list --installed 'lib*' 2>/dev/null",
        &[],
    ),
    recipe("apt-simulate", "exec apt-get --simulate install less", &[]),
    recipe(
        "git-log",
        "exec git --no-pager log --color=always --graph --decorate --all --stat",
        &[],
    ),
    recipe(
        "git-diff",
        "exec git --no-pager diff --color=always --word-diff HEAD~2",
        &[],
    ),
    recipe(
        "git-pager",
        "GIT_PAGER='less -R' exec git log -p --color=always",
        &[
            See("commit"),
            Type(" "),
            Type("b/commit\r"),
            Type("G"),
            See("(END)"),
            Type("q"),
        ],
    ),
    recipe(
        "dialog",
        "exec dialog --menu 'What is to be done' 15 50 4 one first two second three third",
        &[See("third"), Type("\x1b[B\x1b[B"), Type("\t"), Type("\r")],
    ),
    recipe(
        "dialog-gauge",
        "(for i in 10 40 80 100; do echo $i; done) | dialog --title 'Copying' --gauge 'files' 8 50 0",
        &[],
    ),
    recipe(
        "whiptail",
        "exec whiptail --title Choose --checklist 'Several of them' 15 50 4 one first on two second off three third on",
        &[See("third"), Type("\x1b[B "), Type("\t"), Type("\r")],
    ),
    recipe(
        "nano",
        "exec nano --ignorercfiles code.c",
        &[
            See("main"),
            Type("typed 界 text"),
            See("typed"),
            Type("\x17value\r"),
            Type("\x0b\x0b\x15"),
            Type("\x18"),
            See("Save"),
            Type("n"),
        ],
    ),
    recipe(
        "man",
        "MANPAGER=less exec man -l page.1",
        &[
            See("NAME"),
            Type(" "),
            Type("/OPTIONS\r"),
            Type("G"),
            See("END"),
            Type("q"),
        ],
    ),
    recipe("ls", "exec ls --color=always -la . many /dev", &[]),
    recipe(
        "ls-columns",
        "exec ls --color=always -C --width=$(tput cols) many /usr/bin",
        &[],
    ),
    recipe(
        "python",
        "exec python3 -q",
        &[
            See(">>>"),
            Type("for i in range(3):\r    print('row', i)\r\r"),
            See("row 2"),
            Type("'abc' + 'def'\x01\x06\x06\x06X\x05\r"),
            Type("\x1b[A\x1b[A\x03"),
            See("KeyboardInterrupt"),
            Type("print('\\x1b[31mred\\x1b[0m', 6 * 7)\r"),
            See("42"),
            Type("\x04"),
        ],
    ),
    recipe(
        "bash-emacs",
        "PS1='\\[\\e[1;32m\\]\\u\\[\\e[0m\\]:\\w% ' exec bash --norc --noprofile",
        &[
            See("%"),
            Type("echo one two three\r"),
            Type(
                "echo a very long line that goes on and on and on, well beyond the width of the screen, so that it is wrapped\x01\x1bf\x1bf\x0b\x19\x17",
            ),
            Type("\x05 end\x01\x1bd\x03"),
            Type("\x12one"),
            See("reverse-i-search"),
            Type("\r"),
            Type("ls ma\t\r"),
            Type("\x0cprintf 'cl%s\\n' eared\r"),
            See("cleared"),
            Type("exit\r"),
        ],
    ),
    recipe(
        "bash-vi",
        "PS1='vi$ ' exec bash --norc --noprofile -o vi",
        &[
            See("vi$"),
            Type("echo first\r"),
            See("first"),
            Type("echo second word\x1bbcwthing\x1b0xxi# \x1b$a!\r"),
            Type("echo 界界 wide\x1bhhhx\r"),
            Type("\x1bk\x1bk$a again\r"),
            Type("echo the 'e'nd\r"),
            See("the end"),
            Type("exit\r"),
        ],
    ),
    recipe(
        "watch",
        "exec watch -c -d -n 0.2 'printf \"\\033[31mred\\033[0m %s\\n\" $(date +%N); cat many/*'",
        &[See("Every"), See("red"), Type("\x03")],
    ),
    recipe(
        "tmux",
        "tmux -u -f /dev/null -S inner new sh",
        &[
            See("[0]"),
            Type("\x02%"),
            Type("echo right half\r"),
            See("right half"),
            Type("\x02\""),
            Type("seq 100\r"),
            See("100"),
            Type("tmux kill-server\r"),
        ],
    ),
    recipe("tput", "exec sh tput.sh", &[]),
    recipe("wide", "exec sh wide.sh", &[]),
    recipe("log", "exec sh log.sh", &[]),
    recipe("progress", "exec bash progress.sh", &[]),
    recipe("boxes", "exec sh boxes.sh", &[]),
    recipe("colours", "exec sh colours.sh", &[]),
    recipe("margins", "exec sh margins.sh", &[]),
    recipe("stops", "exec bash stops.sh", &[]),
];

const SCRIPTS: &[(&str, &str)] = &[
    ("tput.sh", include_str!("streams/tput.sh")),
    ("wide.sh", include_str!("streams/wide.sh")),
    ("log.sh", include_str!("streams/log.sh")),
    ("progress.sh", include_str!("streams/progress.sh")),
    ("boxes.sh", include_str!("streams/boxes.sh")),
    ("colours.sh", include_str!("streams/colours.sh")),
    ("margins.sh", include_str!("streams/margins.sh")),
    ("stops.sh", include_str!("streams/stops.sh")),
    (
        "code.c",
        "#include <stdio.h>\n\n/* A comment. */\nint main(void)\n{\n\tint value = 42;\n\tprintf(\"%d\\n\", value);\n\treturn value;\n}\n",
    ),
    (
        "page.1",
        ".TH PAGE 1\n.SH NAME\npage \\- a page of our own\n.SH SYNOPSIS\n.B page\n[\\fIfile\\fR]\n.SH OPTIONS\n.TP\n.B \\-a\nDoes all of it.\n.TP\n.B \\-b\nDoes \\fBhalf\\fR of \\fIit\\fR.\n.SH NOTES\nA long text that is filled to the width of the screen, whatever that is, so that it has to be broken into lines.\n",
    ),
];

/// Makes the folder that programs are used in: files, a repository with a merge.
fn furnish(folder: &Path) -> Result<(), Failed> {
    for (name, text) in SCRIPTS {
        std::fs::write(folder.join(name), text)?;
    }
    let log: String = (1..=200)
        .map(|line| {
            format!(
                "\x1b[3{}mline {line} \x1b[0m{}\n",
                line % 8,
                "word ".repeat(line % 30)
            )
        })
        .collect();
    std::fs::write(folder.join("log.txt"), log)?;
    std::fs::create_dir(folder.join("many"))?;
    for name in 0..40 {
        std::fs::write(folder.join(format!("many/file-{name}")), "some\ttext\n")?;
    }
    let script = "git init -q -b trunk . && git config user.name Tester && git config user.email t@host.example \
        && git add code.c && git commit -q -m 'Begin' && git checkout -q -b side && echo '// side' >> code.c \
        && git commit -q -a -m 'Side: ä change' && git checkout -q trunk && git add page.1 && git commit -q -m 'A page' \
        && git merge -q -m 'Both' side && sed -i s/42/43/ code.c && git commit -q -a -m 'Another value' && git tag v1";
    let made = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()?;
    if !made.status.success() {
        return Err(format!("no repository: {made:?}").into());
    }
    Ok(())
}

/// Runs a program in a terminal and gives every byte that it wrote there.
fn record(recipe: &Recipe, size: Size, folder: &Path) -> Vec<u8> {
    let home = folder.display().to_string();
    let variables = [
        ("HOME", home.as_str()),
        ("LC_ALL", "C.UTF-8"),
        ("SHELL", "/bin/sh"),
        ("PS1", "$ "),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    let command = format!("cd \"$HOME\" && {}", recipe.command);
    let mut terminal = Terminal::start(Path::new("/bin/sh"), &["-c", &command], &variables, size);
    for step in recipe.steps {
        match step {
            See(text) => drop(terminal.until_shows(text)),
            Type(keys) => terminal.keys(keys),
        }
    }
    terminal.end();
    std::mem::take(&mut terminal.written)
}

/// Where a stream may be cut: before an escape that begins something, never inside of a sequence, a string or a character.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != 0x1b {
            at += 1;
            continue;
        }
        places.push(at);
        at += match bytes.get(at + 1) {
            Some(b'[') => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                let last = |byte: &u8| matches!(byte, 0x18 | 0x1a | 0x1b | 0x40..=0x7e);
                2 + rest.iter().position(last).map_or(rest.len(), |end| end + 1)
            }
            Some(b']' | b'P' | b'_' | b'^' | b'X' | b'k') => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                let end = |pair: &[u8]| matches!(pair, [7, _] | [0x1b, b'\\']);
                2 + rest
                    .windows(2)
                    .position(end)
                    .map_or(rest.len(), |end| end + 1)
            }
            Some(0x20..=0x2f) => 3,
            _ => 2,
        };
    }
    places
}

/// The ends of the pieces in which a stream is compared.
fn checkpoints(bytes: &[u8]) -> Vec<usize> {
    let places = cuts(bytes);
    let mut ends: Vec<usize> = (1..CHECKPOINTS)
        .filter_map(|part| {
            let wanted = bytes.len() * part / CHECKPOINTS;
            places.iter().copied().find(|place| *place >= wanted)
        })
        .collect();
    // Full-screen programs have left the other screen at the end; the last they drew is the more interesting one.
    let left = bytes.windows(8).rposition(|part| part == b"\x1b[?1049l");
    ends.extend(left.filter(|left| places.contains(left)));
    ends.push(bytes.len());
    ends.sort_unstable();
    ends.dedup();
    ends
}

trait FromTheEnd {
    fn rposition(self, wanted: impl Fn(&[u8]) -> bool) -> Option<usize>;
}

impl FromTheEnd for std::slice::Windows<'_, u8> {
    fn rposition(self, wanted: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let all = self.len();
        self.rev().position(wanted).map(|back| all - 1 - back)
    }
}

/// A difference that was looked at by hand.
struct Known {
    stream: &'static str,
    at: Place,
    why: &'static str,
}

/// Where a difference is passed over.
enum Place {
    /// In a row of which ours shows this.
    Row(&'static str),
    /// At the end of the stream.
    End,
}

const KNOWN: &[Known] = &[
    Known {
        stream: "margins",
        at: Place::Row("row 3"),
        why: "tmux 3.3a has no HPR and VPR (ECMA-48 8.3.57, 8.3.160); xterm moves as ours does",
    },
    Known {
        stream: "margins",
        at: Place::Row("row 4"),
        why: "the same VPR: the stroke belongs one row below, three columns on",
    },
    Known {
        stream: "margins",
        at: Place::Row("rcw aaadb"),
        why: "tmux 3.3a has no CHT (ECMA-48 8.3.10); xterm goes on two tab stops, as ours does",
    },
    Known {
        stream: "wide",
        at: Place::Row("二三四"),
        why: "half of an erased wide character: capture-pane leaves its cell out, so what follows is told too far left",
    },
    Known {
        stream: "dialog",
        at: Place::End,
        why: "ours errs: CSI ? 1049 l on the main screen restores the saved cursor in xterm and tmux, and does nothing here",
    },
    Known {
        stream: "dialog-gauge",
        at: Place::End,
        why: "ours errs: as above",
    },
];

fn known(name: &str, row: Option<&str>) -> bool {
    KNOWN.iter().any(|known| {
        known.stream == name
            && match known.at {
                Place::Row(text) => row.is_some_and(|row| row.contains(text)),
                Place::End => row.is_none(),
            }
    })
}

/// What differs between both screens, one line for each row.
fn differences(name: &str, ours: &Screen, theirs: &Shown) -> Vec<String> {
    let mut found = Vec::new();
    for (number, (row, seen)) in ours.rows.iter().zip(&theirs.rows).enumerate() {
        let text = row.text();
        if known(name, Some(&text)) {
            continue;
        }
        if let Some(column) = first_difference(row, seen) {
            let told: String = seen.iter().map(|cell| cell.text.as_str()).collect();
            let (our, their) = (row.cells.get(column), seen.get(column));
            found.push(format!(
                "row {number}, column {column}\n  ours  {text:?}\n        {our:?}\n  tmux  {told:?}\n        {their:?}"
            ));
        }
    }
    let (x, y) = theirs.cursor;
    let last = ours.size.cols.saturating_sub(1);
    if let Some(cursor) = ours.cursor
        && cursor != (y, x.min(last))
    {
        found.push(format!("the cursor: ours {cursor:?}, tmux {:?}", (y, x)));
    }
    found
}

fn first_difference(row: &Row, seen: &[Seen]) -> Option<usize> {
    let nothing = Seen::default();
    (0..row.cells.len()).find(|column| {
        let Some(cell) = row.cells.get(*column) else {
            return false;
        };
        let Some(theirs) = seen.get(*column) else {
            // Of what was only erased tmux tells neither ground nor look.
            return !matches!(cell.text.as_str(), " " | "");
        };
        let style = &cell.style;
        let ours = Seen {
            text: cell.text.as_str().to_owned(),
            look: Look {
                fg: style.fg,
                bg: style.bg,
                bold: style.bold,
                dim: style.dim,
                italic: style.italic,
                underline: style.underline,
                reverse: style.reverse,
                hidden: style.hidden,
                strike: style.strike,
            },
        };
        // The text's colour and weight cannot be seen on a blank.
        let blank = ours.text == " " && theirs.text == " ";
        let plain = |seen: &Seen| {
            let mut seen = seen.clone();
            if blank && !seen.look.reverse && !seen.look.underline && !seen.look.strike {
                seen.look = Look {
                    bg: seen.look.bg,
                    ..nothing.look
                };
            }
            seen
        };
        plain(&ours) != plain(theirs)
    })
}

/// Feeds a stream to both and compares at every checkpoint.
fn compare(
    name: &str,
    bytes: &[u8],
    size: Size,
    pane: &mut Pane<'_>,
) -> Result<Vec<String>, Failed> {
    let mut emulator = Emulator::new(size);
    let mut begun = 0;
    for end in checkpoints(bytes) {
        let piece = bytes.get(begun..end).unwrap_or_default();
        begun = end;
        pane.feed(piece)?;
        emulator.feed(piece);
        // Half an update is compared too: tmux 3.3a shows it at once.
        emulator.stop_sync();
        if end == bytes.len() && known(name, None) {
            continue;
        }
        let found = differences(name, &emulator.screen(), &pane.look()?);
        if !found.is_empty() {
            let place = format!(
                "{name} at {}x{}, after {end} of {} bytes",
                size.cols,
                size.rows,
                bytes.len()
            );
            return Ok(found
                .into_iter()
                .map(|one| format!("{place}: {one}"))
                .collect());
        }
    }
    Ok(Vec::new())
}

/// Records a program and compares what both make of it.
fn play(recipe: &Recipe, size: Size, tmux: &Tmux) -> Result<Vec<String>, Failed> {
    let folder = tempfile::tempdir()?;
    furnish(folder.path())?;
    let bytes = record(recipe, size, folder.path());
    keep(recipe.name, size, &bytes)?;
    compare(recipe.name, &bytes, size, &mut tmux.pane(size)?)
}

/// Hands out the work to a few hands, because programs mostly wait.
fn examine(recipes: &[&Recipe]) -> Result<Vec<String>, Failed> {
    let work: Vec<(&Recipe, Size)> = SIZES
        .iter()
        .flat_map(|size| recipes.iter().map(move |recipe| (*recipe, *size)))
        .collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let tmux = Tmux::new()?;
    let hand = || -> Result<(), Failed> {
        while let Some((recipe, size)) = work.get(next.fetch_add(1, Ordering::SeqCst)) {
            let one = std::thread::scope(|scope| {
                let played = scope.spawn(|| play(recipe, *size, &tmux)).join();
                played.unwrap_or_else(|_| Err("it did not do what was expected".into()))
            });
            let one = one.unwrap_or_else(|why| vec![format!("{}: {why}", recipe.name)]);
            found.lock().map_err(|_| "a hand has failed")?.extend(one);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..4).map(|_| scope.spawn(hand)).collect();
        hands.into_iter().try_for_each(|hand| {
            hand.join()
                .map_err(|_| "a program did not do what was expected")?
        })
    })?;
    Ok(found.into_inner().map_err(|_| "a hand has failed")?)
}

/// Keeps a stream in the folder that `QD_STREAMS` names, to look at what a failing test saw.
fn keep(name: &str, size: Size, bytes: &[u8]) -> Result<(), Failed> {
    if let Some(folder) = std::env::var_os("QD_STREAMS") {
        let name = format!("{name}-{}x{}", size.cols, size.rows);
        std::fs::write(Path::new(&folder).join(name), bytes)?;
    }
    Ok(())
}

#[test]
fn programs_look_as_they_do_in_tmux() -> Result<(), Failed> {
    assert!(KNOWN.iter().all(|known| !known.why.is_empty()));
    let only = std::env::var("QD_ONLY").unwrap_or_default();
    let chosen: Vec<&Recipe> = RECIPES
        .iter()
        .filter(|recipe| recipe.name.starts_with(&only))
        .collect();
    let found = examine(&chosen)?;
    assert!(
        found.is_empty(),
        "{} differences:\n{}",
        found.len(),
        found.join("\n")
    );
    Ok(())
}

/// The comparison itself can fail: text, colour and cursor that differ are found.
#[test]
fn a_difference_is_found() -> Result<(), Failed> {
    let tmux = Tmux::new()?;
    let size = Size::new(20, 3);
    for (told, shown) in [
        (&b"word"[..], &b"wort"[..]),
        (b"\x1b[31mred", b"\x1b[32mred"),
        (b"\x1b[1mbold", b"bold"),
        (b"\x1b[44m x", b" x"),
        (b"a", b"a "),
        ("一".as_bytes(), b"- "),
    ] {
        let mut pane = tmux.pane(size)?;
        pane.feed(told)?;
        let mut emulator = Emulator::new(size);
        emulator.feed(shown);
        let found = differences("none", &emulator.screen(), &pane.look()?);
        assert!(!found.is_empty(), "{told:?} {shown:?}");
        let mut emulator = Emulator::new(size);
        emulator.feed(told);
        let found = differences("none", &emulator.screen(), &pane.look()?);
        assert!(found.is_empty(), "{found:?}");
    }
    Ok(())
}

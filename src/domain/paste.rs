//! What there is to know of a text before it is pasted into a shell: how much it is, whether it runs, and what in it is dangerous.
//!
//! It warns and never forbids: the list of words is short on purpose, so that a warning is read.

/// The longest text that is pasted, in bytes; a file is better copied.
pub const LONGEST: usize = 8 * 1024 * 1024;

/// A text, looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// How many lines, an unfinished last one too.
    pub lines: usize,
    /// How many bytes.
    pub bytes: usize,
    /// The last line ends too: a shell runs it at once.
    pub runs: bool,
    /// Control characters that are neither tab nor line break; they are not sent.
    pub controls: usize,
    /// Characters that change the order in which letters are shown, or that show nothing: what is read is not what is run.
    pub hidden: usize,
    /// What is dangerous in it, in words.
    pub dangers: Vec<&'static str>,
}

/// Words that make a line dangerous. They are looked for where a command begins.
const DANGERS: &[(&str, &[&str])] = &[
    ("runs as root", &["sudo", "doas", "su", "pkexec"]),
    ("deletes whole folders", &["rm -r"]),
    (
        "writes over disks",
        &["dd", "mkfs", "wipefs", "fdisk", "parted", "sgdisk"],
    ),
    (
        "stops the machine",
        &["shutdown", "reboot", "poweroff", "halt", "init"],
    ),
];

impl Inspection {
    /// Looks at `text`.
    pub fn of(text: &str) -> Self {
        let ends = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut dangers = Vec::new();
        for command in ends.lines().flat_map(commands) {
            for danger in dangers_of(&command) {
                if !dangers.contains(&danger) {
                    dangers.push(danger);
                }
            }
        }
        let control = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        Self {
            lines: ends.lines().count(),
            bytes: text.len(),
            runs: ends.ends_with('\n'),
            controls: text.chars().filter(control).count(),
            hidden: text.chars().filter(|c| is_hidden(*c)).count(),
            dangers,
        }
    }

    /// Whether a person must see it first, wherever it goes.
    pub fn is_suspicious(&self) -> bool {
        self.lines > 1 || self.runs || self.controls > 0 || self.hidden > 0
    }
}

/// Characters that are not seen, or that turn the order of letters around.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The commands of a line: what stands before and after `;`, `|`, `&` and in brackets. Quoting is not understood: a false
/// alarm costs less than a missed one.
fn commands(line: &str) -> Vec<String> {
    line.split([';', '|', '&', '(', '`', '{'])
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty() && !part.starts_with('#'))
        .collect()
}

fn dangers_of(command: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut words = command.split(' ').peekable();
    // A pasted prompt is no command, and what is set before one is neither.
    while words.peek().is_some_and(|word| {
        matches!(
            *word,
            "$" | "#" | ">" | "then" | "do" | "else" | "!" | "time" | "exec" | "nohup"
        ) || is_setting(word)
    }) {
        words.next();
    }
    let rest: Vec<&str> = words.collect();
    let Some((first, arguments)) = rest.split_first() else {
        return found;
    };
    let name = first.rsplit('/').next().unwrap_or(first);
    for (words, names) in DANGERS {
        let meant = names.iter().any(|wanted| match *wanted {
            "rm -r" => name == "rm" && arguments.iter().any(|option| recursive(option)),
            "init" => name == "init" && matches!(arguments.first(), Some(&"0" | &"6")),
            "mkfs" => name == "mkfs" || name.starts_with("mkfs."),
            "dd" => name == "dd" && arguments.iter().any(|word| word.starts_with("of=")),
            wanted => name == wanted,
        });
        if meant {
            found.push(*words);
        }
    }
    if command
        .split(' ')
        .any(|word| word.trim_start_matches('>').starts_with("/dev/sd") && command.contains('>'))
    {
        found.push("writes over disks");
    }
    if matches!(name, "sudo" | "doas" | "pkexec" | "xargs" | "env") {
        let options = arguments
            .iter()
            .take_while(|word| word.starts_with('-'))
            .count();
        found.extend(dangers_of(
            &arguments[options.min(arguments.len())..].join(" "),
        ));
    }
    found
}

fn is_setting(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn recursive(option: &str) -> bool {
    option == "--recursive"
        || option
            .strip_prefix('-')
            .is_some_and(|letters| !letters.starts_with('-') && letters.contains(['r', 'R']))
}

/// A line as it is shown before it is pasted: what steers a terminal is written out, so that nothing in it is hidden.
pub fn visible(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\x7f' => out.push_str("^?"),
            '\0'..='\x1f' => {
                out.push('^');
                out.push(char::from(c as u8 + 0x40));
            }
            c if c.is_control() || is_hidden(c) => {
                out.push_str(&format!("<U+{:04X}>", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_as_a_shell_would_take_it() {
        for (text, lines, runs, suspicious) in [
            ("uptime", 1, false, false),
            ("a\tb", 1, false, false),
            ("uptime\n", 1, true, true),
            ("uptime\r", 1, true, true),
            ("a\nb", 2, false, true),
            ("a\r\nb\r\n", 2, true, true),
            ("", 0, false, false),
            ("a\x1b[31mb", 1, false, true),
            ("a\u{202e}b", 1, false, true),
        ] {
            let seen = Inspection::of(text);
            assert_eq!(
                (seen.lines, seen.runs, seen.is_suspicious(), seen.bytes),
                (lines, runs, suspicious, text.len()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_dangerous_is_named() {
        let root = "runs as root";
        let deletes = "deletes whole folders";
        let disks = "writes over disks";
        let stops = "stops the machine";
        for (text, expected) in [
            ("uptime", vec![]),
            ("sudo systemctl restart x", vec![root]),
            ("cd /srv && rm -rf old", vec![deletes]),
            ("rm -f one", vec![]),
            ("rm old -R", vec![deletes]),
            ("sudo -n rm --recursive x", vec![root, deletes]),
            ("dd if=a of=/dev/sda", vec![disks]),
            ("dd if=a | less", vec![]),
            ("/sbin/mkfs.ext4 /dev/sdb1", vec![disks]),
            ("cat x > /dev/sda", vec![disks]),
            ("$ reboot", vec![stops]),
            ("LANG=C shutdown -h now", vec![stops]),
            ("init 0", vec![stops]),
            ("git init", vec![]),
            ("# sudo is mentioned", vec![]),
            ("echo suit", vec![]),
            ("a\nb; sudo c\nreboot\n", vec![root, stops]),
        ] {
            assert_eq!(Inspection::of(text).dangers, expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_hidden_in_what_is_shown() {
        assert_eq!(
            visible("a\x1b[2J\x07\u{202e}b\u{9b}\tc"),
            "a^[[2J^G<U+202E>b<U+009B>    c"
        );
    }
}

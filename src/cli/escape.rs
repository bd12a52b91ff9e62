//! Escapes at the start of a line, as ssh(1) has them. Pure: bytes in, what to send and what to do out, however reads split them.

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// For the host.
    Data(Vec<u8>),
    /// For us.
    Escape(Escape),
}

/// An escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// `~.`: leave at once.
    Leave,
    /// `~^Z`: suspend this program.
    Suspend,
    /// `~#`: list connections and forwards.
    List,
    /// `~?`: help.
    Help,
    /// `~B`: send a break.
    Break,
    /// `~R`: ask for fresh keys.
    Rekey,
    /// `~v`: say more.
    More,
    /// `~V`: say less.
    Less,
    /// `~C`: the command line of `ssh`.
    Commands,
    /// `~&`: go to the background.
    Background,
}

/// Where in a line the typing is.
#[derive(Debug)]
pub(super) struct Escapes {
    /// The character that begins an escape; `None` is no escapes.
    mark: Option<u8>,
    /// The last byte ended a line, or there was none.
    fresh: bool,
    /// The mark was typed at the start of a line.
    marked: bool,
}

impl Escapes {
    pub(super) fn new(mark: Option<u8>) -> Self {
        Self {
            mark,
            fresh: true,
            marked: false,
        }
    }

    /// Takes in what was typed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let Some(mark) = self.mark else {
            return vec![Typed::Data(bytes.to_vec())];
        };
        let mut typed = Vec::new();
        let mut data = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if std::mem::take(&mut self.marked) {
                if let Some(escape) = escape_of(*byte) {
                    if !data.is_empty() {
                        typed.push(Typed::Data(std::mem::take(&mut data)));
                    }
                    typed.push(Typed::Escape(escape));
                    // The line is still at its start: one escape may follow another.
                    continue;
                }
                // The mark typed twice is sent once; any other byte goes out behind it.
                if *byte != mark {
                    data.push(mark);
                }
            } else if self.fresh && *byte == mark {
                self.marked = true;
                continue;
            }
            self.fresh = matches!(byte, b'\r' | b'\n');
            data.push(*byte);
        }
        if !data.is_empty() {
            typed.push(Typed::Data(data));
        }
        typed
    }
}

fn escape_of(byte: u8) -> Option<Escape> {
    Some(match byte {
        b'.' => Escape::Leave,
        0x1a => Escape::Suspend,
        b'#' => Escape::List,
        b'?' => Escape::Help,
        b'B' => Escape::Break,
        b'R' => Escape::Rekey,
        b'v' => Escape::More,
        b'V' => Escape::Less,
        b'C' => Escape::Commands,
        b'&' => Escape::Background,
        _ => return None,
    })
}

/// How an escape is shown when it was typed: the mark, and what followed.
pub(super) fn echo(mark: u8, escape: Escape) -> String {
    let shown = match escape {
        Escape::Leave => ".",
        Escape::Suspend => "^Z",
        Escape::List => "#",
        Escape::Help => "?",
        Escape::Break => "B",
        Escape::Rekey => "R",
        Escape::More => "v",
        Escape::Less => "V",
        Escape::Commands => "C",
        Escape::Background => "&",
    };
    format!("{}{shown}", spelled(mark))
}

/// What `~?` shows.
pub(super) fn help(mark: u8) -> String {
    let mark = spelled(mark);
    [
        ".   leave, and close the session",
        "^Z  suspend qd",
        "#   list connections and forwards",
        "R   ask the host for fresh keys",
        "v   say more about the connection",
        "V   say less",
        "?   this help",
    ]
    .iter()
    .map(|line| format!("{mark}{line}\n"))
    .chain([format!(
        "{mark}{mark}  send {mark} itself\nThey are understood at the start of a line only.\n"
    )])
    .collect()
}

fn spelled(mark: u8) -> String {
    if mark < 32 {
        format!("^{}", char::from(mark + 64))
    } else {
        char::from(mark).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data in brackets, escapes by name.
    fn seen(mark: Option<u8>, pieces: &[&str]) -> String {
        let mut escapes = Escapes::new(mark);
        let mut out = String::new();
        for piece in pieces {
            for typed in escapes.feed(piece.as_bytes()) {
                match typed {
                    Typed::Data(data) => out.push_str(&String::from_utf8_lossy(&data)),
                    Typed::Escape(escape) => out.push_str(&format!("<{escape:?}>")),
                }
            }
        }
        out
    }

    #[test]
    fn escapes_are_heard_at_the_start_of_a_line_only() {
        for (typed, expected) in [
            ("~.", "<Leave>"),
            ("ls\r~.", "ls\r<Leave>"),
            ("ls\n~#~?", "ls\n<List><Help>"),
            ("ls ~.", "ls ~."),
            ("~~.", "~."),
            ("~~", "~"),
            ("~x", "~x"),
            ("~x~.", "~x~."),
            ("~\r~.", "~\r<Leave>"),
            ("~R\r", "<Rekey>\r"),
            ("~\u{1a}ls", "<Suspend>ls"),
            ("", ""),
        ] {
            assert_eq!(seen(Some(b'~'), &[typed]), expected, "{typed:?}");
            // However the reads fall.
            let bytes: Vec<String> = typed.chars().map(String::from).collect();
            let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
            assert_eq!(seen(Some(b'~'), &bytes), expected, "{typed:?}, split");
        }
        assert_eq!(seen(None, &["~."]), "~.");
        assert_eq!(seen(Some(2), &["~.\r\u{2}."]), "~.\r<Leave>");
    }

    #[test]
    fn marks_are_spelled() {
        assert_eq!(echo(b'~', Escape::Suspend), "~^Z");
        assert_eq!(echo(2, Escape::Leave), "^B.");
        assert!(help(b'%').contains("%.   leave"));
        assert!(help(b'%').contains("%%  send % itself"));
    }
}

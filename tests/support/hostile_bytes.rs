//! Bytes that mean harm to a terminal: a list of our own, and a seeded maker of more; and what may reach a person's terminal.

use quarterdeck::term::Size;

/// A sort of harm, made as long as is wanted.
pub(crate) struct Harm {
    pub(crate) name: &'static str,
    make: fn(usize) -> Vec<u8>,
}

impl Harm {
    /// At least `len` bytes of it.
    pub(crate) fn bytes(&self, len: usize) -> Vec<u8> {
        (self.make)(len)
    }
}

fn again(piece: &[u8], len: usize) -> Vec<u8> {
    piece.repeat(len / piece.len().max(1) + 1)
}

fn bomb(begin: &[u8], fill: &[u8], end: &[u8], len: usize) -> Vec<u8> {
    [begin, &again(fill, len), end].concat()
}

macro_rules! harms {
    ($($name:literal: $make:expr;)+) => {
        &[$(Harm { name: $name, make: $make }),+]
    };
}

// tidy: table
pub(crate) const HARMS: &[Harm] = harms! {
    "an OSC that never ends": |len| bomb(b"\x1b]0;", b"A", b"", len);
    "an OSC that ends late": |len| bomb(b"\x1b]0;", b"A", b"\x07after", len);
    "titles without end": |len| again(b"\x1b]0;HOSTILE title \x1b\\\x1b]2;HOSTILE\x07", len);
    "titles pushed and popped": |len| again(b"\x1b[22;0t\x1b[23;0t\x1b[22t", len);
    "escapes in titles": |len| again(b"\x1b]2;HOSTILE\x1b[2J\x1b]2;\xc2\x9b2J\x07\x1b]0;a\nb\rc\x07", len);
    "colours redefined": |len| again(b"\x1b]4;1;rgb:ff/00/00;2;#123456789012\x07\x1b]10;#ffffffffffffffffffff\x07\x1b]104\x07\x1b]11;?\x07", len);
    "a palette index out of all bounds": |len| again(b"\x1b]4;99999999999999999999;rgb:1/2/3\x07\x1b]4;-1;?\x07\x1b]4;256;?\x07", len);
    "hyperlinks": |len| again(b"\x1b]8;id=HOSTILE;http://h.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x07l\x1b]8;;\x07", len);
    "hyperlinks with harm in the address": |len| again(b"\x1b]8;;http://h.example/\xc2\x9b2J\xe2\x80\xae\x08\x07l\x1b]8;;javascript:x\x1b\\m", len);
    "one hyperlink per cell": |len| (0..len / 40 + 1).flat_map(|n| format!("\x1b]8;;http://h.example/{n:020}\x07x").into_bytes()).collect();
    "a DCS that never ends": |len| bomb(b"\x1bP1;2|", b"B", b"", len);
    "requests for settings": |len| again(b"\x1bP$qm\x1b\\\x1bP$q\"p\x1b\\\x1bP+q544e;636f\x1b\\", len);
    "sixel": |len| bomb(b"\x1bPq\"1;1;9999;9999#0;2;0;0;0", b"#0!9999~-", b"\x1b\\", len);
    "kitty pictures": |len| bomb(b"\x1b_Ga=T,f=24,s=9999,v=9999,m=1;", b"QUJD", b"\x1b\\", len);
    "APC, PM and SOS": |len| again(b"\x1b_HOSTILE\x1b\\\x1b^HOSTILE\x1b\\\x1bXHOSTILE\x1b\\", len);
    "an APC that never ends": |len| bomb(b"\x1b_", b"C", b"", len);
    "an endless line": |len| again(b"x", len);
    "an endless line of wide characters": |len| again("漢".as_bytes(), len);
    "marks without end on one character": |len| bomb(b"e", "\u{301}".as_bytes(), b"", len);
    "marks on every character": |len| again("a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}".as_bytes(), len);
    "marks on nothing": |len| again("\u{301}\u{200d}\r\n".as_bytes(), len);
    "characters without width": |len| again("\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}".as_bytes(), len);
    "joined pictures": |len| again("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{1f3fd}\u{fe0f}\u{1f1e9}\u{1f1ea}".as_bytes(), len);
    "directions overridden": |len| again("\u{202e}gnorw\u{202c}\u{2066}x\u{2069}\u{200f}\u{200e}\u{61c}".as_bytes(), len);
    "language tags and variations": |len| again("x\u{e0041}\u{e0042}\u{e007f}\u{fe00}\u{e0100}".as_bytes(), len);
    "line and paragraph separators": |len| again("a\u{2028}b\u{2029}c\u{85}d".as_bytes(), len);
    "C1 controls in UTF-8": |len| again("\u{9b}2J\u{9d}0;HOSTILE\u{9c}\u{90}q\u{9c}\u{84}\u{85}\u{8d}\u{9f}x\u{9c}".as_bytes(), len);
    "C1 controls as bytes": |len| again(b"\x9b2J\x9d0;HOSTILE\x9c\x90q\x9c\x84\x85\x8d\x9fx\x9c", len);
    "invalid UTF-8": |len| again(b"\xff\xfe\xc0\xaf\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80\xf8\x88\x80\x80\x80\xc3(\xe2\x82", len);
    "UTF-8 cut by escapes": |len| again(b"\xe2\x1b[m\x82\xf0\x9f\x1b]0;x\x07\x92\xa9\xc3\r\n", len);
    "repetition": |len| again(b"x\x1b[99999999b\xe6\xbc\xa2\x1b[65535b", len);
    "huge numbers": |len| again(b"\x1b[99999999999999999999H\x1b[4294967296;2147483648H\x1b[65535A\x1b[65536B\x1b[32768C\x1b[99999D", len);
    "huge insertions": |len| again(b"\x1b[99999@\x1b[99999P\x1b[99999L\x1b[99999M\x1b[99999X\x1b[99999S\x1b[99999T\x1b[99999Z\x1b[99999I", len);
    "numbers without end": |len| bomb(b"\x1b[", b"9", b"m", len);
    "parameters without end": |len| bomb(b"\x1b[", b"1;", b"m", len);
    "colons without end": |len| bomb(b"\x1b[38", b":2", b"m", len);
    "intermediates without end": |len| bomb(b"\x1b[", b" ", b"q", len);
    "minus and private signs": |len| again(b"\x1b[-1A\x1b[?-1h\x1b[<1m\x1b[>9999999c\x1b[=1;2c\x1b[!p", len);
    "updates within updates": |len| again(b"\x1b[?2026hx\x1b[?2026h\x1b[2J\x1b[?2026$p\x1b[?2026l", len);
    "an update that never ends": |len| bomb(b"\x1b[?2026h", b"line\r\n", b"", len);
    "reports asked for": |len| again(b"\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[=c\x1b[?6n\x1b[18t\x1b[14t\x1b[21t\x1b[20t\x1b[?1$p\x1b[x\x1bZ\x05", len);
    "the clipboard read": |len| again(b"\x1b]52;c;?\x07\x1b]52;p;?\x1b\\", len);
    "the clipboard filled": |len| bomb(b"\x1b]52;c;", b"QUFB", b"\x07", len);
    "keyboard modes stacked": |len| again(b"\x1b[>1u\x1b[=31;1u\x1b[?u\x1b[>4;2m\x1b[?4m", len);
    "keyboard modes popped": |len| again(b"\x1b[<99u\x1b[<1u\x1b[>1u", len);
    "other screens in and out": |len| again(b"\x1b[?1049hx\x1b[?47h\x1b[?1047l\x1b[?1049l\x1b[?1048h\x1b[?1048l", len);
    "character sets": |len| again(b"\x1b(0qqq\x1b)A\x1b*B\x1b+0\x0e#\x0f\x1bn\x1bo\x1b|\x1b~\x1b%G\x1b%@\x1b(Bx", len);
    "margins": |len| again(b"\x1b[5;2r\x1b[0;99999r\x1b[24;24r\x1b[?6h\x1b[H\n\x1bM\x1b[?69h\x1b[3;2s\x1b[1;1r\x1b[9999L", len);
    "margins kept while scrolling": |len| bomb(b"\x1b[2;3r\x1b[3H", b"x\n\x1bM\x1b[2T", b"\x1b[r", len);
    "tab stops": |len| again(b"\x1bH\t\x1b[3g\t\t\x1b[g\x1b[9999I\x1b[9999Z\x1b[?5W\x1bH", len);
    "columns of another number": |len| again(b"\x1b[?3h\x1b[?40h\x1b[?3l\x1b[8;9999;9999t\x1b[8;1;1t\x1b#8\x1b#3\x1b#6", len);
    "mouse modes": |len| again(b"\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?1015h\x1b[?1016h\x1b[?1004h\x1b[?9h", len);
    "resets": |len| again(b"\x1bc\x1b[!pab\x1b[2J\x1b[3J", len);
    "bells": |len| again(b"\x07", len);
    "saved and restored": |len| again(b"\x1b7\x1b[99;99H\x1b8\x1b[s\x1b[u\x1b[?1048h", len);
    "backspaces and returns": |len| again(b"\x08\x08\r\x0b\x0c\x08x\x7f\x00\x0e\x0f\x1a\x18", len);
    "erased in every way": |len| again(b"\x1b[0J\x1b[1J\x1b[2J\x1b[3J\x1b[22J\x1b[9J\x1b[0K\x1b[1K\x1b[2K\x1b[?J\x1b[?K\x1b[$z\x1b[1;1;99;99$x", len);
    "escapes only": |len| again(b"\x1b", len);
    "zeros only": |len| again(b"\x00", len);
    "wide characters at the edge": |len| again("\x1b[999G漢\x1b[999G\x1b[D漢\x1b[D\x1b[X漢\x1b[P\x1b[@".as_bytes(), len);
    "wrapping off and wide": |len| again("\x1b[?7l漢字漢字漢字\x1b[?7h漢字\x1b[4h漢\x1b[4l".as_bytes(), len);
    "windows moved": |len| again(b"\x1b[3;0;0t\x1b[1t\x1b[2t\x1b[9;1t\x1b[10;2t\x1b[11t\x1b[13t\x1b[19t", len);
    "printing and downloads": |len| again(b"\x1b[5i\x1b[4i\x1b]1337;File=inline=1:QUJD\x07\x1b]9;9;HOSTILE\x07\x1b]777;notify;HOSTILE;x\x07\x1b]50;x\x07", len);
    "shell marks": |len| again(b"\x1b]133;A\x07\x1b]133;B\x07\x1b]133;C\x07\x1b]133;D;99999999999\x07\x1b]7;file://h/HOSTILE\x07\x1b]633;E;x\x07", len);
    "tmux and screen envelopes": |len| again(b"\x1bPtmux;\x1b\x1b]0;HOSTILE\x07\x1b\\\x1bkHOSTILE\x1b\\", len);
    "tek and other terminals": |len| again(b"\x1b[?38h\x1b\x0c\x1d !\"\x1f\x1b[?2l\x1b<", len);
};

/// Numbers that look like chance and are the same for the same seed (xorshift64*, Vigna 2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // A state of zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % limit.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T], otherwise: T) -> T {
        let index = self.below(all.len());
        all.get(index).copied().unwrap_or(otherwise)
    }
}

/// Some hostile bytes by chance: pieces of the list cut anywhere, sequences with any numbers, characters, noise.
pub(crate) fn by_chance(dice: &mut Dice, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 256);
    while out.len() < len {
        match dice.below(8) {
            0 | 1 => {
                let harm = HARMS.get(dice.below(HARMS.len()));
                let whole = harm.map(|harm| harm.bytes(40)).unwrap_or_default();
                let from = dice.below(whole.len());
                let to = from + dice.below(whole.len() - from + 1);
                out.extend(whole.get(from..to).unwrap_or_default());
            }
            2 | 3 => sequence(dice, &mut out),
            4 => out.extend((0..dice.below(20)).map(|_| dice.below(256) as u8)),
            5 => {
                let text = (0..dice.below(20)).filter_map(|_| {
                    let limit = dice.one_of(&[0x80, 0x800, 0x3000, 0xffff, 0x11_0000], 0x80);
                    char::from_u32(u32::try_from(dice.below(limit)).ok()?)
                });
                out.extend(text.collect::<String>().into_bytes());
            }
            6 => out.extend(again(b"\r\nword ", dice.below(60))),
            _ => {
                let text = dice.one_of(
                    &[
                        "漢字",
                        "e\u{301}",
                        "\u{1f468}\u{200d}\u{1f469}",
                        "x",
                        "\u{fe0f}",
                    ],
                    "x",
                );
                out.extend(again(text.as_bytes(), dice.below(200)));
            }
        }
    }
    out
}

fn sequence(dice: &mut Dice, out: &mut Vec<u8>) {
    out.extend_from_slice(dice.one_of(
        &[
            &b"\x1b["[..],
            b"\x1b[?",
            b"\x1b[>",
            b"\x1b",
            b"\xc2\x9b",
            b"\x9b",
        ],
        b"\x1b[",
    ));
    for _ in 0..dice.below(5) {
        let number = dice.one_of(
            &[
                0,
                1,
                2,
                5,
                24,
                80,
                1049,
                2026,
                9999,
                65_535,
                4_294_967_295u64,
            ],
            1,
        );
        out.extend_from_slice(number.to_string().as_bytes());
        out.push(dice.one_of(b";;;:", b';'));
    }
    if dice.below(6) == 0 {
        out.push(dice.one_of(b" !\"#$%'()*+", b' '));
    }
    out.push(0x40 + dice.below(0x3f) as u8);
}

/// What is wrong with bytes that are meant for a person's terminal of this size: everything but text and a few sequences
/// that only paint. `None` when nothing is.
pub(crate) fn reaches(bytes: &[u8], size: Size) -> Option<String> {
    reaches_ringing(bytes, size, 0)
}

/// The same where the bell may ring so many times: that is how one of a session is passed on, no more than one in a while.
pub(crate) fn reaches_ringing(bytes: &[u8], size: Size, most: u64) -> Option<String> {
    let mut bells = 0;
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Some("it is not UTF-8".to_owned());
    };
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() || steers(c)) {
        let tail = rest.get(at..).unwrap_or_default();
        if let Some(after) = tail.strip_prefix('\x07') {
            bells += 1;
            if bells > most {
                return Some(format!("the bell rings more than {most} times"));
            }
            rest = after;
            continue;
        }
        let Some(len) = painting(tail, size) else {
            let shown: String = tail.chars().take(30).collect();
            return Some(format!("{shown:?} is no painting"));
        };
        rest = tail.get(len..).unwrap_or_default();
    }
    None
}

fn steers(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The length of the painting sequence that `text` begins with, if it does.
fn painting(text: &str, size: Size) -> Option<usize> {
    if let Some(link) = text.strip_prefix("\x1b]8;") {
        let end = link.find("\x1b\\")?;
        let address = link.get(..end)?;
        let plain = address.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        return plain.then_some(4 + end + 2);
    }
    if let Some(title) = text.strip_prefix("\x1b]2;") {
        // Our own words for the window, one line of text.
        let end = title.find("\x1b\\")?;
        let plain = !title
            .get(..end)?
            .chars()
            .any(|c| c.is_control() || steers(c));
        return plain.then_some(4 + end + 2);
    }
    if text.starts_with('\r') {
        return Some(if text.starts_with("\r\n") { 2 } else { 1 });
    }
    let words = text.strip_prefix("\x1b[")?;
    let end = words.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':' | '?' | ' ')))?;
    let (numbers, last) = (words.get(..end)?, words.get(end..)?.chars().next()?);
    let number = |index: usize| numbers.split(';').nth(index)?.parse::<u16>().ok();
    let well = match last {
        'm' => !numbers.contains('?') && numbers.len() < 80,
        'H' => number(0).unwrap_or(1) <= size.rows && number(1).unwrap_or(1) <= size.cols,
        // The short ways: forward, erased cells, rows that move within a region.
        'C' | 'X' => number(0).unwrap_or(1) <= size.cols,
        'L' | 'M' => number(0).unwrap_or(1) <= size.rows,
        'r' => numbers.is_empty() || (number(0)? <= number(1)? && number(1)? <= size.rows),
        // Asks the terminal whether it is still there.
        'n' => numbers == "5",
        'J' | 'K' => matches!(numbers, "" | "0" | "1" | "2"),
        'q' => numbers.ends_with(' '),
        // The cursor, whole frames, and the mouse as far as a pane wants it.
        'h' | 'l' => matches!(numbers, "?25" | "?2026" | "?1002" | "?1003" | "?1006"),
        _ => false,
    };
    well.then_some(2 + end + last.len_utf8())
}

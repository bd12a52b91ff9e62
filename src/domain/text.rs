//! Makes foreign text harmless: what a host, a ticket or a file says can never steer the reader's terminal.

/// One line for a table cell or a title: control characters become visible pictures, line breaks a return sign.
///
/// Escape, the C1 controls and the bidirectional overrides all go, so that a name cannot move the cursor, recolour the
/// screen or show its letters in another order than they have.
pub fn line(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Several lines: as [`line`], but line feeds stay and tabs become four spaces.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c => out.push(harmless(c)),
        }
    }
    out
}

fn harmless(c: char) -> char {
    match c {
        '\n' | '\r' => '\u{23ce}',
        '\t' => ' ',
        // The Control Pictures block shows each C0 control as a small caption.
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_sent() {
        assert_eq!(line("web\x1b[31m1\x07"), "web␛[31m1␇");
        assert_eq!(line("a\u{9b}2Jb\u{202e}c"), "a\u{fffd}2Jb\u{fffd}c");
        assert_eq!(line("two\nlines"), "two⏎lines");
        assert_eq!(block("a\tb\r\nc\x1b]0;x\x07"), "a    b\nc␛]0;x␇");
        assert_eq!(line("größe 界"), "größe 界");
    }
}

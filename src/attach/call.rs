//! The bytes that call whoever sits at a terminal: its bell, and a notification of the desktop where it knows one.

use crate::config::Desktop;
use crate::domain::text::line;

/// The longest notification, in characters.
const LONGEST: usize = 200;

/// What the terminal is sent. The words are foreign: nothing in them may end the sequence or part its fields.
pub(super) fn bytes(bell: bool, desktop: Option<&(String, Desktop)>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some((words, how)) = desktop {
        let words: String = line(words).chars().take(LONGEST).collect();
        let words = words.replace(';', ",");
        let sequence = match how {
            Desktop::Osc9 => format!("\x1b]9;{words}\x1b\\"),
            Desktop::Osc777 => format!("\x1b]777;notify;Quarterdeck;{words}\x1b\\"),
        };
        out.extend(sequence.into_bytes());
    }
    if bell {
        out.push(0x07);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_stay_words() {
        let words = |how| Some(("db1: a;b\x1b]52;c;x\x07".to_owned(), how));
        assert_eq!(
            bytes(true, words(Desktop::Osc9).as_ref()),
            "\x1b]9;db1: a,b␛]52,c,x␇\x1b\\\x07".as_bytes()
        );
        assert_eq!(
            bytes(false, words(Desktop::Osc777).as_ref()),
            "\x1b]777;notify;Quarterdeck;db1: a,b␛]52,c,x␇\x1b\\".as_bytes()
        );
        assert_eq!(bytes(true, None), b"\x07");
    }
}

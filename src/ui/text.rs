//! Text in cells: how wide it is, cut and padded to a width. Everything foreign becomes harmless before it is measured.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::domain::text;

/// How many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to `columns`, the cut shown by `mark` (one column). A wide character that only half fits goes too.
pub(crate) fn fit(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let (mut out, mut used) = (String::new(), 0);
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide + 1 > columns {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    out.push_str(mark);
    out
}

/// `text` broken into lines of at most `columns`, at spaces where there are any. Leading spaces of a line stay, for code.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text::block(text).split('\n') {
        let (mut current, mut used) = (String::new(), 0);
        for word in line.split_word_bounds() {
            let wide = width(word);
            if used + wide > columns && used > 0 {
                lines.push(current.trim_end().to_owned());
                (current, used) = (String::new(), 0);
                if word.trim().is_empty() {
                    continue;
                }
            }
            if wide <= columns {
                current.push_str(word);
                used += wide;
                continue;
            }
            for grapheme in word.graphemes(true) {
                let wide = width(grapheme);
                if used + wide > columns && used > 0 {
                    lines.push(std::mem::take(&mut current));
                    used = 0;
                }
                current.push_str(grapheme);
                used += wide;
            }
        }
        lines.push(current.trim_end().to_owned());
    }
    lines
}

/// Nearest ASCII for the few characters that the screen itself uses, for terminals that have nothing else.
pub(crate) fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '…' => '~',
            '·' | '•' => '-',
            '›' | '→' => '>',
            '─' | '—' | '–' => '-',
            '│' => '|',
            '┌' | '┐' | '└' | '┘' => '+',
            '⏎' => '$',
            '\u{2400}'..='\u{2426}' => '^',
            c if c.is_ascii() => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_whole_characters() {
        for (text, columns, expected) in [
            ("web1", 4, "web1"),
            ("web12", 4, "web…"),
            ("界界界", 6, "界界界"),
            ("界界界", 5, "界界…"),
            ("界界界", 4, "界…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ] {
            assert_eq!(fit(text, columns, "…"), expected, "{text} in {columns}");
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anyway() {
        for (text, columns, expected) in [
            ("the disk is full", 8, vec!["the disk", "is full"]),
            ("abcdefgh", 3, vec!["abc", "def", "gh"]),
            ("a\n\nb", 5, vec!["a", "", "b"]),
            ("  df -h", 20, vec!["  df -h"]),
            ("x\x1b[2Jy", 20, vec!["x␛[2Jy"]),
            ("", 5, vec![""]),
            ("界界", 1, vec!["界", "界"]),
        ] {
            assert_eq!(wrap(text, columns), expected, "{text}");
        }
    }
}

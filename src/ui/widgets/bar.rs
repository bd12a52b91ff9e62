//! Small drawings in a line of text: a fill bar and a series over time. No Braille: it is noise on a Braille display.

use crate::ui::paint::Look;

/// A share of a whole as `████░░░░`, `columns` wide.
pub(crate) fn fill(percent: f32, columns: usize, look: &Look) -> String {
    let (full, empty) = (look.glyph("█", "#"), look.glyph("░", "."));
    let share = f64::from(percent.clamp(0.0, 100.0)) / 100.0;
    let filled = (share * columns as f64).round() as usize;
    full.repeat(filled.min(columns)) + &empty.repeat(columns - filled.min(columns))
}

/// The last `columns` values as blocks from `▁` to `█`, between 0 and `max`; a value that is missing is a blank.
pub(crate) fn series(values: &[Option<f32>], max: f32, columns: usize, look: &Look) -> String {
    let steps: Vec<char> = look.glyph("▁▂▃▄▅▆▇█", "_.:-=+*#").chars().collect();
    let skip = values.len().saturating_sub(columns);
    let mut text = " ".repeat(columns.saturating_sub(values.len()));
    for value in values.iter().skip(skip) {
        text.push(match value {
            Some(value) if max > 0.0 && value.is_finite() => {
                let top = steps.len().saturating_sub(1);
                let step = ((value / max).clamp(0.0, 1.0) * top as f32).round() as usize;
                steps.get(step).copied().unwrap_or(' ')
            }
            Some(_) => steps.first().copied().unwrap_or(' '),
            None => ' ',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Caps, Colors, Theme};

    fn look(unicode: bool) -> Look {
        Look {
            theme: Theme::default(),
            caps: Caps {
                colors: Colors::None,
                unicode,
            },
            spoken: false,
        }
    }

    #[test]
    fn a_fill_and_a_series_have_exactly_their_width() {
        for (percent, expected) in [
            (0.0, "...."),
            (50.0, "##.."),
            (100.0, "####"),
            (300.0, "####"),
            (-5.0, "...."),
        ] {
            assert_eq!(fill(percent, 4, &look(false)), expected);
        }
        let values = [Some(0.0), Some(50.0), None, Some(100.0), Some(f32::NAN)];
        assert_eq!(series(&values, 100.0, 7, &look(false)), "  _= #_");
        assert_eq!(series(&values, 100.0, 2, &look(true)), "█▁");
        assert_eq!(series(&[Some(1.0)], 0.0, 1, &look(true)), "▁");
    }
}

//! The recent past of one host: a bounded ring of samples, and little charts of it.

use std::collections::VecDeque;

use crate::domain::sample::Sample;

/// How many samples are kept of a host: ten minutes when it is looked at, five hours when it is not.
pub const KEPT: usize = 300;

/// The latest samples of one host, oldest first. When it is full the oldest sample goes.
#[derive(Clone, Debug, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
}

impl Series {
    /// Adds a sample.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() >= KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The latest sample.
    pub fn last(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// All samples, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// One value of every sample that has it, oldest first.
    pub fn values(&self, value: impl Fn(&Sample) -> Option<f32>) -> Vec<f32> {
        self.samples.iter().filter_map(value).collect()
    }
}

/// The last `width` values as heights from 0 to 8: 0 is the floor, 8 the ceiling.
///
/// `ceiling` is 100 for shares in percent; without it the greatest value is the ceiling. What is no number is 0.
pub fn sparkline(values: &[f32], width: usize, ceiling: Option<f32>) -> Vec<u8> {
    let shown = values
        .get(values.len().saturating_sub(width)..)
        .unwrap_or_default();
    let greatest = shown
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0f32, f32::max);
    let ceiling = ceiling.unwrap_or(greatest);
    shown
        .iter()
        .map(|value| {
            if !value.is_finite() || ceiling <= 0.0 || *value <= 0.0 {
                return 0;
            }
            // What is not nothing is seen: the lowest bar is 1.
            (value / ceiling * 8.0).round().clamp(1.0, 8.0) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut series = Series::default();
        assert!(series.is_empty());
        for at in 0..1_000 {
            series.push(Sample {
                at: Time(at),
                cpu_percent: (at % 2 == 0).then_some(5.0),
                ..Sample::default()
            });
        }
        assert_eq!(series.len(), KEPT);
        assert_eq!(
            series.iter().next().map(|sample| sample.at),
            Some(Time(700))
        );
        assert_eq!(series.last().map(|sample| sample.at), Some(Time(999)));
        assert_eq!(series.values(|sample| sample.cpu_percent).len(), KEPT / 2);
    }

    #[test]
    fn heights() {
        for (values, width, ceiling, heights) in [
            (vec![], 4, None, vec![]),
            (vec![0.0, 0.0], 4, None, vec![0, 0]),
            (vec![0.0, 50.0, 100.0], 4, Some(100.0), vec![0, 4, 8]),
            (vec![1.0, 2.0, 4.0], 2, None, vec![4, 8]),
            (vec![0.1, 200.0], 4, Some(100.0), vec![1, 8]),
            (
                vec![f32::NAN, f32::INFINITY, -3.0, 1.0],
                9,
                None,
                vec![0, 0, 0, 8],
            ),
        ] {
            assert_eq!(sparkline(&values, width, ceiling), heights, "{values:?}");
        }
    }
}

//! The fuzzy filter of lists: words in any order, each matched loosely, best rows first.
//!
//! Three things keep it fast on ten thousand hosts: a row whose letters cannot contain the word is rejected by a mask of
//! 64 bits before the matcher is asked; a longer query only looks at the survivors of the shorter one; and positions are
//! computed only for rows that match.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

/// A row that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<I> {
    /// Which row.
    pub id: I,
    /// How well; larger is better.
    pub score: i64,
    /// Which characters of the row's text matched, ascending.
    pub positions: Vec<usize>,
}

/// Rows, a query, and which rows match it.
#[derive(Clone, Debug)]
pub struct Filter<I> {
    rows: Vec<Row<I>>,
    query: String,
    /// Indices into `rows` of what matches, in the rows' order: where a longer query goes on from.
    survivors: Vec<usize>,
    hits: Vec<Hit<I>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row<I> {
    id: I,
    text: String,
    mask: u64,
}

impl<I> Default for Filter<I> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            query: String::new(),
            survivors: Vec::new(),
            hits: Vec::new(),
        }
    }
}

impl<I: Clone + PartialEq> Filter<I> {
    /// Replaces the rows; nothing is computed when they are the same as before.
    pub fn set_rows(&mut self, rows: impl IntoIterator<Item = (I, String)>) {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(id, text)| Row {
                id,
                mask: mask(&text),
                text,
            })
            .collect();
        if rows != self.rows {
            self.rows = rows;
            self.survivors = (0..self.rows.len()).collect();
            self.search();
        }
    }

    /// Whether the rows are these, in this order.
    pub fn has_rows(&self, ids: &[I]) -> bool {
        self.rows.len() == ids.len() && self.rows.iter().zip(ids).all(|(row, id)| row.id == *id)
    }

    /// Replaces the query. A query that only grew narrows what matched before.
    pub fn set_query(&mut self, query: &str) {
        if query == self.query {
            return;
        }
        if !query.starts_with(&self.query) {
            self.survivors = (0..self.rows.len()).collect();
        }
        query.clone_into(&mut self.query);
        self.search();
    }

    /// What matches, best first; rows that match equally well keep their order. Without a query that is every row.
    pub fn hits(&self) -> &[Hit<I>] {
        &self.hits
    }

    /// The query.
    pub fn query(&self) -> &str {
        &self.query
    }

    fn search(&mut self) {
        // The matcher keeps scratch space in cells, which is why it lives no longer than this call.
        let matcher = SkimMatcherV2::default().use_cache(true);
        let words: Vec<(&str, u64)> = self
            .query
            .split_whitespace()
            .map(|word| (word, mask(word)))
            .collect();
        let mut kept = Vec::with_capacity(self.survivors.len());
        let mut hits = Vec::new();
        for &index in &self.survivors {
            let Some(row) = self.rows.get(index) else {
                continue;
            };
            if let Some((score, positions)) = score(&matcher, row, &words) {
                kept.push(index);
                hits.push(Hit {
                    id: row.id.clone(),
                    score,
                    positions,
                });
            }
        }
        // The sort is stable, so equal rows stay in the order of the list.
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.score));
        self.survivors = kept;
        self.hits = hits;
    }
}

fn score<I>(
    matcher: &SkimMatcherV2,
    row: &Row<I>,
    words: &[(&str, u64)],
) -> Option<(i64, Vec<usize>)> {
    let (mut total, mut positions) = (0, Vec::new());
    for (word, letters) in words {
        if letters & !row.mask != 0 {
            return None;
        }
        let (score, found) = matcher.fuzzy_indices(&row.text, word)?;
        total += score;
        positions.extend(found);
    }
    positions.sort_unstable();
    positions.dedup();
    Some((total, positions))
}

/// Which characters occur, case folded: a letter or digit has its own bit, everything else shares the last ones.
fn mask(text: &str) -> u64 {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .fold(0, |mask, c| {
            mask | 1
                << match c {
                    'a'..='z' => c as u32 - 'a' as u32,
                    '0'..='9' => 26 + (c as u32 - '0' as u32),
                    '-' => 36,
                    '.' => 37,
                    '_' => 38,
                    other => 39 + other as u32 % 25,
                }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str, rows: &[&str]) -> Vec<String> {
        let mut filter = Filter::default();
        filter.set_rows(rows.iter().map(|row| (row.to_string(), row.to_string())));
        filter.set_query(query);
        filter.hits().iter().map(|hit| hit.id.clone()).collect()
    }

    #[test]
    fn words_match_in_any_order_and_the_best_comes_first() {
        let rows = ["db1 production", "web1 production", "web2 lab", "größe"];
        for (query, expected) in [
            (
                "",
                vec!["db1 production", "web1 production", "web2 lab", "größe"],
            ),
            ("prod web", vec!["web1 production"]),
            ("web", vec!["web1 production", "web2 lab"]),
            ("wb2", vec!["web2 lab"]),
            ("GRÖ", vec![]),
            ("grö", vec!["größe"]),
            ("zzz", vec![]),
        ] {
            assert_eq!(filter(query, &rows), expected, "{query}");
        }
        assert_eq!(filter("web1", &["w-e-b-1", "web1"])[0], "web1");
    }

    #[test]
    fn a_longer_query_narrows_and_a_shorter_one_widens() {
        let mut filter = Filter::default();
        filter.set_rows([(1, "alpha".to_owned()), (2, "alps".to_owned())]);
        for (query, count) in [
            ("al", 2),
            ("alp", 2),
            ("alph", 1),
            ("alp", 2),
            ("x", 0),
            ("", 2),
        ] {
            filter.set_query(query);
            assert_eq!(filter.hits().len(), count, "{query:?}");
        }
        filter.set_query("alph");
        assert_eq!(filter.hits()[0].positions, [0, 1, 2, 3]);
        filter.set_rows([(3, "alphabet".to_owned())]);
        assert_eq!(filter.hits()[0].id, 3);
    }
}

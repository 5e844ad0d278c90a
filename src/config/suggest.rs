//! "Did you mean": the known name nearest to a mistyped one.

/// Returns the candidate that `typed` is most likely a misspelling of, if any is near enough.
pub(super) fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (typed.len() / 3).max(1);
    let scored = candidates.map(|candidate| (distance(typed, candidate), candidate));
    scored
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(line + 1);
        for ((to, above), above_right) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let replaced = above + usize::from(from != *to);
            let left = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push(replaced.min(above_right + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshtein() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["commit.interval", "commit.mode", "http.listen"];
        assert_eq!(nearest("comit.intervall", names.into_iter()), Some("commit.interval"));
        assert_eq!(nearest("sink", names.into_iter()), None);
    }
}

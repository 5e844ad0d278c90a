//! Two sequences in the order of one key, compared row by row without holding either.

use std::fmt::Debug;

use crate::error::OracleError;
use crate::report::Findings;

/// A table and what it must hold.
pub(super) struct Merge<'f, I, K> {
    pub(super) table: &'static str,
    /// The rows that must be there, in the order of their keys.
    pub(super) expected: I,
    /// Below every key.
    pub(super) start: K,
    pub(super) findings: &'f mut Findings,
}

impl<R, K, I> Merge<'_, I, K>
where
    R: PartialEq + Debug,
    K: Ord + Copy,
    I: Iterator<Item = R>,
{
    /// Compares all pages of the table; returns how many rows it has.
    pub(super) async fn run(
        self,
        key: impl Fn(&R) -> K,
        mut page: impl AsyncFnMut(K) -> Result<Vec<R>, OracleError>,
    ) -> Result<u64, OracleError> {
        let Merge { table, expected, start, findings } = self;
        let mut expected = expected.peekable();
        let (mut after, mut count) = (start, 0);
        loop {
            let rows = page(after).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                after = key(&row);
                count += 1;
                findings.looked_at();
                while let Some(missing) = expected.next_if(|row| key(row) < after) {
                    findings.differ(|| format!("PostgreSQL {table}: absent, expected {missing:?}"));
                }
                match expected.next_if(|row| key(row) == after) {
                    Some(expected) if expected == row => {}
                    Some(expected) => {
                        findings
                            .differ(|| format!("PostgreSQL {table}: found {row:?}, expected {expected:?}"));
                    }
                    None => {
                        findings.differ(|| format!("PostgreSQL {table}: found {row:?}, no output led to it"))
                    }
                }
            }
        }
        for missing in expected {
            findings.looked_at();
            findings.differ(|| format!("PostgreSQL {table}: absent, expected {missing:?}"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::Merge;
    use crate::report::{Findings, Outcome, Title};

    async fn problems(expected: &[(i32, char)], found: &[(i32, char)]) -> Vec<String> {
        let mut findings = Findings::default();
        let rows = expected.iter().copied();
        let merge = Merge { table: "t", expected: rows, start: 0, findings: &mut findings };
        let page = async |after| Ok(found.iter().filter(|row| row.0 > after).take(2).copied().collect());
        let count = merge.run(|row| row.0, page).await.unwrap();
        assert_eq!(usize::try_from(count), Ok(found.len()));
        findings.looked_at();
        match findings.conclude(Title { id: "t", text: "t" }, String::new()).outcome {
            Outcome::Failed { differences, .. } => differences,
            _ => Vec::new(),
        }
    }

    #[tokio::test]
    async fn pages_are_merged_and_every_difference_is_named() {
        let good = [(1, 'a'), (3, 'b'), (4, 'c'), (9, 'd'), (11, 'e')];
        assert_eq!(problems(&good, &good).await, [""; 0]);
        let absent = problems(&good, &good[1..4]).await;
        assert!(absent.len() == 2 && absent[0].contains("'a'") && absent[1].contains("'e'"), "{absent:?}");
        let extra = problems(&good[1..4], &good).await;
        assert!(extra.len() == 2 && extra[0].contains("no output"), "{extra:?}");
        let other = problems(&good, &[(1, 'a'), (3, 'x'), (4, 'c'), (9, 'd'), (11, 'e')]).await;
        assert!(other.len() == 1 && other[0].contains("found (3, 'x'), expected (3, 'b')"), "{other:?}");
    }
}

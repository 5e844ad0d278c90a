//! Samples of Prometheus's text format, as far as sums over labels need it.

/// A scrape.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(String);

impl Samples {
    /// Takes a scrape's text.
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the sum of a family's samples that have every one of `labels`; 0 when there are none.
    ///
    /// Negative and fractional values do not occur in what is asked for here: such a sample counts as 0.
    pub(super) fn sum(&self, family: &str, labels: &[(&str, &str)]) -> u64 {
        let mut sum = 0_u64;
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, inside) = series.split_once('{').unwrap_or((series, ""));
            let has = |(label, wanted): &(&str, &str)| inside.contains(&format!("{label}=\"{wanted}\""));
            if name == family && labels.iter().all(has) {
                sum = sum.saturating_add(whole(value).unwrap_or_default());
            }
        }
        sum
    }

    /// Tells whether the family has any sample.
    pub(super) fn has(&self, family: &str) -> bool {
        let begins = |line: &str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']));
        self.0.lines().any(begins)
    }
}

fn whole(value: &str) -> Option<u64> {
    value.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn sums_by_label() {
        let text = "# HELP a_total x\n# TYPE a_total counter\na_total{outcome=\"committed\",t=\"0\"} 5\n\
            a_total{outcome=\"committed\",t=\"1\"} 7\na_total{outcome=\"aborted\",t=\"0\"} 2\na_totals 100\nb 3\nc -1\n";
        let samples = Samples::new(text.to_owned());
        assert_eq!(samples.sum("a_total", &[("outcome", "committed")]), 12);
        assert_eq!(samples.sum("a_total", &[]), 14);
        assert_eq!(samples.sum("b", &[]), 3);
        assert_eq!(samples.sum("c", &[]), 0);
        assert_eq!(samples.sum("none", &[]), 0);
        assert!(samples.has("a_total") && samples.has("b") && !samples.has("a_tot"));
    }
}

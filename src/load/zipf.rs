//! Which user comes next: all alike, or a few of them most of the time.

use super::random::Random;

/// Draws ranks `1..=n` with a probability proportional to `1 / rank^exponent`.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    users: u64,
    /// Sum of the weights up to each rank; empty when all ranks are alike.
    cumulated: Vec<f64>,
}

impl Zipf {
    /// Prepares the table: 8 bytes per user, none for an exponent of 0.
    pub(super) fn new(users: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let ranks = if exponent > 0.0 { users } else { 0 };
        let cumulated = (1..=ranks)
            .map(|rank| {
                sum += (rank as f64).powf(exponent).recip();
                sum
            })
            .collect();
        Self { users, cumulated }
    }

    /// Draws a rank.
    pub(super) fn draw(&self, random: &mut Random) -> u64 {
        match self.cumulated.last() {
            None => 1 + random.below(self.users),
            Some(total) => {
                let at = random.unit() * total;
                let rank = 1 + self.cumulated.partition_point(|sum| *sum <= at) as u64;
                rank.min(self.users)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Zipf;
    use crate::load::Random;

    fn counts(exponent: f64) -> [u32; 10] {
        let (zipf, mut random) = (Zipf::new(10, exponent), Random::new(3));
        let mut counts = [0; 10];
        for _ in 0..100_000 {
            let rank = zipf.draw(&mut random);
            counts[usize::try_from(rank).unwrap() - 1] += 1;
        }
        counts
    }

    #[test]
    fn an_exponent_of_zero_is_uniform() {
        assert!(counts(0.0).iter().all(|n| (9_500..10_500).contains(n)), "{:?}", counts(0.0));
    }

    #[test]
    fn an_exponent_of_one_halves_the_second_rank() {
        let counts = counts(1.0);
        let first = f64::from(counts[0]);
        for (rank, count) in (1_u32..).zip(counts) {
            let ratio = f64::from(count) * f64::from(rank) / first;
            assert!((0.9..1.1).contains(&ratio), "rank {rank}: {ratio}");
        }
    }
}

//! What a round is like, drawn from its seed.

use crate::support::Random;

use super::fault::Kind;

/// Parameters of one round.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Seats; how many of them are taken at the beginning.
    pub(super) seats: usize,
    pub(super) begin: usize,
    /// Seconds with faults.
    pub(super) seconds: u64,
    /// Kinds of faults that this round has.
    pub(super) kinds: Vec<Kind>,
    /// Longest time between two faults, ms.
    pub(super) gap_max_ms: u64,
    /// Configuration of all processes.
    pub(super) settings: Vec<(&'static str, String)>,
    /// Arguments of the load.
    pub(super) load: Vec<String>,
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[usize::try_from(random.between(0, of.len() as u64)).unwrap()]
}

impl Plan {
    /// Draws the plan of `seed`; `all` are the kinds to choose from.
    pub(super) fn of(seed: u64, all: &[Kind], seconds: Option<u64>) -> Self {
        let mut random = Random(seed ^ 0x0007_0a7c_41e5);
        let r = &mut random;
        let seats = pick(r, &[1, 2, 2, 3, 3, 4]);
        let begin = usize::try_from(r.between(1, seats as u64 + 1)).unwrap();
        let seconds = seconds.unwrap_or_else(|| r.between(15, 45));
        // A third to all of the kinds, at least two.
        let share = r.between(30, 101);
        let mut kinds: Vec<Kind> = all.iter().copied().filter(|_| r.between(0, 100) < share).collect();
        while kinds.len() < 2 {
            kinds.push(pick(r, all));
        }
        let rate: u64 = pick(r, &[300, 600, 600, 1200, 2500]);
        let settings = vec![
            ("MILLPOND_TRANSACTION__TIMEOUT", pick(r, &["4s", "4s", "10s"]).to_owned()),
            ("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "6s".to_owned()),
            ("MILLPOND_SHUTDOWN__TIMEOUT", "8s".to_owned()),
            ("MILLPOND_COMMIT__INTERVAL", pick(r, &["10ms", "50ms", "100ms", "400ms"]).to_owned()),
            ("MILLPOND_THREADS", pick(r, &["1", "2", "3"]).to_owned()),
            ("MILLPOND_MEMBERSHIP__LEAVE", pick(r, &["auto", "always"]).to_owned()),
            ("MILLPOND_STATE__FLUSH_ROWS", pick(r, &["200", "2000", "250000"]).to_owned()),
            ("MILLPOND_STATE__FLUSH_INTERVAL", pick(r, &["1s", "10s"]).to_owned()),
            ("MILLPOND_STATE__MEMORY_BUDGET", pick(r, &["32MiB", "256MiB"]).to_owned()),
        ];
        let mut load: Vec<String> = [
            ("--users", pick(r, &[20, 300, 3000]).to_string()),
            ("--orders", ((seconds + 4) * rate).to_string()),
            ("--rate", rate.to_string()),
            ("--seed", seed.to_string()),
            ("--zipf", pick(r, &["0", "0.99"]).to_owned()),
            ("--duplicates", pick(r, &["0.01", "0.2"]).to_owned()),
            ("--others", pick(r, &["0.05", "0.4"]).to_owned()),
            ("--bad", pick(r, &["0.002", "0.05"]).to_owned()),
        ]
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect();
        if r.between(0, 3) == 0 {
            load.push("--transactional".to_owned());
        }
        let gap_max_ms = pick(r, &[800, 2000, 5000]);
        Self { seats, begin, seconds, kinds, gap_max_ms, settings, load }
    }
}

//! Incarnations and nonces: what tells one transaction from every other.

use std::fmt;
use std::str::FromStr;

/// One acquisition of a task by one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// 64 random bits drawn at process start.
    pub process: u64,
    /// Number of the acquisition within the process.
    pub acquisition: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.process, self.acquisition)
    }
}

/// The metadata string of the offsets that a transaction commits; see `docs/formats.md`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce {
    /// Acquisition of the task.
    pub incarnation: Incarnation,
    /// Sequence of the task's transaction, as in the marker.
    pub sequence: u64,
    /// Redo count of that sequence.
    pub attempt: u32,
    /// Transactional id of the producer.
    pub transactional_id: String,
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mp1;{};{};{};{}", self.incarnation, self.sequence, self.attempt, self.transactional_id)
    }
}

/// Says that offset metadata is not a nonce of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("offset metadata `{0}` is not one that millpond writes")]
pub struct ParseNonceError(pub String);

impl FromStr for Nonce {
    type Err = ParseNonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // One transaction has one nonce: signs, leading zeros and capitals are not what millpond writes.
        let nonce = parse(text).filter(|nonce| nonce.to_string() == text);
        nonce.ok_or_else(|| ParseNonceError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Nonce> {
    let mut parts = text.splitn(5, ';');
    let is_printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if parts.next()? != "mp1" || !is_printable {
        return None;
    }
    let (process, acquisition) = parts.next()?.split_once('-')?;
    let incarnation = Incarnation {
        process: (process.len() == 16).then(|| u64::from_str_radix(process, 16).ok())??,
        acquisition: acquisition.parse().ok()?,
    };
    let sequence = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.parse().ok()?;
    let transactional_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
    Some(Nonce { incarnation, sequence, attempt, transactional_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_the_rest() {
        let nonce = Nonce {
            incarnation: Incarnation { process: 0xab, acquisition: 7 },
            sequence: 12,
            attempt: 1,
            transactional_id: "app-i;x-0-a".into(),
        };
        let text = nonce.to_string();
        assert_eq!(text, "mp1;00000000000000ab-7;12;1;app-i;x-0-a");
        assert_eq!(text.parse(), Ok(nonce));
        for wrong in
            ["", "mp1", "mp2;00000000000000ab-7;12;1;x", "mp1;ab-7;12;1;x", "mp1;00000000000000ab-7;12;x"]
        {
            assert!(wrong.parse::<Nonce>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_other_spelling_of_a_nonce_is_one() {
        for wrong in [
            "mp1;+0000000000000ab-7;12;1;x",
            "mp1;00000000000000AB-7;12;1;x",
            "mp1;00000000000000ab-+7;12;1;x",
            "mp1;00000000000000ab-07;12;1;x",
            "mp1;00000000000000ab-7;+12;1;x",
            "mp1;00000000000000ab-7;12;01;x",
            "mp1;00000000000000ab-7;12;1;",
            "mp1;00000000000000ab-7;12;1;\u{e9}",
        ] {
            assert!(wrong.parse::<Nonce>().is_err(), "{wrong}");
        }
    }
}

//! Reads both inputs, judges every record and compares the bad ones with their dead letters.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use super::cut::Cut;
use super::letters::{Letter, Letters};
use crate::code::Code;
use crate::error::OracleError;
use crate::event::Input;
use crate::fingerprint;
use crate::judge::{Candidate, judge};
use crate::kafka::{TopicSpan, read_topic, timestamp_ms};
use crate::place::{Names, Place, Side};
use crate::report::Findings;
use crate::target::Target;

/// `timestamp.max_ahead`, 24 h.
const AHEAD_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// How far the clocks of processor and judge may differ, and a batch's clock lie behind.
const CLOCK_TOLERANCE_MS: i64 = 10 * 60 * 1_000;

/// Every input below the cut.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Valid ones, as read.
    pub(crate) records: Vec<Input>,
    pub(crate) findings: Findings,
    /// Bad records.
    pub(crate) bad: u64,
    /// Data records at or above the cut.
    pub(crate) unprocessed: u64,
}

/// Reads both inputs to their ends.
pub(crate) fn read_inputs(
    target: &Target,
    spans: &[TopicSpan; 2],
    cut: &Cut,
    letters: &Letters,
) -> Result<Inputs, OracleError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
    let names = target.topics.names();
    let (inputs, met) = (Inputs::default(), HashSet::new());
    let mut reader = Reader { letters, names: &names, now_ms, met, inputs };
    for (side, span) in Side::BOTH.into_iter().zip(spans) {
        let partitions = span.partitions();
        read_topic(target, span, &mut |message| {
            let place = Place { side, partition: message.partition(), offset: message.offset() };
            if cut.contains(place) {
                reader.record(place, partitions, message);
            } else {
                reader.inputs.unprocessed += 1;
            }
        })?;
    }
    reader.report_unfounded(cut);
    Ok(reader.inputs)
}

struct Reader<'a> {
    letters: &'a Letters,
    names: &'a Names,
    now_ms: i64,
    /// Inputs that have a dead letter and were read.
    met: HashSet<Place>,
    inputs: Inputs,
}

impl Reader<'_> {
    fn record(&mut self, place: Place, partitions: i32, message: &BorrowedMessage<'_>) {
        self.inputs.findings.looked_at();
        let timestamp_ms = timestamp_ms(message);
        let (side, partition) = (place.side, place.partition);
        let (key, value) = (message.key(), message.payload());
        let verdict = judge(&Candidate { side, partition, partitions, timestamp_ms, key, value });
        let letter = self.letters.of(place);
        if let Some(letter) = letter {
            self.met.insert(place);
            self.compare_bytes(place, letter, message);
        }
        let found = letter.map(|letter| (letter.known_code(), letter));
        let verdict = verdict.and_then(|good| self.judge_clock(timestamp_ms, found).map_or(Ok(good), Err));
        match verdict {
            Err(code) => {
                self.inputs.bad += 1;
                self.compare_code(place, code, timestamp_ms, found);
            }
            Ok((user, body)) => {
                self.require_known_code(place, letter);
                let dead = letter.and_then(Letter::known_code);
                let trace = fingerprint::of_trace(message.headers());
                self.inputs.records.push(Input { place, timestamp_ms, user, trace, dead, body });
            }
        }
    }

    /// Judges the second half of rule 1.
    fn judge_clock(&self, timestamp_ms: i64, found: Option<(Option<Code>, &Letter)>) -> Option<Code> {
        let is_claim = |(code, _): &(Option<Code>, &Letter)| *code == Some(Code::InvalidTimestamp);
        let claimed_ms = found.filter(is_claim).map(|(_, letter)| letter.timestamp_ms);
        is_ahead(timestamp_ms, self.now_ms, claimed_ms).then_some(Code::InvalidTimestamp)
    }

    fn compare_code(
        &mut self,
        place: Place,
        expected: Code,
        timestamp_ms: i64,
        found: Option<(Option<Code>, &Letter)>,
    ) {
        let here = self.names.show(place);
        match found {
            None => {
                self.inputs.findings.differ(|| format!("{here}: dead letter {expected} expected, none found"))
            }
            Some((Some(code), _)) if code == expected => {}
            // A record may be ahead of the clock and broken: rule 1 wins.
            Some((Some(Code::InvalidTimestamp), _)) if self.judge_clock(timestamp_ms, found).is_some() => {}
            Some((_, letter)) => {
                let code = &letter.code;
                self.inputs.findings.differ(|| format!("{here}: dead letter {code}, expected {expected}"));
            }
        }
    }

    /// Names a dead letter whose code is none of the closed list; the fold could not.
    fn require_known_code(&mut self, place: Place, letter: Option<&Letter>) {
        if let Some(letter) = letter.filter(|letter| letter.known_code().is_none()) {
            let (here, code) = (self.names.show(place), &letter.code);
            self.inputs.findings.differ(|| format!("{here}: dead letter with the unknown code {code}"));
        }
    }

    fn compare_bytes(&mut self, place: Place, letter: &Letter, message: &BorrowedMessage<'_>) {
        let mut wrong = Vec::new();
        if letter.key != fingerprint::of_bytes(message.key()) {
            wrong.push("key");
        }
        if !carries(letter, message.payload()) {
            wrong.push("value");
        }
        if !has_timestamp(letter, timestamp_ms(message)) {
            wrong.push("timestamp");
        }
        if letter.headers != fingerprint::of_original_headers(message.headers()) {
            wrong.push("headers");
        }
        if !wrong.is_empty() {
            let (here, partition, offset) = (self.names.show(place), letter.partition, letter.offset);
            let wrong = wrong.join(", ");
            self.inputs.findings.differ(|| {
                format!("{here}: {wrong} differ in its dead letter at partition {partition}, offset {offset}")
            });
        }
    }

    /// Names the dead letters whose input does not exist.
    fn report_unfounded(&mut self, cut: &Cut) {
        for (place, at) in &self.letters.by_source {
            if cut.contains(*place) && !self.met.contains(place) {
                let letter = self.letters.all.get(*at).map(|letter| (letter.partition, letter.offset));
                let here = self.names.show(*place);
                self.inputs.findings.differ(|| format!("{here}: no record, but a dead letter at {letter:?}"));
            }
        }
    }
}

/// Tells whether a dead letter carries a value, whole or cut with its length and digest.
fn carries(letter: &Letter, value: Option<&[u8]>) -> bool {
    let Some((length, sha256)) = &letter.whole else {
        return letter.value == fingerprint::of_bytes(value);
    };
    let Some((value, kept)) = value.and_then(|value| Some((value, value.get(..letter.value_length)?))) else {
        return false;
    };
    letter.value == fingerprint::of_bytes(Some(kept))
        && kept.len() < value.len()
        && **length == *value.len().to_string()
        && **sha256 == *fingerprint::hex(value)
}

/// Tells whether a dead letter has its input's timestamp: as its own, or in a header where the broker would
/// refuse it. librdkafka cannot write 0.
fn has_timestamp(letter: &Letter, timestamp_ms: i64) -> bool {
    match &letter.original_timestamp {
        Some(text) => **text == *timestamp_ms.to_string(),
        None => letter.timestamp_ms == timestamp_ms || timestamp_ms == 0,
    }
}

/// Tells whether a timestamp was more than 24 h ahead of the clock; `claimed_ms` is the time at which a dead
/// letter says so. Both answers are certain but for the clocks' tolerance.
fn is_ahead(timestamp_ms: i64, now_ms: i64, claimed_ms: Option<i64>) -> bool {
    let ahead_of = |clock_ms: i64| timestamp_ms.saturating_sub(AHEAD_MS_MAX).saturating_sub(clock_ms);
    // What is too far ahead even now was so when it was processed.
    let is_still_ahead = ahead_of(now_ms) > CLOCK_TOLERANCE_MS;
    is_still_ahead || claimed_ms.is_some_and(|claimed_ms| ahead_of(claimed_ms) > -CLOCK_TOLERANCE_MS)
}

#[cfg(test)]
mod tests {
    use super::{AHEAD_MS_MAX, carries, has_timestamp, is_ahead};
    use crate::fingerprint;
    use crate::gather::Letter;

    const HOUR_MS: i64 = 3_600_000;
    const NOW_MS: i64 = 1_795_165_954_123;

    #[test]
    fn a_timestamp_is_ahead_when_it_still_is_or_was_by_the_claim() {
        assert!(is_ahead(NOW_MS + AHEAD_MS_MAX + HOUR_MS, NOW_MS, None));
        assert!(!is_ahead(NOW_MS + HOUR_MS, NOW_MS, None));
        let processed_ms = NOW_MS - 48 * HOUR_MS;
        assert!(is_ahead(processed_ms + AHEAD_MS_MAX + 1, NOW_MS, Some(processed_ms)));
        assert!(!is_ahead(processed_ms + AHEAD_MS_MAX - HOUR_MS, NOW_MS, Some(processed_ms)));
        assert!(is_ahead(i64::MAX, NOW_MS, None) && !is_ahead(0, NOW_MS, Some(NOW_MS)));
    }

    fn letter(value: &[u8], whole: Option<(&str, &str)>) -> Letter {
        Letter {
            partition: 0,
            offset: 0,
            app: "a".into(),
            topic: "t".into(),
            source_partition: 0,
            source_offset: 0,
            code: "TOO_LARGE".into(),
            timestamp_ms: 5,
            original_timestamp: None,
            key: fingerprint::of_bytes(None),
            value: fingerprint::of_bytes(Some(value)),
            value_length: value.len(),
            whole: whole.map(|(length, sha256)| (length.into(), sha256.into())),
            headers: fingerprint::of_bytes(None),
        }
    }

    #[test]
    fn a_letter_carries_its_value_whole_or_cut_and_described() {
        let (value, digest) = (b"abcdef", fingerprint::hex(b"abcdef"));
        assert!(carries(&letter(value, None), Some(value)));
        assert!(!carries(&letter(b"abcdeg", None), Some(value)) && !carries(&letter(value, None), None));
        assert!(carries(&letter(b"abc", Some(("6", &digest))), Some(value)));
        assert!(!carries(&letter(b"abd", Some(("6", &digest))), Some(value)));
        assert!(!carries(&letter(b"abc", Some(("7", &digest))), Some(value)));
        assert!(!carries(&letter(b"abc", Some(("6", "00"))), Some(value)));
        assert!(!carries(&letter(value, Some(("6", &digest))), Some(value)), "nothing was cut");
    }

    #[test]
    fn a_letter_has_its_inputs_timestamp() {
        let own = letter(b"", None);
        assert!(has_timestamp(&own, 5) && has_timestamp(&own, 0) && !has_timestamp(&own, 6));
        let told = Letter { original_timestamp: Some("-7".into()), ..own };
        assert!(has_timestamp(&told, -7) && !has_timestamp(&told, 5));
    }
}

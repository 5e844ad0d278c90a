//! Reads the dead-letter topic.

use std::collections::HashMap;

use rdkafka::Message;
use rdkafka::message::Headers;

use crate::code::Code;
use crate::error::OracleError;
use crate::event::Text;
use crate::fingerprint::{self, Digest32};
use crate::kafka::{TopicSpan, read_topic, timestamp_ms};
use crate::murmur2::partition_of;
use crate::place::{Names, Place};
use crate::report::Findings;
use crate::target::Target;

/// A dead letter, its bytes as digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Where it lies in the dead-letter topic.
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) app: Text,
    pub(crate) topic: Text,
    pub(crate) source_partition: i32,
    pub(crate) source_offset: i64,
    pub(crate) code: Text,
    /// Record timestamp, ms since the epoch.
    pub(crate) timestamp_ms: i64,
    /// The input's timestamp, where the dead letter could not have it.
    pub(crate) original_timestamp: Option<Text>,
    pub(crate) key: Digest32,
    pub(crate) value: Digest32,
    pub(crate) value_length: usize,
    /// Claimed length and SHA-256 of the whole value, when it was cut.
    pub(crate) whole: Option<(Text, Text)>,
    pub(crate) headers: Digest32,
}

impl Letter {
    /// Returns the code, when it is one of the closed list.
    pub(crate) fn known_code(&self) -> Option<Code> {
        Code::from_name(self.code.as_bytes())
    }

    /// Returns the input that this application made it of; `None` when it is another's.
    pub(crate) fn source(&self, app: &str, names: &Names) -> Option<Place> {
        (&*self.app == app).then_some(())?;
        let side = names.side(&self.topic)?;
        Some(Place { side, partition: self.source_partition, offset: self.source_offset })
    }
}

/// All dead letters.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// In the order of reading: by partition and offset within it.
    pub(crate) all: Vec<Letter>,
    /// Of this application's inputs, by input.
    pub(crate) by_source: HashMap<Place, usize>,
    pub(crate) findings: Findings,
    /// Offset behind the last data record of each partition.
    pub(crate) data_ends: Vec<i64>,
}

impl Letters {
    /// Returns the dead letter of an input.
    pub(crate) fn of(&self, place: Place) -> Option<&Letter> {
        self.all.get(*self.by_source.get(&place)?)
    }
}

/// Reads all dead letters and judges their headers.
pub(crate) fn read_letters(target: &Target, span: &TopicSpan) -> Result<Letters, OracleError> {
    let names = target.topics.names();
    let data_ends = vec![0; span.spans.len()];
    let mut letters = Letters { data_ends, ..Letters::default() };
    read_topic(target, span, &mut |message| {
        let (partition, offset) = (message.partition(), message.offset());
        if let Some(end) = usize::try_from(partition).ok().and_then(|at| letters.data_ends.get_mut(at)) {
            *end = offset + 1;
        }
        let here = || format!("{}-{partition}@{offset}", span.topic);
        let letter = match read(message.key(), message.payload(), message.headers()) {
            Ok(letter) => Letter { partition, offset, timestamp_ms: timestamp_ms(message), ..letter },
            Err(problem) => return letters.findings.differ(|| format!("{}: {problem}", here())),
        };
        if let Some(key) = message.key()
            && partition != partition_of(key, span.partitions())
        {
            letters.findings.differ(|| format!("{}: its key belongs to another partition", here()));
        }
        if let Some(place) = letter.source(&target.app_id, &names)
            && let Some(first) = letters.by_source.insert(place, letters.all.len())
        {
            let first = letters.all.get(first).map(|first| (first.partition, first.offset));
            letters.findings.differ(|| {
                format!("{}: {} has a dead letter already, at {first:?}", here(), names.show(place))
            });
        }
        letters.all.push(letter);
    })?;
    Ok(letters)
}

/// Reads one dead letter; the error says which header is wrong.
fn read(key: Option<&[u8]>, value: Option<&[u8]>, headers: Option<&impl Headers>) -> Result<Letter, String> {
    let once = |name: &str| {
        let mut found = headers.iter().flat_map(|headers| headers.iter()).filter(|header| header.key == name);
        let first = found.next();
        match found.next() {
            Some(_) => Err(format!("header {name} is there more than once")),
            None => {
                Ok(first.and_then(|header| header.value).and_then(|value| std::str::from_utf8(value).ok()))
            }
        }
    };
    let text = |name: &str| {
        once(name)?.filter(|text| !text.is_empty()).ok_or_else(|| format!("header {name} is absent or empty"))
    };
    let number = |name: &str| {
        let is_decimal = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
        let parsed = Some(text(name)?).filter(is_decimal).and_then(|text| text.parse::<i64>().ok());
        parsed.ok_or_else(|| format!("header {name} is no decimal number"))
    };
    text("__streams.errors.message")?;
    number("x-dlq-redrive-count")?;
    number("x-dlq-first-failure-ts")?;
    if number("x-dlq-attempts")? < 1 {
        return Err("header x-dlq-attempts is 0".to_owned());
    }
    let code = text("x-dlq-error-code")?;
    if text("__streams.errors.exception")? != code {
        return Err("headers __streams.errors.exception and x-dlq-error-code differ".to_owned());
    }
    let whole = match (once("x-dlq-original-length")?, once("x-dlq-original-sha256")?) {
        (Some(length), Some(sha256)) => Some((length.into(), sha256.into())),
        (None, None) => None,
        _ => return Err("one of x-dlq-original-length and x-dlq-original-sha256 is absent".to_owned()),
    };
    let source_partition = i32::try_from(number("__streams.errors.partition")?);
    Ok(Letter {
        partition: 0,
        offset: 0,
        app: text("x-dlq-app")?.into(),
        topic: text("__streams.errors.topic")?.into(),
        source_partition: source_partition.map_err(|_| "header __streams.errors.partition".to_owned())?,
        source_offset: number("__streams.errors.offset")?,
        code: code.into(),
        timestamp_ms: 0,
        original_timestamp: once("x-dlq-original-timestamp")?.map(Text::from),
        key: fingerprint::of_bytes(key),
        value: fingerprint::of_bytes(value),
        value_length: value.map_or(0, <[u8]>::len),
        whole,
        headers: fingerprint::of_original_headers(headers),
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{Header, OwnedHeaders};

    use super::read;

    const GOOD: [(&str, &str); 10] = [
        ("__streams.errors.exception", "NOT_JSON"),
        ("__streams.errors.message", "value is not JSON"),
        ("__streams.errors.topic", "order.events"),
        ("__streams.errors.partition", "3"),
        ("__streams.errors.offset", "42"),
        ("x-dlq-app", "app"),
        ("x-dlq-error-code", "NOT_JSON"),
        ("x-dlq-attempts", "1"),
        ("x-dlq-first-failure-ts", "1795165954123"),
        ("x-dlq-redrive-count", "0"),
    ];

    fn letter(headers: &[(&str, &str)]) -> Result<super::Letter, String> {
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value.as_bytes()) })
        });
        read(Some(b"7"), Some(b"x"), Some(&headers))
    }

    #[test]
    fn a_good_letter_is_read() {
        let letter = letter(&GOOD).unwrap();
        assert_eq!((&*letter.topic, letter.source_partition, letter.source_offset), ("order.events", 3, 42));
        assert_eq!((&*letter.app, &*letter.code, letter.value_length), ("app", "NOT_JSON", 1));
    }

    #[test]
    fn each_header_is_needed_once() {
        for (at, (name, _)) in GOOD.iter().enumerate() {
            let mut less = GOOD.to_vec();
            less.remove(at);
            assert!(letter(&less).unwrap_err().contains(name), "{name}");
            let mut more = GOOD.to_vec();
            more.push(GOOD[at]);
            assert!(letter(&more).unwrap_err().contains("more than once"), "{name}");
        }
        let mut other = GOOD;
        other[6].1 = "BAD_FIELD";
        assert!(letter(&other).unwrap_err().contains("differ"));
        other = GOOD;
        other[4].1 = "-1";
        assert!(letter(&other).unwrap_err().contains("decimal"));
        let cut = [&GOOD[..], &[("x-dlq-original-length", "70000")]].concat();
        assert!(letter(&cut).unwrap_err().contains("sha256"));
    }
}

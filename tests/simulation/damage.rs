//! Damage to what a transaction carries, so that each invariant is seen to be looked at.

use millpond::topology::{BincodeCodec, CHANGELOG_MARKER_KEY, Codec, Marker, OwnedRecord};

use crate::bank::Told;
use crate::broker::{Part, Topic};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    EventLost,
    EventTwice,
    WrongBalance,
    WrongChange,
    NoMarker,
    /// Marker and offsets agree, on a place before the last one.
    OffsetsBack,
    WrongSequence,
    WrongTally,
}

/// Each with the invariant that it breaks. I4, I7, I9 and I10 are broken by wrong variants, see `controls`.
pub(crate) const ALL: [(Damage, &str); 8] = [
    (Damage::EventLost, "I1"),
    (Damage::EventTwice, "I1"),
    (Damage::WrongBalance, "I2"),
    (Damage::WrongChange, "I3"),
    (Damage::NoMarker, "I5"),
    (Damage::OffsetsBack, "I6"),
    (Damage::WrongSequence, "I5: nonce"),
    (Damage::WrongTally, "I8"),
];

impl Damage {
    /// Spoils the content of a transaction.
    pub(crate) fn spoil(self, batches: &mut Vec<(Part, Vec<OwnedRecord>)>) {
        for (part, records) in batches.iter_mut() {
            match (part.topic, self) {
                (Topic::Events, Self::EventLost) => records.retain(|record| source(record) == 2),
                (Topic::Events, Self::EventTwice) => {
                    let again = records.first().cloned();
                    records.extend(again);
                }
                (Topic::Events, Self::WrongBalance) => records.iter_mut().for_each(wrong_balance),
                (Topic::Changelog, Self::NoMarker) => records.retain(|record| !is_marker(record)),
                (Topic::Changelog, Self::WrongChange) => {
                    let image = records.iter_mut().find(|record| !is_marker(record));
                    if let Some(image) = image {
                        let mut value = Vec::new();
                        BincodeCodec::<i64>::new().encode(&-7, &mut value);
                        image.value = Some(value);
                    }
                }
                (Topic::Changelog, Self::OffsetsBack | Self::WrongSequence | Self::WrongTally) => {
                    records
                        .iter_mut()
                        .filter(|record| is_marker(record))
                        .for_each(|record| self.marker(record));
                }
                _ => {}
            }
        }
        batches.retain(|(_, records)| !records.is_empty());
    }

    /// Returns the offset that is sent for `offset`.
    pub(crate) fn offset(self, offset: i64) -> i64 {
        if self == Self::OffsetsBack { back(offset) } else { offset }
    }

    fn marker(self, record: &mut OwnedRecord) {
        let mut marker = Marker::decode(record.value.as_deref().unwrap_or_default()).unwrap();
        match self {
            Self::OffsetsBack => {
                marker.inputs.iter_mut().for_each(|input| input.next_offset = back(input.next_offset));
            }
            Self::WrongSequence => marker.sequence += 1,
            _ => marker.tallies.iter_mut().flat_map(|tally| &mut tally.sums).for_each(|sum| *sum += 1),
        }
        let mut bytes = Vec::new();
        marker.encode(&mut bytes);
        record.value = Some(bytes);
    }
}

/// Goes up at first, so that there is something to go back from.
fn back(offset: i64) -> i64 {
    if offset > 3 { 0 } else { offset }
}

fn is_marker(record: &OwnedRecord) -> bool {
    record.key.as_deref() == Some(CHANGELOG_MARKER_KEY.as_slice())
}

fn source(record: &OwnedRecord) -> u8 {
    Told::read(record.value.as_deref().unwrap_or_default()).source
}

fn wrong_balance(record: &mut OwnedRecord) {
    let mut told = Told::read(record.value.as_deref().unwrap_or_default());
    told.balances.iter_mut().for_each(|(_, balance)| *balance += 1);
    record.value = Some(told.bytes());
}

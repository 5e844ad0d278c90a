//! Where an input record lies.

use crate::event::Output;

/// One of the two co-partitioned inputs of the accounts topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Orders,
    Commands,
}

impl Side {
    /// Both inputs.
    pub(crate) const BOTH: [Side; 2] = [Side::Orders, Side::Commands];
}

/// Position of an input record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) side: Side,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Names of the topics, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) orders: String,
    pub(crate) commands: String,
    pub(crate) accounts: String,
}

impl Names {
    /// Returns the topic of a side.
    pub(crate) fn topic(&self, side: Side) -> &str {
        match side {
            Side::Orders => &self.orders,
            Side::Commands => &self.commands,
        }
    }

    /// Returns the side of a topic.
    pub(crate) fn side(&self, topic: &str) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.topic(*side) == topic)
    }

    /// Returns `topic-partition@offset` of an input.
    pub(crate) fn show(&self, place: Place) -> String {
        format!("{}-{}@{}", self.topic(place.side), place.partition, place.offset)
    }

    /// Returns `topic-partition@offset` of an output and of the input that it names.
    pub(crate) fn show_output(&self, output: &Output) -> String {
        let source = self.show(output.source);
        format!("{}-{}@{} from {source}", self.accounts, output.partition, output.offset)
    }
}

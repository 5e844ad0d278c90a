//! Whether the topics of a running application are still those that it started with.
//!
//! The client goes on at its old offset in a topic that was deleted and created again, and a partition that was added is read
//! by nobody: both are looked for while the application runs.

/// What a topic is to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is read.
    Input,
    /// Results go to it.
    Output,
    /// It holds the state.
    Changelog,
}

/// A topic as it was when the application started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTopic {
    /// Name.
    pub name: String,
    /// What it is to the application.
    pub purpose: Purpose,
    /// Topic id.
    pub id: [u8; 16],
    /// Number of partitions.
    pub partitions: u32,
}

/// What was done to a topic under a running application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicStop {
    /// An input was deleted and created again.
    #[error(
        "input topic {topic} was re-created while it was read: the offsets of the state mean nothing in the new topic. \
         Process it under a new `app.id` (`millpond topics init --execute` creates its changelog)"
    )]
    InputRecreated {
        /// Topic.
        topic: String,
    },
    /// An output was deleted and created again.
    #[error(
        "output topic {topic} was re-created while it was written: the events before are gone for whoever had not read them. \
         Start again to be told how to go on with the new topic"
    )]
    OutputRecreated {
        /// Topic.
        topic: String,
    },
    /// The changelog was deleted and created again.
    #[error(
        "changelog {topic} was re-created while it was written: it no longer holds the state of before. Keep `state.dir`, it \
         is the last copy. Fill the topic from a backup that reaches the last transaction, move the application's folder in \
         `state.dir` aside and start again. Without a backup only a new `app.id` is left, which processes its inputs from \
         their beginning"
    )]
    ChangelogRecreated {
        /// Topic.
        topic: String,
    },
    /// Partitions were added to an input.
    #[error(
        "input topic {topic} has {found} partitions, {known} when this process started: keys have moved between partitions, \
         and with them away from their state. Kafka cannot take partitions back: copy the inputs by key into new topics of \
         one count, name them in `topics.*` and process them under a new `app.id`"
    )]
    InputPartitions {
        /// Topic.
        topic: String,
        /// Partitions at the start.
        known: u32,
        /// Partitions now.
        found: u32,
    },
    /// Partitions were added to an output.
    #[error(
        "output topic {topic} has {found} partitions, {known} when this process started: the events of a key would go on in \
         another partition than they began in. Once its readers can take that, set its `topics.*.partitions` to {found} and \
         start again"
    )]
    OutputPartitions {
        /// Topic.
        topic: String,
        /// Partitions at the start.
        known: u32,
        /// Partitions now.
        found: u32,
    },
    /// Partitions were added to the changelog.
    #[error(
        "changelog {topic} has {found} partitions, {known} when this process started: it needs one per task. Re-create it \
         with {known} (`millpond topics init --execute`), fill each from a copy of its records, move the application's folder \
         in `state.dir` aside and start again: the state is rebuilt and compared with the committed offsets"
    )]
    ChangelogPartitions {
        /// Topic.
        topic: String,
        /// Partitions at the start.
        known: u32,
        /// Partitions now.
        found: u32,
    },
}

/// Returns what was done to a topic; `found` says its id and partitions now, `None` while no broker tells.
///
/// A smaller partition count is no finding: Kafka takes none away, so a broker that says so has not caught up.
#[must_use]
pub fn changed(known: &[KnownTopic], found: impl Fn(&str) -> Option<([u8; 16], u32)>) -> Option<TopicStop> {
    known.iter().find_map(|topic| {
        let (id, partitions) = found(&topic.name)?;
        if id != topic.id {
            Some(recreated(topic))
        } else if partitions > topic.partitions {
            Some(grown(topic, partitions))
        } else {
            None
        }
    })
}

fn recreated(known: &KnownTopic) -> TopicStop {
    let topic = known.name.clone();
    match known.purpose {
        Purpose::Input => TopicStop::InputRecreated { topic },
        Purpose::Output => TopicStop::OutputRecreated { topic },
        Purpose::Changelog => TopicStop::ChangelogRecreated { topic },
    }
}

fn grown(known: &KnownTopic, found: u32) -> TopicStop {
    let (topic, purpose, known) = (known.name.clone(), known.purpose, known.partitions);
    match purpose {
        Purpose::Input => TopicStop::InputPartitions { topic, known, found },
        Purpose::Output => TopicStop::OutputPartitions { topic, known, found },
        Purpose::Changelog => TopicStop::ChangelogPartitions { topic, known, found },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(purpose: Purpose) -> KnownTopic {
        KnownTopic { name: "t".into(), purpose, id: [1; 16], partitions: 4 }
    }

    #[test]
    fn another_id_and_more_partitions_are_found_by_purpose() {
        let look = |purpose, found| changed(&[known(purpose)], |_| found);
        for purpose in [Purpose::Input, Purpose::Output, Purpose::Changelog] {
            assert_eq!(look(purpose, Some(([1; 16], 4))), None);
            assert_eq!(look(purpose, None), None, "an outage is no finding");
            assert_eq!(look(purpose, Some(([1; 16], 3))), None, "a broker that has not caught up is none");
        }
        let other = Some(([2; 16], 4));
        assert!(matches!(look(Purpose::Input, other), Some(TopicStop::InputRecreated { .. })));
        assert!(matches!(look(Purpose::Output, other), Some(TopicStop::OutputRecreated { .. })));
        assert!(matches!(look(Purpose::Changelog, other), Some(TopicStop::ChangelogRecreated { .. })));
        let more = Some(([1; 16], 6));
        assert!(matches!(look(Purpose::Input, more), Some(TopicStop::InputPartitions { found: 6, .. })));
        assert!(matches!(look(Purpose::Output, more), Some(TopicStop::OutputPartitions { known: 4, .. })));
        assert!(matches!(look(Purpose::Changelog, more), Some(TopicStop::ChangelogPartitions { .. })));
    }
}

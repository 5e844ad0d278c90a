//! Values that are one word of a short list.

use std::fmt;

use serde::Serialize;

use crate::config::setting::Setting;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$word_doc])* $variant),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl Setting for $name {
            fn read(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be {}", [$($word),+].join(" or "))),
                }
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    };
}

choice! {
    /// When a transaction is committed.
    CommitMode {
        /// When the interval is over, or the rows or bytes are full.
        Throughput = "throughput",
        /// As `Throughput`, and at once when nothing more is waiting to be read.
        Latency = "latency",
    }
}

choice! {
    /// Whether the member leaves its group when it stops.
    Leave {
        /// A dynamic member leaves, a static one (with `instance.id`) stays for its restart.
        Auto = "auto",
        /// It always leaves: its tasks move at once.
        Always = "always",
        /// It never leaves: its tasks wait for it until the session times out.
        Never = "never",
    }
}

choice! {
    /// The protocol that the group is kept with.
    Backend {
        /// The classic group protocol, spoken by millpond itself.
        Classic = "classic",
    }
}

choice! {
    /// Whether an application without state may start on an input whose beginning retention has deleted.
    TrimmedInput {
        /// It stops and says so.
        Refuse = "refuse",
        /// It starts at the first record that is left.
        Allow = "allow",
    }
}

choice! {
    /// What becomes of a record that cannot be understood.
    Poison {
        /// It goes to the dead letters, in the transaction of its offset, and work goes on.
        Dlq = "dlq",
        /// The process stops before it.
        Stop = "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_answered_with_the_list() {
        assert_eq!(CommitMode::read("latency"), Ok(CommitMode::Latency));
        assert_eq!(CommitMode::read("fast"), Err("must be throughput or latency".to_owned()));
        assert_eq!(Leave::read("Auto"), Err("must be auto or always or never".to_owned()));
    }

    #[test]
    fn json_and_text_use_the_same_words() {
        assert_eq!(serde_json::to_string(&Poison::Dlq).unwrap(), "\"dlq\"");
        assert_eq!(Poison::Dlq.to_string(), "dlq");
    }
}

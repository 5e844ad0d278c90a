//! Transactions that are open in an application's topics, what their coordinators know of them, and how one ends that no
//! coordinator ends (docs/reliability.md, "What Kafka itself loses").

mod ask;
mod brokers;
mod decisions;
mod noted;
mod survey;

pub use ask::ask;
pub use survey::{End, Found, SurveyError, Verdict, end, survey};

//! The judge on worlds put together by hand, sound and spoiled, on a real Kafka and a real PostgreSQL
//! (`MILLPOND_TEST_BROKERS`, `MILLPOND_TEST_POSTGRES`; `./dev test` starts both).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

mod corruption;
mod scale;
mod sound;
mod unsound;

//! A TCP proxy before Kafka that understands requests and replies, and breaks them as told.
//!
//! Clients that are given [`Proxy::brokers`] stay on it: addresses in the replies that carry any are rewritten, one listener
//! for each broker behind it. (The addresses of new leaders inside Fetch and Produce errors are not.)
//! A [`Rule`] picks frames by API, direction, content, number and connection, and says what becomes of them; it counts what
//! it hit, since a scenario whose fault did not hit proves nothing ([`Rule::must_have_hit`]).

mod connection;
mod frame;
mod listen;
mod rewrite;
mod rule;

pub(crate) use frame::Request;
pub(crate) use listen::Proxy;
pub(crate) use rule::{Fault, Match, Rule};

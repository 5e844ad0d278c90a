//! A strict reader of RFC 8259 texts that also sees what lenient ones hide: duplicate keys and U+0000.

mod literal;
mod node;
mod parser;

pub(crate) use node::Node;
pub(crate) use parser::parse;

#[cfg(test)]
mod tests;

//! The offset metadata: `mp1;<incarnation>;<sequence>;<attempt>;<transactional id>`.

/// A decoded nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nonce {
    pub(crate) sequence: u64,
    pub(crate) attempt: u64,
    pub(crate) transactional_id: String,
}

impl Nonce {
    /// Reads a nonce; `None` when `text` is not one.
    pub(crate) fn parse(text: &str) -> Option<Nonce> {
        text.bytes().all(|b| (0x20..=0x7e).contains(&b)).then_some(())?;
        let mut parts = text.splitn(5, ';');
        (parts.next()? == "mp1").then_some(())?;
        let (process, acquisition) = parts.next()?.split_once('-')?;
        let is_hex = process.len() == 16 && process.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then_some(())?;
        decimal(acquisition)?;
        let sequence = decimal(parts.next()?)?;
        let attempt = decimal(parts.next()?)?;
        let transactional_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        Some(Nonce { sequence, attempt, transactional_id })
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    text.parse().ok()
}

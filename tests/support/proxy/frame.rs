//! Cutting a stream into frames, and reading the head of a request.

use std::io;

use bytes::{Buf as _, Bytes};
use kafka_protocol::messages::{ApiKey, EndTxnRequest, FindCoordinatorRequest};
use kafka_protocol::protocol::{self, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Largest frame that is taken: far above any broker's `socket.request.max.bytes` in a test.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// A request as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// What follows the header.
    body: Bytes,
    /// Header and body, without the length.
    pub(super) frame: Bytes,
}

impl Request {
    /// Reads the header of `frame`; `None` for what Kafka would not understand either.
    pub(super) fn read(frame: Bytes) -> Option<Self> {
        let mut body = frame.clone();
        let header = decode_request_header_from_buffer(&mut body).ok()?;
        Some(Self {
            api: ApiKey::try_from(header.request_api_key).ok()?,
            version: header.request_api_version,
            correlation: header.correlation_id,
            body,
            frame,
        })
    }

    /// Returns the content, when it is a request of this kind.
    pub(crate) fn content<R: protocol::Request>(&self) -> Option<R> {
        (self.api as i16 == R::KEY).then(|| R::decode(&mut self.body.clone(), self.version).ok())?
    }

    /// Says whether it ends a transaction by committing it.
    pub(crate) fn commits(&self) -> bool {
        self.content::<EndTxnRequest>().is_some_and(|end| end.committed)
    }

    /// Says whether it ends a transaction by aborting it.
    pub(crate) fn aborts(&self) -> bool {
        self.content::<EndTxnRequest>().is_some_and(|end| !end.committed)
    }

    /// Says whether it asks for the coordinator of a transactional id (and not of a group).
    pub(crate) fn finds_transactions(&self) -> bool {
        self.content::<FindCoordinatorRequest>().is_some_and(|find| find.key_type == 1)
    }
}

/// Reads a frame, without its length.
pub(super) async fn read(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Bytes> {
    let length = usize::try_from(from.read_i32().await?).ok().filter(|length| *length <= FRAME_BYTES_MAX);
    let mut frame = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    from.read_exact(&mut frame).await?;
    Ok(frame.into())
}

/// Writes a frame with its length, in one piece.
pub(super) async fn write(to: &mut (impl AsyncWriteExt + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_all(&framed(frame)).await
}

/// Returns a frame with its length before it.
pub(super) fn framed(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), frame].concat()
}

/// Returns the correlation id that a reply begins with.
pub(super) fn correlation(reply: &Bytes) -> Option<i32> {
    (reply.len() >= 4).then(|| reply.clone().get_i32())
}

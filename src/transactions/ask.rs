//! One request to one broker, over a connection of its own: for what librdkafka has no call for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, encode_request_header_into_buffer};

/// Longest wait for a connection, and for an answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer that is taken.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Returns the answer of the broker at `address` to `request` in this version of the protocol; unencrypted and without
/// authentication.
///
/// # Errors
/// Nobody answers within 3 s, or not with what was asked for.
pub fn ask<R: Request>(address: SocketAddr, version: i16, request: &R) -> io::Result<R::Response> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).map_err(io::Error::other)?;
    request.encode(&mut frame, version).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), frame.as_ref()].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > ANSWER_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, R::Response::header_version(version)).map_err(io::Error::other)?;
    R::Response::decode(&mut answer, version).map_err(io::Error::other)
}

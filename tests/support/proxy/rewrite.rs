//! Replies that carry brokers' addresses, rewritten so that the client stays on the proxy.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

/// Gives the port of this proxy's listener for a broker.
type PortOf<'a> = &'a dyn Fn(&str, i32) -> i32;

/// Returns `reply` with every address in it replaced; `None` when it carries none.
pub(super) fn rewrite(api: ApiKey, version: i16, reply: &Bytes, port_of: PortOf<'_>) -> Option<Bytes> {
    match api {
        ApiKey::Metadata => change::<MetadataResponse>(api, version, reply, |body| {
            body.brokers.iter_mut().for_each(|broker| stay(&mut broker.host, &mut broker.port, port_of));
        }),
        ApiKey::FindCoordinator => change::<FindCoordinatorResponse>(api, version, reply, |body| {
            stay(&mut body.host, &mut body.port, port_of);
            body.coordinators.iter_mut().for_each(|found| stay(&mut found.host, &mut found.port, port_of));
        }),
        ApiKey::DescribeCluster => change::<DescribeClusterResponse>(api, version, reply, |body| {
            body.brokers.iter_mut().for_each(|broker| stay(&mut broker.host, &mut broker.port, port_of));
        }),
        _ => None,
    }
}

fn stay(host: &mut StrBytes, port: &mut i32, port_of: PortOf<'_>) {
    // A coordinator that is not there has neither.
    if !host.is_empty() && *port > 0 {
        *port = port_of(host, *port);
        *host = StrBytes::from_static_str("127.0.0.1");
    }
}

fn change<R: Decodable + Encodable>(
    api: ApiKey,
    version: i16,
    reply: &Bytes,
    edit: impl FnOnce(&mut R),
) -> Option<Bytes> {
    let header_version = api.response_header_version(version);
    let mut rest = reply.clone();
    let header = ResponseHeader::decode(&mut rest, header_version).ok()?;
    let mut body = R::decode(&mut rest, version).ok()?;
    edit(&mut body);
    let mut changed = BytesMut::new();
    header.encode(&mut changed, header_version).ok()?;
    body.encode(&mut changed, version).ok()?;
    Some(changed.freeze())
}

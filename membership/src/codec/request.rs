//! Requests, in versions that every broker since Apache Kafka 2.5 and the non-Kafka ones speak.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
        RequestHeader, SyncGroupRequest, join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity, sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::{Encodable, Request as Api, StrBytes},
};

use crate::{PROTOCOL_NAME, settings::Settings};

/// Kafka's own consumer protocol: `kafka-consumer-groups` shows owners and lag for this type alone.
const PROTOCOL_TYPE: &str = "consumer";

/// What a JoinGroup carries beside the settings.
pub(crate) struct Join<'a> {
    pub(crate) member: &'a str,
    pub(crate) subscription: Bytes,
}

/// A request to the coordinator, or to any broker about it.
pub(crate) enum Request<'a> {
    Find,
    Join(Join<'a>),
    Sync { member: &'a str, generation: i32, assignments: Vec<(String, Bytes)> },
    Beat { member: &'a str, generation: i32 },
    Leave { member: &'a str },
}

/// Writes `request` with its header and length.
pub(crate) fn encode(settings: &Settings, correlation: i32, request: Request<'_>) -> Bytes {
    let group = || GroupId(text(&settings.group));
    let instance = || settings.instance.as_deref().map(text);
    match request {
        Request::Find => {
            let body = FindCoordinatorRequest::default().with_key(text(&settings.group)).with_key_type(0);
            frame(settings, correlation, 2, &body)
        }
        Request::Join(join) => {
            let protocol = JoinGroupRequestProtocol::default()
                .with_name(text(PROTOCOL_NAME))
                .with_metadata(join.subscription);
            let body = JoinGroupRequest::default()
                .with_group_id(group())
                .with_session_timeout_ms(milliseconds(settings.session_timeout))
                .with_rebalance_timeout_ms(milliseconds(settings.rebalance_timeout))
                .with_member_id(text(join.member))
                .with_group_instance_id(instance())
                .with_protocol_type(text(PROTOCOL_TYPE))
                .with_protocols(vec![protocol]);
            frame(settings, correlation, 5, &body)
        }
        Request::Sync { member, generation, assignments } => {
            let assignments = assignments.into_iter().map(|(member, bytes)| {
                let member = StrBytes::from_string(member);
                SyncGroupRequestAssignment::default().with_member_id(member).with_assignment(bytes)
            });
            let body = SyncGroupRequest::default()
                .with_group_id(group())
                .with_generation_id(generation)
                .with_member_id(text(member))
                .with_group_instance_id(instance())
                .with_assignments(assignments.collect());
            frame(settings, correlation, 3, &body)
        }
        Request::Beat { member, generation } => {
            let body = HeartbeatRequest::default()
                .with_group_id(group())
                .with_generation_id(generation)
                .with_member_id(text(member))
                .with_group_instance_id(instance());
            frame(settings, correlation, 3, &body)
        }
        Request::Leave { member } => {
            let who =
                MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance());
            let body = LeaveGroupRequest::default().with_group_id(group()).with_members(vec![who]);
            frame(settings, correlation, 3, &body)
        }
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn milliseconds(duration: std::time::Duration) -> i32 {
    // `Settings::check` has refused longer ones.
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[expect(
    clippy::expect_used,
    reason = "names are bounded by Settings::check, member ids by their own length field"
)]
fn frame<R: Api>(settings: &Settings, correlation: i32, version: i16, body: &R) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(text(&settings.client)));
    let mut payload = BytesMut::new();
    header
        .encode(&mut payload, R::header_version(version))
        .expect("a header of bounded names can be written");
    body.encode(&mut payload, version).expect("a request of bounded names can be written");
    let mut framed = BytesMut::with_capacity(4 + payload.len());
    framed.put_i32(i32::try_from(payload.len()).expect("a request under 2 GiB"));
    framed.extend_from_slice(&payload);
    framed.freeze()
}

//! A machine, its clock and the broker's side of the conversation.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, FindCoordinatorResponse, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupResponse, RequestHeader, ResponseHeader, SyncGroupRequest, SyncGroupResponse,
        join_group_response::JoinGroupResponseMember,
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};

use crate::{
    Action, Event, Fence, Identity, Input, Machine, Plan, Report, Role, Roles, Settings, Sticky, SubTopology,
    Target, Tasks, codec::Assignment,
};

pub(super) const MEMBER: &str = "m-1";
const FIND: i16 = ApiKey::FindCoordinator as i16;
const JOIN: i16 = ApiKey::JoinGroup as i16;
const SYNC: i16 = ApiKey::SyncGroup as i16;
const BEAT: i16 = ApiKey::Heartbeat as i16;
const LEAVE: i16 = ApiKey::LeaveGroup as i16;

pub(super) struct Script {
    pub(super) machine: Machine,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    pub(super) connects: Vec<String>,
    pub(super) closes: usize,
    requests: Vec<Bytes>,
}

pub(super) fn tasks(ids: &[&str]) -> Tasks {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

pub(super) fn plan() -> Plan {
    let topics = vec!["orders".to_owned(), "commands".to_owned()];
    Plan::new(vec![SubTopology { id: 0, topics, partitions: 4, role: Role::Processor }]).unwrap()
}

pub(super) fn identity() -> Identity {
    let transactional_ids = vec!["app-i-0-a".to_owned()];
    Identity { roles: Roles::all(), threads: 2, transactional_ids, ..Identity::default() }
}

pub(super) fn share(ids: &[&str]) -> Assignment {
    Assignment { active: tasks(ids), ..Assignment::default() }
}

impl Script {
    pub(super) fn new(instance: Option<&str>) -> Self {
        let now = Instant::now();
        let bootstrap = vec!["boot1:1".parse().unwrap(), "boot2:2".parse().unwrap()];
        let settings = Settings { instance: instance.map(str::to_owned), ..Settings::new("app", bootstrap) };
        let machine = Machine::new(settings, identity(), plan(), Arc::new(Sticky), now).unwrap();
        let (events, connects, requests) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine, now, events, connects, closes: 0, requests }
    }

    pub(super) fn step(&mut self, input: Input<'_>) {
        for action in self.machine.step(self.now, input).unwrap() {
            match action {
                Action::Connect { to, .. } => self.connects.push(to.to_string()),
                Action::Send(bytes) => self.requests.push(bytes),
                Action::Close => self.closes += 1,
                Action::Tell(event) => self.events.push(event),
            }
        }
    }

    pub(super) fn tick_after(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.step(Input::Tick);
    }

    pub(super) fn told(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// Takes the request that is out: its header and the bytes of its body.
    fn request(&mut self, key: i16) -> (RequestHeader, Bytes) {
        let mut bytes = self.requests.remove(0);
        assert!(self.requests.is_empty(), "one request at a time");
        assert_eq!(bytes.get_i32(), i32::try_from(bytes.len()).unwrap());
        let header = RequestHeader::decode(&mut bytes, 1).unwrap();
        assert_eq!(header.request_api_key, key, "another request was expected");
        (header, bytes)
    }

    fn reply<R: Encodable + HeaderVersion>(&mut self, header: &RequestHeader, answer: &R) {
        let mut payload = BytesMut::new();
        let version = header.request_api_version;
        let head = ResponseHeader::default().with_correlation_id(header.correlation_id);
        head.encode(&mut payload, R::header_version(version)).unwrap();
        answer.encode(&mut payload, version).unwrap();
        let mut framed = BytesMut::new();
        framed.put_i32(i32::try_from(payload.len()).unwrap());
        framed.extend_from_slice(&payload);
        // Cut in two, as TCP may.
        let (first, second) = framed.split_at(7);
        self.step(Input::Bytes(first));
        self.step(Input::Bytes(second));
    }

    pub(super) fn found(&mut self, code: i16) {
        let (header, _) = self.request(FIND);
        let host = StrBytes::from_static_str("coordinator");
        let answer = FindCoordinatorResponse::default().with_error_code(code).with_host(host).with_port(9);
        self.reply(&header, &answer);
    }

    /// Takes the JoinGroup that is out.
    pub(super) fn join_request(&mut self) -> (RequestHeader, JoinGroupRequest) {
        let (header, mut body) = self.request(JOIN);
        let request = JoinGroupRequest::decode(&mut body, header.request_api_version).unwrap();
        (header, request)
    }

    pub(super) fn joined(&mut self, code: i16, member: &str, generation: i32) -> JoinGroupRequest {
        let (header, request) = self.join_request();
        let answer = JoinGroupResponse::default()
            .with_error_code(code)
            .with_generation_id(generation)
            .with_protocol_name(Some(StrBytes::from_static_str(crate::PROTOCOL_NAME)))
            .with_leader(StrBytes::from_static_str("somebody else"))
            .with_member_id(StrBytes::from_string(member.to_owned()));
        self.reply(&header, &answer);
        request
    }

    /// Answers the JoinGroup that is out and makes this member the leader of itself and `others`.
    pub(super) fn joined_as_leader(&mut self, generation: i32, others: &[(&str, Bytes)]) {
        let (header, request) = self.join_request();
        let seat = |member: &str, metadata: &Bytes| {
            JoinGroupResponseMember::default()
                .with_member_id(StrBytes::from_string(member.to_owned()))
                .with_metadata(metadata.clone())
        };
        let mut members = vec![seat(MEMBER, &request.protocols[0].metadata)];
        members.extend(others.iter().map(|(member, metadata)| seat(member, metadata)));
        let answer = JoinGroupResponse::default()
            .with_generation_id(generation)
            .with_protocol_name(Some(StrBytes::from_static_str(crate::PROTOCOL_NAME)))
            .with_leader(StrBytes::from_static_str(MEMBER))
            .with_member_id(StrBytes::from_static_str(MEMBER))
            .with_members(members);
        self.reply(&header, &answer);
    }

    /// Answers the SyncGroup that is out with `assignment`, or with what the leader itself sent for `MEMBER`.
    pub(super) fn synced(&mut self, code: i16, assignment: Option<Bytes>) -> SyncGroupRequest {
        let (header, mut body) = self.request(SYNC);
        let request = SyncGroupRequest::decode(&mut body, header.request_api_version).unwrap();
        let own = request.assignments.iter().find(|share| share.member_id.as_str() == MEMBER);
        let bytes = assignment.or_else(|| own.map(|share| share.assignment.clone())).unwrap_or_default();
        let answer = SyncGroupResponse::default().with_error_code(code).with_assignment(bytes);
        self.reply(&header, &answer);
        request
    }

    pub(super) fn beaten(&mut self, code: i16) {
        let (header, _) = self.request(BEAT);
        self.reply(&header, &HeartbeatResponse::default().with_error_code(code));
    }

    pub(super) fn left(&mut self) {
        let (header, _) = self.request(LEAVE);
        self.reply(&header, &LeaveGroupResponse::default());
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(super) fn forget_request(&mut self) {
        self.requests.clear();
    }

    /// Runs up to the JoinGroup.
    pub(super) fn until_joining(instance: Option<&str>) -> Self {
        let mut script = Self::new(instance);
        script.step(Input::Tick);
        script.step(Input::Connected);
        script.found(0);
        script.step(Input::Connected);
        script
    }

    /// Runs up to a member of generation 5 that was granted `ids` and has applied that.
    pub(super) fn stable(instance: Option<&str>, ids: &[&str]) -> Self {
        let mut script = Self::until_joining(instance);
        script.joined(0, MEMBER, 5);
        script.synced(0, Some(share(ids).encode(&plan())));
        script.owns(5, ids);
        script.told();
        script
    }

    pub(super) fn owns(&mut self, generation: i32, ids: &[&str]) {
        self.step(Input::Report(&Report { generation, active: tasks(ids), ..Report::default() }));
    }
}

pub(super) fn fence(generation: i32, instance: Option<&str>) -> Fence {
    Fence::new("app", MEMBER, instance, generation).unwrap()
}

pub(super) fn target(generation: i32, ids: &[&str]) -> Event {
    Event::Target(Target {
        fence: fence(generation, None),
        active: tasks(ids),
        standby: Tasks::new(),
        warmup: Tasks::new(),
        producers: Vec::new(),
    })
}

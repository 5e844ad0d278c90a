//! Answers, in the versions of the requests of `request.rs`.

use crate::{
    codec::{Code, Malformed, Reader},
    settings::HostPort,
};

/// Answer to FindCoordinator v2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) code: Code,
    /// Present when the code is [`Code::Fine`].
    pub(crate) coordinator: Option<HostPort>,
}

impl Found {
    pub(crate) fn read(mut body: Reader<'_>) -> Result<Self, Malformed> {
        let what = "FindCoordinator answer";
        body.i32(what)?;
        let code = Code::of(body.i16(what)?);
        body.nullable_string(what)?;
        body.i32(what)?;
        let host = body.string(what)?.to_owned();
        let port = body.i32(what)?;
        body.end(what)?;
        if code != Code::Fine {
            return Ok(Self { code, coordinator: None });
        }
        let port = u16::try_from(port).ok().filter(|port| *port != 0).ok_or(Malformed(what))?;
        if host.is_empty() {
            return Err(Malformed(what));
        }
        Ok(Self { code, coordinator: Some(HostPort { host, port }) })
    }
}

/// A member as the leader sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) subscription: Vec<u8>,
}

/// Answer to JoinGroup v5.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) code: Code,
    pub(crate) generation: i32,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member: String,
    /// Filled for the leader alone.
    pub(crate) members: Vec<Peer>,
}

impl Joined {
    pub(crate) fn read(mut body: Reader<'_>) -> Result<Self, Malformed> {
        let what = "JoinGroup answer";
        body.i32(what)?;
        let code = Code::of(body.i16(what)?);
        let generation = body.i32(what)?;
        let protocol = body.nullable_string(what)?.unwrap_or_default().to_owned();
        let leader = body.string(what)?.to_owned();
        let member = body.string(what)?.to_owned();
        let count = body.count(8, what)?;
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(Peer {
                member: body.string(what)?.to_owned(),
                instance: body.nullable_string(what)?.map(str::to_owned),
                subscription: body.bytes(what)?.to_vec(),
            });
        }
        body.end(what)?;
        if code == Code::Fine && (generation < 0 || member.is_empty()) {
            return Err(Malformed(what));
        }
        Ok(Self { code, generation, protocol, leader, member, members })
    }
}

/// Answer to SyncGroup v3.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) code: Code,
    pub(crate) assignment: Vec<u8>,
}

impl Synced {
    pub(crate) fn read(mut body: Reader<'_>) -> Result<Self, Malformed> {
        let what = "SyncGroup answer";
        body.i32(what)?;
        let code = Code::of(body.i16(what)?);
        let assignment = body.bytes(what)?.to_vec();
        body.end(what)?;
        Ok(Self { code, assignment })
    }
}

/// Reads the answer to Heartbeat v3.
pub(crate) fn beaten(mut body: Reader<'_>) -> Result<Code, Malformed> {
    let what = "Heartbeat answer";
    body.i32(what)?;
    let code = Code::of(body.i16(what)?);
    body.end(what)?;
    Ok(code)
}

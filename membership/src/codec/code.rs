//! Kafka's error codes, classed by what the member must do.

/// A class of error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Success.
    Fine,
    /// The coordinator is loading, unknown or elsewhere, or the broker has trouble of its own: find it again.
    Away,
    /// The group has moved on: join again.
    Rejoin,
    /// The generation is still ours, the others are joining: join again.
    Rebalancing,
    /// The coordinator does not know the member id.
    UnknownMember,
    /// The member id in the answer is to be used (KIP-394).
    MemberIdRequired,
    /// Another process has taken the instance id.
    FencedInstance,
    /// Nothing but a change by the operator helps; what to change.
    Refused(&'static str),
}

impl Code {
    /// Classes an error code. Codes that these requests do not document are treated as trouble that passes.
    pub(crate) const fn of(code: i16) -> Self {
        match code {
            0 => Self::Fine,
            22 => Self::Rejoin,
            23 => Self::Refused(
                "INCONSISTENT_GROUP_PROTOCOL: other programs use this group id; \
                 give the application an id of its own",
            ),
            24 => Self::Refused("INVALID_GROUP_ID: choose another application id"),
            25 => Self::UnknownMember,
            26 => Self::Refused(
                "INVALID_SESSION_TIMEOUT: membership.session_timeout is outside the broker's \
                 group.min.session.timeout.ms .. group.max.session.timeout.ms",
            ),
            27 => Self::Rebalancing,
            29 => Self::Refused("TOPIC_AUTHORIZATION_FAILED: grant Read on the source topics"),
            30 => Self::Refused("GROUP_AUTHORIZATION_FAILED: grant Read on the group"),
            31 => Self::Refused("CLUSTER_AUTHORIZATION_FAILED: grant the principal access to the cluster"),
            35 => Self::Refused("UNSUPPORTED_VERSION: the broker is older than Apache Kafka 2.5"),
            69 => Self::Refused(
                "GROUP_ID_NOT_FOUND: the group id is in use by another kind of group; \
                 give the application an id of its own",
            ),
            79 => Self::MemberIdRequired,
            81 => Self::Refused("GROUP_MAX_SIZE_REACHED: raise the broker's group.max.size"),
            82 => Self::FencedInstance,
            _ => Self::Away,
        }
    }
}

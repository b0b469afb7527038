//! The state and the figures, for readiness checks and metrics.

use std::{fmt, time::Duration};

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// The state of [`RedisRevocations`](crate::RedisRevocations).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Nothing was read yet: every session is unknown.
    Starting,
    /// The engine is being read.
    Live,
    /// It is being read, and has lost entries that this process puts back.
    Repairing,
    /// It is not being read, and the copy still decides.
    Silent,
    /// The copy is too old: a session that is not known to be revoked is unknown.
    Stale,
}

/// The health of [`RedisRevocations`](crate::RedisRevocations), at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The state.
    pub state: State,
    /// The time since the last complete read was asked for; `None` before the first.
    pub age: Option<Duration>,
    /// The number of revocations in force.
    pub entries: usize,
    /// The number of revocations that wait for the engine's acknowledgement.
    pub queued: usize,
    /// The number of entries of the engine that could not be read, since the start.
    pub unreadable: u64,
    /// The number of entries that the engine had lost and this process has put back, since the start.
    pub put_back: u64,
    /// The present problem of the connection that reads.
    pub read_problem: Option<Problem>,
    /// The present problem of the connection that writes.
    pub write_problem: Option<Problem>,
    /// The engine's clock less ours in milliseconds, as of the last write. Beyond a minute this process
    /// does not trim the streams.
    pub clock_difference_millis: i64,
}

/// A problem with the engine, which is tried again for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no connection.
    Unreachable,
    /// A connection or a command took too long.
    TimedOut,
    /// The credentials are wrong, or the ACL lacks a command.
    Denied,
    /// The node is a replica.
    NotPrimary,
    /// Fewer replicas are online than [asked for](crate::RedisRevocationsBuilder::replicas).
    FewReplicas,
    /// Its `maxmemory-policy` evicts keys that do not expire, and so revocations.
    Evicts,
    /// It answered with another error: it is loading, or out of memory or disk.
    Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the engine cannot be reached",
            Self::TimedOut => "the engine does not answer in time",
            Self::Denied => "the engine denies access or a command",
            Self::NotPrimary => "the engine is a replica",
            Self::FewReplicas => "too few replicas are online",
            Self::Evicts => "the engine's maxmemory-policy evicts revocations",
            Self::Error => "the engine answers with an error",
        })
    }
}

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            _ if error.is_timeout() => Self::TimedOut,
            (ErrorKind::Io, _) => Self::Unreachable,
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => Self::NotPrimary,
            (ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm), _)
            | (_, Some("NOAUTH" | "WRONGPASS")) => Self::Denied,
            _ => Self::Error,
        }
    }
}

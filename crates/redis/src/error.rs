//! Errors.

use std::{error::Error, fmt};

use crate::health::Problem;

/// The reason why [`RedisRevocations`](crate::RedisRevocations) were not built.
#[derive(Clone, Copy, Debug)]
pub struct BuildError(pub(crate) &'static str);

/// A revocation that is enforced in this process, and not acknowledged by the engine.
#[derive(Clone, Copy, Debug)]
pub struct PublishError(pub(crate) PublishErrorKind);

/// The kind of a [`PublishError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// The engine has not acknowledged it within three seconds. It is sent again until it does, or until
    /// the revocation is over.
    Unavailable,
    /// The primary has it, and fewer [replicas](crate::RedisRevocationsBuilder::replicas) than asked
    /// for had confirmed it a second later. It is lost only if the primary is, and every process that
    /// has read it.
    NotReplicated,
    /// Its `until` is more than eight days ahead, or its text is longer than 4 KiB: it is not sent.
    OutOfRange,
}

/// The revocations were not fresh in time; see [`RedisRevocations::ready`](crate::RedisRevocations::ready).
#[derive(Clone, Copy, Debug)]
pub struct NotReady(pub(crate) Option<Problem>);

impl PublishError {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> PublishErrorKind {
        self.0
    }
}

impl NotReady {
    /// The present problem with the engine, if there is one.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.0
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            PublishErrorKind::Unavailable => "the engine has not acknowledged the revocation yet",
            PublishErrorKind::NotReplicated => "too few replicas hold the revocation",
            PublishErrorKind::OutOfRange => "the revocation lasts too long, or is too long",
        })
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the revocations have not been read in time")?;
        match self.0 {
            Some(problem) => write!(f, ": {problem}"),
            None => Ok(()),
        }
    }
}

impl Error for BuildError {}
impl Error for PublishError {}
impl Error for NotReady {}

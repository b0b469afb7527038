//! Who acts in a nested session: the claim `act`.

use std::fmt;

use chrono::{DateTime, Utc};

use super::id::{ApplicationId, SessionId, UserId};
use crate::time::NumericDate;

/// The session in which a nested token was made, and the sessions around that one
/// (the claim `act`, RFC 8693 §4.1).
///
/// It is history, for records and displays: decide about access by the session's own user
/// (RFC 8693 §4.1, last paragraph but one).
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Actor {
    pub(crate) user_id: UserId,
    pub(crate) session_id: Option<SessionId>,
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) authenticated_at: Option<NumericDate>,
    pub(crate) actor: Option<Box<Self>>,
}

impl Actor {
    /// The user who acts: `sub`.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The session in which that user acts: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        self.session_id.as_ref()
    }

    /// The application that opened that session: `client_id`.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.application_id.as_ref()
    }

    /// When that user authenticated: `auth_time`.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.authenticated_at.map(NumericDate::to_date_time)
    }

    /// Who acted before, if that session was a nested one itself: `act`.
    #[must_use]
    pub fn actor(&self) -> Option<&Self> {
        self.actor.as_deref()
    }

    /// This actor and all before, nearest first; at least one.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.actor())
    }
}

/// Shows how many there are: who they are should not end in logs by chance.
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("chain", &self.chain().count())
            .finish_non_exhaustive()
    }
}

//! The actors of a nested session: the claim `act`.

use chrono::{DateTime, Utc};

use super::id::{ApplicationId, SessionId, UserId};
use crate::{debug::partial_debug, time::NumericDate};

/// The parent of a nested session, and the parents of that one: the claim `act` (RFC 8693 §4.1).
///
/// It is a record for audit and display. Base access decisions on the session's own user, never on
/// prior actors (RFC 8693 §4.1).
///
/// # Examples
///
/// ```
/// use tower_session_token::Session;
///
/// fn audit(session: &Session) {
///     if let Some(actor) = session.actor() {
///         let users: Vec<_> = actor.chain().map(|actor| actor.user_id().to_string()).collect();
///         println!("on behalf of {}", users.join(", for "));
///     }
/// }
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Actor {
    pub(crate) user_id: UserId,
    pub(crate) session_id: Option<SessionId>,
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) authenticated_at: Option<NumericDate>,
    pub(crate) actor: Option<Box<Self>>,
}

impl Actor {
    /// The identifier of the acting user: `sub`.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The identifier of the session in which the user acts: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&SessionId> {
        self.session_id.as_ref()
    }

    /// The identifier of the application that opened that session: `client_id`.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.application_id.as_ref()
    }

    /// The time when the user authenticated: `auth_time`.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.authenticated_at.map(NumericDate::to_date_time)
    }

    /// The actor of that session, if it was nested itself: `act`.
    #[must_use]
    pub fn actor(&self) -> Option<&Self> {
        self.actor.as_deref()
    }

    /// This actor and its own actors, nearest first; at least one item.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.actor())
    }
}

// The number alone, since identities must not reach logs by accident.
partial_debug! { Actor(actor) { chain: actor.chain().count() } }

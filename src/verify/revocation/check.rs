//! The check whether a session is revoked.

use std::sync::Arc;

use crate::session::Session;

/// A check for revoked sessions, which the verifier runs at each verification.
///
/// It is synchronous and must not wait for I/O. A check that mirrors a remote store returns
/// [`Unknown`](RevocationStatus::Unknown) where its copy is too old. An `Arc` of a check, a boxed
/// trait object and a closure are checks too.
///
/// # Examples
///
/// ```
/// use tower_session_token::{RevocationCheck, RevocationStatus, Session};
///
/// /// Rejects one application altogether.
/// struct NoLegacyClient;
///
/// impl RevocationCheck for NoLegacyClient {
///     fn check(&self, session: &Session) -> RevocationStatus {
///         match session.application_id() {
///             Some(id) if id == "legacy" => RevocationStatus::Revoked,
///             _ => RevocationStatus::Valid,
///         }
///     }
/// }
/// ```
pub trait RevocationCheck: Send + Sync {
    /// Returns whether `session` is revoked. Its token is verified.
    fn check(&self, session: &Session) -> RevocationStatus;
}

impl<T: RevocationCheck + ?Sized> RevocationCheck for Arc<T> {
    fn check(&self, session: &Session) -> RevocationStatus {
        (**self).check(session)
    }
}

impl RevocationCheck for Box<dyn RevocationCheck> {
    fn check(&self, session: &Session) -> RevocationStatus {
        (**self).check(session)
    }
}

/// A check by a closure, or by a reference to one.
impl<F: Fn(&Session) -> RevocationStatus + Send + Sync> RevocationCheck for F {
    fn check(&self, session: &Session) -> RevocationStatus {
        self(session)
    }
}

/// The result of a [`RevocationCheck`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RevocationStatus {
    /// It is not revoked.
    Valid,
    /// It is revoked: the token is rejected.
    Revoked,
    /// It is not known: the token is rejected with 503, or accepted, as the verifier was
    /// [configured](crate::SessionVerifierBuilder::accept_unknown_revocation).
    Unknown,
}

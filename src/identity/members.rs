//! The identity of a session.

use super::{
    id::{ApplicationId, SessionId, TokenId},
    user::User,
};

/// The identifiers and the user of a session, from a token or of a system session.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) id: SessionId,
    pub(crate) user: User,
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) token_id: Option<TokenId>,
}

//! Who a session is for: identifiers and the user, read out of a token or made here.

use super::{
    id::{ApplicationId, SessionId, TokenId},
    user::User,
};

/// Identifiers and user of a session, whatever it comes from.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) id: SessionId,
    pub(crate) user: User,
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) token_id: Option<TokenId>,
}

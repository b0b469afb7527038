//! The validation of claims by the rules of the token's type.

use std::collections::HashMap;

use super::{
    claim_names::ClaimNames,
    claims::{Claim, is_subject},
    session_token::SessionToken,
};
use crate::{
    client::{ClientHints, ClientKind},
    error::SessionError,
    identity::{AccessLevel, ApplicationId},
    jws::TokenType,
    limits::Limits,
};

/// The configurable rules for claims.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimRules {
    /// Whether `iss` may be absent.
    pub(crate) any_issuer: bool,
    /// Whether `aud` may be absent.
    pub(crate) any_audience: bool,
    /// The kind of client of each application, for tokens without `client_kind`.
    pub(crate) application_kinds: HashMap<ApplicationId, ClientKind>,
    /// The names of claims in other issuers' tokens.
    pub(crate) names: ClaimNames,
}

impl ClaimRules {
    /// Reads the claims of `json` into an empty `token`, validates them by the rules of its type, and returns
    /// its hints of the client.
    pub(crate) fn read(
        &self,
        token: &mut SessionToken,
        token_type: TokenType,
        json: String,
        limits: &Limits,
    ) -> Result<ClientHints, SessionError> {
        token.read(token_type, json, &self.names, limits)?;
        let claims = &token.claims;
        if claims.has(Claim::cnf) {
            return Err(SessionError::unacceptable("`cnf` binds the token to a key"));
        }
        if token.token_type() == TokenType::Session && claims.has(Claim::act) {
            return Err(SessionError::unacceptable("`act` belongs to nested tokens"));
        }
        let mut missing = Claim::required_in(token.token_type()) & !claims.present;
        if self.any_issuer {
            missing &= !Claim::iss.bit();
        }
        if self.any_audience {
            missing &= !Claim::aud.bit();
        }
        if let Some(claim) = Claim::first_of(missing) {
            return Err(SessionError::claim(claim.as_str()));
        }
        let hints = token.client_hints()?;
        if !token.text(Claim::sub).is_some_and(is_subject) {
            return Err(SessionError::claim("sub"));
        }
        let access_level = token.parse(Claim::access_level)?;
        let client_kind = token.parse(Claim::client_kind)?;
        token.access_level = access_level.unwrap_or_default();
        if let Some(role) = &self.names.administrator_role
            && !token.token_type().is_ours()
            && token.roles().any(|own| own == role)
        {
            token.access_level = AccessLevel::Administrator;
        }
        token.client_kind = client_kind.unwrap_or_else(|| self.kind_of(token.application()));
        Ok(hints)
    }

    /// Looks the application up in the service's table.
    fn kind_of(&self, application: Option<&str>) -> ClientKind {
        // Most services have no table: their applications need no parsing.
        let application = application.filter(|_| !self.application_kinds.is_empty());
        let kind = application.and_then(|id| self.application_kinds.get(&ApplicationId::from(id)));
        kind.copied().unwrap_or(ClientKind::Other)
    }
}

//! The claims that each type of token requires, and the validated token.

use std::collections::HashMap;

use super::{
    claims::{Claims, is_subject},
    payload::Payload,
    session_token::SessionToken,
};
use crate::{
    client::{ClientHints, ClientKind},
    error::SessionError,
    identity::{AccessLevel, ApplicationId},
    jws::TokenType,
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
}

impl ClaimRules {
    /// Validates the claims by the rules of the token's type, and returns the token and its hints of
    /// the client.
    pub(crate) fn check(
        &self,
        token_type: TokenType,
        payload: Payload,
    ) -> Result<(SessionToken, ClientHints), SessionError> {
        let claims = &payload.claims;
        self.check_presence(token_type, claims)?;
        let mut token = SessionToken::new(token_type, payload);
        let hints = token.client_hints()?;
        let claims = &token.payload().claims;
        if !token.payload().get(claims.sub).is_some_and(is_subject) {
            return Err(SessionError::claim("sub"));
        }
        let access_level = match token.payload().get(claims.access_level).map(str::parse) {
            None => AccessLevel::Regular,
            Some(Ok(level)) => level,
            Some(Err(_)) => return Err(SessionError::claim("access_level")),
        };
        let client_kind = match token.payload().get(claims.client_kind).map(str::parse) {
            Some(Ok(kind)) => kind,
            Some(Err(_)) => return Err(SessionError::claim("client_kind")),
            None => self.kind_of(token.application()),
        };
        token.set(access_level, client_kind);
        Ok((token, hints))
    }

    /// Checks that the claims which the type requires are present, and that none which it rejects is.
    fn check_presence(&self, token_type: TokenType, claims: &Claims) -> Result<(), SessionError> {
        if claims.cnf.is_some() {
            return Err(SessionError::unacceptable("`cnf` binds the token to a key"));
        }
        if token_type == TokenType::Session && claims.act.is_some() {
            return Err(SessionError::unacceptable("`act` belongs to nested tokens"));
        }
        let ours = token_type.is_ours();
        let not_jwt = token_type != TokenType::Jwt;
        let nested = token_type == TokenType::NestedSession;
        for (required, is_there, name) in [
            (!self.any_issuer, claims.iss.is_some(), "iss"),
            (!self.any_audience, claims.aud.is_some(), "aud"),
            (true, claims.sub.is_some(), "sub"),
            (true, claims.exp.is_some(), "exp"),
            (not_jwt, claims.iat.is_some(), "iat"),
            (not_jwt, claims.jti.is_some(), "jti"),
            (ours, claims.sid.is_some(), "sid"),
            (not_jwt, claims.client_id.is_some(), "client_id"),
            (nested, claims.act.is_some(), "act"),
        ] {
            if required && !is_there {
                return Err(SessionError::claim(name));
            }
        }
        Ok(())
    }

    /// Looks the application up in the service's table.
    fn kind_of(&self, application: Option<&str>) -> ClientKind {
        if self.application_kinds.is_empty() {
            return ClientKind::Other;
        }
        application
            .and_then(|id| self.application_kinds.get(&ApplicationId::from(id)))
            .copied()
            .unwrap_or(ClientKind::Other)
    }
}

//! Which claims a token of each type must have, and what they become.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    TokenType,
    time::NumericDate,
    wire::claims::{Claims, Payload, is_subject},
};
use crate::{
    client::{self, ClientHints, ClientKind, ClientTimeZone, Culture},
    error::SessionError,
    session::{AccessLevel, ApplicationId, Members, SessionId, TokenId, User},
};

/// What of the form a service may choose.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    /// Whether `iss` may be absent.
    pub(super) any_issuer: bool,
    /// Whether `aud` may be absent.
    pub(super) any_audience: bool,
    /// The kinds of clients whose issuers do not say it.
    pub(super) application_kinds: HashMap<ApplicationId, ClientKind>,
}

impl Form {
    /// Checks the claims that are about the session.
    pub(super) fn check(
        &self,
        token_type: TokenType,
        payload: &Payload,
    ) -> Result<Checked, SessionError> {
        let claims = &payload.claims;
        self.check_presence(token_type, claims)?;
        let client = client(token_type, payload)?;
        if !payload.get(claims.sub).is_some_and(is_subject) {
            return Err(SessionError::claim("sub"));
        }
        let access_level = match payload.get(claims.access_level).map(str::parse) {
            None => AccessLevel::Regular,
            Some(Ok(level)) => level,
            Some(Err(_)) => return Err(SessionError::claim("access_level")),
        };
        let client_kind = match payload.get(claims.client_kind).map(str::parse) {
            Some(Ok(kind)) => kind,
            Some(Err(_)) => return Err(SessionError::claim("client_kind")),
            None => self.kind_of(application_id(token_type, payload)),
        };
        Ok(Checked {
            token_type,
            client_kind,
            access_level,
            client,
        })
    }

    /// Whether the claims that the type needs are there, and none that it refuses.
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
        for (required, there, name) in [
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
            if required && !there {
                return Err(SessionError::claim(name));
            }
        }
        Ok(())
    }

    /// What the service knows of an application.
    fn kind_of(&self, application_id: Option<&str>) -> ClientKind {
        if self.application_kinds.is_empty() {
            return ClientKind::Other;
        }
        application_id
            .and_then(|id| self.application_kinds.get(&ApplicationId::from(id)))
            .copied()
            .unwrap_or(ClientKind::Other)
    }
}

/// What of the claims is more than text.
pub(super) struct Checked {
    pub(super) token_type: TokenType,
    pub(super) client_kind: ClientKind,
    pub(super) access_level: AccessLevel,
    pub(super) client: ClientHints,
}

/// Only a `JWT` may name the application in `azp`.
fn application_id(token_type: TokenType, payload: &Payload) -> Option<&str> {
    let claims = &payload.claims;
    let azp = claims.azp.filter(|_| token_type == TokenType::Jwt);
    payload.get(claims.client_id.or(azp))
}

/// Who a token that was checked is for, and by which names.
pub(super) fn members(
    token_type: TokenType,
    access_level: AccessLevel,
    payload: &Payload,
) -> Members {
    let claims = &payload.claims;
    let id = payload.get(claims.sub).unwrap_or_default();
    let mut user = User::new(id).with_access_level(access_level);
    if let Some(name) = payload.get(claims.name) {
        user = user.with_name(name);
    }
    if let Some(login) = payload.get(claims.preferred_username) {
        user = user.with_login(login);
    }
    Members {
        id: session_id(payload),
        user,
        application_id: application_id(token_type, payload).map(ApplicationId::from),
        token_id: payload.get(claims.jti).map(TokenId::from),
    }
}

/// What the token says of the client's culture, offset and zone.
pub(super) fn client(
    token_type: TokenType,
    payload: &Payload,
) -> Result<ClientHints, SessionError> {
    let (claims, ours) = (&payload.claims, token_type.is_ours());
    let utc_offset = match claims.utc_offset {
        Some(minutes) => match client::offset_from_minutes(minutes) {
            None => return Err(SessionError::claim("utc_offset")),
            offset => offset,
        },
        None => None,
    };
    Ok(ClientHints {
        culture: culture(payload.get(claims.locale), ours, "locale")?,
        ui_culture: culture(payload.get(claims.ui_locale), ours, "ui_locale")?,
        utc_offset,
        time_zone: time_zone(payload.get(claims.zoneinfo), ours)?,
    })
}

/// `sid`, else `jti`, else what stands in for both in a `JWT` that has neither: equal for equal
/// tokens.
fn session_id(payload: &Payload) -> SessionId {
    let claims = &payload.claims;
    if let Some(id) = payload.get(claims.sid.or(claims.jti)) {
        return id.into();
    }
    let seconds = |moment: Option<NumericDate>| {
        moment.map_or_else(String::new, |it| it.seconds().to_string())
    };
    let name = [
        payload.get(claims.iss).unwrap_or_default(),
        payload.get(claims.sub).unwrap_or_default(),
        &seconds(claims.iat),
        &seconds(claims.exp),
    ]
    .join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
}

/// The culture that a claim names; what others mint is read with indulgence.
fn culture(
    text: Option<&str>,
    ours: bool,
    name: &'static str,
) -> Result<Option<Culture>, SessionError> {
    match text {
        None => Ok(None),
        Some(text) if ours => text
            .parse()
            .map(Some)
            .map_err(|_| SessionError::claim(name)),
        Some(text) => Ok(Culture::parse_lenient(text)),
    }
}

/// The zone that the claim names. One that the table lacks counts as absent: tables age.
fn time_zone(text: Option<&str>, ours: bool) -> Result<Option<ClientTimeZone>, SessionError> {
    match text {
        Some(text) if ours && !client::is_zone_name(text) => Err(SessionError::claim("zoneinfo")),
        Some(text) => Ok(text.parse().ok()),
        None => Ok(None),
    }
}

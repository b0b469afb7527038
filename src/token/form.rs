//! Which claims a token of each type must have, and what they become.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    TokenType,
    session_token::SessionToken,
    time::NumericDate,
    wire::{
        claims::{Claims, is_subject},
        text::{PayloadText, Span},
    },
};
use crate::{
    client::{self, ClientKind, Culture, Offer, TimeZone},
    error::{SessionError, SessionErrorKind},
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
    /// Checks the claims and makes a token of them; also gives what it says of the client.
    pub(super) fn token(
        &self,
        token_type: TokenType,
        claims: Claims,
        text: PayloadText,
    ) -> Result<(SessionToken, Offer), SessionError> {
        self.check_presence(token_type, &claims)?;
        let client = client(token_type, &claims, &text)?;
        let get = |span: Option<Span>| span.map(|span| text.get(span));
        if !get(claims.sub).is_some_and(is_subject) {
            return Err(SessionError::claim("sub"));
        }
        let access_level = match get(claims.access_level).map(str::parse) {
            None => AccessLevel::Regular,
            Some(Ok(level)) => level,
            Some(Err(_)) => return Err(SessionError::claim("access_level")),
        };
        let client_kind = match get(claims.client_kind).map(str::parse) {
            Some(Ok(kind)) => kind,
            Some(Err(_)) => return Err(SessionError::claim("client_kind")),
            None => self.kind_of(application_id(token_type, &claims, &text)),
        };
        let token = SessionToken::new(token_type, client_kind, access_level, claims, text);
        Ok((token, client))
    }

    /// Whether the claims that the type needs are there, and none that it refuses.
    fn check_presence(&self, token_type: TokenType, claims: &Claims) -> Result<(), SessionError> {
        if claims.cnf.is_some() {
            return Err(unacceptable("`cnf` binds the token to a key"));
        }
        if token_type == TokenType::Session && claims.act.is_some() {
            return Err(unacceptable("`act` belongs to nested tokens"));
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

/// Only a `JWT` may name the application in `azp`.
fn application_id<'t>(
    token_type: TokenType,
    claims: &Claims,
    text: &'t PayloadText,
) -> Option<&'t str> {
    let azp = claims.azp.filter(|_| token_type == TokenType::Jwt);
    claims.client_id.or(azp).map(|span| text.get(span))
}

/// Who a token that was checked is for, and by which names.
pub(super) fn members(
    token_type: TokenType,
    access_level: AccessLevel,
    claims: &Claims,
    text: &PayloadText,
) -> Members {
    let get = |span: Option<Span>| span.map(|span| text.get(span));
    let user = User::new(get(claims.sub).unwrap_or_default()).with_access_level(access_level);
    let user = match get(claims.name) {
        Some(name) => user.with_name(name),
        None => user,
    };
    let user = match get(claims.preferred_username) {
        Some(login) => user.with_login(login),
        None => user,
    };
    Members {
        id: session_id(claims, text),
        user,
        application_id: application_id(token_type, claims, text).map(ApplicationId::from),
        token_id: get(claims.jti).map(TokenId::from),
    }
}

/// What the token says of the client's culture, offset and zone.
pub(super) fn client(
    token_type: TokenType,
    claims: &Claims,
    text: &PayloadText,
) -> Result<Offer, SessionError> {
    let ours = token_type.is_ours();
    let get = |span: Option<Span>| span.map(|span| text.get(span));
    let utc_offset = match claims.utc_offset {
        Some(minutes) => match client::offset_from_minutes(minutes) {
            None => return Err(SessionError::claim("utc_offset")),
            offset => offset,
        },
        None => None,
    };
    Ok(Offer {
        culture: culture(get(claims.locale), ours, "locale")?,
        ui_culture: culture(get(claims.ui_locale), ours, "ui_locale")?,
        utc_offset,
        time_zone: time_zone(get(claims.zoneinfo), ours)?,
    })
}

/// `sid`, else `jti`, else what stands in for both in a `JWT` that has neither: equal for equal
/// tokens.
fn session_id(claims: &Claims, text: &PayloadText) -> SessionId {
    if let Some(id) = claims.sid.or(claims.jti) {
        return text.get(id).into();
    }
    let get = |span: Option<Span>| span.map(|span| text.get(span)).unwrap_or_default();
    let seconds = |moment: Option<NumericDate>| {
        moment.map_or_else(String::new, |it| it.seconds().to_string())
    };
    let name = [
        get(claims.iss),
        get(claims.sub),
        &seconds(claims.iat),
        &seconds(claims.exp),
    ]
    .join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
}

fn unacceptable(detail: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::TokenUnacceptable, detail)
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
fn time_zone(text: Option<&str>, ours: bool) -> Result<Option<TimeZone>, SessionError> {
    match text {
        Some(text) if ours && !client::is_zone_name(text) => Err(SessionError::claim("zoneinfo")),
        Some(text) => Ok(text.parse().ok()),
        None => Ok(None),
    }
}

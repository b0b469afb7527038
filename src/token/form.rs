//! Which claims a token of each type must have, and what they become.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    TokenType,
    session_token::{SessionToken, TokenClaims},
    time::NumericDate,
    wire::{
        claims::{Claims, is_subject},
        text::{PayloadText, Span},
    },
};
use crate::{
    client::{self, ClientKind, Culture, Offer, TimeZone},
    error::{SessionError, SessionErrorKind},
    session::{ApplicationId, Members, SessionId, TokenId, User},
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
    /// Checks the claims and makes a token of them.
    pub(super) fn token(
        &self,
        token_type: TokenType,
        claims: Claims,
        text: PayloadText,
    ) -> Result<SessionToken, SessionError> {
        self.check_presence(token_type, &claims)?;
        let get = |span: Option<Span>| span.map(|span| text.get(span));
        let application_id = get(claims.client_id)
            // Only a `JWT` may name the application in `azp`.
            .or_else(|| get(claims.azp.filter(|_| token_type == TokenType::Jwt)))
            .map(ApplicationId::from);
        let client = client(&claims, &text, token_type.is_ours())?;
        let members = Members {
            id: session_id(&claims, &text),
            user: user(&claims, &text)?,
            client_kind: self.client_kind(get(claims.client_kind), application_id.as_ref())?,
            application_id,
            actor: claims.act,
        };
        let claims = TokenClaims {
            token_type,
            id: get(claims.jti).map(TokenId::from),
            issuer: claims.iss,
            audience: claims.aud.unwrap_or_default(),
            scope: claims.scope,
            server_code: claims.server,
            instance_name: claims.instance,
            issued_at: claims.iat,
            not_before: claims.nbf,
            expires_at: claims.exp.ok_or(SessionError::claim("exp"))?,
        };
        Ok(SessionToken::new(members, client, claims, text))
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

    /// What the token says, else what the service knows of the application.
    fn client_kind(
        &self,
        said: Option<&str>,
        application_id: Option<&ApplicationId>,
    ) -> Result<ClientKind, SessionError> {
        match said {
            Some(kind) => kind.parse().or(Err(SessionError::claim("client_kind"))),
            None => Ok(application_id
                .and_then(|id| self.application_kinds.get(id))
                .copied()
                .unwrap_or(ClientKind::Other)),
        }
    }
}

fn user(claims: &Claims, text: &PayloadText) -> Result<User, SessionError> {
    let get = |span: Option<Span>| span.map(|span| text.get(span));
    let sub = get(claims.sub).filter(|sub| is_subject(sub));
    let mut user = User::new(sub.ok_or(SessionError::claim("sub"))?);
    if let Some(name) = get(claims.name) {
        user = user.with_name(name);
    }
    if let Some(login) = get(claims.preferred_username) {
        user = user.with_login(login);
    }
    match get(claims.access_level) {
        Some(level) => match level.parse() {
            Ok(level) => Ok(user.with_access_level(level)),
            Err(_) => Err(SessionError::claim("access_level")),
        },
        None => Ok(user),
    }
}

fn client(claims: &Claims, text: &PayloadText, ours: bool) -> Result<Offer, SessionError> {
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

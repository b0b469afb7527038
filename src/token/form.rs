//! Which claims a token of each type must have, and what they become.

use std::collections::HashMap;

use smol_str::SmolStr;
use uuid::Uuid;

use super::{
    TokenType,
    session_token::{SessionToken, Span, TokenClaims},
    time::NumericDate,
    wire::{
        claims::{Claims, is_subject},
        json::Texts,
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
    /// Checks the claims and makes a token of them. `payload` is the text that they borrow from.
    pub(super) fn token(
        &self,
        token_type: TokenType,
        payload: &str,
        claims: Claims<'_>,
    ) -> Result<Unfinished, SessionError> {
        self.check_presence(token_type, &claims)?;
        let client = client(&claims, token_type.is_ours())?;
        let user = user(&claims)?;
        let application_id = application_id(token_type, &claims);
        let client_kind = self.client_kind(&claims, application_id.as_ref())?;
        let mut spans = Spans {
            payload,
            appended: String::new(),
        };
        let token = token_claims(token_type, &claims, &mut spans)?;
        let members = Members {
            id: session_id(&claims),
            user,
            application_id,
            client_kind,
            server_code: claims.server.as_deref().map(SmolStr::new),
            instance_name: claims.instance.as_deref().map(SmolStr::new),
            actor: claims.act.map(Box::new),
        };
        Ok(Unfinished {
            members,
            client,
            token,
            appended: spans.appended,
        })
    }

    /// Whether the claims that the type needs are there, and none that it refuses.
    fn check_presence(
        &self,
        token_type: TokenType,
        claims: &Claims<'_>,
    ) -> Result<(), SessionError> {
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
        claims: &Claims<'_>,
        application_id: Option<&ApplicationId>,
    ) -> Result<ClientKind, SessionError> {
        match &claims.client_kind {
            Some(kind) => kind.parse().or(Err(SessionError::claim("client_kind"))),
            None => Ok(application_id
                .and_then(|id| self.application_kinds.get(id))
                .copied()
                .unwrap_or(ClientKind::Other)),
        }
    }
}

fn user(claims: &Claims<'_>) -> Result<User, SessionError> {
    let sub = claims.sub.as_deref().filter(|sub| is_subject(sub));
    let mut user = User::new(sub.ok_or(SessionError::claim("sub"))?);
    if let Some(name) = &claims.name {
        user = user.with_name(name);
    }
    if let Some(login) = &claims.preferred_username {
        user = user.with_login(login);
    }
    match &claims.access_level {
        Some(level) => match level.parse() {
            Ok(level) => Ok(user.with_access_level(level)),
            Err(_) => Err(SessionError::claim("access_level")),
        },
        None => Ok(user),
    }
}

/// Only a `JWT` may name the application in `azp`.
fn application_id(token_type: TokenType, claims: &Claims<'_>) -> Option<ApplicationId> {
    let azp = match token_type {
        TokenType::Jwt => claims.azp.as_deref(),
        _ => None,
    };
    claims.client_id.as_deref().or(azp).map(ApplicationId::from)
}

fn client(claims: &Claims<'_>, ours: bool) -> Result<Offer, SessionError> {
    let utc_offset = match claims.utc_offset {
        Some(minutes) => match client::offset_from_minutes(minutes) {
            None => return Err(SessionError::claim("utc_offset")),
            offset => offset,
        },
        None => None,
    };
    Ok(Offer {
        culture: culture(claims.locale.as_deref(), ours, "locale")?,
        ui_culture: culture(claims.ui_locale.as_deref(), ours, "ui_locale")?,
        utc_offset,
        time_zone: time_zone(claims.zoneinfo.as_deref(), ours)?,
    })
}

fn token_claims(
    token_type: TokenType,
    claims: &Claims<'_>,
    spans: &mut Spans<'_>,
) -> Result<TokenClaims, SessionError> {
    let issuer = claims.iss.as_deref().map(|iss| spans.of(iss));
    let scope = claims.scope.as_deref().map(|scope| spans.of(scope));
    let audience = claims.aud.as_ref().map_or(&[][..], Texts::as_slice);
    let mut audience = audience.iter().map(|one| spans.of(one));
    Ok(TokenClaims {
        token_type,
        id: claims.jti.as_deref().map(TokenId::from),
        issuer,
        audience: audience.next(),
        more_audience: audience.collect(),
        scope,
        issued_at: claims.iat,
        not_before: claims.nbf,
        expires_at: claims.exp.ok_or(SessionError::claim("exp"))?,
    })
}

/// `sid`, else `jti`, else what stands in for both in a `JWT` that has neither: equal for equal
/// tokens.
fn session_id(claims: &Claims<'_>) -> SessionId {
    if let Some(id) = claims.sid.as_deref().or(claims.jti.as_deref()) {
        return id.into();
    }
    let seconds = |moment: Option<NumericDate>| {
        moment.map_or_else(String::new, |it| it.seconds().to_string())
    };
    let name = [
        claims.iss.as_deref().unwrap_or_default(),
        claims.sub.as_deref().unwrap_or_default(),
        &seconds(claims.iat),
        &seconds(claims.exp),
    ]
    .join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
}

fn unacceptable(detail: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::TokenUnacceptable, detail)
}

/// All of a token but its payload, which the claims borrowed until now.
pub(super) struct Unfinished {
    members: Members,
    client: Offer,
    token: TokenClaims,
    appended: String,
}

impl Unfinished {
    pub(super) fn finish(self, payload: String) -> SessionToken {
        SessionToken::new(
            self.members,
            self.client,
            self.token,
            payload,
            &self.appended,
        )
    }
}

/// Remembers where texts stand in the payload. What was written with escapes does not stand
/// there, and is appended to it.
struct Spans<'a> {
    payload: &'a str,
    appended: String,
}

impl Spans<'_> {
    fn of(&mut self, text: &str) -> Span {
        let offset = text
            .as_ptr()
            .addr()
            .checked_sub(self.payload.as_ptr().addr())
            .filter(|at| self.payload.get(*at..at + text.len()) == Some(text));
        let start = offset.unwrap_or_else(|| {
            let at = self.payload.len() + self.appended.len();
            self.appended.push_str(text);
            at
        });
        Span::new(start, text.len())
    }
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

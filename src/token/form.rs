//! Which claims a token of each type must have, and what they become.

use std::collections::HashMap;

use smol_str::SmolStr;
use uuid::Uuid;

use super::{
    TokenType,
    session_token::{SessionToken, Span, TokenClaims},
    wire::{
        claims::{Claims, is_subject},
        json::Texts,
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
    /// Checks the claims and makes a token of them. `payload` is the text that they borrow from.
    pub(super) fn token(
        &self,
        token_type: TokenType,
        payload: &str,
        claims: Claims<'_>,
    ) -> Result<Unfinished, SessionError> {
        use SessionError as E;

        if claims.cnf.is_some() {
            return Err(unacceptable("`cnf` binds the token to a key"));
        }
        match (token_type, &claims.act) {
            (TokenType::Session, Some(_)) => {
                return Err(unacceptable("`act` belongs to nested tokens"));
            }
            (TokenType::NestedSession, None) => return Err(E::claim("act")),
            _ => {}
        }
        let ours = token_type.is_ours();
        let needs = |required: bool, there: bool, name| match there || !required {
            true => Ok(()),
            false => Err(E::claim(name)),
        };
        let not_jwt = token_type != TokenType::Jwt;
        needs(!self.any_issuer, claims.iss.is_some(), "iss")?;
        needs(!self.any_audience, claims.aud.is_some(), "aud")?;
        needs(not_jwt, claims.iat.is_some(), "iat")?;
        needs(not_jwt, claims.jti.is_some(), "jti")?;
        needs(ours, claims.sid.is_some(), "sid")?;
        needs(not_jwt, claims.client_id.is_some(), "client_id")?;
        let expires_at = claims.exp.ok_or(E::claim("exp"))?;
        let sub = claims.sub.as_deref().ok_or(E::claim("sub"))?;
        if !is_subject(sub) {
            return Err(E::claim("sub"));
        }

        let client = Offer {
            culture: culture(claims.locale.as_deref(), ours, "locale")?,
            ui_culture: culture(claims.ui_locale.as_deref(), ours, "ui_locale")?,
            utc_offset: match claims.utc_offset {
                Some(minutes) => {
                    Some(client::offset_from_minutes(minutes).ok_or(E::claim("utc_offset"))?)
                }
                None => None,
            },
            time_zone: time_zone(claims.zoneinfo.as_deref(), ours)?,
        };

        let mut user = User::new(sub);
        if let Some(name) = &claims.name {
            user = user.with_name(name);
        }
        if let Some(login) = &claims.preferred_username {
            user = user.with_login(login);
        }
        if let Some(level) = &claims.access_level {
            let level = level.parse::<AccessLevel>();
            user = user.with_access_level(level.map_err(|_| E::claim("access_level"))?);
        }

        let application_id = claims
            .client_id
            .as_deref()
            .or(match token_type {
                TokenType::Jwt => claims.azp.as_deref(),
                _ => None,
            })
            .map(ApplicationId::from);
        let client_kind = match &claims.client_kind {
            Some(kind) => kind.parse().map_err(|_| E::claim("client_kind"))?,
            None => application_id
                .as_ref()
                .and_then(|id| self.application_kinds.get(id))
                .copied()
                .unwrap_or(ClientKind::Other),
        };

        let id = match claims.sid.as_deref().or(claims.jti.as_deref()) {
            Some(id) => SessionId::from(id),
            None => derived_session_id(&claims, sub),
        };
        let mut spans = Spans {
            payload,
            appended: String::new(),
        };
        let issuer = claims.iss.as_deref().map(|iss| spans.of(iss));
        let scope = claims.scope.as_deref().map(|scope| spans.of(scope));
        let audience = claims.aud.as_ref().map_or(&[][..], Texts::as_slice);
        let mut audience = audience.iter().map(|one| spans.of(one));
        let token = TokenClaims {
            token_type,
            id: claims.jti.as_deref().map(TokenId::from),
            issuer,
            audience: audience.next(),
            more_audience: audience.collect(),
            scope,
            issued_at: claims.iat,
            not_before: claims.nbf,
            expires_at,
        };
        let members = Members {
            id,
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

/// Stands in for `sid` and `jti` in a `JWT` that has neither: equal for equal tokens.
fn derived_session_id(claims: &Claims<'_>, sub: &str) -> SessionId {
    let seconds = |moment: Option<super::time::NumericDate>| {
        moment.map_or_else(String::new, |it| it.seconds().to_string())
    };
    let name = [
        claims.iss.as_deref().unwrap_or_default(),
        sub,
        &seconds(claims.iat),
        &seconds(claims.exp),
    ]
    .join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
}

//! Extractors for axum.

use std::fmt;

use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE, request::Parts};

use crate::{
    client::ClientContext,
    error::{SessionError, SessionErrorKind},
    middleware::Refuser,
    session::Session,
};

/// The session of the request.
///
/// Behind an optional layer a request without a token is refused with 401; take an
/// `Option<Session>` where it may pass.
///
/// The extractor does not know the layer: that answer is always the bare challenge with the realm
/// `session` and an empty body, even if the layer was given another realm, `problem_details` or
/// `on_reject`. For an answer in the layer's form, put the routes that need a session behind a
/// layer that is not optional, or behind a guard with the same settings:
/// [`RequireAccessLevel`](crate::RequireAccessLevel) of [`AccessLevel::Regular`] lets every
/// session pass.
///
/// [`AccessLevel::Regular`]: crate::AccessLevel::Regular
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        optional_session(parts)?.ok_or_else(|| SessionRejection::missing(parts))
    }
}

/// The session of the request, or none where an optional layer let it pass without a token.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        optional_session(parts)
    }
}

/// Culture, offset and zone of the call, whether it has a session or not.
impl<S: Sync> FromRequestParts<S> for ClientContext {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        context(parts).cloned()
    }
}

fn optional_session(parts: &Parts) -> Result<Option<Session>, SessionRejection> {
    context(parts)?;
    Ok(parts.extensions.get::<Session>().cloned())
}

/// The layer leaves it in every request that it lets pass.
fn context(parts: &Parts) -> Result<&ClientContext, SessionRejection> {
    parts
        .extensions
        .get::<ClientContext>()
        .ok_or(SessionRejection(Reason::NoLayer))
}

/// Why an extractor found nothing.
///
/// As a response it is 401 `token_missing` where an optional layer let a request pass without a
/// token, and 500 where no [`SessionLayer`](crate::SessionLayer) ran, which is a mistake in how
/// the service is put together.
pub struct SessionRejection(Reason);

enum Reason {
    NoLayer,
    Missing(Box<Response>),
}

impl SessionRejection {
    fn missing(parts: &Parts) -> Self {
        let error = SessionError::new(SessionErrorKind::TokenMissing, "no token was found");
        // All of them that the answer depends on.
        let content_type = parts.headers.get(CONTENT_TYPE);
        let headers = content_type
            .map(|it| (CONTENT_TYPE, it.clone()))
            .into_iter()
            .collect();
        let response = Refuser::default().refuse::<Body>(&parts.method, headers, error);
        Self(Reason::Missing(Box::new(response)))
    }
}

const NO_LAYER: &str =
    "no `SessionLayer` ran in front of this handler: add one with `Router::layer`";

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self.0 {
            Reason::NoLayer => (StatusCode::INTERNAL_SERVER_ERROR, NO_LAYER).into_response(),
            Reason::Missing(response) => *response,
        }
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::NoLayer => NO_LAYER,
            Reason::Missing(_) => SessionErrorKind::TokenMissing.title(),
        })
    }
}

impl fmt::Debug for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionRejection")
            .field(&self.to_string())
            .finish()
    }
}

impl std::error::Error for SessionRejection {}

//! Extractors for axum, and `IntoResponse` for the rejection.

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{
    client::ClientContext,
    error::SessionError,
    middleware::{require_context, require_session},
    session::Session,
};

/// The session of the request.
///
/// Behind an optional layer a request without a session is rejected with 401 `token_missing`, in
/// the form of the layer; extract an `Option<Session>` where a session is optional. Where no layer
/// ran, the response is a 500 that names the mistake.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_token::{Session, SessionError};
///
/// async fn hello(session: Session) -> String {
///     format!("hello, {}", session.user().name().unwrap_or("-"))
/// }
///
/// async fn optional(session: Option<Session>) -> String {
///     session.map_or("anonymous".to_owned(), |session| session.user().id().to_string())
/// }
///
/// async fn reports(session: Session) -> Result<&'static str, SessionError> {
///     if session.user().is_administrator() {
///         Ok("the reports")
///     } else {
///         Err(SessionError::forbidden())
///     }
/// }
///
/// let routes: Router = Router::new()
///     .route("/hello", get(hello))
///     .route("/optional", get(optional))
///     .route("/reports", get(reports));
/// ```
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        require_session(&parts.extensions).cloned()
    }
}

/// The session of the request, or none where an optional layer admitted it without one.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        require_context(&parts.extensions)?;
        Ok(parts.extensions.get().cloned())
    }
}

/// Cultures, offset and zone of the call, with or without a session.
impl<S: Sync> FromRequestParts<S> for ClientContext {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        require_context(&parts.extensions).cloned()
    }
}

/// The rejection by an extractor or handler, which the layer in front formats; see
/// [`to_response`](SessionError::to_response).
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        self.to_response()
    }
}

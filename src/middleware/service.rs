//! The middleware service: finds and verifies the token, and calls the inner service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, HeaderMap, HeaderName, Request, Response, StatusCode, header::COOKIE};
use tower::Service;

use super::{
    client_headers::ClientHeaders,
    future::ResponseFuture,
    rejection::{ChallengeParameters, EmptyBody, Rejecter, RejectionBody},
    token_source::{self, TokenSource},
    vary::NegotiationHeaders,
};
use crate::{
    client::ClientContext,
    error::{SessionError, SessionErrorKind},
    session::{Session, SessionContext},
    verify::SessionVerifier,
};
#[cfg(feature = "remote_keys")]
use crate::{jws::KeyWait, verify::KEYS_AWAITED};

/// Gives a middleware access to its inner service.
macro_rules! inner_accessors {
    ($service:ident<$inner:ident $(, $parameter:ident)?>) => {
        impl<$inner $(, $parameter)?> $service<$inner $(, $parameter)?> {
            /// The inner service.
            #[must_use]
            pub fn get_ref(&self) -> &$inner {
                &self.inner
            }

            /// The inner service, mutably.
            pub fn get_mut(&mut self) -> &mut $inner {
                &mut self.inner
            }

            /// Returns the inner service.
            #[must_use]
            pub fn into_inner(self) -> $inner {
                self.inner
            }
        }
    };
}
pub(super) use inner_accessors;

/// Calls the inner service in the scope of the session, or rejects the request. A function would copy
/// the request.
macro_rules! respond {
    ($inner:ident, $config:ident, $rejecter:ident, $admitted:ident, $request:ident) => {{
        use $crate::{
            middleware::{
                future::{ResponseFuture, State},
                token_source,
            },
            session::{Entered, SessionScope},
        };
        if !token_source::is_bearer_alone(&$config.sources) {
            token_source::remove_subprotocols(&$config.sources, $request.headers_mut());
        }
        match $admitted {
            Err(error) => {
                let response = Some(Ok($rejecter.reject(&mut $request, error)));
                ResponseFuture::from(State::Rejected { response })
            }
            Ok((mut session, headers)) => {
                let kept = $rejecter.keep(&$request);
                let entered = Entered::new(&mut session);
                let future = $inner.call($request);
                drop(entered);
                ResponseFuture::from(State::Session {
                    future: SessionScope::new(session, future),
                    rejecter: Arc::clone($rejecter),
                    request: kept,
                    headers,
                })
            }
        }
    }};
}
#[cfg(feature = "remote_keys")]
pub(super) use respond;

/// The middleware that a [`SessionLayer`](crate::SessionLayer) makes.
#[derive(Debug)]
pub struct SessionService<S, R = EmptyBody> {
    pub(super) inner: S,
    pub(super) config: Arc<LayerConfig>,
    pub(super) rejecter: Arc<Rejecter<R>>,
}

impl<S: Clone, R> Clone for SessionService<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            config: Arc::clone(&self.config),
            rejecter: Arc::clone(&self.rejecter),
        }
    }
}

inner_accessors!(SessionService<S, R>);

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: RejectionBody<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Self {
            inner,
            config,
            rejecter,
        } = self;
        let admitted = config.admit(&mut request);
        respond!(inner, config, rejecter, admitted, request)
    }
}

/// Removes the session, context and error that an outer layer or a forwarded request left in the
/// extensions: this layer did not verify them.
///
/// # Errors
///
/// A session that is also the ambient one was verified by an outer layer of this stack. This layer
/// would hide it.
fn remove_stale(extensions: &mut Extensions) -> Result<(), SessionError> {
    let stale = extensions.remove::<Session>();
    extensions.remove::<ClientContext>();
    extensions.remove::<SessionError>();
    match stale {
        Some(session) if SessionContext::is_current(&session) => Err(SessionError::new(
            SessionErrorKind::Misconfigured,
            "two `SessionLayer`s are in one stack, and the inner one would hide the session of \
             the outer one: remove one of them, or use `RequireSession` inside",
        )),
        _ => Ok(()),
    }
}

impl ClientContext {
    /// The client context of a request behind the session layer: the session's, or without a session
    /// the one by request headers and defaults. `None` where no layer ran.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Request;
    /// use tower_session_token::ClientContext;
    ///
    /// fn language<B>(request: &Request<B>) -> String {
    ///     ClientContext::of(request.extensions()).map(|client| client.ui_culture().to_string()).unwrap_or_default()
    /// }
    /// # assert_eq!(language(&Request::new(())), "");
    /// ```
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        let session = extensions.get::<Session>().map(Session::client_context);
        session.or_else(|| extensions.get())
    }
}

/// Returns the session of the request, or the error of a guard or extractor that requires one.
pub(crate) fn require_session(extensions: &Extensions) -> Result<&Session, SessionError> {
    match extensions.get::<Session>() {
        Some(session) => Ok(session),
        None => require_context(extensions).and(Err(NO_TOKEN)),
    }
}

/// Returns the client context of the request, or the error where no layer ran.
pub(crate) fn require_context(extensions: &Extensions) -> Result<&ClientContext, SessionError> {
    ClientContext::of(extensions).ok_or(SessionError::new(
        SessionErrorKind::Misconfigured,
        "no `SessionLayer` ran in front of this guard or handler. With axum, add it by \
         `Router::layer` after (below) the routes and guards, and unknown paths answer 401 too, or \
         by `Router::route_layer`, and they stay 404. In a `ServiceBuilder`, add it before \
         (above) the guards",
    ))
}

const NO_TOKEN: SessionError =
    SessionError::new(SessionErrorKind::TokenMissing, "no token was found");

static COOKIE_FIELD: HeaderName = COOKIE;

/// The configuration of a layer, which its services share.
#[derive(Clone, Debug)]
pub(super) struct LayerConfig {
    pub(super) verifier: SessionVerifier,
    pub(super) optional: bool,
    pub(super) sources: Vec<TokenSource>,
    pub(super) challenge: ChallengeParameters,
    pub(super) client_headers: ClientHeaders,
}

/// The session of an admitted request, if it has one, and the headers that the response gets.
pub(super) type Admitted = (Option<Session>, Option<Box<NegotiationHeaders>>);

impl LayerConfig {
    /// Begins a wait for the key of the request's token.
    #[cfg(feature = "remote_keys")]
    pub(super) fn wait_for_keys(&self, headers: &mut HeaderMap) -> Option<Box<dyn KeyWait>> {
        let is_awaited = |token: &&[u8]| matches!(self.verifier.verify(token), Err(KEYS_AWAITED));
        let token = match token_source::explicit(&self.sources, headers).ok()? {
            Some(credential) => Some(credential.token),
            None => token_source::cookies(&self.sources, headers)
                .ok()?
                .find(is_awaited),
        };
        self.verifier.wait_for_keys(token?)
    }

    /// Finds and verifies the token. Puts the session into the request's extensions, or where there
    /// is none the client context, and the error of a cookie that made the request anonymous.
    #[inline]
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<Admitted, SessionError> {
        let stale_removed = if request.extensions().is_empty() {
            Ok(())
        } else {
            remove_stale(request.extensions_mut())
        };
        // The fields of tokens are marked as sensitive in a rejected request too.
        let explicit = token_source::explicit(&self.sources, request.headers_mut());
        stale_removed?;
        let (session, token_field) = match explicit? {
            Some(explicit) => match self.verifier.verify(explicit.token) {
                Ok(session) => (Some(session), explicit.own_header),
                Err(error) => return Err(explicit.rejection(error)),
            },
            None => match self.find_cookie_session(request.headers()) {
                Ok(session) => (Some(session), Some(&COOKIE_FIELD)),
                Err(error) if self.optional && !is_unavailable(error) => {
                    if error != NO_TOKEN {
                        request.extensions_mut().insert(error);
                    }
                    (None, None)
                }
                Err(error) => return Err(error),
            },
        };
        let (clients, of_call) = (self.verifier.clients(), self.client_headers);
        let now = || self.verifier.now();
        let resolve = |base: &_| of_call.resolve(request.headers(), clients, base, now);
        let negotiate =
            |context: &_| NegotiationHeaders::of(of_call, clients, context, token_field);
        let Some(mut session) = session else {
            let context = self.verifier.default_context();
            let context = resolve(&context).unwrap_or(context);
            let headers = negotiate(&context);
            request.extensions_mut().insert(context);
            return Ok((None, headers));
        };
        if let Some(context) = resolve(session.client_context()) {
            session = session.with_call_context(context);
        }
        let headers = negotiate(session.client_context());
        request.extensions_mut().insert(session.clone());
        Ok((Some(session), headers))
    }

    /// Verifies the cookies, and returns the session of the only one that verifies.
    #[inline]
    fn find_cookie_session(&self, headers: &HeaderMap) -> Result<Session, SessionError> {
        let mut found = Err(NO_TOKEN);
        if token_source::is_bearer_alone(&self.sources) {
            return found;
        }
        for token in token_source::cookies(&self.sources, headers)? {
            match (self.verifier.verify(token), &found) {
                (Ok(_), Ok(_)) => return Err(token_source::TWO_COOKIES),
                (Ok(session), Err(_)) => found = Ok(session),
                // Its signature is verified: whether another is the only one is unknown too.
                (Err(error), _) if error.kind() == SessionErrorKind::RevocationUnavailable => {
                    return Err(error);
                }
                // A stranger may have set a cookie that names an unknown key.
                (Err(error), Err(_)) if is_unavailable(error) => found = Err(error),
                (Err(error), Err(first)) if *first == NO_TOKEN => found = Err(error),
                (Err(_), _) => {}
            }
        }
        found
    }
}

fn is_unavailable(error: SessionError) -> bool {
    error.status() == StatusCode::SERVICE_UNAVAILABLE
}

//! The middleware service: finds and verifies the token, and calls the inner service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, HeaderMap, HeaderName, Request, Response, StatusCode};
use tower::Service;

use super::{
    client_headers::ClientHeaders,
    future::{ResponseFuture, State},
    rejection::{EmptyBody, Rejecter, RejectionBody},
    token_source::{self, TokenSource},
    vary::NegotiationHeaders,
};
use crate::{
    client::ClientContext,
    error::{SessionError, SessionErrorKind},
    session::{Entered, Session, SessionContext, SessionScope},
    verify::SessionVerifier,
};

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
            config, rejecter, ..
        } = self;
        let fresh = remove_stale(request.extensions_mut());
        let found = match fresh.and_then(|()| config.find_session(request.headers())) {
            Ok(found) => found,
            Err(error) => {
                let (mut request, _) = request.into_parts();
                if R::READS_REQUEST {
                    token_source::hide(&config.sources, &mut request.headers);
                }
                let response = Some(Ok(rejecter.reject(request, error)));
                return State::Rejected { response }.into();
            }
        };
        token_source::hide(&config.sources, request.headers_mut());
        let (mut session, headers) = config.admit(found, &mut request);
        let kept = rejecter.keep(&request);
        let entered = Entered::new(&mut session);
        let future = self.inner.call(request);
        drop(entered);
        State::Session {
            future: SessionScope::new(session, future),
            rejecter: Arc::clone(rejecter),
            request: kept,
            headers,
        }
        .into()
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

/// The configuration of a layer, which its services share.
#[derive(Clone, Debug)]
pub(super) struct LayerConfig {
    pub(super) verifier: SessionVerifier,
    pub(super) optional: bool,
    pub(super) sources: Vec<TokenSource>,
    pub(super) client_headers: ClientHeaders,
    pub(super) negotiation: NegotiationHeaders,
}

/// The result of the token sources for a request that is admitted.
#[derive(Default)]
struct Found<'s> {
    session: Option<Session>,
    /// The field of the token, if the response has to name it in `Vary`.
    field: Option<&'s HeaderName>,
    /// Why a cookie made the request anonymous.
    error: Option<SessionError>,
}

impl<'s> Found<'s> {
    fn session(session: Session, field: Option<&'s HeaderName>) -> Self {
        Self {
            session: Some(session),
            field,
            error: None,
        }
    }
}

impl LayerConfig {
    fn find_session(&self, headers: &HeaderMap) -> Result<Found<'_>, SessionError> {
        let sources = &self.sources;
        if let Some((token, field)) = token_source::explicit(sources, headers)? {
            let verified = self.verifier.verify(token);
            let session = verified
                .map_err(|error| token_source::rejection(sources, headers, token, error))?;
            return Ok(Found::session(session, field));
        }
        match self.find_cookie_session(headers) {
            Err(error) if self.optional && error.status() != StatusCode::SERVICE_UNAVAILABLE => {
                Ok(Found {
                    error: (error != NO_TOKEN).then_some(error),
                    ..Found::default()
                })
            }
            found => found,
        }
    }

    /// Verifies the cookies: the token is the only one that verifies.
    fn find_cookie_session(&self, headers: &HeaderMap) -> Result<Found<'_>, SessionError> {
        let mut found = Err(NO_TOKEN);
        for (token, field) in token_source::cookies(&self.sources, headers)? {
            let is_unavailable =
                |error: &SessionError| error.status() == StatusCode::SERVICE_UNAVAILABLE;
            match (self.verifier.verify(token), &found) {
                (Ok(_), Ok(_)) => return Err(token_source::TWO_COOKIES),
                (Ok(session), Err(_)) => {
                    found = Ok(Found::session(session, field));
                }
                (Err(error), Err(first)) if *first == NO_TOKEN || is_unavailable(&error) => {
                    found = Err(error);
                }
                (Err(_), _) => {}
            }
        }
        found
    }

    /// Puts the session into the request's extensions, or where there is none the client context.
    /// Returns it with the headers that the response gets.
    fn admit<B>(
        &self,
        found: Found<'_>,
        request: &mut Request<B>,
    ) -> (Option<Session>, Option<Box<NegotiationHeaders>>) {
        let clients = self.verifier.clients();
        let resolve = |base: &ClientContext| {
            let now = || self.verifier.now();
            self.client_headers
                .resolve(request.headers(), clients, base, now)
        };
        let negotiate = |context: &_| self.negotiation.of(clients, context, found.field);
        let admitted = if let Some(mut session) = found.session {
            if let Some(context) = resolve(session.client_context()) {
                session = session.with_call_context(context);
            }
            let headers = negotiate(session.client_context());
            request.extensions_mut().insert(session.clone());
            (Some(session), headers)
        } else {
            let mut context = self.verifier.default_context();
            if let Some(of_call) = resolve(&context) {
                context = of_call;
            }
            let headers = negotiate(&context);
            request.extensions_mut().insert(context);
            (None, headers)
        };
        if let Some(error) = found.error {
            request.extensions_mut().insert(error);
        }
        admitted
    }
}

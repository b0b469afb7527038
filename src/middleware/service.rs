//! The middleware itself.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use tower::Service;

use super::{
    client_headers::ClientHeaders,
    future::ResponseFuture,
    rejection::{Challenge, Refusal, Refuser},
    token_source::{self, TokenSource},
    vary::NegotiationHeaders,
};
use crate::{
    error::{SessionError, SessionErrorKind},
    session::{Entered, Session, SessionScope},
    verify::SessionVerifier,
};

/// The middleware that a [`SessionLayer`](crate::SessionLayer) makes.
#[derive(Debug)]
pub struct SessionService<S, R = Challenge> {
    inner: S,
    shared: Arc<ServiceInner<R>>,
}

#[derive(Debug)]
struct ServiceInner<R> {
    config: LayerConfig,
    refuser: Refuser<R>,
}

impl<S: Clone, R> Clone for SessionService<S, R> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, R> SessionService<S, R> {
    pub(super) fn new(inner: S, config: LayerConfig, refuser: Refuser<R>) -> Self {
        Self {
            inner,
            shared: Arc::new(ServiceInner { config, refuser }),
        }
    }

    /// The inner service.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: Refusal<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let ServiceInner { config, refuser } = &*self.shared;
        // What an outer layer or a forwarded request left here was not verified by this one.
        // A `ClientContext` is replaced in any case.
        request.extensions_mut().remove::<Session>();

        let mut session = match config.session(request.headers()) {
            Ok(session) => session,
            Err(error) => {
                let headers = mem::take(request.headers_mut());
                let response = refuser.refuse(request.method(), headers, error);
                return ResponseFuture::refused(Ok(response));
            }
        };
        token_source::hide(&config.sources, request.headers_mut());
        let negotiation = config.admit(&mut session, &mut request);
        let entered = Entered::new(&mut session);
        let future = self.inner.call(request);
        drop(entered);
        ResponseFuture::session(SessionScope::new(session, future), negotiation)
    }
}

/// The configuration that a layer hands to its services.
#[derive(Clone)]
pub(super) struct LayerConfig {
    pub(super) verifier: SessionVerifier,
    pub(super) optional: bool,
    pub(super) sources: Vec<TokenSource>,
    pub(super) client_headers: ClientHeaders,
    pub(super) negotiation: NegotiationHeaders,
}

impl fmt::Debug for LayerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerConfig")
            .field("verifier", &self.verifier)
            .field("optional", &self.optional)
            .field("sources", &self.sources)
            .field("client_headers", &self.client_headers)
            .finish_non_exhaustive()
    }
}

impl LayerConfig {
    /// The session that the request's token stands for; `None` where there may be none.
    fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, SessionError> {
        match token_source::find(&self.sources, headers)? {
            Some(token) => match self.verifier.verify(token) {
                Ok(session) => Ok(Some(session)),
                Err(error) => Err(token_source::refusal(&self.sources, headers, token, error)),
            },
            None if self.optional => Ok(None),
            None => Err(SessionError::new(
                SessionErrorKind::TokenMissing,
                "no token was found",
            )),
        }
    }

    /// Puts the session and the context of this call into the request's extensions, and gives what
    /// the response will say of the context.
    fn admit<B>(
        &self,
        session: &mut Option<Session>,
        request: &mut Request<B>,
    ) -> Option<Box<NegotiationHeaders>> {
        let clients = self.verifier.clients();
        let mut context = match session {
            Some(session) => session.client_context().clone(),
            None => self.verifier.default_context(),
        };
        let now = || self.verifier.now();
        let call = self.client_headers;
        if let Some(of_call) = call.resolve(request.headers(), clients, &context, now) {
            *session = session
                .take()
                .map(|session| session.with_call_context(of_call.clone()));
            context = of_call;
        }
        let negotiation = self.negotiation.of(clients, &context, None);
        let extensions = request.extensions_mut();
        if let Some(session) = session {
            extensions.insert(session.clone());
        }
        extensions.insert(context);
        negotiation
    }
}

//! The middleware itself.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use tower::Service;

use super::{
    Challenge, Refusal, ResponseFuture, layer::Options, refusal::Refuser, source,
    vary::NegotiationHeaders,
};
use crate::{
    error::{SessionError, SessionErrorKind},
    session::{Entered, Session, SessionScope},
    token::RevocationStatus,
};

/// The middleware that a [`SessionLayer`](crate::SessionLayer) makes.
#[derive(Debug)]
pub struct SessionService<S, R = Challenge> {
    inner: S,
    shared: Arc<Shared<R>>,
}

#[derive(Debug)]
struct Shared<R> {
    options: Options,
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
    pub(super) fn new(inner: S, options: Options, refuser: Refuser<R>) -> Self {
        Self {
            inner,
            shared: Arc::new(Shared { options, refuser }),
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
        let Shared { options, refuser } = &*self.shared;
        // What an outer layer or a forwarded request left here was not verified by this one.
        // A `ClientContext` is replaced in any case.
        request.extensions_mut().remove::<Session>();

        let mut session = match options.session(request.headers()) {
            Ok(session) => session,
            Err(error) => {
                let headers = mem::take(request.headers_mut());
                let response = refuser.refuse(request.method(), headers, error);
                return ResponseFuture::refused(Ok(response));
            }
        };
        source::hide(&options.sources, request.headers_mut());
        let negotiation = options.admit(&mut session, &mut request);
        let entered = Entered::new(&mut session);
        let future = self.inner.call(request);
        drop(entered);
        ResponseFuture::session(SessionScope::new(session, future), negotiation)
    }
}

impl Options {
    /// The session that the request's token stands for; `None` where there may be none.
    fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, SessionError> {
        match source::find(&self.sources, headers)? {
            Some(token) => match self.verify(token) {
                Ok(session) => Ok(Some(session)),
                Err(error) => Err(source::refusal(&self.sources, headers, token, error)),
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

    fn verify(&self, token: &[u8]) -> Result<Session, SessionError> {
        let session = self.verifier.verify(token)?;
        let status = match &self.revocation {
            Some(check) => check.check(&session),
            None => RevocationStatus::Valid,
        };
        match status {
            RevocationStatus::Valid => Ok(session),
            RevocationStatus::Unknown if self.accept_unknown_revocation => Ok(session),
            RevocationStatus::Unknown => Err(SessionError::new(
                SessionErrorKind::RevocationUnavailable,
                "the check does not know",
            )),
            RevocationStatus::Revoked => Err(SessionError::new(
                SessionErrorKind::SessionRevoked,
                "the check says so",
            )),
        }
    }
}

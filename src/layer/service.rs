//! The middleware itself.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use tower::Service;

use super::{
    Challenge, Refusal, ResponseFuture, call_headers::NegotiationHeaders, layer::Options,
    refusal::Refuser, source,
};
use crate::{
    client::ClientContext,
    error::{SessionError, SessionErrorKind},
    session::{Session, SessionContext, SessionScope},
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
        let extensions = request.extensions_mut();
        extensions.remove::<Session>();
        extensions.remove::<ClientContext>();

        let admitted = match options.judge(request.headers()) {
            Ok(admitted) => admitted,
            Err(error) => {
                let response = refuser.refuse(request.headers(), error);
                return ResponseFuture::refused(Ok(response));
            }
        };
        source::hide(&options.sources, request.headers_mut());
        let Admitted {
            mut session,
            context,
            negotiation,
        } = admitted;
        let extensions = request.extensions_mut();
        extensions.insert(context);
        if let Some(session) = &session {
            extensions.insert(session.clone());
        }
        let future = SessionContext::enter(&mut session, || self.inner.call(request));
        ResponseFuture::session(SessionScope::new(session, future), negotiation)
    }
}

/// What a request is let pass with.
struct Admitted {
    session: Option<Session>,
    context: ClientContext,
    negotiation: NegotiationHeaders,
}

impl Options {
    fn judge(&self, headers: &HeaderMap) -> Result<Admitted, SessionError> {
        let session = match source::find(&self.sources, headers)? {
            Some(found) => Some(
                self.verify(found.token)
                    .map_err(|error| found.refusal(error))?,
            ),
            None if self.optional => None,
            None => {
                return Err(SessionError::new(
                    SessionErrorKind::TokenMissing,
                    "no token was found",
                ));
            }
        };
        let clients = self.verifier.clients();
        let base = match &session {
            Some(session) => session.client_context().clone(),
            None => self.verifier.default_context(),
        };
        let call = self
            .call_headers
            .resolve(headers, clients, &base, || self.verifier.now());
        let (session, context) = match call {
            Some(context) => (
                session.map(|session| session.with_call_context(context.clone())),
                context,
            ),
            None => (session, base),
        };
        Ok(Admitted {
            negotiation: self.negotiation.of(clients, &context),
            session,
            context,
        })
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

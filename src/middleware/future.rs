//! The response futures of the middleware.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::{
    rejection::{EmptyBody, KeptRequest, Rejecter, RejectionBody},
    vary::NegotiationHeaders,
};
use crate::session::SessionScope;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService) and
    /// [`GuardService`](crate::GuardService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F: Future, R = EmptyBody> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    pub(super) enum State<F: Future, R> {
        /// The inner service's future in the scope of the session. `rejecter` gives a rejection by
        /// the inner service its form.
        Session {
            #[pin]
            future: SessionScope<F>,
            rejecter: Arc<Rejecter<R>>,
            request: KeptRequest,
            headers: Option<Box<NegotiationHeaders>>,
        },
        Guarded {
            #[pin]
            future: F,
        },
        Rejected {
            // `None` once it has been handed out.
            response: Option<F::Output>,
        },
    }
}

impl<F: Future, R> From<State<F, R>> for ResponseFuture<F, R> {
    fn from(state: State<F, R>) -> Self {
        Self { state }
    }
}

impl<F, R, B, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    R: RejectionBody<B>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Session {
                future,
                rejecter,
                request,
                headers,
            } => {
                let response = ready!(future.poll(cx))?;
                let mut response = rejecter.form(response, request);
                if let Some(headers) = headers.take() {
                    headers.apply(&mut response);
                }
                Poll::Ready(Ok(response))
            }
            StateProjection::Guarded { future } => future.poll(cx),
            StateProjection::Rejected { response } => {
                response.take().map_or(Poll::Pending, Poll::Ready)
            }
        }
    }
}

impl<F: Future, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

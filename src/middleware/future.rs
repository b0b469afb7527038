//! The future of a response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::vary::NegotiationHeaders;
use crate::session::SessionScope;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService) and
    /// [`GuardService`](crate::GuardService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F: Future> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F: Future> {
        Session {
            #[pin]
            future: SessionScope<F>,
            headers: Option<Box<NegotiationHeaders>>,
        },
        Guarded {
            #[pin]
            future: F,
        },
        Refused {
            // `None` once it has been handed out.
            response: Option<F::Output>,
        },
    }
}

impl<F: Future> ResponseFuture<F> {
    /// The inner service's future in the scope of the session.
    pub(super) fn session(
        future: SessionScope<F>,
        headers: Option<Box<NegotiationHeaders>>,
    ) -> Self {
        Self {
            state: State::Session { future, headers },
        }
    }

    pub(super) fn guarded(future: F) -> Self {
        Self {
            state: State::Guarded { future },
        }
    }

    pub(super) fn refused(response: F::Output) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
            },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Session { future, headers } => {
                let mut result = ready!(future.poll(cx));
                if let (Ok(response), Some(headers)) = (&mut result, headers.take()) {
                    headers.apply(response);
                }
                Poll::Ready(result)
            }
            StateProjection::Guarded { future } => future.poll(cx),
            StateProjection::Refused { response } => {
                response.take().map_or(Poll::Pending, Poll::Ready)
            }
        }
    }
}

impl<F: Future> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

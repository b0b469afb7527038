//! The middleware that waits for keys that are not known yet.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{
    future::ResponseFuture,
    layer::SessionLayer,
    rejection::{EmptyBody, RejectionBody},
    service::{SessionService, respond},
};
use crate::{jws::KeyWait, verify::KEYS_AWAITED};

impl<R> SessionLayer<R> {
    /// Lets a request whose token names a key that is not known wait until the keys have been read,
    /// where they come from [`RemoteKeys`](crate::RemoteKeys).
    ///
    /// It is called last, since it makes a layer of another type. All requests share the reads, and
    /// each waits for
    /// [`longest_wait`](crate::RemoteKeysBuilder::longest_wait) at most; then it is answered 503 with
    /// `Retry-After`. A token that would be rejected whatever its key is rejected at once, and so
    /// is one whose key the issuer has just been asked for in vain. At most 1,024 requests wait. The
    /// runtime of the requests needs its timer enabled.
    ///
    /// A waiting request holds no permit of the inner service: when the wait is over, a *clone* of the
    /// inner service is made ready and called. A limit outside of this layer counts waiting requests.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_token::{RemoteKeys, SessionLayer, SessionVerifier, TokenType};
    ///
    /// fn layer(keys: &RemoteKeys) -> Result<tower_session_token::WaitingLayer, tower_session_token::ConfigError> {
    ///     let verifier = SessionVerifier::builder()
    ///         .keys(keys)
    ///         .issuer("https://id.example.com")
    ///         .audience("orders")
    ///         .accept_type(TokenType::AccessToken)
    ///         .build()?;
    ///     Ok(SessionLayer::new(verifier).wait_for_keys())
    /// }
    /// ```
    pub fn wait_for_keys(self) -> WaitingLayer<R> {
        WaitingLayer { layer: self }
    }
}

/// A [`SessionLayer`] whose requests wait for keys; see
/// [`wait_for_keys`](SessionLayer::wait_for_keys).
#[derive(Debug)]
#[must_use = "a layer does nothing before it is put around a service"]
pub struct WaitingLayer<R = EmptyBody> {
    layer: SessionLayer<R>,
}

impl<R> Clone for WaitingLayer<R> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
        }
    }
}

impl<S, R> Layer<S> for WaitingLayer<R> {
    type Service = WaitingService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        WaitingService {
            service: self.layer.layer(inner),
        }
    }
}

/// The middleware that a [`WaitingLayer`] makes.
#[derive(Debug)]
pub struct WaitingService<S, R = EmptyBody> {
    service: SessionService<S, R>,
}

impl<S: Clone, R> Clone for WaitingService<S, R> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
        }
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for WaitingService<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: RejectionBody<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = WaitingFuture<S, R, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let SessionService {
            inner,
            config,
            rejecter,
        } = &mut self.service;
        let admitted = config.admit(&mut request);
        if matches!(admitted, Err(KEYS_AWAITED))
            && let Some(wait) = config.wait_for_keys(request.headers_mut())
        {
            // The ready service is dropped, and with it a permit that it holds.
            let service = self.service.clone();
            self.service = service.clone();
            let parked = Box::new(Parked {
                wait,
                is_in_time: true,
                request: Some(request),
                service,
            });
            return State::Parked { parked }.into();
        }
        let future = respond!(inner, config, rejecter, admitted, request);
        State::Answered { future }.into()
    }
}

pin_project! {
    /// The future of [`WaitingService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S: Service<Request<B>>, R, B> {
        #[pin]
        state: State<S, R, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, R, B> {
        Answered {
            #[pin]
            future: ResponseFuture<S::Future, R>,
        },
        Parked {
            parked: Box<Parked<S, R, B>>,
        },
    }
}

/// A request that waits.
struct Parked<S, R, B> {
    wait: Box<dyn KeyWait>,
    is_in_time: bool,
    /// `None` once the request has been passed on.
    request: Option<Request<B>>,
    service: SessionService<S, R>,
}

impl<S, R, B> Parked<S, R, B> {
    /// Verifies the token after each read, until its key is there or known to be absent, or the time
    /// is over; then calls the inner service, or rejects the request.
    fn poll<ResBody>(&mut self, cx: &mut Context<'_>) -> Poll<Result<State<S, R, B>, S::Error>>
    where
        S: Service<Request<B>, Response = Response<ResBody>>,
        R: RejectionBody<ResBody>,
    {
        let SessionService {
            inner,
            config,
            rejecter,
        } = &mut self.service;
        let Some(request) = &mut self.request else {
            return Poll::Pending;
        };
        let admitted = loop {
            match config.admit(request) {
                Err(KEYS_AWAITED) if self.is_in_time => {
                    self.is_in_time = ready!(self.wait.poll_read(cx));
                }
                admitted => break admitted,
            }
        };
        if admitted.is_ok() {
            ready!(inner.poll_ready(cx))?;
        }
        let Some(mut request) = self.request.take() else {
            return Poll::Pending;
        };
        let future = respond!(inner, config, rejecter, admitted, request);
        Poll::Ready(Ok(State::Answered { future }))
    }
}

impl<S: Service<Request<B>>, R, B> From<State<S, R, B>> for WaitingFuture<S, R, B> {
    fn from(state: State<S, R, B>) -> Self {
        Self { state }
    }
}

impl<S, R, B, ResBody> Future for WaitingFuture<S, R, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    R: RejectionBody<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Answered { future } => return future.poll(cx),
                StateProjection::Parked { parked } => {
                    let answered = ready!(parked.poll(cx))?;
                    state.set(answered);
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, R, B> fmt::Debug for WaitingFuture<S, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingFuture").finish_non_exhaustive()
    }
}

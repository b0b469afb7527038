//! The contract of tower: readiness, errors, responses.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_executor::block_on;
use http::{Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_session_token::{
    AccessLevel, ClientKind, RequireAccessLevel, RequireClientKind, RequireScope, Session,
    SessionLayer,
};

use crate::support::{Body, bearer, good_token, verifier};

/// Panics if it is called without having been ready, as `tower::Service` allows.
#[derive(Default)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        assert!(request.extensions().get::<Session>().is_some());
        self.calls.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(Response::new(Body::default())))
    }
}

/// One permit for all clones, as `tower::limit::ConcurrencyLimit` has: acquired by readiness,
/// released when the response is there. It wakes no task: these tests poll again by themselves.
struct OnePermit<S> {
    inner: S,
    permits: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl<S> OnePermit<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            permits: Arc::new(Semaphore::new(1)),
            permit: None,
        }
    }
}

impl<S: Clone> Clone for OnePermit<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            permits: Arc::clone(&self.permits),
            permit: None,
        }
    }
}

impl<S> Service<Request<()>> for OnePermit<S>
where
    S: Service<Request<()>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        }
        match self.permit {
            Some(_) => self.inner.poll_ready(cx),
            None => Poll::Pending,
        }
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let permit = self.permit.take().expect("it was ready");
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await;
            drop(permit);
            response
        })
    }
}

#[tokio::test]
async fn limits_work_in_front_and_behind() {
    let strict = Strict::default();
    let service = ServiceBuilder::new()
        .boxed_clone()
        .layer_fn(OnePermit::new)
        .layer(SessionLayer::new(verifier()))
        .layer(RequireClientKind::new(ClientKind::Web))
        .layer_fn(OnePermit::new)
        .service(strict.clone());
    for _ in 0..10 {
        let response = service
            .clone()
            .oneshot(bearer(&good_token()))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(strict.calls.load(Ordering::SeqCst), 10);
}

#[test]
fn the_inner_service_decides_readiness() {
    #[derive(Clone, Copy)]
    struct NotReady;
    impl Service<Request<()>> for NotReady {
        type Response = Response<Body>;
        type Error = &'static str;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Err("not ready"))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    fn check(service: impl Service<Request<()>, Response = Response<Body>, Error = &'static str>) {
        let error = block_on(service.oneshot(bearer(&good_token()))).unwrap_err();
        assert_eq!(error, "not ready", "the error is the inner service's own");
    }
    check(SessionLayer::new(verifier()).layer(NotReady));
    check(RequireClientKind::new(ClientKind::Web).layer(NotReady));
    check(RequireAccessLevel::new(AccessLevel::Regular).layer(NotReady));
    check(RequireScope::new("a").unwrap().layer(NotReady));
}

#[test]
fn backpressure_of_the_inner_service_reaches_callers() {
    let mut first = ServiceBuilder::new()
        .layer(SessionLayer::new(verifier()))
        .layer(RequireClientKind::new(ClientKind::Web))
        .layer_fn(OnePermit::new)
        .service(Strict::default());
    let mut second = first.clone();
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(first.poll_ready(cx).is_ready());
    let response = first.call(bearer(&good_token()));
    assert!(second.poll_ready(cx).is_pending(), "the permit is taken");
    assert_eq!(block_on(response).unwrap().status(), StatusCode::OK);
    assert!(second.poll_ready(cx).is_ready(), "the permit is released");
}

#[test]
fn the_inner_service_is_accessible() {
    let mut service = SessionLayer::new(verifier()).layer(5);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (6, 6));
}

//! The contract of tower: readiness, errors, responses.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_executor::block_on;
use http::{Request, Response, StatusCode};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer,
    service_fn,
};
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

#[tokio::test]
async fn limits_and_buffers_work_in_front_and_behind() {
    let strict = Strict::default();
    let service = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(ConcurrencyLimitLayer::new(2))
        .layer(SessionLayer::new(verifier()))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(strict.clone());
    for _ in 0..10 {
        let response = service
            .clone()
            .oneshot(bearer(&good_token()))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    let behind = ServiceBuilder::new()
        .layer(SessionLayer::new(verifier()))
        .layer(BufferLayer::new(8))
        .service(strict.clone());
    let response = behind.oneshot(bearer(&good_token())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(strict.calls.load(Ordering::SeqCst), 11);
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

#[tokio::test]
async fn backpressure_of_the_inner_service_reaches_callers() {
    let (release, released) = tokio::sync::watch::channel(false);
    let slow = service_fn(move |_: Request<()>| {
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok::<_, Infallible>(Response::new(Body::default()))
        }
    });
    let mut service = ServiceBuilder::new()
        .layer(SessionLayer::new(verifier()))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(slow);
    let first = service.ready().await.unwrap().call(bearer(&good_token()));
    let mut second = service.clone();
    let pending = std::future::poll_fn(|cx| Poll::Ready(second.poll_ready(cx).is_pending())).await;
    assert!(pending, "the one permit is taken");
    release.send(true).unwrap();
    first.await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), second.ready())
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn the_inner_service_is_accessible() {
    let mut service = SessionLayer::new(verifier()).layer(5);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (6, 6));
}

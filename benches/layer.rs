//! What a request pays for the layer: accepted, refused, without a token, against no layer.
//!
//! ```text
//! cargo bench --bench layer
//! ```

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_session_token::{Algorithm, Session, SessionLayer};

mod support;
use support::{assert_session, token, verifier};

#[expect(clippy::needless_pass_by_value, reason = "as services take requests")]
fn inner(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    let mut response = Response::new(());
    if let Some(session) = request.extensions().get::<Session>() {
        response.extensions_mut().insert(session.clone());
    }
    ready(Ok(response))
}

fn idle(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    ready(Ok(Response::new(())))
}

/// The future of every service here is ready at once.
fn run<T>(future: impl Future<Output = Result<T, Infallible>>) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut cx) {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => unreachable!("it is ready"),
    }
}

fn request(authorization: Option<&str>) -> Request<()> {
    let mut request = Request::get("/orders")
        .header("host", "orders.example.com")
        .header("user-agent", "bench")
        .header("accept", "*/*");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.body(()).expect("a request")
}

fn layer(c: &mut Criterion) {
    let good = token(Algorithm::HS256);
    let mut forged = good.clone().into_bytes();
    let middle = forged.len() - 20;
    forged[middle] ^= 1;
    let forged = String::from_utf8(forged).expect("text");
    let layer = SessionLayer::new(verifier(Algorithm::HS256));

    let mut looking = layer.layer(service_fn(inner));
    let mut layered = layer.layer(service_fn(idle));
    let mut plain = service_fn(idle);
    let mut group = c.benchmark_group("layer/HS256");
    for (name, value, status) in [
        ("accepted", Some(format!("Bearer {good}")), StatusCode::OK),
        (
            "forged",
            Some(format!("Bearer {forged}")),
            StatusCode::UNAUTHORIZED,
        ),
        (
            "malformed",
            Some("Bearer a.b.c".to_owned()),
            StatusCode::UNAUTHORIZED,
        ),
        ("absent", None, StatusCode::UNAUTHORIZED),
    ] {
        let make = || request(value.as_deref());
        let response = run(looking.call(make()));
        assert_eq!(response.status(), status, "{name}");
        let session = response.extensions().get::<Session>();
        assert_eq!(session.is_some(), status == StatusCode::OK, "{name}");
        session.into_iter().for_each(assert_session);
        group.bench_function(name, |b| {
            b.iter_batched(make, |it| run(layered.call(it)), BatchSize::SmallInput);
        });
        group.bench_function(format!("{name}, no layer"), |b| {
            b.iter_batched(make, |it| run(plain.call(it)), BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, layer);
criterion_main!(benches);

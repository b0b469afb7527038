//! Requests, and a service that answers at once.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use tower_session_token::Session;

pub(crate) type Answer = Ready<Result<Response<()>, Infallible>>;

/// Responds, and does nothing else.
pub(crate) fn idle(_: Request<()>) -> Answer {
    ready(Ok(Response::new(())))
}

/// Responds with the session of the request.
#[expect(clippy::needless_pass_by_value, reason = "as services take requests")]
pub(crate) fn looking(request: Request<()>) -> Answer {
    let mut response = Response::new(());
    if let Some(session) = request.extensions().get::<Session>() {
        response.extensions_mut().insert(session.clone());
    }
    ready(Ok(response))
}

/// The future of every service here is ready at once.
pub(crate) fn run<T>(future: impl Future<Output = Result<T, Infallible>>) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut cx) {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => unreachable!("it is ready"),
    }
}

/// A request with the header fields of a usual client.
pub(crate) fn request(authorization: Option<&str>) -> Request<()> {
    let mut request = Request::get("/orders")
        .header("host", "orders.example.com")
        .header("user-agent", "bench")
        .header("accept", "*/*");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.body(()).expect("a request")
}

//! A session for each request, without a token.

use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service};

use crate::session::{Entered, Session, SessionScope};

/// A layer that gives each request this session, in its extensions and as the ambient one, in place
/// of a [`SessionLayer`](crate::SessionLayer) and a token.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_session_token::{
///     Session, SessionContext, User,
///     testing::{AsSession, TestIssuer},
/// };
///
/// async fn who(request: Request<()>) -> Result<Response<String>, std::convert::Infallible> {
///     let session: &Session = request.extensions().get().expect("a session");
///     assert!(SessionContext::current().is_some());
///     Ok(Response::new(session.user().id().to_string()))
/// }
///
/// # futures_executor::block_on(async {
/// let session = TestIssuer::new().token(User::new("ann")).with("client_kind", "web").session();
/// let response = AsSession::new(session).layer(service_fn(who)).oneshot(Request::new(())).await?;
/// assert_eq!(response.body(), "ann");
/// # Ok::<(), std::convert::Infallible>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing before it is put around a service"]
pub struct AsSession {
    session: Session,
}

impl AsSession {
    /// A layer that gives each request `session`.
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

impl<S> Layer<S> for AsSession {
    type Service = AsSessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AsSessionService {
            inner,
            session: self.session.clone(),
        }
    }
}

/// The service that an [`AsSession`] makes.
#[derive(Clone, Debug)]
pub struct AsSessionService<S> {
    inner: S,
    session: Session,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for AsSessionService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionScope<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.session.clone());
        let mut session = Some(self.session.clone());
        let entered = Entered::new(&mut session);
        let future = self.inner.call(request);
        drop(entered);
        SessionScope::new(session, future)
    }
}

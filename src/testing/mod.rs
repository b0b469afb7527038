//! Tokens, layers and sessions for the tests of a service that uses this crate.
//!
//! A [`TestIssuer`] makes a real key when it is created, and gives the tokens to be sent and the
//! [`SessionLayer`](crate::SessionLayer) or [`SessionVerifier`](crate::SessionVerifier) that
//! accepts them, all by one [`TestClock`]. A handler that needs a session and no token is tested
//! behind [`AsSession`].
//!
//! What fails here panics, since a test is what it stops. Turn the feature on where tests are
//! built and nowhere else:
//!
//! ```toml
//! [dev-dependencies]
//! tower-session-token = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # Examples
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_session_token::{Session, SessionError, SessionErrorKind, User, testing::TestIssuer};
//!
//! async fn greet(request: Request<()>) -> Result<Response<String>, std::convert::Infallible> {
//!     let session: &Session = request.extensions().get().expect("the layer ran");
//!     Ok(Response::new(format!("hello, {}", session.user().name().unwrap_or("-"))))
//! }
//!
//! # futures_executor::block_on(async {
//! let issuer = TestIssuer::new();
//! let service = issuer.layer().layer(service_fn(greet));
//!
//! let token = issuer.token(User::new("ann").with_name("Ann")).with("locale", "de-CH");
//! let response = service.clone().oneshot(token.request().body(())?).await?;
//! assert_eq!(response.body(), "hello, Ann");
//!
//! let token = token.rejected_as(SessionErrorKind::TokenExpired);
//! let response = service.oneshot(token.request().body(())?).await?;
//! let error: &SessionError = response.extensions().get().unwrap();
//! assert_eq!(error.code(), "token_expired");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "no request comes here, and a failed test is the one way to report"
)]

mod as_session;
mod clock;
mod issuer;
mod token;

pub use as_session::{AsSession, AsSessionService};
pub use clock::TestClock;
pub use issuer::TestIssuer;
pub use token::TestToken;

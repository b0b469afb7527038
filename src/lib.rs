//! Tower middleware that turns a signed token into a session.
//!
//! A [`SessionLayer`] takes a token in compact form (a JWT, RFC 7519) from a request, verifies it,
//! and puts a [`Session`] into the request's extensions: user, application, kind of client, the
//! client's culture and UI culture, its offset from UTC and time zone, server and instance.
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_session_token::{
//!     ApplicationId, Session, SessionIssuer, SessionLayer, SessionToken, SessionVerifier, SigningKey,
//!     User,
//! };
//!
//! async fn greet(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let session = request.extensions().get::<Session>();
//!     let name = session.and_then(|session| session.user().name()).unwrap_or("nobody");
//!     Ok(Response::new(format!("hello, {name}").into()))
//! }
//!
//! # futures_executor::block_on(async {
//! let key = SigningKey::hs256([7; 32])?;
//! let verifier = SessionVerifier::builder()
//!     .key(key.verifying_key())
//!     .issuer("https://id.example.com")
//!     .audience("orders")
//!     .build()?;
//! let service = ServiceBuilder::new()
//!     .layer(SessionLayer::new(verifier))
//!     .service_fn(greet);
//!
//! // Usually this is done elsewhere, and in another language.
//! let token = SessionToken::builder(User::new("ann").with_name("Ann"))
//!     .issuer("https://id.example.com")
//!     .audience("orders")
//!     .application_id(ApplicationId::from("web-shop"))
//!     .lifetime(Duration::from_secs(600))
//!     .build()?;
//! let token = SessionIssuer::new(key).issue(&token)?;
//!
//! let request = Request::get("/").header("authorization", format!("Bearer {token}"));
//! assert_eq!(service.clone().oneshot(request.body(())?).await?.status(), 200);
//! assert_eq!(service.oneshot(Request::new(())).await?.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What happens to a request
//!
//! 1. The token is found ([`TokenSource`]): `Authorization: Bearer` (RFC 6750 §2.1) unless more is
//!    configured. Without one the request is rejected, or passes with no session
//!    ([`SessionLayer::optional`]).
//! 2. The [`SessionVerifier`] verifies it: size and form, JOSE header, key and algorithm, signature,
//!    and only then its claims. One [`SessionErrorKind`] for each reason. A token that was verified
//!    before comes from a [cache](SessionVerifierBuilder::cache_bytes), while it is valid and the
//!    keys are the same.
//! 3. It asks the [revocation check](RevocationCheck), at each request.
//! 4. The [`ClientContext`] of the call is made: from the call's headers where they are
//!    [turned on](ClientHeaders), else from the token, else from `Accept-Language`, else from defaults.
//! 5. The [`Session`] goes into the extensions, or the [`ClientContext`] where there is none, and
//!    the inner service runs in the scope of the [`SessionContext`].
//!
//! The guards [`RequireSession`], [`RequireClientKind`], [`RequireAccessLevel`], [`RequireScope`],
//! [`RequireRole`] and [`Require`] then admit only some sessions. Rejected requests are answered as
//! the README's table says, in the form that the layer has.
//!
//! # Known attacks, and why they fail
//!
//! | attack | why it fails |
//! | --- | --- |
//! | `alg: none`, in any spelling | the algorithm is the key's; no key has `none` (RFC 8725 §3.1) |
//! | a public key as HMAC secret | a key has one algorithm; HMAC constructors refuse the text of keys |
//! | a key, or an address of one, in the token | `jwk`, `jku`, `x5u`, `x5c` are never read |
//! | `kid` as a path or a query | it is compared with the ids of the keys, and nothing else |
//! | extensions that change what is signed | any `crit` or `b64` is rejected |
//! | one token, two readings | a member or claim that occurs twice is rejected; so is a second `Authorization` |
//! | many spellings of one token | base64url is strict: no padding, no left-over bits |
//! | a token of another kind | `typ` decides, and only what the service accepts by name passes (RFC 8725 §3.11) |
//! | a claim of the wrong type taken for absent | it is rejected |
//! | resources: size, depth, compression | limits hold before allocation; nothing is decompressed |
//!
//! # Coming from TESSA
//!
//! The model is the session interface of that .NET platform.
//!
//! | there | here |
//! | --- | --- |
//! | `ID` | [`Session::id`] |
//! | `Type` | [`Session::session_type`]; in the layer always [`SessionType::Server`] |
//! | `User` | [`Session::user`] |
//! | `ApplicationID` | [`Session::application_id`], `None` without a token |
//! | `Token` | [`Session::token`], `None` for [`Session::system`] |
//! | `ClientCulture`, `ClientUICulture` | [`Session::client_culture`], [`Session::client_ui_culture`] |
//! | `ClientUtcOffset` | [`Session::client_utc_offset`]; [`Session::client_utc_offset_at`] follows daylight saving |
//! | `ServerCode`, `InstanceName` | [`Session::server_code`], [`Session::instance_name`] |
//! | `CreateNestedSessionToken` | [`Session::nested`] |
//! | `IsDesktopClient`, `IsWebClient`, `IsNotWebOrDesktopClient` | [`Session::is_desktop_client`], [`Session::is_web_client`], [`Session::is_not_web_or_desktop_client`] |
//! | `SessionToken` | [`SessionToken`] and [`SessionTokenBuilder`]; the whole of it is signed |
//! | `SessionContext` | [`SessionContext`] |
//!
//! # Features
//!
//! | feature | default | what it brings |
//! | --- | --- | --- |
//! | `aws_lc_rs` | yes | the crypto backend aws-lc-rs |
//! | `rust_crypto` | | the crypto backend in pure Rust |
//! | `time_zone` | yes | time zones of the IANA database, by `jiff`: 3 crates |
//! | `cldr` | | the supported culture that is nearest by likely subtags, and deprecated codes (Unicode CLDR, by `icu_locale`): 18 crates |
//! | `axum` | | [`Session`], `Option<Session>` and [`ClientContext`] as extractors |
//! | `jsonwebtoken` | | [`VerifyingKey`], [`SigningKey`] and [`KeySet`] from those of the crate jsonwebtoken 12 |
//! | `testing` | | the module `testing`: tokens, layers and sessions for the tests of a service |
//!
//! One backend has to be on; with both, aws-lc-rs is used. Rust 1.89 or newer.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Nothing that a request sends may stop the service.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::panic_in_result_fn,
        clippy::string_slice,
        clippy::unreachable
    )
)]

#[cfg(not(any(feature = "aws_lc_rs", feature = "rust_crypto")))]
compile_error!(
    "tower-session-token needs a crypto backend: turn on its feature `aws_lc_rs` (the default) \
     or `rust_crypto` (pure Rust)"
);

#[cfg(feature = "axum")]
mod axum;
mod client;
mod constant_time;
mod error;
mod identity;
mod json;
mod jws;
mod key;
mod limits;
mod middleware;
mod serde_text;
mod session;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod token;
#[cfg(test)]
mod vectors;
mod verify;

pub use client::{ClientContext, ClientKind, ClientSource, ClientTimeZone, Culture};
pub use error::{
    ConfigError, ParseError, SessionError, SessionErrorKind, TokenError, TokenErrorKind,
};
pub use identity::{AccessLevel, Actor, ApplicationId, SessionId, TokenId, User, UserId};
pub use jws::{KeyStore, TokenType};
pub use key::{Algorithm, KeySet, SigningKey, SkippedKey, VerifyingKey};
pub use limits::Limits;
pub use middleware::{
    ClientHeaders, EmptyBody, GuardService, OnReject, ProblemDetails, RejectionBody, Require,
    RequireAccessLevel, RequireClientKind, RequireRole, RequireScope, RequireSession,
    ResponseFuture, SessionLayer, SessionService, TokenSource,
};
pub use session::{NestedTokenBuilder, Session, SessionContext, SessionScope, SessionType};
pub use token::{SessionIssuer, SessionToken, SessionTokenBuilder};
pub use verify::{
    CacheStats, Revocation, RevocationCheck, RevocationList, RevocationStatus, SessionVerifier,
    SessionVerifierBuilder,
};

/// Compiles the README's code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;

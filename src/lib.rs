//! Tower middleware that verifies the JWT of each request and gives handlers a [`Session`].
//!
//! A session says who the user is, which client they use, and the culture, offset from UTC and time
//! zone by which they read dates and numbers. The README has a quick start and recipes: sign-in by
//! a cookie, optional pages, roles, tests, nested sessions, and the way from `jsonwebtoken`. For tokens
//! of identity providers, see [`ClaimNames`] and `RemoteKeys`; for several issuers,
//! [`SessionVerifier::of_issuers`]; to publish keys and metadata of a service, [`DocumentService`] and
//! [`ProtectedResource`].
//!
//! # Examples
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//!
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_session_token::{
//!     Session, SessionIssuer, SessionLayer, SessionVerifier, SigningKey, User,
//! };
//!
//! async fn greet(request: Request<()>) -> Result<Response<String>, Infallible> {
//!     let session = request.extensions().get::<Session>();
//!     let name = session.and_then(|session| session.user().name()).unwrap_or("nobody");
//!     Ok(Response::new(format!("hello, {name}")))
//! }
//!
//! # futures_executor::block_on(async {
//! let key = SigningKey::hs256([7; 32])?.with_id("2026-01");
//! let verifier = SessionVerifier::builder()
//!     .key(key.verifying_key())
//!     .issuer("https://id.example.com")
//!     .audience("orders")
//!     .build()?;
//! let service = ServiceBuilder::new()
//!     .layer(SessionLayer::new(verifier))
//!     .service(service_fn(greet));
//!
//! // Mostly done elsewhere, by an identity provider.
//! let issuer = SessionIssuer::new(key)
//!     .issuer("https://id.example.com")
//!     .audience("orders")
//!     .lifetime(Duration::from_secs(600));
//! let token = issuer.token(User::new("ann").with_name("Ann")).application_id("web-shop").build()?;
//! let token = issuer.issue(&token)?;
//!
//! let request = Request::get("/").header("authorization", format!("Bearer {token}"));
//! assert_eq!(service.clone().oneshot(request.body(())?).await?.body(), "hello, Ann");
//! assert_eq!(service.oneshot(Request::new(())).await?.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What happens to a request
//!
//! 1. [`SessionLayer`] looks for the token in its [sources](TokenSource): `Authorization: Bearer`
//!    (RFC 6750 §2.1) unless more is configured. Without one the request is rejected, or admitted as
//!    anonymous ([`SessionLayer::optional`]).
//! 2. [`SessionVerifier`] verifies it: size and encoding, JOSE header, key and algorithm, signature,
//!    and only then the claims. The session of a token that was verified before comes from a
//!    [cache](SessionVerifierBuilder::cache_bytes), while its times are valid and the keys are the
//!    same.
//! 3. The verifier asks the [revocation check](RevocationCheck), at each request.
//! 4. The [`ClientContext`] of the request is resolved: culture, UI culture, and offset with zone,
//!    each from the first that has it of the request's [client headers](ClientHeaders) where they are
//!    turned on, the token, `Accept-Language` and the defaults.
//! 5. The [`Session`] goes into the extensions, or the [`ClientContext`] where there is none, and
//!    the inner service runs in the scope of the [`SessionContext`].
//! 6. The guards [`RequireSession`], [`RequireClientKind`], [`RequireAccessLevel`],
//!    [`RequireScope`], [`RequireRole`] and [`Require`] reject the sessions that are not enough for
//!    their routes.
//!
//! # Rejections
//!
//! A rejected request gets a status, a challenge (`WWW-Authenticate`, RFC 6750 §3) and the body that
//! the layer is configured for: none, [problem details](SessionLayer::problem_details) or
//! [your own](SessionLayer::on_reject). The [`SessionError`] is in the extensions of the *response*,
//! for logs, and its [kind](SessionErrorKind) is one of a closed list. It holds no text of the request.
//!
//! | status | reason | kinds |
//! | --- | --- | --- |
//! | 400 | the request has two tokens, or a malformed credential | [`RequestInvalid`](SessionErrorKind::RequestInvalid) |
//! | 401 | it has no token | [`TokenMissing`](SessionErrorKind::TokenMissing) |
//! | 401 | its token is malformed, of another type, key or algorithm, or its signature is wrong | [`TokenMalformed`](SessionErrorKind::TokenMalformed), [`TokenUnacceptable`](SessionErrorKind::TokenUnacceptable), [`SignatureInvalid`](SessionErrorKind::SignatureInvalid) |
//! | 401 | a claim is invalid | [`TokenExpired`](SessionErrorKind::TokenExpired), [`TokenNotYetValid`](SessionErrorKind::TokenNotYetValid), [`IssuerInvalid`](SessionErrorKind::IssuerInvalid), [`AudienceInvalid`](SessionErrorKind::AudienceInvalid), [`ServerMismatch`](SessionErrorKind::ServerMismatch), [`ClaimInvalid`](SessionErrorKind::ClaimInvalid) |
//! | 401 | the session is revoked | [`SessionRevoked`](SessionErrorKind::SessionRevoked) |
//! | 403 | the session is valid and not enough | [`ClientKindForbidden`](SessionErrorKind::ClientKindForbidden), [`AccessLevelInsufficient`](SessionErrorKind::AccessLevelInsufficient), [`ScopeInsufficient`](SessionErrorKind::ScopeInsufficient), [`Forbidden`](SessionErrorKind::Forbidden) |
//! | 500 | no layer ran in front of a guard or extractor, or two did | [`Misconfigured`](SessionErrorKind::Misconfigured) |
//! | 503 | the key of the token cannot be fetched at present | [`KeysUnavailable`](SessionErrorKind::KeysUnavailable) |
//! | 503 | the revocation status is unknown | [`RevocationUnavailable`](SessionErrorKind::RevocationUnavailable) |
//!
//! # Known attacks, and why they fail
//!
//! | attack | why it fails |
//! | --- | --- |
//! | `alg: none`, in any spelling | the algorithm is the key's; no key has `none` (RFC 8725 §3.1) |
//! | a public key as an HMAC secret | a key has one algorithm; HMAC constructors reject encoded keys |
//! | a key, or the address of one, in the token | `jwk`, `jku`, `x5u`, `x5c` are never read |
//! | `kid` as a path or a query | it is compared with the IDs of the keys, and nothing else |
//! | extensions that change what is signed | any `crit` or `b64` is rejected |
//! | one token, two readings | a member that occurs twice is rejected; so are two explicit tokens |
//! | many encodings of one token | base64url is strict: no padding, no left-over bits |
//! | a token of another type | `typ` decides, and the service accepts types by name (RFC 8725 §3.11) |
//! | a deciding claim of the wrong type, to count as absent | it is rejected |
//! | a cookie of another site beside the user's own token | the explicit credential is used, and cookies are not read |
//! | resources: size, depth, compression | limits are checked before allocation; nothing is decompressed |
//!
//! SECURITY.md has them all, with the tests that show each failing.
//!
//! # Coming from TESSA
//!
//! The model of the session is `ISession` of that .NET platform.
//!
//! | there | here |
//! | --- | --- |
//! | `ID` | [`Session::id`] |
//! | `Type` | [`Session::session_type`], where the code runs; behind the layer always [`SessionType::Server`] |
//! | `User` | [`Session::user`]: id, name, login, access level |
//! | `ApplicationID` | [`Session::application_id`], `None` without a token |
//! | `Token` | [`Session::token`], `None` for [`Session::system`] |
//! | `ClientCulture`, `ClientUICulture` | [`Session::client_culture`] for formats, [`Session::client_ui_culture`] for texts, as of this request |
//! | `ClientUtcOffset` | [`Session::client_utc_offset`]; [`Session::client_utc_offset_at`] follows daylight saving |
//! | `ServerCode`, `InstanceName` | [`Session::server_code`], [`Session::instance_name`] |
//! | `CreateNestedSessionToken` | [`Session::nested`], never an administrator by default |
//! | `IsDesktopClient`, `IsWebClient`, `IsNotWebOrDesktopClient` | [`Session::is_desktop_client`], [`Session::is_web_client`], [`Session::is_not_web_or_desktop_client`]: the token says the kind, and it is not guessed from the application |
//! | `SessionToken` | [`SessionToken`] and [`SessionTokenBuilder`]; all of it is signed, and lasts seven days at most by default |
//! | `SessionContext` | [`SessionContext`]: scopes nest and restore |
//!
//! # Features
//!
//! | feature | default | what it brings |
//! | --- | --- | --- |
//! | `aws_lc_rs` | yes | the crypto backend aws-lc-rs |
//! | `rust_crypto` | | the crypto backend in pure Rust |
//! | `time_zone` | yes | time zones of the IANA database, by `jiff`: 3 crates |
//! | `cldr` | | the nearest supported culture by likely subtags and deprecated codes (Unicode CLDR, by `icu_locale`): 18 crates |
//! | `axum` | | [`Session`], `Option<Session>` and [`ClientContext`] as extractors, [`SessionError`] as a response |
//! | `jsonwebtoken` | | [`VerifyingKey`], [`SigningKey`] and [`KeySet`] from those of the crate jsonwebtoken 12 |
//! | `remote_keys` | | `RemoteKeys`: the keys of an issuer, fetched with a client of yours, and `SessionLayer::wait_for_keys` |
//! | `https` | | a client for them, of hyper-util and rustls |
//! | `testing` | | the module `testing`: tokens, layers and sessions for the tests of a service |
//!
//! One backend has to be on; with both, aws-lc-rs is used. The minimum supported Rust version is 1.89.
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
mod debug;
mod error;
mod identity;
mod json;
mod jws;
mod key;
mod limits;
mod logout;
mod middleware;
mod publish;
#[cfg(feature = "remote_keys")]
mod remote;
mod serde_text;
mod session;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod token;
mod uri;
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
pub use logout::{LogoutService, LogoutVerifier, LogoutVerifierBuilder};
pub use middleware::{
    ClientHeaders, EmptyBody, GuardService, OnReject, ProblemDetails, RejectionBody, Require,
    RequireAccessLevel, RequireClientKind, RequireRole, RequireScope, RequireSession,
    ResponseFuture, SessionLayer, SessionService, TokenSource,
};
#[cfg(feature = "remote_keys")]
pub use middleware::{WaitingFuture, WaitingLayer, WaitingService};
pub use publish::{DocumentService, ProtectedResource};
#[cfg(feature = "remote_keys")]
pub use remote::{
    FetchErrorKind, KeyEvent, KeySnapshot, RemoteKeys, RemoteKeysBuilder, RemoteKeysState,
    RemoteKeysStatus,
};
pub use session::{NestedTokenBuilder, Session, SessionContext, SessionScope, SessionType};
pub use token::{ClaimNames, ClaimPath, SessionIssuer, SessionToken, SessionTokenBuilder};
pub use verify::{
    Asked, CacheStats, MirroredRevocations, Revocation, RevocationCheck, RevocationFeed,
    RevocationList, RevocationStatus, SessionVerifier, SessionVerifierBuilder,
};

/// Runs the README's recipes.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;

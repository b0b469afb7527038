//! Layers that check the same tokens as `SessionLayer`, each set up as its users would: the
//! signature with one key, `alg`, `iss`, `aud`, `exp` and `nbf`, and the claims read into
//! [`Claims`].
//!
//! Each module has a `layer` and a `name`: the user's name in the token, read from where the
//! layer leaves it for handlers.

use chrono::Utc;
use serde::Deserialize;
use tower_session_token::{Algorithm, TokenType, testing::TestToken};
use uuid::Uuid;

#[path = "../../../benches/support/tokens.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
mod tokens;

#[path = "../../../benches/support/shape.rs"]
mod shape;

#[cfg(feature = "axum_jose")]
pub mod axum_jose;
pub mod axum_jwt_auth;
pub mod from_fn;
pub mod jwt_authorizer;
pub mod oauth_resource_server;
pub mod ours;
pub mod tower_jwt;
pub mod tower_oauth2_resource_server;

pub use shape::Shape;

/// The claims as a user of jsonwebtoken would declare them.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    pub iss: String,
    /// A string or a list.
    pub aud: serde_json::Value,
    pub sub: Uuid,
    pub exp: i64,
    pub nbf: i64,
    pub iat: i64,
    pub jti: Uuid,
    pub sid: Uuid,
    pub client_id: Uuid,
    pub name: String,
    pub locale: String,
    pub ui_locale: String,
    pub utc_offset: i64,
    pub server: String,
    pub instance: String,
}

/// A new token, valid for an hour. Its `typ` is the one that the crate accepts by default; all
/// peers but one ignore it.
pub fn token(algorithm: Algorithm, shape: Shape) -> String {
    new_token(algorithm, shape).issue()
}

fn new_token(algorithm: Algorithm, shape: Shape) -> TestToken {
    let token = shape.add_to(tokens::new_token(tokens::signing_key(algorithm)));
    token.with("nbf", Utc::now().timestamp())
}

/// The same, as an access token (RFC 9068), for the peer that accepts no other.
pub fn access_token(algorithm: Algorithm, shape: Shape) -> String {
    new_token(algorithm, shape)
        .token_type(TokenType::AccessToken)
        .issue()
}

/// The same, of the issuer as axum-jose compares it.
#[cfg(feature = "axum_jose")]
pub fn slash_issuer_token(algorithm: Algorithm, shape: Shape) -> String {
    new_token(algorithm, shape)
        .with("iss", axum_jose::ISSUER)
        .issue()
}

/// Has jsonwebtoken 10 verify with aws-lc: axum-jwt-auth compiles RustCrypto too, and it chooses neither by itself.
fn use_aws_lc() {
    // An error means that it was chosen before.
    let _ = jsonwebtoken_10::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

fn jwk_set(algorithm: Algorithm) -> String {
    format!(r#"{{"keys":[{}]}}"#, tokens::jwk(algorithm, "public"))
}

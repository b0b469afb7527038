//! tower-jwt. It lets requests without a token through; each handler has to reject them.

use axum::http::Extensions;
use tower_jwt::{DecodingKey, JwtLayer, RequestClaim, Validation};
use tower_session_token::Algorithm;

use crate::{
    Claims,
    tokens::{AUDIENCE, ISSUER, jwk},
};

pub fn layer(algorithm: Algorithm) -> JwtLayer<Claims> {
    let jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a test key");
    let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    JwtLayer::new(validation, DecodingKey::from_jwk(&jwk).expect("a test key"))
}

pub fn name(extensions: &Extensions) -> Option<String> {
    let claim = extensions.get::<RequestClaim<Claims>>()?;
    Some(claim.claim.name.clone())
}

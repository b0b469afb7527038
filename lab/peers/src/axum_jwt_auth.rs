//! axum-jwt-auth: no layer but an extractor, which axum can run in front of handlers too.

use std::sync::Arc;

use axum::middleware::{FromExtractorLayer, from_extractor_with_state};
use axum_jwt_auth::{Claims as Extracted, Decoder, LocalDecoder};
use jsonwebtoken_10::{DecodingKey, Validation};
use tower_session_token::Algorithm;

use crate::{
    Claims,
    tokens::{AUDIENCE, ISSUER, jwk},
    use_aws_lc,
};

/// The extractor as a layer. It leaves nothing for handlers.
pub fn layer(algorithm: Algorithm) -> FromExtractorLayer<Extracted<Claims>, Decoder<Claims>> {
    from_extractor_with_state(decoder(algorithm))
}

/// The state that the extractor needs.
pub fn decoder(algorithm: Algorithm) -> Decoder<Claims> {
    use_aws_lc();
    let jwk = serde_json::from_str(&jwk(algorithm, "public")).expect("a test key");
    let mut validation = Validation::new(algorithm.as_str().parse().expect("it knows it"));
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    let decoder = LocalDecoder::builder()
        .keys(vec![DecodingKey::from_jwk(&jwk).expect("a test key")])
        .validation(validation)
        .build();
    Arc::new(decoder.expect("a decoder"))
}

/// A handler with the extractor.
pub async fn handler(claims: Extracted<Claims>) -> String {
    claims.claims.name
}

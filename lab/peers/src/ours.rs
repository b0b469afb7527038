//! The crate itself.

use axum::http::Extensions;
use tower_session_token::{
    Algorithm, Session, SessionLayer, SessionVerifier, SessionVerifierBuilder, VerifyingKey,
};

use crate::tokens::{AUDIENCE, ISSUER, jwk};

/// The defaults, with the cache of verified tokens.
pub fn layer(algorithm: Algorithm) -> SessionLayer {
    SessionLayer::new(builder(algorithm).build().expect("a verifier"))
}

/// Without the cache: each token is verified each time, as by all peers.
pub fn uncached(algorithm: Algorithm) -> SessionLayer {
    let builder = builder(algorithm).cache_bytes(0);
    SessionLayer::new(builder.build().expect("a verifier"))
}

fn builder(algorithm: Algorithm) -> SessionVerifierBuilder {
    let key = VerifyingKey::from_jwk(jwk(algorithm, "public")).expect("a test key");
    assert_eq!(key.algorithm(), algorithm);
    SessionVerifier::builder()
        .key(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
}

pub fn name(extensions: &Extensions) -> Option<String> {
    let session = extensions.get::<Session>()?;
    session.user().name().map(str::to_owned)
}

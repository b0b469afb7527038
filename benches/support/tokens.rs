//! Tokens and verifiers that the benchmarks share.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tower_session_token::{
    Algorithm, Session, SessionVerifier, SigningKey, User, VerifyingKey,
    testing::{TestIssuer, TestToken},
};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "orders";
pub(crate) const HS256_SECRET: [u8; 32] = [7; 32];

/// A key of each kind, by its algorithm.
pub(crate) fn jwk(algorithm: Algorithm, part: &str) -> String {
    if algorithm == Algorithm::HS256 {
        let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(HS256_SECRET);
        return json!({ "kty": "oct", "k": k, "kid": "k1", "alg": "HS256" }).to_string();
    }
    let key = test_key(algorithm, &format!("{part}.jwk.json"));
    String::from_utf8(key).expect("text")
}

pub(crate) fn test_key(algorithm: Algorithm, form: &str) -> Vec<u8> {
    let name = match algorithm {
        Algorithm::EdDSA => "ed25519",
        Algorithm::ES256 => "p256",
        Algorithm::RS256 => "rsa",
        _ => panic!("no benchmark has {algorithm}"),
    };
    let path = format!("tests/keys/{name}.{form}");
    // In this crate, or in the crate around its folder.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let key = folders.find_map(|folder| fs::read(folder.join(&path)).ok());
    key.expect("a test key")
}

pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_jwk(jwk(algorithm, "private")).expect("a test key")
}

/// A verifier with a cache of `cache_bytes` bytes; 0 turns the cache off.
pub(crate) fn verifier(algorithm: Algorithm, cache_bytes: usize) -> SessionVerifier {
    let key = VerifyingKey::from_jwk(jwk(algorithm, "public")).expect("a test key");
    assert_eq!(key.algorithm(), algorithm);
    SessionVerifier::builder()
        .key(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .cache_bytes(cache_bytes)
        .build()
        .expect("a verifier")
}

/// A usual token: four UUIDs, a Cyrillic name, both cultures, offset, server and instance.
pub(crate) fn new_token(key: SigningKey) -> TestToken {
    TestIssuer::with_key(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .token(User::new(uuid()).with_name("Иван Петров"))
        .with("client_id", uuid())
        .with("locale", "ru-RU")
        .with("ui_locale", "en-US")
        .with("utc_offset", 180)
        .with("server", "main")
        .with("instance", "default")
}

/// A token of some 650 to 950 bytes.
pub(crate) fn token(algorithm: Algorithm) -> String {
    new_token(signing_key(algorithm)).issue()
}

fn uuid() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}

/// Panics unless the session is that of [`token`].
pub(crate) fn assert_session(session: &Session) {
    assert_eq!(session.user().name(), Some("Иван Петров"));
    let claims: Value = session.token().expect("a token").claims().expect("claims");
    assert_eq!(claims["iss"], ISSUER);
}

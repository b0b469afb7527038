//! The crate jsonwebtoken, as a second opinion on the same tokens with the same keys.

use std::{fs, path::Path, time::Duration};

use chrono::Utc;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode, jwk::Jwk};
use serde_json::{Value, json};
use tower_session_token::{
    Algorithm, SessionIssuer, SessionToken, SessionVerifier, SigningKey, TokenType, User,
    VerifyingKey,
};

use crate::support::{AUDIENCE, ISSUER};

/// Each algorithm that both know, with the name of a key in `tests/keys`.
const ALGORITHMS: &[(Algorithm, &str)] = &[
    (Algorithm::HS256, "secret"),
    (Algorithm::HS384, "secret"),
    (Algorithm::HS512, "secret"),
    (Algorithm::ES256, "p256"),
    (Algorithm::ES384, "p384"),
    (Algorithm::RS256, "rsa"),
    (Algorithm::RS384, "rsa"),
    (Algorithm::RS512, "rsa"),
    (Algorithm::PS256, "rsa"),
    (Algorithm::PS384, "rsa"),
    (Algorithm::PS512, "rsa"),
    (Algorithm::EdDSA, "ed25519"),
];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name);
    fs::read_to_string(path).unwrap()
}

fn jwk(algorithm: Algorithm, name: &str, part: &str) -> Value {
    let mut jwk = match name {
        "secret" => json!({ "kty": "oct", "k": crate::support::base64(&[7; 64]), "kid": "secret" }),
        name => serde_json::from_str(&file(&format!("{name}.{part}.jwk.json"))).unwrap(),
    };
    jwk["alg"] = json!(algorithm.as_str());
    jwk
}

#[test]
fn jsonwebtoken_verifies_our_tokens() {
    for (algorithm, name) in ALGORITHMS {
        let key = SigningKey::from_jwk(jwk(*algorithm, name, "private").to_string()).unwrap();
        let token = SessionToken::builder(User::new("ann").with_name("Иван"))
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .application_id("web-shop")
            .lifetime(Duration::from_secs(600))
            .build()
            .unwrap();
        let text = SessionIssuer::new(key).issue(&token).unwrap();

        let public: Jwk = serde_json::from_value(jwk(*algorithm, name, "public")).unwrap();
        let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_jwk(&public).unwrap();
        let data = decode::<Value>(&text, &key, &validation).unwrap();
        assert_eq!(
            data.header.typ.as_deref(),
            Some("session+jwt"),
            "{algorithm}"
        );
        assert_eq!(data.header.kid.as_deref(), Some(*name), "{algorithm}");
        assert_eq!(data.claims, token.claims::<Value>().unwrap(), "{algorithm}");
    }
}

#[test]
fn we_verify_tokens_of_jsonwebtoken() {
    for (algorithm, name) in ALGORITHMS {
        let key = match *name {
            "secret" => EncodingKey::from_secret(&[7; 64]).unwrap(),
            "rsa" => EncodingKey::from_rsa_der(&der("rsa.pkcs1.private.pem")),
            "ed25519" => EncodingKey::from_ed_der(&der("ed25519.private.pem")),
            name => EncodingKey::from_ec_der(&der(&format!("{name}.private.pem"))),
        };
        let now = Utc::now().timestamp();
        let claims = json!({ "iss": ISSUER, "aud": [AUDIENCE], "sub": "ann", "exp": now + 600 });
        let header = Header::new(algorithm.as_str().parse().unwrap());
        let text = encode(&header, &claims, &key).unwrap();

        let key = VerifyingKey::from_jwk(jwk(*algorithm, name, "public").to_string()).unwrap();
        let verifier = SessionVerifier::builder()
            .key(key)
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .accept_type(TokenType::Jwt)
            .build()
            .unwrap();
        let session = verifier.verify(text.as_bytes()).unwrap();
        assert_eq!(session.user().id().to_string(), "ann", "{algorithm}");
        let (start, end) = text.rsplit_once('.').unwrap();
        let swapped: String = end.chars().rev().collect();
        assert!(
            verifier
                .verify(format!("{start}.{swapped}").as_bytes())
                .is_err()
        );
    }
}

/// The bytes of a PEM file's one section.
fn der(name: &str) -> Vec<u8> {
    let text = file(name);
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    base64_simd::STANDARD
        .decode_to_vec(lines.collect::<String>())
        .unwrap()
}

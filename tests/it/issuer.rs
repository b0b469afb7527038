//! Issued tokens: their form and their JOSE header.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use tower_session_token::{
    SessionErrorKind as Kind, SessionIssuer, SessionToken, SessionVerifier, SigningKey, TokenType,
    User, VerifyingKey,
};

use crate::support::{AUDIENCE, ISSUER, now, rejection, signing_key};

fn token(token_type: TokenType) -> SessionToken {
    SessionToken::builder(User::new("ann").with_name("Анна"))
        .token_type(token_type)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .application_id("web-shop")
        .issued_at(now())
        .lifetime(Duration::from_secs(60))
        .build()
        .unwrap()
}

fn decode(part: &str) -> Value {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_header_has_alg_typ_and_kid_alone() {
    for (key, want) in [
        (
            signing_key(),
            json!({ "alg": "HS256", "typ": "session+jwt" }),
        ),
        (
            signing_key().with_id("k"),
            json!({ "alg": "HS256", "typ": "session+jwt", "kid": "k" }),
        ),
    ] {
        let text = SessionIssuer::new(key)
            .issue(&token(TokenType::Session))
            .unwrap();
        let parts: Vec<_> = text.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(decode(parts[0]), want);
        // `Value` would show only the last of duplicate names.
        let header = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(parts[0])
            .unwrap();
        assert_eq!(header.len(), want.to_string().len());
        assert_eq!(decode(parts[1])["name"], "Анна");
        assert!(!text.contains(['=', '+', '/', ' ', '\n']));
    }
}

#[test]
fn each_type_is_named_without_its_prefix() {
    for token_type in [TokenType::Session, TokenType::AccessToken, TokenType::Jwt] {
        let issuer = SessionIssuer::new(signing_key());
        let text = issuer.issue(&token(token_type)).unwrap();
        let header = decode(text.split('.').next().unwrap());
        assert_eq!(header["typ"], token_type.as_str());
        assert!(!token_type.as_str().contains('/'));
    }
}

#[test]
fn eddsa_and_ed25519_are_not_interchangeable() {
    let named = |part: &str, alg: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
        let text = fs::read(path.join(format!("ed25519.{part}.jwk.json"))).unwrap();
        let mut jwk: Value = serde_json::from_slice(&text).unwrap();
        jwk["alg"] = json!(alg);
        jwk.to_string()
    };
    for signed in ["EdDSA", "Ed25519"] {
        let key = SigningKey::from_jwk(named("private", signed)).unwrap();
        let text = SessionIssuer::new(key)
            .issue(&token(TokenType::Session))
            .unwrap();
        for configured in ["EdDSA", "Ed25519"] {
            let verifier = SessionVerifier::builder()
                .key(VerifyingKey::from_jwk(named("public", configured)).unwrap())
                .issuer(ISSUER)
                .audience(AUDIENCE)
                .clock(now)
                .build()
                .unwrap();
            let want = (signed != configured).then_some(Kind::TokenUnacceptable);
            assert_eq!(
                rejection(&verifier, &text),
                want,
                "{signed} at {configured}"
            );
        }
    }
}

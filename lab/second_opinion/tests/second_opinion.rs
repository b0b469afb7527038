//! The crate jsonwebtoken as a second opinion: on the same tokens with the same keys, and with keys
//! converted from its own.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use chrono::Utc;
use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, TokenData, Validation, decode, encode, jwk::Jwk,
};
use serde_json::{Value, json};
use tower_session_token::{
    Algorithm, SessionIssuer, SessionToken, SessionVerifier, SigningKey, TokenType, User,
    VerifyingKey,
};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "orders";
const SECRET: &[u8] = &[7; 64];

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
        .join("../../tests/keys")
        .join(name);
    fs::read_to_string(path).unwrap()
}

fn jwk(algorithm: Algorithm, name: &str, part: &str) -> Value {
    let mut jwk = match name {
        "secret" => {
            let k = base64_simd::URL_SAFE_NO_PAD.encode_to_string(SECRET);
            json!({ "kty": "oct", "k": k, "kid": "secret" })
        }
        name => serde_json::from_str(&file(&format!("{name}.{part}.jwk.json"))).unwrap(),
    };
    jwk["alg"] = json!(algorithm.as_str());
    jwk
}

/// A token and its signed form.
fn issue(key: SigningKey) -> (SessionToken, String) {
    let issuer = SessionIssuer::new(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .lifetime(Duration::from_secs(600));
    let token = issuer.token(User::new("ann").with_name("Иван"));
    let token = token.application_id("web-shop").build().unwrap();
    let text = issuer.issue(&token).unwrap();
    (token, text)
}

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

/// Verifies with jsonwebtoken.
fn decode_there(algorithm: Algorithm, key: &DecodingKey, text: &str) -> TokenData<Value> {
    let mut validation = Validation::new(theirs(algorithm));
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    decode(text, key, &validation).unwrap_or_else(|error| panic!("{algorithm}: {error}"))
}

/// Signs with jsonwebtoken.
fn encode_there(algorithm: Algorithm, key: &EncodingKey) -> String {
    let now = Utc::now().timestamp();
    let claims = json!({ "iss": ISSUER, "aud": [AUDIENCE], "sub": "ann", "exp": now + 600 });
    encode(&Header::new(theirs(algorithm)), &claims, key).unwrap()
}

fn expect_verified(algorithm: Algorithm, key: VerifyingKey, text: &str) {
    let verifier = SessionVerifier::builder()
        .key(key)
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .accept_type(TokenType::Jwt)
        .build()
        .unwrap();
    let session = verifier.verify(text).unwrap();
    assert_eq!(session.user().id(), "ann", "{algorithm}");
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let reversed: String = signature.chars().rev().collect();
    let error = verifier.verify(format!("{signed}.{reversed}")).unwrap_err();
    let codes = ["signature_invalid", "token_malformed"];
    assert!(codes.contains(&error.code()), "{algorithm}: {error}");
}

#[test]
fn what_we_sign_is_verified_there() {
    for (algorithm, name) in ALGORITHMS {
        let key = SigningKey::from_jwk(jwk(*algorithm, name, "private").to_string()).unwrap();
        let public: Jwk = serde_json::from_value(jwk(*algorithm, name, "public")).unwrap();
        let (token, text) = issue(key);
        let data = decode_there(*algorithm, &DecodingKey::from_jwk(&public).unwrap(), &text);
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
fn what_is_signed_there_we_verify() {
    for (algorithm, name) in ALGORITHMS {
        let key = match *name {
            "secret" => EncodingKey::from_secret(SECRET).unwrap(),
            "rsa" => EncodingKey::from_rsa_der(&der("rsa.pkcs1.private.pem")),
            "ed25519" => EncodingKey::from_ed_der(&der("ed25519.private.pem")),
            name => EncodingKey::from_ec_der(&der(&format!("{name}.private.pem"))),
        };
        let own = VerifyingKey::from_jwk(jwk(*algorithm, name, "public").to_string()).unwrap();
        expect_verified(*algorithm, own, &encode_there(*algorithm, &key));
    }
}

/// Asserts that keys converted from jsonwebtoken's are a pair, and that each crate verifies what the
/// other signs.
fn expect_agreement(algorithm: Algorithm, signing: &EncodingKey, verifying: &DecodingKey) {
    let own = SigningKey::try_from((theirs(algorithm), signing)).unwrap();
    let own_verifying = VerifyingKey::try_from((theirs(algorithm), verifying)).unwrap();
    assert_eq!(own.verifying_key(), own_verifying, "{algorithm}");
    assert_eq!(own.algorithm(), algorithm);
    decode_there(algorithm, verifying, &issue(own).1);
    expect_verified(algorithm, own_verifying, &encode_there(algorithm, signing));
}

#[test]
fn converted_keys_agree_with_their_originals() {
    let secret = EncodingKey::from_secret(SECRET).unwrap();
    let base64 = base64_simd::STANDARD.encode_to_string(SECRET);
    let rsa = EncodingKey::from_rsa_der(&der("rsa.pkcs1.private.pem"));
    for (algorithm, name) in ALGORITHMS {
        let public = jwk(*algorithm, name, "public");
        let member = |name: &str| public[name].as_str().unwrap();
        let octets = |name| {
            base64_simd::URL_SAFE_NO_PAD
                .decode_to_vec(member(name))
                .unwrap()
        };
        match *name {
            "secret" => expect_agreement(
                *algorithm,
                &secret,
                &DecodingKey::from_base64_secret(&base64).unwrap(),
            ),
            "rsa" => {
                for verifying in [
                    DecodingKey::from_rsa_der(&der("rsa.pkcs1.public.pem")),
                    DecodingKey::from_rsa_components(member("n"), member("e")).unwrap(),
                    DecodingKey::from_rsa_raw_components(&octets("n"), &octets("e")),
                ] {
                    expect_agreement(*algorithm, &rsa, &verifying);
                }
            }
            "ed25519" => {
                let signing = EncodingKey::from_ed_der(&der("ed25519.private.pem"));
                for verifying in [
                    DecodingKey::from_ed_der(&octets("x")),
                    DecodingKey::from_ed_components(member("x")).unwrap(),
                ] {
                    expect_agreement(*algorithm, &signing, &verifying);
                }
            }
            name => {
                let signing = EncodingKey::from_ec_der(&der(&format!("{name}.private.pem")));
                let point = [vec![4], octets("x"), octets("y")].concat();
                for verifying in [
                    DecodingKey::from_ec_der(&point),
                    DecodingKey::from_ec_components(member("x"), member("y")).unwrap(),
                ] {
                    expect_agreement(*algorithm, &signing, &verifying);
                }
            }
        }
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

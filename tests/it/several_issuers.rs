//! One verifier for several issuers.

use http::StatusCode;
use serde_json::{Value, json};
use tower_session_token::{
    KeySet, KeyStore, Revocation, RevocationList, SessionErrorKind as Kind, SessionLayer,
    SessionVerifier, SessionVerifierBuilder, SigningKey, TokenSource, TokenType,
    testing::TestIssuer,
};

use crate::support::{AUDIENCE, NOW, change, now, request, send};

const STAFF: &str = "https://id.example.com/realms/staff";
const SHOP: &str = "https://shop.example.com";

/// A key of the ID that every issuer here uses.
fn key(secret: u8) -> SigningKey {
    SigningKey::hs256([secret; 32]).unwrap().with_id("2026-01")
}

fn builder(issuer: &str, keys: impl Into<KeyStore>) -> SessionVerifierBuilder {
    SessionVerifier::builder()
        .keys(keys)
        .issuer(issuer)
        .audience(AUDIENCE)
        .accept_type(TokenType::Jwt)
        .clock(now)
}

fn keys(secret: u8) -> KeyStore {
    KeyStore::new(KeySet::new([key(secret).verifying_key()]).unwrap())
}

fn shop_and_staff() -> SessionVerifier {
    let shop = builder(SHOP, keys(1)).build().unwrap();
    let staff = builder(STAFF, keys(2)).build().unwrap();
    SessionVerifier::of_issuers([shop, staff]).unwrap()
}

fn payload(changes: &Value) -> String {
    let mut claims = json!({
        "iss": SHOP, "aud": AUDIENCE, "sub": "ann", "iat": NOW - 60, "exp": NOW + 600, "jti": "a",
    });
    change(&mut claims, changes);
    claims.to_string()
}

fn sign(secret: u8, payload: &str) -> String {
    let header = json!({ "alg": "HS256", "kid": "2026-01" }).to_string();
    TestIssuer::with_key(key(secret)).sign_raw(header, payload)
}

#[test]
fn the_issuer_of_a_token_chooses_its_keys() {
    let verifier = shop_and_staff();
    for (secret, issuer, want) in [
        (1, SHOP, None),
        (2, STAFF, None),
        (2, SHOP, Some(Kind::SignatureInvalid)),
        (1, STAFF, Some(Kind::SignatureInvalid)),
        (1, "https://other.example.com", Some(Kind::IssuerInvalid)),
        (1, "https://shop.example.com/", Some(Kind::IssuerInvalid)),
        (1, "HTTPS://shop.example.com", Some(Kind::IssuerInvalid)),
        (1, "", Some(Kind::IssuerInvalid)),
    ] {
        // Three times, so that the last one may come from the cache.
        for _ in 0..3 {
            let token = sign(secret, &payload(&json!({ "iss": issuer })));
            let result = verifier.verify(token);
            assert_eq!(
                result.as_ref().err().map(|error| error.kind()),
                want,
                "{issuer}"
            );
            if let Ok(session) = result {
                assert_eq!(session.issuer(), Some(issuer));
            }
        }
    }
}

/// A header that one issuer's keys have verified is looked for before `iss` is read.
#[test]
fn headers_that_were_verified_before_decide_nothing() {
    let with_id = |secret, id: &str| SigningKey::hs256([secret; 32]).unwrap().with_id(id);
    let verifier = || {
        let store = |key: SigningKey| KeyStore::new(KeySet::new([key.verifying_key()]).unwrap());
        let build = |issuer, key| builder(issuer, store(key)).cache_bytes(0).build().unwrap();
        let (shop, staff) = (with_id(1, "shop"), with_id(2, "staff"));
        SessionVerifier::of_issuers([build(SHOP, shop), build(STAFF, staff)]).unwrap()
    };
    let token = |secret, id: &str, changes: Value| {
        let header = json!({ "alg": "HS256", "kid": id }).to_string();
        TestIssuer::with_key(with_id(secret, id)).sign_raw(header, payload(&changes))
    };
    let cut = |token: String| token[..token.len() - 44].to_owned();
    let good = [
        token(1, "shop", json!({})),
        token(2, "staff", json!({ "iss": STAFF })),
    ];
    let rejected = [
        (
            token(1, "shop", json!({ "iss": STAFF })),
            Kind::TokenUnacceptable,
        ),
        (token(2, "staff", json!({})), Kind::TokenUnacceptable),
        (token(2, "shop", json!({})), Kind::SignatureInvalid),
        (
            token(2, "shop", json!({ "iss": STAFF })),
            Kind::TokenUnacceptable,
        ),
        (
            token(1, "shop", json!({ "iss": "https://other.example.com" })),
            Kind::IssuerInvalid,
        ),
        (token(1, "shop", json!({ "iss": null })), Kind::ClaimInvalid),
        (
            token(1, "shop", json!({ "iss": [SHOP, STAFF] })),
            Kind::ClaimInvalid,
        ),
        (
            token(1, "shop", json!({ "aud": "stock" })),
            Kind::AudienceInvalid,
        ),
        (
            token(2, "staff", json!({ "iss": STAFF, "exp": NOW - 600 })),
            Kind::TokenExpired,
        ),
        (token(1, "other", json!({})), Kind::TokenUnacceptable),
        (cut(token(1, "shop", json!({}))), Kind::TokenMalformed),
    ];
    let warm = verifier();
    for _ in 0..2 {
        for (token, issuer) in good.iter().zip([SHOP, STAFF]) {
            for verifier in [&warm, &verifier()] {
                assert_eq!(verifier.verify(token).unwrap().issuer(), Some(issuer));
            }
        }
        for (token, want) in &rejected {
            for verifier in [&warm, &verifier()] {
                let error = verifier.verify(token).unwrap_err();
                assert_eq!(error.kind(), *want, "{token}");
            }
        }
    }
}

#[test]
fn an_issuer_that_is_no_single_string_is_rejected_whatever_the_signature() {
    let verifier = shop_and_staff();
    let valid = payload(&json!({}));
    let twice = valid.replacen('{', &format!("{{\"iss\":\"{SHOP}\","), 1);
    for (payload, want) in [
        (payload(&json!({ "iss": null })), Kind::ClaimInvalid),
        (payload(&json!({ "iss": [SHOP] })), Kind::ClaimInvalid),
        (payload(&json!({ "iss": 1 })), Kind::ClaimInvalid),
        (
            payload(&json!({ "iss": "i".repeat(257) })),
            Kind::ClaimInvalid,
        ),
        (twice, Kind::TokenMalformed),
        (format!("{valid} x"), Kind::TokenMalformed),
        ("[]".to_owned(), Kind::TokenMalformed),
    ] {
        // The signature is that of a stranger.
        let error = verifier.verify(sign(9, &payload)).unwrap_err();
        assert_eq!(error.kind(), want, "{payload}");
    }
    for (token, want) in [("a.b", Kind::TokenMalformed), ("", Kind::TokenMalformed)] {
        assert_eq!(verifier.verify(token).unwrap_err().kind(), want);
    }
}

#[test]
fn each_issuer_has_its_own_rules() {
    let shop = builder(SHOP, keys(1)).build().unwrap();
    let list = RevocationList::with_clock(now);
    let staff = builder(STAFF, keys(2))
        .audience("staff")
        .max_lifetime(std::time::Duration::from_secs(3600))
        .revocation(list.clone())
        .build()
        .unwrap();
    let verifier = SessionVerifier::of_issuers([shop, staff]).unwrap();
    let verify = |secret, changes: Value| {
        let result = verifier.verify(sign(secret, &payload(&changes)));
        result.map_err(|error| error.kind())
    };
    assert!(verify(2, json!({ "iss": STAFF, "aud": "staff" })).is_ok());
    let audience = verify(1, json!({ "aud": "staff" }));
    assert_eq!(audience.unwrap_err(), Kind::AudienceInvalid);
    assert!(verify(1, json!({ "exp": NOW + 4000 })).is_ok());
    let lifetime = verify(2, json!({ "iss": STAFF, "exp": NOW + 4000 }));
    assert_eq!(lifetime.unwrap_err(), Kind::TokenUnacceptable);

    // Both have a session `a`; that of the staff's issuer is revoked.
    let session = verify(2, json!({ "iss": STAFF })).unwrap();
    list.revoke(&Revocation::of(&session).unwrap());
    assert_eq!(
        verify(2, json!({ "iss": STAFF })).unwrap_err(),
        Kind::SessionRevoked
    );
    assert!(verify(1, json!({})).is_ok());
}

#[test]
fn new_keys_of_one_issuer_leave_the_cached_sessions_of_the_others() {
    let (shop_keys, staff_keys) = (keys(1), keys(2));
    let shop = builder(SHOP, shop_keys).build().unwrap();
    let staff = builder(STAFF, staff_keys.clone()).build().unwrap();
    let verifier = SessionVerifier::of_issuers([shop, staff]).unwrap();
    let shop = sign(1, &payload(&json!({})));
    let staff = sign(2, &payload(&json!({ "iss": STAFF })));
    let hits = || verifier.cache_stats().hits;
    for _ in 0..2 {
        verifier.verify(&shop).unwrap();
        verifier.verify(&staff).unwrap();
    }
    assert_eq!((verifier.cache_stats().sessions, hits()), (2, 0));
    staff_keys.replace(KeySet::new([key(3).verifying_key()]).unwrap());
    let error = verifier.verify(&staff).unwrap_err();
    assert_eq!(error.kind(), Kind::SignatureInvalid);
    assert_eq!((verifier.cache_stats().sessions, hits()), (1, 0));
    verifier.verify(&shop).unwrap();
    assert_eq!(hits(), 1);
}

#[test]
fn verifiers_that_cannot_be_one_are_an_error_at_start_up() {
    let shop = || builder(SHOP, keys(1)).build().unwrap();
    let build = |builder: SessionVerifierBuilder| builder.build().unwrap();
    let any = SessionVerifier::builder()
        .keys(keys(2))
        .any_issuer()
        .audience(AUDIENCE);
    let german = builder(STAFF, keys(2)).supported_culture("de");
    for (verifiers, reason) in [
        (vec![], "there is none"),
        (vec![shop(), shop()], "two verifiers trust the same issuer"),
        (
            vec![shop(), build(any)],
            "`any_issuer` cannot be one of several",
        ),
        (
            vec![shop(), build(german)],
            "their limits or cultures differ",
        ),
    ] {
        let error = SessionVerifier::of_issuers(verifiers).unwrap_err();
        assert_eq!((error.option(), error.reason()), ("of_issuers", reason));
    }
    let staff = build(builder(STAFF, keys(2)));
    let both = SessionVerifier::of_issuers([shop(), staff]).unwrap();
    let third = build(builder("https://third.example.com", keys(3)));
    assert!(SessionVerifier::of_issuers([both, third]).is_ok());
}

#[test]
fn a_login_cookie_and_the_providers_bearer_token_work_in_one_layer() {
    let layer =
        SessionLayer::new(shop_and_staff()).token_source(TokenSource::cookie("session").unwrap());
    let cookie = format!("session={}", sign(1, &payload(&json!({}))));
    let bearer = format!("Bearer {}", sign(2, &payload(&json!({ "iss": STAFF }))));
    for header in [("cookie", &*cookie), ("authorization", &*bearer)] {
        let answer = send(&layer, request(&[header]));
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[test]
fn the_clock_of_the_first_verifier_is_that_of_all() {
    let later = || now() + chrono::TimeDelta::hours(1);
    let shop = || builder(SHOP, keys(1)).build().unwrap();
    let staff = || builder(STAFF, keys(2)).clock(later).build().unwrap();
    let token = |changes| sign(2, &payload(&changes));
    let expired = token(json!({ "iss": STAFF, "exp": NOW + 60 }));
    let early = token(json!({ "iss": STAFF, "iat": NOW + 600, "exp": NOW + 6000 }));
    let first = SessionVerifier::of_issuers([shop(), staff()]).unwrap();
    assert!(first.verify(&expired).is_ok());
    assert_eq!(
        first.verify(&early).unwrap_err().kind(),
        Kind::TokenNotYetValid
    );
    let second = SessionVerifier::of_issuers([staff(), shop()]).unwrap();
    assert_eq!(
        second.verify(&expired).unwrap_err().kind(),
        Kind::TokenExpired
    );
    assert!(second.verify(&early).is_ok());
}

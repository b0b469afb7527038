//! Logout tokens of an identity provider (OpenID Connect Back-Channel Logout 1.0).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use chrono::{DateTime, TimeDelta, Utc};
use futures_executor::block_on;
use http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_session_token::{
    KeySet, LogoutService, LogoutVerifier, LogoutVerifierBuilder, Revocation,
    SessionErrorKind as Kind, SessionId, UserId, VerifyingKey,
};

use crate::support::{ISSUER, NOW, SECRET, change, now, rejection, sign, verifier as sessions};

const CLIENT: &str = "orders";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const LONGEST: Duration = Duration::from_secs(8 * 3600);

fn builder() -> LogoutVerifierBuilder {
    let keys = KeySet::new([VerifyingKey::hs256(SECRET).unwrap()]).unwrap();
    LogoutVerifier::builder()
        .keys(keys)
        .issuer(ISSUER)
        .client_id(CLIENT)
        .longest_session(LONGEST)
        .clock(now)
}

fn verifier() -> LogoutVerifier {
    builder().build().unwrap()
}

fn header() -> Value {
    json!({ "alg": "HS256", "typ": "logout+jwt" })
}

/// A valid payload, with changes; `null` removes a claim.
fn payload(changes: &Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": CLIENT, "iat": NOW - 5, "exp": NOW + 120, "jti": "bWJq",
        "sub": "ann", "sid": "08a5019c", "events": { EVENT: {} },
    });
    change(&mut claims, changes);
    claims.to_string()
}

fn token(changes: &Value) -> String {
    sign(&header(), &payload(changes))
}

fn until() -> DateTime<Utc> {
    now() - TimeDelta::seconds(5) + LONGEST
}

fn session() -> Revocation {
    Revocation::session(ISSUER, &SessionId::from("08a5019c"), until())
}

/// Of Ann's sessions before the second after `iat`.
fn user() -> Revocation {
    let before = now() - TimeDelta::seconds(4);
    Revocation::user_before(ISSUER, &UserId::from("ann"), before, until())
}

#[test]
fn a_logout_token_revokes_the_session_or_the_user() {
    for (changes, want) in [
        (json!({}), vec![session()]),
        (json!({ "sub": null }), vec![session()]),
        (json!({ "sid": null }), vec![user()]),
        (json!({ "aud": ["other", CLIENT] }), vec![session()]),
        (json!({ "events": { EVENT: {}, "x": {} } }), vec![session()]),
        (json!({ "trace_id": "x" }), vec![session()]),
    ] {
        assert_eq!(
            verifier().verify(token(&changes)).unwrap(),
            want,
            "{changes}"
        );
    }
    let all = builder().all_sessions().build().unwrap();
    assert_eq!(all.verify(token(&json!({}))).unwrap(), [session(), user()]);
}

#[test]
fn a_logout_token_that_is_sent_again_revokes_the_same() {
    let (token, later) = (token(&json!({})), now() + TimeDelta::seconds(100));
    let later = builder().clock(move || later).build().unwrap();
    assert_eq!(verifier().verify(&token), later.verify(&token));
}

#[test]
fn an_invalid_logout_token_is_rejected() {
    let no_event = json!({ "events": { "http://example.com/event": {} } });
    for (changes, want) in [
        (json!({ "events": null }), Kind::ClaimInvalid),
        (no_event, Kind::ClaimInvalid),
        (json!({ "events": {} }), Kind::ClaimInvalid),
        (json!({ "events": [EVENT] }), Kind::ClaimInvalid),
        (json!({ "events": { EVENT: true } }), Kind::ClaimInvalid),
        (json!({ "nonce": "n" }), Kind::ClaimInvalid),
        (json!({ "nonce": false }), Kind::ClaimInvalid),
        (
            json!({ "iss": "https://evil.example" }),
            Kind::IssuerInvalid,
        ),
        (json!({ "iss": null }), Kind::IssuerInvalid),
        (json!({ "aud": "other" }), Kind::AudienceInvalid),
        (json!({ "aud": ["other"] }), Kind::AudienceInvalid),
        (json!({ "aud": null }), Kind::AudienceInvalid),
        (json!({ "aud": 1 }), Kind::ClaimInvalid),
        (json!({ "exp": null }), Kind::ClaimInvalid),
        (json!({ "exp": NOW - 60 }), Kind::TokenExpired),
        (json!({ "iat": null }), Kind::ClaimInvalid),
        (json!({ "iat": NOW + 61 }), Kind::TokenNotYetValid),
        (json!({ "iat": "now" }), Kind::ClaimInvalid),
        (json!({ "jti": null }), Kind::ClaimInvalid),
        (json!({ "sub": null, "sid": null }), Kind::ClaimInvalid),
        (json!({ "sub": "" }), Kind::ClaimInvalid),
        (json!({ "sid": "" }), Kind::ClaimInvalid),
        (json!({ "sid": 1 }), Kind::ClaimInvalid),
        (json!({ "sid": "x".repeat(2000) }), Kind::ClaimInvalid),
        (json!({ "sid": "x".repeat(10_000) }), Kind::TokenMalformed),
    ] {
        let error = verifier().verify(token(&changes)).unwrap_err();
        assert_eq!(error.kind(), want, "{changes}");
    }
    let twice = r#"{"sid":"a","sid":"b"}"#;
    let error = verifier().verify(sign(&header(), twice)).unwrap_err();
    assert_eq!(error.kind(), Kind::TokenMalformed);
}

#[test]
fn the_header_of_a_logout_token_is_checked() {
    let signed = |header: &Value| sign(header, &payload(&json!({})));
    for (header, want) in [
        (
            json!({ "alg": "none", "typ": "logout+jwt" }),
            Kind::TokenUnacceptable,
        ),
        (
            json!({ "alg": "HS384", "typ": "logout+jwt" }),
            Kind::TokenUnacceptable,
        ),
        (json!({ "alg": "HS256" }), Kind::TokenUnacceptable),
        (
            json!({ "alg": "HS256", "typ": "JWT" }),
            Kind::TokenUnacceptable,
        ),
        (
            json!({ "alg": "HS256", "typ": "session+jwt" }),
            Kind::TokenUnacceptable,
        ),
    ] {
        let error = verifier().verify(signed(&header)).unwrap_err();
        assert_eq!(error.kind(), want, "{header}");
    }
    let full = json!({ "alg": "HS256", "typ": "application/Logout+JWT" });
    assert!(verifier().verify(signed(&full)).is_ok());

    let mut forged = token(&json!({})).into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let error = verifier().verify(&forged).unwrap_err();
    assert_eq!(error.kind(), Kind::SignatureInvalid);

    let untyped = builder().accept_untyped().build().unwrap();
    for (typ, is_accepted) in [
        (Value::Null, true),
        (json!("JWT"), true),
        (json!("logout+jwt"), true),
        (json!("at+jwt"), false),
    ] {
        let mut header = json!({ "alg": "HS256" });
        change(&mut header, &json!({ "typ": typ }));
        assert_eq!(
            untyped.verify(signed(&header)).is_ok(),
            is_accepted,
            "{header}"
        );
    }
}

#[test]
fn a_token_without_exp_is_accepted_for_two_minutes_where_that_is_set() {
    let lenient = builder().accept_missing_exp().build().unwrap();
    let aged = |age: i64| token(&json!({ "exp": null, "iat": NOW - age }));
    assert!(lenient.verify(aged(119)).is_ok());
    let error = lenient.verify(aged(120)).unwrap_err();
    assert_eq!(error.kind(), Kind::TokenExpired);
    // One that is there counts.
    let expired = token(&json!({ "exp": NOW - 60 }));
    assert_eq!(
        lenient.verify(expired).unwrap_err().kind(),
        Kind::TokenExpired
    );
}

#[test]
fn a_logout_token_is_no_session_and_a_session_token_no_logout() {
    let kind = rejection(&sessions(), &token(&json!({})));
    assert_eq!(kind, Some(Kind::TokenUnacceptable));
    let session = crate::support::good_token();
    let error = verifier().verify(session).unwrap_err();
    assert_eq!(error.kind(), Kind::TokenUnacceptable);
}

#[test]
fn a_builder_without_what_it_needs_is_an_error() {
    let keys = || KeySet::new([VerifyingKey::hs256(SECRET).unwrap()]).unwrap();
    let with_keys = || LogoutVerifier::builder().keys(keys());
    let with_issuer = || with_keys().issuer(ISSUER);
    for (builder, option) in [
        (LogoutVerifier::builder(), "keys"),
        (with_keys(), "issuer"),
        (with_issuer(), "client_id"),
        (with_issuer().client_id(CLIENT), "longest_session"),
    ] {
        assert_eq!(builder.build().unwrap_err().option(), option);
    }
}

/// Posts a body; returns the status, and what was published.
fn post(request: Request<Body>, is_published: bool) -> (u16, Vec<Revocation>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let publish = {
        let seen = Arc::clone(&seen);
        move |revocations: Vec<Revocation>| {
            *seen.lock().unwrap() = revocations;
            std::future::ready(if is_published { Ok(()) } else { Err(()) })
        }
    };
    let service = LogoutService::new(verifier(), publish);
    let response = block_on(service.oneshot(request)).unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let revoked = seen.lock().unwrap().clone();
    (response.status().as_u16(), revoked)
}

fn form(body: impl Into<Body>) -> Request<Body> {
    Request::post("/backchannel-logout")
        .header(
            "content-type",
            "Application/x-www-form-urlencoded; charset=utf-8",
        )
        .body(body.into())
        .unwrap()
}

#[test]
fn the_service_publishes_and_answers_200() {
    let body = format!("a=b&logout_token={}", token(&json!({})));
    assert_eq!(post(form(body), true), (200, vec![session()]));
}

#[test]
fn the_service_answers_400_where_nothing_was_published() {
    let good = format!("logout_token={}", token(&json!({})));
    let (status, _) = post(form(good.clone()), false);
    assert_eq!(status, 400);

    let mut put = form(good.clone());
    *put.method_mut() = Method::PUT;
    let mut untyped = form(good.clone());
    untyped.headers_mut().remove("content-type");
    let mut json = form(good.clone());
    json.headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let bad = token(&json!({ "nonce": "n" }));
    for request in [
        put,
        untyped,
        json,
        form(""),
        form("logout_token="),
        form(format!("logout_token={bad}")),
        form(format!("{good}&{good}")),
        form(format!("{good}&x={}", "x".repeat(16 << 10))),
    ] {
        assert_eq!(post(request, true), (400, vec![]));
    }
}

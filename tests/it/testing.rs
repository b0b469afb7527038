//! The feature `testing`.

use std::time::Duration;

use futures_executor::block_on;
use http::{Request, StatusCode};
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_session_token::{
    AccessLevel, Algorithm, ClientContext, ClientKind, RequireAccessLevel, RequireClientKind,
    RequireRole, RequireScope, RequireSession, Revocation, Session, SessionContext,
    SessionErrorKind as Kind, SigningKey, TokenErrorKind, TokenType, User,
    testing::{AsSession, TestClock, TestIssuer, TestToken},
};

use crate::support::{looking, request, see_session, send};

const HOUR: Duration = Duration::from_secs(3600);

const KINDS: [Kind; 19] = [
    Kind::TokenMissing,
    Kind::RequestInvalid,
    Kind::TokenMalformed,
    Kind::TokenUnacceptable,
    Kind::SignatureInvalid,
    Kind::TokenExpired,
    Kind::TokenNotYetValid,
    Kind::IssuerInvalid,
    Kind::AudienceInvalid,
    Kind::ServerMismatch,
    Kind::ClaimInvalid,
    Kind::SessionRevoked,
    Kind::ClientKindForbidden,
    Kind::AccessLevelInsufficient,
    Kind::ScopeInsufficient,
    Kind::Forbidden,
    Kind::Misconfigured,
    Kind::KeysUnavailable,
    Kind::RevocationUnavailable,
];

/// A token that every guard of [`rejection`] admits.
fn token(issuer: &TestIssuer) -> TestToken {
    issuer
        .token(User::new("ann").with_access_level(AccessLevel::Administrator))
        .with("client_kind", "web")
        .with("scope", "orders.read")
        .with("roles", ["buyer"])
}

/// Why a service that uses everything rejects the token's request.
fn rejection(issuer: &TestIssuer, token: &TestToken) -> Option<Kind> {
    let guards = (
        RequireClientKind::new(ClientKind::Web),
        RequireAccessLevel::new(AccessLevel::Administrator),
        RequireScope::new("orders.read").unwrap(),
        RequireRole::new("buyer"),
    );
    let answer = send(&(issuer.layer(), guards), token.request().body(()).unwrap());
    answer.error.map(|error| error.kind())
}

#[test]
fn each_error_code_has_a_knob_that_causes_it() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA] {
        let issuer = TestIssuer::with_key(SigningKey::generate(algorithm).unwrap());
        for (token_type, act) in [
            (TokenType::Session, json!(null)),
            (TokenType::NestedSession, json!({ "sub": "bob" })),
            (TokenType::AccessToken, json!(null)),
            (TokenType::Jwt, json!(null)),
        ] {
            let token = || {
                let token = token(&issuer).token_type(token_type);
                if act.is_null() {
                    token
                } else {
                    token.with("act", &act)
                }
            };
            assert_eq!(rejection(&issuer, &token()), None, "{token_type}");
            for kind in KINDS {
                let token = token().rejected_as(kind);
                let rejected = if kind == Kind::Misconfigured {
                    assert_eq!(rejection(&issuer, &token), None);
                    let answer = send(&RequireSession::new(), token.request().body(()).unwrap());
                    answer.error.map(|error| error.kind())
                } else if kind == Kind::KeysUnavailable {
                    // The keys of this issuer are not fetched: `remote_keys` tests it.
                    assert_eq!(rejection(&issuer, &token), None);
                    continue;
                } else {
                    // The first one may have been what revoked the session.
                    let first = rejection(&issuer, &token);
                    assert_eq!(rejection(&issuer, &token), first, "the second request");
                    first
                };
                assert_eq!(rejected, Some(kind), "{algorithm} {token_type}");
            }
        }
    }
}

/// A kind that is not in `KINDS` would not be tested.
#[test]
fn the_kinds_tested_here_are_all_kinds() {
    let source = include_str!("../../src/error.rs");
    // A row of the table begins with the kind, and a block of rows with the status in capitals.
    let (_, rows) = source.split_once("\nsession_error_kinds! {\n").unwrap();
    let (rows, _) = rows.split_once("\n}").unwrap();
    let names = rows.lines().filter_map(|line| {
        let name = line.split_whitespace().next()?;
        let is_kind = name.starts_with(|char: char| char.is_ascii_uppercase())
            && name.contains(|char: char| char.is_ascii_lowercase());
        is_kind.then(|| name.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    let mut tested = KINDS.map(|kind| format!("{kind:?}"));
    names.sort_unstable();
    tested.sort_unstable();
    assert_eq!(names, tested);
}

#[test]
fn a_knob_wins_over_the_claims_and_leaves_them() {
    let issuer = TestIssuer::new();
    let now = issuer.clock().now().timestamp();
    let early = token(&issuer).with("nbf", now + 60 * 60);
    let early = early.with("exp", now + 2 * 60 * 60);
    assert_eq!(rejection(&issuer, &early), Some(Kind::TokenNotYetValid));
    let expired = early.rejected_as(Kind::TokenExpired);
    assert_eq!(rejection(&issuer, &expired), Some(Kind::TokenExpired));
    let administrator = token(&issuer).rejected_as(Kind::AccessLevelInsufficient);
    assert_eq!(
        administrator.session().user().access_level(),
        AccessLevel::Regular
    );
    assert!(administrator.session().has_role("buyer"));
}

#[test]
fn tokens_layer_and_revocation_list_share_one_clock() {
    let issuer = TestIssuer::new();
    issuer.clock().set("2031-05-01T00:00:00Z".parse().unwrap());
    let layer = issuer.layer();
    let token = token(&issuer);
    let send = || see_session(&layer, token.request().body(()).unwrap());
    let session = send().unwrap().unwrap();
    assert_eq!(session.expires_at(), Some(issuer.clock().now() + HOUR));

    issuer
        .revocations()
        .revoke(&Revocation::of(&session).unwrap());
    assert_eq!(send().unwrap_err(), Kind::SessionRevoked);
    assert_eq!(issuer.revocations().len(), 1);

    issuer.clock().advance(2 * HOUR);
    assert_eq!(send().unwrap_err(), Kind::TokenExpired);
    assert_eq!(issuer.revocations().len(), 0, "the entry has expired too");
}

#[test]
fn nested_tokens_use_the_issuer_s_clock() {
    let issuer = TestIssuer::new();
    issuer.clock().set("2031-05-01T00:00:00Z".parse().unwrap());
    let session = token(&issuer).session();
    issuer.clock().advance(HOUR / 2);
    let nested = || session.nested(User::new("bob")).build();
    let token = nested().unwrap();
    assert_eq!(token.issued_at(), Some(issuer.clock().now()));
    assert_eq!(token.expires_at(), session.expires_at().unwrap());

    issuer.clock().advance(HOUR);
    assert_eq!(nested().unwrap_err().kind(), TokenErrorKind::ParentExpired);
}

#[test]
fn a_clone_shares_key_clock_and_revocations() {
    let issuer = TestIssuer::new();
    let stock = issuer.clone().audience("stock");
    let token = token(&stock);
    assert_eq!(rejection(&stock, &token), None);
    assert_eq!(rejection(&issuer, &token), Some(Kind::AudienceInvalid));
    let verify = || {
        stock
            .verifier()
            .verify(token.issue())
            .map_err(|error| error.kind())
    };
    issuer
        .revocations()
        .revoke(&Revocation::of(&verify().unwrap()).unwrap());
    assert_eq!(verify().unwrap_err(), Kind::SessionRevoked);
    issuer.clock().advance(2 * HOUR);
    assert_eq!(verify().unwrap_err(), Kind::TokenExpired);
}

#[test]
fn two_issuers_do_not_trust_each_other() {
    let (issuer, other) = (TestIssuer::new(), TestIssuer::new());
    assert_ne!(issuer.verifying_key(), other.verifying_key());
    assert_eq!(
        rejection(&other, &token(&issuer)),
        Some(Kind::SignatureInvalid)
    );
}

#[test]
fn a_test_token_is_one_session_and_another_one_is_another() {
    let issuer = TestIssuer::new();
    let token = token(&issuer);
    assert_eq!(token.session().id(), token.clone().session().id());
    let other = issuer.token(User::new("ann"));
    assert_ne!(token.session().id(), other.session().id());
    let revoked = token.clone().rejected_as(Kind::SessionRevoked);
    assert_eq!(rejection(&issuer, &token), None, "not before it is issued");
    assert_eq!(rejection(&issuer, &revoked), Some(Kind::SessionRevoked));
    assert_eq!(rejection(&issuer, &token), Some(Kind::SessionRevoked));
}

#[test]
fn the_verifier_builder_accepts_what_is_accepted_by_default() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier_builder().build().unwrap();
    let token = token(&issuer);
    assert!(verifier.verify(token.issue()).is_ok());
    let token = token.token_type(TokenType::Jwt).issue();
    assert_eq!(
        verifier.verify(&token).unwrap_err().kind(),
        Kind::TokenUnacceptable
    );
    assert!(issuer.verifier().verify(&token).is_ok());
}

#[test]
fn a_clock_stands_still_at_a_whole_second() {
    let clock = TestClock::new();
    let now = clock.now();
    assert_eq!(now.timestamp_subsec_nanos(), 0);
    let same = clock.clone();
    clock.advance(Duration::from_millis(1500));
    assert_eq!(same.now(), now + Duration::from_millis(1500));
    clock.set(now);
    assert_eq!(same.now(), now);
}

#[test]
fn every_request_has_the_session_of_as_session() {
    let session = token(&TestIssuer::new()).with("locale", "de-CH").session();
    let seen = looking(|request| {
        let own = request.extensions().get::<Session>().cloned();
        let client = ClientContext::of(request.extensions()).cloned();
        (own, client, SessionContext::current())
    });
    let service = AsSession::new(session.clone()).layer(seen);
    for _ in 0..2 {
        let response = block_on(service.clone().oneshot(request(&[]))).unwrap();
        let (own, client, ambient) = response
            .extensions()
            .get::<(Option<Session>, Option<ClientContext>, Option<Session>)>()
            .unwrap();
        assert_eq!(own.as_ref().unwrap().id(), session.id());
        assert_eq!(ambient.as_ref().unwrap().id(), session.id());
        assert_eq!(client.as_ref().unwrap().culture(), "de-CH");
        assert!(SessionContext::current().is_none());
    }
}

#[test]
fn guards_judge_the_session_of_as_session() {
    let session = token(&TestIssuer::new()).session();
    let layer = |role| (AsSession::new(session.clone()), RequireRole::new(role));
    assert_eq!(send(&layer("buyer"), request(&[])).status, StatusCode::OK);
    let error = send(&layer("approver"), request(&[])).error.unwrap();
    assert_eq!(error.kind(), Kind::Forbidden);
}

#[tokio::test]
async fn extractors_find_the_session_of_as_session() {
    use axum::{Router, body::Body, routing::get};

    let session = token(&TestIssuer::new()).session();
    let app: Router = Router::new()
        .route(
            "/session",
            get(async |session: Session| session.user().id().to_string()),
        )
        .route(
            "/optional",
            get(async |session: Option<Session>| session.unwrap().user().id().to_string()),
        )
        .route(
            "/context",
            get(async |context: ClientContext| context.culture().to_string()),
        )
        .layer(AsSession::new(session));
    for path in ["/session", "/optional", "/context"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

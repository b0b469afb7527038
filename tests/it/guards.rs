//! Guards: which sessions pass.

use http::{Request, StatusCode};
use serde_json::json;
use tower_session_token::{
    AccessLevel, ClientKind, Require, RequireAccessLevel, RequireClientKind, RequireRole,
    RequireScope, RequireSession, SessionErrorKind as Kind, SessionLayer, TokenSource,
};

use crate::support::{Answer, bearer, good_token, request, send, token, verifier};

#[test]
fn a_guard_admits_the_client_kinds_it_lists() {
    for (kind, allowed, passes) in [
        ("desktop", vec![ClientKind::Desktop], true),
        ("web", vec![ClientKind::Desktop], false),
        ("other", vec![ClientKind::Desktop, ClientKind::Web], false),
        ("web", vec![ClientKind::Desktop, ClientKind::Web], true),
        ("other", vec![ClientKind::Other], true),
        ("other", vec![], false),
    ] {
        let layers = (
            SessionLayer::new(verifier()),
            RequireClientKind::any_of(allowed.clone()),
        );
        let answer = send(&layers, bearer(&token(&json!({ "client_kind": kind }))));
        assert_eq!(
            answer.status == StatusCode::OK,
            passes,
            "{kind} at {allowed:?}"
        );
        let rejected = answer.error.map(|error| error.kind());
        assert_eq!(rejected, (!passes).then_some(Kind::ClientKindForbidden));
    }
}

#[test]
fn a_guard_requires_an_access_level() {
    for (level, wanted, passes) in [
        ("regular", AccessLevel::Regular, true),
        ("regular", AccessLevel::Administrator, false),
        ("administrator", AccessLevel::Regular, true),
        ("administrator", AccessLevel::Administrator, true),
    ] {
        let layers = (
            SessionLayer::new(verifier()),
            RequireAccessLevel::new(wanted),
        );
        let answer = send(&layers, bearer(&token(&json!({ "access_level": level }))));
        assert_eq!(
            answer.status == StatusCode::OK,
            passes,
            "{level} at {wanted}"
        );
        let rejected = answer.error.map(|error| error.kind());
        assert_eq!(rejected, (!passes).then_some(Kind::AccessLevelInsufficient));
    }
}

#[test]
fn an_insufficient_session_is_forbidden_and_the_challenge_says_so() {
    let session = || SessionLayer::new(verifier());
    let regular = || bearer(&token(&json!({ "access_level": "regular" })));
    let desktop = RequireClientKind::new(ClientKind::Desktop);
    let administrators = RequireAccessLevel::new(AccessLevel::Administrator);
    let readers = RequireScope::new("orders.read").unwrap();
    let plain = "Bearer realm=\"session\", error=\"insufficient_scope\"";
    let named = format!("{plain}, scope=\"orders.read\"");
    for (answer, challenge) in [
        (send(&(session(), desktop), regular()), plain),
        (send(&(session(), administrators), regular()), plain),
        (send(&(session(), readers), regular()), &named),
    ] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert!(answer.body.is_empty());
    }
}

#[test]
fn a_guard_requires_a_role() {
    for (roles, guard, passes) in [
        (json!(["clerk", "manager"]), RequireRole::new("clerk"), true),
        (json!(["clerks"]), RequireRole::new("clerk"), false),
        (json!([]), RequireRole::new("clerk"), false),
        (json!(null), RequireRole::new("clerk"), false),
        (
            json!(["manager"]),
            RequireRole::any_of(["clerk", "manager"]),
            true,
        ),
        (json!(["clerk"]), RequireRole::any_of([""; 0]), false),
    ] {
        let layers = (SessionLayer::new(verifier()), guard);
        let answer = send(&layers, bearer(&token(&json!({ "roles": roles }))));
        let rejected = answer.error.map(|error| error.kind());
        assert_eq!(rejected, (!passes).then_some(Kind::Forbidden), "{roles}");
    }
}

#[test]
fn every_session_passes_a_guard_that_requires_one() {
    let layers = (SessionLayer::new(verifier()), RequireSession::new());
    assert_eq!(send(&layers, bearer(&good_token())).status, StatusCode::OK);
}

/// Sends a request through a layer and each guard.
fn send_guarded(layer: &SessionLayer, request: &Request<()>) -> [Answer; 6] {
    [
        send(&(layer, RequireSession::new()), request.clone()),
        send(&(layer, Require::new(|_| true)), request.clone()),
        send(
            &(layer, RequireClientKind::new(ClientKind::Web)),
            request.clone(),
        ),
        send(
            &(layer, RequireAccessLevel::new(AccessLevel::Regular)),
            request.clone(),
        ),
        send(&(layer, RequireScope::new("a").unwrap()), request.clone()),
        send(&(layer, RequireRole::new("a")), request.clone()),
    ]
}

#[test]
fn a_guard_behind_an_optional_layer_rejects_an_anonymous_request() {
    let optional = SessionLayer::new(verifier())
        .optional()
        .token_source(TokenSource::cookie("session").unwrap());
    for request in [Request::new(()), request(&[("cookie", "session=bad")])] {
        for answer in send_guarded(&optional, &request) {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, Some("Bearer realm=\"session\""));
            assert_eq!(answer.error.unwrap().kind(), Kind::TokenMissing);
        }
    }
}

#[test]
fn a_guard_in_front_of_the_layer_reports_the_order() {
    let layer = || SessionLayer::new(verifier());
    for answer in [
        send(&RequireSession::new(), bearer(&good_token())),
        send(&(RequireSession::new(), layer()), bearer(&good_token())),
        send(&(RequireRole::new("a"), layer()), bearer(&good_token())),
        send(
            &(Require::new(|_| true), layer().optional()),
            Request::new(()),
        ),
    ] {
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.header("www-authenticate").is_none());
        let error = answer.error.unwrap();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert!(
            error.to_string().contains("no `SessionLayer` ran"),
            "{error}"
        );
    }
}

/// Tests of handlers insert a session like this.
#[test]
fn a_session_that_a_test_inserted_passes_a_guard() {
    let mut request = Request::new(());
    request
        .extensions_mut()
        .insert(crate::support::session(&json!({})));
    assert_eq!(send(&RequireSession::new(), request).status, StatusCode::OK);
}

#[test]
fn a_scope_is_made_of_scope_tokens() {
    for scope in ["", " ", "a  b", "a ", "a\"b", "a\\b", "ä"] {
        assert_eq!(
            RequireScope::new(scope).unwrap_err().option(),
            "scope",
            "{scope:?}"
        );
    }
}

//! Guard layers: which sessions pass.

use http::{Request, StatusCode};
use serde_json::json;
use tower_session_token::{
    AccessLevel, ClientKind, RequireAccessLevel, RequireClientKind, RequireScope,
    SessionErrorKind as Kind, SessionLayer,
};

use crate::support::{bearer, send, token, verifier};

#[test]
fn kinds_of_clients() {
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
        let refused = answer.error.map(|error| error.kind());
        assert_eq!(refused, (!passes).then_some(Kind::ClientKindForbidden));
    }
}

#[test]
fn access_levels() {
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
        let refused = answer.error.map(|error| error.kind());
        assert_eq!(refused, (!passes).then_some(Kind::AccessLevelInsufficient));
    }
}

#[test]
fn what_is_not_enough_is_forbidden_and_the_challenge_says_so() {
    let session = || SessionLayer::new(verifier());
    let regular = || bearer(&token(&json!({ "access_level": "regular" })));
    let desktop = RequireClientKind::new(ClientKind::Desktop);
    let administrators = RequireAccessLevel::new(AccessLevel::Administrator);
    let readers = RequireScope::new("orders.read").unwrap();
    let plain = "Bearer realm=\"session\", error=\"insufficient_scope\"";
    let named = format!("{plain}, scope=\"orders.read\"");
    let ours = RequireScope::new("orders.read").unwrap().realm("shop");
    let of_ours = named.replace("\"session\"", "\"shop\"");
    for (answer, challenge) in [
        (send(&(session(), ours.unwrap()), regular()), &*of_ours),
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
fn a_guard_behind_an_optional_layer_wants_a_session() {
    let layers = (
        SessionLayer::new(verifier()).optional(),
        RequireAccessLevel::new(AccessLevel::Regular),
    );
    let answer = send(&layers, Request::new(()));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"session\"")
    );
    assert_eq!(answer.error.unwrap().kind(), Kind::TokenMissing);
}

#[test]
fn a_scope_is_made_of_words() {
    for scope in ["", " ", "a  b", "a ", "a\"b", "a\\b", "ä"] {
        assert_eq!(
            RequireScope::new(scope).unwrap_err().option(),
            "scope",
            "{scope:?}"
        );
    }
}

//! Guard layers: which sessions pass.

use http::StatusCode;
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
fn a_scope_is_made_of_words() {
    for scope in ["", " ", "a  b", "a ", "a\"b", "a\\b", "ä"] {
        assert_eq!(
            RequireScope::new(scope).unwrap_err().option(),
            "scope",
            "{scope:?}"
        );
    }
}
